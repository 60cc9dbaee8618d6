"""dreamactor bundle show | validate | seal"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from dreamactor_cli import options
from dreamactor_cli.console import Console
from dreamactor_cli.runner import guarded, read_items
from stages.core.errors import CheckFailed
from stages.core.records import Record

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode=None, help="Look into bundles; seal edited ones."
)


@app.command("show")
def show(
    inputs: options.Bundles,
    command: Annotated[bool, typer.Option("--command", help="Print the commands that make the layers again.")] = False,
    layer: Annotated[list[str] | None, typer.Option("--layer", help="Only this layer; may be given again.")] = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Print the layers of bundles: arrays, attributes, and how they were made."""

    def work(console: Console) -> None:
        from stages.bundle import open_bundle

        for path in _paths(inputs):
            bundle = open_bundle(path)
            names = layer or bundle.layers()
            bundle.require(*names)
            if command:
                _show_commands(console, bundle, names)
            elif as_json:
                console.result(json.dumps(_facts(bundle, names), ensure_ascii=False))
            else:
                _show_text(console, bundle, names)

    guarded(work, debug=debug)


@app.command("validate")
def validate(inputs: options.Bundles, quiet: options.Quiet = False, debug: options.Debug = False) -> None:
    """Check every attribute, chunk and sha256; exit 8 when something is wrong. Names of sound bundles are printed."""

    def work(console: Console) -> None:
        from stages.bundle import validate as find_problems

        unsound, count = 0, 0
        for path in _paths(inputs):
            problems = find_problems(path)
            count += 1
            for problem in problems:
                console.error(problem)
            if problems:
                unsound += 1
            else:
                console.result(path)
        if unsound:
            raise CheckFailed(f"bundle validate: {unsound} of {count} bundles are damaged")

    guarded(work, quiet=quiet, debug=debug)


@app.command("seal")
def seal(
    inputs: options.Bundles,
    layer: Annotated[list[str] | None, typer.Option("--layer", help="Only this layer; may be given again.")] = None,
    what: Annotated[str, typer.Option(help="A word about the edit, kept with the layer.")] = "",
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Make layers edited by hand sound again: new checksums and keys. Prints the bundles; what was made from an edited
    layer is stale then and is made again with --overwrite."""

    def work(console: Console) -> None:
        from stages.bundle import open_bundle, seal_layer

        for path in _paths(inputs):
            for name in layer or open_bundle(path).layers():
                if seal_layer(path, name, what):
                    console.note(f"{path}: layer '{name}' sealed")
            console.result(path)

    guarded(work, quiet=quiet, debug=debug)


def _paths(inputs: list[str]):
    for item in read_items(inputs):
        yield item.path if isinstance(item, Record) else item


def _facts(bundle, names: list[str]) -> dict:
    return {
        "path": str(bundle.path),
        "schema": bundle.schema,
        "layers": {
            name: {
                "key": bundle.key(name),
                "stale": _stale(bundle, name),
                "attrs": bundle.attrs(name),
                "provenance": bundle.provenance(name),
                "arrays": {array: bundle.array_info(name, array) for array in bundle.array_names(name)},
            }
            for name in names
        },
    }


def _stale(bundle, layer: str) -> list[str]:
    """Layers this one was made from that have been replaced since."""
    inputs = bundle.provenance(layer).get("decides", {}).get("inputs", {})
    return [name for name, key in inputs.items() if bundle.has(name) and bundle.key(name) != key]


def _show_text(console: Console, bundle, names: list[str]) -> None:
    console.result(f"{bundle.path}  (schema {bundle.schema})")
    for name in names:
        provenance = bundle.provenance(name)
        made_by = provenance.get("decides", {}).get("stage", "unknown stage")
        console.result(
            f"  {name}  by {made_by}, {provenance['ran'].get('at', 'some time')}, key {bundle.key(name)[:12]}"
        )
        for stale in _stale(bundle, name):
            console.result(f"    stale: made from another '{stale}' than is there now")
        for key, value in bundle.attrs(name).items():
            console.result(f"    . {key} = {_short(value)}")
        for array in bundle.array_names(name):
            info = bundle.array_info(name, array)
            axes = " ".join(f"{axis}={size}" for axis, size in zip(info["axes"], info["shape"], strict=True))
            unit = f" {info['unit']}" if info["unit"] else ""
            console.result(f"    {array:18} {info['dtype']:8} [{axes}]{unit}  {info['meaning']}".rstrip())


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:97]}..."


def _show_commands(console: Console, bundle, names: list[str]) -> None:
    from dreamactor_cli.provenance import command_for

    lines = [command_for(bundle.provenance(name), str(bundle.path), name) for name in names]
    for line in dict.fromkeys(lines):  # one command may make two layers
        console.result(line)
