"""Whether pictures show one and the same person: faces in numbers (SFace), and colours where no face can be read.

A film without a cut shows whoever it showed before, so frames are first joined to shots. A shot is the wanted person's
when its faces are: the cosine of the mean embeddings, less what the colours of hair and clothes differ (up to a limit:
the same person may wear something else in another film). Where no face can be read, only within a bundle, and only when
its colours are far nearer to the person's than to anybody else's. What is in doubt is left out: a missed picture costs
little, a stranger's face everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from stages.body.labels import grid, part_distances, part_labels
from stages.body.parts import parts_of
from stages.body.person import Person
from stages.body.place import own_performance
from stages.core.pictures import lab
from stages.metrics.faces import EMBEDDING, FaceEmbedder, FaceFinder, distances
from stages.weights import SOURCES

NAME = "sface"
SAME = 0.5  # likeness (cosine of faces less differing colours) from which two shots show one person
SAME_GREY = 0.75  # the same where one is a picture without colours: clothes and hair then tell little
_GREY_CHROMA = 1.5  # Lab units: no part of a black-and-white picture has more
DIFFERENT_FACE = 0.10  # likeness beyond clothes below which two faces turned to the camera are of two people
DIFFERENT = 0.10  # likeness below which a single readable face is somebody else's
_OTHER_HAIR = 9.0  # Lab units beyond which hair is not the same in any light
_LEAST_FACE_PX = 10.0  # radius of a head below which the network's numbers say nothing about who it is
_SURELY = 0.15  # likeness that a face turned further than that needs where nothing but colours speak for it
_GAP_PER_COSINE, _GAP_MOST = 20.0, 8.0  # Lab units that weigh as much as a cosine of 1; clothes may be others
READABLE_DEG = 60.0  # a head turned further than this says little about who it is
_SCORE_LEAST = 0.6
_FACE_SIDE, _FACE_RADII = 256, 2.0  # the crop in which a face is looked for
_COLOUR_SIDE = 128  # px of the person's larger side
_COLOURS = ("hair", "torso", "upper arms", "thighs")
_COLOUR_NEAR, _COLOUR_RATIO = 6.0, 0.6  # Lab units; how much nearer than to anybody else
_LONG = 8  # frames of a shot that is taken for one person followed where no face can be read
_FILM = 2  # frames that make a shot of film; a single picture shows whoever its face says
_THUMB = 20


@dataclass(frozen=True)
class Look:
    """How the person of one frame looks.

    face     float32 [128] of length 1; NaN = no face found
    colours  float32 [4, 3] Lab of hair, torso, upper arms, thighs; NaN = not seen
    thumb    float32 [400] grey head and shoulders, mean 0, length 1: near duplicates have a product near 1
    sharp    how much detail the head has, for its contrast
    """

    face: np.ndarray
    colours: np.ndarray
    thumb: np.ndarray
    sharp: float


class Looker:
    """Measures Looks. One object serves one thread. errors  WeightsError: a network is not to be had"""

    def __init__(self) -> None:
        self._finder, self._embedder = FaceFinder(_SCORE_LEAST), FaceEmbedder()

    def look(self, picture_u8: np.ndarray, person: Person) -> Look:
        """The Look of a Person of one frame, whose head is known."""
        act = own_performance(person)
        middle, radius = act.head_px[0], float(act.head_radius_px[0])
        head = _crop(picture_u8, middle, 1.2 * radius, 64)
        thumb = _crop(picture_u8, middle + [0.0, 0.8 * radius], 2.4 * radius, _THUMB)
        grey = cv2.cvtColor(thumb, cv2.COLOR_RGB2GRAY).astype(np.float32).ravel()
        grey -= grey.mean()
        return Look(
            self.face(picture_u8, middle, radius),
            part_colours(picture_u8, act, person.R_cam_head[0]),
            grey / max(float(np.linalg.norm(grey)), 1e-6),
            _sharpness(head),
        )

    def face(self, picture_u8: np.ndarray, middle_px, radius_px: float) -> np.ndarray:
        """float32 [128] of the face that a head shows; NaN where none is found at its place."""
        none = np.full(EMBEDDING, np.nan, np.float32)
        if not radius_px >= _LEAST_FACE_PX:
            return none
        crop = _crop(picture_u8, middle_px, _FACE_RADII * radius_px, _FACE_SIDE)
        found = self._finder.find(crop)
        if not len(found):
            return none
        side = _FACE_SIDE / _FACE_RADII
        here = np.zeros(15, np.float32)
        here[:4] = (_FACE_SIDE - side) / 2, (_FACE_SIDE - side) / 2, side, side
        away = distances(found, here)
        at = int(np.argmin(away))
        return self._embedder.embed(crop, found[at]) if away[at] < 0.7 else none


def weights() -> dict[str, str]:
    """Network -> sha256 of what decides the numbers."""
    return {name: SOURCES[name].identity for name in ("yunet", "sface")}


def same_person(
    looks: Sequence[Look], yaw_deg, bundles: Sequence[int], shots: Sequence[int], wanted: Look | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Which frames show the wanted person: bool [N], and how like that person each is, float [N] (NaN: no face).

    yaw_deg  float [N] of the heads;  bundles, shots  numbers of each frame's bundle and of its shot within it
    wanted   face to look for, and its hair; None: the person that most frames with a readable face show
    Where nobody's face can be read at all, only the longest shot of a single clip is taken: one person followed.
    """
    yaw = np.abs(np.asarray(yaw_deg, np.float64))
    faces = np.stack([look.face for look in looks]).astype(np.float64)
    readable = np.isfinite(faces[:, 0]) & (yaw <= READABLE_DEG)
    groups = sorted(set(zip(bundles, shots, strict=True)))
    pairs = list(zip(bundles, shots, strict=True))
    member = [np.array([pair == group for pair in pairs]) for group in groups]
    shown = [
        _shown(_mean_face(faces[mine & readable]), _median_colours([looks[n].colours for n in np.nonzero(mine)[0]]))
        for mine in member
    ]
    sizes = np.array([(mine & readable).sum() for mine in member])
    ours = _first_shots(shown, sizes, wanted)
    none = np.full(len(looks), np.nan)
    if not ours:
        longest = max(member, key=lambda mine: int(mine.sum()))
        alone = wanted is None and len(set(bundles)) == 1 and not any(one.known for one in shown)
        return longest & (alone and longest.sum() >= _LONG), none
    person, grown = _together([shown[at] for at in ours], wanted), True
    while grown:  # faces that were far from the first shot may be near to one that was taken since
        fresh = [at for at in range(len(groups)) if at not in ours and _same(shown[at], person)]
        ours, grown = [*ours, *fresh], bool(fresh)
        person = _together([shown[at] for at in ours], wanted)
    others = [at for at in range(len(groups)) if at not in ours and shown[at].known]
    for at in [at for at in range(len(groups)) if not shown[at].known]:
        here = [own for own in ours if _next_to(groups[own], groups[at])]
        near = min((_colour_gap(shown[at].colours, shown[own].colours) for own in here), default=np.inf)
        far = min((_colour_gap(shown[at].colours, shown[other].colours) for other in others), default=np.inf)
        turned = faces[member[at] & np.isfinite(faces[:, 0])]
        alike = _likeness(_shown(_mean_face(turned), shown[at].colours), person) if len(turned) else np.inf
        if member[at].sum() >= _FILM and near <= _COLOUR_NEAR and near <= _COLOUR_RATIO * far and alike >= _SURELY:
            ours.append(at)
    likeness = np.array(
        [_likeness(_shown(face, look.colours), person, one_frame=True) for face, look in zip(faces, looks, strict=True)]
    )
    taken = np.any([member[at] for at in ours], axis=0)
    return taken & ~(readable & (likeness < DIFFERENT)), np.where(np.isfinite(faces[:, 0]), likeness, none)


@dataclass(frozen=True)
class _Shown:
    """Mean face [128] and colours [4, 3] of some frames; NaN = not seen. grey: one is black-and-white."""

    face: np.ndarray
    colours: np.ndarray
    grey: bool

    @property
    def known(self) -> bool:
        return bool(np.isfinite(self.face[0]))


def _shown(face: np.ndarray, colours: np.ndarray) -> _Shown:
    chroma = np.linalg.norm(colours[:, 1:], axis=-1)
    return _Shown(face, colours, bool(np.isfinite(chroma).any() and np.nanmax(chroma) < _GREY_CHROMA))


def _same(one: _Shown, other: _Shown) -> bool:
    return _likeness(one, other) >= (SAME_GREY if one.grey or other.grey else SAME)


def _likeness(one: _Shown, other: _Shown, *, one_frame: bool = False) -> float:
    """Cosine of the faces, less what hair and clothes differ; -inf where a face is not known, and where the hair is
    another (not of `one_frame`, which may show it from an odd side)."""
    if not (one.known and other.known):
        return -np.inf
    if not one_frame and _OTHER_HAIR < _colour_gap(one.colours[:1], other.colours[:1]) < np.inf:
        return -np.inf
    gap = min(_colour_gap(one.colours, other.colours), _GAP_MOST)
    return float(one.face @ other.face) - gap / _GAP_PER_COSINE


def _next_to(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Two (bundle, shot) follow each other in one clip: what was cut there may only have been a fast turn."""
    return one[0] == other[0] and abs(one[1] - other[1]) == 1


def _together(parts: Sequence[_Shown], wanted: Look | None) -> _Shown:
    faces = [part.face for part in parts if part.known] + ([] if wanted is None else [wanted.face])
    colours = _median_colours([part.colours for part in parts])
    return _Shown(_mean_face(np.stack(faces)), colours, any(part.grey for part in parts))


def _first_shots(shown: Sequence[_Shown], sizes: np.ndarray, wanted: Look | None) -> list[int]:
    """The shot to begin with: the one most like `wanted`, else the one that most frames are like. [] for none."""
    with_face = [at for at, one in enumerate(shown) if one.known]
    if not with_face:
        return []
    if wanted is not None:
        sought = _of_hair(_shown(wanted.face.astype(np.float64), wanted.colours))
        best = max(with_face, key=lambda at: _likeness(_of_hair(shown[at]), sought))
        return [best] if _same(_of_hair(shown[best]), sought) else []
    votes = [sum(sizes[b] for b in with_face if _same(shown[a], shown[b])) for a in with_face]
    return [with_face[int(np.argmax(np.array(votes) + 1e-3 * sizes[with_face]))]]


def alike_beyond_clothes(one: Look, other: Look) -> float:
    """Cosine of two faces, less what their hair differs; -inf where hair or face is surely another's or not known."""
    return _likeness(*(_of_hair(_shown(part.face.astype(np.float64), part.colours)) for part in (one, other)))


def _of_hair(one: _Shown) -> _Shown:
    return replace(one, colours=one.colours[:1])


def _mean_face(faces: np.ndarray) -> np.ndarray:
    if not len(faces):
        return np.full(EMBEDDING, np.nan)
    mean = faces.mean(0)
    return mean / max(float(np.linalg.norm(mean)), 1e-9)


def _crop(picture_u8, middle_px, half_px: float, side: int) -> np.ndarray:
    """uint8 [side, side, 3] around a place; beyond the picture its border goes on."""
    scale = side / (2.0 * half_px)
    affine = np.array([[scale, 0.0, side / 2 - 0.5 - scale * middle_px[0]],
                       [0.0, scale, side / 2 - 0.5 - scale * middle_px[1]]])  # fmt: skip
    if scale < 0.7:
        reach = int(np.ceil(half_px)) + 2
        x, y = (int(round(float(c))) for c in middle_px)
        top, left = max(0, y - reach), max(0, x - reach)
        part = picture_u8[top : max(y + reach, top + 1), left : max(x + reach, left + 1)]
        if part.size:
            picture_u8 = cv2.GaussianBlur(part, (0, 0), 0.4 / scale)
            affine[:, 2] += scale * np.array([left, top])
    return cv2.warpAffine(picture_u8, affine, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _sharpness(head_u8) -> float:
    """Strength of the finest detail of a 64 px head for its contrast."""
    grey = cv2.cvtColor(head_u8, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(np.abs(cv2.Laplacian(grey, cv2.CV_32F)).mean() / (grey.std() + 4.0))


def part_colours(picture_u8, act, rotation) -> np.ndarray:
    """float32 [4, 3] median Lab of parts of the figure; NaN where fewer than 12 px show one."""
    points = act.joints_px[0][act.drawn[0]]
    points = np.concatenate([points, act.head_px + act.head_radius_px[0] * np.array([[-1, -1.3], [1, 1]])])
    low, high = points.min(0), points.max(0)
    scale = _COLOUR_SIDE / max(float((high - low).max()), 8.0)
    affine = np.array([[scale, 0.0, 4 - scale * low[0]], [0.0, scale, 4 - scale * low[1]]])
    shape = tuple(int(n) for n in np.clip(np.ceil((high - low) * scale) + 8, 16, 2 * _COLOUR_SIDE)[::-1])
    small = cv2.warpAffine(picture_u8, affine, shape[::-1], flags=cv2.INTER_AREA)
    in_lab = lab(small)
    inside = cv2.warpAffine(np.ones(picture_u8.shape[:2], np.uint8), affine, shape[::-1]) > 0
    moved = _moved(act, scale, affine[:, 2])
    parts = parts_of(moved, 0, rotation)
    names = sorted(parts)
    labels = part_labels(part_distances(parts, names, *grid(shape)), parts, names)
    y, x = np.mgrid[: shape[0], : shape[1]]
    up = np.stack([x, y], -1) - moved.head_px[0]
    above = (up @ rotation[:2, 1]) < -0.45 * moved.head_radius_px[0]
    near = np.hypot(*np.moveaxis(up, -1, 0)) < 1.0 * moved.head_radius_px[0]
    colours = np.full((len(_COLOURS), 3), np.nan, np.float32)
    for row, wanted in enumerate((("head",), ("torso",), ("shoulder-",), ("hip-",))):
        chosen = [number for number, name in enumerate(names) if any(word in name for word in wanted)]
        mask = np.isin(labels, chosen) & inside
        mask &= (above & near) if row == 0 else True
        if mask.sum() >= 12:
            colours[row] = np.median(in_lab[mask], axis=0)
    return colours


def _moved(act, scale, shift):
    return replace(
        act, joints_px=act.joints_px * scale + shift, hands_px=act.hands_px * scale + shift,
        head_px=act.head_px * scale + shift, head_radius_px=act.head_radius_px * scale,
    )  # fmt: skip


def _median_colours(rows) -> np.ndarray:
    stack = np.stack(rows)
    known = np.isfinite(stack).any(0)
    return np.where(known, np.nanmedian(np.where(known, stack, 0.0), axis=0), np.nan)


def _colour_gap(one, other) -> float:
    """Mean difference of the parts both show, Lab units with lightness at half; inf where nothing is shared."""
    gap = np.linalg.norm((one - other) * [0.5, 1.0, 1.0], axis=-1)
    shared = np.isfinite(gap)
    return float(gap[shared].mean()) if shared.any() else np.inf
