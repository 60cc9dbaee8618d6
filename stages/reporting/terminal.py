"""The report for a terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence

from stages.reporting import wording
from stages.reporting.table import Column, Line, Report


def render(report: Report, width: int = 100, colour: bool = False) -> str:
    """Text of at most `width` characters a line where the names allow it; tables too wide are cut into several."""
    from rich.console import Console
    from rich.text import Text

    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=colour, color_system="standard" if colour else None, highlight=False,
        legacy_windows=False, markup=False, emoji=False,
    )  # fmt: skip
    digits = wording.column_digits(report)
    console.print(Text(report.title, style="bold"))
    for protocol in report.protocols:
        name = wording.protocol_words(report, protocol)
        for columns in _pieces(report, wording.measured(report, protocol), digits, width):
            console.print(_scores(report, name, columns, digits))
    if report.differences:
        rows = [[Text(word.replace(", bug", "\nbug")) for word in row] for row in wording.difference_rows(report)]
        console.print(_plain(f"Paired differences to {report.baseline}", wording.DIFFERENCE_HEADS, rows))
    if report.published:
        heads, rows = wording.published_table(report)
        console.print(_plain(wording.PUBLISHED_TITLE, heads, [[Text(word) for word in row] for row in rows]))
    for note in wording.footnotes(report, "*"):
        for line in wording.wrapped(f"- {note}", width):
            console.print(Text(line, style="dim"))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _pieces(report: Report, columns: Sequence[Column], digits, width: int) -> list[list[Column]]:
    """The columns in groups that fit beside the names."""
    names = [report.name_of(line) for line in report.methods] + [report.floor_name(line) for line in report.floors]
    used = max(map(len, [*names, "Method"])) + 2
    pieces: list[list[Column]] = [[]]
    left = width - used
    for column in columns:
        need = _needed(report, column, digits) + 3
        if need > left and pieces[-1]:
            pieces.append([])
            left = width - used
        pieces[-1].append(column)
        left -= need
    return [piece for piece in pieces if piece]


def _needed(report: Report, column: Column, digits) -> int:
    texts = [wording.heading(column)]
    for line in (*report.methods, *report.floors):
        words = wording.words_of(line, column, digits[column.key])
        texts += [words.value, words.interval, *words.besides]
    texts.append(max(wording.protocol_words(report, column.protocol).split(", "), key=len))
    return max(map(len, texts))


def _scores(report: Report, protocol: str, columns: Sequence[Column], digits):
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_lines=False)
    table.add_column("Method", no_wrap=True)
    for column in columns:
        head = Text(wording.heading(column))
        head.append("\n" + protocol.replace(", ", "\n"), style="dim")
        table.add_column(head, justify="right", no_wrap=True)

    def add(line: Line, name: str, style: str, last: bool) -> None:
        cells = [_cell(wording.words_of(line, column, digits[column.key])) for column in columns]
        table.add_row(Text(name), *cells, style=style, end_section=last)

    floors = wording.floors_with(report, columns)
    for number, line in enumerate(report.methods, 1):
        add(line, report.name_of(line), "", number == len(report.methods) and bool(floors))
    for line in floors:
        add(line, report.floor_name(line), "dim", False)
    return table


def _cell(words: wording.Words):
    from rich.text import Text

    # without colours nobody would see bold, so the star says it too
    text = Text(f"{words.value}*" if words.bold else words.value, style="bold" if words.bold else "")
    for part in (words.interval, *words.besides):
        if part:
            text.append(f"\n{part}", style="dim not bold")
    return text


def _plain(title: str, heads: Sequence[str], rows):
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=Text(title), title_justify="left")
    for head in heads:
        table.add_column(Text(head), no_wrap=head == "Protocol")
    for row in rows:
        table.add_row(*row)
    return table
