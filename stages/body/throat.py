"""The throat below a chin that moves.

The edge of the photo's jaw, its beard and the sharpest of its shadow lie on it and would stay there as a dark arc when
the chin is raised.
"""

from dataclasses import replace

import numpy as np

from stages.body.labels import nearer, sure_of
from stages.body.parts import Part, Place, distance_px, place_in
from stages.body.regrow import grown

_WIDE, _PAST = 0.03, 1.6  # of a head's radius: how wide that edge is; of its width, surely beyond it


def jaw_edge(is_head, is_neck, head: Part) -> np.ndarray:
    """bool [H, W]: the neck that is so near to the head that the edge of the jaw colours it."""
    return grown(is_head, _width_px(head)) & is_neck


def below_jaw(place: Place, edge, neck: Part, here: Part, there: Part, x, y) -> Place:
    """The neck's Place, but past the edge of the photo's jaw where the jaw of the pose is not near, and not seen there.

    place  of the neck's pixels x, y float [n];  edge  bool [n] it lies on that edge
    neck, here  of the photo;  there  the head of the pose
    """
    width = _PAST * _width_px(here)
    bone = neck.points["lower"] - neck.points["upper"]
    down = width * bone / (np.linalg.norm(bone) + 1e-6)
    middle = there.points["middle"]
    out = np.maximum(np.hypot(x - middle[0], y - middle[1]), 1e-6)
    inwards = np.maximum(1.0 - width * there.reach_px / here.reach_px / out, 0.0)
    x, y = middle[0] + inwards * (x - middle[0]), middle[1] + inwards * (y - middle[1])
    skin = place_in(there, here, x, y).skin
    left = edge & ~(nearer(distance_px(there, x, y) / there.reach_px, skin) < sure_of(there))
    return replace(place, x=place.x + left * down[0], y=place.y + left * down[1], sees=place.sees & ~left)


def _width_px(head: Part) -> int:
    return max(1, round(_WIDE * head.reach_px))
