"""How the colours of a video wander off from its first segment, less what the real video's do themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.bundle import ArraySpec
from stages.core.errors import UsageError
from stages.metrics.interface import Block, ClipContext
from stages.metrics.segments import segment_count, slope_per_100

NEEDS = frozenset()  # without the real video `excess` is NaN
_SIDE = 256
_SRGB_TO_XYZ = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
)
_WHITE_D65 = np.array([0.95047, 1.0, 1.08883])


@dataclass(frozen=True)
class Options:
    """Settings.

    segment  frames of one segment
    """

    segment: int = 16

    def __post_init__(self) -> None:
        if self.segment < 1:
            raise UsageError(f"colour_drift: segment is {self.segment}, expected 1 or more frames")


def signature(options: Options) -> str:
    """Every choice that decides the number."""
    return (
        f"lab,d65|area:{_SIDE}px|gauss:mean+rootcov,euclid|first-segment|segment:{options.segment},rest-dropped"
        f"|excess:vectors,after-the-first|v:2"
    )


def weights(options: Options) -> tuple[str, ...]:
    """No network takes part."""
    return ()


def arrays(options: Options) -> dict[str, ArraySpec]:
    """`excess` is the error; float64, in units of Lab (about one just visible step is 2)."""
    s = ("segment",)
    return {
        "generated": ArraySpec("float64", s, "Lab", meaning="distance of the colours from those of the first segment"),
        "real": ArraySpec("float64", s, "Lab", meaning="the same of the real video"),
        "excess": ArraySpec(
            "float64",
            ("later_segment",),
            "Lab",
            meaning="length of the generated change less the real one, from the second",
        ),
        "slope": ArraySpec("float64", (), "Lab", meaning="change of the excess, 0 in the first segment, in 100 frames"),
        "slope_generated": ArraySpec("float64", (), "Lab", meaning="change of `generated` in 100 frames"),
        "slope_real": ArraySpec("float64", (), "Lab", meaning="change of `real` in 100 frames"),
    }


def lab_of_srgb(frame_u8: np.ndarray) -> np.ndarray:
    """float64 [..., 3] CIE 1976 L*a*b* under D65 of sRGB uint8 [..., 3]."""
    values = np.arange(256) / 255.0
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    xyz = linear[frame_u8] @ _SRGB_TO_XYZ.T / _WHITE_D65
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


class _Colours:
    """Sums of the colours of a video's segments."""

    def __init__(self, frames: int, length: int) -> None:
        self._length = length
        count = segment_count(frames, length)
        self._pixels, self._sum, self._square = np.zeros(count), np.zeros((count, 3)), np.zeros((count, 3, 3))
        self._frame = 0

    def add(self, frame_u8: np.ndarray) -> None:
        """The next frame."""
        segment, self._frame = self._frame // self._length, self._frame + 1
        if segment >= len(self._pixels):
            return
        lab = lab_of_srgb(_reduced(frame_u8)).reshape(-1, 3)
        self._pixels[segment] += len(lab)
        self._sum[segment] += lab.sum(0)
        self._square[segment] += np.einsum("ni,nj->ij", lab, lab)

    def changes(self) -> np.ndarray:
        """float64 [S, 12]: mean and matrix root of the covariance of each segment, less those of the first.

        The length of a row is the distance of the two Gaussians, and near that of Wasserstein (equal where their
        covariances have the same axes); as vectors the changes of two videos can be subtracted.
        """
        mean = self._sum / self._pixels[:, None]
        covariance = self._square / self._pixels[:, None, None] - mean[:, :, None] * mean[:, None, :]
        values, axes = np.linalg.eigh(covariance)
        root = (axes * np.sqrt(np.maximum(values, 0.0))[:, None]) @ np.swapaxes(axes, 1, 2)
        vectors = np.concatenate([mean, root.reshape(-1, 9)], axis=1)
        return vectors - vectors[:1]


class _Collector:
    def __init__(self, options: Options, context: ClipContext) -> None:
        self._options = options
        self._generated = _Colours(context.frames, options.segment)
        self._real = _Colours(context.frames, options.segment) if context.real_size is not None else None

    def add(self, block: Block) -> None:
        for frame in block.generated_u8:
            self._generated.add(frame)
        if self._real is not None:
            for frame in block.real_u8:
                self._real.add(frame)

    def finish(self) -> dict[str, np.ndarray]:
        generated = self._generated.changes()
        real = np.full_like(generated, np.nan) if self._real is None else self._real.changes()
        lengths = [np.linalg.norm(change, axis=1) for change in (generated, real, generated - real)]
        slopes = [np.float64(slope_per_100(length, self._options.segment)) for length in lengths]
        names = ("generated", "real", "excess"), ("slope_generated", "slope_real", "slope")
        found = dict(zip(names[0], lengths, strict=True)) | dict(zip(names[1], slopes, strict=True))
        return {**found, "excess": found["excess"][1:]}  # the first segment is where nothing can have drifted


def _reduced(frame_u8: np.ndarray) -> np.ndarray:
    """The frame with at most _SIDE px on its longer side."""
    import cv2

    height, width = frame_u8.shape[:2]
    scale = _SIDE / max(height, width)
    if scale >= 1:
        return frame_u8
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(frame_u8, size, interpolation=cv2.INTER_AREA)


def collector(options: Options, context: ClipContext) -> _Collector:
    """Collects the arrays; holds sums of colours only."""
    return _Collector(options, context)
