"""Rotation helpers of the animator, world axes y up, degrees where the name says so; leading axes allowed."""

from __future__ import annotations

import numpy as np


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length 1, float64 [..., 3]; the zero vector stays zero."""
    return vectors / (np.sqrt(np.sum(vectors * vectors, axis=-1, keepdims=True)) + 1e-12)


def turn(pitch_deg, yaw_deg, roll_deg) -> np.ndarray:
    """Intrinsic yaw (y), then pitch (x), then roll (z), float64 [..., 3, 3]; numbers or arrays of one shape."""
    pitch, yaw, roll = (np.radians(np.asarray(angle, float)) for angle in (pitch_deg, yaw_deg, roll_deg))
    pitch, yaw, roll = np.broadcast_arrays(pitch, yaw, roll)
    cx, sx, cy, sy, cz, sz = np.cos(pitch), np.sin(pitch), np.cos(yaw), np.sin(yaw), np.cos(roll), np.sin(roll)
    out = np.empty((*pitch.shape, 3, 3))
    out[..., 0, 0], out[..., 0, 1], out[..., 0, 2] = cy * cz + sy * sx * sz, -cy * sz + sy * sx * cz, sy * cx
    out[..., 1, 0], out[..., 1, 1], out[..., 1, 2] = cx * sz, cx * cz, -sx
    out[..., 2, 0], out[..., 2, 1], out[..., 2, 2] = -sy * cz + cy * sx * sz, sy * sz + cy * sx * cz, cy * cx
    return out


def turn_angles_deg(rotation: np.ndarray) -> np.ndarray:
    """Pitch, yaw, roll of `turn`, float64 [..., 3]."""
    m = rotation
    pitch = np.arcsin(np.clip(-m[..., 1, 2], -1, 1))
    yaw, roll = np.arctan2(m[..., 0, 2], m[..., 2, 2]), np.arctan2(m[..., 1, 0], m[..., 1, 1])
    return np.degrees(np.stack([pitch, yaw, roll], axis=-1))


def about(axis: np.ndarray, angle_deg) -> np.ndarray:
    """Rotation about unit axes float [..., 3] by angles [...] (Rodrigues), float64 [..., 3, 3]."""
    angle = np.radians(np.asarray(angle_deg, float))
    axis = np.broadcast_to(axis, (*np.broadcast_shapes(angle.shape, np.shape(axis)[:-1]), 3))
    x, y, z = axis[..., 0], axis[..., 1], axis[..., 2]
    c, s = np.cos(angle), np.sin(angle)
    d = 1 - c
    out = np.empty((*x.shape, 3, 3))
    out[..., 0, 0], out[..., 0, 1], out[..., 0, 2] = c + x * x * d, x * y * d - z * s, x * z * d + y * s
    out[..., 1, 0], out[..., 1, 1], out[..., 1, 2] = y * x * d + z * s, c + y * y * d, y * z * d - x * s
    out[..., 2, 0], out[..., 2, 1], out[..., 2, 2] = z * x * d - y * s, z * y * d + x * s, c + z * z * d
    return out


def between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The smallest rotations that turn directions `start` to `end`, float64 [..., 3, 3]; half turns are about z."""
    a, b = np.broadcast_arrays(unit(start), unit(end))
    axis = np.cross(a, b)
    cosine = np.sum(a * b, axis=-1)
    sine = np.sqrt(np.sum(axis * axis, axis=-1))
    axis = np.where((sine > 1e-9)[..., None], axis / (sine[..., None] + 1e-12), np.array([0.0, 0.0, 1.0]))
    return about(axis, np.degrees(np.arctan2(sine, cosine)))


def framed(along: np.ndarray, hinge: np.ndarray) -> np.ndarray:
    """Orthonormal frames float64 [..., 3, 3]: columns `along`, `hinge` made square to it, and their cross product."""
    along = unit(along)
    hinge = unit(hinge - along * np.sum(hinge * along, axis=-1, keepdims=True))
    return np.stack([along, hinge, np.cross(along, hinge)], axis=-1)


def transposed(matrices: np.ndarray) -> np.ndarray:
    """The inverse of rotations, [..., 3, 3]."""
    return np.swapaxes(matrices, -1, -2)


def applied(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """matrices [..., 3, 3] times vectors [..., 3], float64 [..., 3]."""
    return (matrices @ np.asarray(vectors, float)[..., None])[..., 0]


def orthonormal(matrices: np.ndarray) -> np.ndarray:
    """Rotations from nearly orthonormal matrices [..., 3, 3]: one Newton step towards the polar factor.

    The mean of two rotations 0.2 rad apart is off by 5e-3 before and 4e-5 after the step.
    """
    return matrices @ (1.5 * np.eye(3) - 0.5 * (transposed(matrices) @ matrices))


def rotvec(matrix: np.ndarray) -> np.ndarray:
    """Axis times angle in radians, float64 [..., 3]."""
    from stages.core.geometry import matrix_to_rotvec

    return matrix_to_rotvec(matrix)


def from_rotvec(vector_rad: np.ndarray) -> np.ndarray:
    """The inverse of `rotvec`."""
    from stages.core.geometry import rotvec_to_matrix

    return rotvec_to_matrix(vector_rad)


def two_bone(
    target: np.ndarray, upper: float, lower: float, pole: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directions of the upper and lower bone that reach for `target` from the origin, bending towards `pole`.

    target, pole  float64 [..., 3]; a target out of reach is shortened, one too near is pushed out
    upper, lower  lengths
    returns       two unit vectors [..., 3], and the hinge [..., 3]: unit axis about which the lower bone bends from the
                  upper one (upper x lower)
    """
    distance = np.sqrt(np.sum(target * target, axis=-1, keepdims=True)) + 1e-9
    reach = np.clip(distance, abs(upper - lower) * 1.05 + 0.05, (upper + lower) * 0.9995)
    along = target / distance
    foot = (upper * upper - lower * lower + reach * reach) / (2 * reach)
    height = np.sqrt(np.maximum(upper * upper - foot * foot, 0.0))
    bend = unit(pole - along * np.sum(pole * along, axis=-1, keepdims=True))
    elbow = along * foot + bend * height
    return elbow / upper, (along * reach - elbow) / lower, np.cross(bend, along)
