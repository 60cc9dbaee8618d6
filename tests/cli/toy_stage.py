"""A small real stage for tests of the command line: writes one layer; its items say how it should go wrong."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from typing import Annotated

import typer

from dreamactor_cli import main as cli
from dreamactor_cli import options
from dreamactor_cli.runner import run_stage

STAGE = "toy"
VERSION = 1


@dataclass(frozen=True)
class Params:
    seed: int = 0
    frames: int = 8
    pause_s: float = 0.0
    output: str | None = None
    overwrite: bool = False


def plan(item, params):
    from stages.bundle import layer_key, plan_layer

    return plan_layer(
        _output(item, params), "toy", layer_key(STAGE, VERSION, _decides(params), {}), overwrite=params.overwrite
    )


def run(item, params, progress=None):
    import numpy as np

    from stages.bundle import ArraySpec, LayerWriter, make_provenance
    from stages.core.errors import InputError
    from stages.core.records import Record

    name = os.path.basename(item)
    if name.startswith("bad"):
        raise InputError(f"{item}: found nothing usable,\nexpected a video")
    if name.startswith("bug"):
        raise KeyError("surprise")
    if name.startswith("memory"):
        raise MemoryError
    if name.startswith("disk"):
        raise OSError(28, "No space left on device")
    print("a library that prints to stdout")
    os.write(1, b"and one that writes to file descriptor 1\n")
    todo = plan(item, params)
    if todo.action == "skip":
        return Record(STAGE, todo.output, "skipped", todo.key)
    provenance = make_provenance(STAGE, VERSION, _decides(params), {}, item=item)
    frames = np.random.default_rng(params.seed).integers(0, 255, (params.frames, 80, 80, 3), dtype=np.uint8)
    with LayerWriter(
        todo.output, "toy", key=todo.key, attrs={}, provenance=provenance, overwrite=params.overwrite
    ) as writer:
        stream = writer.stream("frames", (80, 80, 3), ArraySpec("u8", ("T", "H", "W", "rgb")))
        for index in range(params.frames):
            stream.append(frames[index])
            time.sleep(params.pause_s)
            if progress is not None:
                progress(index + 1, params.frames, "toy")
        status = writer.commit()
    return Record(STAGE, todo.output, status, todo.key)


def _output(item, params):
    return params.output or os.path.splitext(os.path.basename(item))[0] + ".zarr"


def _decides(params):
    return {"seed": params.seed, "frames": params.frames}


def main():
    """The toy as a command line of its own, through the same runner as every stage."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

    @app.command()
    def command(
        inputs: options.Videos,
        seed: int = 0,
        frames: int = 8,
        pause_s: Annotated[float, typer.Option()] = 0.0,
        output: options.Output = None,
        output_dir: options.OutputDir = None,
        overwrite: options.Overwrite = False,
        as_json: options.Json = False,
        dry_run: options.DryRun = False,
        quiet: options.Quiet = False,
        verbose: options.Verbose = False,
        debug: options.Debug = False,
    ) -> None:
        params = Params(seed=seed, frames=frames, pause_s=pause_s, overwrite=overwrite)
        flags = options.Flags(output, output_dir, as_json, dry_run, quiet, verbose, debug)
        namer = lambda item: os.path.splitext(os.path.basename(item))[0] + ".zarr"  # noqa: E731
        run_stage(sys.modules[__name__], inputs, params, flags, namer=namer)

    cli.app = app
    cli.main()


if __name__ == "__main__":
    main()
