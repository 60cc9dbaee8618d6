"""dreamactor animate BUNDLE...|-"""

from __future__ import annotations

import os
from typing import Annotated

import typer

from dreamactor_cli import options
from dreamactor_cli.drivers import DrivenAnimation, Drivers
from dreamactor_cli.runner import run_stage
from stages.animate import Params


def command(
    inputs: options.Bundles,
    ref: Annotated[
        str, typer.Option(help="The photo; the one given to render-spheres, which is the default.")
    ] = Params.ref,
    refs: Annotated[
        list[str] | None,
        typer.Option(
            help="More pictures of the person: a photo, a folder of photos, a bundle of pick-refs. May be repeated."
        ),
    ] = None,
    pseudo_refs: Annotated[
        int, typer.Option(help="So many more pictures made by the model itself in a first pass, kept for next time.")
    ] = Params.pseudo_refs,
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
    face_strength: Annotated[
        float, typer.Option(help="How far the expression goes from the photo's: 0 = locked, 1 = as the driver.")
    ] = Params.face_strength,
    face: options.FaceDriver = Drivers.face,
    head: options.HeadDriver = Drivers.head,
    body: Annotated[
        str, typer.Option(metavar="BUNDLE", help="Whose body moves instead of this bundle's; it decides the length.")
    ] = Drivers.body,
    head_strength: options.HeadStrength = Drivers.head_strength,
    body_strength: options.BodyStrength = Drivers.body_strength,
    lock: Annotated[
        str, typer.Option(help="What stands still as in the photo: head, body, face, or two of them with a comma.")
    ] = Drivers.lock,
    face_offset: options.FaceOffset = Drivers.face_offset,
    head_offset: options.HeadOffset = Drivers.head_offset,
    face_speed: options.FaceSpeed = Drivers.face_speed,
    head_speed: options.HeadSpeed = Drivers.head_speed,
    beyond: options.Beyond = Drivers.beyond,
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
    """Make the video: the person of the photo doing what the control layers say. Prints the names of the MP4s.

    With --face, --head, --body, their strengths or --lock a new bundle is made beside the MP4 first (as by mix and
    render-spheres): each flag replaces one of BUNDLE's own signals; photo and canvas are BUNDLE's.
    """
    params = Params(
        ref=ref,
        refs=tuple(refs or ()),
        pseudo_refs=pseudo_refs,
        audio=audio,
        model=model,
        seed=seed,
        steps=steps,
        solver=solver,
        cfg_ref=cfg_ref,
        cfg_motion=cfg_motion,
        segment=segment,
        carry_expression=carry_expression,
        face_strength=face_strength,
        sheet=sheet,
        device=device,
        threads=threads,
        overwrite=overwrite,
    )
    drivers = Drivers(
        face=face,
        head=head,
        body=body,
        head_strength=head_strength,
        body_strength=body_strength,
        face_offset=face_offset,
        head_offset=head_offset,
        face_speed=face_speed,
        head_speed=head_speed,
        beyond=beyond,
        lock=lock,
    )
    flags = options.Flags(output, output_dir, as_json, dry_run, quiet, verbose, debug)
    run_stage(DrivenAnimation(drivers), inputs, params, flags, namer=_video_name)


def _video_name(item: str) -> str:
    return os.path.basename(item.rstrip("/")).removesuffix(".zarr") + ".mp4"
