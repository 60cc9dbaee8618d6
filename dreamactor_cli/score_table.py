"""The table of a finished run on stderr: one line a number, a column a protocol, and what is needed to trust it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from dreamactor_cli.console import Console

if TYPE_CHECKING:
    from rich.table import Table

    from stages.core.records import Record
    from stages.metrics.results import Run, Score


def show_scores(console: Console, record: Record) -> None:
    """Print the run of a finished scores.json (not with -q), and notes on its clips; other records say nothing."""
    if console.quiet or record.status == "failed" or not record.path.endswith("scores.json"):
        return
    from stages.metrics.results import read_run

    for line in record.data.get("notes", ()):
        console.note(line)
    run = read_run(record.path)
    heads, rows = table_of(run)
    if sys.stderr.isatty():
        from rich.console import Console as RichConsole

        RichConsole(stderr=True).print(rich_table(heads, rows))
    else:
        _print_plain(console, heads, rows)
    for line in footnotes(run):
        console.note(line)


def table_of(run: Run) -> tuple[list[str], list[list[str]]]:
    """(headings, lines): a line for each metric, then for each metric of each floor."""
    protocols = list(run.protocols)
    parts: list[tuple[str, tuple[Score, ...]]] = [("", run.scores), *((row.name, row.scores) for row in run.floors)]
    rows = []
    for title, scores in parts:
        if title:
            rows.append([f"{title}:"] + [""] * len(protocols))
        for label, unit in dict.fromkeys((score.label, score.unit) for score in scores):
            cells = {s.protocol: cell(s) for s in scores if (s.label, s.unit) == (label, unit)}
            rows.append([f"{label} ({unit})" if unit else label, *(cells.get(name, "") for name in protocols)])
    return [run.name, *protocols], rows


def cell(score: Score) -> str:
    """ "23.071 [22.1, 24.0] N=10 clips" with coverage below 1 and the worst-case value; "-" when not measured."""
    if score.value is None:
        return "- (*)"
    parts = [number(score.value)]
    if score.interval is not None:
        parts.append(f"[{number(score.interval[0])}, {number(score.interval[1])}]")
    parts.append(f"N={score.n_clips}" if score.per_clip is not None else f"N={score.n_samples}/{score.n_clips}")
    if score.coverage < 1:
        parts.append(f"seen {100 * score.coverage:.1f}%")
        if score.imputed is not None:
            parts.append(f"worst case {number(score.imputed)}")
    return " ".join(parts)


def number(value: float) -> str:
    """Five significant digits."""
    return f"{value:.5g}"


def footnotes(run: Run) -> list[str]:
    """What was measured on, what is not measured and why, and which protocols repeat others' mistakes."""
    test = run.test_set
    lines = [
        f"test set {test['sha256'][:12]}: {test['clips']} clips, {test['frames']} frames; N = clips, or samples/clips"
    ]
    for name, facts in run.protocols.items():
        kind = "" if facts["faithful"] else " (bug-compatible: repeats another code's behaviour, mistakes included)"
        lines.append(f"{name}: {facts['title']}{kind}")
    whys: dict[str, list[str]] = {}
    for score in (*run.scores, *(score for row in run.floors for score in row.scores)):
        if score.value is None:
            names = whys.setdefault(score.why, [])
            names += [score.label] if score.label not in names else []
    return lines + [f"(*) {', '.join(names)}: not measured, {why}" for why, names in whys.items()]


def _print_plain(console: Console, heads: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(line[column]) for line in [heads, *rows] if _is_full(line)) for column in range(len(heads))]
    for line in [heads, *rows]:
        text = (
            "  ".join(f"{word:{width}}" for word, width in zip(line, widths, strict=True))
            if _is_full(line)
            else line[0]
        )
        console.note(text.rstrip())


def _is_full(line: list[str]) -> bool:
    """False for the title of a floor."""
    return any(line[1:])


def rich_table(heads: list[str], rows: list[list[str]]) -> Table:
    """The table for a terminal; brackets are no markup."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    for head in heads:
        table.add_column(Text(head))
    for line in rows:
        table.add_row(*map(Text, line), style=None if _is_full(line) else "italic")
    return table
