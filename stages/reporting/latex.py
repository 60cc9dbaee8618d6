"""The report as LaTeX: one booktabs table per protocol, cut where it would be too wide."""

from __future__ import annotations

import re
from collections.abc import Sequence

from stages.reporting import wording
from stages.reporting.table import Column, Line, Report

_COLUMNS_PER_TABLE = 6
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "↑": r"$\uparrow$", "↓": r"$\downarrow$",
    "→": r"$\to$", "∞": r"$\infty$", "–": "--", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
}  # fmt: skip
_PATTERN = re.compile("|".join(re.escape(sign) for sign in _SPECIAL))


def render(report: Report) -> str:
    r"""The tables; they need booktabs, graphicx and xcolor, stand in `table*`, and shrink where they are too wide."""
    digits = wording.column_digits(report)
    notes = [f"% {' '.join(f'{name}: {text}'.split())}" for name, text in wording.signature_lines(report)]
    parts = ["\n".join([r"% \usepackage{booktabs,graphicx,xcolor}", *notes])]
    for protocol in report.protocols:
        columns = report.columns_of(protocol)
        for start in range(0, len(columns), _COLUMNS_PER_TABLE):
            part = columns[start : start + _COLUMNS_PER_TABLE]
            parts.append(_scores(report, protocol, part, digits, first=len(parts) == 1))
    if report.differences:
        heads = [escape(word) for word in wording.DIFFERENCE_HEADS]
        rows = [[escape(word) for word in row] for row in wording.difference_rows(report)]
        caption = f"Paired differences to {escape(report.baseline)}."
        parts.append(_float(_tabular("lll" + "r" * 4 + "l", [heads], [rows]), caption))
    if report.published:
        heads, rows = wording.published_table(report)
        body = [[escape(word) for word in row] for row in rows]
        table = _tabular("ll" + "r" * (len(heads) - 3) + "l", [[escape(word) for word in heads]], [body])
        parts.append(_float(table, f"{wording.PUBLISHED_TITLE}."))
    return "\n\n".join(parts) + "\n"


def _scores(report: Report, protocol: str, columns: Sequence[Column], digits, first: bool) -> str:
    label = escape(wording.protocol_words(report, protocol))
    heads = [
        ["Method", *(escape(wording.heading(column)) for column in columns)],
        ["", *(rf"\scriptsize {label}" for _ in columns)],
    ]

    def block(lines: Sequence[Line], names: Sequence[str], grey: bool) -> list[list[str]]:
        rows = []
        for line, name in zip(lines, names, strict=True):
            words = [wording.words_of(line, column, digits[column.key]) for column in columns]
            rows += _rows(escape(name), words, r"\color{gray}" if grey else "")
        return rows

    methods = block(report.methods, [report.name_of(line) for line in report.methods], False)
    real = wording.floors_with(report, columns)
    floors = block(real, [report.floor_name(line) for line in real], True)
    notes = [escape(note) for note in wording.footnotes(report)] if first else ["Notes as at the first table."]
    caption = " ".join([f"{escape(report.title)}, {label}.", *notes])
    return _float(_tabular("l" + "r" * len(columns), heads, [methods, floors]), caption)


def _rows(name: str, words: Sequence[wording.Words], colour: str) -> list[list[str]]:
    """The line of values and, in small print below it, as many lines as a cell needs."""
    first = [rf"\textbf{{{escape(cell.value)}}}" if cell.bold else escape(cell.value) for cell in words]
    small = [[part for part in (cell.interval, *cell.besides) if part] for cell in words]
    rows = [[f"{colour} {cell}".strip() for cell in (name, *first)]]
    for number in range(max(map(len, small), default=0)):
        texts = [escape(parts[number]) if number < len(parts) else "" for parts in small]
        rows.append(["", *(rf"\scriptsize{colour} {text}" if text else "" for text in texts)])
    return rows


def _tabular(spec: str, heads: Sequence[Sequence[str]], blocks: Sequence[Sequence[Sequence[str]]]) -> str:
    lines = [rf"\begin{{tabular}}{{{spec}}}", r"\toprule"]
    lines += [_row(row) for row in heads]
    for block in blocks:
        if block:
            lines += [r"\midrule", *(_row(row) for row in block)]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def _row(cells: Sequence[str]) -> str:
    """One line of a table; a cell that begins with [ must not be read as an option of the line before."""
    return " & ".join(f"{{}}{cell}" if cell.startswith(("[", "*")) else cell for cell in cells) + r" \\"


def _float(tabular: str, caption: str) -> str:
    return "\n".join(
        [
            r"\begin{table*}[t]",
            r"\centering",
            r"\small",
            r"\setlength{\tabcolsep}{4pt}",
            rf"\caption{{{caption}}}\smallskip",
            rf"\sbox0{{{tabular}}}%",
            r"\ifdim\wd0>\textwidth\resizebox{\textwidth}{!}{\usebox0}\else\usebox0\fi",
            r"\end{table*}",
        ]
    )


def escape(text: str) -> str:
    """The text with LaTeX's signs made plain."""
    plain = _PATTERN.sub(lambda found: _SPECIAL[found[0]], " ".join(text.split()))
    powers = re.sub(r"(?<=\d)e([+-])0*(\d+)\b", lambda found: rf"$\cdot10^{{{found[1].strip('+')}{found[2]}}}$", plain)
    return re.sub(r"(?<![\w^{.-])-(?=\d)", "$-$", powers)
