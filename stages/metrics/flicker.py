"""How much consecutive frames differ, beside and against the real video's own.

A still picture flickers least of all, so no unpaired value is a score: `generated` is read beside `real`, and `paired`
and `departure` are 0 for the real video alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.bundle import ArraySpec
from stages.core.errors import InputError, UsageError
from stages.metrics.interface import ALIGNMENTS, Block, ClipContext

NEEDS = frozenset({"real"})


@dataclass(frozen=True)
class Options:
    """Settings.

    align  how generated frames get the real size
    root   take the square root of `paired` for each pair of frames, as dtSSD was first defined
    """

    align: str = "lanczos"
    root: bool = False

    def __post_init__(self) -> None:
        if self.align not in ALIGNMENTS:
            raise UsageError(f"flicker: align is {self.align!r}, expected one of {', '.join(ALIGNMENTS)}")


def signature(options: Options) -> str:
    """Every choice that decides the number."""
    return f"align:{options.align}|rgb|0..255|mae|paired:dtssd,{'root' if options.root else 'squared'}|v:1"


def weights(options: Options) -> tuple[str, ...]:
    """No network takes part."""
    return ()


def arrays(options: Options) -> dict[str, ArraySpec]:
    """`paired` and `departure` are errors, the others are diagnoses; all float64."""
    pair = ("pair",)
    return {
        "generated": ArraySpec("float64", pair, "u8", meaning="mean |difference| of consecutive generated frames"),
        "real": ArraySpec("float64", pair, "u8", meaning="the same of the real video"),
        "ratio": ArraySpec("float64", (), "", meaning="mean of generated / mean of real; NaN = the real one is still"),
        "departure": ArraySpec("float64", (), "", meaning="|ratio - 1|"),
        "paired": ArraySpec("float64", pair, "u8", meaning="mean squared difference of the two temporal differences"),
        "vbench": ArraySpec("float64", (), "", meaning="VBench temporal flickering, 1 - mean of generated / 255"),
        "vbench_real": ArraySpec("float64", (), "", meaning="the same of the real video"),
    }


def check(options: Options, context: ClipContext) -> None:
    """errors  InputError: a clip of one frame"""
    if context.frames < 2:
        raise InputError(f"{context.name}: found 1 frame, flicker needs 2 or more")


class _Collector:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._last: tuple[np.ndarray, np.ndarray] | None = None
        self._generated, self._real, self._paired = [], [], []

    def add(self, block: Block) -> None:
        for frames in zip(block.aligned(self._options.align), block.real_u8, strict=True):
            if self._last is not None:
                changes = [new.astype(np.int16) - old for new, old in zip(frames, self._last, strict=True)]
                self._generated.append(_mean_abs(changes[0]))
                self._real.append(_mean_abs(changes[1]))
                self._paired.append(_mean_square(changes[0] - changes[1]))
            self._last = tuple(frame.copy() for frame in frames)

    def finish(self) -> dict[str, np.ndarray]:
        generated, real, paired = (np.asarray(v, np.float64) for v in (self._generated, self._real, self._paired))
        mean_g, mean_r = (float(v.mean()) if len(v) else float("nan") for v in (generated, real))
        ratio = mean_g / mean_r if mean_r > 0 else float("nan")
        return {
            "generated": generated,
            "real": real,
            "ratio": np.float64(ratio),
            "departure": np.float64(abs(ratio - 1.0)),
            "paired": np.sqrt(paired) if self._options.root else paired,
            "vbench": np.float64((255.0 - mean_g) / 255.0),
            "vbench_real": np.float64((255.0 - mean_r) / 255.0),
        }


def _mean_abs(change: np.ndarray) -> float:
    """Mean |value| of int16, summed in whole numbers."""
    return int(np.abs(change).sum(dtype=np.int64)) / change.size


def _mean_square(change: np.ndarray) -> float:
    """Mean square of int16 within +-510, summed in whole numbers."""
    return int(np.einsum("hwc,hwc->", change, change, dtype=np.int64)) / change.size


def collector(options: Options, context: ClipContext) -> _Collector:
    """Collects the arrays; holds one frame of each video."""
    return _Collector(options)
