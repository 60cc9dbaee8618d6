"""Mean over clips of the mean over frames (or over all frames at once), with what was missing said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.core.errors import UsageError
from stages.metrics.interface import ClipArrays, Summary

POOLS = ("clips", "frames")


@dataclass(frozen=True)
class Options:
    """Settings.

    array              name of the array: [T] per frame or [] per clip
    pool               "clips": every clip counts once; "frames": every frame counts once
    exclude_reference  leave out the frame the person was made from
    worst              value a missing sample gets in `imputed`; NaN = none
    draws              bootstrap draws over clips
    """

    array: str = "value"
    pool: str = "clips"
    exclude_reference: bool = True
    worst: float = float("nan")
    draws: int = 2000

    def __post_init__(self) -> None:
        if self.pool not in POOLS:
            raise UsageError(f"mean: pool is {self.pool!r}, expected one of {', '.join(POOLS)}")


def signature(options: Options) -> str:
    """Every choice that decides the number."""
    excluded = "without-reference" if options.exclude_reference else "all-frames"
    return f"{options.array},{options.pool},{excluded},v1"


def summarise(options: Options, clips: Sequence[ClipArrays]) -> Summary:
    """The Summary of the named array over clips."""
    means, counts, seen, imputed = [], [], [], []
    for clip in clips:
        values = np.atleast_1d(np.asarray(clip.arrays[options.array], np.float64))
        if options.exclude_reference and values.size > 1 and 0 <= clip.reference_frame < values.size:
            values = np.delete(values, clip.reference_frame)
        found = values[~np.isnan(values)]
        means.append(float(found.mean()) if found.size else float("nan"))
        counts.append(values.size)
        seen.append(found.size)
        imputed.append(float(np.where(np.isnan(values), options.worst, values).mean()))
    known = ~np.isnan(means)
    weights = np.asarray(seen, float) if options.pool == "frames" else known.astype(float)
    value = float(np.nansum(np.where(known, means, 0.0) * weights) / weights.sum()) if weights.sum() else float("nan")
    all_weights = np.asarray(counts, float) if options.pool == "frames" else np.ones(len(clips))
    worst = None if np.isnan(options.worst) or not len(clips) else float(np.average(imputed, weights=all_weights))
    return Summary(
        value=value,
        per_clip=tuple(means),
        n_clips=int(known.sum()),
        n_samples=int(sum(seen)),
        coverage=float(sum(seen) / sum(counts)) if sum(counts) else 0.0,
        imputed=worst,
    )
