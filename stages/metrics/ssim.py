"""Structural similarity of 8-bit frames in float64, in each of the forms that papers call SSIM."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.bundle import ArraySpec
from stages.core.errors import InputError, UsageError
from stages.metrics.interface import ALIGNMENTS, Block, ClipContext

NEEDS = frozenset({"real"})
WINDOWS = ("gaussian", "uniform")
COLOURS = ("luma", "luma-rounded", "cv2-gray", "rgb")
COVARIANCES = ("population", "sample")
BORDERS = ("inside", "reflect")


@dataclass(frozen=True)
class Options:
    """Settings; the defaults are Wang's window on BT.601 luma.

    align       how generated frames get the real size
    window      "gaussian" 11x11 of sigma 1.5, or "uniform" 7x7
    colour      "luma" 0.299 R + 0.587 G + 0.114 B, "luma-rounded" to integers (Wang's Matlab), "cv2-gray" (OpenCV's
                rounding, as DisCo), "rgb" the mean of the three channels' values
    covariance  "population" or "sample" (n/(n-1) of the window's 49 or 121 values, scikit-image's default)
    border      "inside": only windows inside the picture (Wang; scikit-image's crop is the same); "reflect": a window
                around every pixel of the picture mirrored at its edges (torchmetrics)
    data_range  L of (0.01 L)^2 and (0.03 L)^2
    """

    align: str = "lanczos"
    window: str = "gaussian"
    colour: str = "luma"
    covariance: str = "population"
    border: str = "inside"
    data_range: float = 255.0

    def __post_init__(self) -> None:
        choices = {"align": ALIGNMENTS, "window": WINDOWS, "colour": COLOURS}
        for name, known in (choices | {"covariance": COVARIANCES, "border": BORDERS}).items():
            if getattr(self, name) not in known:
                raise UsageError(f"ssim: {name} is {getattr(self, name)!r}, expected one of {', '.join(known)}")
        if not self.data_range > 0:
            raise UsageError(f"ssim: data_range is {self.data_range}, expected more than 0")


def signature(options: Options) -> str:
    """Every choice that decides the number."""
    window = {"gaussian": "gauss11s1.5", "uniform": "box7"}[options.window]
    choices = f"{window}|{options.colour}|cov:{options.covariance}|{options.border}|L:{options.data_range:g}|float64"
    return f"align:{options.align}|{choices}|v:1"


def weights(options: Options) -> tuple[str, ...]:
    """No network takes part."""
    return ()


def arrays(options: Options) -> dict[str, ArraySpec]:
    """`value` float64 [T]."""
    return {"value": ArraySpec("float64", ("T",), "", (-1.0, 1.0), meaning="SSIM of each frame")}


def window_taps(window: str) -> tuple[float, ...]:
    """The window's weights along one axis, sum 1."""
    if window == "uniform":
        return (1.0 / 7.0,) * 7
    taps = np.exp(-(np.arange(-5, 6) ** 2) / (2.0 * 1.5**2))
    return tuple((taps / taps.sum()).tolist())


def ssim(generated_u8: np.ndarray, real_u8: np.ndarray, options: Options) -> float:
    """SSIM of two pictures uint8 [H, W, 3], -1..1.

    errors  InputError: a picture smaller than the window
    source: Wang et al., IEEE TIP 2004; scikit-image's structural_similarity, equal to 1e-10
    """
    from stages.metrics.ssim_kernel import LUMA, LUMA_ROUNDED, windowed_similarity

    taps = window_taps(options.window)
    if min(real_u8.shape[:2]) < len(taps):
        size = "x".join(map(str, real_u8.shape[:2]))
        raise InputError(f"ssim: frames are {size}, expected at least {len(taps)}x{len(taps)}")
    values = len(taps) ** 2
    scale = values / (values - 1.0) if options.covariance == "sample" else 1.0
    c1, c2 = (0.01 * options.data_range) ** 2, (0.03 * options.data_range) ** 2
    sides = [_prepared(frame, options, len(taps) // 2) for frame in (generated_u8, real_u8)]
    channels = {"rgb": (0, 1, 2), "cv2-gray": (0,), "luma": (LUMA,), "luma-rounded": (LUMA_ROUNDED,)}[options.colour]
    found = [windowed_similarity(*sides, channel, taps, scale, c1, c2) for channel in channels]
    return float(np.mean(found))


def _prepared(frame_u8: np.ndarray, options: Options, edge: int) -> np.ndarray:
    """uint8 [H, W, C] contiguous: the frame or its grey picture, mirrored at the edges where that is asked for."""
    frame_u8 = np.ascontiguousarray(frame_u8)
    if options.colour == "cv2-gray":
        import cv2

        frame_u8 = cv2.cvtColor(frame_u8, cv2.COLOR_RGB2GRAY)[..., None]
    if options.border == "reflect":
        frame_u8 = np.pad(frame_u8, ((edge, edge), (edge, edge), (0, 0)), "reflect")
    return frame_u8


class _Collector:
    def __init__(self, options: Options) -> None:
        self._options, self._values = options, []

    def add(self, block: Block) -> None:
        from stages.metrics.nets.threads import each

        generated = block.aligned(self._options.align)
        self._values += each(lambda g, r: ssim(g, r, self._options), generated, block.real_u8)

    def finish(self) -> dict[str, np.ndarray]:
        return {"value": np.asarray(self._values, np.float64)}


def collector(options: Options, context: ClipContext) -> _Collector:
    """Collects `value`."""
    return _Collector(options)
