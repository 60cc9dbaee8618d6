"""dreamactor encode-face BUNDLE...|-"""

from __future__ import annotations

from typing import Annotated

import typer

from dreamactor_cli import options
from dreamactor_cli.runner import run_stage
from stages import encode_face
from stages.encode_face import Params


def command(
    inputs: options.Bundles,
    encoder: Annotated[str, typer.Option(help="default (shipped) or a safetensors file of your own.")] = Params.encoder,
    keep_crops: Annotated[bool, typer.Option("--keep-crops", help="Store the crops too, about 40 kB a frame.")] = False,
    upright: Annotated[bool, typer.Option("--upright", help="Turn the head's roll out of the crop.")] = False,
    batch: Annotated[int, typer.Option(help="Crops encoded at once; changes no result.")] = Params.batch,
    device: options.Device = Params.device,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Add face: stable crops of the driver's face and the motion tokens an encoder reads from them."""
    params = Params(
        encoder=encoder, keep_crops=keep_crops, upright=upright, device=device, batch=batch, overwrite=overwrite
    )
    flags = options.Flags(json=as_json, dry_run=dry_run, quiet=quiet, verbose=verbose, debug=debug)
    run_stage(encode_face, inputs, params, flags)
