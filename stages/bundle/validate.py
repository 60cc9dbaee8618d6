"""Checking a whole bundle: attributes against the JSON Schema, every chunk, every sha256, every range."""

from __future__ import annotations

import json
import os
from importlib import resources
from pathlib import Path
from typing import Any

from stages.bundle.meta import read_layer, read_root
from stages.bundle.reader import Bundle
from stages.bundle.spec import LAYER_NAME
from stages.bundle.writer import range_problem
from stages.core.errors import InputError

_BLOCK_BYTES = 8 << 20


def load_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the `dreamactor` attributes, with definitions root, layer and array."""
    return json.loads((resources.files("stages.bundle") / "schema.json").read_text(encoding="utf-8"))


def validate(path: str | os.PathLike[str]) -> list[str]:
    """Problems of a bundle, one line each; empty when it is fine. Memory stays bounded however large the arrays are.

    errors  InputError when there is no bundle at all, or its schema is newer
    """
    path = Path(path)
    root = read_root(path)
    problems = _against_schema("root", root, f"{path}")
    bundle = Bundle(path)
    for entry in sorted(path.iterdir()):
        if not entry.is_dir():
            if entry.name != "zarr.json":
                problems.append(f"{path}: found a file '{entry.name}', expected layers only")
        elif not LAYER_NAME.fullmatch(entry.name):
            problems.append(f"{path}: found a directory '{entry.name}', expected layers only")
        else:
            problems += _layer_problems(bundle, entry.name)
    return problems


def _layer_problems(bundle: Bundle, layer: str) -> list[str]:
    where = f"{bundle.path}: layer '{layer}'"
    try:
        values = read_layer(bundle.path, layer)
    except InputError as error:
        return [str(error)]
    problems = _against_schema("layer", values, where)
    if problems:
        return problems
    if values["layer"] != layer:
        problems.append(f"{where}: found the name '{values['layer']}' inside, expected '{layer}'")
    extra = {entry.name for entry in (bundle.path / layer).iterdir()} - set(values["arrays"]) - {"zarr.json"}
    problems += [f"{where}: found '{name}', which no table entry names" for name in sorted(extra)]
    for name in values["arrays"]:
        problems += _array_problems(bundle, layer, name)
    return problems


def _array_problems(bundle: Bundle, layer: str, name: str) -> list[str]:
    where = f"{bundle.path}: array '{layer}/{name}'"
    info = bundle.array_info(layer, name)
    problems = []
    try:
        if not info["shape"]:
            blocks = iter([bundle.read(layer, name)])
        else:
            items = 1
            for size in info["shape"][1:]:
                items *= max(1, size)
            block = max(1, _BLOCK_BYTES // (items * 8))
            blocks = bundle.iter_frames(layer, name, block=-(-block // 16) * 16)
        for values in blocks:
            problem = range_problem(values, info["valid_range"])
            if problem:
                problems.append(f"{where}: {problem}")
                break
    except InputError as error:
        problems.append(str(error))
    return problems


def _against_schema(part: str, values: Any, where: str) -> list[str]:
    import jsonschema

    schema = load_schema()
    validator = jsonschema.Draft202012Validator({"$ref": f"#/$defs/{part}", "$defs": schema["$defs"]})
    return [
        f"{where}: {'/'.join(map(str, error.absolute_path)) or 'attributes'}: {' '.join(error.message.split())[:200]}"
        for error in validator.iter_errors(values)
    ]
