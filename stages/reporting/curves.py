"""Values over time from clips.csv, the long table beside scores.json: does a film get worse as it goes on?"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stages.reporting.table import Key

COLUMNS = frozenset({"clip", "frame", "protocol", "metric", "value"})
_BINS = 24


@dataclass(frozen=True)
class Series:
    """The values of one metric in time.

    unit   "frame", or the axis of the values ("window", ...)
    clips  clip -> {index: value}
    """

    unit: str
    clips: Mapping[str, Mapping[int, float]]


@dataclass(frozen=True)
class Curve:
    """Mean over clips in equal parts of time.

    x  frame (or window) in the middle of each part; y  mean over the clips' means; unit  as in Series
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    unit: str


def read_series(path: Path) -> dict[Key, Series]:
    """(protocol, metric) -> Series of one run; {} when the file is not there or is none of ours.

    path  CSV with the columns clip, frame, protocol, metric, value. `frame` is a number, "AXIS:number" for values of
          windows or segments, or empty for the value of the whole clip
    """
    table: dict[Key, Series] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not COLUMNS <= set(reader.fieldnames or ()):
                return {}
            for row in reader:
                _take(table, row)
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}
    return table


def _take(table: dict[Key, Series], row: Mapping[str, str]) -> None:
    axis, _, index = (row["frame"] or "").rpartition(":")
    try:
        place, value = int(index), float(row["value"])
    except (ValueError, TypeError):
        return  # a number of the whole clip, or not measured
    series = table.setdefault((row["protocol"], row["metric"]), Series(axis or "frame", {}))
    if math.isfinite(value) and series.unit == (axis or "frame"):
        series.clips.setdefault(row["clip"], {})[place] = value


def curve_of(series: Iterable[Series]) -> Curve | None:
    """The Curve of the clips of one or several seeds; clips of several lengths: each part of time is the mean over the
    clips that reach it. None below two parts or for several units.
    """
    series = list(series)
    clips = [values for entry in series for values in entry.clips.values() if values]
    last = max((max(values) for values in clips), default=0)
    if last < 1 or len({entry.unit for entry in series}) > 1:
        return None
    parts = min(_BINS, last + 1)
    means: list[list[float]] = [[] for _ in range(parts)]
    for values in clips:
        bins: dict[int, list[float]] = {}
        for index, value in values.items():
            bins.setdefault(index * parts // (last + 1), []).append(value)
        for number, found in bins.items():
            means[number].append(math.fsum(found) / len(found))
    width = (last + 1) / parts
    known = [(round((n + 0.5) * width - 0.5, 3), math.fsum(v) / len(v)) for n, v in enumerate(means) if v]
    if len(known) < 2:
        return None
    return Curve(tuple(x for x, _ in known), tuple(y for _, y in known), series[0].unit)
