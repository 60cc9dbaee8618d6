"""The Inception network of December 2015 that FID is defined by, up to its 2048 pooled features.

It is not the Inception v3 of today's libraries: its average pools leave the padding out and its last block takes a
maximum. The original's batch norm has no scale, its epsilon is 1e-3 (folded into the convolutions here).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, max_pool2d, relu_

from stages.metrics.nets.layers import ConvRelu, exact, load_convolutions
from stages.weights import load_tensors

SIDE = 299
WIDTHS = (64, 2048)


def _conv(i: int, o: int, kernel: int | tuple[int, int], stride: int = 1, same: bool = True, relu: bool = True):
    kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = tuple(k // 2 for k in kernel) if same else (0, 0)
    return ConvRelu(i, o, kernel, (stride, stride), padding, relu)


def _row(i: int, *steps: tuple) -> nn.Sequential:
    """Convolutions one after the other: steps of (out channels, kernel[, stride, same])."""
    layers = []
    for step in steps:
        layers.append(_conv(i, *step))
        i = step[0]
    return nn.Sequential(*layers)


class Pooled(nn.Module):
    """3x3 pooling, then a 1x1 convolution with relu.

    The average is taken after the convolution: both are linear, and there are fewer channels to average.
    """

    def __init__(self, i: int, o: int, average: bool = True) -> None:
        super().__init__()
        self.average = average
        self.convolution = _conv(i, o, 1, relu=not average)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.average:
            return relu_(avg_pool2d(self.convolution(x), 3, 1, 1, count_include_pad=False))
        return self.convolution(max_pool2d(x, 3, 1, 1))


class Halved(nn.Module):
    """3x3 max pooling with stride 2."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return max_pool2d(x, 3, 2)


class Fork(nn.Module):
    """Two convolutions of one input, side by side."""

    def __init__(self, before: nn.Sequential, i: int, o: int) -> None:
        super().__init__()
        self.before = before
        self.wide, self.tall = _conv(i, o, (1, 3)), _conv(i, o, (3, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.before(x)
        return torch.cat([self.wide(x), self.tall(x)], 1)


class Mixed(nn.Module):
    """Branches side by side."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


def _mixed_35(i: int, pooled: int) -> Mixed:
    return Mixed(
        _row(i, (64, 1)), _row(i, (48, 1), (64, 5)), _row(i, (64, 1), (96, 3), (96, 3)), Pooled(i, pooled)
    )  # fmt: skip


def _mixed_17(i: int, c: int) -> Mixed:
    return Mixed(
        _row(i, (192, 1)),
        _row(i, (c, 1), (c, (1, 7)), (192, (7, 1))),
        _row(i, (c, 1), (c, (7, 1)), (c, (1, 7)), (c, (7, 1)), (192, (1, 7))),
        Pooled(i, 192),
    )


def _mixed_8(i: int, average: bool) -> Mixed:
    return Mixed(
        _row(i, (320, 1)),
        Fork(_row(i, (384, 1)), 384, 384),
        Fork(_row(i, (448, 1), (384, 3)), 384, 384),
        Pooled(i, 192, average),
    )


class Inception(nn.Module):
    """[1, 3, 299, 299] in -1..1 -> pooled features."""

    def __init__(self, tensors: Mapping[str, np.ndarray], device: str = "cpu") -> None:
        super().__init__()
        self.first = nn.Sequential(*_row(3, (32, 3, 2, False), (32, 3, 1, False), (64, 3)), Halved())
        self.rest = nn.Sequential(
            *_row(64, (80, 1), (192, 3, 1, False)),
            Halved(),
            *(_mixed_35(i, pooled) for i, pooled in ((192, 32), (256, 64), (288, 64))),
            Mixed(_row(288, (384, 3, 2, False)), _row(288, (64, 1), (96, 3), (96, 3, 2, False)), Halved()),
            *(_mixed_17(768, c) for c in (128, 160, 160, 192)),
            Mixed(
                _row(768, (192, 1), (320, 3, 2, False)),
                _row(768, (192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2, False)),
                Halved(),
            ),
            _mixed_8(1280, average=True),
            _mixed_8(2048, average=False),
        )
        load_convolutions(self, tensors, "inception_fid")
        self.to(exact(device)).eval()
        self.device = torch.device(device)

    @torch.inference_mode()
    def features(self, picture_pm1: np.ndarray, width: int = 2048) -> np.ndarray:
        """float32 [width]: the mean over positions of the last block, or with 64 of the first pooling.

        picture_pm1  float32 [299, 299, 3]
        """
        x = torch.from_numpy(picture_pm1).to(self.device).permute(2, 0, 1)[None]  # [1, 3, 299, 299], channels last
        x = self.first(x)
        if width == 2048:
            x = self.rest(x)
        return x[0].mean((1, 2)).cpu().numpy()


@lru_cache(maxsize=2)
def load_inception(device: str = "cpu") -> Inception:
    """The network with the registered weights, made once per process.

    errors  WeightsError: the weights are not to be had
    """
    return Inception(load_tensors("inception_fid"), device)
