"""LPIPS: AlexNet or VGG16 features of two pictures, compared layer by layer (Zhang et al. 2018, version 0.1).

A 1080p picture's first VGG activation has half a gigabyte. So the picture goes through each stage in strips of rows
with as many rows more on either side as the stage's convolutions see; features are compared and pooled strip by strip,
and only the pooled maps exist whole. Strips depend on the picture's size alone, so the numbers repeat bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import torch
from torch import nn

from stages.metrics.nets.layers import ConvRelu, exact, load_convolutions
from stages.weights import load_tensors

SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
EPSILON = 1e-10
STRIP_FLOATS = 6_000_000  # floats of one activation inside a strip
CHUNK_FLOATS = 1 << 19  # floats compared at a time: what a core keeps near itself


class Stage(nn.Module):
    """Convolutions up to one comparison, and the max pooling on the way to the next stage.

    pool  (kernel, stride) of that pooling; None = the next stage takes the features as they are
    """

    def __init__(self, convolutions: list[ConvRelu], pool: tuple[int, int] | None) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(convolutions)
        self.pool = pool

    @property
    def stripable(self) -> bool:
        """Every convolution is 3x3 and the pooling windows do not overlap."""
        return self.pool in (None, (2, 2)) and all(c.weight.shape[2:] == (3, 3) for c in self.convolutions)


def _alex() -> list[Stage]:
    def conv(i: int, o: int, kernel: int, stride: int, padding: int) -> list[ConvRelu]:
        return [ConvRelu(i, o, (kernel, kernel), (stride, stride), (padding, padding))]

    return [
        Stage(conv(3, 64, 11, 4, 2), (3, 2)),
        Stage(conv(64, 192, 5, 1, 2), (3, 2)),
        Stage(conv(192, 384, 3, 1, 1), None),
        Stage(conv(384, 256, 3, 1, 1), None),
        Stage(conv(256, 256, 3, 1, 1), None),
    ]


def _vgg() -> list[Stage]:
    widths = ((3, 64, 64), (64, 128, 128), (128, 256, 256, 256), (256, 512, 512, 512), (512, 512, 512, 512))
    stages = []
    for row in widths:
        pairs = zip(row, row[1:], strict=False)
        stages.append(Stage([ConvRelu(i, o, (3, 3), (1, 1), (1, 1)) for i, o in pairs], (2, 2)))
    stages[-1].pool = None
    return stages


class Perceptual(nn.Module):
    """The distance network; `maps` gives the five maps, `distance` their one number."""

    def __init__(self, net: str, tensors: Mapping[str, np.ndarray], device: str = "cpu") -> None:
        super().__init__()
        self.stages = nn.ModuleList(_alex() if net == "alex" else _vgg())
        load_convolutions(self, tensors, f"lpips_{net}")
        for number in range(5):
            self.register_buffer(f"linear{number}", torch.from_numpy(tensors[f"linear.{number}.weight"].copy()))
        self.to(exact(device)).eval()

    @torch.inference_mode()
    def maps(self, a_u8: np.ndarray, b_u8: np.ndarray, value_range: str = "pm1") -> list[np.ndarray]:
        """Distance per position of each of the five layers, float32 [h, w].

        a_u8, b_u8   uint8 [H, W, 3], one size, at least 16 pixels per side (alex: 31)
        value_range  "pm1": scaled to -1..1 as the network was trained; "01": left at 0..1 (a known mistake)
        """
        a, b = (self._input(picture, value_range) for picture in (a_u8, b_u8))
        found = []
        for number, stage in enumerate(self.stages):
            a, b, distance = _through(stage, a, b, getattr(self, f"linear{number}"))
            found.append(distance.cpu().numpy())
        return found

    def distance(self, a_u8: np.ndarray, b_u8: np.ndarray, value_range: str = "pm1", spatial: bool = False) -> float:
        """The LPIPS of two pictures: the sum over layers of each map's mean (float64).

        spatial  mean of the sum of the maps enlarged to the picture's size instead (bilinear, align_corners False)
        """
        maps = self.maps(a_u8, b_u8, value_range)
        if spatial:
            maps = [_enlarged(distance, a_u8.shape[:2]) for distance in maps]
        return float(sum(np.mean(distance, dtype=np.float64) for distance in maps))

    def _input(self, picture_u8: np.ndarray, value_range: str) -> torch.Tensor:
        levels = np.arange(256, dtype=np.float32) / np.float32(255)
        levels = levels * 2 - 1 if value_range == "pm1" else levels
        table = (levels[:, None] - np.float32(SHIFT)) / np.float32(SCALE)  # [256, 3]
        pixels = table[picture_u8, np.arange(3)]  # [H, W, 3]
        return torch.from_numpy(pixels).to(self.linear0.device).permute(2, 0, 1)[None]  # [1, 3, H, W], channels last


@lru_cache(maxsize=4)
def load_perceptual(net: str, device: str = "cpu") -> Perceptual:
    """The network with the registered weights, made once per process.

    net     "alex" or "vgg"
    errors  WeightsError: the weights are not to be had
    """
    return Perceptual(net, load_tensors(f"lpips_{net}"), device)


def _through(
    stage: Stage, a: torch.Tensor, b: torch.Tensor, weight: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Inputs of the next stage, and the distance of this one's features float32 [h, w]."""
    height, width = a.shape[2:]
    rows = height
    if stage.stripable:
        channels = max(c.weight.shape[0] for c in stage.convolutions)
        rows = max(2, STRIP_FLOATS // (channels * width) // 2 * 2)
    pooled_a, pooled_b, distances = [], [], []
    for first in range(0, height, rows):
        last = min(first + rows, height)
        features_a, features_b = (_features(stage, x, first, last) for x in (a, b))
        distances.append(_distance(features_a, features_b, weight))
        pooled_a.append(_pooled(stage, features_a))
        pooled_b.append(_pooled(stage, features_b))
    return _joined(pooled_a), _joined(pooled_b), torch.cat(distances)


def _features(stage: Stage, x: torch.Tensor, first: int, last: int) -> torch.Tensor:
    """Features of rows first..last-1."""
    height = x.shape[2]
    if last - first == height:
        for convolution in stage.convolutions:
            x = convolution(x)
        return x
    halo = len(stage.convolutions)
    top, bottom = max(0, first - halo), min(height, last + halo)
    x = x[:, :, top:bottom]
    for convolution in stage.convolutions:
        x = convolution(x)  # pads with zeros: right at the picture's edge, wrong in one row at a cut, which goes
        cut_top, cut_bottom = int(top > 0), int(bottom < height)
        x = x[:, :, cut_top : x.shape[2] - cut_bottom]
        top, bottom = top + cut_top, bottom - cut_bottom
    return x[:, :, first - top : x.shape[2] - (bottom - last)]


def _pooled(stage: Stage, features: torch.Tensor) -> torch.Tensor:
    return nn.functional.max_pool2d(features, *stage.pool) if stage.pool else features


def _joined(strips: list[torch.Tensor]) -> torch.Tensor:
    return strips[0] if len(strips) == 1 else torch.cat([s for s in strips if s.shape[2]], 2)


def _distance(a: torch.Tensor, b: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Weighted squared distance of unit feature vectors, float32 [h, w]; exactly 0 where they are equal."""
    _, channels, height, width = a.shape
    flat_a, flat_b = (x[0].permute(1, 2, 0).reshape(-1, channels) for x in (a, b))  # [h w, C], a view
    distance = torch.empty(len(flat_a), dtype=torch.float32, device=a.device)
    step = max(1, CHUNK_FLOATS // channels)
    for first in range(0, len(flat_a), step):
        part = slice(first, first + step)
        unit_a, unit_b = (_unit(x[part]) for x in (flat_a, flat_b))
        distance[part] = unit_a.sub_(unit_b).square_().mul_(weight).sum(-1)
    return distance.reshape(height, width)


def _unit(features: torch.Tensor) -> torch.Tensor:
    """Features divided by their length, [n, C]."""
    return features / features.square().sum(-1, keepdim=True).sqrt_().add_(EPSILON)


def _enlarged(distance: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    tensor = torch.from_numpy(distance)[None, None]
    return nn.functional.interpolate(tensor, size=size, mode="bilinear", align_corners=False)[0, 0].numpy()
