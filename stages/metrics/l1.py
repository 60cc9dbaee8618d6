"""Mean absolute error of 8-bit frames, and DisCo's "L1", which divides it by the number of pixels once more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.bundle import ArraySpec
from stages.core.errors import UsageError
from stages.metrics.interface import ALIGNMENTS, Block, ClipContext

NEEDS = frozenset({"real"})
PEAKS = (255.0, 1.0)


@dataclass(frozen=True)
class Options:
    """Settings.

    align        how generated frames get the real size
    peak         255: values of 0..255; 1: of 0..1
    over_pixels  divide by H W, as DisCo's code does: ten times "better" at 576x1024 than at 256x256, same error
    """

    align: str = "lanczos"
    peak: float = 255.0
    over_pixels: bool = False

    def __post_init__(self) -> None:
        if self.align not in ALIGNMENTS:
            raise UsageError(f"l1: align is {self.align!r}, expected one of {', '.join(ALIGNMENTS)}")
        if self.peak not in PEAKS:
            raise UsageError(f"l1: peak is {self.peak:g}, expected 255 or 1")


def signature(options: Options) -> str:
    """Every choice that decides the number."""
    return f"align:{options.align}|peak:{options.peak:g}|rgb|{'over-pixels' if options.over_pixels else 'mean'}|v:1"


def weights(options: Options) -> tuple[str, ...]:
    """No network takes part."""
    return ()


def arrays(options: Options) -> dict[str, ArraySpec]:
    """`value` float64 [T]."""
    return {"value": ArraySpec("float64", ("T",), "", (0.0, 255.0), meaning="mean absolute error of each frame")}


def l1(generated_u8: np.ndarray, real_u8: np.ndarray, options: Options) -> float:
    """Mean absolute difference of two pictures uint8 [H, W, 3] over pixels and channels."""
    import cv2

    total = cv2.norm(np.ascontiguousarray(real_u8), np.ascontiguousarray(generated_u8), cv2.NORM_L1)  # exact integers
    value = total / real_u8.size * (options.peak / 255.0)
    return value / (real_u8.shape[0] * real_u8.shape[1]) if options.over_pixels else value


class _Collector:
    def __init__(self, options: Options) -> None:
        self._options, self._values = options, []

    def add(self, block: Block) -> None:
        generated = block.aligned(self._options.align)
        self._values += [l1(g, r, self._options) for g, r in zip(generated, block.real_u8, strict=True)]

    def finish(self) -> dict[str, np.ndarray]:
        return {"value": np.asarray(self._values, np.float64)}


def collector(options: Options, context: ClipContext) -> _Collector:
    """Collects `value`."""
    return _Collector(options)
