"""dreamactor render-spheres BUNDLE...|-"""

from __future__ import annotations

from typing import Annotated

import typer

from dreamactor_cli import options
from dreamactor_cli.runner import run_stage
from stages import render_spheres
from stages.render_spheres import Params


def command(
    inputs: options.Bundles,
    ref: Annotated[str, typer.Option(help="Photo or bundle of the person to animate; none = the driver.")] = Params.ref,
    framing: Annotated[str, typer.Option(help="reference: on the photo's picture; driver: at the driver's place.")] = (
        Params.framing
    ),
    camera: Annotated[
        str, typer.Option(help="driver: the photo's background moves as the driver's camera does; still: it stays.")
    ] = Params.camera,
    size: Annotated[str, typer.Option(help="Canvas, 256 or HEIGHTxWIDTH, multiples of 16.")] = Params.size,
    canonical: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="REF DRV", help="A-pose pictures of both people to measure proportions from."),
    ] = None,
    retarget: Annotated[bool, typer.Option(help="Adjust bone lengths to the reference.")] = Params.retarget,
    head_strength: options.HeadStrength = Params.head_strength,
    body_strength: options.BodyStrength = Params.body_strength,
    ref_person: Annotated[
        str, typer.Option(help="Which person of the photo: largest, center, left, right, or a number.")
    ] = Params.ref_person,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Add body and head: the skeleton on the reference's bones and the coloured head sphere."""
    params = Params(
        ref=ref,
        framing=framing,
        camera=camera,
        size=size,
        canonical=canonical or (),
        retarget=retarget,
        head_strength=head_strength,
        body_strength=body_strength,
        ref_person=ref_person,
        overwrite=overwrite,
    )
    flags = options.Flags(json=as_json, dry_run=dry_run, quiet=quiet, verbose=verbose, debug=debug)
    run_stage(render_spheres, inputs, params, flags)
