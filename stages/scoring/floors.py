"""Rows to compare with, made from the real films alone: what a codec does, what standing still gives."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from stages.core.errors import InputError, UsageError
from stages.media.exact import open_film
from stages.media.ffmpeg import Log, command, split_level, stop
from stages.metrics.resize import resize_u8

if TYPE_CHECKING:
    from stages.media.exact import Film
    from stages.scoring.clips import Clip

HALVES = "one half of the real films against the other"
FLOORS = ("codec", "static", "halves")
MADE = ("codec", "static")  # those that have frames
_CRF = 23
_ASPECT_SLACK = 0.01


def parse_floors(text: str) -> tuple[str, ...]:
    """The kinds named, in our order. errors  UsageError: another word"""
    named = {word.strip() for word in text.split(",") if word.strip()}
    unknown = sorted(named - set(FLOORS))
    if unknown:
        raise UsageError(f"--floors: found {unknown[0]!r}, expected {', '.join(FLOORS)}")
    return tuple(kind for kind in FLOORS if kind in named)


def floor_clip(clip: Clip, kind: str) -> Clip:
    """The clip with frames made from its real film, which it must have, in place of the generated ones."""
    assert clip.real is not None
    if kind == "codec":
        return replace(
            clip, generated=CodecFilm(clip.real, f"real film through {encoder_version()}, crf {_CRF}", clip.fps)
        )
    photo = None if clip.reference_frame >= 0 else clip.reference_u8()
    if photo is not None:
        height, width = clip.real.size
        if abs(photo.shape[0] * width / (photo.shape[1] * height) - 1) <= _ASPECT_SLACK:
            still = resize_u8(photo[None], clip.real.size, "lanczos")[0]
            return replace(clip, generated=StillFilm(clip.real, "reference picture held still", still))
    frame = max(clip.reference_frame, 0)
    made = "reference frame held still" if clip.reference_frame >= 0 else "first real frame held still"
    return replace(clip, generated=StillFilm(clip.real, made, clip.real.frame(frame)))


@cache
def encoder_version() -> str:
    """ "x264 core 164 r3108" of the ffmpeg in use."""
    with tempfile.TemporaryDirectory(prefix="dreamactor-") as folder:
        said = _encode(iter([np.zeros((16, 16, 3), np.uint8)]), (16, 16), Fraction(25), Path(folder) / "a.mp4")
    match = re.search(r"264 - (core \d+(?: r\d+)?)", said)
    return f"x264 {match[1]}" if match else "x264"


@dataclass(frozen=True)
class _Made:
    """A film made from a real one, with the interface of Film: of its path, length and rate."""

    real: Film
    made: str
    uneven: ClassVar[bool] = False

    @property
    def path(self) -> str:
        return self.real.path

    @property
    def frames(self) -> int:
        return self.real.frames

    @property
    def fps(self) -> Fraction | None:
        return self.real.fps


@dataclass(frozen=True)
class StillFilm(_Made):
    """One picture for as long as another film."""

    picture_u8: np.ndarray
    kind: ClassVar[str] = "still"
    codec: ClassVar[str] = "raw"

    @property
    def size(self) -> tuple[int, int]:
        return self.picture_u8.shape[:2]

    def blocks(self, frames: int) -> Iterator[np.ndarray]:
        """uint8 [n, H, W, 3] blocks of at most `frames`."""
        for start in range(0, self.frames, frames):
            yield np.repeat(self.picture_u8[None], min(frames, self.frames - start), 0)


@dataclass(frozen=True)
class CodecFilm(_Made):
    """A film encoded with x264 and decoded again; odd sides are padded and cut off."""

    rate: Fraction
    kind: ClassVar[str] = "codec"
    codec: ClassVar[str] = "h264"

    @property
    def size(self) -> tuple[int, int]:
        return self.real.size

    def blocks(self, frames: int) -> Iterator[np.ndarray]:
        """uint8 [n, H, W, 3] blocks of at most `frames`. errors  InputError: the encoder failed"""
        height, width = self.size
        with tempfile.TemporaryDirectory(prefix="dreamactor-") as folder:
            path = Path(folder) / "film.mp4"
            pictures = (frame for block in self.real.blocks(1) for frame in block)
            _encode(pictures, self.size, self.rate, path)
            for block in open_film(path).blocks(frames):
                yield block[:, :height, :width]


def _encode(pictures: Iterator[np.ndarray], size: tuple[int, int], fps: Fraction, path: Path) -> str:
    """Write an MP4 with one x264 thread (their number changes the bytes); what ffmpeg said."""
    height, width = size
    pad = ((0, height % 2), (0, width % 2), (0, 0))
    arguments = command(
        "-f", "rawvideo", "-pix_fmt", "rgb24", "-video_size", f"{width + width % 2}x{height + height % 2}",
        "-framerate", f"{fps.numerator}/{fps.denominator}", "-i", "pipe:0",
        "-vf", "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int+bitexact,"
        "format=yuv420p",
        "-c:v", "libx264", "-preset", "medium", "-crf", str(_CRF), "-threads", "1", "-colorspace", "bt709",
        "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv", "-f", "mp4", str(path),
    )  # fmt: skip
    arguments.remove("-nostdin")
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said)
        try:
            for picture in pictures:
                child.stdin.write(np.ascontiguousarray(np.pad(picture, pad, mode="edge")).data)
            child.stdin.close()
            code = child.wait()
        except BrokenPipeError:
            code = child.wait() or 1
        finally:
            stop(child)
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
    if code:
        log = Log(code)
        log.errors.extend(line for level, line in map(split_level, text.splitlines()) if level in ("fatal", "error"))
        log.raise_if_out_of_space(path)
        raise InputError(f"--floors codec: ffmpeg could not encode the real film ({log.reason()})")
    return text
