"""Numbers somebody printed, from a CSV file. They keep a block of their own and are never ranked."""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path

from stages.core.errors import InputError
from stages.reporting.table import Published

FIELDS = ("method", "protocol", "metric", "value", "source")


def read_published(path: str | os.PathLike[str]) -> tuple[Published, ...]:
    """The lines of a CSV file with the columns method, protocol (or paper), metric, value, source.

    errors  InputError: missing, not UTF-8, a column or a word missing, a value that is no number (with the line)
    """
    file = Path(path)
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read ({getattr(error, 'strerror', None) or 'not UTF-8'})") from None
    reader = csv.DictReader(lines, skipinitialspace=True)
    names = ["protocol" if name == "paper" else name for name in reader.fieldnames or ()]
    missing = [name for name in FIELDS if name not in names]
    if missing:
        raise InputError(f"{file}: has no column {missing[0]!r}, expected {','.join(FIELDS)} in the first line")
    reader.fieldnames = names
    return tuple(_entry(file, reader.line_num, row) for row in reader)


def _entry(file: Path, line: int, row: dict[str, str | None]) -> Published:
    words = {name: (row[name] or "").strip() for name in FIELDS}
    empty = [name for name in FIELDS if not words[name]]
    if empty:
        raise InputError(f"{file}: line {line}: {empty[0]} is empty, expected all of {','.join(FIELDS)}")
    try:
        value = float(words["value"])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{file}: line {line}: value is {words['value']!r}, expected a number")
    return Published(words["method"], words["protocol"], words["metric"], value, words["value"], words["source"])
