"""The parts of a transformer block: norm, attention, rotary positions, time embedding."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_EXPLICIT_BELOW = 1024  # keys; up to about here plain products train faster on a CPU than the fused kernel


def rms_norm(x: Tensor) -> Tensor:
    """Return x with the root mean square of its last axis at 1 (no learned scale)."""
    return F.rms_norm(x, (x.shape[-1],))


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return softmax(q k^T / sqrt(D)) v; q [B, H, N, D], k v [B, H, M, D], mask bool [B, 1, 1 or N, M], True = seen."""
    if q.device.type == "cpu" and torch.is_grad_enabled() and k.shape[2] < _EXPLICIT_BELOW:
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)  # [B, H, N, M]
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        return torch.softmax(scores, -1, dtype=torch.float32).to(v.dtype) @ v
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def rope_angles(positions: Tensor, head_dim: int, base: float = 100.0) -> tuple[Tensor, Tensor]:
    """Return cos and sin [N, head_dim] of the 3D rotary embedding.

    positions  float [N, 3]   time (latent frames; references stand at negative times), row, column
    The pairs of a head are split over the three axes; time gets what a third leaves over. RoPE: Su et al. 2021.
    """
    pairs = head_dim // 2
    space = pairs // 3
    angles = []
    for axis, count in enumerate((pairs - 2 * space, space, space)):
        frequency = base ** (-torch.arange(count, device=positions.device, dtype=torch.float32) / max(1, count))
        angles.append(positions[:, axis : axis + 1].float() * frequency)
    angle = torch.cat(angles, 1)  # [N, pairs]
    return torch.cat([angle.cos()] * 2, 1), torch.cat([angle.sin()] * 2, 1)


def apply_rope(x: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
    """Return x [B, H, N, D] turned by the angles of its N positions."""
    cos, sin = (angle.to(x.dtype) for angle in angles)
    half = x.shape[-1] // 2
    turned = torch.cat([-x[..., half:], x[..., :half]], -1)
    return x * cos + turned * sin


def time_embedding(t_01: Tensor, channels: int = 128) -> Tensor:
    """Return sinusoids [..., channels] of flow times in 0..1 (0 = noise, 1 = data)."""
    steps = torch.arange(channels // 2, device=t_01.device, dtype=torch.float32)
    frequency = torch.exp(-math.log(1000.0) * steps / (channels // 2))
    angle = t_01.float()[..., None] * 100.0 * frequency
    return torch.cat([angle.cos(), angle.sin()], -1)


def split_heads(x: Tensor, heads: int) -> Tensor:
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)  # [B, N, D] -> [B, H, N, D/H]


def join_heads(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)  # [B, H, N, D] -> [B, N, H*D]
