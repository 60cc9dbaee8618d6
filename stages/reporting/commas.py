"""The report as CSV: one line per number, everything about it in columns, for other programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

from stages.metrics.statistics import LEAVE_OUT
from stages.reporting.table import Cell, Column, Line, Report, letters

FIELDS = (
    "kind", "method", "protocol", "metric", "label", "unit", "direction", "value", "low", "high", "interval",
    "n_clips", "n_samples", "coverage", "imputed", "seeds", "seed_sd", "best", "test_set", "signature", "why",
    "source", "extra",
)  # fmt: skip


def render(report: Report) -> str:
    """CSV with the columns of FIELDS; `kind` is method, floor or reported; empty = none."""
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(_plain(row) for row in entries(report))
    return text.getvalue()


def entries(report: Report) -> Iterator[dict[str, object]]:
    """One dict per number, keys of FIELDS; also the lines of `--json`."""
    for kind, lines in (("method", report.methods), ("floor", report.floors)):
        for line in lines:
            for column in report.columns:
                cell = line.cells.get(column.key)
                if cell is not None:
                    yield _entry(report, kind, line, column, cell)
    for entry in report.published:
        yield {
            "kind": "reported", "method": entry.method, "protocol": entry.protocol, "metric": entry.metric,
            "value": entry.value, "source": entry.source,
        }  # fmt: skip


def _entry(report: Report, kind: str, line: Line, column: Column, cell: Cell) -> dict[str, object]:
    low, high = cell.interval or (None, None)
    measured = cell.value is not None
    return {
        "kind": kind,
        "method": line.name,
        "protocol": column.protocol,
        "metric": column.name,
        "label": column.label,
        "unit": column.unit,
        "direction": column.direction,
        "value": cell.value,
        "low": low,
        "high": high,
        "interval": cell.how if cell.interval else "",
        "n_clips": cell.n_clips,
        "n_samples": cell.n_samples,
        "coverage": cell.coverage if measured else None,
        "imputed": cell.imputed,
        "seeds": dict(cell.seeds),
        "seed_sd": cell.seed_sd,
        "best": column.key in line.best,
        "test_set": str(report.test_sets[line.test_set].get("sha256", "")) or letters(line.test_set),
        "signature": column.signatures[cell.signature] if measured else "",
        "why": cell.why,
        "source": "",
        "extra": {name: value for name, value in cell.extra.items() if not name.startswith(LEAVE_OUT)},
    }


def _plain(row: dict[str, object]) -> dict[str, object]:
    """Empty for None, JSON for what has parts, shortest exact text for floats."""
    plain = {}
    for name, value in row.items():
        if value is None or value == {}:
            plain[name] = ""
        elif isinstance(value, dict):
            plain[name] = json.dumps(value, sort_keys=True)
        elif isinstance(value, bool):
            plain[name] = "yes" if value else ""
        else:
            plain[name] = value
    return plain
