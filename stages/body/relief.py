"""A face on the ellipsoid of a head: nose, lips and chin stand before it, eyes lie behind it.

When a head turns by 30 degrees, a mouth that is taken to lie 0.14 head radii too deep comes out by 0.07 radii beside
its place, and a nose that lies flat does not turn at all. The relief is one length for each direction from the middle
of the head, in the stretched axes of `stages.body.ellipsoid`, measured on synthetic people of the training split by
stages.training.head_relief; hair stays the ellipsoid.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np

from stages.body import ellipsoid
from stages.body.smooth import sampled

RELIEF_FILE = Path(__file__).parent / "weights" / "relief.safetensors"
ROWS, COLUMNS = 48, 96  # from crown to chin, and around from the back over one ear, the face and the other ear
_MOST = 1.3  # nothing of a head lies farther out
_STEPS, _STRIDE, _ON = 16, 0.8, 0.012  # of the search along a ray; how near the surface it ends
_APART, _WIDER = (0.9, 0.5), 0.15  # cosine of two views whose outlines differ, wholly; how much wider one is then taken
_STANDS_OUT = 1.02  # length of skin before the ellipsoid
_LIFT, _BEHIND = 1.06, 0.05  # of a point that is asked for; how far before it what hides it stands


def directions() -> np.ndarray:
    """float [ROWS, COLUMNS, 3] unit vectors of the cells' middles, head axes: x right for one who faces us, y down."""
    down = np.pi * (np.arange(ROWS) + 0.5)[:, None] / ROWS
    around = 2 * np.pi * (np.arange(COLUMNS) + 0.5)[None] / COLUMNS - np.pi
    level = np.sin(down)
    return np.stack(np.broadcast_arrays(level * np.sin(around), -np.cos(down), -level * np.cos(around)), -1)


@lru_cache(maxsize=1)
def _lengths() -> np.ndarray:
    from stages.weights.checkpoint import load_checkpoint

    return load_checkpoint(RELIEF_FILE)[0]["lengths"].numpy()


def length_towards(points) -> np.ndarray:
    """float32 [n] distance of the surface from the middle in the directions of points float [n, 3]."""
    x, y, z = np.asarray(points, np.float32).T
    away = np.maximum(np.sqrt(x * x + y * y + z * z), 1e-6)
    row = np.arccos(np.clip(-y / away, -1.0, 1.0)) * (ROWS / np.pi) - 0.5
    column = (np.arctan2(x, -z) + np.pi) * (COLUMNS / (2 * np.pi)) - 0.5
    return sampled(_lengths(), column, row)


def surface(plane, rotation):
    """(points [..., 3], inside bool [...], miss2 [...]): what the camera sees at places [..., 2] about a head's middle.

    plane     in head radii;  rotation  R_cam_head [3, 3]
    inside    the ray meets the head; where not, the point is that of `ellipsoid.surface`
    miss2     as of `ellipsoid.surface`
    """
    point, miss2 = ellipsoid.surface(plane, rotation)
    shape, found, squared = miss2.shape, point.reshape(-1, 3).copy(), miss2.reshape(-1)
    near = np.flatnonzero(squared < _MOST**2)
    ray = ellipsoid.ray(rotation)
    start = (np.asarray(plane) @ rotation[:2] / ellipsoid.AXES).reshape(-1, 3)[near]
    start = start - (start @ ray)[:, None] * ray  # where the ray comes nearest
    along = -np.sqrt(np.maximum(_MOST**2 - squared[near], 0.0))
    gap = np.full(len(near), np.inf)
    for _ in range(_STEPS):
        at = start + along[:, None] * ray
        gap = np.linalg.norm(at, axis=1) - length_towards(at)
        along = along + _STRIDE * np.maximum(gap, 0.0)
    inside = np.zeros(len(squared), bool)
    inside[near] = gap < _ON
    found[near[gap < _ON]] = at[gap < _ON]
    return found.reshape(*shape, 3), inside.reshape(shape), miss2


def shown(points, rotation) -> np.ndarray:
    """bool [...]: no other part of the head (the nose before a cheek) stands before points [..., 3] for the camera.

    Points are lifted a little: at the outline the head itself, not quite known, would hide them.
    """
    lifted = _LIFT * points
    first, inside, _ = surface(ellipsoid.seen_at(lifted, rotation), rotation)
    return ~(inside & ((lifted - first) @ ellipsoid.ray(rotation) > _BEHIND))


def towards(points, rotation) -> np.ndarray:
    """Cosine [...] between the surface at points [..., 3] and the camera (`ellipsoid.towards`); -1 where hidden."""
    return np.where(shown(points, rotation), ellipsoid.towards(points, rotation), -1.0)


def free_beside(outside, inside, there, here) -> np.ndarray:
    """bool [...]: a place that is no head there (`inside`) lies on the face here, at `outside` [..., 2]: nothing of it
    belongs beside the head, for nose and chin of a profile stand out where a face that looks at us has air.

    there, here  R_cam_head [3, 3];  noses differ, so that the more the views do the wider the face is taken to be
    """
    near, far = _APART
    apart = np.clip((near - there[2] @ here[2]) / (near - far), 0.0, 1.0)
    if apart == 0.0:
        return np.zeros(inside.shape, bool)
    free, air = np.zeros(inside.shape, bool), ~inside
    for share in (1.0, 1.0 - _WIDER * apart):
        point, on_face, _ = surface(share * np.asarray(outside)[air], here)
        free[air] |= on_face & (np.linalg.norm(point, axis=-1) > _STANDS_OUT)
    return free
