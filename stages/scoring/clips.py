"""One clip opened and checked: everything that can be wrong is said before any network runs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.core.errors import InputError
from stages.media import read_photo
from stages.metrics.interface import ClipContext
from stages.metrics.protocol import Measure
from stages.scoring.pairs import Pair, frame_of
from stages.scoring.source import open_source

if TYPE_CHECKING:
    from stages.media.exact import Film

ASSUMED_FPS = Fraction(25)
_RATE_SLACK = Fraction(2, 1000)  # 30 and 30000/1001 count as one rate: the frames are paired by number
_ASPECT_SLACK = 0.01  # sides are rounded to multiples of 2, 8 or 16 by codecs and networks
NEEDS = {
    "real": "needs a real film, found none (--real)",
    "reference": "needs the reference picture, found none (--reference)",
    "driving": "needs the driver's film, found none (--driving or --real)",
}


@dataclass(frozen=True)
class Clip:
    """A pair whose films fit together.

    generated, real, driving  Film; None = not given
    reference_frame           of the real film; -1 = none
    fps                       Fraction; assumed: True when no film says it and nobody gave it
    """

    pair: Pair
    generated: Film
    real: Film | None
    driving: Film | None
    reference_frame: int
    fps: Fraction
    assumed: bool

    @property
    def frames(self) -> int:
        return self.generated.frames

    def films(self) -> dict[str, Film]:
        """Role -> film of those that are given."""
        films = {"generated": self.generated, "real": self.real, "driving": self.driving}
        return {role: film for role, film in films.items() if film is not None}

    def reference_u8(self) -> np.ndarray | None:
        """uint8 [H, W, 3], the picture the person was made from; None when it is not given."""
        if self.reference_frame >= 0:
            assert self.real is not None
            return self.real.frame(self.reference_frame)
        path = self.pair.reference
        if not path:
            return None
        return open_source(path).first() if path.rstrip("/").endswith(".zarr") else read_photo(path)

    def context(self, device: str) -> ClipContext:
        """What measurements are told before the first frame."""
        paths = {role: getattr(self.pair, role) for role in self.films()}
        return ClipContext(
            name=self.pair.name,
            frames=self.frames,
            fps=self.fps,
            size=self.generated.size,
            real_size=None if self.real is None else self.real.size,
            reference_u8=self.reference_u8(),
            reference_frame=self.reference_frame,
            device=device,
            sources={role: os.path.abspath(path) for role, path in paths.items()},
        )

    def lacks(self, measure: Measure) -> str:
        """Why the measurement cannot be made of what is given, "" when it can."""
        there = {"real": self.real is not None, "reference": bool(self.pair.reference)}
        return lacking(measure, {**there, "driving": self.driving is not None})


def lacking(measure: Measure, there: dict[str, bool]) -> str:
    """Why a measurement cannot be made of the inputs that are there (role -> bool), "" when it can."""
    needs = getattr(measure.module, "needs", None)
    wanted = measure.module.NEEDS if needs is None else needs(measure.options)
    there = {**there, "driving": there["driving"] or there["real"]}  # the real film is the driver's where it is alone
    missing = sorted(need for need in wanted if not there[need])
    return "; ".join(NEEDS[need] for need in missing)


def open_clip(pair: Pair, fps: Fraction | None) -> Clip:
    """The Clip of a pair.

    fps     rate of pictures and arrays; None: that of the other films, else 25
    errors  InputError: an unreadable film, different frame counts, rates or shapes, no such reference frame
    """
    films = {role: open_source(getattr(pair, role)) for role in ("generated", "real", "driving") if getattr(pair, role)}
    generated = films["generated"]
    for role in ("real", "driving"):
        if role in films and films[role].frames != generated.frames:
            raise InputError(
                f"clip {pair.name}: {generated.frames} generated frames, {films[role].frames} {role} ones, expected "
                f"equal numbers ({pair.generated}, {getattr(pair, role)})"
            )
    rate, assumed = _common_rate(pair, films, fps)
    if "real" in films:
        _check_shape(pair, generated.size, films["real"].size)
    reference = frame_of(pair.reference)
    if reference >= 0 and "real" not in films:
        raise InputError(f"clip {pair.name}: --reference {pair.reference} needs a real film. Give --real or a photo")
    if reference >= generated.frames:
        raise InputError(f"clip {pair.name}: --reference {pair.reference}, expected frames 0 to {generated.frames - 1}")
    clip = Clip(pair, generated, films.get("real"), films.get("driving"), reference, rate, assumed)
    if reference < 0:
        clip.reference_u8()
    return clip


def check_clip(clip: Clip, measures: Sequence[Measure]) -> None:
    """Nothing when every measurement that has what it needs can be made of this clip.

    errors  InputError: sizes differ where a measurement does not align, too few frames, whatever its `check` says
    """
    context = clip.context("cpu")
    for measure in measures:
        if clip.lacks(measure):
            continue
        align = getattr(measure.options, "align", "")
        if align == "none" and context.real_size not in (None, context.size):
            raise InputError(
                f"clip {clip.pair.name}: generated frames are {_by(context.size)}, real ones {_by(context.real_size)}, "
                f"and {measure.kind} expects equal sizes"
            )
        check = getattr(measure.module, "check", None)
        if check is not None:
            check(measure.options, context)


def clip_facts(clip: Clip) -> dict[str, Any]:
    """What the `frames` layer says of the clip."""
    films = clip.films()
    return {
        "name": clip.pair.name,
        "frames": clip.frames,
        "fps": f"{clip.fps.numerator}/{clip.fps.denominator}",
        "fps_assumed": clip.assumed,
        "sizes": {role: list(film.size) for role, film in films.items()},
        "codecs": {role: film.codec for role, film in films.items()},
        "uneven": sorted(role for role, film in films.items() if film.uneven),
        "reference_frame": clip.reference_frame,
        "made": getattr(clip.generated, "made", ""),
    }


def picture_sha256(picture_u8: np.ndarray | None) -> str:
    """sha256 of a picture's size and RGB bytes; "" for none."""
    if picture_u8 is None:
        return ""
    head = f"{picture_u8.shape[0]}x{picture_u8.shape[1]}\n".encode()
    return hashlib.sha256(head + np.ascontiguousarray(picture_u8).tobytes()).hexdigest()


def _common_rate(pair: Pair, films: dict[str, Film], fps: Fraction | None) -> tuple[Fraction, bool]:
    known = {role: film.fps for role, film in films.items() if film.fps}
    for role, rate in known.items():
        if role != "generated" and "generated" in known and not _same_rate(known["generated"], rate):
            raise InputError(
                f"clip {pair.name}: {float(known['generated']):.6g} generated frames a second, {float(rate):.6g} "
                f"{role} ones, expected equal rates"
            )
    first = next((known[role] for role in ("real", "driving", "generated") if role in known), None)
    if first is not None and fps is not None and not _same_rate(first, fps):
        raise InputError(f"clip {pair.name}: --fps {float(fps):.6g}, its film has {float(first):.6g} frames a second")
    return first or fps or ASSUMED_FPS, first is None and fps is None


def _same_rate(a: Fraction, b: Fraction) -> bool:
    return abs(a - b) <= _RATE_SLACK * max(a, b)


def _check_shape(pair: Pair, size: tuple[int, int], real: tuple[int, int]) -> None:
    ratio = (size[0] * real[1]) / (size[1] * real[0])
    if abs(ratio - 1) > _ASPECT_SLACK and size != real:
        raise InputError(
            f"clip {pair.name}: generated frames are {_by(size)}, real ones {_by(real)} (height x width), expected one "
            "shape. Crop or pad them alike first"
        )


def _by(size: Sequence[int]) -> str:
    return f"{size[0]}x{size[1]}"
