"""The last step to pixels: what the transformer made, the photo as it stands, and the photo carried to the pose.

No VAE of this size keeps a shirt's print or a face as sharp as the photo does. So a small network looks at three
pictures of each frame and says, pixel by pixel, how much of each to take, with a small correction on top; where the
photo cannot know (what was hidden, what turned away, another expression) it takes what was made.
Source: our own; decoders that look at the conditioning pictures are usual since ToonCrafter (Xing et al. 2024).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.model.config import CompositorConfig

SOURCES = 3  # made, still, carried
INPUTS = 3 * SOURCES + 4  # pictures; figure and seen (stages.body.warp); both keep probabilities


class _Block(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.first, self.second = nn.Conv2d(channels, channels, 3, 1, 1), nn.Conv2d(channels, channels, 3, 1, 1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        scaled = x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-4)
        return x + self.second(F.silu(self.first(F.silu(scaled))))


class Compositor(nn.Module):
    """A U-Net over half, quarter and eighth of the side; every frame on its own."""

    def __init__(self, config: CompositorConfig):
        super().__init__()
        half, quarter, eighth = config.widths
        self.stem = nn.Conv2d(4 * INPUTS, half, 3, 1, 1)
        self.at_half, self.back_half = _Block(half), _Block(half)
        self.to_quarter, self.from_quarter = nn.Conv2d(half, quarter, 3, 2, 1), nn.Conv2d(quarter, 4 * half, 1)
        self.at_quarter, self.back_quarter = _Block(quarter), _Block(quarter)
        self.to_eighth, self.from_eighth = nn.Conv2d(quarter, eighth, 3, 2, 1), nn.Conv2d(eighth, 4 * quarter, 1)
        self.at_eighth = nn.Sequential(*(_Block(eighth) for _ in range(config.depth)))
        self.head = nn.Conv2d(half, 4 * (SOURCES + 3), 3, 1, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, pictures_pm1: Tensor, state_01: Tensor, keep_01: Tensor) -> Tensor:
        """Return frames float [N, 3, H, W], about -1..1 and not clipped; sides 8n.

        pictures_pm1  float [N, 3, 3, H, W]   made, still, carried;  state_01  float [N, 2, H, W] as in `Conditions`
        keep_01       float [N, 2, h, w]      probabilities that a square is the photo's: still, carried
        """
        size = pictures_pm1.shape[-2:]
        keep = F.interpolate(keep_01, size=size, mode="bilinear")
        x = F.pixel_unshuffle(torch.cat([pictures_pm1.flatten(1, 2), state_01, keep], 1), 2)
        x = self.at_half(self.stem(x))
        y = self.at_quarter(self.to_quarter(x))
        z = self.at_eighth(self.to_eighth(y))
        y = self.back_quarter(y + F.pixel_shuffle(self.from_eighth(z), 2))
        x = self.back_half(x + F.pixel_shuffle(self.from_quarter(y), 2))
        out = F.pixel_shuffle(self.head(x), 2).float()
        # before training: mostly what was made, but where both agree that it is the photo's, the photo
        prior = torch.cat([torch.full_like(keep[:, :1], 0.35), keep], 1).clamp(1e-3, 1.0).log() * 2.0
        share = torch.softmax(prior + out[:, :SOURCES], 1)[:, :, None]
        return (share * pictures_pm1).sum(1) + 0.5 * out[:, SOURCES:]
