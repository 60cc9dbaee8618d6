"""Running a measurement on small videos, in blocks of any length."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from stages.metrics.interface import Block, ClipContext


def context_of(generated_u8, real_u8=None, **about) -> ClipContext:
    """A ClipContext of frames uint8 [T, H, W, 3]."""
    real_size = None if real_u8 is None else real_u8.shape[1:3]
    return ClipContext("clip", len(generated_u8), Fraction(25), generated_u8.shape[1:3], real_size, **about)


def collect(module, options, generated_u8, real_u8=None, *, block: int = 0, driving_u8=None, **about):
    """The arrays of one clip; `block` frames at a time, 0 = all at once."""
    collector = module.collector(options, context_of(generated_u8, real_u8, **about))
    step = block or len(generated_u8)
    for first in range(0, len(generated_u8), step):
        part = slice(first, first + step)
        others = [None if video is None else video[part] for video in (real_u8, driving_u8)]
        collector.add(Block(first, generated_u8[part], *others))
    return collector.finish()


def assert_fits_specs(module, options, arrays) -> None:
    """The arrays have the names, dtypes and axes that the module promises."""
    specs = module.arrays(options)
    assert set(arrays) == set(specs)
    for name, spec in specs.items():
        assert arrays[name].dtype == np.dtype(spec.dtype), name
        assert np.ndim(arrays[name]) == len(spec.axes), name


def assert_blocks_change_nothing(module, options, generated_u8, real_u8=None, lengths=(1, 3, 8), **about) -> None:
    """The same bits for any block length."""
    whole = collect(module, options, generated_u8, real_u8, **about)
    for length in lengths:
        parts = collect(module, options, generated_u8, real_u8, block=length, **about)
        for name, array in whole.items():
            assert np.array_equal(array, parts[name], equal_nan=array.dtype.kind == "f"), (name, length)


def texture(height: int, width: int, seed: int, sigma: float = 2.0) -> np.ndarray:
    """uint8 [height, width, 3]: smooth coloured noise over the full range."""
    import cv2

    noise = np.random.default_rng(seed).normal(size=(height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), sigma)
    return np.clip(128 + 45 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def panned(frames: int, height: int, width: int, step_px: int, seed: int = 0) -> np.ndarray:
    """uint8 [T, H, W, 3]: a texture that moves to the left by whole pixels."""
    wide = texture(height, width + step_px * (frames - 1), seed)
    return np.stack([wide[:, step_px * t : step_px * t + width] for t in range(frames)])


def blurred(video_u8: np.ndarray, sigma: float) -> np.ndarray:
    """Every frame with a Gaussian blur."""
    import cv2

    return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in video_u8])
