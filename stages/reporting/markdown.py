"""The report as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from stages.reporting import wording
from stages.reporting.table import Column, Line, Report

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")


def render(report: Report) -> str:
    """One Markdown text: a table per protocol, differences, reported numbers, notes and signatures."""
    digits = wording.column_digits(report)
    parts = [f"# {escape(report.title)}"]
    for protocol in report.protocols:
        columns = wording.measured(report, protocol)
        if not columns:
            continue
        name = escape(wording.protocol_words(report, protocol))
        rows = []
        for line, title, floor in _lines(report, columns):
            cells = [_cell(wording.words_of(line, column, digits[column.key])) for column in columns]
            rows.append([f"*{title}*" if floor else title, *cells])
        heads = ["Method", *(f"{escape(wording.heading(column))}<br>{name}" for column in columns)]
        parts.append(f"## {name}\n\n{_table(heads, rows)}")
    if report.differences:
        rows = [[escape(word) for word in row] for row in wording.difference_rows(report)]
        title = f"## Paired differences to {escape(report.baseline)}"
        parts.append(f"{title}\n\n{_table(wording.DIFFERENCE_HEADS, rows)}")
    if report.published:
        heads, rows = wording.published_table(report)
        table = _table([escape(word) for word in heads], [[escape(word) for word in row] for row in rows])
        parts.append(f"## {wording.PUBLISHED_TITLE}\n\n{table}")
    parts.append("\n".join(f"- {escape(note)}" for note in wording.footnotes(report)))
    signatures = "\n".join(f"- {escape(name)}: {_code(text)}" for name, text in wording.signature_lines(report))
    runs = "\n".join(f"- {escape(name)}: {_code(text)}" for name, text in wording.run_lines(report))
    parts.append(f"## Signatures\n\n{signatures}\n\n## Runs\n\n{runs}")
    return "\n\n".join(parts) + "\n"


def _lines(report: Report, columns: Sequence[Column]) -> list[tuple[Line, str, bool]]:
    methods = [(line, escape(report.name_of(line)), False) for line in report.methods]
    return methods + [(line, escape(report.floor_name(line)), True) for line in wording.floors_with(report, columns)]


def _cell(words: wording.Words) -> str:
    value = f"**{words.value}**" if words.bold else words.value
    return "<br>".join(part for part in (value, escape(words.interval), *map(escape, words.besides)) if part)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(heads) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows))


def escape(text: str) -> str:
    """The text with everything that Markdown or HTML would read as a sign made plain."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.replace("&", "&amp;").split()))


def _code(text: str) -> str:
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    return f"{fence} {text} {fence}" if "`" in text else f"`{' '.join(text.split())}`"
