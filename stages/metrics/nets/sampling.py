"""Resizing to a network's input in float, exactly as the code a metric is defined by does it; each way has its name."""

from __future__ import annotations

from functools import lru_cache

import numpy as np


def bilinear(frame_u8: np.ndarray, size: tuple[int, int], half_pixel: bool = True) -> np.ndarray:
    """float32 [h, w, 3] in 0..255: two taps per axis, no antialiasing.

    frame_u8    uint8 or float32 [H, W, 3]
    half_pixel  True: torch's align_corners=False; False: TensorFlow 1's resize_bilinear, whose grid begins at a corner
    """
    (top, bottom, down), (left, right, across) = (
        _taps(length, new, half_pixel) for length, new in zip(frame_u8.shape[:2], size, strict=True)
    )
    across, down = across[:, None], down[:, None, None]

    def row(rows: np.ndarray) -> np.ndarray:
        lines = frame_u8[rows]
        first, second = lines[:, left].astype(np.float32), lines[:, right].astype(np.float32)
        return first + (second - first) * across

    upper, lower = row(top), row(bottom)
    return upper + (lower - upper) * down


def pillow_bicubic(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """float32 [h, w, 3]: Pillow's antialiased bicubic of float pictures, channel by channel; not clipped, not rounded.

    frame   uint8 or float32 [H, W, 3]
    """
    from PIL import Image

    planes = (Image.fromarray(np.ascontiguousarray(frame[..., channel], np.float32)) for channel in range(3))
    return np.stack([np.asarray(plane.resize(size[::-1], Image.Resampling.BICUBIC)) for plane in planes], -1)


def torch_antialiased(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """float32 [h, w, 3]: torch's bilinear interpolation with antialias=True.

    frame   uint8 or float32 [H, W, 3]
    """
    import torch

    planes = torch.from_numpy(frame.astype(np.float32)).permute(2, 0, 1)[None]
    small = torch.nn.functional.interpolate(planes, size=size, mode="bilinear", align_corners=False, antialias=True)
    return np.ascontiguousarray(small[0].permute(1, 2, 0).numpy())


def centre(frame: np.ndarray, side: int) -> np.ndarray:
    """The middle side x side pixels of [H, W, ...]."""
    top, left = (frame.shape[0] - side) // 2, (frame.shape[1] - side) // 2
    return frame[top : top + side, left : left + side]


@lru_cache(maxsize=32)
def _taps(length: int, new: int, half_pixel: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scale = float(np.float32(length) / np.float32(new))
    places = np.arange(new, dtype=np.float64)
    places = (places + 0.5) * scale - 0.5 if half_pixel else places * scale
    places = np.maximum(places, 0).astype(np.float32)  # rounded once, as the fused multiply-add of torch's kernels does
    first = np.minimum(places.astype(np.int64), length - 1)
    return first, np.minimum(first + 1, length - 1), (places - first).astype(np.float32)
