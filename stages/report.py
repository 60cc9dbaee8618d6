"""Sets runs of `score` side by side: tables, paired differences, plots and synchronised videos.

Reads   scores.json of every run (and clips.csv beside it for curves, and the videos it names, for HTML).
Writes  text for the terminal, or one file each: .md, .tex, .csv, .html, .txt.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.core.errors import ConflictError, InputError, UsageError
from stages.core.records import Plan, Record

STAGE = "report"
VERSION = 1
FORMATS = {".txt": "terminal", ".md": "markdown", ".tex": "latex", ".csv": "csv", ".html": "html", ".htm": "html"}
_FILE_WIDTH = 120


@dataclass(frozen=True)
class Params:
    """Settings of report.

    output       files to write; () = none, the text is the result
    format       terminal, markdown, latex, csv or html; "" = what the file's name says, else terminal
    protocol     names joined by commas, in the order to show; "" = all the runs have
    metrics      names joined by commas, in the order to show; "" = all
    baseline     a method's name: paired differences of all others to it are added
    allow_mixed  show runs that do not compare, labelled and unranked
    published    CSV files of numbers from publications, shown apart
    floors       show the rows made from real frames
    title        heading
    embed_mb     megabytes of videos an HTML page may hold; further ones lie in a folder beside it
    overwrite    replace a file that holds something else
    """

    output: tuple[str, ...] = ()
    format: str = ""
    protocol: str = ""
    metrics: str = ""
    baseline: str = ""
    allow_mixed: bool = False
    published: tuple[str, ...] = ()
    floors: bool = True
    title: str = ""
    embed_mb: float = 40.0
    overwrite: bool = False


def text(items: Sequence[str | os.PathLike[str]], params: Params, *, width: int = 100, colour: bool = False) -> str:
    """The report as text in the asked format (not html).

    items   scores.json files or folders that hold one
    errors  InputError: not a scores file. UsageError: unknown name or format. CheckFailed: not comparable
    """
    kind = params.format or "terminal"
    if kind == "html":
        raise UsageError("--format html: found no --output, expected a file name for the page")
    return _render(gather(items, params), kind, width=width, colour=colour)


def lines(items: Sequence[str | os.PathLike[str]], params: Params) -> list[str]:
    """One JSON object per number, with the names of stages.reporting.commas.FIELDS; errors as in `text`."""
    from stages.reporting.commas import entries

    return [json.dumps(entry, ensure_ascii=False) for entry in entries(gather(items, params))]


def gather(items: Sequence[str | os.PathLike[str]], params: Params):
    """The stages.reporting.table.Report of runs; errors as in `text`."""
    from stages.metrics.results import read_run
    from stages.reporting.collect import collect
    from stages.reporting.published import read_published

    _check(params)
    if not items:
        raise UsageError("inputs: found none, expected folders of `dreamactor score` or their scores.json")
    unique = dict.fromkeys(os.path.realpath(item) for item in items)
    given = {os.path.realpath(item): item for item in reversed(items)}
    return collect(
        [read_run(given[path]) for path in unique],
        protocols=_names(params.protocol),
        metrics=_names(params.metrics),
        baseline=params.baseline,
        allow_mixed=params.allow_mixed,
        floors=params.floors,
        published=[entry for path in params.published for entry in read_published(path)],
        title=params.title,
    )


def plan(items: Sequence[str | os.PathLike[str]], params: Params) -> list[Plan]:
    """What `run` would do, one Plan per output.

    errors  those of `text`; ConflictError: a file is there and holds something else
    """
    return [todo for todo, _ in _plans(gather(items, params), params)]


def run(
    items: Sequence[str | os.PathLike[str]],
    params: Params,
    progress: Callable[[int, int | None, str], None] | None = None,
) -> list[Record]:
    """One Record per output, its path is the file.

    progress  called with (clips done, clips, "previews") while a page is made
    errors    those of `plan`. A film that cannot be read is no error: the page says so in its place, data["notes"] too
    """
    report = gather(items, params)
    records = []
    for todo, content in _plans(report, params):
        started = time.monotonic()
        status = {"write": "written", "replace": "replaced", "skip": "skipped"}[todo.action]
        notes: list[str] = []
        if todo.action != "skip":
            made, notes = content(progress)
            _write(Path(todo.output), made)
        data = {"methods": len(report.methods), "columns": len(report.columns), "notes": notes}
        records.append(Record(STAGE, todo.output, status, todo.key, time.monotonic() - started, data=data))
    return records


def _plans(report, params: Params):
    """(Plan, progress -> (text of the file, notes)) of every output, all checked before the first is made."""
    return [_planned(report, params, Path(name)) for name in params.output]


def _planned(report, params: Params, path: Path):
    kind = _kind(path, params)
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist; make it first")
    if path.is_dir():
        raise InputError(f"{path}: is a directory, expected a file name for the output")
    if kind == "html":
        from stages.reporting import html

        key = html.page_key(report, params.embed_mb)
        same = path.exists() and html.key_in(path) == key

        def content(progress) -> tuple[str, list[str]]:
            return html.render(report, path, params.embed_mb, progress)
    else:
        made = _render(report, kind)
        key = hashlib.sha256(made.encode()).hexdigest()
        same = path.exists() and path.read_bytes() == made.encode()

        def content(progress) -> tuple[str, list[str]]:
            return made, []

    if path.exists() and not same and not params.overwrite:
        raise ConflictError(f"{path}: exists and holds something else. --overwrite replaces it")
    action = "skip" if same else "replace" if path.exists() else "write"
    return Plan(action, key, str(path), {}), content


def _kind(path: Path, params: Params) -> str:
    kind = params.format or FORMATS.get(path.suffix.lower(), "")
    if kind not in FORMATS.values():
        expected = ", ".join(sorted(set(FORMATS.values())))
        raise UsageError(f"--output: {path.name} does not say the format, expected one of {', '.join(FORMATS)}, or "
                         f"--format {expected}")  # fmt: skip
    return kind


def _render(report, kind: str, *, width: int = _FILE_WIDTH, colour: bool = False) -> str:
    from importlib import import_module

    modules = {"terminal": "terminal", "markdown": "markdown", "latex": "latex", "csv": "commas"}
    if kind not in modules:
        raise UsageError(f"--format: found {kind!r}, expected one of {', '.join(sorted(set(FORMATS.values())))}")
    render = import_module(f"stages.reporting.{modules[kind]}").render
    return render(report, width, colour) + "\n" if kind == "terminal" else render(report)


def _write(path: Path, content: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(content, "utf-8", newline="\n")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _check(params: Params) -> None:
    if not 0 <= params.embed_mb <= 2000:
        raise UsageError(f"--embed-mb: found {params.embed_mb:g}, expected 0 to 2000")


def _names(words: str) -> list[str]:
    return [word.strip() for word in words.split(",") if word.strip()]
