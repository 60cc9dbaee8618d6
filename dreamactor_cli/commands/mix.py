"""dreamactor mix BUNDLE...|-"""

from __future__ import annotations

import os

from dreamactor_cli import options
from dreamactor_cli.runner import run_stage
from stages import mix
from stages.mix import Params


def command(
    inputs: options.Bundles,
    face: options.FaceDriver = Params.face,
    head: options.HeadDriver = Params.head,
    face_offset: options.FaceOffset = Params.face_offset,
    head_offset: options.HeadOffset = Params.head_offset,
    face_speed: options.FaceSpeed = Params.face_speed,
    head_speed: options.HeadSpeed = Params.head_speed,
    beyond: options.Beyond = Params.beyond,
    output: options.Output = None,
    output_dir: options.OutputDir = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Make a new bundle: the body of BUNDLE with the head and the face of other drivers. Prints its name."""
    params = Params(
        face=face,
        head=head,
        face_offset=face_offset,
        head_offset=head_offset,
        face_speed=face_speed,
        head_speed=head_speed,
        beyond=beyond,
        overwrite=overwrite,
    )
    flags = options.Flags(output, output_dir, as_json, dry_run, quiet, verbose, debug)
    run_stage(mix, inputs, params, flags, namer=_mixed_name)


def _mixed_name(item: str) -> str:
    return os.path.basename(item.rstrip("/")).removesuffix(".zarr") + ".mixed.zarr"
