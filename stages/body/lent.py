"""Limbs that a reference hides, or that lie beyond it, in colours of what it shows.

People are dressed alike left and right, so a limb's twin tells it all. Where the twin is not shown either, sleeves go
on as the shirt or the upper arm, in one colour, and hands have the skin of the face. It is a guess, marked as one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.body import ellipsoid, relief
from stages.body.head import on_picture
from stages.body.parts import FOREARMS, HANDS, UPPER_ARMS, fingers_of
from stages.body.piece import Part
from stages.body.smooth import sampled

_HIDDEN, _KNOWN = 0.1, 0.5  # share of a limb's outline that shows it: up to which it is lent, from which it lends
_FULL = 0.85  # of its radius that a limb in one colour fills
_SLIM, _SHOULDER = 0.35, 2.0  # share of that where an upper arm begins, and after how many radii it is all of it
_CUFF = 0.85  # of an upper arm: where a sleeve ends, or not
_SOME_PX = 8  # from which colours are known
_CHEEKS = np.array([[-0.55, 0.3, -0.78], [0.0, 0.25, -0.97], [0.55, 0.3, -0.78]])  # and the nose, stretched head axes
_SIDEWAYS = 0.3  # cosine between skin and camera from which its colour is right
_AROUND = np.stack(np.meshgrid(*[np.linspace(-0.08, 0.08, 5)] * 2), -1).reshape(-1, 2)  # places about each, head radii


@dataclass(frozen=True)
class Loan:
    """Where a limb's colours come from.

    name  of the part that tells them: its twin, seen in a mirror, or itself; "" where none does
    colour_u8  uint8 [3] of all that this part does not show; None: its colours go on
    """

    name: str
    colour_u8: np.ndarray | None = None


def loans(picture_u8, parts: dict[str, Part], shares: dict[str, float], beyond, own, within) -> dict[str, Loan]:
    """Limb -> Loan, of those that a reference shows too little of, or that it does not have.

    shares  0..1 of every part's outline that shows it;  beyond  names of parts that lie beyond the picture
    own     function of a name: bool [H, W] where the picture shows that part alone;  within  where the person lies
            within its outline, whatever part of her is shown there
    """
    lent = {}
    for name in shares:
        twin = other_side(name)
        if twin != name and shares[name] >= _KNOWN and shares.get(twin, 0.0) <= _HIDDEN:
            lent[twin] = Loan(name=name)
    shirt, skin = _median(picture_u8, own("torso")), _skin(picture_u8, parts.get("head"))
    for upper, fore, hand in zip(UPPER_ARMS, FOREARMS, HANDS, strict=True):
        teller = lent[upper].name if upper in lent else upper
        sleeve = _cuff(picture_u8, parts[teller], own(teller)) if shares.get(teller, 0.0) >= _KNOWN else None
        for name, colour in ((upper, shirt), (fore, shirt if sleeve is None else sleeve), (hand, skin)):
            if name in parts and (name in beyond or (name == fore and shares[fore] <= _HIDDEN)):
                known = [_median(picture_u8, where(name)) for where in (own, within)]
                colour = next((some for some in (*known, colour) if some is not None), None)
            elif name in parts:
                continue
            if name not in lent and colour is not None:
                lent[name] = Loan(name if name in parts else "", colour)
    return lent


def mirrored(limb: Part, x, y) -> tuple[np.ndarray, np.ndarray]:
    """Places x, y float [n] on the other side of a limb's bone: twins' thumbs and seams lie on opposite sides."""
    bone, _, aside = _from_bone(limb, x, y)
    return x + 2.0 * aside * bone[1], y - 2.0 * aside * bone[0]


def covered(name: str, limb: Part, x, y, away) -> np.ndarray:
    """bool [n]: what a limb in one colour covers of places x, y float [n], `away` from it in its radii.

    Upper arms begin slim: they must not stand up beside a shoulder that slopes. Hands have fingers.
    """
    if limb.fingers_px is not None:
        return fingers_of(limb, x, y)
    width = np.ones(len(x))
    if name in UPPER_ARMS:
        along = _from_bone(limb, x, y)[1]
        width = np.interp(along / limb.reach_px, (0.0, _SHOULDER), (_SLIM, 1.0))
    return away < _FULL * width


def other_side(name: str) -> str:
    """The twin of a part; a part in the middle is its own."""
    return "right".join(half.replace("right", "left") for half in name.split("left"))


def _cuff(picture_u8, upper_arm: Part, own):
    """The colour uint8 [3] at the elbow of an upper arm that the picture shows in bool [H, W] `own`, or None."""
    y, x = np.mgrid[: picture_u8.shape[0], : picture_u8.shape[1]]
    length = np.linalg.norm(upper_arm.points["lower"] - upper_arm.points["upper"])
    return _median(picture_u8, own & (_from_bone(upper_arm, x, y)[1] > _CUFF * length))


def _from_bone(limb: Part, x, y):
    """Unit vector [2] of a limb's bone, and how far places are along it from its upper end and aside of it, px."""
    start, bone = limb.points["upper"], limb.points["lower"] - limb.points["upper"]
    bone = bone / (np.linalg.norm(bone) + 1e-6)
    right, down = x - start[0], y - start[1]
    return bone, right * bone[0] + down * bone[1], down * bone[0] - right * bone[1]


def _skin(picture_u8, head: Part | None):
    """The colour uint8 [3] of the cheeks and nose that are seen; None where none is."""
    if head is None:
        return None
    points = _CHEEKS * (relief.length_towards(_CHEEKS) / np.linalg.norm(_CHEEKS, axis=1))[:, None]
    seen = points[relief.towards(points, head.rotation) > _SIDEWAYS]
    places = on_picture(head, (ellipsoid.seen_at(seen, head.rotation)[:, None] + _AROUND).reshape(-1, 2))
    height, width = picture_u8.shape[:2]
    inside = ((places >= 0) & (places < (width, height))).all(1)
    if inside.sum() <= _SOME_PX:
        return None
    return np.rint(np.median(sampled(picture_u8, *places[inside].T.astype(np.float32)), 0)).astype(np.uint8)


def _median(picture_u8, where):
    return np.rint(np.median(picture_u8[where], 0)).astype(np.uint8) if where.sum() > _SOME_PX else None
