"""Reading the metadata of a bundle as plain JSON, with every check that needs no array data."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stages.bundle.keys import digest_of
from stages.bundle.spec import ATTRIBUTE, LAYER_NAME, SCHEMA_VERSION
from stages.core.errors import InputError


def with_digest(values: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping with its own sha256 added as "digest"."""
    bare = {name: value for name, value in values.items() if name != "digest"}
    return {**bare, "digest": digest_of(bare)}


def read_json(path: Path, where: str) -> dict[str, Any]:
    """The JSON object in a file. errors InputError when it is missing, unreadable or not an object."""
    try:
        values = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{where}: found no {path.name}, expected one. The bundle is damaged") from None
    except OSError as error:
        raise InputError(f"{where}: cannot read {path.name} ({error.strerror})") from None
    except ValueError:
        raise InputError(f"{where}: found damaged JSON in {path.name}, expected metadata") from None
    if not isinstance(values, dict):
        raise InputError(f"{where}: found a JSON {type(values).__name__} in {path.name}, expected an object")
    return values


def read_root(path: Path) -> dict[str, Any]:
    """The `dreamactor` attributes of a bundle's root.

    errors  InputError: missing, not a bundle, newer schema, damaged
    """
    if not path.exists():
        raise InputError(
            f"{path}: found nothing, expected a bundle. Make it with: dreamactor extract-pose VIDEO -o {path}"
        )
    if not path.is_dir() or not (path / "zarr.json").is_file():
        raise InputError(f"{path}: found no bundle, expected a directory NAME.zarr made by dreamactor extract-pose")
    values = read_json(path / "zarr.json", str(path))
    root = _our_attributes(values)
    if root is None:
        raise InputError(f"{path}: found a Zarr store that is no dreamactor bundle, expected one made by extract-pose")
    check_schema(root.get("schema"), str(path))
    _check_digest(root, str(path))
    return root


def check_schema(schema: Any, where: str) -> None:
    """Nothing when this version reads the schema; InputError when its major version is another."""
    ours = SCHEMA_VERSION.split(".")[0]
    major = str(schema).split(".")[0]
    if not major.isdigit():
        raise InputError(f"{where}: found bundle schema {schema!r}, expected {ours}.x. The bundle is damaged")
    if int(major) > int(ours):
        raise InputError(f"{where}: found bundle schema {schema}, expected {ours}.x. Update dreamactor to read it")
    if int(major) < int(ours):
        raise InputError(f"{where}: found bundle schema {schema}, expected {ours}.x. Make the bundle again")


def list_layers(path: Path) -> list[str]:
    """Names of the layers, sorted; hidden entries and files are no layers."""
    return sorted(entry.name for entry in path.iterdir() if entry.is_dir() and LAYER_NAME.fullmatch(entry.name))


def read_layer(path: Path, layer: str) -> dict[str, Any]:
    """The `dreamactor` attributes of a layer: key, attrs, provenance, arrays.

    errors  InputError when the layer is damaged
    """
    where = f"{path}: layer '{layer}'"
    values = _our_attributes(read_json(path / layer / "zarr.json", where))
    if values is None:
        raise InputError(f"{where}: found no dreamactor attributes, expected a layer. The bundle is damaged")
    _check_digest(values, where)
    return values


def read_array_metadata(path: Path, layer: str, name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """The Zarr metadata of an array, checked against the layer's table entry of it.

    errors  InputError when they differ or the file is damaged
    """
    where = f"{path}: array '{layer}/{name}'"
    values = read_json(path / layer / name / "zarr.json", where)
    fill = values.get("fill_value")
    found = (_our_attributes(values), values.get("shape"), values.get("data_type"), fill)
    if found != (dict(entry), entry["shape"], entry["dtype"], entry["fill"]):
        raise InputError(f"{where}: found metadata that differs from the layer's table. The bundle is damaged")
    return values


def chunk_files(metadata: Mapping[str, Any], where: str, frames: slice | None = None) -> Iterator[str]:
    """Relative paths of every chunk (or shard) file an array must have.

    where   path and array, for the error
    frames  only those that hold frames[start:stop] of the first axis
    errors  InputError when the metadata names no regular grid
    """
    try:
        shape = metadata["shape"]
        grid = metadata["chunk_grid"]["configuration"]["chunk_shape"]
        counts = [-(-size // step) for size, step in zip(shape, grid, strict=True)]
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        raise InputError(f"{where}: found no regular chunk grid. The bundle is damaged") from None
    ranges = [range(count) for count in counts]
    if frames is not None and ranges:
        start, stop, _ = frames.indices(shape[0])
        ranges[0] = range(start // grid[0], -(-stop // grid[0])) if stop > start else range(0)
    for index in itertools.product(*ranges):
        yield "/".join(["c", *(str(i) for i in index)])


def missing_chunk(path: Path, layer: str, name: str, metadata: Mapping[str, Any], frames: slice | None = None) -> str:
    """The first chunk file that is not there, "" when all are."""
    folder = path / layer / name
    for relative in chunk_files(metadata, f"{path}: array '{layer}/{name}'", frames):
        if not (folder / relative).is_file():
            return relative
    return ""


def _our_attributes(values: Mapping[str, Any]) -> dict[str, Any] | None:
    attributes = values.get("attributes")
    ours = attributes.get(ATTRIBUTE) if isinstance(attributes, dict) else None
    return ours if isinstance(ours, dict) else None


def _check_digest(values: Mapping[str, Any], where: str) -> None:
    try:
        fine = values.get("digest") == with_digest(values)["digest"]
    except (TypeError, ValueError):
        fine = False
    if not fine:
        raise InputError(f"{where}: found metadata that does not match its digest. The bundle is damaged")
