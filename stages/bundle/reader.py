"""Reading a bundle: metadata as plain JSON, arrays through zarr, every byte checked against its sha256."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.bundle.meta import list_layers, missing_chunk, read_array_metadata, read_layer, read_root
from stages.core.errors import InputError

if TYPE_CHECKING:
    import numpy as np

_MAKERS = {
    "clip": "dreamactor extract-pose VIDEO -o {path}",
    "pose": "dreamactor extract-pose VIDEO -o {path}",
    "body": "dreamactor render-spheres {path} --ref PHOTO",
    "head": "dreamactor render-spheres {path} --ref PHOTO",
    "face": "dreamactor encode-face {path}",
    "refs": "dreamactor pick-refs {path}",
    "frames": "dreamactor score GENERATED --real REAL -o RUN",
    "video": "dreamactor animate {path} --ref PHOTO",
}


class Bundle:
    """An existing bundle, open for reading. Nothing is cached but metadata."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._layers: dict[str, dict[str, Any]] = {}

    @cached_property
    def schema(self) -> str:
        """The schema version, for example "1.0"."""
        return read_root(self.path)["schema"]

    def layers(self) -> list[str]:
        """Names of the layers, sorted."""
        return list_layers(self.path)

    def has(self, layer: str) -> bool:
        """True when the layer is there."""
        return layer in self.layers()

    def require(self, *layers: str) -> None:
        """Nothing when all layers are there; InputError that names the command which makes the first missing one."""
        for layer in layers:
            if not self.has(layer):
                maker = _MAKERS.get(layer, "the stage that writes it").format(path=self.path)
                raise InputError(f"{self.path}: layer '{layer}' is missing. Make it with: {maker}")

    def key(self, layer: str) -> str:
        """The key of a layer (sha256 hex)."""
        return self._layer(layer)["key"]

    def attrs(self, layer: str) -> dict[str, Any]:
        """The attributes a stage left for readers."""
        return self._layer(layer)["attrs"]

    def provenance(self, layer: str) -> dict[str, Any]:
        """How the layer was made: {"decides": ..., "item": ..., "ran": ...}."""
        return self._layer(layer)["provenance"]

    def array_names(self, layer: str) -> list[str]:
        """Names of the arrays of a layer, in the order of writing."""
        return list(self._layer(layer)["arrays"])

    def array_info(self, layer: str, name: str) -> dict[str, Any]:
        """The table entry of an array: dtype, axes, unit, valid_range, fill, meaning, shape, sha256."""
        arrays = self._layer(layer)["arrays"]
        if name not in arrays:
            raise InputError(f"{self.path}: layer '{layer}' has no array '{name}', expected one of {', '.join(arrays)}")
        return arrays[name]

    def read(self, layer: str, name: str, *, frames: slice | None = None) -> np.ndarray:
        """The array, or some of its frames.

        frames   slice of the first axis. A whole read is checked against the sha256; a part against the chunks'
                 presence and their CRC-32C
        errors   InputError when the array or a chunk is missing or damaged
        """
        array = self._open(layer, name, frames)
        values = self._take(layer, name, array, slice(None) if frames is None else frames)
        if frames is None:
            self._check(layer, name, hashlib.sha256(values.tobytes()).hexdigest())
        return values

    def iter_frames(self, layer: str, name: str, block: int = 16) -> Iterator[np.ndarray]:
        """Blocks of at most `block` frames in order; the sha256 is checked after the last one (InputError)."""
        array = self._open(layer, name, None)
        digest = hashlib.sha256()
        for start in range(0, array.shape[0], block):
            values = self._take(layer, name, array, slice(start, start + block))
            digest.update(values.tobytes())
            yield values
        self._check(layer, name, digest.hexdigest())

    def _layer(self, layer: str) -> dict[str, Any]:
        if layer not in self._layers:
            self.require(layer)
            self._layers[layer] = read_layer(self.path, layer)
        return self._layers[layer]

    def _open(self, layer: str, name: str, frames: slice | None) -> Any:
        entry = self.array_info(layer, name)
        metadata = read_array_metadata(self.path, layer, name, entry)
        missing = missing_chunk(self.path, layer, name, metadata, frames)
        if missing:
            raise InputError(f"{self.path}: array '{layer}/{name}': chunk {missing} is missing. {self._remedy(layer)}")
        import zarr

        try:
            return zarr.open_array(self.path / layer / name, mode="r", zarr_format=3)
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise InputError(
                f"{self.path}: array '{layer}/{name}': cannot be opened ({type(error).__name__}). {self._remedy(layer)}"
            ) from error

    def _take(self, layer: str, name: str, array: Any, frames: slice) -> np.ndarray:
        import numpy as np

        try:
            values = array[()] if array.ndim == 0 else array[frames]
        except MemoryError:
            raise
        except Exception as error:  # zarr's codecs raise many kinds, all of them mean the same here
            raise InputError(
                f"{self.path}: array '{layer}/{name}': found damaged bytes. {self._remedy(layer)}"
            ) from error
        return np.asarray(values)

    def _check(self, layer: str, name: str, found: str) -> None:
        expected = self.array_info(layer, name)["sha256"]
        if found != expected:
            raise InputError(
                f"{self.path}: array '{layer}/{name}': found sha256 {found[:12]}, expected {expected[:12]}."
                f" {self._remedy(layer)}"
            )

    def _remedy(self, layer: str) -> str:
        maker = _MAKERS.get(layer, "").format(path=self.path)
        return f"Make it again with: {maker} --overwrite" if maker else "Make the layer again with --overwrite"


def open_bundle(path: str | os.PathLike[str]) -> Bundle:
    """The bundle at a path.

    errors  InputError: nothing there, not a bundle, made by a newer schema, or damaged
    """
    bundle = Bundle(Path(path))
    read_root(bundle.path)
    return bundle
