"""A head with its hair as an ellipsoid: it is narrower from the front than from the side, as a sphere is not.

Points are in head axes, stretched so that the ellipsoid is the unit ball; lengths in the picture are in half its
height.
"""

import numpy as np

AXES = np.array([0.66, 1.0, 0.82])  # half axes of a head with hair, of half its height: across, down, deep


def surface(plane, rotation):
    """(points [..., 3], miss2 [...]): what the camera sees at places [..., 2] about the middle of a head.

    rotation  R_cam_head [3, 3]
    miss2     squared distance of the ray from the middle; above 1 it misses, and the point is where it comes nearest
    """
    start, ray = plane @ rotation[:2] / AXES, rotation[2] / AXES
    nearest = start - ((start @ ray) / (ray @ ray))[..., None] * ray
    miss2 = np.square(nearest).sum(-1)
    return nearest - np.sqrt(np.clip(1.0 - miss2, 0.0, 1.0) / (ray @ ray))[..., None] * ray, miss2


def seen_at(points, rotation):
    """Places [..., 2] about the middle of the head, in the picture, of points [..., 3]."""
    return ((points * AXES) @ rotation.T)[..., :2]


def towards(points, rotation):
    """Cosine [...] between the surface at points [..., 3] and the camera."""
    normal = points / AXES
    return -(normal @ rotation[2]) / np.maximum(np.linalg.norm(normal, axis=-1), 1e-6)


def turned_to(points, rotation, cosine):
    """Points [..., 3], moved towards the camera until they face it by a cosine (a number or [...]), as far out."""
    away = ray(rotation)
    aside = points - (points @ away)[..., None] * away
    aside = aside / np.maximum(np.linalg.norm(aside, axis=-1, keepdims=True), 1e-6)
    cosine = np.asarray(cosine)[..., None]
    return np.linalg.norm(points, axis=-1, keepdims=True) * (np.sqrt(1.0 - cosine**2) * aside - cosine * away)


def folded(points, rotation, least: float, share: float, most: float):
    """Points [..., 3], those that face the camera by less than a cosine as in a mirror that stands there.

    share  of the cosine below `least` that they lie above it;  most  cosine that they then face it by
    """
    facing = -(points @ ray(rotation)) / np.maximum(np.linalg.norm(points, axis=-1), 1e-6)
    mirror = np.minimum(least + share * (least - facing), most)
    return np.where((facing < least)[..., None], turned_to(points, rotation, mirror), points)


def ray(rotation):
    """Unit vector away from the camera, stretched axes."""
    away = rotation[2] / AXES
    return away / np.linalg.norm(away)


def to_rim(ahead, rotation):
    """Directions [..., 2] in the picture, made as long as the outline is far that way."""
    across = (rotation * AXES)[:2]
    length2 = np.einsum("...i,ij,...j", ahead, np.linalg.inv(across @ across.T), ahead)
    return ahead / np.sqrt(np.maximum(length2, 1e-9))[..., None]


def beside(plane, miss2, there, here):
    """Where places [..., 2] beside a head lie beside it in another picture, as far beyond its rim there.

    there, here  R_cam_head [3, 3] of both
    """
    tilt = _tilt_rad(here) - _tilt_rad(there)
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    return to_rim(plane @ turn.T, here) * np.sqrt(miss2)[..., None]


def _tilt_rad(rotation) -> float:
    """How far the head's own upright is tilted in the picture, radians; clockwise is positive."""
    return float(np.arctan2(-rotation[0, 1], rotation[1, 1]))
