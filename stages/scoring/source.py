"""Opens whatever can be scored as exact frames, and tells cheaply whether it is still the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stages.core.errors import InputError
from stages.media.exact import Film, open_film, sorted_pictures

if TYPE_CHECKING:
    from stages.bundle import Bundle


@dataclass(frozen=True)
class StoredFrames:
    """Frames kept in a bundle as they are, with the interface of stages.media.exact.Film."""

    bundle: Bundle
    layer: str
    path: str
    size: tuple[int, int]
    frames: int
    fps: Fraction | None
    kind: str = "bundle"
    codec: str = "raw"
    uneven: bool = False

    def blocks(self, frames: int) -> Iterator[np.ndarray]:
        """uint8 [n, H, W, 3] blocks of at most `frames`, in order. errors  InputError: damaged"""
        return self.bundle.iter_frames(self.layer, "frames", frames)

    def first(self) -> np.ndarray:
        """uint8 [H, W, 3], the first frame."""
        return self.frame(0)

    def frame(self, index: int) -> np.ndarray:
        """uint8 [H, W, 3] of one frame. errors  InputError: there is no such frame"""
        if not 0 <= index < self.frames:
            raise InputError(f"{self.path}: has frames 0 to {self.frames - 1}, found {index}")
        return self.bundle.read(self.layer, "frames", frames=slice(index, index + 1))[0]


def open_source(path: str) -> Film | StoredFrames:
    """Exact frames of a film, pictures, an array, or a bundle.

    Of a bundle: the exact frames of a synthetic clip, a stored photo, or the film it was made from (its sha256 is
    checked) - never the bundle's own copy of a film, which is encoded anew.
    errors  InputError: unreadable; a bundle whose film is gone, changed, or was cut or re-timed
    """
    return _open_bundle(path) if path.rstrip("/").endswith(".zarr") else open_film(path)


def _open_bundle(path: str) -> Film | StoredFrames:
    from stages.bundle import open_bundle

    bundle = open_bundle(path)
    bundle.require("clip")
    clip = bundle.attrs("clip")
    fps = Fraction(clip["fps"])
    for layer in ("truth", "clip"):
        if bundle.has(layer) and "frames" in bundle.array_names(layer):
            shape = bundle.array_info(layer, "frames")["shape"]
            return StoredFrames(bundle, layer, path, tuple(shape[1:3]), shape[0], fps)
    source = bundle_source(path, clip)
    film = open_film(source)
    if film.frames != clip["frame_count"]:
        raise InputError(
            f"{path}: its clip has {clip['frame_count']} frames, its film {source} {film.frames}: it was cut or "
            "re-timed. Give a film that has the frames to score"
        )
    return film


def bundle_source(path: str, clip: dict) -> Path:
    """The film a bundle was made from, beside the bundle or where it was. errors  InputError: gone or changed"""
    from stages.weights.checkpoint import file_sha256

    named = Path(clip["source"]["path"])
    found = next((p for p in (named, Path(path).parent / named.name) if p.is_file()), None)
    if found is None:
        raise InputError(f"{path}: its film {named} is not there, and the bundle's copy is encoded anew. Give the film")
    if file_sha256(found) != clip["source"]["sha256"]:
        raise InputError(f"{path}: {found} is another film than the one it was made from (sha256). Give the film")
    return found


def stamp(path: str) -> list:
    """What changes when a source is written anew: sizes and times of its files, or the keys of a bundle's layers."""
    if path.rstrip("/").endswith(".zarr"):
        return ["bundle", digest(path)]
    files = sorted_pictures(Path(path)) if os.path.isdir(path) else [Path(path)]
    try:
        states = [(file.name, file.stat()) for file in files]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    text = repr([(name, state.st_size, state.st_mtime_ns, state.st_ino) for name, state in states])
    return ["files", hashlib.sha256(text.encode()).hexdigest()]


def digest(path: str) -> str:
    """sha256 over the bytes of a source's files (names do not count), or over the keys of a bundle's layers."""
    from stages.weights.checkpoint import file_sha256

    if path.rstrip("/").endswith(".zarr"):
        from stages.bundle import open_bundle

        bundle = open_bundle(path)
        keys = [bundle.key(layer) for layer in ("clip", "truth") if bundle.has(layer)]
        return hashlib.sha256("".join(keys).encode()).hexdigest()
    if not os.path.isdir(path):
        return file_sha256(Path(path))
    total = hashlib.sha256()
    for file in sorted_pictures(Path(path)):
        total.update(bytes.fromhex(file_sha256(file)))
    return total.hexdigest()
