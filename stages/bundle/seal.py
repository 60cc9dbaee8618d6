"""Making a layer that was edited by hand a sound one again: new checksums, a new key, and a note that it was edited."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from stages.bundle.commit import bundle_lock
from stages.bundle.keys import digest_of, run_facts
from stages.bundle.meta import chunk_files, read_json, read_layer, read_root, with_digest
from stages.bundle.spec import ATTRIBUTE
from stages.bundle.writer import range_problem
from stages.core.errors import InputError

_BLOCK_BYTES = 8 << 20
STAGE = "edit"


def seal_layer(path: str | os.PathLike[str], layer: str, what: str = "") -> bool:
    """True where something of the layer had been changed by other programs (zarr-python, for one) and is now sealed.

    path, layer  the bundle and one of its layers;  what  a word about the edit, for whoever reads the layer later
    Values and the length of the first axis may change; names, dtypes and other axes may not. Layers made from this one
    become stale, because its key is another.
    errors  InputError: no such layer, a chunk missing, a value outside of its range, another dtype or shape
    """
    path = Path(path)
    read_root(path)
    if not (path / layer).is_dir():
        raise InputError(f"{path}: layer '{layer}' is missing, expected one that was edited")
    with bundle_lock(path.absolute()):
        values = read_layer(path, layer)
        arrays = {name: _measured(path, layer, name, entry) for name, entry in values["arrays"].items()}
        if arrays == values["arrays"] and not _half_sealed(path, layer, arrays):
            return False
        if arrays != values["arrays"]:
            checksums = {name: entry["sha256"] for name, entry in arrays.items()}
            before = values["key"]
            inputs, params = {"edited": before}, {"what": what}
            decides = {"stage": STAGE, "version": 1, "params": params, "inputs": inputs, "weights": {}}
            values = values | {
                "arrays": arrays,
                "key": digest_of({"edited": before, "arrays": checksums}),
                "provenance": {"decides": decides, "item": str(path), "ran": run_facts()},
            }
            _replace_attributes(path / layer / "zarr.json", with_digest(values), str(path))
        for name, entry in arrays.items():
            _replace_attributes(path / layer / name / "zarr.json", entry, str(path))
    return True


def _measured(path: Path, layer: str, name: str, entry: dict[str, Any]) -> dict[str, Any]:
    """The table entry of an array as it is now."""
    import numpy as np
    import zarr

    where = f"{path}: array '{layer}/{name}'"
    metadata = read_json(path / layer / name / "zarr.json", where)
    dtype, shape = metadata.get("data_type"), metadata.get("shape")
    wanted = entry["shape"]
    if dtype != entry["dtype"] or not isinstance(shape, list) or shape[1:] != wanted[1:] or len(shape) != len(wanted):
        raise InputError(f"{where}: found {dtype} {shape}, expected {entry['dtype']} {wanted}, of any length")
    for chunk in chunk_files(metadata, where):
        if not (path / layer / name / chunk).is_file():
            raise InputError(
                f"{where}: chunk {chunk} is missing. Zarr leaves out chunks of nothing but the fill value unless told "
                'zarr.config.set({"array.write_empty_chunks": True}) before they are written'
            )
    array = zarr.open_array(path / layer / name, mode="r", zarr_format=3)
    digest = hashlib.sha256()
    row_bytes = max(1, array.dtype.itemsize * int(np.prod(array.shape[1:], dtype=np.int64)))
    step = max(1, _BLOCK_BYTES // row_bytes)
    blocks = [array[()]] if array.ndim == 0 else (array[i : i + step] for i in range(0, array.shape[0], step))
    for block in blocks:
        block = np.ascontiguousarray(block)
        problem = range_problem(block, entry["valid_range"])
        if problem:
            raise InputError(f"{where}: {problem}")
        digest.update(block.tobytes())
    return {**entry, "shape": list(array.shape), "sha256": digest.hexdigest()}


def _half_sealed(path: Path, layer: str, arrays: dict[str, Any]) -> bool:
    """A run that was killed between the layer's table and the arrays' own copies of it."""
    return any(
        read_json(path / layer / name / "zarr.json", str(path))["attributes"].get(ATTRIBUTE) != entry
        for name, entry in arrays.items()
    )


def _replace_attributes(file: Path, ours: dict[str, Any], where: str) -> None:
    document = read_json(file, where)
    document.setdefault("attributes", {})[ATTRIBUTE] = ours
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_text(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    os.replace(fresh, file)
