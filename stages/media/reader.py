"""Streams the frames of a normalised MP4 (never of a stranger's file) in small blocks."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np

from stages.core.errors import InputError, WeightsError
from stages.media.ffmpeg import checked_file

_BLOCK_FRAMES = 8


class VideoReader:
    """Frames of a file written by `normalise` or `write_video`, one at a time; a context manager.

    fps      Fraction
    size     (height, width) px
    times_s  float64 [T], n / fps
    iterating gives uint8 [H, W, 3] RGB; longer films are read part by part, so that few decoded frames are held
    errors   InputError when the file is not readable; WeightsError when decord is not installed
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = checked_file(path)
        try:
            import decord
        except ImportError:
            raise WeightsError("decord: not installed; install it with: pip install decord (or decord2)") from None
        from stages.media.probe import snap_rate

        self._folder: tempfile.TemporaryDirectory | None = None
        try:
            video = decord.VideoReader(str(self.path), ctx=decord.cpu(0), num_threads=1)
            self._count, rate = len(video), video.get_avg_fps()
            del video
            self.fps: Fraction = snap_rate(rate, 0.004)
            self._parts = self._cut()
            self._open: tuple[int, object] = (-1, None)
            first = self._part(0)[0].asnumpy() if self._count else None
        except (decord.DECORDError, RuntimeError, IndexError) as error:
            raise InputError(f"{self.path}: cannot be decoded ({str(error).splitlines()[0][:120]})") from None
        if first is None:
            raise InputError(f"{self.path}: has no frames, expected at least one")
        self.size: tuple[int, int] = first.shape[:2]
        self._padded = first.shape[2] != 3

    def __len__(self) -> int:
        return self._count

    @property
    def times_s(self) -> np.ndarray:
        return np.arange(self._count, dtype=np.float64) / float(self.fps)

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._parts, self._open = [], (-1, None)
        if self._folder is not None:
            self._folder.cleanup()

    def frame(self, index: int) -> np.ndarray:
        """uint8 [H, W, 3] of one frame. errors  InputError when there is no such frame"""
        if not 0 <= index < self._count:
            raise InputError(f"{self.path}: has frames 0 to {self._count - 1}, found {index}")
        return self._read(index, index + 1)[0]

    def blocks(self, frames: int = _BLOCK_FRAMES) -> Iterator[np.ndarray]:
        """uint8 [n, H, W, 3] blocks of at most `frames`, in order."""
        for start in range(0, self._count, frames):
            yield self._read(start, min(start + frames, self._count))

    def __iter__(self) -> Iterator[np.ndarray]:
        for block in self.blocks():
            yield from block

    def _read(self, start: int, stop: int) -> np.ndarray:
        if not self._parts:
            raise ValueError("VideoReader: used after it was closed")
        pieces = []
        first = 0
        for number, (_, count) in enumerate(self._parts):
            low, high = max(start, first), min(stop, first + count)
            if low < high:
                pieces.append(self._decode(number, range(low - first, high - first), low))
            first += count
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _decode(self, number: int, frames: range, named: int) -> np.ndarray:
        try:
            part = self._part(number)
            if self._padded:
                return np.stack([_unpadded(part[index].asnumpy()) for index in frames])
            return part.get_batch(frames).asnumpy()
        except (RuntimeError, IndexError) as error:  # decord.DECORDError is a RuntimeError
            raise InputError(
                f"{self.path}: frame {named} cannot be decoded ({str(error).splitlines()[0][:120]})"
            ) from None

    def _part(self, number: int):
        """decord's reader of one part; only one is open at a time."""
        import decord

        if self._open[0] != number:
            self._open = (-1, None)
            video = decord.VideoReader(str(self._parts[number][0]), ctx=decord.cpu(0), num_threads=1)
            self._open = (number, video)
        return self._open[1]

    def _cut(self) -> list[tuple[Path, int]]:
        """(file, frames) of the parts: the film itself when it is short."""
        from stages.media.parts import PART_FRAMES, split_film

        if self._count <= 2 * PART_FRAMES:
            return [(self.path, self._count)]
        self._folder = tempfile.TemporaryDirectory(prefix="dreamactor-")
        return split_film(self.path, Path(self._folder.name), self.fps, self._count)


def _unpadded(frame_u8: np.ndarray) -> np.ndarray:
    """The picture in an array of decord 0.6, which takes the padding of narrow rows for further channels.

    It happens where 64 bytes of alignment make a row a whole multiple, over 3, of its width (16, 24, 48 px); its
    get_batch cannot read such a file at all.
    """
    height, width, _ = frame_u8.shape
    return frame_u8.reshape(height, -1)[:, : width * 3].reshape(height, width, 3)


@contextmanager
def frames_from_bytes(mp4_u8: np.ndarray | bytes) -> Iterator[VideoReader]:
    """A VideoReader over a normalised MP4 held in memory; its temporary file is gone afterwards.

    mp4_u8  uint8 [N] or bytes, the whole file
    errors  InputError when the bytes are no readable video
    """
    with bytes_as_file(mp4_u8) as path, VideoReader(path) as reader:
        yield reader


class StillReader:
    """One photo with the interface of VideoReader: a clip of a single frame."""

    def __init__(self, frame_u8: np.ndarray) -> None:
        self._frame = frame_u8
        self.size: tuple[int, int] = frame_u8.shape[:2]
        self.fps = Fraction(1)
        self.times_s = np.zeros(1)

    def __len__(self) -> int:
        return 1

    def frame(self, index: int) -> np.ndarray:
        """uint8 [H, W, 3]. errors  InputError when index is not 0"""
        if index != 0:
            raise InputError(f"a photo has only frame 0, found {index}")
        return self._frame

    def blocks(self, frames: int = _BLOCK_FRAMES) -> Iterator[np.ndarray]:
        """The one block uint8 [1, H, W, 3]; `frames` is there for VideoReader's interface."""
        yield self._frame[None]

    def __iter__(self) -> Iterator[np.ndarray]:
        yield self._frame


@contextmanager
def clip_frames(bundle) -> Iterator[VideoReader | StillReader]:
    """A reader over the frames of a bundle's `clip` layer, video or photo, in bounded memory.

    bundle  a Bundle (only array_names, read and iter_frames are used)
    errors  InputError when the layer is damaged or its media cannot be decoded
    """
    if "media" not in bundle.array_names("clip"):
        yield StillReader(bundle.read("clip", "frames")[0])
        return
    with clip_media(bundle) as path, VideoReader(path) as reader:
        yield reader


@contextmanager
def clip_media(bundle) -> Iterator[Path]:
    """Path of a temporary copy of a bundle's normalised MP4 (with its sound), written block by block."""
    with tempfile.TemporaryDirectory(prefix="dreamactor-") as folder:
        path = Path(folder) / "media.mp4"
        with path.open("wb") as file:
            for block in bundle.iter_frames("clip", "media", 1 << 22):
                file.write(np.ascontiguousarray(block, np.uint8).data)
        yield path


@contextmanager
def bytes_as_file(data: np.ndarray | bytes, suffix: str = ".mp4") -> Iterator[Path]:
    """Path of a temporary file that holds `data`, for programs that need a name."""
    with tempfile.TemporaryDirectory(prefix="dreamactor-") as folder:
        path = Path(folder) / f"media{suffix}"
        if isinstance(data, np.ndarray):
            np.ascontiguousarray(data, np.uint8).tofile(path)
        else:
            path.write_bytes(data)
        yield path
