"""Equal pieces of a clip, and how a value changes from piece to piece."""

from __future__ import annotations

import numpy as np


def segment_count(frames: int, length: int) -> int:
    """Whole segments of `length` frames; a shorter clip is one segment, what is left over at the end is in none."""
    return max(1, frames // length) if frames else 0


def segment_of(frame: int, frames: int, length: int) -> int:
    """The segment a frame lies in, -1 for the rest at the end; see `segment_count`."""
    segment = frame // length
    return segment if segment < segment_count(frames, length) else -1


def slope_per_100(values: np.ndarray, length: int) -> float:
    """Change of a value in 100 frames: the least-squares line through values [S] at the middles of their segments.

    values  float [S], NaN = not measured;  length  frames of a segment
    returns NaN with fewer than two measured segments
    """
    values = np.asarray(values, np.float64)
    seen = np.isfinite(values)
    if seen.sum() < 2:
        return float("nan")
    at = np.nonzero(seen)[0] * float(length)
    away = at - at.mean()
    return float(100.0 * (away @ (values[seen] - values[seen].mean())) / (away @ away))
