"""The inflated 3D Inception trained on Kinetics-400 (Carreira and Zisserman 2017) whose logits FVD is defined by."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import torch
from torch import nn
from torch.nn.functional import avg_pool3d, pad

from stages.metrics.nets.layers import ConvRelu, exact, load_convolutions, set_weights
from stages.weights import load_tensors

SIDE = 224
LEAST_FRAMES = 9  # fewer leave nothing for the last pooling
LOGITS = 400
BLOCKS = (  # in channels, and the six widths of a mixed block
    (192, 64, 96, 128, 16, 32, 32),
    (256, 128, 128, 192, 32, 96, 64),
    (480, 192, 96, 208, 16, 48, 64),
    (512, 160, 112, 224, 24, 64, 64),
    (512, 128, 128, 256, 24, 64, 64),
    (512, 112, 144, 288, 32, 64, 64),
    (528, 256, 160, 320, 32, 128, 128),
    (832, 256, 160, 320, 32, 128, 128),
    (832, 384, 192, 384, 48, 128, 128),
)


def same_padding(length: int, kernel: int, stride: int) -> tuple[int, int]:
    """What TensorFlow's SAME adds before and after an axis; the odd one goes behind."""
    total = max((-(-length // stride) - 1) * stride + kernel - length, 0)
    return total // 2, total - total // 2


class MaxPool(nn.Module):
    """Max pooling, TensorFlow's SAME, of what a relu left: with nothing below 0, zeros pad as well as infinity."""

    def __init__(self, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.kernel == (3, 3, 3) and self.stride == (1, 1, 1):
            return _largest_of_neighbours(x)
        sides = [same_padding(n, k, s) for n, k, s in zip(x.shape[2:], self.kernel, self.stride, strict=True)]
        if any(before for before, _ in sides):
            x = pad(x, [side for pair in reversed(sides) for side in pair])
        return nn.functional.max_pool3d(x, self.kernel, self.stride, ceil_mode=True)


def _largest_of_neighbours(x: torch.Tensor) -> torch.Tensor:
    """3x3x3 max pooling with stride 1, one axis after the other: a quarter of the time of torch's own."""
    for axis in (4, 3, 2):
        length = x.shape[axis] - 1
        y = x.clone()
        ahead, behind = y.narrow(axis, 0, length), y.narrow(axis, 1, length)
        torch.maximum(behind, x.narrow(axis, 0, length), out=behind)
        torch.maximum(ahead, x.narrow(axis, 1, length), out=ahead)
        x = y
    return x


class Mixed(nn.Module):
    """Four branches side by side."""

    def __init__(self, i: int, a: int, b1: int, b3: int, c1: int, c3: int, d: int) -> None:
        super().__init__()
        self.a = _conv(i, a, 1)
        self.b = nn.Sequential(_conv(i, b1, 1), _conv(b1, b3, 3))
        self.c = nn.Sequential(_conv(i, c1, 1), _conv(c1, c3, 3))
        self.d = nn.Sequential(MaxPool((3, 3, 3), (1, 1, 1)), _conv(i, d, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.a(x), self.b(x), self.c(x), self.d(x)], 1)


def _conv(i: int, o: int, kernel: int) -> ConvRelu:
    return ConvRelu(i, o, (kernel,) * 3, padding=(kernel // 2,) * 3)


class I3D(nn.Module):
    """A clip [1, 3, T, 224, 224] in -1..1 -> 400 logits, the mean over what is left of time.

    epsilon  of the batch norm
    """

    def __init__(self, tensors: Mapping[str, np.ndarray], device: str = "cpu", epsilon: float = 1e-3) -> None:
        super().__init__()
        mixed = [Mixed(*widths) for widths in BLOCKS]
        self.first = ConvRelu(3, 64, (7, 7, 7), (2, 2, 2))
        self.rest = nn.Sequential(
            MaxPool((1, 3, 3), (1, 2, 2)),
            _conv(64, 64, 1),
            _conv(64, 192, 3),
            MaxPool((1, 3, 3), (1, 2, 2)),
            *mixed[:2],
            MaxPool((3, 3, 3), (2, 2, 2)),
            *mixed[2:7],
            MaxPool((2, 2, 2), (2, 2, 2)),
            *mixed[7:],
        )
        load_convolutions(self, tensors, "i3d_kinetics400", epsilon)
        self.last = ConvRelu(1024, LOGITS, (1, 1, 1), relu=False)
        set_weights(self.last, tensors["logits.weight"], tensors["logits.bias"], "i3d_kinetics400: logits")
        self.to(exact(device)).eval()
        self.device = torch.device(device)

    @torch.inference_mode()
    def logits(self, clip: np.ndarray) -> np.ndarray:
        """float32 [400].

        clip  float32 [T, 224, 224, 3], T at least 9, in -1..1
        """
        x = torch.from_numpy(np.ascontiguousarray(clip)).to(self.device)
        sides = [same_padding(n, 7, 2) for n in x.shape[:3]]
        x = pad(x, [0, 0, *(side for pair in reversed(sides) for side in pair)])
        x = x.permute(3, 0, 1, 2)[None]  # [1, 3, T, H, W], channels last
        x = avg_pool3d(self.rest(self.first(x)), (2, 7, 7), 1)  # [1, 1024, t, 1, 1]
        return self.last(x)[0, :, :, 0, 0].mean(1).cpu().numpy()


@lru_cache(maxsize=2)
def load_i3d(device: str = "cpu", epsilon: float = 1e-3) -> I3D:
    """The network with the registered weights, made once per process; epsilon of its batch norm.

    errors  WeightsError: the weights are not to be had
    """
    return I3D(load_tensors("i3d_kinetics400"), device, epsilon)
