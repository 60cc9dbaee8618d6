"""dreamactor train"""

from __future__ import annotations

from typing import Annotated

import typer

from dreamactor_cli import options
from dreamactor_cli.runner import run_made
from stages import train
from stages.train import Params


def command(
    out: Annotated[str, typer.Option("--out", "--output-dir", help="Folder of the run.")] = Params.out,
    preset: Annotated[
        str, typer.Option(help="default (128 px, two cores), base256 (for a GPU), tiny.")
    ] = Params.preset,
    until: Annotated[str, typer.Option(help="Last part of this call: vae, face, 1, 2, 3 or all.")] = Params.until,
    minutes: Annotated[float, typer.Option(help="Of this call, then save and exit 75; 0 = no limit.")] = Params.minutes,
    total_minutes: Annotated[float, typer.Option(help="Of learning in all; 0 = the preset's steps.")] = (
        Params.total_minutes
    ),
    steps_scale: Annotated[float, typer.Option(help="Multiplies the preset's steps.")] = Params.steps_scale,
    clips: Annotated[int, typer.Option(help="Rendered clips; 0 = the preset's.")] = Params.clips,
    workers: Annotated[int, typer.Option(help="Processes that render and prepare; 0 = one a core.")] = Params.workers,
    init: Annotated[str, typer.Option(help="Go on from a model: default (the shipped one) or a folder.")] = Params.init,
    face_learns: Annotated[
        bool, typer.Option("--face-learns", help="With --init: the face encoder goes on too, its tokens mean the same.")
    ] = Params.face_learns,
    pool: Annotated[str, typer.Option(help="Folder of rendered clips; none = inside --out.")] = Params.pool,
    mocap: Annotated[str, typer.Option(help="Motion capture (.npz) for half of the body clips.")] = Params.mocap,
    assets: Annotated[str, typer.Option(help="full, anny, or auto: full if it can be had.")] = Params.assets,
    seed: options.Seed = Params.seed,
    threads: Annotated[int, typer.Option(help="CPU threads; 0 = all.")] = Params.threads,
    device: options.Device = Params.device,
    as_json: options.Json = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Train the model on synthetic people. It can be stopped at any time; the same command goes on from there."""
    params = Params(
        out=out,
        preset=preset,
        until=until,
        minutes=minutes,
        total_minutes=total_minutes,
        steps_scale=steps_scale,
        clips=clips,
        workers=workers,
        init=init,
        face_learns=face_learns,
        pool=pool,
        mocap=mocap,
        assets=assets,
        seed=seed,
        threads=threads,
        device=device,
    )
    flags = options.Flags(json=as_json, dry_run=dry_run, quiet=quiet, verbose=verbose, debug=debug)
    run_made(train, lambda say: [train.run(out, params, say)], flags, items=lambda: [out], params=params)
