"""The diffusion transformer: noisy latents, control maps, references and face tokens in, clean latents out.

Follows the paper's block (section 3.1 and figure 2): joint 3D self-attention over video and reference tokens with
the same weights for both, then *Ref Attn* from each video frame to the set of reference tokens, then *Face Attn* from
each video frame to the face motion tokens of its own time, then an MLP; time enters through adaptive norms.
Our choices: each reference brings its own control maps, queries and keys are RMS-normed, clean latents are predicted.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.model.condition import FaceWindow, PoseEncoder
from stages.model.config import DitConfig
from stages.model.flow import along
from stages.model.layers import (
    apply_rope,
    attention,
    join_heads,
    rms_norm,
    rope_angles,
    split_heads,
    time_embedding,
)  # fmt: skip
from stages.model.vae import SPACE_STRIDE, TIME_STRIDE

STATE_CHANNELS = 2 * 4 * TIME_STRIDE  # of `pack_state`
FACE_GAIN = 0.1  # of the stream's own size: a branch that starts late would be drowned by what has grown before it
REFERENCE_TIME = -4.0  # rotary time of the first reference; each further one stands 4 latent frames earlier


@dataclass
class Conditions:
    """What steers one batch of clips.

    maps          float [B, 6, T, H, W]     skeleton (3) and sphere (3) maps, 0..1; T = 4k+1
    ref_latents   float [B, R, C, h, w]     normalised latents of the reference pictures
    ref_maps      float [B, R, 6, H, W]     the references' own control maps, 0..1
    face_tokens   float [B, T, N, c]        face motion tokens a source frame
    face_valid    bool  [B, T]              False = no face seen in this frame
    warp_latents  float [B, C, t, h, w]     normalised latents of the carried reference (stages.body.warp)
    warp_state    float [B, 2, T, H, W]     of its pixels: 1 = the figure; 1 = seen in the reference
    keep_refs     float [B]                 0 drops the references of an item (classifier-free guidance), 1 keeps them
    keep_motion   float [B]                 0 drops maps and face tokens of an item
    """

    maps: Tensor
    ref_latents: Tensor
    ref_maps: Tensor
    face_tokens: Tensor
    face_valid: Tensor
    warp_latents: Tensor
    warp_state: Tensor
    keep_refs: Tensor
    keep_motion: Tensor


def patchify(latents: Tensor, patch: int) -> Tensor:
    """[B, C, t, h, w] -> tokens [B, t * h/p * w/p, C*p*p], frame by frame, row by row."""
    batch, channels, time, height, width = latents.shape
    x = latents.reshape(batch, channels, time, height // patch, patch, width // patch, patch)
    return x.permute(0, 2, 3, 5, 1, 4, 6).reshape(batch, -1, channels * patch * patch)


def unpatchify(tokens: Tensor, patch: int, time: int, height: int, width: int) -> Tensor:
    """The inverse of `patchify` for latents of t x h x w cells."""
    batch = tokens.shape[0]
    x = tokens.reshape(batch, time, height // patch, width // patch, -1, patch, patch)
    return x.permute(0, 4, 1, 2, 5, 3, 6).reshape(batch, -1, time, height, width)


def pack_state(state_01: Tensor) -> Tensor:
    """Return the state of carried pixels [B, 2, 4k+1, H, W] as channels of the latent grid, [B, 32, k+1, h, w]:
    means over squares of half a cell, the four frames of a latent one behind the other."""
    batch, kinds, time = state_01.shape[:3]
    x = F.avg_pool2d(state_01.transpose(1, 2).flatten(0, 1), SPACE_STRIDE // 2)
    x = F.pixel_unshuffle(x, 2).unflatten(0, (batch, time))  # [B, T, 8, h, w]
    x = torch.cat([x[:, :1].expand(-1, TIME_STRIDE - 1, -1, -1, -1), x], 1)
    return x.unflatten(1, (-1, TIME_STRIDE)).flatten(2, 3).transpose(1, 2)


def unpack_keep(packed: Tensor, detail: int) -> Tensor:
    """Return keep logits [B, 4t, h*d, w*d], frame by frame in squares of 8/d px, of packed ones [B, 4*d*d, t, h, w].

    The first latent stands for one frame: of its four only the last counts.
    """
    batch, _, time, height, width = packed.shape
    x = packed.reshape(batch, TIME_STRIDE, detail, detail, time, height, width)
    return x.permute(0, 4, 1, 5, 2, 6, 3).reshape(batch, TIME_STRIDE * time, height * detail, width * detail)


def unpack_keeps(packed: Tensor, detail: int) -> Tensor:
    """Return both keep maps [B, 2, 4t, h*d, w*d] (still, carried) of the packed logits that `DiT.predict` gives."""
    return torch.stack([unpack_keep(part, detail) for part in packed.chunk(2, 1)], 1)


class Block(nn.Module):
    def __init__(self, config: DitConfig):
        super().__init__()
        width, self.heads = config.width, config.heads
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.ref_q, self.ref_kv = nn.Linear(width, width, bias=False), nn.Linear(width, 2 * width, bias=False)
        self.ref_out = nn.Linear(width, width, bias=False)
        self.face_q, self.face_kv = nn.Linear(width, width, bias=False), nn.Linear(width, 2 * width, bias=False)
        self.face_out = nn.Linear(width, width, bias=False)
        self.mlp_in, self.mlp_out = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.modulation = nn.Parameter(torch.zeros(6, width))  # this block's offset to the shared time modulation
        self.q_scale, self.k_scale = (nn.Parameter(torch.ones(width // config.heads)) for _ in range(2))
        for layer in (self.out, self.ref_out, self.face_out, self.mlp_out):  # every branch starts as the identity
            nn.init.zeros_(layer.weight)
        nn.init.zeros_(self.mlp_out.bias)

    def forward(self, x, n_video, time_modulation, rope, face: FaceWindow, frames):
        """x [B, N, D] video tokens first, then references; time_modulation [B, N, 6, D] -> [B, N, D]"""
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = (time_modulation + self.modulation).unbind(2)
        q, k, v = self.qkv(rms_norm(x) * (1 + scale_a) + shift_a).chunk(3, -1)
        q, k = (rms_norm(split_heads(y, self.heads)) for y in (q, k))
        q, k = apply_rope(q * self.q_scale.to(q.dtype), rope), apply_rope(k * self.k_scale.to(k.dtype), rope)
        x = x + self.out(join_heads(attention(q, k, split_heads(v, self.heads)))) * (1 + gate_a)
        video, refs = x[:, :n_video], x[:, n_video:]
        video = video + self._reference_attention(video, refs, n_video, rope)
        loudness = video.square().mean(-1, keepdim=True).sqrt()
        video = video + FACE_GAIN * loudness * self._face_attention(video, face, frames)
        x = torch.cat([video, refs], 1)
        h = self.mlp_in(rms_norm(x) * (1 + scale_m) + shift_m)
        return x + self.mlp_out(F.gelu(h, approximate="tanh")) * (1 + gate_m)

    def _reference_attention(self, video, refs, n_video, rope):
        """Each video frame looks at all reference tokens (a softmax row is a query's own: no split needed)."""
        cos, sin = rope
        k, v = self.ref_kv(rms_norm(refs)).chunk(2, -1)
        q = apply_rope(rms_norm(split_heads(self.ref_q(rms_norm(video)), self.heads)), (cos[:n_video], sin[:n_video]))
        k = apply_rope(rms_norm(split_heads(k, self.heads)), (cos[n_video:], sin[n_video:]))
        return self.ref_out(join_heads(attention(q, k, split_heads(v, self.heads))))

    def _face_attention(self, video, face: FaceWindow, frames):
        """Each latent frame looks at the face tokens of its own source frames. [B, t*n, D] -> [B, t*n, D]"""
        batch, n_video, width = video.shape
        q = self.face_q(rms_norm(video)).reshape(batch * frames, n_video // frames, width)
        k, v = self.face_kv(face.tokens).chunk(2, -1)  # [B*t, M, D]
        q, k, v = (split_heads(y, self.heads) for y in (q, k, v))
        out = join_heads(attention(rms_norm(q), rms_norm(k), v, face.mask))
        return self.face_out(out).reshape(batch, n_video, width)


class DiT(nn.Module):
    def __init__(self, config: DitConfig):
        super().__init__()
        self.config = config
        width, cell = config.width, config.patch**2
        self.pose_encoder = PoseEncoder(config.pose_channels)
        self.embed = nn.Sequential(
            nn.Linear((config.latent_channels + config.pose_channels) * cell, width), nn.GELU(), nn.Linear(width, width)
        )
        self.embed_warp = nn.Linear((config.latent_channels + STATE_CHANNELS) * cell, width, bias=False)
        self.embed_reference = nn.Parameter(torch.zeros(width))
        self.face_window = FaceWindow.maker(config.face_channels, width)
        self.time_mlp = nn.Sequential(nn.Linear(128, width), nn.SiLU(), nn.Linear(width, 6 * width))
        with torch.no_grad():
            self.time_mlp[2].weight.mul_(0.02)
        nn.init.zeros_(self.time_mlp[2].bias)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.head_modulation = nn.Linear(128, 2 * width)
        self.head = nn.Linear(width, config.latent_channels * cell)
        self.head_gate = nn.Linear(width, config.latent_channels * cell)
        self.head_gate_warp = nn.Linear(width, config.latent_channels * cell)
        squares = cell * TIME_STRIDE * config.keep_detail**2
        self.head_keep, self.head_keep_warp = nn.Linear(width, squares), nn.Linear(width, squares)
        heads = (self.head, self.head_gate, self.head_gate_warp, self.head_keep, self.head_keep_warp)
        for layer in (self.head_modulation, *heads):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        nn.init.constant_(self.head_gate_warp.bias, -2.0)
        nn.init.zeros_(self.embed_warp.weight)

    def forward(self, noisy: Tensor, t_01: Tensor, given: Conditions) -> Tensor:
        """Return the predicted clean latents [B, C, t, h, w]; arguments as in `predict`."""
        return self.predict(noisy, t_01, given)[0]

    def predict(self, noisy: Tensor, t_01: Tensor, given: Conditions) -> tuple[Tensor, Tensor]:
        """Return the predicted clean latents [B, C, t, h, w] and packed keep logits [B, 2*4*d*d, t, h, w].

        noisy  float [B, C, t, h, w]  (1 - t) * noise + t * data, normalised latents
        t_01   float [B, t]           flow time of each latent frame; 1 = this frame is given clean (segment hand-over)
        Our choice: gates per cell and channel mix in the first reference's latent of the same place (the camera of most
        clips stands still) and the carried reference's; keep logits (see `unpack_keep`) say where the picture itself is
        still that of the first reference, and behind them where it is that of the carried reference.
        """
        batch, _, frames, height, width = noisy.shape
        patch, n_refs = self.config.patch, given.ref_latents.shape[1]
        tokens_a_frame = (height // patch) * (width // patch)
        n_video = frames * tokens_a_frame
        keep_motion, keep_refs = (keep.view(batch, 1, 1, 1, 1) for keep in (given.keep_motion, given.keep_refs))

        pose = self.pose_encoder(given.maps) * keep_motion  # [B, P, t, h, w]
        ref_pose = self.pose_encoder(given.ref_maps.flatten(0, 1)[:, :, None]).unflatten(0, (batch, n_refs))
        refs = torch.cat([given.ref_latents, ref_pose[:, :, :, 0]], 2).transpose(1, 2) * keep_refs  # [B, C+P, R, h, w]
        video = torch.cat([noisy, pose], 1)  # [B, C+P, t, h, w]
        x = self.embed[0](patchify(torch.cat([video, refs], 2), patch))  # [B, N, D]
        warp = torch.cat([given.warp_latents, pack_state(given.warp_state)], 1) * keep_refs * keep_motion
        warp = self.embed_warp(patchify(warp, patch))
        x = self.embed[2](self.embed[1](torch.cat([x[:, :n_video] + warp, x[:, n_video:]], 1)))
        is_ref = (torch.arange(x.shape[1], device=x.device) >= n_video).to(x.dtype)[:, None]
        x = x + is_ref * self.embed_reference.to(x.dtype)

        times = torch.cat([t_01, torch.ones_like(t_01[:, :1]).expand(-1, n_refs)], 1)  # references are clean
        embedded = time_embedding(times).to(x.dtype)  # [B, t+R, 128]
        modulation = self.time_mlp(embedded).unflatten(-1, (6, -1)).repeat_interleave(tokens_a_frame, 1)
        rope = rope_angles(self._positions(frames, n_refs, height // patch, width // patch, x.device), self._head_dim)
        face = self.face_window(given.face_tokens, given.face_valid & (given.keep_motion > 0.5)[:, None], frames)
        for block in self.blocks:
            x = block(x, n_video, modulation, rope, face, frames)
        scale, shift = self.head_modulation(embedded[:, :frames]).repeat_interleave(tokens_a_frame, 1).chunk(2, -1)
        x = rms_norm(x[:, :n_video]) * (1 + scale) + shift
        made, gate, gate_warp, keep, keep_warp = (
            unpatchify(layer(x).float(), patch, frames, height, width)
            for layer in (self.head, self.head_gate, self.head_gate_warp, self.head_keep, self.head_keep_warp)
        )
        if self.config.predicts == "velocity":
            made = along(noisy, made, t_01)
        copied = given.ref_latents[:, 0, :, None]  # [B, C, 1, h, w]
        made = made + torch.sigmoid(gate) * keep_refs * (copied - made)
        made = made + torch.sigmoid(gate_warp) * keep_refs * keep_motion * (given.warp_latents - made)
        return made, torch.cat([keep, keep_warp], 1)

    @property
    def _head_dim(self) -> int:
        return self.config.width // self.config.heads

    @staticmethod
    def _positions(frames: int, n_refs: int, rows: int, columns: int, device) -> Tensor:
        """Return (time, row, column) of every token, float [N, 3]."""
        times = torch.cat([
            torch.arange(frames, dtype=torch.float32),
            REFERENCE_TIME * (1 + torch.arange(n_refs, dtype=torch.float32)),
        ])  # fmt: skip
        grid = torch.meshgrid(times, torch.arange(rows).float(), torch.arange(columns).float(), indexing="ij")
        return torch.stack(grid, -1).reshape(-1, 3).to(device)
