"""The throat below a chin that moves.

The edge of the photo's jaw, its beard and the sharpest of its shadow lie on it and would stay there as a dark arc when
the chin is raised.
"""

from dataclasses import replace

import numpy as np
from scipy.ndimage import distance_transform_edt

from stages.body.head import skin_at
from stages.body.labels import nearer, sure_of
from stages.body.parts import distance_px
from stages.body.piece import Part, Place
from stages.body.regrow import grown

_WIDE = 0.03  # of a head's radius: how wide that edge is
_PAST, _FAR = 1.6, 4.0  # of its width: surely beyond it; no longer near it


def jaw_edge(is_head, is_neck, head: Part) -> np.ndarray:
    """bool [H, W]: the neck that is so near to the head that the edge of the jaw colours it."""
    return grown(is_head, _width_px(head)) & is_neck


def beyond_edge(edge, neck, head: Part) -> np.ndarray:
    """bool [H, W]: the neck that lies as far again from the edge of the jaw as that is wide: not mixed with it."""
    return neck & ~grown(edge, _width_px(head))


def past_edge(edge, neck, head: Part) -> np.ndarray:
    """float32 [H, W, 2] (right, down): from the edge of the jaw and what is a pixel from it to the nearest place of the
    neck beyond it; 0, 0 elsewhere, and where that is far away: hair on shoulders has such an edge too."""
    way = np.zeros((*edge.shape, 2), np.float32)
    throat = beyond_edge(edge, neck, head)
    if not throat.any():
        return way
    far, (row, column) = distance_transform_edt(~throat, return_indices=True)
    near = grown(edge, 1) & (far <= _FAR * _width_px(head))
    y, x = np.nonzero(near)
    way[near] = np.stack([column[near] - x, row[near] - y], -1)
    return way


def below_jaw(place: Place, way, here: Part, there: Part, x, y) -> Place:
    """The neck's Place, but past the edge of the photo's jaw where the jaw of the pose is not near, and not seen there.

    place  of the neck's pixels x, y float [n];  way  float [n, 2] of them (`past_edge`)
    here, there  the head of the photo and of the pose
    """
    edge = np.flatnonzero(way.any(1))
    if not len(edge):
        return place
    width = _PAST * _width_px(here)
    middle = there.points["middle"]
    right, down = x[edge] - middle[0], y[edge] - middle[1]
    inwards = np.maximum(1.0 - width * there.reach_px / here.reach_px / np.maximum(np.hypot(right, down), 1e-6), 0.0)
    right, down = middle[0] + inwards * right, middle[1] + inwards * down
    away = distance_px(there, right, down) / there.reach_px
    at_jaw = nearer(away, skin_at(there, right, down)) < sure_of(there)
    left = np.zeros(len(x), bool)
    left[edge[~at_jaw]] = True
    return replace(place, x=place.x + left * way[:, 0], y=place.y + left * way[:, 1], sees=place.sees & ~left)


def _width_px(head: Part) -> int:
    return max(1, round(_WIDE * head.reach_px))
