"""Flow matching between noise (t = 0) and data (t = 1), with a network that predicts the data.

The paper trains the velocity between data and noise; predicting the clean latents x and reading the velocity off as
(x - z) / (1 - t) is the same flow, and with the loss on x it was worth 2 dB in our toy study (our choice).
"""

import torch
from torch import Tensor

_CLOSEST = 0.02  # 1 - t is kept above this when it divides


def interpolate(data: Tensor, noise: Tensor, t_01: Tensor) -> Tensor:
    """Return z = (1 - t) noise + t data. data, noise [B, C, t, h, w], t [B, t] per latent frame."""
    t = t_01[:, None, :, None, None]
    return (1.0 - t) * noise + t * data


def velocity(predicted: Tensor, z: Tensor, t_01: Tensor) -> Tensor:
    """Return dz/dt = (x - z) / (1 - t) of a predicted x at state z and time t [B, t]."""
    return (predicted - z) / (1.0 - t_01[:, None, :, None, None]).clamp(min=_CLOSEST)


def along(z: Tensor, speed: Tensor, t_01: Tensor) -> Tensor:
    """Return x = z + (1 - t) v, the data at the end of the straight way from z at time t [B, t] with velocity v."""
    return z + (1.0 - t_01[:, None, :, None, None]) * speed


def sample_times(batch: int, frames: int, generator: torch.Generator, *, mean: float, std: float, first_given: float):
    """Return flow times [B, t] for training: one logit-normal time an item, and with probability `first_given` a clean
    first latent frame (t = 1), which is how segments are chained."""
    t = torch.sigmoid(torch.randn(batch, 1, generator=generator) * std + mean).expand(batch, frames).clone()
    if frames > 1:
        given = torch.rand(batch, generator=generator) < first_given
        t[given, 0] = 1.0
    return t
