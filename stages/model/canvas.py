"""A canvas larger than the one that VAE and transformer learned at: they see it averaged, the compositor all of it.

Most of a picture stands on the photo's own pixels (stages.model.compositor), which are as sharp as the canvas; what the
transformer makes is blurred by the VAE anyway. So twice the side costs the transformer nothing. Our choice; the paper
trains at one size.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from stages.core.carried import averaged_kind
from stages.core.pictures import averaged
from stages.model.tracks import Signals, Tracks


def shrink_of(canvas: Sequence[int], size: int, cell: int) -> int:
    """How many times smaller VAE and transformer see a canvas.

    canvas  (H, W), multiples of `cell` px, which is a token's side;  size  side of the square they learned at
    returns the whole number that brings the canvas nearest to that size, of those that leave multiples of `cell`
    """
    side = math.sqrt(canvas[0] * canvas[1])
    numbers = [
        number for number in range(1, min(canvas) // cell + 1) if not any(one % (number * cell) for one in canvas)
    ]
    return min(numbers, key=lambda number: abs(math.log(side / (number * size))), default=1)


class AveragedSignals:
    """Signals (stages.model.tracks) on a canvas with 1/k of the side."""

    def __init__(self, signals: Signals, times: int) -> None:
        self._signals, self._times = signals, times
        self.ref_frames = averaged(np.asarray(signals.ref_frames), times)
        self.ref_maps = averaged(np.asarray(signals.ref_maps), times)
        self.size = signals.size[0] // times, signals.size[1] // times
        self.token_shape = signals.token_shape

    def __len__(self) -> int:
        return len(self._signals)

    def cut(self, start: int, stop: int) -> Tracks:
        """Frames `start` to before `stop`; behind the end the last one stands again."""
        part = self._signals.cut(start, stop)
        return replace(
            part,
            maps=averaged(part.maps, self._times),
            ref_frames=self.ref_frames,
            ref_maps=self.ref_maps,
            warp_frames=averaged(part.warp_frames, self._times),
            warp_kind=averaged_kind(part.warp_kind, self._times),
        )


def enlarged(frames: Tensor, times: int) -> Tensor:
    """Frames float [N, 3, H, W] with k times the side, bicubic, clipped to -1..1."""
    if times == 1:
        return frames
    return F.interpolate(frames.float(), scale_factor=times, mode="bicubic").clamp(-1, 1)
