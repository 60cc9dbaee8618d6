"""LPIPS: AlexNet or VGG16 features of two pictures, compared layer by layer (Zhang et al. 2018, version 0.1).

The first VGG activation of a 1080p picture has half a gigabyte. So pictures flow through the stages in strips of rows:
each stage waits for enough rows, takes as many more on either side as its convolutions see, compares, pools, and hands
the pooled rows on; of no map more than a strip exists. Where the strips are cut depends on the picture's size alone, so
the numbers repeat bit for bit.
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
STRIP_FLOATS = 4_000_000  # floats of one activation inside a strip
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

        a_u8, b_u8   uint8 [H, W, 3], one size, at least 16 pixels per side (alex: 31); float32 is taken as it is
        value_range  "pm1": scaled to -1..1 as the network was trained; "01": left at 0..1 (a known mistake)
        """
        flows: list[_Flow] = []
        for number in reversed(range(5)):
            flows.insert(0, _Flow(self.stages[number], getattr(self, f"linear{number}"), flows[0] if flows else None))
        height, width = a_u8.shape[:2]
        rows = height if not self.stages[0].stripable else _strip(self.stages[0], width)
        for first in range(0, height, rows):
            last = min(first + rows, height)
            strips = (self._input(picture[first:last], value_range) for picture in (a_u8, b_u8))
            flows[0].push(*strips, last == height)
        return [torch.cat(flow.distances).cpu().numpy() for flow in flows]

    def distance(self, a_u8: np.ndarray, b_u8: np.ndarray, value_range: str = "pm1", spatial: bool = False) -> float:
        """The LPIPS of two pictures: the sum over layers of each map's mean (float64).

        spatial  mean of the sum of the maps enlarged to the picture's size instead (bilinear, align_corners False)
        """
        maps = self.maps(a_u8, b_u8, value_range)
        if spatial:
            maps = [_enlarged(distance, a_u8.shape[:2]) for distance in maps]
        return float(sum(np.mean(distance, dtype=np.float64) for distance in maps))

    def _input(self, picture: np.ndarray, value_range: str) -> torch.Tensor:
        """[1, 3, n, W] in channels-last memory, as the trunks were trained on it."""
        height, width = picture.shape[:2]
        factor = (2 / 255 if value_range == "pm1" else 1 / 255) if picture.dtype == np.uint8 else 1
        offset = -1 if value_range == "pm1" and picture.dtype == np.uint8 else 0
        scale = np.asarray(SCALE)
        times, plus = (
            torch.from_numpy(np.tile(values.astype(np.float32), width)).to(self.linear0.device)
            for values in (factor / scale, (offset - np.asarray(SHIFT)) / scale)
        )
        values = torch.tensor(np.ascontiguousarray(picture).reshape(height, -1), device=times.device)
        return values.float().mul_(times).add_(plus).view(1, height, width, 3).permute(0, 3, 1, 2)


@lru_cache(maxsize=4)
def load_perceptual(net: str, device: str = "cpu") -> Perceptual:
    """The network with the registered weights, made once per process.

    net     "alex" or "vgg"
    errors  WeightsError: the weights are not to be had
    """
    return Perceptual(net, load_tensors(f"lpips_{net}"), device)


class _Flow:
    """One stage on its way down a pair of pictures."""

    def __init__(self, stage: Stage, weight: torch.Tensor, after: _Flow | None) -> None:
        self.stage, self.weight, self.after = stage, weight, after
        self.distances: list[torch.Tensor] = []
        self._inputs: tuple[torch.Tensor, torch.Tensor] | None = None
        self._top = self._done = 0  # row number of the first input row kept; feature rows made

    def push(self, a: torch.Tensor, b: torch.Tensor, last: bool) -> None:
        """Take the next rows [1, C, n, W] of both pictures; `last` = the picture ends with them."""
        new = (a, b)
        del a, b  # memory: what is used up must not live on while later stages work
        self._inputs = new if self._inputs is None else tuple(map(_joined, self._inputs, new))
        del new
        end = self._top + self._inputs[0].shape[2]
        halo = len(self.stage.convolutions)
        strip = _strip(self.stage, self._inputs[0].shape[3]) if self.stage.stripable else end
        while self._done < end and (last or (self.stage.stripable and self._done + strip + halo <= end)):
            upto = self._done + strip
            upto = end if upto + 2 > end else upto  # no strip of one row: pooling would leave nothing of it
            pooled = self._step(upto, end if last else None)
            if self.after is not None:
                self.after.push(*pooled, last and upto == end)
            del pooled

    def _step(self, upto: int, height: int | None) -> list[torch.Tensor]:
        """Compare the rows up to `upto`, let go of the inputs above them, and give what the next stage takes."""
        rows = slice(self._done - self._top, upto - self._top)
        features = [_features(self.stage, x, rows, self._top, height) for x in self._inputs]
        self.distances.append(_distance(*features, self.weight))
        used = max(0, upto - len(self.stage.convolutions)) - self._top
        self._inputs = tuple(x[:, :, used:].clone(memory_format=torch.channels_last) for x in self._inputs)
        self._top, self._done = self._top + used, upto
        return [] if self.after is None else [_pooled(self.stage, x) for x in features]


def _joined(above: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
    return torch.cat([above, below], 2)


def _strip(stage: Stage, width: int) -> int:
    """Rows of a strip, an even number so that pooling windows are never cut."""
    channels = max(c.weight.shape[0] for c in stage.convolutions)
    return max(2, STRIP_FLOATS // (channels * width) // 2 * 2)


def _features(stage: Stage, x: torch.Tensor, rows: slice, top: int, height: int | None) -> torch.Tensor:
    """Features of the rows `rows` of `x`.

    top     row number in the picture of the first row of x
    height  rows of the picture; None while its end is not in x
    """
    if not stage.stripable:
        for convolution in stage.convolutions:
            x = convolution(x)
        return x
    halo = len(stage.convolutions)
    above, below = min(halo, rows.start), min(halo, x.shape[2] - rows.stop)
    at_top = top + rows.start - above == 0
    at_bottom = height is not None and below < halo
    x = x[:, :, rows.start - above : rows.stop + below]
    for convolution in stage.convolutions:
        x = convolution(x)  # pads with zeros: right at the picture's edge, wrong in one row at a cut, which goes
        x = x[:, :, int(not at_top) : x.shape[2] - int(not at_bottom)]
        above, below = above - int(not at_top), below - int(not at_bottom)
    return x[:, :, above : x.shape[2] - below]


def _pooled(stage: Stage, features: torch.Tensor) -> torch.Tensor:
    if stage.pool == (2, 2):  # four times as fast as torch's own pooling
        rows, columns = features.shape[2] // 2 * 2, features.shape[3] // 2 * 2
        upper, lower = (features[:, :, row:rows:2] for row in (0, 1))
        pairs = [torch.maximum(x[..., 0:columns:2], x[..., 1:columns:2]) for x in (upper, lower)]
        return torch.maximum(*pairs)
    return nn.functional.max_pool2d(features, *stage.pool) if stage.pool else features


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
