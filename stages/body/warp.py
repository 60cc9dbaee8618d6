"""The reference's own pixels, carried limb by limb to the driver's pose: a first guess of every frame.

Each part of the person (torso, head, upper and lower limbs, hands, feet) is cut out of the photo along the person's
matte and moved as one piece, from where the reference's skeleton and sphere show it to where the driver's show it;
behind the person stands a filled-in background. It is geometry only, so it knows neither cloth nor faces nor what was
hidden: the transformer sees it beside its other signals, and says square by square how far to believe it.
Source: our own; the same idea as the deformable skips of Siarohin et al. 2018 (one affine move a body part).
"""

from dataclasses import replace

import cv2
import numpy as np

from stages.body.camera import STILL
from stages.body.parts import FOREARMS, HANDS, Part, Place, distance_px, fingers_in, parts_of, place_in
from stages.body.place import Performance
from stages.body.plate import Plate, moved_by, with_rim
from stages.body.sleeves import with_rims
from stages.body.smooth import fill, sampled, smoothstep
from stages.core.carried import DOUBTFUL_FIGURE, HIDDEN_BACKGROUND, SEEN_BACKGROUND

_SURE, _REACH = 0.85, 1.15  # of a part's radius: surely the part; the part's without a matte
_SURE_HEAD, _SKIN = 0.8, 0.5  # the same of the head with its hair: below the chin the neck begins; of its skin
_LOOSE = 1.7  # of a part's radius: hair and cloth this far out are still its, where the matte shows somebody
_BONE, _SHOWN = 0.5, 0.75  # of a part's radius: its bone; share of that which the matte must show to be believed there
_INSIDE = 0.8  # of the matte, from which a pixel has the person's colour alone
_BEND = (0.35, 0.85)  # of the neck's length: it goes with the head above, with the torso below
_THROAT = ("neck", "torso")
_SEAM = 1 / 128  # of the canvas: half the width of gaps between parts that are closed
_LEAST_COVERED = 0.4  # share of the surest pixels of the limbs that a matte must show, else it is of something else


class ReferenceWarp:
    """A reference picture ready to be carried to any pose.

    picture_u8  uint8 [H, W, 3]   the reference on the canvas;  still  Performance of one frame in its px
    rotation    float [3, 3]      R_cam_head of the reference (NaN where no head is known)
    matte_01    float [H, W]      stages.body.matte of the picture; None: limbs are cut out as plain capsules
    matted      False where no matte was given, or where the given one does not show the person the skeleton shows
    """

    def __init__(self, picture_u8, still: Performance, rotation, matte_01=None):
        self.picture_u8 = np.ascontiguousarray(picture_u8)
        height, width = self.picture_u8.shape[:2]
        self._y, self._x = np.mgrid[:height, :width].astype(np.float32)
        self._seam = np.ones((2 * max(1, round(_SEAM * max(height, width))) + 1,) * 2, np.uint8)
        self._parts = parts_of(still, 0, rotation)
        self._names = sorted(self._parts)
        self._bends = {"neck", "torso"} <= self._parts.keys()
        away = self._away(self._parts)
        self.matted = matte_01 is not None and _shows(matte_01, away)
        solid = _trusted(matte_01, away) if self.matted else np.ones((height, width), np.float32)
        if "head" in self._parts:
            head = self._names.index("head")
            near = away[head] < _REACH
            place = place_in(self._parts["head"], self._parts["head"], self._x[near], self._y[near])
            away[head][near] = _nearer(away[head][near], place)
        self._labels = self._label(away, self._parts, np.broadcast_to(solid > 0.5, away.shape))
        if self.matted:  # soft edges, hair and loose cloth belong to what is nearest
            nearest = away.argmin(0) if len(away) else np.zeros((height, width), int)
            loose = (self._labels < 0) & (away.min(0, initial=np.inf) < _LOOSE) & (solid > 0.05)
            self._labels = np.where(loose, nearest, self._labels).astype(np.int8)
        for name, fingers in fingers_in(still, 0, self._x, self._y).items():
            if name in self._names:
                self._labels[fingers & (solid > 0.5)] = self._names.index(name)
        self._labels = with_rims(self.picture_u8, self._labels, self._parts, away, solid > _INSIDE)
        self._solid = np.where(self._labels >= 0, solid, 0.0).astype(np.float32)
        self._hidden = with_rim(self._solid > 0.1)
        self._plate = Plate(self.picture_u8, self._hidden)
        self._layers = [self._layer(number, solid) for number in range(len(self._names))]

    def to_pose(self, act: Performance, frame: int, rotation, move=None) -> tuple[np.ndarray, np.ndarray]:
        """Return the picture uint8 [H, W, 3] at a frame of `act`, and its kinds uint8 [H, W] (stages.core.carried).

        move  float [2, 3] of the background, px of the frame to px of the reference (stages.body.camera); None = none
        """
        somebody = act.drawn[frame].any() or np.isfinite(act.head_px[frame]).all()
        if not somebody or not np.isfinite(act.head_radius_px).any():
            kinds = np.where(self._hidden, DOUBTFUL_FIGURE, SEEN_BACKGROUND).astype(np.uint8)
            return moved_by(STILL if move is None else move, self.picture_u8, kinds, border=HIDDEN_BACKGROUND)
        there = {name: part for name, part in parts_of(act, frame, rotation).items() if name in self._parts}
        away = self._away(there)
        places = [self._placed(number, there, away) for number in range(len(self._names))]
        for number, (near, _, place, _) in enumerate(places):
            if place is not None:
                away[number][near] = _nearer(away[number][near], place)
        solid = np.stack([place[1] for place in places]) if places else np.zeros((0, *self._x.shape), np.float32)
        labels = self._label(away, there, solid > 0.3, reach=_LOOSE)
        picture, hidden = self._plate.at(move)
        seen, cover = ~hidden, np.zeros(self._x.shape, np.float32)
        for number, (near, share, place, sees) in enumerate(places):
            here = labels == number
            if not here.any():
                continue
            chosen = here[near]
            colour = sampled(self._layers[number], place.x[chosen], place.y[chosen])
            alpha = share[here]
            picture[here] = alpha[:, None] * colour + (1.0 - alpha[:, None]) * picture[here]
            cover[here], seen[here] = alpha, sees[chosen]
        gaps = (labels < 0) & (cv2.morphologyEx((labels >= 0).astype(np.uint8), cv2.MORPH_CLOSE, self._seam) > 0)
        picture, cover[gaps] = fill(np.rint(picture).astype(np.uint8), gaps), 1.0  # seams between parts
        figure = cover > 0.5
        seen = np.where(gaps, False, np.where(figure, seen, ~hidden))
        return picture, (2 * figure + seen).astype(np.uint8)

    def _placed(
        self, number: int, there: dict[str, Part], away
    ) -> tuple[np.ndarray, np.ndarray, Place | None, np.ndarray]:
        """(pixels near a part bool [H, W], how solid it is there float [H, W], where those near lie, whether seen)."""
        name, share = self._names[number], np.zeros(self._x.shape, np.float32)
        near = away[number] < (_LOOSE if self.matted else _REACH)
        if name not in there or not near.any():
            return near, share, None, np.zeros(0, bool)
        place = place_in(there[name], self._parts[name], self._x[near], self._y[near])
        if name == "neck" and self._bends and "torso" in there:
            place = self._bent(place, there, near)
        x, y = place.outline
        height, width = self._x.shape
        inside = (x > -0.5) & (y > -0.5) & (x < width - 0.5) & (y < height - 0.5)
        own = self._of(self._label_at(x, y), number)
        if name in FOREARMS or name in HANDS:  # fingers and sleeves too, which their capsules do not cover
            place = replace(place, skin=inside & own & (sampled(self._solid, x, y) > 0.5))
        close = away[number][near] < (_SURE_HEAD if there[name].kind == "head" else _REACH)
        share[near] = np.where(inside, sampled(self._solid, x, y) * (own | close), close) * ~place.free
        return near, share, place, place.sees & inside & self._of(self._label_at(place.x, place.y), number)

    def _bent(self, place: Place, there: dict[str, Part], near) -> Place:
        """The neck between head and torso, so that no seam runs around the throat: `place` is the head's move of it."""
        x, y = self._x[near], self._y[near]
        below, start = place_in(there["torso"], self._parts["torso"], x, y), there["neck"].points["upper"]
        bone = there["neck"].points["lower"] - start
        along = ((x - start[0]) * bone[0] + (y - start[1]) * bone[1]) / (bone @ bone + 1e-6)
        share = smoothstep(along, *_BEND)
        above, under = (np.array([at.x, at.y, *at.outline]) for at in (place, below))
        mixed = (1.0 - share) * above + share * under
        return replace(place, x=mixed[0], y=mixed[1], outline=(mixed[2], mixed[3]))

    def _of(self, labels, number: int) -> np.ndarray:
        """Where labels are of a part; throat and collar are the neck's as well as the torso's."""
        own = labels == number
        if self._bends and self._names[number] in _THROAT:
            own = np.isin(labels, [self._names.index(name) for name in _THROAT])
        return own

    def _label_at(self, x, y) -> np.ndarray:
        """Number of the part that the reference shows nearest to places float [n]."""
        height, width = self._labels.shape
        row, column = (
            np.clip(np.rint(np.nan_to_num(at)), 0, most - 1).astype(int) for at, most in ((y, height), (x, width))
        )
        return self._labels[row, column]

    def _away(self, parts: dict[str, Part]):
        """Distance of every pixel from each part, float [parts, H, W], in its radii; infinite where there is none."""
        away = np.full((len(self._names), *self._x.shape), np.inf, np.float32)
        for number, name in enumerate(self._names):
            if name in parts:
                away[number] = distance_px(parts[name], self._x, self._y) / parts[name].reach_px
        return away

    def _label(self, away, parts: dict[str, Part], there, reach: float = _REACH):
        """Number of the part that each pixel shows, int8 [H, W], -1 = background; nearer parts hide farther ones.

        there  bool [parts, H, W]: the part is solid
        """
        labels, front = np.full(self._x.shape, -1, np.int8), np.full(self._x.shape, np.inf)
        nearest, least = np.full(self._x.shape, -1, np.int8), np.full(self._x.shape, np.inf)
        for number, name in enumerate(self._names):
            if name not in parts:
                continue
            closer = (away[number] < least) & there[number]
            nearest[closer], least[closer] = number, away[number][closer]
            sure = _SURE_HEAD if parts[name].kind == "head" else _SURE
            before = (away[number] < sure) & there[number] & (parts[name].depth_m < front)
            labels[before], front[before] = number, parts[name].depth_m
        return np.where((labels < 0) & (least < reach), nearest, labels)

    def _layer(self, number: int, solid) -> np.ndarray:
        """The picture float32 [H, W, 3] as if only this part were in it, its own colours going on all around."""
        own = self._of(self._labels, number) & (solid > _INSIDE)
        return (fill(self.picture_u8, ~own) if own.sum() > 8 else self.picture_u8).astype(np.float32)


def warp_reference(picture_u8, still, still_rotation, act, act_rotation, matte_01=None, moves=None):
    """Yield (picture uint8 [H, W, 3], kind uint8 [H, W]) of every frame of a Performance; see `ReferenceWarp`.

    moves  float [T, 2, 3] of the background, or None
    """
    warp = ReferenceWarp(picture_u8, still, still_rotation, matte_01)
    for frame in range(len(act.drawn)):
        yield warp.to_pose(act, frame, act_rotation[frame], None if moves is None else moves[frame])


def _nearer(away, place: Place) -> np.ndarray:
    """Distances float [n] of a part's pixels, but surely the part's where its skin is: chins and hands are before
    collars and shirts."""
    return np.where(place.skin, np.minimum(away, _SKIN), away)


def _trusted(matte_01, away) -> np.ndarray:
    """The matte float32 [H, W], but 1 where a part lies whose bone it does not show: it has missed that part."""
    solid = np.array(matte_01, np.float32)
    for number, part in enumerate(away):
        bone = (part < _BONE) & (away.argmin(0) == number)
        if bone.any() and (matte_01[bone] > 0.5).mean() < _SHOWN:
            solid[part < _SURE] = 1.0
    return solid


def _shows(matte_01, away) -> bool:
    """Whether a matte shows the person that the parts, whose distances [parts, H, W] these are, belong to."""
    surest = (away < 0.5).any(0)
    return bool(surest.any() and (np.asarray(matte_01)[surest] > 0.5).mean() > _LEAST_COVERED)
