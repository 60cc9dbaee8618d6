"""Resizing to a network's input in float, exactly as the code a metric is defined by does it; each way has its name."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

BICUBIC_A = -0.5


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


def antialiased(frame: np.ndarray, size: tuple[int, int], kernel: str) -> np.ndarray:
    """float32 [h, w, 3]: every source pixel has its share, as in Pillow's float pictures; neither clipped nor rounded.

    frame   uint8 or float32 [H, W, 3]
    kernel  "bicubic" (a = -0.5) or "bilinear" (a triangle; also torch's antialias=True)
    """
    height, width = frame.shape[:2]
    across = (_shares(width, size[1], kernel) @ frame.astype(np.float32).reshape(height, width, 3)).reshape(height, -1)
    return (_shares(height, size[0], kernel) @ across).reshape(*size, 3)


def centre(frame: np.ndarray, side: int) -> np.ndarray:
    """The middle side x side pixels of [H, W, ...]."""
    top, left = (frame.shape[0] - side) // 2, (frame.shape[1] - side) // 2
    return frame[top : top + side, left : left + side]


@lru_cache(maxsize=32)
def _taps(length: int, new: int, half_pixel: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scale = np.float32(length) / np.float32(new)
    places = np.arange(new, dtype=np.float32)
    places = (places + np.float32(0.5)) * scale - np.float32(0.5) if half_pixel else places * scale
    places = np.maximum(places, np.float32(0))
    first = np.minimum(places.astype(np.int64), length - 1)
    return first, np.minimum(first + 1, length - 1), (places - first).astype(np.float32)


@lru_cache(maxsize=32)
def _shares(length: int, new: int, kernel: str) -> np.ndarray:
    """float32 [new, length], rows that sum to 1."""
    scale = length / new
    spread = max(scale, 1.0)
    middle = (np.arange(new) + 0.5)[:, None] * scale
    distance = np.abs((np.arange(length) + 0.5)[None] - middle) / spread
    if kernel == "bilinear":
        weights = np.maximum(1.0 - distance, 0.0)
    else:
        near = ((BICUBIC_A + 2) * distance - (BICUBIC_A + 3)) * distance**2 + 1
        far = ((distance - 5) * distance + 8) * distance * BICUBIC_A - 4 * BICUBIC_A
        weights = np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)
