"""Mean over clips of the mean over frames (or over all frames at once), with what was missing said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.core.errors import UsageError
from stages.metrics.interface import ClipArrays, Summary
from stages.metrics.statistics import bootstrap_interval, check_kind, impute, weighted_mean

POOLS = ("clips", "frames")
CENTRES = ("mean", "median")


@dataclass(frozen=True)
class Options:
    """Settings.

    array              name of the array: [T] per frame or [] per clip
    pool               "clips": every clip counts once; "frames": every frame counts once
    centre             "mean" or "median" of a clip's samples; the median counts clips, never frames
    exclude_reference  leave out the frame the person was made from
    worst              value a missing sample gets in `imputed`; NaN = none
    interval           one of stages.metrics.statistics.KINDS: the 95% bootstrap interval over clips
    draws, seed        of the bootstrap
    count              name of an array [T] whose true values are counted into `extra`, for example "identical_frames"
    among              name of a bool array [T]: only these samples count, neither measured nor missing are the others
                       (a frame whose real picture shows no face asks for none); "" = all
    """

    array: str = "value"
    pool: str = "clips"
    centre: str = "mean"
    exclude_reference: bool = True
    worst: float = float("nan")
    interval: str = "expanded"
    draws: int = 2000
    seed: int = 0
    count: str = ""
    among: str = ""

    def __post_init__(self) -> None:
        if self.pool not in POOLS:
            raise UsageError(f"mean: pool is {self.pool!r}, expected one of {', '.join(POOLS)}")
        if self.centre not in CENTRES:
            raise UsageError(f"mean: centre is {self.centre!r}, expected one of {', '.join(CENTRES)}")
        if self.centre == "median" and self.pool == "frames":
            raise UsageError("mean: found centre = median with pool = frames, expected pool = clips with a median")
        check_kind(self.interval, "mean")


def signature(options: Options) -> str:
    """Every choice that decides the number (the interval says its own choices in `method`)."""
    excluded = "without-reference" if options.exclude_reference else "all-frames"
    among = f",among:{options.among}" if options.among else ""
    centre = "" if options.centre == "mean" else f",{options.centre}-of-clip"
    return f"{options.array},{options.pool}{centre},{excluded}{among},v1"


def summarise(options: Options, clips: Sequence[ClipArrays]) -> Summary:
    """The Summary of the named array over clips; sums run over clips sorted by name."""
    means, sizes, seen, filled = [np.full(len(clips), np.nan) for _ in range(4)]
    centre = np.median if options.centre == "median" else np.mean
    counted = 0
    for index, clip in enumerate(clips):
        values = _samples(options, clip, options.array)
        found = values[~np.isnan(values)]
        sizes[index], seen[index] = values.size, found.size
        if found.size:
            means[index] = centre(found)
        if values.size:
            filled[index] = centre(impute(values, options.worst))
        if options.count:
            counted += int(np.count_nonzero(_samples(options, clip, options.count)))
    order = np.asarray(sorted(range(len(clips)), key=lambda index: clips[index].name), int)
    known = order[~np.isnan(means[order])]
    weights = seen[known] if options.pool == "frames" else np.ones(len(known))
    interval, method = bootstrap_interval(means[known], weights, options.interval, options.draws, options.seed)
    whole = order[sizes[order] > 0]
    all_weights = sizes[whole] if options.pool == "frames" else np.ones(len(whole))
    return Summary(
        value=weighted_mean(means[known], weights),
        per_clip=tuple(means.tolist()),
        n_clips=len(known),
        n_samples=int(seen.sum()),
        interval=interval,
        method=method,
        coverage=float(seen.sum() / sizes.sum()) if sizes.sum() else 0.0,
        imputed=None if np.isnan(options.worst) or not len(whole) else weighted_mean(filled[whole], all_weights),
        extra={options.count: float(counted)} if options.count else {},
    )


def _samples(options: Options, clip: ClipArrays, name: str) -> np.ndarray:
    """float64 [T] of one clip, without the samples that do not count. errors  UsageError: no such array"""
    for wanted in (name, options.among):
        if wanted and wanted not in clip.arrays:
            raise UsageError(f"mean: array is {wanted!r}, expected one that is measured: {', '.join(clip.arrays)}")
    values = np.atleast_1d(np.asarray(clip.arrays[name], np.float64))
    keep = np.ones(len(values), bool)
    if options.among:
        keep &= clip.arrays[options.among]
    if options.exclude_reference and values.size > 1 and 0 <= clip.reference_frame < values.size:
        keep[clip.reference_frame] = False
    return values[keep]
