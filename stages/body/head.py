"""A head in another picture: where its pixels lie there, and what stands for those that it does not show.

The head is an ellipsoid with a face on it (stages.body.relief). What the other picture sees at a slant, or not at all,
is the other half of the face as far as that is seen better, else a mirror image of what is beside it; hair at the back
is that of the rim.
"""

import numpy as np
from scipy.spatial import cKDTree

from stages.body import ellipsoid, relief
from stages.body.piece import Part, Place
from stages.core.geometry import smoothstep

HAIR = 1.3  # of a head with its hair, in head radii
# Cosines between the surface and a camera:
_UNSEEN = -0.15  # up to which the surface is still seen, which is not quite known
_EDGEWISE = 0.15  # up to which what is shown is as much of what is behind the head
_TURNS = 0.05, 0.25  # more of it than in the other picture: nothing is guessed, all that must be
_FOLD = 0.1, 0.5, 0.45  # where the mirror stands; how much of the way is gone back; the most
_BACK = -0.4  # from which hair is taken from the rim
_BETTER = 0.3, 0.6  # how much more the other half of a face must be turned to the camera: not asked, asked for all
_OBLIQUE, _HAIR_OBLIQUE = (0.15, 0.4), (-0.2, -0.1)  # of the own half then: none of it, all of it; of face and of hair
_MEETING = 0.3  # above _OBLIQUE, where both halves are seen and compared
_TURNS_AWAY, _ALIKE, _EDGE = 0.4, 0.75, 0.1  # of what is near the outline; of views whose outlines agree; where to look
_FACE = 0.2  # of where a face and where the camera looks, from which chin and jaw are before the neck
_HAIRLINE = (0.35, 0.8), (-0.1, 0.5)  # how far back, how far down: below it is skin, stretched head axes
_BROW, _EARS = -0.45, 0.2  # how far down, how far back: below and before them is a face
# Of jaws: radii beside them that go on from them; how far those are moved wholly, and not at all; where they begin
_NEXT, _SHIFTED, _LOW = 0.3, (0.1, 0.25), 0.35
_MIRROR = np.array([-1.0, 1.0, 1.0])
_RIM, _HAIR_PULL = 0.8, 1.5  # where, in radii, the colour of hair that is not seen is taken from; how far upwards


def place_in_head(there: Part, here: Part, x, y) -> Place:
    """Where pixels (x, y) of the head `there` lie in the other frame's `here`.

    Beside the head is hair or what is behind it, but not the other picture's face, which stands out in a profile. A
    head has no holes, but where it turns away from the camera it is as narrow as the other picture shows it.
    """
    point, inside, outside, free = head_surface(there, here, x, y)
    level = _level(point, here.rotation, inside)
    face = inside & (point[..., 1] > _BROW) & (point[..., 2] < _EARS)
    facing = ellipsoid.towards(point, there.rotation)
    turns = smoothstep(facing - level, *_TURNS) * inside
    oblique = 1.0 - np.where(face, smoothstep(level, *_OBLIQUE), smoothstep(level, *_HAIR_OBLIQUE))
    share = turns * oblique
    other_level = _level(point * _MIRROR, here.rotation, share > 0)
    share = share * smoothstep(other_level - level, *_BETTER) * (other_level > _UNSEEN)
    other_half = share > 0.5
    own, other = (_shown_at(at, here.rotation, turns) for at in (point, point * _MIRROR))
    found, twin = (np.where(other_half[..., None], *pair) for pair in ((other, own), (own, other)))
    jaw = face & ~other_half & (point[..., 1] > _LOW)
    outside = _next_to(np.stack([x, y], -1) / (there.reach_px / HAIR), inside, jaw, found, outside)
    back = on_picture(here, np.where(inside[..., None], found, outside))
    alike = there.rotation[2] @ here.rotation[2]
    narrow = (facing < _TURNS_AWAY) & (alike > _ALIKE)
    edge = ellipsoid.seen_at(ellipsoid.folded(point, here.rotation, _EDGE, 0.0, _EDGE), here.rotation)
    edge = on_picture(here, np.where(inside[..., None], edge, outside))
    outline = np.where((inside & ~narrow)[..., None], here.points["middle"], edge)
    return Place(
        x=back[..., 0],
        y=back[..., 1],
        outline=(outline[..., 0], outline[..., 1]),
        sees=np.where(inside, ~other_half & (level >= _EDGEWISE), alike > 0),
        towards=np.where(inside, level, alike),
        inside=inside,
        free=free,
        skin=_is_turned(there, inside),
        face=face,
        turns=turns,
        share=share,
        twin=on_picture(here, twin),
    )


def skin_at(head: Part, x, y) -> np.ndarray:
    """bool as x and y: the `skin` of `place_in_head`, of places (x, y) of a head in its own picture."""
    plane = _plane(head, x, y)
    return _is_turned(head, relief.surface(plane, head.rotation)[1])


def _is_turned(head: Part, inside) -> np.ndarray:
    return inside & (head.rotation[2, 2] > _FACE)


def _level(points, rotation, asked) -> np.ndarray:
    """float [...]: `relief.towards` of points [..., 3] where that is asked, bool [...]; -1 elsewhere."""
    level = np.full(asked.shape, -1.0)
    level[asked] = relief.towards(points[asked], rotation)
    return level


def _next_to(plane, inside, moving, found, outside):
    """Places [..., 2] beside a head that go on from those of the surface next to them: where one map ends and another
    begins a jaw would be there twice.

    plane  [..., 2] where they are in their own picture;  inside  bool [...] the surface is there, at `found` [..., 2]
    moving  bool [...], the surface that takes along what is beside it: chin and jaw
    All are in head radii. Far from the surface, or where both maps have little to do with each other, they stay.
    """
    shape, inside = outside.shape, inside.ravel()
    if inside.all() or not inside.any():
        return outside
    plane, found, made = (at.reshape(-1, 2) for at in (plane, found, outside.copy()))
    shift = np.where(moving.ravel()[:, None], found - made, 0.0)[inside]
    far, nearest = cKDTree(plane[inside]).query(plane[~inside], distance_upper_bound=_NEXT)
    at_hand = np.isfinite(far)
    shift = shift[nearest[at_hand]]
    share = (1.0 - far[at_hand] / _NEXT) * (1.0 - smoothstep(np.linalg.norm(shift, axis=-1), *_SHIFTED))
    made[np.flatnonzero(~inside)[at_hand]] += share[:, None] * shift
    return made.reshape(shape)


def _shown_at(point, rotation, turns):
    """Places [..., 2] about the middle of a head where colours of its points [..., 3] are, or are guessed.

    turns  float [...] as of Place
    """
    found, folded = (ellipsoid.seen_at(at, rotation) for at in (point, ellipsoid.folded(point, rotation, *_FOLD)))
    found = found + turns[..., None] * (folded - found)
    above = _RIM * ellipsoid.to_rim(found - _HAIR_PULL * rotation[:2, 1], rotation)
    at_rim = ~_is_skin(point) & (ellipsoid.towards(point, rotation) < _BACK)
    return np.where(at_rim[..., None], above, found)


def _is_skin(point) -> np.ndarray:
    """bool [...]: points [..., 3] of a head lie below its hairline."""
    return point[..., 1] > np.interp(point[..., 2], *_HAIRLINE)


def head_surface(there: Part, here: Part, x, y):
    """Points [..., 3] of the head that its pixels (x, y) show, whether they show any of it, for those beside it the
    places [..., 2] about the middle of the other picture's head where they lie, and whether nothing of it is there."""
    plane = _plane(there, x, y)
    point, inside, miss2 = relief.surface(plane, there.rotation)
    outside = ellipsoid.beside(plane, miss2, there.rotation, here.rotation)
    return point, inside, outside, relief.free_beside(outside, inside, there.rotation, here.rotation)


def _plane(head: Part, x, y) -> np.ndarray:
    """Places [..., 2] about the middle of a head, which are in half its height, of px x and y."""
    return np.stack([x - head.points["middle"][0], y - head.points["middle"][1]], -1) / (head.reach_px / HAIR)


def on_picture(head: Part, places):
    """px [..., 2] of places [..., 2] about the middle of a head, which are in half its height."""
    return np.asarray(head.points["middle"]) + (head.reach_px / HAIR) * places


def halves_meet(head: Part) -> tuple[np.ndarray, np.ndarray]:
    """px float [n, 2] where a picture shows points of a face at a slant, and those of the half that it sees better."""
    points = relief.directions().reshape(-1, 3)
    points = points * relief.length_towards(points)[:, None]
    points = points[_is_skin(points) & (points[:, 2] < 0)]
    level, other = (relief.towards(at, head.rotation) for at in (points, points * _MIRROR))
    low, high = _OBLIQUE
    points = points[(level > low) & (level < high + _MEETING) & (other > level + _BETTER[0])]
    one, two = (on_picture(head, ellipsoid.seen_at(at, head.rotation)) for at in (points, points * _MIRROR))
    return one, two
