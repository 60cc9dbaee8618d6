"""What steers the transformer, brought to its token grid: control maps and face tokens."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.model.vae import SPACE_STRIDE, TIME_STRIDE


class PoseEncoder(nn.Module):
    """The paper's E_p: skeleton and sphere maps to features on the latent grid, causal in time like the VAE."""

    def __init__(self, channels: int):
        super().__init__()
        self.stem = nn.Conv2d(6 * 16, 48, 1)
        self.down = nn.Conv2d(48, 64, 3, 2, 1)
        self.mix = nn.Conv2d(64 * TIME_STRIDE, channels, 1)

    def forward(self, maps_01: Tensor) -> Tensor:
        """maps float [B, 6, 4k+1, H, W] in 0..1 -> [B, P, k+1, H/8, W/8]"""
        batch, _, time, height, width = maps_01.shape
        x = F.pixel_unshuffle(maps_01.transpose(1, 2).flatten(0, 1), 4)  # [B*T, 96, H/4, W/4]
        x = F.silu(self.down(F.silu(self.stem(x)))).unflatten(0, (batch, time))  # [B, T, 64, h, w]
        x = torch.cat([x[:, :1].expand(-1, TIME_STRIDE - 1, -1, -1, -1), x], 1)  # the first frame stands four times
        x = x.reshape(-1, TIME_STRIDE * x.shape[2], height // SPACE_STRIDE, width // SPACE_STRIDE)
        return self.mix(x).unflatten(0, (batch, -1)).transpose(1, 2)


@dataclass
class FaceWindow:
    """Face tokens sorted by latent frame, as keys for Face Attn.

    tokens  float [B*t, M, D]        M = 4 source frames x N tokens, and one learned token that says "no motion given"
    mask    bool  [B*t, 1, 1, M]     True = may be seen; the learned token where nothing else is, or attention would
                                     learn to rest on it and never look at a face again (it did)
    """

    tokens: Tensor
    mask: Tensor

    @staticmethod
    def maker(channels: int, width: int) -> "FaceWindowMaker":
        return FaceWindowMaker(channels, width)


class FaceWindowMaker(nn.Module):
    """The paper's MLP over face motion tokens, and their sorting into time windows (our choice: 4 source frames)."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.face_mlp = nn.Sequential(nn.Linear(channels, width), nn.GELU(), nn.Linear(width, width))
        self.null = nn.Parameter(torch.randn(width) * 0.02)
        self.slot = nn.Parameter(torch.randn(TIME_STRIDE, 1, width) * 0.02)  # which of the four source frames

    def forward(self, tokens: Tensor, valid: Tensor, frames: int) -> FaceWindow:
        """tokens [B, T, N, c], valid bool [B, T], T = 4(t-1)+1 -> the window of each of the t latent frames"""
        batch, _, count, _ = tokens.shape
        x = self.face_mlp(tokens)  # [B, T, N, D]
        x = torch.cat([x[:, :1].expand(-1, TIME_STRIDE - 1, -1, -1), x], 1).unflatten(1, (frames, TIME_STRIDE))
        x = (x + self.slot.to(x.dtype)).flatten(0, 1).flatten(1, 2)  # [B*t, 4N, D]
        seen = torch.cat([valid[:, :1].expand(-1, TIME_STRIDE - 1), valid], 1).reshape(batch * frames, TIME_STRIDE)
        seen = seen.repeat_interleave(count, 1)  # [B*t, 4N]
        null = self.null.to(x.dtype).expand(x.shape[0], 1, -1)
        nothing = ~seen.any(1, keepdim=True)
        return FaceWindow(torch.cat([x, null], 1), torch.cat([seen, nothing], 1)[:, None, None])
