"""dreamactor score GENERATED...|-, dreamactor score doctor | audit"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import Annotated

import typer
from typer.core import TyperGroup

from dreamactor_cli import options
from dreamactor_cli.provenance import words_for
from dreamactor_cli.runner import read_items, run_made
from dreamactor_cli.score_table import show_scores
from stages import score
from stages.core.command import running_command
from stages.score import Params

# First words that mean another command than scoring: word -> module with a function `command`.
SUBCOMMANDS: dict[str, str] = {
    "doctor": "dreamactor_cli.commands.score_doctor",
    "audit": "dreamactor_cli.commands.score_audit",
}


class ScoreGroup(TyperGroup):
    """`score` itself scores; a first word of SUBCOMMANDS means that command (a folder of that name: ./doctor)."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        """Put the name of the default command before words that name no other."""
        return super().parse_args(ctx, args if args and args[0] in SUBCOMMANDS else ["run", *args])

    def resolve_command(self, ctx: typer.Context, args: list[str]):
        """(name, command, further words); the default command has no name of its own in its help."""
        name, command, words = super().resolve_command(ctx, args)
        return ("" if name == "run" else name), command, words

    def get_command(self, ctx: typer.Context, cmd_name: str):
        """The command of a name; other modules than this one are imported when they are named."""
        if cmd_name in SUBCOMMANDS and cmd_name not in self.commands:
            single = typer.Typer(add_completion=False, rich_markup_mode=None)
            single.command(cmd_name)(import_module(SUBCOMMANDS[cmd_name]).command)
            self.commands[cmd_name] = typer.main.get_command(single)
        return super().get_command(ctx, cmd_name)


app = typer.Typer(cls=ScoreGroup, add_completion=False, rich_markup_mode=None)


@app.callback()
def group() -> None:
    """Score films against real ones."""


@app.command("run")
def command(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="GENERATED...|-",
            help="Videos, bundles, .npy [T,H,W,3], folders of them, folders of numbered pictures, lists (.txt, .csv, "
            ".jsonl); - reads names or records from stdin. With --merge: clip score bundles or run folders.",
        ),
    ] = None,
    real: Annotated[str, typer.Option(help="The real films: same kinds, same names.")] = Params.real,
    reference: Annotated[
        str, typer.Option(help="Photo, folder of photos with the clips' names, or frame:N of the real film.")
    ] = Params.reference,
    driving: Annotated[str, typer.Option(help="The drivers' films, where they are not the real ones.")] = (
        Params.driving
    ),
    pairs: Annotated[
        str, typer.Option(metavar="CSV", help="Columns name,generated,real[,reference,driving] instead of pairing.")
    ] = Params.pairs,
    protocol: Annotated[str, typer.Option(help="Names with commas between them, or .toml files.")] = Params.protocol,
    name: Annotated[str, typer.Option(help="The method's name in tables; else the name of the run.")] = Params.name,
    seed: Annotated[int, typer.Option(help="Seed the films were generated with, for tables over seeds.")] = Params.seed,
    floors: Annotated[
        str, typer.Option(help="Rows to compare with: codec, static, halves, with commas between them.")
    ] = Params.floors,
    real_from: Annotated[
        str, typer.Option(metavar="RUN", help="Another method's run on the same films: its numbers of the real ones.")
    ] = Params.real_from,
    require: Annotated[
        list[str] | None,
        typer.Option(help='As "lpips<0.25" or "disco-2024:psnr>=20"; exit 8 if not so. May be given again.'),
    ] = None,
    features_only: Annotated[
        bool, typer.Option("--features-only", help="Measure the clips, make no table (tasks of a job array).")
    ] = False,
    shard: Annotated[str, typer.Option(metavar="I/N", help="Only part I (1..N) of the sorted clips.")] = Params.shard,
    merge: Annotated[bool, typer.Option("--merge", help="Make the table of clips that are measured.")] = False,
    workers: Annotated[int, typer.Option(help="Processes; changes no result.")] = Params.workers,
    device: options.Device = Params.device,
    fps: Annotated[str, typer.Option(help="Rate of pictures and .npy, such as 24 or 30000/1001.")] = Params.fps,
    output: Annotated[str, typer.Option("--output", "-o", metavar="RUN", help="Folder of the run.")] = Params.output,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Score films against real ones. Prints the name of RUN/scores.json; the table goes to stderr.

    `score doctor` tests the metrics on this machine, `score audit` finds the convention behind a published number.
    """
    params = Params(
        output=output,
        real=real,
        reference=reference,
        driving=driving,
        pairs=pairs,
        protocol=protocol,
        name=name,
        seed=seed,
        floors=floors,
        real_from=real_from,
        require=tuple(require or ()),
        features_only=features_only,
        shard=shard,
        merge=merge,
        workers=workers,
        device=device,
        fps=fps,
        overwrite=overwrite,
    )
    flags = options.Flags(json=as_json, dry_run=dry_run, quiet=quiet, verbose=verbose, debug=debug)
    given = inputs or []
    running_command.set(_words(given, params))
    run_made(
        score,
        lambda say: score.run_all(list(read_items(given)), params, say),
        flags,
        params=params,
        plans=lambda: score.plan(list(read_items(given)), params),
        show=show_scores,
    )


def _words(given: list[str], params: Params) -> tuple[str, ...]:
    """The words of this call, for scores.json and the layers' provenance; films last."""
    bare = words_for(score.STAGE, "", replace(params, require=()))
    requirements = [word for text in params.require for word in ("--require", text)]
    return ("dreamactor", "score", *bare[3:], *requirements, *given)
