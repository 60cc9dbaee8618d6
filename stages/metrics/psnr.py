"""Peak signal-to-noise ratio of 8-bit frames, and the number of another code's overflow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.bundle import ArraySpec
from stages.core.errors import UsageError
from stages.metrics.interface import ALIGNMENTS, Block, ClipContext

NEEDS = frozenset({"real"})


@dataclass(frozen=True)
class Options:
    """Settings.

    align     how generated frames get the real size
    overflow  subtract and square in uint8, as DisCo's code did until April 2024 (wrong by +5..+20 dB)
    cap_db    value of identical frames
    """

    align: str = "lanczos"
    overflow: bool = False
    cap_db: float = 100.0

    def __post_init__(self) -> None:
        if self.align not in ALIGNMENTS:
            raise UsageError(f"psnr: align is {self.align!r}, expected one of {', '.join(ALIGNMENTS)}")


def signature(options: Options) -> str:
    """Every choice that decides the number."""
    arithmetic = "uint8-overflow" if options.overflow else "float64"
    return f"align:{options.align}|peak:255|rgb|{arithmetic}|cap:{options.cap_db:g}|v:1"


def weights(options: Options) -> tuple[str, ...]:
    """No network takes part."""
    return ()


def arrays(options: Options) -> dict[str, ArraySpec]:
    """`value` float64 [T], dB; `identical_frames` bool [T] (counted by the mean's option `count`)."""
    return {
        "value": ArraySpec("float64", ("T",), "dB", meaning="PSNR of each frame, identical frames at the cap"),
        "identical_frames": ArraySpec("bool", ("T",), meaning="no value of the frame differs"),
    }


def psnr(generated_u8: np.ndarray, real_u8: np.ndarray, options: Options) -> float:
    """PSNR of two pictures uint8 [H, W, 3], dB."""
    import cv2

    if options.overflow:
        wrapped = real_u8 - generated_u8  # uint8, both here and in the square: the mistake
        total = cv2.norm(wrapped * wrapped, cv2.NORM_L1)
    else:
        # OpenCV squares a root of the exact integer sum; rounding gives the integer back.
        total = round(cv2.norm(np.ascontiguousarray(real_u8), np.ascontiguousarray(generated_u8), cv2.NORM_L2SQR))
    return options.cap_db if total == 0 else float(10.0 * np.log10(255.0**2 / (total / real_u8.size)))


class _Collector:
    def __init__(self, options: Options) -> None:
        self._options, self._values, self._identical = options, [], []

    def add(self, block: Block) -> None:
        generated = block.aligned(self._options.align)
        self._values += [psnr(g, r, self._options) for g, r in zip(generated, block.real_u8, strict=True)]
        self._identical += [bool(np.array_equal(g, r)) for g, r in zip(generated, block.real_u8, strict=True)]

    def finish(self) -> dict[str, np.ndarray]:
        return {
            "value": np.asarray(self._values, np.float64),
            "identical_frames": np.asarray(self._identical, bool),
        }


def collector(options: Options, context: ClipContext) -> _Collector:
    """Collects `value`."""
    return _Collector(options)
