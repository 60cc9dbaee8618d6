"""The manifest of a folder of synthetic bundles: one sha256 a bundle over its truth, and one over all of a split.

OUT/manifest-SPLIT.json  {"split", "sha256", "bundles": {name: {"key", "sha256"}}}, sorted by name. The film (layer
`clip`) does not count, because its bytes depend on the encoder's build. Later runs add to the file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from stages.bundle import ArraySpec, Bundle
from stages.core.errors import InputError, is_out_of_resources

EXACT_LAYERS = ("pose", "truth")


def manifest_path(folder: str | os.PathLike[str], split: str) -> Path:
    """Where the manifest of a split lies."""
    return Path(folder) / f"manifest-{split}.json"


def make_folder(folder: str | os.PathLike[str]) -> None:
    """The folder of the bundles, there and writable: said before a clip is made. errors  InputError"""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        if is_out_of_resources(error):
            raise
        raise InputError(f"{folder}: cannot be made ({error.strerror}). Give another folder with --out") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{folder}: cannot be written to. Give another folder with --out")


def bundle_sha256(bundle: Bundle) -> str:
    """sha256 hex over the exact layers of a bundle, from the sums in its tables; no array is read."""
    infos = {
        (layer, name): bundle.array_info(layer, name) for layer in EXACT_LAYERS for name in bundle.array_names(layer)
    }
    return _digest({key: (info["dtype"], info["shape"], info["sha256"]) for key, info in infos.items()})


def arrays_sha256(layers: Mapping[str, Mapping[str, tuple[np.ndarray, dict]]]) -> str:
    """The same of arrays that are not in a bundle. layers: name -> what stages.synthetic.layers makes of a clip."""
    table = {}
    for layer in EXACT_LAYERS:
        for name, (array, spec) in layers[layer].items():
            values = np.ascontiguousarray(array, ArraySpec(**spec).dtype)
            table[layer, name] = str(values.dtype), list(np.shape(array)), hashlib.sha256(values.data).hexdigest()
    return _digest(table)


def update_manifest(folder: str | os.PathLike[str], split: str, made: Mapping[str, tuple[str, str]]) -> str:
    """Write the manifest with `made` (bundle name -> key, sha256) added, in one step; returns the sha256 over all.

    Bundles that are no longer in the folder are left out.
    errors  InputError: a file of that name that is not a manifest
    """
    path = manifest_path(folder, split)
    bundles = {name: entry for name, entry in read_manifest(folder, split).items() if (path.parent / name).is_dir()}
    bundles |= {name: {"key": key, "sha256": digest} for name, (key, digest) in made.items()}
    bundles = dict(sorted(bundles.items()))
    lines = "".join(f"{name} {entry['sha256']}\n" for name, entry in bundles.items())
    total = hashlib.sha256(lines.encode()).hexdigest()
    text = json.dumps({"split": split, "sha256": total, "bundles": bundles}, indent=1) + "\n"
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
    return total


def read_manifest(folder: str | os.PathLike[str], split: str) -> dict[str, dict[str, str]]:
    """Bundle name -> {"key", "sha256"}; empty where there is no manifest. errors  InputError: it is damaged"""
    path = manifest_path(folder, split)
    if not path.is_file():
        return {}
    try:
        bundles = json.loads(path.read_text(encoding="utf-8"))["bundles"]
        return {
            str(name): {"key": str(entry["key"]), "sha256": str(entry["sha256"])} for name, entry in bundles.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: found no manifest ({error!r}). Delete it; the next run writes it again") from error


def _digest(table: dict[tuple[str, str], tuple[str, list[int], str]]) -> str:
    lines = (f"{layer}/{name} {dtype} {shape} {sha}\n" for (layer, name), (dtype, shape, sha) in sorted(table.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()
