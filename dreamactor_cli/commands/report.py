"""dreamactor report RUN...|-"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from typing import Annotated

import typer

from dreamactor_cli import options
from dreamactor_cli.console import Console
from dreamactor_cli.runner import guarded, read_items
from stages import report
from stages.core.errors import InputError
from stages.core.records import Record
from stages.report import Params

Runs = Annotated[
    list[str],
    typer.Argument(metavar="RUN...|-", help="Folders of `score` or their scores.json; - reads names from stdin."),
]


def command(
    inputs: Runs,
    output: Annotated[
        list[str] | None,
        typer.Option("--output", "-o", help="File to write: .html, .md, .tex, .csv or .txt; may be given again."),
    ] = None,
    format: Annotated[
        str, typer.Option(help="terminal, markdown, latex, csv or html; else what the file's name says.")
    ] = Params.format,
    protocol: Annotated[str, typer.Option(help="Only these protocols, joined by commas.")] = Params.protocol,
    metrics: Annotated[str, typer.Option(help="Only these metrics, joined by commas.")] = Params.metrics,
    baseline: Annotated[
        str, typer.Option(help="Add the paired differences of all other methods to this one.")
    ] = Params.baseline,
    allow_mixed: Annotated[
        bool, typer.Option("--allow-mixed", help="Show runs that do not compare, labelled and unranked.")
    ] = Params.allow_mixed,
    published: Annotated[
        list[str] | None,
        typer.Option("--import", help="CSV of printed numbers: method,protocol,metric,value,source; shown apart."),
    ] = None,
    floors: Annotated[bool, typer.Option(help="Rows that say what the metric gives for real frames.")] = Params.floors,
    title: Annotated[str, typer.Option(help="Heading.")] = Params.title,
    embed_mb: Annotated[
        float, typer.Option(help="Megabytes of videos inside an HTML page; others lie beside it.")
    ] = Params.embed_mb,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Set runs side by side: a table, or a page with plots and synchronised videos.

    Bold numbers are better than every other method's beyond chance. Runs that do not compare are refused (exit 8).
    """
    params = Params(
        output=tuple(output or ()),
        format=format,
        protocol=protocol,
        metrics=metrics,
        baseline=baseline,
        allow_mixed=allow_mixed,
        published=tuple(published or ()),
        floors=floors,
        title=title,
        embed_mb=embed_mb,
        overwrite=overwrite,
    )
    colour = os.isatty(1) and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    width = shutil.get_terminal_size((120, 24)).columns

    def work(console: Console) -> None:
        runs = [_path(item) for item in read_items(inputs)]
        if dry_run:
            for plan in report.plan(runs, params):
                console.note(f"report would {plan.action} {plan.output}")
                if as_json:
                    console.result(json.dumps({"stage": report.STAGE, **dataclasses.asdict(plan)}, ensure_ascii=False))
        elif params.output:
            with console.progress(params.output[0]) as progress:
                for record in report.run(runs, params, progress):
                    for line in record.data["notes"]:
                        console.note(line)
                    console.note(f"{record.path}: report {record.status} ({record.seconds:.1f} s)")
                    console.result(record.to_json() if as_json else record.path)
        elif as_json:
            for line in report.lines(runs, params):
                console.result(line)
        else:
            console.result(report.text(runs, params, width=width, colour=colour).rstrip("\n"))

    guarded(work, quiet=quiet, verbose=verbose, debug=debug)


def _path(item: str | Record) -> str:
    """The name of a run. errors  InputError for a run that failed before: the table would silently lack it"""
    if isinstance(item, Record):
        if item.status == "failed":
            raise InputError(f"{item.path}: failed before, in {item.stage}: {item.error}")
        return item.path
    return item
