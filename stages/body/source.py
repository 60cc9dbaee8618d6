"""A reference cut out: its parts, what of it is the person, and where pixels of another pose lie in it.

One reference (stages.body.warp) and several (stages.body.several) are cut out and asked in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from stages.body.behind_arms import behind_arms
from stages.body.cloth import cloth_gone_on
from stages.body.head import halves_meet
from stages.body.labels import LOOSE, REACH, SURE, bent, grid, part_distances, reference_labels, sure_of
from stages.body.lent import Loan, covered, loans, mirrored
from stages.body.parts import FOREARMS, HANDS, THIGHS, UPPER_ARMS, distance_px, fingers_of, parts_of, place_in
from stages.body.piece import Part, Place
from stages.body.place import Performance
from stages.body.regrow import grown
from stages.body.sleeves import with_rims, without_cloth
from stages.body.smooth import gone_on, mirrored_on, sampled
from stages.body.throat import below_jaw, beyond_edge, jaw_edge, past_edge

_BONE, _SHOWN = 0.5, 0.75  # of a part's radius: its bone; share of that which the matte must show to be believed there
_INSIDE = 0.8  # of the matte, from which a pixel has the person's colour alone
_MOST_BRIGHTER = 1.4  # half of a face than the other
_BEHIND_CHIN = 1.5  # of the neck's radius: so wide is the throat that a chin hides
_SOME_PX = 8  # of a part, from which its colours are known
_CORE_PX = 4 * _SOME_PX  # of a hand without its outermost pixels, from which those alone tell its colours
_THROAT = ("neck", "torso")
_BEYOND = 0.3  # share of a part's outline on the photo below which it lies beyond
_LEAST_COVERED = 0.4  # share of the surest pixels of the limbs that a matte must show, else it is of something else


class Source:
    """A reference picture ready to be carried.

    picture_u8  uint8 [H, W, 3] on the canvas;  still  Performance of one frame in its px
    rotation    R_cam_head float [3, 3], NaN where no head is known
    matte_01    float [H, W] stages.body.matte of the picture; None: parts are cut out by their plain outlines
    known       bool [H, W] the photo reaches there; elsewhere the canvas is made up, nobody's colours. None: everywhere
    matted      False where no matte was given, or where the given one does not show the person the skeleton shows
    parts       of the person by name;  names  of all that can be carried: of those, then of limbs with lent colours
    labels      int8 [H, W] number of the part shown, -1 = none;  solid  float32 [H, W] 0..1 the pixel shows the person
    """

    def __init__(self, picture_u8, still: Performance, rotation, matte_01=None, known=None) -> None:
        self.picture_u8 = np.ascontiguousarray(picture_u8)
        self.shape: tuple[int, int] = self.picture_u8.shape[:2]
        self.parts = parts_of(still, 0, rotation)
        names = sorted(self.parts)
        self._bends = {"neck", "torso"} <= self.parts.keys()
        self.x, self.y = grid(self.shape)
        away = part_distances(self.parts, names, self.x, self.y)
        self.matted = matte_01 is not None and _shows(matte_01, away)
        self._matte = np.ones(self.shape, np.float32)
        if self.matted:
            self._matte = _trusted(matte_01, [self.parts[name] for name in names], away, self.x, self.y)
        labels = reference_labels(still, self.parts, names, away, self._matte, self.matted)
        known_colours = self.parts, away, self._matte > _INSIDE
        labels = with_rims(self.picture_u8, labels, *known_colours)
        self.labels = without_cloth(self.picture_u8, labels, *known_colours)
        self.solid = np.where(self.labels >= 0, self._matte, 0.0).astype(np.float32)
        if "torso" in self.parts:
            self._behind = behind_arms(self.parts, self.labels, self._matte > 0.5)
        self._known = np.ones(self.shape, bool) if known is None else known
        self._told = np.where(self._known, self.labels, -1)
        self.names = names
        self.shares, beyond = self._shown_shares()
        inside = (self._matte > _INSIDE) & self._known & (self.labels >= 0)

        def within(name: str) -> np.ndarray:
            return inside & (away[names.index(name)] < SURE)

        self._lent = loans(self.picture_u8, self.parts, self.shares, beyond, self._own, within)
        if self._bends:
            is_head, is_neck = (self.of(self.labels, name) for name in ("head", "neck"))
            self._jaw = jaw_edge(is_head, is_neck, self.parts["head"])
            self._past_jaw = past_edge(self._jaw, self._own("neck"), self.parts["head"])
        self.names = names + sorted(self._lent.keys() - self.parts.keys())
        self._layers = {name: self.layer_u8(name).astype(np.float32) for name in self.names}
        if "head" in self.parts:
            figure = ~grown(~inside, 1)  # its outermost pixels are half the background's
            face = mirrored_on(self.picture_u8, self._own("head") & figure)
            self._face = np.where(figure[..., None], self._layers["head"], face).astype(np.float32)
            self._brightness = self._brighter(self._own("head") & figure)

    def number_of(self, name: str) -> int:
        """What a part is called in `labels`; -2 for one that is not there."""
        return self.names.index(name) if name in self.parts else -2

    def carries(self, name: str) -> bool:
        """Whether a part can be carried: it is there, or its colours are lent."""
        return name in self.parts or name in self._lent

    def part(self, name: str) -> Part | None:
        """The part that tells the colours of `name`; None where none does."""
        return self.parts.get(self._loan(name).name)

    def layer_u8(self, name: str) -> np.ndarray:
        """The picture uint8 [H, W, 3] as if only one part were in it, its own colours going on all around."""
        loan = self._loan(name)
        own = self.of(self._told, loan.name) & (self._matte > _INSIDE)
        if loan.colour_u8 is not None:
            return np.where(own[..., None], self.picture_u8, loan.colour_u8)
        if self._bends and name in _THROAT:
            layer = self._throat(own)
        else:
            layer = gone_on(self.picture_u8, self._inner(name, own)) if own.sum() > _SOME_PX else self.picture_u8
            layer = np.where(own[..., None], self.picture_u8, layer)
        if name == "torso":
            shoulders_px = self.parts[name].tube.corners[:2, :2]
            unit_px = float(np.linalg.norm(shoulders_px[0] - shoulders_px[1]))
            layer = cloth_gone_on(self.picture_u8, layer, self._own(name), self._behind.hidden, unit_px)
        return layer

    def _inner(self, name: str, own) -> np.ndarray:
        """bool [H, W]: what tells how a part goes on. Of a hand that the photo cuts off not its outermost pixels, which
        are half of what lies behind: more would go on in that colour than there is of the hand."""
        cut_off = name in HANDS and (own[[0, -1]].any() or own[:, [0, -1]].any())
        core = own & ~grown(~own, 1) if cut_off else own
        return core if core.sum() > _CORE_PX else own

    def _throat(self, own) -> np.ndarray:
        """The layer of the neck: what the chin hides goes on as the throat below it does, not as the collar."""
        neck = self.parts["neck"]
        chin = self.labels == self.number_of("head")
        chin &= distance_px(neck, self.x, self.y) < _BEHIND_CHIN * neck.reach_px  # behind long hair are shoulders
        throat = beyond_edge(self._jaw, self._own("neck"), self.parts["head"])
        layer = gone_on(self.picture_u8, own) if own.sum() > _SOME_PX else self.picture_u8
        return np.where(chin[..., None], gone_on(self.picture_u8, throat), layer) if throat.sum() > _SOME_PX else layer

    def _loan(self, name: str) -> Loan:
        return self._lent.get(name) or Loan(name=name)

    def _own(self, name: str) -> np.ndarray:
        """bool [H, W]: the photo shows the part there, and nothing else."""
        return (self._told == self.number_of(name)) & (self._matte > _INSIDE)

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
        loan, close = self._loan(name), away < (sure_of(there[name]) if there[name].kind == "head" else REACH)
        if loan.colour_u8 is not None:
            close = covered(name, there[name], x, y, away)
        if not loan.name:
            place = place_in(there[name], there[name], x, y)
            return Shown(place, close * 1.0, np.zeros(len(x), bool))
        if loan.name != name:
            x, y = mirrored(there[name], x, y)
        place = place_in(there[name], self.parts[loan.name], x, y)
        if name in _THROAT and self._bends and there.keys() >= set(_THROAT):
            other = next(part for part in _THROAT if part != name)
            moved = {name: place, other: place_in(there[other], self.parts[other], x, y)}
            place = bent(place, moved["neck"], moved["torso"], there["neck"], x, y)
            way = self._at(self._past_jaw, place.x, place.y)
            place = below_jaw(place, way, self.parts["head"], there["head"], x, y)
        x, y = place.outline
        inside = self._on_photo(x, y)
        own = self.of(self._at(self.labels, x, y), loan.name)
        if name in FOREARMS or name in HANDS:  # fingers and sleeves too, which their capsules do not cover
            place = replace(place, skin=inside & own & (sampled(self.solid, x, y) > 0.5))
        hidden = self._may_hide(loan.name, close, away, x, y)
        cover = np.where(inside, sampled(self.solid, x, y) * (own | hidden), close)
        cover = np.where(~inside & self._goes_on_below(loan.name, x, y), 1.0, cover) * ~place.free
        if name == "torso":
            cover = cover * sampled(self._behind.share, x, y)
        told = self.of(self._at(self._told, place.x, place.y), loan.name) & (loan.name == name)
        return Shown(place, cover, place.sees & inside & told)

    def _may_hide(self, name: str, close, away, x, y) -> np.ndarray:
        """bool [n] `close`, but arms only within their radius, so that no end of one stands out of an elbow that bends;
        and forearms and hands not before what the photo shows there.

        away  float [n] from the part, in its radii;  x, y  float [n] where that is in the photo
        """
        if name in UPPER_ARMS or name in FOREARMS:
            close = close & (away < 1.0)
        if name not in FOREARMS and name not in HANDS:
            return close
        mine = self.parts[name].depth_m
        farther = np.array([self.parts[other].depth_m > mine for other in sorted(self.parts)] + [False])
        return close & ~farther[self._at(self.labels, x, y)]

    def _goes_on_below(self, name: str, x, y) -> np.ndarray:
        """bool [n]: places float [n] lie below the photo, under what is torso or thigh there at its edge."""
        height, width = self.shape
        if name != "torso" and name not in THIGHS:
            return np.zeros(len(x), bool)
        below = (y > height - 1) & (x > 0) & (x < width - 1)
        y = np.minimum(y, height - 1)
        return below & self.of(self._at(self.labels, x, y), name) & (self._at(self.solid, x, y) > 0.5)

    def colours(self, name: str, place: Place) -> np.ndarray:
        """What the photo shows of a part at its places, [n, 3]; cloth goes on beyond the photo as in a mirror."""
        found = sampled(self._layers[name], place.x, place.y, cv2.BORDER_REFLECT_101)
        if name == "head":
            found = found + place.turns[:, None] * (self._on_face(place) - found)
        return found

    def _on_face(self, place: Place) -> np.ndarray:
        """Colours [n, 3] of the surface of the head, those of the other half of the face as bright as those beside."""
        here, twin = sampled(self._face, place.x, place.y), sampled(self._face, *place.twin.T)
        turned, share = (place.share > 0.5)[:, None], place.share[:, None]
        own, other = np.where(turned, twin, here), np.where(turned, here, twin)
        other = np.where(place.face[:, None], np.clip(self._brightness * other, 0.0, 255.0), other)
        return (1.0 - share) * own + share * other

    def _brighter(self, own) -> np.ndarray:
        """float [3] how much brighter each colour is on the half of the face that is seen worse, where both meet.

        own  bool [H, W]: the photo shows the head there
        """
        places = [at.T for at in halves_meet(self.parts["head"])]
        both = np.logical_and(*(self._at(own, *at) for at in places))
        if both.sum() < _SOME_PX:
            return np.ones(3)
        one, other = (np.median(sampled(self._face, *at)[both], 0) + 1.0 for at in places)
        return np.clip(one / other, 1.0 / _MOST_BRIGHTER, _MOST_BRIGHTER)

    def solid_at(self, place: Place) -> np.ndarray:
        """float [n] 0..1: the person is where a part's colours are taken from."""
        return sampled(self.solid, place.x, place.y)

    def _shown_shares(self) -> tuple[dict[str, float], set[str]]:
        """Which share of each part's outline shows the part, not one before it and not beyond the photo; and the names
        of those that lie beyond it for the most part."""
        shares, beyond = {}, set()
        for name, part in self.parts.items():
            middle = np.mean(list(part.points.values()), axis=0)
            spread = np.max([np.abs(point - middle) for point in part.points.values()], axis=0) + 0.7 * part.reach_px
            y, x = np.mgrid[-1:1:24j, -1:1:24j]
            x, y = middle[0] + spread[0] * x, middle[1] + spread[1] * y
            away = distance_px(part, x, y)
            inside = away <= (0.0 if part.kind == "torso" else SURE * part.reach_px)
            there, most = self._on_photo(x, y) & inside, max(inside.sum(), 1)
            shares[name] = float((self.of(self._at(self._told, x, y), name) & there).sum() / most)
            if there.sum() < _BEYOND * most:
                beyond.add(name)
        return shares, beyond

    def near(self, away) -> np.ndarray:
        """bool: pixels at these distances from a part may be its."""
        return away < (LOOSE if self.matted else REACH)

    def _on_photo(self, x, y) -> np.ndarray:
        """bool [n]: the photo reaches places float [n]."""
        height, width = self.shape
        on_canvas = (x > -0.5) & (y > -0.5) & (x < width - 0.5) & (y < height - 0.5)
        return on_canvas & self._at(self._known, x, y)

    def _at(self, labels, x, y) -> np.ndarray:
        """What labels [H, W] are nearest to places float [n]."""
        height, width = self.shape
        row, column = (
            np.clip(np.rint(np.nan_to_num(at)), 0, most - 1).astype(int) for at, most in ((y, height), (x, width))
        )
        return labels[row, column]


@dataclass(frozen=True)
class Shown:
    """What one reference shows at n pixels of a part.

    place  Place of them in the reference;  cover  float [n] 0..1 they are the person's
    seen   bool [n] the reference shows the part there
    """

    place: Place
    cover: np.ndarray
    seen: np.ndarray


def _trusted(matte_01, parts: list[Part], away, x, y) -> np.ndarray:
    """The matte float32 [H, W], but 1 where a part lies whose bone it does not show: it has missed that part. Of a hand
    that is its fingers, not the wall between them."""
    solid = np.array(matte_01, np.float32)
    for number, (part, far) in enumerate(zip(parts, away, strict=True)):
        bone = (far < _BONE) & (away.argmin(0) == number)
        if bone.any() and (matte_01[bone] > 0.5).mean() < _SHOWN:
            solid[far < SURE if part.fingers_px is None else fingers_of(part, x, y)] = 1.0
    return solid


def _shows(matte_01, away) -> bool:
    """Whether a matte shows the person that the parts, whose distances [parts, H, W] these are, belong to."""
    surest = (away < 0.5).any(0)
    return bool(surest.any() and (np.asarray(matte_01)[surest] > 0.5).mean() > _LEAST_COVERED)
