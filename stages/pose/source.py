"""What a track is measured on: a film made even, a photo, the clip of a bundle, or a grey stage for bare motion."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from stages.media import VideoReader, normalise, probe, read_photo, write_video
from stages.media.reader import StillReader, clip_frames

_GREY_U8 = 128
Progress = Callable[[int, int | None, str], None]


@dataclass(frozen=True)
class Source:
    """Frames and what is known about them.

    kind          video, photo or motion (grey frames, the input was a file of points)
    reader        the frames;  media  the normalised MP4, None for a photo or a clip that is in a bundle already
    fps           Fraction;  times_s  float64 [T] presentation times in the source
    rotation_deg  rotation that was applied;  has_audio;  warnings  one line each
    """

    kind: str
    reader: VideoReader | StillReader
    media: Path | None
    fps: Fraction
    times_s: np.ndarray
    rotation_deg: int = 0
    has_audio: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        return self.reader.size

    def __len__(self) -> int:
        return len(self.reader)


def open_source(
    stack: ExitStack,
    path: str | os.PathLike[str],
    *,
    fps: Fraction | None,
    max_side: int,
    start_s: float,
    duration_s: float,
    progress: Progress | None = None,
) -> Source:
    """The Source of a video or photo file; temporary files live as long as the stack.

    fps None = the source's;  max_side px;  start_s, duration_s  0 = from the start, to the end
    errors  InputError when it is neither, or cannot be decoded
    """
    info = probe(path)
    if info.kind == "photo":
        picture = _shrunk(read_photo(path), max_side)
        return Source("photo", StillReader(picture), None, Fraction(1), np.zeros(1), info.rotation_deg)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dreamactor-")))
    media = folder / "media.mp4"
    made = normalise(
        path,
        media,
        fps=fps,
        max_side=max_side,
        start_s=start_s or None,
        duration_s=duration_s or None,
        progress=progress,
    )
    reader = stack.enter_context(VideoReader(media))
    times = start_s + np.arange(len(reader)) / float(made.fps)
    return Source("video", reader, media, made.fps, times, info.rotation_deg, made.has_audio, made.warnings)


def open_clip(stack: ExitStack, bundle) -> Source:
    """The Source of a bundle whose layer `clip` is there already. errors  InputError when the layer is damaged"""
    attrs = bundle.attrs("clip")
    reader = stack.enter_context(clip_frames(bundle))
    return Source(
        attrs["source"]["kind"], reader, None, Fraction(attrs["fps"]), bundle.read("clip", "times_s"),
        int(attrs["rotation_deg"]), bool(attrs["has_audio"]),
    )  # fmt: skip


def grey_source(stack: ExitStack, frames: int, size: tuple[int, int], fps: Fraction) -> Source:
    """A Source of grey frames of (H, W) rounded up to even, for motion that came without a picture."""
    height, width = (side + side % 2 for side in size)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dreamactor-")))
    media = folder / "media.mp4"

    def pictures() -> Iterator[np.ndarray]:
        for _ in range(frames):
            yield np.full((height, width, 3), _GREY_U8, np.uint8)

    write_video(media, pictures(), fps)
    reader = stack.enter_context(VideoReader(media))
    return Source("motion", reader, media, fps, np.arange(frames) / float(fps))


def _shrunk(picture_u8: np.ndarray, max_side: int) -> np.ndarray:
    longest = max(picture_u8.shape[:2])
    if longest <= max_side:
        return picture_u8
    import cv2

    height, width = (max(1, round(side * max_side / longest)) for side in picture_u8.shape[:2])
    return cv2.resize(picture_u8, (width, height), interpolation=cv2.INTER_AREA)
