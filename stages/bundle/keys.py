"""Keys and digests: the same settings and inputs give the same key on every machine."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from fractions import Fraction
from importlib import metadata
from typing import Any

from stages.core.command import running_command

_REPORTED_PACKAGES = ("dreamactor", "numpy", "torch", "zarr")


def plain(value: Any) -> Any:
    """The value as plain JSON types: paths and fractions as text, tuples as lists, numpy numbers as numbers.

    errors  TypeError for anything else, so that no object's repr can slip into a key
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value):
            raise TypeError(f"expected text keys, found {[n for n in value if not isinstance(n, str)][:3]!r}")
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        return plain(value.tolist())
    raise TypeError(f"cannot write {type(value).__name__} as JSON")


def canonical_json(value: Any) -> bytes:
    """The one JSON text of a value: sorted keys, no spaces, UTF-8. NaN is refused (ValueError)."""
    text = json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def digest_of(value: Any) -> str:
    """sha256 hex of the canonical JSON of a value."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def layer_key(
    stage: str,
    version: int,
    params: Mapping[str, Any],
    inputs: Mapping[str, str],
    weights: Mapping[str, str] | None = None,
) -> str:
    """The key of a layer: sha256 hex of everything that decides its bytes.

    stage    name of the stage; version: its VERSION
    params   resolved parameters (plain JSON values, tuples, paths, fractions)
    inputs   name -> key of a layer or sha256 of a file
    weights  name -> sha256 of the weights that take part
    """
    return digest_of({"stage": stage, "version": version, "params": params, "inputs": inputs, "weights": weights or {}})


def make_provenance(
    stage: str,
    version: int,
    params: Mapping[str, Any],
    inputs: Mapping[str, str],
    weights: Mapping[str, str] | None = None,
    *,
    item: str | os.PathLike[str] = "",
) -> dict[str, Any]:
    """What a layer says about its making: `decides` (goes into the key) apart from `ran` (when and with what).

    item     the positional argument of the command, so that `bundle show --command` can print it again
    returns  {"decides": {stage, version, params, inputs, weights}, "item": str, "ran": {...}}; LayerWriter adds `ran`
             when it is missing. Host and user names are left out on purpose.
    """
    return {
        "decides": plain(
            {"stage": stage, "version": version, "params": params, "inputs": inputs, "weights": weights or {}}
        ),
        "item": os.fspath(item),
        "ran": run_facts(),
    }


def run_facts() -> dict[str, Any]:
    """When, with which versions and as which command this runs: {"at", "python", "system", "packages"[, "command"]}."""
    packages = {}
    for name in _REPORTED_PACKAGES:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    command = running_command.get()
    return {
        **({"command": list(command)} if command else {}),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": packages,
    }
