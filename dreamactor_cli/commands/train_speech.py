"""dreamactor train-speech"""

from __future__ import annotations

from typing import Annotated

import typer

from dreamactor_cli import options
from dreamactor_cli.runner import run_made
from stages import train_speech
from stages.train_speech import Params


def command(
    out: Annotated[str, typer.Option("--out", "--output-dir", help="Folder of the run.")] = Params.out,
    voices: Annotated[
        str, typer.Option(help="What speaks and plays: flite, festival, espeak, neural, music; by commas.")
    ] = Params.voices,
    neural: Annotated[str, typer.Option(help="Folder of the neural voices.")] = Params.neural,
    share: Annotated[float, typer.Option(help="Of the usual number of programmes.")] = Params.share,
    steps: Annotated[int, typer.Option(help="Of learning.")] = Params.steps,
    minutes: Annotated[float, typer.Option(help="Of this call, then save and exit 75; 0 = no limit.")] = Params.minutes,
    seed: options.Seed = Params.seed,
    threads: Annotated[int, typer.Option(help="CPU threads; 0 = all.")] = Params.threads,
    start: Annotated[str, typer.Option(help="Weights to go on from; default = those shipped.")] = Params.start,
    aligner: Annotated[bool, typer.Option(help="Neural voices at the times of pocketsphinx.")] = Params.aligner,
    as_json: options.Json = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Train the network audio2face hears with, on voices this machine can speak with."""
    params = Params(
        out=out, voices=voices, neural=neural, share=share, steps=steps, minutes=minutes, seed=seed, threads=threads,
        start=start, aligner=aligner,
    )  # fmt: skip
    flags = options.Flags(json=as_json, dry_run=dry_run, quiet=quiet, verbose=verbose, debug=debug)
    run_made(train_speech, lambda say: [train_speech.run(out, params, say)], flags, items=lambda: [out], params=params)
