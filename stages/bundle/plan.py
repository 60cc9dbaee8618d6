"""Deciding before any work: write, skip, replace, or blocked."""

from __future__ import annotations

import os
from pathlib import Path

from stages.bundle.meta import missing_chunk, read_array_metadata, read_layer, read_root
from stages.core.errors import ConflictError, InputError
from stages.core.records import Plan


def plan_layer(
    path: str | os.PathLike[str], layer: str, key: str, *, overwrite: bool = False, inputs: dict[str, str] | None = None
) -> Plan:
    """What writing a layer with this key would do. Reads metadata and file names only.

    path     the bundle; it need not exist
    key      from `layer_key`
    returns  Plan: "write" when the layer is not there, "skip" when it is there with the same key and whole,
             "replace" when it is there otherwise and `overwrite`
    errors   ConflictError: there with another key and not `overwrite`. InputError: damaged and not `overwrite`, or
             `path` is something else than a bundle
    """
    path = Path(path)
    inputs = dict(inputs or {})
    if not path.exists() and not path.is_symlink():
        return Plan("write", key, str(path), inputs)
    read_root(path)
    if not (path / layer).exists():
        return Plan("write", key, str(path), inputs)
    if overwrite:
        try:
            same = read_layer(path, layer)["key"] == key and not find_damage(path, layer)
        except InputError:
            same = False
        return Plan("skip" if same else "replace", key, str(path), inputs)
    there = read_layer(path, layer)["key"]
    if there != key:
        raise ConflictError(
            f"{path}: layer '{layer}' exists and was made with other settings or inputs"
            f" (key {there[:12]}, now {key[:12]}). --overwrite replaces it"
        )
    damage = find_damage(path, layer)
    if damage:
        raise InputError(f"{damage}. --overwrite makes the layer again")
    return Plan("skip", key, str(path), inputs)


def find_damage(path: Path, layer: str) -> str:
    """One line about the first array with wrong metadata or a missing chunk, "" when all files are there."""
    for name, entry in read_layer(path, layer)["arrays"].items():
        try:
            metadata = read_array_metadata(path, layer, name, entry)
        except InputError as error:
            return str(error)
        missing = missing_chunk(path, layer, name, metadata)
        if missing:
            return f"{path}: array '{layer}/{name}': chunk {missing} is missing"
    return ""
