"""From a layer's provenance back to the command that makes it."""

from __future__ import annotations

import dataclasses
import shlex
from importlib import import_module
from typing import Any

from dreamactor_cli.commands import STAGES
from stages.core.errors import InputError

_NOT_FLAGS = {"output"}


def command_for(provenance: dict[str, Any], bundle_path: str, layer: str) -> str:
    """The shell command that makes a layer again. Flags with their default value are left out.

    provenance   of the layer, from `Bundle.provenance`
    bundle_path  where the bundle lies now
    errors       InputError when the layer says too little, or was made by a stage this version has not
    """
    decides = provenance.get("decides")
    if not isinstance(decides, dict) or decides.get("stage") not in STAGES:
        raise InputError(f"{bundle_path}: layer '{layer}' does not say which stage of this version made it")
    stage = import_module(STAGES[decides["stage"]])
    fields = {field.name: field for field in dataclasses.fields(stage.Params)}
    makes_bundle = "output" in fields and layer in ("clip", "pose")
    item = provenance.get("item") or bundle_path
    words = ["dreamactor", decides["stage"], item if makes_bundle else bundle_path]
    if makes_bundle:
        words += ["-o", bundle_path]
    for name, value in decides["params"].items():
        if name in fields and name not in _NOT_FLAGS and value != _plain_default(fields[name]):
            words += _flag(name, value)
    return shlex.join(words)


def _flag(name: str, value: Any) -> list[str]:
    flag = "--" + name.rstrip("_").replace("_", "-")
    if value is None:
        return []
    if value is True:
        return [flag]
    if value is False:
        return [flag.replace("--", "--no-", 1)]
    if isinstance(value, list):
        return [word for part in value for word in (flag, str(part))]
    return [flag, str(value)]


def _plain_default(field: dataclasses.Field) -> Any:
    """The default as it looks after a trip through JSON; a required field never equals a value."""
    if field.default is dataclasses.MISSING:
        return dataclasses.MISSING
    return list(field.default) if isinstance(field.default, tuple) else field.default
