"""dreamactor view BUNDLE...|-"""

from __future__ import annotations

import os
from typing import Annotated

import typer

from dreamactor_cli import options
from dreamactor_cli.runner import run_stage
from stages import view
from stages.view import Params


def command(
    inputs: options.Bundles,
    layer: Annotated[str, typer.Option(help="pose, body, head, face, or all that are there.")] = Params.layer,
    frame: Annotated[int | None, typer.Option(help="One frame only, as PNG.")] = Params.frame,
    max_side: Annotated[int, typer.Option(help="Longer side of one panel, px.")] = Params.max_side,
    output: options.Output = None,
    output_dir: options.OutputDir = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Make an overlay video or picture of every layer, so that a person sees what a stage found."""
    params = Params(layer=layer, frame=frame, max_side=max_side, overwrite=overwrite)
    flags = options.Flags(output, output_dir, as_json, dry_run, quiet, verbose, debug)
    suffix = "png" if frame is not None else "mp4"
    run_stage(view, inputs, params, flags, namer=lambda item: f"{_stem(item)}_view.{suffix}")


def _stem(item: str) -> str:
    return os.path.basename(item.rstrip("/")).removesuffix(".zarr")
