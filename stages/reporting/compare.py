"""Which numbers may be bold, and paired differences to a baseline.

Bold is a claim, so it has to be shown: a number is bold where, against every other method of the column, the 95%
interval of the paired differences over clips excludes zero. Numbers of the whole set (FID, FVD, KID) have no value per
clip; their difference is paired by leaving the same groups of clips out of both (jackknife), or, where a run does not
hold these, shown by intervals that lie apart - and only at equal N, because these numbers fall as N grows. Intervals
are per pair, not corrected for the number of methods. Where faces or people were not found in every sample, the value
with the missing ones at their worst must win, too: no method gains by showing no face.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from stages.metrics.statistics import LEAVE_OUT, Paired, paired, paired_jackknife
from stages.reporting.table import Cell, Column, Difference, Key, Line


def mark_best(methods: Sequence[Line], columns: Sequence[Column], one_test_set: bool) -> tuple[Line, ...]:
    """The lines with `best` filled; none where test sets or signatures are mixed or fewer than two have a value."""
    best: dict[int, set[Key]] = {}
    for column in columns if one_test_set else ():
        cells = [line.cells[column.key] for line in methods]
        winner = _winner(cells, column)
        if winner is not None:
            best.setdefault(winner, set()).add(column.key)
    return tuple(replace(line, best=frozenset(best.get(number, ()))) for number, line in enumerate(methods))


def _winner(cells: Sequence[Cell], column: Column) -> int | None:
    """Number of the cell that beats all others by the rule of this module; None when none does."""
    sign = {"higher": 1.0, "lower": -1.0}.get(column.direction)
    known = [number for number, cell in enumerate(cells) if cell.value is not None]
    if sign is None or column.mixed or len(known) < 2:
        return None
    first = max(known, key=lambda number: sign * cells[number].value)
    best, others = cells[first], [cells[number] for number in known if number != first]
    if best.coverage < 1 and not _holds_at_worst(best, others, sign):
        return None
    return first if all(_beats(best, other, column) for other in others) else None


def _holds_at_worst(best: Cell, others: Sequence[Cell], sign: float) -> bool:
    return best.imputed is not None and all(sign * best.imputed > sign * other.value for other in others)


def compare(a: Cell, b: Cell, direction: str) -> Paired | None:
    """The paired difference a - b over clips, of a number of the whole set over jackknife groups of clips.

    None where there is nothing to pair: fewer than two common clips, no or other groups, unequal N (these numbers fall
    as N grows, so that a difference would say nothing)
    """
    if a.per_clip is not None and b.per_clip is not None:
        result = paired(_all_clips(a, b), _all_clips(b, a), direction)
    elif a.per_clip is None and b.per_clip is None and a.n_samples == b.n_samples:
        groups = [sorted(key for key in cell.extra if key.startswith(LEAVE_OUT)) for cell in (a, b)]
        if groups[0] != groups[1] or len(groups[0]) < 2:
            return None
        result = paired_jackknife(a.value, a.extra, b.value, b.extra)
    else:
        return None
    return result if result.interval is not None else None


def _all_clips(cell: Cell, other: Cell) -> dict[str, float | None]:
    """The cell's clips and those only the other has, as not measured."""
    return {name: cell.per_clip.get(name) for name in {**cell.per_clip, **other.per_clip}}


def _beats(best: Cell, other: Cell, column: Column) -> bool:
    result = compare(best, other, column.direction)
    if result is not None:
        low, high = result.interval
        return low > 0 if column.direction == "higher" else high < 0
    apart = best.per_clip is None and other.per_clip is None and best.n_samples == other.n_samples
    if not apart or best.interval is None or other.interval is None:
        return False
    (low, high), (other_low, other_high) = best.interval, other.interval
    return low > other_high if column.direction == "higher" else high < other_low


def differences(methods: Sequence[Line], columns: Sequence[Column], baseline: str) -> tuple[Difference, ...]:
    """Every other method against the baseline in every column that both have, unless the column is mixed."""
    base = next(line for line in methods if line.name == baseline)
    rows = []
    for line in methods:
        for column in columns if line is not base else ():
            mine, theirs = line.cells[column.key], base.cells[column.key]
            if mine.value is not None and theirs.value is not None and not column.mixed:
                rows.append(_difference(line.name, column, mine, theirs))
    return tuple(rows)


def _difference(method: str, column: Column, mine: Cell, theirs: Cell) -> Difference:
    result = compare(mine, theirs, column.direction)
    if result is None:
        return Difference(
            method, column.key, mine.value - theirs.value, None, None, None, None, 0, "no paired interval"
        )
    low, high = result.interval
    if not result.differs:
        verdict = "no difference shown"
    else:
        above = "better" if column.direction == "higher" else "worse"
        below = "worse" if column.direction == "higher" else "better"
        verdict = "differs" if column.direction == "none" else (above if low > 0 else below)
    clips = 0 if mine.per_clip is None else result.n_clips
    rate = None if math.isnan(result.win_rate) else result.win_rate
    return Difference(method, column.key, result.mean, low, high, result.p, rate, clips, verdict)
