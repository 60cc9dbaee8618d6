"""dreamactor pick-refs BUNDLE...|-"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from dreamactor_cli import options
from dreamactor_cli.runner import read_items, run_made
from stages import pick_refs
from stages.core.command import running_command
from stages.core.errors import InputError
from stages.core.records import Record
from stages.pick_refs import Params


def command(
    inputs: options.Bundles,
    output: Annotated[str, typer.Option("--output", "-o", metavar="BUNDLE", help="A bundle for the picks.")] = (
        Params.output
    ),
    into: Annotated[
        str, typer.Option(metavar="BUNDLE", help="A bundle of picks of this person to add to; made if not there.")
    ] = Params.into,
    count: Annotated[int, typer.Option(help="Pictures at most, besides a half-body crop.")] = Params.count,
    like: Annotated[str, typer.Option(metavar="PHOTO", help="Who is meant; else whom most frames show.")] = Params.like,
    yaw_most: Annotated[float, typer.Option(help="Degrees; heads turned further are left out.")] = Params.yaw_most,
    half_body: Annotated[bool, typer.Option(help="Of a full figure also a half-body crop.")] = Params.half_body,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Pick pictures of one person for animate --refs. Prints the name of the bundle with the layer refs."""
    params = Params(
        output=output,
        into=into,
        count=count,
        like=like,
        yaw_most=yaw_most,
        half_body=half_body,
        overwrite=overwrite,
    )
    flags = options.Flags(json=as_json, dry_run=dry_run, quiet=quiet, verbose=verbose, debug=debug)

    def make(progress):
        items = _names(inputs)
        running_command.set(_words(items, params))
        yield pick_refs.run(items, params, progress)

    def plans():
        items = _names(inputs)
        yield ", ".join(items), pick_refs.plan(items, params)

    run_made(pick_refs, make, flags, params=params, plans=plans, show=_show)


def _names(inputs: Sequence[str]) -> tuple[str, ...]:
    """Names of the bundles. errors  InputError: one failed in the command before the pipe"""
    names = []
    for item in read_items(inputs):
        if isinstance(item, Record):
            if item.status == "failed":
                raise InputError(f"{item.path}: failed before, in {item.stage}: {item.error}")
            item = item.path
        names.append(item)
    return tuple(names)


def _words(items: tuple[str, ...], params: Params) -> tuple[str, ...]:
    from dreamactor_cli.provenance import words_for

    return ("dreamactor", pick_refs.STAGE, *items, *words_for(pick_refs.STAGE, items[0], params)[3:])


def _show(console, record: Record) -> None:
    for pick in record.data.get("picks", ()):
        console.note(f"  {pick['why']}: {pick['clip']} frame {pick['frame']}, yaw {pick['yaw_deg']:+.0f} degrees")
