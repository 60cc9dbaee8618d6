"""From runs to a Report: seeds of one method joined, and nothing set side by side that does not compare."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace

from stages.core.errors import CheckFailed, InputError, UsageError
from stages.metrics.results import Row, Run, Score
from stages.reporting.compare import differences, mark_best
from stages.reporting.table import Cell, Column, Key, Line, Published, Report, Source

_SHOW_ANYWAY = "--allow-mixed shows both, labelled and unranked"


def collect(
    runs: Sequence[Run],
    *,
    protocols: Sequence[str] = (),
    metrics: Sequence[str] = (),
    baseline: str = "",
    allow_mixed: bool = False,
    floors: bool = True,
    published: Sequence[Published] = (),
    title: str = "",
) -> Report:
    """The Report of runs (of stages.metrics.results.read_run) in the order given.

    protocols, metrics  names to show, () = all; columns come in the order of the runs, or of `metrics`
    baseline            a method's name: the others' paired differences to it are added
    allow_mixed         set runs side by side that do not compare, each labelled, none ranked
    errors   CheckFailed: test sets or signatures differ. UsageError: unknown protocol, metric or baseline.
             InputError: the same method and seed twice with different frames or numbers; no run
    """
    reported = [entry for run in runs if run.reported for entry in _as_published(run)]
    own = [run for run in runs if not run.reported]
    if not own:
        raise InputError("report: found no run with scores of its own, expected at least one scores.json")
    sets = _test_sets(own, allow_mixed)
    columns = _columns(own, _choose(own, protocols, metrics), allow_mixed)
    methods = mark_best(_methods(own, columns, sets), columns, len(sets) == 1)
    if baseline and baseline not in {line.name for line in methods}:
        known = ", ".join(dict.fromkeys(line.name for line in methods))
        raise UsageError(f"--baseline: found {baseline!r}, expected one of {known}")
    if baseline and len(sets) > 1:
        raise CheckFailed("report: --baseline compares clip by clip, found several test sets. Leave one of them out")
    floor_lines, notes = _floors(own, columns, sets) if floors else ((), ())
    shown = {column.protocol for column in columns}
    known_protocols = {name: facts for run in own for name, facts in run.protocols.items()}
    return Report(
        title=title or "Scores",
        columns=columns,
        methods=methods,
        floors=floor_lines,
        published=(*published, *reported),
        differences=differences(methods, columns, baseline) if baseline else (),
        baseline=baseline,
        test_sets=tuple(sets.values()),
        protocols={name: known_protocols.get(name, {}) for name in dict.fromkeys(c.protocol for c in columns)},
        sources=tuple(_source(run, list(sets)) for run in own),
        notes=(*notes, *_protocol_notes(own, shown)),
    )


def _test_sets(runs: Sequence[Run], allow_mixed: bool) -> dict[str, Mapping[str, object]]:
    """sha256 -> test set, in order. errors  CheckFailed when there are several and they are not allowed"""
    sets: dict[str, Mapping[str, object]] = {}
    first: dict[str, Run] = {}
    for run in runs:
        sha = str(run.test_set.get("sha256", ""))
        sets.setdefault(sha, run.test_set)
        first.setdefault(sha, run)
    if len(sets) > 1 and not allow_mixed:
        a, b = list(first.values())[:2]
        raise CheckFailed(
            f"report: {_where(a)} was scored on test set {_set_words(a)}, {_where(b)} on {_set_words(b)}: "
            f"not comparable. {_SHOW_ANYWAY}"
        )
    return sets


def _set_words(run: Run) -> str:
    return f"{str(run.test_set.get('sha256', ''))[:12]} ({run.test_set.get('clips', '?')} clips)"


def _where(run: Run) -> str:
    return f"{run.path or 'a run'} ({run.name})"


def _columns(runs: Sequence[Run], keys: Sequence[Key], allow_mixed: bool) -> tuple[Column, ...]:
    """The columns of the keys, in their order. errors  CheckFailed when two runs mean different things by one column"""
    columns: dict[Key, Column] = {}
    first: dict[tuple[Key, str], Run] = {}
    for run in runs:
        for score in run.scores:
            key = (score.protocol, score.name)
            if key not in keys:
                continue
            first.setdefault((key, score.signature), run)
            known = columns.get(key)
            if known is None:
                columns[key] = Column(
                    score.protocol, score.name, score.label or score.name, score.unit, score.direction,
                    bool(run.protocols.get(score.protocol, {}).get("faithful", True)),
                    score.per_clip is not None, (score.signature,),
                )  # fmt: skip
                continue
            if known.direction != score.direction:
                raise CheckFailed(
                    f"report: {_where(run)}: {score.name} of {score.protocol} has direction {score.direction!r}, "
                    f"the runs before it {known.direction!r}: not comparable"
                )
            if score.signature not in known.signatures:
                if not allow_mixed:
                    a = first[key, known.signatures[0]]
                    there, here = signature_difference(known.signatures[0], score.signature)
                    raise CheckFailed(
                        f"report: {score.name} of {score.protocol}: {_where(a)} has {there}, {_where(run)} has {here}: "
                        f"not comparable. {_SHOW_ANYWAY}"
                    )
                known = replace(known, signatures=(*known.signatures, score.signature))
            columns[key] = replace(known, per_clip=known.per_clip or score.per_clip is not None)
    return tuple(columns[key] for key in keys)


def signature_difference(a: str, b: str) -> tuple[str, str]:
    """What is in a signature and not in the other, each in words, for example ("res:256", "res:native")."""
    parts_a, parts_b = a.split("|"), b.split("|")
    only_a = "|".join(part for part in parts_a if part not in parts_b)
    only_b = "|".join(part for part in parts_b if part not in parts_a)
    return (only_a or "the same parts in another order", only_b or "the same parts in another order")


def _choose(runs: Sequence[Run], protocols: Sequence[str], metrics: Sequence[str]) -> list[Key]:
    """The columns that were asked for, in the order of the table. errors  UsageError for a name no run has"""
    keys = list(dict.fromkeys((score.protocol, score.name) for run in runs for score in run.scores))
    for flag, asked, place in (("--protocol", protocols, 0), ("--metrics", metrics, 1)):
        known = dict.fromkeys(key[place] for key in keys)
        for name in asked:
            if name not in known:
                raise UsageError(f"{flag}: found {name!r}, the runs have {', '.join(known) or 'none'}")
    chosen = [key for key in keys if (not protocols or key[0] in protocols) and (not metrics or key[1] in metrics)]
    if not chosen:
        raise UsageError("--metrics: found none of them in the protocols that are shown")
    order = list(protocols or dict.fromkeys(key[0] for key in keys))
    return sorted(chosen, key=lambda key: (order.index(key[0]), metrics.index(key[1]) if metrics else 0))


def _methods(runs: Sequence[Run], columns: Sequence[Column], sets: Mapping[str, object]) -> tuple[Line, ...]:
    """One line per method and test set; runs of one name with several seeds are one method.

    Seeds whose signatures differ (only with --allow-mixed) are never averaged: they get lines of their own.
    """
    groups: list[tuple[str, str, dict[Key, str], dict[int, list[Run]]]] = []
    for run in runs:
        sha = str(run.test_set.get("sha256", ""))
        mine = {(score.protocol, score.name): score.signature for score in run.scores}
        for name, test_set, signatures, seeds in groups:
            if (name, test_set) == (run.name, sha) and all(
                signatures.get(key, sig) == sig for key, sig in mine.items()
            ):
                signatures.update(mine)
                seeds.setdefault(run.seed, []).append(run)
                break
        else:
            groups.append((run.name, sha, mine, {run.seed: [run]}))
    lines = []
    for name, sha, _, seeds in groups:
        scores = {seed: _joined(parts) for seed, parts in seeds.items()}
        cells = {
            column.key: _cell(
                {seed: table[column.key] for seed, table in scores.items() if column.key in table}, column
            )
            for column in columns
        }
        lines.append(Line(name, list(sets).index(sha), cells))
    return tuple(lines)


def _joined(parts: Sequence[Run]) -> dict[Key, Score]:
    """The scores of one method and seed; several files may each hold some of the columns of the same frames."""
    table: dict[Key, Score] = {}
    for run in parts:
        if run.generated.get("sha256") != parts[0].generated.get("sha256"):
            raise InputError(
                f"report: {_where(parts[0])} and {_where(run)} are both {run.name!r}, seed {run.seed}, found different "
                "generated frames. Score them with different --name or --seed"
            )
        for score in run.scores:
            before = table.setdefault((score.protocol, score.name), score)
            if before.signature == score.signature and before.value != score.value:
                raise InputError(
                    f"report: {_where(run)}: {score.name} of {score.protocol} is {score.value}, {_where(parts[0])} has "
                    f"{before.value} for the same frames. One of them is out of date; score it again"
                )
    return table


def _cell(scores: Mapping[int, Score], column: Column) -> Cell:
    """Several seeds as one cell."""
    measured = {seed: score for seed, score in scores.items() if score.value is not None}
    if not measured:
        why = next((score.why for score in scores.values() if score.why), "not measured in this run")
        return Cell(None, why=why, n_clips=0, coverage=0.0)
    each = list(measured.values())
    values = [score.value for score in each]
    intervals = [score.interval for score in each if score.interval is not None]
    imputed = [score.imputed for score in each if score.imputed is not None]
    extra = {
        name: _mean([score.extra[name] for score in each])
        for name in each[0].extra
        if all(isinstance(score.extra.get(name), (int, float)) for score in each)
    }
    return Cell(
        value=_mean(values),
        interval=_ends(intervals) if len(intervals) == len(each) else None,
        how=each[0].method,
        n_clips=min(score.n_clips for score in each),
        n_samples=min(score.n_samples for score in each),
        coverage=min(score.coverage for score in each),
        imputed=_mean(imputed) if len(imputed) == len(each) else None,
        extra=extra,
        per_clip=_per_clip(each),
        seeds={seed: score.value for seed, score in sorted(measured.items())},
        seed_sd=statistics.stdev(values) if len(values) > 1 else None,
        signature=column.signatures.index(each[0].signature),
        why="" if len(measured) == len(scores) else f"{len(measured)} of {len(scores)} seeds measured",
    )


def _ends(intervals: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return _mean([low for low, _ in intervals]), _mean([high for _, high in intervals])


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _per_clip(scores: Sequence[Score]) -> dict[str, float | None] | None:
    if any(score.per_clip is None for score in scores):
        return None
    names = sorted({name for score in scores for name in score.per_clip})
    found = {name: [v for s in scores if (v := s.per_clip.get(name)) is not None] for name in names}
    return {name: _mean(values) if values else None for name, values in found.items()}


def _floors(
    runs: Sequence[Run], columns: Sequence[Column], sets: Mapping[str, object]
) -> tuple[tuple[Line, ...], tuple[str, ...]]:
    """The floor lines, each taken from the first run that has it, and notes where another run has another number."""
    cells: dict[tuple[str, str], dict[Key, Cell]] = {}
    notes = []
    by_key = {column.key: column for column in columns}
    for run in runs:
        for row in run.floors:
            place = cells.setdefault((str(run.test_set.get("sha256", "")), row.name), {})
            differs = _add_floor(place, row, by_key)
            if differs:
                notes.append(
                    f"The floor '{row.name}' of {_where(run)} differs in {', '.join(differs)}; the first is shown."
                )
    lines = tuple(
        Line(name, list(sets).index(sha), found)
        for (sha, name), found in cells.items()
        if any(cell.value is not None for cell in found.values())
    )
    return lines, tuple(notes)


def _add_floor(place: dict[Key, Cell], row: Row, columns: Mapping[Key, Column]) -> list[str]:
    differs = []
    for score in row.scores:
        key = (score.protocol, score.name)
        column = columns.get(key)
        if column is None or score.value is None:
            continue
        if score.signature not in column.signatures:
            differs.append(f"{score.name} (other signature)")
        elif key not in place:
            place[key] = _cell({0: score}, column)
        elif place[key].value != score.value:
            differs.append(score.name)
    return differs


def _as_published(run: Run) -> list[Published]:
    return [
        Published(run.name, score.protocol, score.label or score.name, score.value, f"{score.value:g}", run.path)
        for score in run.scores
        if score.value is not None
    ]


def _protocol_notes(runs: Sequence[Run], shown: set[str]) -> list[str]:
    """One note per protocol whose file was not the same in all runs."""
    notes = []
    for name in sorted(shown):
        shas = {str(run.protocols[name].get("sha256", ""))[:12] for run in runs if name in run.protocols}
        if len(shas) > 1:
            notes.append(f"The file of protocol {name} was not the same in all runs ({', '.join(sorted(shas))}).")
    return notes


def _source(run: Run, sets: list[str]) -> Source:
    number = sets.index(str(run.test_set.get("sha256", "")))
    generated = str(run.generated.get("sha256", ""))
    return Source(run.path, run.name, run.seed, number, generated, run.command, run.env, run.clips)
