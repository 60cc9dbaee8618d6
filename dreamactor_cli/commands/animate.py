"""dreamactor animate BUNDLE...|-"""

from __future__ import annotations

import os
from typing import Annotated

import typer

from dreamactor_cli import options
from dreamactor_cli.runner import run_stage
from stages import animate
from stages.animate import Params


def command(
    inputs: options.Bundles,
    ref: Annotated[
        str, typer.Option(help="The photo; the one given to render-spheres, which is the default.")
    ] = Params.ref,
    audio: Annotated[str, typer.Option(help="Sound for the film instead of the clip's.")] = Params.audio,
    model: Annotated[str, typer.Option(help="default (shipped) or a folder with the weights.")] = Params.model,
    seed: options.Seed = Params.seed,
    steps: Annotated[int, typer.Option(help="Solver steps a segment.")] = Params.steps,
    solver: Annotated[str, typer.Option(help="euler or dpm2m.")] = Params.solver,
    cfg_ref: Annotated[float, typer.Option(help="Guidance towards the reference; 1 = none.")] = Params.cfg_ref,
    cfg_motion: Annotated[float, typer.Option(help="Guidance towards the motion; 1 = none.")] = Params.cfg_motion,
    segment: Annotated[int, typer.Option(help="Frames made in one go, 4k+1; 0 = as trained.")] = Params.segment,
    carry_expression: Annotated[
        bool, typer.Option(help="Move the carried photo's face to the driver's expression first.")
    ] = Params.carry_expression,
    sheet: Annotated[bool, typer.Option(help="Also write the contact sheet.")] = Params.sheet,
    device: options.Device = Params.device,
    threads: Annotated[int, typer.Option(help="CPU threads; 0 = all.")] = Params.threads,
    output: options.Output = None,
    output_dir: options.OutputDir = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Make the video: the person of the photo doing what the control layers say. Prints the names of the MP4s."""
    params = Params(
        ref=ref,
        audio=audio,
        model=model,
        seed=seed,
        steps=steps,
        solver=solver,
        cfg_ref=cfg_ref,
        cfg_motion=cfg_motion,
        segment=segment,
        carry_expression=carry_expression,
        sheet=sheet,
        device=device,
        threads=threads,
        overwrite=overwrite,
    )
    flags = options.Flags(output, output_dir, as_json, dry_run, quiet, verbose, debug)
    run_stage(animate, inputs, params, flags, namer=_video_name)


def _video_name(item: str) -> str:
    return os.path.basename(item.rstrip("/")).removesuffix(".zarr") + ".mp4"
