"""dreamactor audio2face AUDIO|BUNDLE...|-"""

from __future__ import annotations

import os
from typing import Annotated

import typer

from dreamactor_cli import options
from dreamactor_cli.runner import run_stage
from stages import audio2face
from stages.audio2face import Params

Inputs = Annotated[
    list[str], typer.Argument(metavar="AUDIO|BUNDLE...|-", help="Sound files or bundles; - reads names from stdin.")
]


def command(
    inputs: Inputs,
    audio: Annotated[str, typer.Option(help="Sound to hear instead of the bundle's own.")] = Params.audio,
    ref: Annotated[
        str, typer.Option(help="Photo of the speaker; with a sound file it becomes the clip and its pose.")
    ] = Params.ref,
    fps: Annotated[str, typer.Option(help="Pictures a second for a sound file, as 24 or 30000/1001; 25.")] = Params.fps,
    max_side: Annotated[int, typer.Option(help="Of the held photo in the clip, px.")] = Params.max_side,
    strength: Annotated[float, typer.Option(help="Of the mouth's movements; 1 = as heard.")] = Params.strength,
    offset: Annotated[float, typer.Option(help="Seconds the face comes later than heard.")] = Params.offset,
    voice_gate: Annotated[bool, typer.Option(help="Rest the mouth where nobody speaks.")] = Params.voice_gate,
    blinks: Annotated[bool, typer.Option(help="Close the lids now and then.")] = Params.blinks,
    head_motion: Annotated[
        float, typer.Option(help="How much the head moves along, 1 = as people do; with --ref and a sound file.")
    ] = Params.head_motion,
    seed: options.Seed = Params.seed,
    network: Annotated[str, typer.Option(help="default (shipped) or a file made by train-speech.")] = Params.network,
    encoder: Annotated[str, typer.Option(help="Whose tokens: default (shipped) or a safetensors file.")] = (
        Params.encoder
    ),
    output: options.Output = None,
    output_dir: options.OutputDir = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Add face from speech. A sound file with --ref PHOTO begins the bundle of a talking portrait."""
    params = Params(
        audio=audio,
        ref=ref,
        fps=fps,
        max_side=max_side,
        strength=strength,
        offset=offset,
        voice_gate=voice_gate,
        blinks=blinks,
        head_motion=head_motion,
        seed=seed,
        network=network,
        encoder=encoder,
        overwrite=overwrite,
    )
    flags = options.Flags(output, output_dir, as_json, dry_run, quiet, verbose, debug)
    run_stage(audio2face, inputs, params, flags, namer=_bundle_name)


def _bundle_name(item: str) -> str:
    return os.path.splitext(os.path.basename(item.rstrip("/")))[0] + ".zarr"
