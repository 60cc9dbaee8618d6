"""How the light and the clothes of further references differ from the first one's."""

import numpy as np

from stages.body.parts import distance_px, parts_of
from stages.body.several import SeveralWarps
from stages.body.smooth import sampled
from stages.core.pictures import lab

_LEAST_PX, _GENTLE, _MOST_GAIN = 60, 0.8, 0.25  # colours: pixels to compare, share corrected, most of it (log)
_FACING_BOTH = 0.45  # cosine from which a surface's colour says something in both pictures
_SURELY = 0.9  # of the mattes, from which both pictures show the person


def like_first(warps: SeveralWarps) -> tuple[np.ndarray, np.ndarray]:
    """How the light of each reference differs from the first's, and its clothes.

    returns  gain float [R, 3] to multiply colours with, 1 where too little is seen in both; clothes float [R], the
             median difference of the torso's colours after that, in Lab units, NaN where too little of it is seen
    Each reference is carried to the first one's pose, so that the same skin and cloth are compared.
    """
    first = warps.warps[0]
    gains, clothes = np.ones((len(warps.warps), 3)), np.full(len(warps.warps), np.nan)
    wanted = first.picture_u8.astype(np.float64)
    for number in range(1, len(warps.warps)):
        carried, both = _shown_alike(warps, number)
        if both.sum() < _LEAST_PX:
            continue
        ratio = np.log((wanted[both] + 8.0) / (carried[both] + 8.0))
        gains[number] = np.exp(np.clip(_GENTLE * np.median(ratio, 0), -_MOST_GAIN, _MOST_GAIN))
        torso = both & (first.labels == first.number_of("torso"))
        if torso.sum() >= _LEAST_PX:
            matched = np.clip(carried * gains[number], 0, 255).astype(np.uint8)
            away = lab(first.picture_u8)[torso].mean(0) - lab(matched)[torso].mean(0)
            clothes[number] = float(np.linalg.norm(away))
    return gains, clothes


def _shown_alike(warps: SeveralWarps, number: int) -> tuple[np.ndarray, np.ndarray]:
    """A reference carried to the first one's pose, float32 [H, W, 3], and bool [H, W] where both show the same surface,
    facing both cameras."""
    first, other = warps.warps[0], warps.warps[number]
    carried, both = np.zeros((*first.shape, 3), np.float32), np.zeros(first.shape, bool)
    there = parts_of(warps.stills[0], 0, warps.rotations[0])
    for name, part in there.items():
        here = first.labels == first.number_of(name)
        if name not in other.parts or not here.any():
            continue
        away = distance_px(part, first.x[here], first.y[here]) / part.reach_px
        theirs, own = (source.shown(name, there, here, away) for source in (other, first))
        carried[here] = sampled(other.picture_u8, theirs.place.x, theirs.place.y)
        surface = (theirs.place.inside & own.place.inside) if part.kind == "head" else True
        facing = np.minimum(theirs.place.towards, own.place.towards) >= _FACING_BOTH
        person = np.minimum(other.solid_at(theirs.place), first.solid_at(own.place)) > _SURELY
        both[here] = theirs.seen & facing & surface & person
    return carried, both
