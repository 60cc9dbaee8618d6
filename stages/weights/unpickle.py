"""Arrays out of pickled weight files, without letting the file call anything.

A pickle is a program. This reader knows the few names that weight files need and gives each an inert stand-in of its
own; every other name ends the reading, so that nothing a file asks for is ever imported or called.
"""

from __future__ import annotations

import io
import itertools
import math
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stages.core.errors import WeightsError

MAX_FILE_BYTES = 4 << 30
MAX_NODES = 100_000  # dicts, lists, arrays: a few bytes can describe a tree that doubles at every level
_NUMPY_TYPES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")
_STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}
_TORCH_MAGIC = 0x1950A86A20F9469CFC6C


class Record:
    """An object whose class is not wanted, only its attributes."""

    def __init__(self, *_: Any) -> None:
        self.attributes: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        state = state[0] if isinstance(state, tuple) and state else state
        self.attributes = dict(state) if isinstance(state, dict) else {}


class _Ordered(dict):
    """A state dict of torch; its `_metadata` is not wanted."""

    def __setstate__(self, _: Any) -> None:
        return None


class _Dtype:
    def __init__(self, code: Any, *_: Any) -> None:
        if str(code) not in _NUMPY_TYPES:
            raise pickle.UnpicklingError(f"holds values of type {str(code)[:20]!r}, expected plain numbers")
        self.numpy = np.dtype(str(code))

    def __setstate__(self, state: Any) -> None:
        order = state[1]
        if order not in ("<", "|", "=", ">") or any(part is not None for part in state[2:5]):
            raise pickle.UnpicklingError("holds structured values, expected plain numbers")
        self.numpy = self.numpy.newbyteorder(order)


class _Array:
    """What `numpy.core.multiarray._reconstruct` begins: filled by the BUILD that follows."""

    def __init__(self, *_: Any) -> None:
        self.value: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, data = state
        if not isinstance(dtype, _Dtype) or not isinstance(data, (bytes, bytearray)):
            raise pickle.UnpicklingError("holds an array of objects, expected plain numbers")
        if not all(isinstance(n, int) and n >= 0 for n in shape) or math.prod(shape) * dtype.numpy.itemsize != len(
            data
        ):
            raise pickle.UnpicklingError(f"holds an array whose shape {shape} does not fit its bytes")
        flat = np.frombuffer(data, dtype.numpy)
        self.value = flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)


class _Storage:
    """A marker for torch's storage classes."""

    def __init__(self, dtype: str) -> None:
        self.dtype = np.dtype(dtype)


class _Late:
    """A tensor of the older torch format, whose numbers stand behind the pickle."""

    def __init__(self, make: Callable[[], np.ndarray]) -> None:
        self.make = make


def _from_buffer(data: Any, dtype: Any, shape: tuple, order: str) -> _Array:
    array = _Array()
    array.__setstate__((None, shape, dtype, order == "F", data))
    return array


def _no_bytes() -> bytes:
    return b""


def _scalar(dtype: _Dtype, data: bytes) -> np.ndarray:
    return np.frombuffer(data, dtype.numpy, count=1).reshape(())


def _latin(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"encodes text as {encoding!r}, expected latin1")
    return text.encode("latin1")


def _tensor(storage: Any, offset: int, shape: tuple, stride: tuple, *_: Any) -> Any:
    def make() -> np.ndarray:
        values = storage() if callable(storage) else storage
        last = offset + sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
        if min((offset, *shape, *stride), default=0) < 0 or (math.prod(shape) and last >= values.size):
            raise pickle.UnpicklingError(f"holds a tensor {shape} that reaches beyond its storage")
        steps = tuple(step * values.itemsize for step in stride)
        return np.lib.stride_tricks.as_strided(values[offset:], shape, steps).copy()

    return _Late(make)


class _Reader(pickle.Unpickler):
    def __init__(self, file: io.IOBase, storage: Callable[[np.dtype, str, int], Any] | None = None) -> None:
        super().__init__(file)
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _STAND_INS:
            return _STAND_INS[module, name]
        if module == "torch" and name in _STORAGES:
            return _Storage(_STORAGES[name])
        if module.startswith("__torch__"):
            return Record
        raise pickle.UnpicklingError(f"asks for {f'{module}.{name}'[:60]!r}")

    def persistent_load(self, mark: Any) -> Any:
        if self._storage is None or not isinstance(mark, tuple) or len(mark) < 5 or mark[0] != "storage":
            raise pickle.UnpicklingError("refers to something outside the file")
        _, kind, key, _, count = mark[:5]
        if not isinstance(kind, _Storage) or not isinstance(count, int) or (len(mark) > 5 and mark[5] is not None):
            raise pickle.UnpicklingError("refers to something outside the file")
        return self._storage(kind.dtype, str(key), count)


_STAND_INS: Mapping[tuple[str, str], Any] = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _from_buffer for core in ("core", "_core")},
    **{(builtins, "bytes"): _no_bytes for builtins in ("builtins", "__builtin__")},  # how old protocols write b""
    ("numpy", "ndarray"): None,  # only ever an argument of _reconstruct
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _latin,
    ("collections", "OrderedDict"): _Ordered,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
    **{("torch.jit._pickle", f"build_{kind}list"): list for kind in ("int", "double", "bool", "tensor")},
    ("torch.jit._pickle", "restore_type_tag"): lambda value, _: value,
}


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Every array of a pickled weights file by its dotted name, in the file's order.

    path    a pickle of nested dicts of numpy arrays, a torch file of either format, or a TorchScript archive
    errors  WeightsError, one line: another kind of file, or one that asks for anything but arrays
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise pickle.UnpicklingError(f"has more than {MAX_FILE_BYTES >> 30} GiB")
        if zipfile.is_zipfile(path):
            tree = _read_zip(path)
        else:
            tree = _read_plain(path)
        return _flat(tree)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}). Give an existing file") from None
    except Exception as error:  # a damaged or hostile pickle can fail in any way; all of them mean: not used
        reason = str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
        raise WeightsError(f"{path}: {reason}; expected a file of nothing but arrays. Not used") from None


def _read_zip(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        roots = [name.removesuffix("data.pkl") for name in sizes if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(roots) != 1 or sum(sizes.values()) > MAX_FILE_BYTES:
            raise pickle.UnpicklingError("is a zip archive, but not one of torch")
        (root,) = roots
        if f"{root}byteorder" in sizes and archive.read(f"{root}byteorder") != b"little":
            raise pickle.UnpicklingError("is in big-endian byte order, expected little")

        def storage(dtype: np.dtype, key: str, count: int) -> np.ndarray:
            data = archive.read(f"{root}data/{key}")
            if len(data) != count * dtype.itemsize:
                raise pickle.UnpicklingError(f"storage {key} has {len(data)} bytes, expected {count * dtype.itemsize}")
            return np.frombuffer(data, dtype)

        return _Reader(io.BytesIO(archive.read(f"{root}data.pkl")), storage).load()


def _read_plain(path: Path) -> Any:
    with open(path, "rb") as file:
        first = _Reader(file).load()
        if first != _TORCH_MAGIC:
            return first
        _Reader(file).load(), _Reader(file).load()  # format version, machine
        stored: dict[str, np.ndarray] = {}
        dtypes: dict[str, np.dtype] = {}

        def storage(dtype: np.dtype, key: str, count: int) -> Callable[[], np.ndarray]:
            dtypes[key] = dtype
            return lambda: stored[key]

        tree = _Reader(file, storage).load()
        for key in _Reader(file).load():
            (count,) = struct.unpack("<q", file.read(8))
            stored[str(key)] = np.frombuffer(file.read(count * dtypes[str(key)].itemsize), dtypes[str(key)], count)
        return _flat(tree)


def _flat(tree: Any) -> dict[str, np.ndarray]:
    return dict(_leaves(tree, "", itertools.count()))


def _leaves(tree: Any, prefix: str, nodes: Iterator[int]) -> Iterator[tuple[str, np.ndarray]]:
    if next(nodes) > MAX_NODES:
        raise pickle.UnpicklingError(f"holds more than {MAX_NODES} things")
    tree = tree.attributes if isinstance(tree, Record) else tree
    if isinstance(tree, Mapping):
        for name, value in tree.items():
            yield from _leaves(value, f"{prefix}.{name}" if prefix else str(name), nodes)
    elif isinstance(tree, (list, tuple)):
        for number, value in enumerate(tree):
            yield from _leaves(value, f"{prefix}.{number}" if prefix else str(number), nodes)
    else:
        value = tree.make() if isinstance(tree, _Late) else tree.value if isinstance(tree, _Array) else tree
        if isinstance(value, np.ndarray):
            yield prefix, value
