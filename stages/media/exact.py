"""The frames of a film exactly as the file holds them: no new encoding, no change of rate or size.

For measuring. Films go through ffmpeg once, as pictures on a pipe; folders of pictures and arrays are read as they are.
A film that breaks off or decodes with errors is refused, because a measure of it would be of something else.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np

from stages.core.errors import InputError
from stages.media.ffmpeg import Log, checked_file, command, input_arguments, split_level, stop
from stages.media.photo import read_photo
from stages.media.probe import MediaInfo, probe_video

# Every choice between the file and the numbers; changes here change every signature.
DECODE = (
    "rgb24|stored-pixels|rate:none|matrix:by-tag-else-601-below-720|scaler:bicubic,accurate,full-chroma,bitexact"
    "|alpha:on-white|size:generated-to-real,aspect-1%|v1"
)
PICTURES = frozenset(".png .jpg .jpeg .bmp .webp .tif .tiff .ppm .avif".split())
_SCALER = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact:sws_dither=none:out_range=pc"
_HEADER = re.compile(rb"P6\n(\d+) (\d+)\n255\n")
_NUMBER = re.compile(r"(\d+)")
_THREADS = 2


@dataclass(frozen=True)
class Film:
    """A film that can be read exactly.

    path    str, the file or folder;  kind  "video", "pictures" or "array"
    size    (H, W) px;  frames  int, how many there will be
    fps     Fraction; None = the source has no rate (pictures, arrays)
    codec   str, how the frames were stored: ffmpeg's name, "png", "raw"
    uneven  bool, True when the film's pictures do not follow an even rate
    files   the pictures in their order
    """

    path: str
    kind: str
    size: tuple[int, int]
    frames: int
    fps: Fraction | None
    codec: str
    uneven: bool = False
    files: tuple[Path, ...] = ()
    filters: str = ""

    def blocks(self, frames: int) -> Iterator[np.ndarray]:
        """uint8 [n, H, W, 3] blocks of at most `frames`, in order.

        errors  InputError: a frame cannot be decoded, has another size, or their number is not the one announced
        """
        found, held = 0, []
        for frame in self._frames():
            if frame.shape != (*self.size, 3):
                raise InputError(
                    f"{self.path}: frame {found} is {_by(frame.shape)}, expected {_by(self.size)} as the first one"
                )
            held.append(frame)
            found += 1
            if len(held) == frames:
                yield np.stack(held)
                held = []
        if held:
            yield np.stack(held)
        if found != self.frames:
            raise InputError(f"{self.path}: {found} frames were decoded, expected {self.frames}; the file is damaged")

    def first(self) -> np.ndarray:
        """uint8 [H, W, 3], the first frame."""
        return self.frame(0)

    def frame(self, index: int) -> np.ndarray:
        """uint8 [H, W, 3] of one frame. errors  InputError: there is no such frame, or it cannot be decoded"""
        if not 0 <= index < self.frames:
            raise InputError(f"{self.path}: has frames 0 to {self.frames - 1}, found {index}")
        frames = self._frames()
        try:
            for number, frame in enumerate(frames):
                if number == index:
                    return frame.copy()
        finally:
            frames.close()
        raise InputError(f"{self.path}: breaks off before frame {index}; the file is damaged")

    def _frames(self) -> Iterator[np.ndarray]:
        if self.kind == "pictures":
            return (read_photo(file) for file in self.files)
        if self.kind == "array":
            return _array_frames(self.path)
        return decode(Path(self.path), self.filters)


def open_film(path: str | os.PathLike[str]) -> Film:
    """The Film of a video file, a folder of pictures, one picture, or a .npy of uint8 [T, H, W, 3]. Cheap: headers,
    packet counts and one frame.

    errors  InputError: not readable, no frames, HDR, an array that is not 8-bit RGB
    """
    path = Path(path)
    if path.is_dir():
        return open_pictures(sorted_pictures(path), path)
    if path.suffix.lower() == ".npy":
        return _open_array(path)
    if path.suffix.lower() in PICTURES and _is_still(path):
        return open_pictures([path], path)
    return _open_video(path)


def sorted_pictures(folder: Path) -> list[Path]:
    """The pictures of a folder in the natural order of their names: 2 before 10; hidden files are left out."""
    names = [e.name for e in os.scandir(folder) if e.is_file() and Path(e.name).suffix.lower() in PICTURES]
    return [folder / name for name in sorted((n for n in names if not n.startswith(".")), key=natural_key)]


def natural_key(name: str) -> tuple:
    """Sort key that takes digits as numbers; equal numbers ("1", "01") fall back to the text."""
    return tuple((int(p), "") if p.isdecimal() else (-1, p) for p in _NUMBER.split(name)), name


def open_pictures(files: list[Path], path: Path) -> Film:
    """The Film of numbered pictures. errors  InputError: none, unreadable, or of several sizes (headers are read)"""
    from stages.media.probe import probe

    if not files:
        raise InputError(f"{path}: found no pictures, expected a folder of numbered ones")
    first = read_photo(files[0])
    for file in files[1:]:
        info = probe(file)
        if info.kind != "photo" or (info.height, info.width) != first.shape[:2]:
            found = f"{info.height}x{info.width}" if info.kind == "photo" else "a film"
            raise InputError(f"{file}: found {found}, expected a picture of {_by(first.shape)} like {files[0].name}")
    codec = files[0].suffix.lower().lstrip(".")
    return Film(str(path), "pictures", first.shape[:2], len(files), None, codec, files=tuple(files))


def _open_array(path: Path) -> Film:
    array = _mapped(checked_file(path))
    if array.dtype.kind == "f":
        sick = not np.isfinite(np.asarray(array[:64])).all()
        found = f"{array.dtype} with NaN or infinite values" if sick else str(array.dtype)
        raise InputError(
            f"{path}: found {found}, expected uint8 0..255. Round as your method does when it saves, for example "
            "numpy.rint(x * 255).astype('uint8')"
        )
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] != 3 or 0 in array.shape:
        raise InputError(
            f"{path}: found {array.dtype} {list(array.shape)}, expected uint8 [T, H, W, 3], at least 1 frame"
        )
    return Film(str(path), "array", array.shape[1:3], len(array), None, "raw")


def _mapped(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path}: not readable as .npy ({str(error)[:100]}), expected uint8 [T, H, W, 3]") from None


def _array_frames(path: str) -> Iterator[np.ndarray]:
    with open(path, "rb") as file:  # not mapped: pages of a mapped file count as this process's memory
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
        if fortran:
            raise InputError(f"{path}: found Fortran order, expected C order. Save it with numpy.ascontiguousarray")
        size = int(np.prod(shape[1:]))
        for _ in range(shape[0]):
            data = file.read(size)
            if len(data) == size:
                yield np.frombuffer(data, dtype).reshape(shape[1:])


def _is_still(path: Path) -> bool:
    from stages.media.photo import open_photo

    photo = open_photo(checked_file(path))
    if photo is None:
        return False
    photo.image.close()
    return True


def _open_video(path: Path) -> Film:
    file = checked_file(path)
    info = probe_video(file)
    if re.search(r"smpte2084|arib-std-b67", info.colour):
        raise InputError(f"{file}: found an HDR film, expected 8-bit SDR. Convert both sides the same way first")
    filters = _filters(info)
    frames = decode(file, filters)
    try:
        first = next(frames, None)
    finally:
        frames.close()
    if first is None:
        raise InputError(f"{file}: no frame could be decoded, expected a playable film")
    return Film(
        str(file), "video", first.shape[:2], _count(file), info.fps, info.codec, info.variable_fps, filters=filters
    )


def _count(file: Path) -> int:
    """Number of stored pictures, without decoding. errors  InputError: the container breaks off or is damaged"""
    arguments = command(*input_arguments(file), "-map", "0:V:0", "-c", "copy", "-f", "framecrc", "-")
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said)
        try:
            count = sum(line.startswith(b"0,") for line in child.stdout)
            code = child.wait()
        finally:
            stop(child)
        said.seek(0)
        _raise_if_damaged(file, code, said.read().decode("utf-8", "replace"), count)
    return count


def _filters(info: MediaInfo) -> str:
    """The chain to packed RGB, transparent pixels on white."""
    under = ""
    if info.has_alpha:
        under = (
            "format=rgba,split[top][under];[under]drawbox=c=white:t=fill:replace=1[white];"
            "[white][top]overlay=format=rgb,"
        )
    return f"{under}scale={_SCALER}{_assumed_matrix(info)},format=rgb24"


def _assumed_matrix(info: MediaInfo) -> str:
    from stages.media.normalise import assumed_matrix

    assumed = assumed_matrix(info)
    return f":in_color_matrix={assumed}" if assumed else ""


def decode(file: Path, filters: str) -> Iterator[np.ndarray]:
    """uint8 [H, W, 3] frames of a video file, every stored frame once, each of its own size.

    errors  InputError when ffmpeg reports any error
    """
    arguments = command(
        *input_arguments(file), "-map", "0:V:0", "-vf", filters, "-fps_mode", "passthrough", "-noautoscale",
        "-c:v", "ppm", "-f", "image2pipe", "-", threads=_THREADS,
    )  # fmt: skip
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said)
        try:
            count = 0
            while (frame := _read_ppm(child.stdout)) is not None:
                yield frame
                count += 1
            code = child.wait()
        finally:
            stop(child)
        said.seek(0)
        _raise_if_damaged(file, code, said.read().decode("utf-8", "replace"), count)


def _read_ppm(pipe: BinaryIO) -> np.ndarray | None:
    """The next picture; None at the end, also when the last one is cut off."""
    head = b"".join(pipe.readline() for _ in range(3))
    match = _HEADER.fullmatch(head)
    if match is None:
        return None
    frame = np.empty((int(match[2]), int(match[1]), 3), np.uint8)
    view, done = memoryview(frame.reshape(-1)), 0
    while done < len(view):
        step = pipe.readinto(view[done:])
        if not step:
            return None
        done += step
    return frame


def _raise_if_damaged(file: Path, code: int, said: str, count: int) -> None:
    log = Log(code)
    for line in said.splitlines():
        level, text = split_level(line)
        if level in ("panic", "fatal", "error"):
            log.errors.append(text)
    if code or log.errors:
        log.raise_if_out_of_space(file)
        raise InputError(
            f"{file}: damaged or cut short after about {count} frames ({log.reason()}), expected a film that decodes "
            "without errors. Make it again"
        )


def _by(shape: tuple[int, ...]) -> str:
    """ "HxW" of a shape."""
    return f"{shape[0]}x{shape[1]}"
