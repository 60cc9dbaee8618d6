"""Writing one layer: arrays are built in a hidden directory beside the bundle, then placed with one rename."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from stages.bundle.commit import BuildDirectory, bundle_lock, place, sync_tree
from stages.bundle.keys import plain, run_facts
from stages.bundle.meta import read_layer, read_root, with_digest
from stages.bundle.spec import ARRAY_NAME, ATTRIBUTE, LAYER_NAME, SCHEMA_VERSION, ArraySpec
from stages.core.errors import ConflictError, InputError

if TYPE_CHECKING:
    import numpy as np

_LARGE_FRAME_BYTES = 16 << 10
_FRAMES_PER_SHARD = 16
_CHUNK_BYTES = 4 << 20


class ArrayStream:
    """Frames appended to one array of a layer, with bounded memory (one chunk or shard is held back)."""

    def __init__(
        self,
        folder: Path,
        name: str,
        shape_tail: Sequence[int],
        spec: ArraySpec,
        chunk: Sequence[int] | None,
        length: int | None,
    ) -> None:
        self.name, self.spec, self.count = name, spec, 0
        self._folder, self._length = folder, length
        self._tail = tuple(int(n) for n in shape_tail)
        self._array: Any = None
        self._pending: list[np.ndarray] = []
        self._digest = hashlib.sha256()
        self._chunk_frames, self._batch_frames = _layout(self._tail, spec.dtype, chunk, length)

    def append(self, block: np.ndarray) -> None:
        """Add frames.

        block   [n, *shape_tail] (or one frame [*shape_tail]); cast only within its kind (f64 to f32, not to int)
        errors  ValueError: wrong shape, dtype or range, or more frames than announced
        """
        import numpy as np

        block = np.asarray(block)
        if block.ndim == len(self._tail):
            block = block[None]
        if block.shape[1:] != self._tail:
            raise ValueError(f"{self.name}: found a block of shape {block.shape}, expected [n, {self._tail}]")
        block = check_values(self.name, block, self.spec)
        self.count += len(block)
        if self._length is not None and self.count > self._length:
            raise ValueError(f"{self.name}: found {self.count} frames, expected {self._length}")
        self._digest.update(block.data if block.size else b"")
        start = 0
        while start < len(block):
            room = self._batch_frames - sum(len(part) for part in self._pending)
            self._pending.append(block[start : start + room].copy())
            start += room
            if room == len(self._pending[-1]):
                self._flush()

    def close(self) -> dict[str, Any]:
        """Write what is held back; returns the layer's table entry of the array."""
        if self._length is not None and self.count != self._length:
            raise ValueError(f"{self.name}: found {self.count} frames, expected {self._length}")
        self._flush(last=True)
        entry = {**self.spec.to_attributes(), "shape": [self.count, *self._tail], "sha256": self._digest.hexdigest()}
        self._array.attrs.put({ATTRIBUTE: entry})
        return entry

    def _flush(self, last: bool = False) -> None:
        import numpy as np

        frames = sum(len(part) for part in self._pending)
        if self._array is None:
            only = max(1, min(self._batch_frames, frames)) if last else self._batch_frames
            chunk = min(self._chunk_frames, only)
            shape = (0, *self._tail)
            self._array = create_array(self._folder / self.name, shape, self.spec, (chunk, *self._tail), only)
        if frames:
            start = self._array.shape[0]
            self._array.resize((start + frames, *self._tail))
            self._array[start : start + frames] = np.concatenate(self._pending)
            self._pending = []


class LayerWriter:
    """One new layer of a bundle; nothing is visible before `commit`, and without it everything is thrown away.

    path        the bundle; created when it does not exist
    key         from `layer_key`; attrs: plain JSON values for readers; provenance: from `make_provenance`
    overwrite   replace a layer with another key instead of raising ConflictError
    status      after `commit`: "written", "replaced", or "skipped" when another process put the same key there first
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        layer: str,
        *,
        key: str,
        attrs: Mapping[str, Any],
        provenance: Mapping[str, Any],
        overwrite: bool = False,
    ) -> None:
        if not LAYER_NAME.fullmatch(layer):
            raise ValueError(f"layer: found {layer!r}, expected lower case letters, digits and _")
        if len(key) != 64:
            raise ValueError(f"key: found {key!r}, expected 64 hex digits from layer_key")
        self.path, self.layer, self.key, self.status = Path(path).absolute(), layer, key, ""
        self._shown = os.fspath(path)
        self._attrs, self._overwrite = plain(attrs), overwrite
        self._provenance = {"ran": run_facts(), **plain(provenance)}
        self._streams: dict[str, ArrayStream] = {}
        self._build: BuildDirectory | None = None

    def __enter__(self) -> LayerWriter:
        if self.path.exists():
            read_root(self.path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._build = BuildDirectory(self.path, self.layer)
        except (PermissionError, NotADirectoryError, FileExistsError) as error:
            raise InputError(f"{self._shown}: cannot write beside it ({error.strerror})") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._build is not None:
            self._build.close()
            self._build = None

    def put(self, name: str, array: np.ndarray, spec: ArraySpec) -> None:
        """Add one whole array; its number of axes is that of spec.axes (a scalar has none)."""
        import numpy as np

        array = np.asarray(array)
        if array.ndim != len(spec.axes):
            raise ValueError(f"{name}: found an array of shape {array.shape}, expected the axes {spec.axes}")
        if array.ndim == 0:
            self._streams[name] = _Scalar(self._folder(name), name, check_values(name, array, spec), spec)
            return
        stream = self.stream(name, array.shape[1:], spec, length=len(array))
        stream.append(array)

    def stream(
        self,
        name: str,
        shape_tail: Sequence[int],
        spec: ArraySpec,
        chunk: Sequence[int] | None = None,
        length: int | None = None,
    ) -> ArrayStream:
        """A stream of frames [T, *shape_tail].

        chunk   frames (and the tail) of one chunk; None: one frame when it is 16 KiB or more (16 such chunks a shard),
                else as many as fit into 4 MiB
        length  the number of frames when it is known; `commit` then insists on it
        """
        if len(spec.axes) != 1 + len(tuple(shape_tail)):
            raise ValueError(f"{name}: found frames of shape {tuple(shape_tail)}, expected the axes {spec.axes}")
        stream = ArrayStream(self._folder(name), name, shape_tail, spec, chunk, length)
        self._streams[name] = stream
        return stream

    def commit(self) -> str:
        """Finish the arrays, write digests and key, sync, and place the layer with one rename; returns the status.

        errors  ConflictError when another process wrote the layer with another key meanwhile and not `overwrite`
        """
        if self._build is None:
            raise ValueError("commit: the writer is not open")
        arrays = {name: stream.close() for name, stream in self._streams.items()}
        new_layer = self._build.store / self.layer
        layer = {
            "layer": self.layer,
            "key": self.key,
            "attrs": self._attrs,
            "provenance": self._provenance,
            "arrays": arrays,
        }
        _write_group(self._build.store, {"schema": SCHEMA_VERSION})
        _write_group(new_layer, layer)
        sync_tree(self._build.store)
        with bundle_lock(self.path):
            self.status = self._place(new_layer)
        self._build.close()
        self._build = None
        return self.status

    def _place(self, new_layer: Path) -> str:
        assert self._build is not None
        if not self.path.exists():
            place(self._build.store, self.path)
            return "written"
        read_root(self.path)
        target = self.path / self.layer
        if target.exists() and not self._overwrite:
            there = read_layer(self.path, self.layer)["key"]
            if there == self.key:
                return "skipped"
            raise ConflictError(
                f"{self._shown}: layer '{self.layer}' was written with other settings by another process meanwhile."
                " --overwrite replaces it"
            )
        return "replaced" if place(new_layer, target) else "written"

    def _folder(self, name: str) -> Path:
        if self._build is None:
            raise ValueError("LayerWriter: use it in a with statement")
        if not ARRAY_NAME.fullmatch(name) or name in self._streams:
            raise ValueError(f"array: found {name!r}, expected a new name of letters, digits and _")
        return self._build.store / self.layer


class _Scalar:
    """An array without axes, with the same `close` as a stream."""

    def __init__(self, folder: Path, name: str, value: np.ndarray, spec: ArraySpec) -> None:
        self._path, self._value, self._spec = folder / name, value, spec

    def close(self) -> dict[str, Any]:
        array = create_array(self._path, (), self._spec, (), 1)
        array[()] = self._value
        entry = {**self._spec.to_attributes(), "shape": [], "sha256": hashlib.sha256(self._value.tobytes()).hexdigest()}
        array.attrs.put({ATTRIBUTE: entry})
        return entry


def check_values(name: str, array: np.ndarray, spec: ArraySpec) -> np.ndarray:
    """The array in the spec's dtype, C order.

    errors  ValueError when the cast would change the kind or a value lies outside valid_range (1e-6 relative slack)
    """
    import numpy as np

    dtype = np.dtype(spec.dtype)
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        raise ValueError(f"{name}: found dtype {array.dtype}, expected {dtype}")
    array = np.ascontiguousarray(array, dtype=dtype).reshape(array.shape)
    problem = range_problem(array, spec.valid_range)
    if problem:
        raise ValueError(f"{name}: {problem}")
    return array


def range_problem(array: np.ndarray, valid_range: Sequence[float] | None) -> str:
    """What is wrong with the values, "" when all finite ones lie in the range; infinities are never fine."""
    import numpy as np

    if array.dtype.kind == "f" and np.isinf(array).any():
        return "found an infinite value, expected finite ones or NaN"
    if valid_range is None or array.size == 0 or (array.dtype.kind == "f" and np.isnan(array).all()):
        return ""
    low, high = valid_range
    least, most = float(np.nanmin(array)), float(np.nanmax(array))
    slack = 1e-6 * max(abs(v) for v in (low, high, 1.0) if math.isfinite(v))
    if least < low - slack or most > high + slack:
        return f"found values {least:.6g}..{most:.6g}, expected {low:g}..{high:g}"
    return ""


def create_array(path: Path, shape: tuple[int, ...], spec: ArraySpec, chunk: tuple[int, ...], batch_frames: int) -> Any:
    """A new Zarr v3 array at `path`: zstd then crc32c, empty chunks written too, one shard per batch of frames."""
    import zarr
    from zarr.codecs import Crc32cCodec, ZstdCodec
    from zarr.storage import LocalStore

    chunk = tuple(max(1, n) for n in chunk)
    shards = (batch_frames, *chunk[1:]) if chunk and batch_frames > chunk[0] else None
    return zarr.create_array(
        store=LocalStore(path),
        shape=shape,
        dtype=spec.dtype,
        chunks=chunk,
        shards=shards,
        compressors=[ZstdCodec(level=1), Crc32cCodec()],
        filters=None,
        fill_value=spec.fill,
        dimension_names=list(spec.axes) or None,
        config={"write_empty_chunks": True},
        overwrite=False,
    )


def _layout(tail: tuple[int, ...], dtype: str, chunk: Sequence[int] | None, length: int | None) -> tuple[int, int]:
    """Frames a chunk and frames written at once (a shard when it is more than one chunk)."""
    import numpy as np

    frame_bytes = max(1, math.prod(tail) * np.dtype(dtype).itemsize)
    if chunk is not None:
        chunk_frames = max(1, int(chunk[0]))
    else:
        chunk_frames = 1 if frame_bytes >= _LARGE_FRAME_BYTES else max(1, _CHUNK_BYTES // frame_bytes)
    if frame_bytes >= _LARGE_FRAME_BYTES and chunk_frames < _FRAMES_PER_SHARD:
        batch = chunk_frames * max(1, _FRAMES_PER_SHARD // chunk_frames)
    else:
        batch = chunk_frames
    if length is not None and length < batch:
        chunk_frames = min(chunk_frames, max(1, length))
        batch = chunk_frames * -(-max(1, length) // chunk_frames)
    return chunk_frames, batch


def _write_group(folder: Path, values: Mapping[str, Any]) -> None:
    """Write the zarr.json of a group with our attributes and their digest."""
    document = {"zarr_format": 3, "node_type": "group", "attributes": {ATTRIBUTE: with_digest(values)}}
    (folder / "zarr.json").write_text(
        json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8"
    )
