"""Numbers in words: how many digits a column gets, and everything that stands beside a value."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stages.reporting.table import Cell, Column, Line, Report, letters

ARROWS = {"higher": "↑", "lower": "↓"}
DASH = "–"
BUG = "bug-compatible"
_MOST_DECIMALS = 5


@dataclass(frozen=True)
class Digits:
    """How the numbers of one column are written: decimals behind the point, or in powers of ten."""

    decimals: int
    scientific: bool = False

    def write(self, value: float | None, sign: bool = False) -> str:
        """The number, a dash for none."""
        if value is None or not math.isfinite(value):
            return DASH
        plus = "+" if sign else ""
        return f"{value:{plus}.2e}" if self.scientific else f"{value:{plus}.{self.decimals}f}"


@dataclass(frozen=True)
class Words:
    """One cell as text.

    value     the number, or a dash
    interval  "[23.9, 24.8]" or ""
    besides   what must stand beside the number: N of numbers of the whole set, coverage, seeds, other signature
    bold      True where the difference to all others is shown
    why       why there is no number
    """

    value: str
    interval: str = ""
    besides: tuple[str, ...] = ()
    bold: bool = False
    why: str = ""


def digits_for(cells: Iterable[Cell]) -> Digits:
    """Two digits of the middle half-width of intervals (four of the largest value without any), 0 to 5 decimals."""
    known = [cell for cell in cells if cell.value is not None and math.isfinite(cell.value)]
    largest = max((abs(cell.value) for cell in known), default=0.0)
    if largest == 0:
        return Digits(2)
    halves = [(cell.interval[1] - cell.interval[0]) / 2 for cell in known if cell.interval is not None]
    halves = [half for half in halves if half > largest * 1e-4]  # equal ends say nothing about digits
    middle = sorted(halves)[len(halves) // 2] if halves else 0.0
    decimals = 1 - math.floor(math.log10(middle)) if halves else 3 - math.floor(math.log10(largest))
    if decimals > _MOST_DECIMALS and largest < 1e-2:
        return Digits(0, scientific=True)
    return Digits(min(max(decimals, 0), _MOST_DECIMALS))


def column_digits(report: Report) -> dict[tuple[str, str], Digits]:
    """Digits of every column, from its methods only: a floor of 100 dB must not decide."""
    return {column.key: digits_for(line.cells[column.key] for line in report.methods) for column in report.columns}


def words_of(line: Line, column: Column, digits: Digits) -> Words:
    """The text of one cell."""
    cell = line.cells.get(column.key)
    if cell is None or cell.value is None:
        return Words(DASH, why=cell.why if cell else "")
    interval = ""
    if cell.interval is not None:
        interval = f"[{digits.write(cell.interval[0])}, {digits.write(cell.interval[1])}]"
    return Words(digits.write(cell.value), interval, _besides(cell, column, digits), column.key in line.best, cell.why)


def _besides(cell: Cell, column: Column, digits: Digits) -> tuple[str, ...]:
    words = []
    if column.mixed:
        words.append(f"signature {letters(cell.signature)}")
    if cell.per_clip is None:
        words.append(f"N={cell.n_samples}, {cell.n_clips} clips")
    if "extrapolated" in cell.extra:
        words.append(f"N→∞: {digits.write(cell.extra['extrapolated'])}")
    if cell.coverage < 1:
        words.append(f"{percent(cell.coverage)} covered")
        if cell.imputed is not None:
            words.append(f"at worst {digits.write(cell.imputed)}")
    if cell.extra.get("identical_frames"):
        words.append(f"{cell.extra['identical_frames']:g} identical frames")
    if len(cell.seeds) > 1:
        words.append(f"{len(cell.seeds)} seeds, SD {cell.seed_sd:.2g}")
    if cell.why:
        words.append(cell.why)
    return tuple(words)


def percent(share: float) -> str:
    """A share in percent that never rounds up to 100."""
    return f"{math.floor(share * 1000) / 10:g} %"


def heading(column: Column) -> str:
    """For example "PSNR (dB) ↑"."""
    unit = f" ({column.unit})" if column.unit else ""
    arrow = f" {ARROWS[column.direction]}" if column.direction in ARROWS else ""
    return f"{column.label}{unit}{arrow}"


def floors_with(report: Report, columns: Sequence[Column]) -> list[Line]:
    """The floors that have a number in one of the columns."""
    return [
        line
        for line in report.floors
        if any(column.key in line.cells and line.cells[column.key].value is not None for column in columns)
    ]


def measured(report: Report, protocol: str) -> tuple[Column, ...]:
    """The protocol's columns in which some method has a number; of the others the notes say why they have none."""
    columns = report.columns_of(protocol)
    return tuple(c for c in columns if any(line.cells[c.key].value is not None for line in report.methods))


def protocol_words(report: Report, protocol: str) -> str:
    """The protocol's name, bug-compatible ones marked."""
    faithful = report.protocols.get(protocol, {}).get("faithful", True)
    return protocol if faithful else f"{protocol}, {BUG}"


def footnotes(report: Report, bold: str = "Bold") -> list[str]:
    """Lines below a table: what was measured, what bold (or what stands for it) means, what must not be compared."""
    notes = []
    for number, test_set in enumerate(report.test_sets):
        name = f"Test set {letters(number)}" if report.mixed else "Test set"
        notes.append(
            f"{name}: {test_set.get('clips', '?')} clips, {test_set.get('frames', '?')} frames, "
            f"sha256 {str(test_set.get('sha256', ''))[:16]}."
        )
    for name, facts in report.protocols.items():
        title = f": {facts['title']}" if facts.get("title") else ""
        notes.append(f"Protocol {protocol_words(report, name)}{title} (sha256 {str(facts.get('sha256', ''))[:16]}).")
    if report.mixed:
        notes.append("Rows of different test sets do not compare: nothing is ranked, nothing is bold.")
    mixed = [column.label for column in report.columns if column.mixed]
    if mixed:
        notes.append(f"Not measured in one way, so not ranked: {', '.join(mixed)}. The signatures say how they differ.")
    if len(report.methods) > 1 and not report.mixed:
        notes.append(
            f"{bold}: better than every other method, the 95% interval of the paired difference over clips "
            "excludes zero; numbers with N (of the whole set): of the jackknife difference, at equal N."
        )
    notes += [f"Brackets: 95%, {how}." for how in dict.fromkeys(_hows(report))]
    if any(len(cell.seeds) > 1 for line in report.methods for cell in line.cells.values()):
        notes.append("Several seeds: mean of values and of interval ends; SD is the spread between seeds.")
    notes += _missing(report)
    if report.floors:
        notes.append(
            "The last rows (grey) are floors, made from the real films alone; they take no part in the ranking."
        )
    return [*notes, *report.notes]


def _missing(report: Report) -> list[str]:
    """What was not measured and why, one line for all metrics of one reason."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for column in report.columns:
        whys: dict[str, list[str]] = {}
        for line in report.methods:
            if line.cells[column.key].value is None:
                whys.setdefault(line.cells[column.key].why, []).append(report.name_of(line))
        for why, names in whys.items():
            found.setdefault((why, column.protocol, ", ".join(names)), []).append(column.label)
    return [
        f"{DASH} {', '.join(labels)} ({protocol}), {names}: {why}." for (why, protocol, names), labels in found.items()
    ]


def _hows(report: Report) -> Iterable[str]:
    for line in report.methods:
        for cell in line.cells.values():
            if cell.interval is not None and cell.how:
                yield cell.how


def difference_rows(report: Report) -> list[tuple[str, str, str, str, str, str, str, str]]:
    """Method, metric, protocol, difference, interval, p, wins, verdict of every Difference, as text."""
    columns = {column.key: column for column in report.columns}
    rows = []
    for row in report.differences:
        interval = None if row.low is None else (row.low, row.high)
        column, write = columns[row.key], digits_for([Cell(row.mean, interval)]).write
        interval = "" if row.low is None else f"[{write(row.low, True)}, {write(row.high, True)}]"
        p = DASH if row.p is None else ("<0.001" if row.p < 0.001 else f"{row.p:.3f}")
        wins = DASH if row.win_rate is None else f"{100 * row.win_rate:.0f} % of {row.n}"
        name = protocol_words(report, column.protocol)
        rows.append((row.method, heading(column), name, write(row.mean, True), interval or DASH, p, wins, row.verdict))
    return rows


DIFFERENCE_HEADS = ("Method", "Metric", "Protocol", "Difference", "95%", "p", "Better clips", "Verdict")
PUBLISHED_TITLE = "Reported elsewhere, not comparable"


def published_table(report: Report) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of the imported numbers: one row per method, protocol and source."""
    metrics = list(dict.fromkeys(entry.metric for entry in report.published))
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for entry in report.published:
        rows.setdefault((entry.method, entry.protocol, entry.source), {})[entry.metric] = entry.text
    body = [
        [method, protocol, *(found.get(metric, DASH) for metric in metrics), source]
        for (method, protocol, source), found in rows.items()
    ]
    return ["Method", "Protocol", *metrics, "Source"], body


def signature_lines(report: Report) -> list[tuple[str, str]]:
    """(column, signature) of every signature, in full."""
    lines = []
    for column in report.columns:
        for number, signature in enumerate(column.signatures):
            letter = f", signature {letters(number)}" if column.mixed else ""
            lines.append((f"{column.label} ({column.protocol}{letter})", signature))
    return lines


def run_lines(report: Report) -> list[tuple[str, str]]:
    """(method and seed, file and hash of the generated frames) of every run."""
    return [
        (f"{source.method}, seed {source.seed}", f"{source.path}, generated frames sha256 {source.generated[:16]}")
        for source in report.sources
    ]


def wrapped(text: str, width: int) -> Sequence[str]:
    """Lines of at most `width` characters; words longer than that are cut."""
    return textwrap.wrap(text, width, subsequent_indent="  ") or [""]
