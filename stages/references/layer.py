"""The layer `refs`: picked pictures of one person with all that is measured of them, complete without the clips."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from stages.body.person import Person
from stages.bundle import ArraySpec, LayerWriter
from stages.core.errors import InputError
from stages.references.subject import Subject, scaled

LAYER = "refs"
MOST_SIDE = 1024  # larger pictures are stored smaller: a canvas is smaller still
_PERSON = {
    "points_m": (("joint", "xyz"), "m", "joints before the camera K_px"),
    "score": (("joint",), "", "0 where not drawn"),
    "hands_px": (("hand", "point", "xy"), "px", "left hand first; NaN = unknown"),
    "head_m": (("xyz",), "m", "middle of the head before the camera"),
    "head_radius_px": ((), "px", "of the head sphere"),
    "R_cam_head": (("row", "col"), "", "head to camera axes"),
}
_FLAGS = {"drawn": ("joint",), "seen": ("joint",), "hands_drawn": ("hand",)}


@dataclass(frozen=True)
class Pick:
    """A Subject and why it was picked.

    source  the clip it comes from, and its key;  frame  of that clip;  likeness  to the person, NaN where no face reads
    """

    subject: Subject
    why: str
    source: str
    source_key: str
    frame: int
    likeness: float


def specs() -> dict[str, ArraySpec]:
    """Name -> ArraySpec of every array of the layer; R pictures."""
    found = {
        "pictures": ArraySpec("uint8", ("R", "H", "W", "rgb"), "u8", meaning="each in its upper left corner"),
        "size_px": ArraySpec("int32", ("R", "hw"), "px", meaning="height and width of each picture"),
        "K_px": ArraySpec("float64", ("R", "row", "col"), "px", meaning="camera of each picture"),
        "face": ArraySpec("float32", ("R", "D"), "", (-1.001, 1.001), meaning="SFace embedding; NaN = no face found"),
        "likeness": ArraySpec("float32", ("R",), "", meaning="to the person (attribute likeness); NaN = no face"),
        "frame": ArraySpec("int32", ("R",), meaning="frame of the clip it was picked from"),
        "zoomed": ArraySpec("bool", ("R",), meaning="a crop made on purpose, shown as large as it is"),
    }
    for name, (axes, unit, meaning) in _PERSON.items():
        found[name] = ArraySpec("float64", ("R", *axes), unit, meaning=meaning)
    for name, axes in _FLAGS.items():
        found[name] = ArraySpec("bool", ("R", *axes), meaning=f"as in the layers of the clip: {name}")
    return found


def write_picks(path, picks: Sequence[Pick], *, key: str, attrs, provenance, overwrite: bool) -> str:
    """Write the layer; returns "written" or "replaced". errors  those of LayerWriter"""
    arrays = {
        "pictures": _stacked([pick.subject.picture_u8 for pick in picks]),
        "size_px": np.array([pick.subject.picture_u8.shape[:2] for pick in picks], np.int32),
        "K_px": np.stack([pick.subject.person.K_px for pick in picks]),
        "face": np.stack([pick.subject.face for pick in picks]).astype(np.float32),
        "likeness": np.array([pick.likeness for pick in picks], np.float32),
        "frame": np.array([pick.frame for pick in picks], np.int32),
        "zoomed": np.array([pick.subject.zoomed for pick in picks]),
    }
    for name in (*_PERSON, *_FLAGS):
        arrays[name] = np.concatenate([getattr(pick.subject.person, name) for pick in picks])
    table = [
        {
            "why": p.why,
            "source": p.source,
            "source_key": p.source_key,
            "name": p.subject.name,
            "digest": p.subject.digest,
        }
        for p in picks
    ]
    attrs = {**attrs, "picks": table}
    meanings = specs()
    with LayerWriter(path, LAYER, key=key, attrs=attrs, provenance=provenance, overwrite=overwrite) as writer:
        for name, array in arrays.items():
            writer.put(name, array, meanings[name])
        return writer.commit()


def read_picks(bundle) -> list[Pick]:
    """The picks of a bundle, in order. errors  InputError: it has none, or it is damaged"""
    bundle.require(LAYER)
    arrays = {name: bundle.read(LAYER, name) for name in specs()}
    table = bundle.attrs(LAYER)["picks"]
    picks = []
    for at, row in enumerate(table):
        one = slice(at, at + 1)
        person = Person(**{name: arrays[name][one] for name in (*_PERSON, *_FLAGS)}, K_px=arrays["K_px"][at], fps=1.0)
        height, width = arrays["size_px"][at]
        picture = arrays["pictures"][at, :height, :width].copy()
        subject = Subject(row["name"], picture, person, row["digest"], bool(arrays["zoomed"][at]), arrays["face"][at])
        numbers = int(arrays["frame"][at]), float(arrays["likeness"][at])
        picks.append(Pick(subject, row["why"], row["source"], row["source_key"], *numbers))
    if not picks:
        raise InputError(f"{bundle.path}: layer '{LAYER}' holds no picture. Run: dreamactor pick-refs with other clips")
    return picks


def stored(subject: Subject, crop_px=None) -> Subject:
    """The Subject as it is stored: cut to x0, y0, x1, y1 where asked, and no side larger than MOST_SIDE."""
    picture, person = subject.picture_u8, subject.person
    if crop_px is not None:
        x0, y0, x1, y1 = crop_px
        picture, person = picture[y0:y1, x0:x1], scaled(person, 1.0, (-x0, -y0))
    scale = min(1.0, MOST_SIDE / max(picture.shape[:2]))
    if scale < 1.0:
        size = tuple(max(1, round(side * scale)) for side in picture.shape[1::-1])
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        person = scaled(person, scale, (0.5 * scale - 0.5,) * 2)
    digest = hashlib.sha256(np.ascontiguousarray(picture).tobytes()).hexdigest()
    return replace(subject, picture_u8=picture, person=person, digest=digest, zoomed=crop_px is not None)


def _stacked(pictures) -> np.ndarray:
    """uint8 [R, H, W, 3]: pictures of several sizes in their upper left corners, black beside."""
    height, width = (max(picture.shape[axis] for picture in pictures) for axis in (0, 1))
    out = np.zeros((len(pictures), height, width, 3), np.uint8)
    for place, picture in zip(out, pictures, strict=True):
        place[: picture.shape[0], : picture.shape[1]] = picture
    return out
