"""How much a frame differs from the one before it, moved along by the real video's motion.

A video judged by its own flow wins by being blurred or frozen, so the motion is that of the real video. `paired` is 0
for the real video alone; a blurred video may still have a smaller `generated` than the real one, which is why that is
read as `ratio` or `departure`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.bundle import ArraySpec
from stages.core.errors import InputError, UsageError
from stages.metrics.interface import ALIGNMENTS, Block, ClipContext
from stages.metrics.optical_flow import LEAST_SIDE, PRESETS, flow_px, seen_in_both, warp

NEEDS = frozenset({"real"})
FLOWS = ("real", "own")


@dataclass(frozen=True)
class Options:
    """Settings.

    align   how generated frames get the real size
    flow    "real": the real video's motion for both; "own": each video's own, as unpaired tables do (prefers blur)
    preset  of the DIS flow: ultrafast, fast or medium
    """

    align: str = "lanczos"
    flow: str = "real"
    preset: str = "medium"

    def __post_init__(self) -> None:
        for name, known in (("align", ALIGNMENTS), ("flow", FLOWS), ("preset", PRESETS)):
            if getattr(self, name) not in known:
                raise UsageError(f"warp_error: {name} is {getattr(self, name)!r}, expected one of {', '.join(known)}")


def signature(options: Options) -> str:
    """Every choice that decides the number."""
    return (
        f"align:{options.align}|flow:{options.flow},opencv-dis-{options.preset},1thread|grey:bt601|"
        f"occlusion:forward-backward|warp:bilinear|squared,rgb,01|v:1"
    )


def weights(options: Options) -> tuple[str, ...]:
    """No network takes part."""
    return ()


def arrays(options: Options) -> dict[str, ArraySpec]:
    """`paired` and `departure` are errors, the others are diagnoses; all float64."""
    pair = ("pair",)
    return {
        "generated": ArraySpec("float64", pair, "", meaning="mean squared warp residual of frames in 0..1"),
        "real": ArraySpec("float64", pair, "", meaning="the same of the real video"),
        "ratio": ArraySpec("float64", (), "", meaning="mean of generated / mean of real; NaN = the real one has none"),
        "departure": ArraySpec("float64", (), "", meaning="|ratio - 1|"),
        "paired": ArraySpec("float64", pair, "", meaning="mean squared difference of the residuals; NaN: flow own"),
        "visible": ArraySpec("float64", pair, "01", (0, 1), meaning="share of pixels that count"),
    }


def check(options: Options, context: ClipContext) -> None:
    """errors  InputError: a clip of one frame, or one too small for the flow"""
    if context.frames < 2:
        raise InputError(f"{context.name}: found 1 frame, warp_error needs 2 or more")
    size = context.real_size or context.size
    if min(size) < LEAST_SIDE:
        raise InputError(
            f"{context.name}: frames are {size[0]}x{size[1]}, the optical flow needs {LEAST_SIDE} px a side"
        )


class _Collector:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._last: tuple[np.ndarray, np.ndarray] | None = None
        self._rows: list[tuple[float, float, float, float]] = []

    def add(self, block: Block) -> None:
        for generated, real in zip(block.aligned(self._options.align), block.real_u8, strict=True):
            if self._last is not None:
                self._rows.append(self._pair(self._last[0], self._last[1], generated, real))
            self._last = generated.copy(), real.copy()

    def finish(self) -> dict[str, np.ndarray]:
        generated, real, paired, visible = np.asarray(self._rows, np.float64).reshape(-1, 4).T
        measured = np.isfinite(generated) & np.isfinite(real)
        mean_g, mean_r = (float(v[measured].mean()) if measured.any() else np.nan for v in (generated, real))
        ratio = mean_g / mean_r if mean_r > 0 else float("nan")
        return {
            "generated": generated,
            "real": real,
            "ratio": np.float64(ratio),
            "departure": np.float64(abs(ratio - 1.0)),
            "paired": paired,
            "visible": visible,
        }

    def _pair(self, generated0, real0, generated1, real1) -> tuple[float, float, float, float]:
        """(generated, real, paired, visible) of two consecutive frames of both videos."""
        flow, seen = _motion(real0, real1, self._options.preset)
        residual_r = _residual(real0, real1, flow)
        if self._options.flow == "real":
            residual_g = _residual(generated0, generated1, flow)
            paired = _mean_square(residual_g - residual_r, seen)
            return _mean_square(residual_g, seen), _mean_square(residual_r, seen), paired, float(seen.mean())
        own, own_seen = _motion(generated0, generated1, self._options.preset)
        error = _mean_square(_residual(generated0, generated1, own), own_seen)
        return error, _mean_square(residual_r, seen), float("nan"), float(own_seen.mean())


def _motion(frame0: np.ndarray, frame1: np.ndarray, preset: str) -> tuple[np.ndarray, np.ndarray]:
    """Flow from the second frame back to the first, and where it can be believed."""
    import cv2

    grey0, grey1 = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (frame0, frame1))
    back = flow_px(grey1, grey0, preset)
    return back, seen_in_both(back, flow_px(grey0, grey1, preset))


def _residual(frame0: np.ndarray, frame1: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """float32 [H, W, 3] in -1..1: the second frame less the first one carried along."""
    residual = warp(frame0.astype(np.float32), flow)
    np.subtract(frame1, residual, out=residual)
    residual *= np.float32(1.0 / 255.0)
    return residual


def _mean_square(residual: np.ndarray, seen: np.ndarray) -> float:
    """Mean over the pixels that count; NaN where there are none."""
    count = 3 * int(np.count_nonzero(seen))
    squares = np.einsum("hwc,hwc->hw", residual, residual)
    return float(squares.sum(where=seen, dtype=np.float64)) / count if count else float("nan")


def collector(options: Options, context: ClipContext) -> _Collector:
    """Collects the arrays; holds one frame of each video."""
    return _Collector(options)
