"""Which numbers may be bold, and paired differences to a baseline.

Bold is a claim, so it has to be shown: a per-clip number is bold where, against every other method of the column, the
95% interval of the paired differences over clips excludes zero. A number of the whole set (FID, FVD, KID) has no clips
to pair; it is bold only where its jackknife interval lies apart from every other's and all were made from equally many
samples, because these numbers fall as N grows. Intervals are per pair, not corrected for the number of methods. Where
faces or people were not found in every sample, the value with the missing ones at their worst must win, too: no method
gains by showing no face.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from stages.reporting.paired import paired
from stages.reporting.table import Cell, Column, Difference, Key, Line

_Z95 = 1.959963984540054


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
    beats = _beats_by_clips if best.per_clip is not None else _beats_as_a_whole
    return first if all(beats(best, other, sign) for other in others) else None


def _holds_at_worst(best: Cell, others: Sequence[Cell], sign: float) -> bool:
    return best.imputed is not None and all(sign * best.imputed > sign * other.value for other in others)


def _beats_by_clips(best: Cell, other: Cell, sign: float) -> bool:
    if other.per_clip is None or len(set(best.per_clip) & set(other.per_clip)) < 2:
        return False
    result = paired(_signed(best.per_clip, sign), _signed(other.per_clip, sign))
    return result.low > 0


def _beats_as_a_whole(best: Cell, other: Cell, sign: float) -> bool:
    mine, theirs = whole_interval(best), whole_interval(other)
    if mine is None or theirs is None or best.n_samples != other.n_samples:
        return False
    return mine[0] > theirs[1] if sign > 0 else mine[1] < theirs[0]


def whole_interval(cell: Cell) -> tuple[float, float] | None:
    """The interval of a number of the whole set: its own, else value +- 1.96 jackknife errors, else None."""
    error = cell.extra.get("jackknife_se")
    if cell.interval is not None or error is None or cell.value is None:
        return cell.interval
    return cell.value - _Z95 * error, cell.value + _Z95 * error


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
    common = set(mine.per_clip or ()) & set(theirs.per_clip or ())
    if len(common) < 2:
        return Difference(method, column.key, mine.value - theirs.value, None, None, None, 0, 0, "no paired interval")
    result = paired(mine.per_clip, theirs.per_clip)
    sign = {"higher": 1.0, "lower": -1.0}.get(column.direction, 0.0)
    wins = sum(sign * (mine.per_clip[name] - theirs.per_clip[name]) > 0 for name in common)
    if result.low <= 0 <= result.high:
        verdict = "no difference shown"
    else:
        verdict = {0.0: "differs", 1.0: "better", -1.0: "worse"}[sign * math.copysign(1.0, result.mean)]
    return Difference(method, column.key, result.mean, result.low, result.high, result.p, wins, result.n, verdict)


def _signed(values: Mapping[str, float], sign: float) -> dict[str, float]:
    return {name: sign * value for name, value in values.items()}
