"""Small films a browser plays, of whatever was scored: H.264 MP4, every frame once, marked as AI-made where it is."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np

from stages.core.errors import InputError, StageError

if TYPE_CHECKING:
    from stages.media import StillReader, VideoReader
    from stages.media.exact import Film

MAX_SIDE = 384
_KEEP_BYTES = 1_500_000  # a small film that plays as it is is not encoded again
_POSTER_SIDE = 192
_BLOCK = 8
_FRAME = "frame:"


@dataclass(frozen=True)
class Preview:
    """What the page shows of one film or photo.

    href    data URI, or a path relative to the page; "" = nothing to show, `why` says it
    poster  data URI of the middle frame (JPEG)
    still   True for a photo
    ai      True when a model made it
    exact   False when the page shows an encoding that was made for it
    sound   True when it can be heard
    size    (H, W) px of what was scored
    """

    href: str = ""
    poster: str = ""
    still: bool = False
    ai: bool = False
    exact: bool = False
    sound: bool = False
    size: tuple[int, int] = (0, 0)
    why: str = ""


@dataclass
class Store:
    """Where previews go: into the page up to a limit, then into a folder beside it.

    page        path of the HTML file
    limit       bytes of films (before base64) that the page may hold
    """

    page: Path
    limit: int
    used: int = 0
    made: dict[tuple[str, int], Preview] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Beside the page, named after it; made when the first film does not fit."""
        return self.page.with_name(f"{self.page.stem}_files")

    def film(self, path: str, fps: Fraction, *, ai: bool, what: str) -> Preview:
        """The Preview of a film, folder of pictures, .npy or bundle; never raises for a bad one, `why` says it."""
        return self._once(path, -1, lambda: self._film(path, fps, ai, what))

    def photo(self, path: str, film: str, fps: Fraction) -> Preview:
        """The Preview of a reference: a photo, or "frame:N" of `film`."""
        frame = int(path.removeprefix(_FRAME)) if path.startswith(_FRAME) else -1
        return self._once(film if frame >= 0 else path, frame + 1_000_000, lambda: self._photo(path, film, fps, frame))

    def _once(self, path: str, extra: int, make) -> Preview:
        place = (os.path.realpath(path), extra)
        if place not in self.made:
            try:
                self.made[place] = make()
            except StageError as error:
                self.made[place] = Preview(why=str(error))
        return self.made[place]

    def _film(self, path: str, fps: Fraction, ai: bool, what: str) -> Preview:
        if _is_photo(path):
            return self._photo(path, "", fps, -1)
        marked = bool((_mark(path) or {}).get("ai_generated"))
        ai = ai or marked
        exact = marked == ai and _plays_as_it_is(path)
        with tempfile.TemporaryDirectory(prefix="dreamactor-") as folder, opened(path) as film:
            shown = Path(path)
            if not exact:
                shown = Path(folder) / "preview.mp4"
                mark = {"ai_generated": ai, "what": f"preview of {what}"}
                _encode(shown, film, fps, path if _sounds(path) else None, mark)
            poster = _jpeg(film.frame(film.frames // 2), _POSTER_SIDE)
            sound = _sounds(path)
            return Preview(self._place(shown.read_bytes()), poster, False, ai, exact, sound, film.size)

    def _photo(self, path: str, film: str, fps: Fraction, frame: int) -> Preview:
        from stages.media import read_photo

        if frame >= 0:
            with opened(film) as source:
                picture = source.frame(frame)
        else:
            picture = read_photo(path)
        ai = bool((_mark(film if frame >= 0 else path) or {}).get("ai_generated"))
        shown = _jpeg(picture, MAX_SIDE)
        return Preview(shown, shown, True, ai, size=picture.shape[:2])

    def _place(self, data: bytes) -> str:
        """The data URI, or the relative path of the file that was written because the page is full."""
        if self.used + len(data) <= self.limit:
            self.used += len(data)
            return "data:video/mp4;base64," + base64.b64encode(data).decode("ascii")
        name = hashlib.sha256(data).hexdigest()[:16] + ".mp4"
        self.folder.mkdir(exist_ok=True)
        (self.folder / name).write_bytes(data)
        return f"{quote(self.folder.name)}/{name}"


@dataclass(frozen=True)
class _Bundled:
    """The clip of a bundle with the interface of stages.media.exact.Film that is used here."""

    reader: VideoReader | StillReader

    @property
    def size(self) -> tuple[int, int]:
        return self.reader.size

    @property
    def frames(self) -> int:
        return len(self.reader)

    def frame(self, index: int) -> np.ndarray:
        return self.reader.frame(index)

    def blocks(self, frames: int) -> Iterator[np.ndarray]:
        return self.reader.blocks(frames)


@contextmanager
def opened(path: str) -> Iterator[Film | _Bundled]:
    """A film, a folder of pictures, a .npy or a bundle, ready to be read. errors  InputError: not readable"""
    if path.rstrip("/").endswith(".zarr"):
        from stages.bundle import open_bundle
        from stages.media import clip_frames

        with clip_frames(open_bundle(path)) as reader:
            yield _Bundled(reader)
    else:
        from stages.media.exact import open_film

        yield open_film(path)


def _encode(out: Path, film: Film | _Bundled, fps: Fraction, sound: str | None, mark: dict[str, object]) -> None:
    from stages.media import write_video

    frames = (smaller(frame, MAX_SIDE) for block in film.blocks(_BLOCK) for frame in block)
    write_video(out, frames, fps, audio_from=sound, metadata=mark)


def smaller(frame_u8: np.ndarray, side: int) -> np.ndarray:
    """uint8 [h, w, 3] with the longer side at most `side` px; as it is when it fits."""
    import cv2

    height, width = frame_u8.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return frame_u8
    return cv2.resize(
        frame_u8, (max(2, round(width * scale)), max(2, round(height * scale))), interpolation=cv2.INTER_AREA
    )


def _jpeg(picture_u8: np.ndarray, side: int) -> str:
    """A data URI."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(smaller(picture_u8, side)).save(out, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode("ascii")


def _is_photo(path: str) -> bool:
    from stages.media import probe

    return os.path.isfile(path) and not path.endswith(".npy") and probe(path).kind == "photo"


def _sounds(path: str) -> bool:
    """True for a film with a sound track; bundles, pictures and arrays are silent here."""
    from stages.media import probe

    return os.path.isfile(path) and not path.endswith(".npy") and probe(path).has_audio


def _plays_as_it_is(path: str) -> bool:
    """True for a small H.264 MP4 of 8-bit 4:2:0 at an even rate, which every browser plays frame by frame."""
    from stages.media import probe

    if not path.lower().endswith(".mp4") or not os.path.isfile(path) or os.path.getsize(path) > _KEEP_BYTES:
        return False
    info = probe(path)
    plain = info.codec == "h264" and info.pix_fmt == "yuv420p" and not info.rotation_deg
    return plain and not info.variable_fps and max(info.width, info.height) <= 2 * MAX_SIDE


def _mark(path: str) -> dict | None:
    from stages.media import read_mark

    if not os.path.isfile(path) or path.endswith(".npy"):
        return None
    try:
        return read_mark(path)
    except InputError:
        return None
