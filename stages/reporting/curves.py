"""Curves over time from clips.csv, the long table beside scores.json: does a film get worse as it goes on?"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stages.reporting.table import Key

_BINS = 24
COLUMNS = frozenset({"clip", "frame", "protocol", "metric", "value"})


@dataclass(frozen=True)
class Curve:
    """Mean over clips in equal parts of time.

    x  frame (or window) in the middle of each part; y  mean over the clips' means; unit  "frame", or the axis of the values ("window", ...)
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    unit: str


def read_curves(path: Path) -> dict[Key, Curve]:
    """(protocol, metric) -> Curve of one run; {} when the file is not there or is none of ours.

    path  CSV with the columns clip, frame, protocol, metric, value. `frame` is a number, "AXIS:number" for values of
          windows or segments, or empty for the value of the whole clip
    """
    table: dict[Key, dict[str, list[tuple[int, float]]]] = {}
    units: dict[Key, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not COLUMNS <= set(reader.fieldnames or ()):
                return {}
            for row in reader:
                _take(table, units, row)
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}
    curves = {key: _curve(clips.values(), units[key]) for key, clips in table.items()}
    return {key: curve for key, curve in curves.items() if curve is not None}


def mean_of(curves: Iterable[Curve]) -> Curve | None:
    """The mean of several seeds' curves; None when they are not of one length."""
    curves = list(curves)
    if not curves or any(curve.x != curves[0].x for curve in curves):
        return None
    ys = zip(*(curve.y for curve in curves), strict=True)
    return Curve(curves[0].x, tuple(math.fsum(values) / len(curves) for values in ys), curves[0].unit)


def _take(table: dict, units: dict[Key, str], row: Mapping[str, str]) -> None:
    axis, _, index = (row["frame"] or "").rpartition(":")
    try:
        place, value = int(index), float(row["value"])
    except (ValueError, TypeError):
        return  # a number of the whole clip, or not measured
    key = (row["protocol"], row["metric"])
    if math.isfinite(value) and units.setdefault(key, axis or "frame") == (axis or "frame"):
        table.setdefault(key, {}).setdefault(row["clip"], []).append((place, value))


def _curve(clips: Iterable[list[tuple[int, float]]], unit: str) -> Curve | None:
    """Clips of several lengths: each part of time is the mean over the clips that reach it."""
    clips = list(clips)
    last = max(index for points in clips for index, _ in points)
    if last < 1:
        return None
    parts = min(_BINS, last + 1)
    sums: list[list[float]] = [[] for _ in range(parts)]
    for points in clips:
        bins: dict[int, list[float]] = {}
        for index, value in points:
            bins.setdefault(index * parts // (last + 1), []).append(value)
        for number, values in bins.items():
            sums[number].append(math.fsum(values) / len(values))
    width = (last + 1) / parts
    known = [(round((n + 0.5) * width - 0.5, 3), math.fsum(v) / len(v)) for n, v in enumerate(sums) if v]
    if len(known) < 2:
        return None
    return Curve(tuple(x for x, _ in known), tuple(y for _, y in known), unit)
