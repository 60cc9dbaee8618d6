"""A reference cut out: its parts, what of it is the person, and where pixels of another pose lie in it.

One reference (stages.body.warp) and several (stages.body.several) are cut out and asked in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stages.body.labels import LOOSE, REACH, SURE, bent, grid, part_distances, reference_labels, sure_of
from stages.body.parts import FOREARMS, HANDS, Part, Place, distance_px, parts_of, place_in
from stages.body.place import Performance
from stages.body.sleeves import with_rims
from stages.body.smooth import fill, sampled

_BONE, _SHOWN = 0.5, 0.75  # of a part's radius: its bone; share of that which the matte must show to be believed there
_INSIDE = 0.8  # of the matte, from which a pixel has the person's colour alone
_SOME_PX = 8  # of a part, from which its colours are known
_THROAT = ("neck", "torso")
_LEAST_COVERED = 0.4  # share of the surest pixels of the limbs that a matte must show, else it is of something else


class Source:
    """A reference picture ready to be carried.

    picture_u8  uint8 [H, W, 3] on the canvas;  still  Performance of one frame in its px
    rotation    R_cam_head float [3, 3], NaN where no head is known
    matte_01    float [H, W] stages.body.matte of the picture; None: parts are cut out by their plain outlines
    matted      False where no matte was given, or where the given one does not show the person the skeleton shows
    parts       of the person by name;  names  of them in order
    labels      int8 [H, W] number of the part shown, -1 = none;  solid  float32 [H, W] 0..1 the pixel shows the person
    """

    def __init__(self, picture_u8, still: Performance, rotation, matte_01=None) -> None:
        self.picture_u8 = np.ascontiguousarray(picture_u8)
        self.shape: tuple[int, int] = self.picture_u8.shape[:2]
        self.parts = parts_of(still, 0, rotation)
        self.names = sorted(self.parts)
        self._bends = {"neck", "torso"} <= self.parts.keys()
        self.x, self.y = grid(self.shape)
        away = part_distances(self.parts, self.names, self.x, self.y)
        self.matted = matte_01 is not None and _shows(matte_01, away)
        self._matte = _trusted(matte_01, away) if self.matted else np.ones(self.shape, np.float32)
        labels = reference_labels(still, self.parts, self.names, away, self._matte, self.matted)
        self.labels = with_rims(self.picture_u8, labels, self.parts, away, self._matte > _INSIDE)
        self.solid = np.where(self.labels >= 0, self._matte, 0.0).astype(np.float32)

    def number_of(self, name: str) -> int:
        """What a part is called in `labels`; -2 for one that is not there."""
        return self.names.index(name) if name in self.parts else -2

    def layer_u8(self, name: str) -> np.ndarray:
        """The picture uint8 [H, W, 3] as if only one part were in it, its own colours going on all around."""
        own = self.of(self.labels, name) & (self._matte > _INSIDE)
        return fill(self.picture_u8, ~own) if own.sum() > _SOME_PX else self.picture_u8

    def of(self, labels, name: str) -> np.ndarray:
        """Where labels are of a part; throat and collar are the neck's as well as the torso's."""
        if self._bends and name in _THROAT:
            return np.isin(labels, [self.number_of(part) for part in _THROAT])
        return labels == self.number_of(name)

    def shown(self, name: str, there: dict[str, Part], near, away) -> Shown:
        """What the reference shows of a part at the pixels bool [H, W] `near` of a pose.

        there  the parts of that pose;  away  distance float [n] of those pixels from the part
        """
        x, y = self.x[near], self.y[near]
        place = place_in(there[name], self.parts[name], x, y)
        if name == "neck" and self._bends and "torso" in there:
            place = bent(place, place_in(there["torso"], self.parts["torso"], x, y), there["neck"], x, y)
        x, y = place.outline
        inside = self._on_canvas(x, y)
        own = self.of(self._label_at(x, y), name)
        if name in FOREARMS or name in HANDS:  # fingers and sleeves too, which their capsules do not cover
            place = replace(place, skin=inside & own & (sampled(self.solid, x, y) > 0.5))
        close = away < (sure_of(there[name]) if there[name].kind == "head" else REACH)
        cover = np.where(inside, sampled(self.solid, x, y) * (own | close), close) * ~place.free
        return Shown(place, cover, place.sees & inside & self.of(self._label_at(place.x, place.y), name))

    def solid_at(self, place: Place) -> np.ndarray:
        """float [n] 0..1: the person is where a part's colours are taken from."""
        return sampled(self.solid, place.x, place.y)

    def shown_shares(self) -> dict[str, float]:
        """Which share of each part's outline shows the part, not one before it and not beyond the picture."""
        shares = {}
        for name in self.names:
            part = self.parts[name]
            middle = np.mean(list(part.points.values()), axis=0)
            spread = np.max([np.abs(point - middle) for point in part.points.values()], axis=0) + 0.7 * part.reach_px
            y, x = np.mgrid[-1:1:24j, -1:1:24j]
            x, y = middle[0] + spread[0] * x, middle[1] + spread[1] * y
            away = distance_px(part, x, y)
            inside = away <= (0.0 if part.kind == "torso" else SURE * part.reach_px)
            found = self.of(self._label_at(x, y), name)
            shares[name] = float((found & self._on_canvas(x, y) & inside).sum() / max(inside.sum(), 1))
        return shares

    def near(self, away) -> np.ndarray:
        """bool: pixels at these distances from a part may be its."""
        return away < (LOOSE if self.matted else REACH)

    def _on_canvas(self, x, y) -> np.ndarray:
        height, width = self.shape
        return (x > -0.5) & (y > -0.5) & (x < width - 0.5) & (y < height - 0.5)

    def _label_at(self, x, y) -> np.ndarray:
        """Number of the part that the reference shows nearest to places float [n]."""
        height, width = self.shape
        row, column = (
            np.clip(np.rint(np.nan_to_num(at)), 0, most - 1).astype(int) for at, most in ((y, height), (x, width))
        )
        return self.labels[row, column]


@dataclass(frozen=True)
class Shown:
    """What one reference shows at n pixels of a part.

    place  Place of them in the reference;  cover  float [n] 0..1 they are the person's
    seen   bool [n] the reference shows the part there
    """

    place: Place
    cover: np.ndarray
    seen: np.ndarray


def _trusted(matte_01, away) -> np.ndarray:
    """The matte float32 [H, W], but 1 where a part lies whose bone it does not show: it has missed that part."""
    solid = np.array(matte_01, np.float32)
    for number, part in enumerate(away):
        bone = (part < _BONE) & (away.argmin(0) == number)
        if bone.any() and (matte_01[bone] > 0.5).mean() < _SHOWN:
            solid[part < SURE] = 1.0
    return solid


def _shows(matte_01, away) -> bool:
    """Whether a matte shows the person that the parts, whose distances [parts, H, W] these are, belong to."""
    surest = (away < 0.5).any(0)
    return bool(surest.any() and (np.asarray(matte_01)[surest] > 0.5).mean() > _LEAST_COVERED)
