"""From settings to the command line that means them, and from a layer back to the command that makes it again."""

from __future__ import annotations

import dataclasses
import shlex
from importlib import import_module
from typing import Any

from dreamactor_cli.commands import COMMANDS, STAGES
from stages.core.errors import InputError

_NOT_PRINTED = {"overwrite"}
_REPEATED = {"refs"}  # flags given once for each value
_ELSEWHERE = {"pick-refs"}  # stages whose first input need not be the bundle with the layer


def words_for(stage_name: str, item: str, params: Any) -> tuple[str, ...]:
    """Words of the command that runs a stage on one item with these Params; default values are left out."""
    words = ["dreamactor", stage_name, item]
    for field in dataclasses.fields(params):
        value = getattr(params, field.name)
        if field.name not in _NOT_PRINTED and value != field.default:
            words += _flag(field.name, value)
    return tuple(words)


def command_for(provenance: dict[str, Any], bundle_path: str, layer: str) -> str:
    """The shell command that makes a layer again.

    provenance   of the layer, from `Bundle.provenance`: the command it was made with, else what its settings say
    bundle_path  where the bundle lies now
    errors       InputError when the layer says too little, or was made by a stage this version has not
    """
    words = provenance.get("ran", {}).get("command")
    if words:
        moved = _is_bundle(words[2]) and words[1] not in _ELSEWHERE  # the bundle may have moved since
        here = [bundle_path] if moved else [words[2]]
        return shlex.join([*words[:2], *here, *words[3:]])
    decides = provenance.get("decides")
    if not isinstance(decides, dict) or decides.get("stage") not in STAGES:
        raise InputError(f"{bundle_path}: layer '{layer}' does not say which stage of this version made it")
    maker = getattr(import_module(COMMANDS[decides["stage"]][0]), "words_again", None)
    if maker is not None:
        return shlex.join(maker(decides, bundle_path))
    params_type = import_module(STAGES[decides["stage"]]).Params
    known = {field.name for field in dataclasses.fields(params_type)}
    missing = sorted(set(decides["inputs"]) - {"clip", "pose", "body", "head", "face", "refs", "assets"})
    if missing:
        raise InputError(
            f"{bundle_path}: layer '{layer}' was made by a program, not by a command, from {', '.join(missing)}, known"
            " only by checksum. Its settings: dreamactor bundle show --json"
        )
    params = params_type(**{name: _tupled(value) for name, value in decides["params"].items() if name in known})
    return shlex.join(words_for(decides["stage"], bundle_path, params))


def _flag(name: str, value: Any) -> list[str]:
    flag = "--" + name.replace("_", "-")
    if value is None:
        return []
    if value is True:
        return [flag]
    if value is False:
        return [f"--no-{flag[2:]}"]
    if name in _REPEATED:
        return [word for part in value for word in (flag, str(part))]
    if isinstance(value, (list, tuple)):
        return [flag, *(str(part) for part in value)] if value else []
    return [flag, str(value)]


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _is_bundle(word: str) -> bool:
    return word.rstrip("/").endswith(".zarr")
