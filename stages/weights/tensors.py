"""Named arrays on disk: converted once from whatever a package carries, checked by one sum whenever they are read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from stages.core.errors import WeightsError
from stages.weights.layouts import LAYOUTS
from stages.weights.unpickle import read_arrays


def tensors_sha256(arrays: Mapping[str, np.ndarray]) -> str:
    """Hex sha256 over name, type, shape and bytes of every array, sorted by name: the file format plays no part."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {','.join(map(str, array.shape))}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()


def convert(paths: Sequence[Path], layout: str, sha256: str, target: Path) -> None:
    """Read pickled weights, name their arrays, check them and write them to `target` (safetensors) in one rename.

    paths   the files that together hold the network
    sha256  of the named arrays, see `tensors_sha256`
    errors  WeightsError: not such a file, or other numbers
    """
    from safetensors.numpy import save_file

    where = " and ".join(path.name for path in paths)
    arrays = {name: array for path in paths for name, array in read_arrays(path).items()}
    try:
        named = LAYOUTS[layout](arrays)
    except WeightsError as error:
        raise WeightsError(f"{where}: {error}") from None
    if (found := tensors_sha256(named)) != sha256:
        raise WeightsError(f"{where}: the tensors have sha256 {found[:16]}…, expected {sha256[:16]}…. Not used")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    save_file(named, partial)
    os.replace(partial, target)


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file.

    errors  WeightsError: missing or damaged
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file ({error}). Delete it and run again") from None
