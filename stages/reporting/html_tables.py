"""The tables of the page: scores that can be sorted, numbers of others apart, paired differences."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape

from stages.reporting import svg, wording
from stages.reporting.table import Column, Key, Line, Report

_LETTERS = re.compile(r"[A-Za-z]{3}")


def scores(report: Report, digits: Mapping[Key, wording.Digits]) -> str:
    """The section of the score tables, one per protocol."""
    parts = ['<section id="scores"><h2>Scores</h2>', _legend(report)]
    for protocol, facts in report.protocols.items():
        columns = report.columns_of(protocol)
        bug = "" if facts.get("faithful", True) else f' <span class="bug">{wording.BUG}</span>'
        title = f"{str(facts['title']).strip().rstrip('.')}. " if facts.get("title") else ""
        shown = "" if report.mixed else "; bold where the difference to every other method is shown"
        about = f"{title[:1].upper()}{title[1:]}Below each number its 95% interval{shown}."
        parts.append(f'<h3>{escape(protocol)}{bug}</h3><p class="soft">{escape(about)}</p>')
        parts.append(_table(report, protocol, columns, digits))
    return "".join([*parts, "</section>"])


def _legend(report: Report) -> str:
    items = (
        f'<li data-method="{number}">{svg.key(number)}{escape(report.name_of(line))}</li>'
        for number, line in enumerate(report.methods)
    )
    return f'<ul class="legend" aria-label="Methods">{"".join(items)}</ul>'


def _table(report: Report, protocol: str, columns: Sequence[Column], digits: Mapping[Key, wording.Digits]) -> str:
    floors = wording.floors_with(report, columns)
    methods = "".join(
        _row(line, f"{svg.key(number)}{escape(report.name_of(line))}", columns, digits)
        for number, line in enumerate(report.methods)
    )
    grey = "".join(_row(line, escape(report.floor_name(line)), columns, digits) for line in floors)
    sort = not report.mixed
    head = f'<th scope="col">{"<button type=button>Method</button>" if sort else "Method"}</th>'
    head += "".join(_heading(report, column, sort) for column in columns)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="Scores, {escape(protocol)}">'
        f'<table class="{"sortable" if sort else ""}">'
        f"<thead><tr>{head}</tr></thead><tbody>{methods}</tbody>"
        + (f'<tbody class="floors">{grey}</tbody>' if grey else "")
        + "</table></div>"
    )


def _heading(report: Report, column: Column, sort: bool) -> str:
    words = escape(wording.heading(column))
    inner = f'<button type="button">{words}</button>' if sort and not column.mixed else words
    bug = "" if column.faithful else f' <span class="bug">{wording.BUG}</span>'
    return (
        f'<th scope="col" data-direction="{escape(column.direction)}">{inner}'
        f'<span class="protocol">{escape(column.protocol)}{bug}</span></th>'
    )


def _row(line: Line, name: str, columns: Sequence[Column], digits: Mapping[Key, wording.Digits]) -> str:
    cells = []
    for column in columns:
        cell = line.cells.get(column.key)
        words = wording.words_of(line, column, digits[column.key])
        value = escape(words.value)
        value = f"<strong>{value}</strong>" if words.bold else value
        besides = [words.interval, *words.besides] if cell and cell.value is not None else [words.why]
        small = "".join(f'<span class="beside">{escape(part)}</span>' for part in besides if part)
        raw = "" if cell is None or cell.value is None else repr(cell.value)
        cells.append(f'<td data-value="{raw}">{value}{small}</td>')
    return f'<tr><th scope="row">{name}</th>{"".join(cells)}</tr>'


def published(report: Report) -> str:
    """The section of imported numbers, "" without any."""
    if not report.published:
        return ""
    heads, rows = wording.published_table(report)
    return (
        f'<section id="published"><h2>{wording.PUBLISHED_TITLE}</h2><p class="soft">Printed by others, '
        "on other films and with other code. Never ranked, and not to be set beside the numbers above.</p>"
        + _plain_table("Published numbers", heads, rows)
        + "</section>"
    )


def differences(report: Report) -> str:
    """The section of paired differences, "" without a baseline."""
    if not report.differences:
        return ""
    rows = wording.difference_rows(report)
    return (
        f'<section id="differences"><h2>Paired differences to “{escape(report.baseline)}”</h2>'
        '<p class="soft">Of the same clips; numbers of the whole set by leaving the same groups of clips out of both. '
        "The intervals are per pair, not corrected for how many pairs there are.</p>"
        + _plain_table("Paired differences", wording.DIFFERENCE_HEADS, rows)
        + "</section>"
    )


def _plain_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of words; the first column is the row's name."""
    kinds = ["words" if any(_LETTERS.search(row[place]) for row in rows) else "" for place in range(len(heads))]
    head = "".join(
        f'<th scope="col" class="{kind}">{escape(word)}</th>' for kind, word in zip(kinds, heads, strict=True)
    )
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(_word(word, kind) for kind, word in zip(kinds[1:], row[1:], strict=True))
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(title)}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _word(word: str, kind: str) -> str:
    verdict = f" {word}" if word in ("better", "worse") else ""
    return f'<td class="{kind}{verdict}">{escape(word)}</td>'
