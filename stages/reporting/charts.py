"""The charts of the page: for each metric the values with intervals, the clips' differences, the way over time."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from stages.reporting import svg, wording
from stages.reporting.compare import compare
from stages.reporting.curves import Series, curve_of
from stages.reporting.table import Column, Key, Report


def charts(report: Report, series: Mapping[str, Mapping[Key, Series]]) -> str:
    """The section of all charts; series: path of a run -> its values over time."""
    cards = "".join(_card(report, column, series) for column in report.columns)
    base = _baseline(report)
    words = (
        f" Differences of clips are to the method “{escape(report.methods[base].name)}”." if base is not None else ""
    )
    return (
        '<section id="charts"><h2>Charts</h2><p class="soft">Bars are 95% intervals, small rings single seeds, dashed '
        f"lines floors (real films).{words} A click on a clip's dot shows the clip.</p>"
        f'<div class="cards">{cards}</div></section>'
    )


def _baseline(report: Report) -> int | None:
    """The line differences are drawn against: the asked one, else the first; None for a single or mixed method."""
    if report.mixed or len(report.methods) < 2:
        return None
    names = [line.name for line in report.methods]
    return names.index(report.baseline) if report.baseline else 0


def _card(report: Report, column: Column, series: Mapping[str, Mapping[Key, Series]]) -> str:
    dots = [
        svg.Dot(
            report.name_of(line), number, cell.value, cell.interval,
            tuple(cell.seeds.values()) if len(cell.seeds) > 1 else (),
        )
        for number, line in enumerate(report.methods)
        if (cell := line.cells[column.key]).value is not None
    ]  # fmt: skip
    if not dots:
        return ""
    floors = {
        report.floor_name(line): line.cells[column.key].value
        for line in report.floors
        if column.key in line.cells and line.cells[column.key].value is not None
    }
    bug = "" if column.faithful else f' <span class="bug">{wording.BUG}</span>'
    title = f"{wording.heading(column)}, {column.protocol}"
    parts = [
        f"<h3>{escape(wording.heading(column))} <span class=soft>{escape(column.protocol)}</span>{bug}</h3>",
        svg.dot_plot(dots, floors, f"{title}: values with 95% intervals"),
        _details(report, column, title, series),
    ]
    return f'<article class="card">{"".join(parts)}</article>'


def _details(report: Report, column: Column, title: str, series: Mapping[str, Mapping[Key, Series]]) -> str:
    parts = []
    base = _baseline(report)
    if base is not None and not column.mixed:
        rows = _differences(report, column, base)
        if rows:
            parts.append(f"<h4>Each clip, difference to “{escape(report.methods[base].name)}”</h4>")
            parts.append(svg.difference_plot(rows, f"{title}: differences of clips to {report.methods[base].name}"))
    curves = []
    for number, line in enumerate(report.methods):
        paths = [s.path for s in report.sources if (s.method, s.test_set) == (line.name, line.test_set)]
        found = [series[path][column.key] for path in paths if column.key in series.get(path, {})]
        curve = curve_of(found)
        if curve is not None:
            curves.append((report.name_of(line), number, curve.x, curve.y, curve.unit))
    if curves:
        unit = curves[0][4]
        parts.append("<h4>Over time, mean over clips</h4>")
        parts.append(svg.curve_plot([c[:4] for c in curves if c[4] == unit], unit, f"{title}: over time"))
    if not parts:
        return ""
    return f"<details><summary>Clips and time</summary>{''.join(parts)}</details>"


def _differences(report: Report, column: Column, base: int):
    """Rows of svg.difference_plot: every method but the baseline that has clips in common with it."""
    theirs = report.methods[base].cells[column.key]
    rows = []
    for number, line in enumerate(report.methods):
        mine = line.cells[column.key]
        if number == base or mine.per_clip is None or theirs.per_clip is None:
            continue
        result = compare(mine, theirs, column.direction)
        if result is not None and result.interval is not None:
            rows.append((line.name, number, result.differences, (result.mean, *result.interval)))
    return rows
