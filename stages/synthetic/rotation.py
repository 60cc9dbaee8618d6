"""Small rotation helpers of the animator, world axes y up, degrees where the name says so."""

from __future__ import annotations

import numpy as np


def between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The smallest rotation that turns direction `start` to direction `end`, float64 [3, 3]."""
    a, b = start / np.linalg.norm(start), end / np.linalg.norm(end)
    x, y, z = a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]
    cosine = float(a @ b)
    if cosine < -0.9999:
        return np.diag([-1.0, -1.0, 1.0])
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + skew + skew @ skew / (1 + cosine)


def turn(pitch_deg: float, yaw_deg: float, roll_deg: float) -> np.ndarray:
    """Intrinsic yaw (y), then pitch (x), then roll (z), float64 [3, 3]."""
    pitch, yaw, roll = np.radians(pitch_deg), np.radians(yaw_deg), np.radians(roll_deg)
    cx, sx, cy, sy, cz, sz = np.cos(pitch), np.sin(pitch), np.cos(yaw), np.sin(yaw), np.cos(roll), np.sin(roll)
    return np.array(
        [
            [cy * cz + sy * sx * sz, -cy * sz + sy * sx * cz, sy * cx],
            [cx * sz, cx * cz, -sx],
            [-sy * cz + cy * sx * sz, sy * sz + cy * sx * cz, cy * cx],
        ]
    )


def about(axis: np.ndarray, angle_deg: float) -> np.ndarray:
    """Rotation about a unit axis (Rodrigues), float64 [3, 3]."""
    angle = np.radians(angle_deg)
    x, y, z = axis
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * (skew @ skew)


def rotvec(matrix: np.ndarray) -> np.ndarray:
    """Axis times angle in radians, float64 [3]."""
    from stages.core.geometry import matrix_to_rotvec

    return matrix_to_rotvec(matrix)


def from_rotvec(vector_rad: np.ndarray) -> np.ndarray:
    """The inverse of `rotvec`."""
    angle = float(np.linalg.norm(vector_rad))
    return np.eye(3) if angle < 1e-9 else about(vector_rad / angle, np.degrees(angle))


def two_bone(target: np.ndarray, upper: float, lower: float, pole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directions of the upper and lower bone that reach for `target` from the origin, bending towards `pole`.

    target  float64 [3]; out of reach is shortened, too near is pushed out
    upper, lower  lengths; returns two unit vectors
    """
    distance = float(np.linalg.norm(target))
    reach = float(np.clip(distance, abs(upper - lower) * 1.05 + 0.05, (upper + lower) * 0.995))
    along = target / distance
    foot = (upper * upper - lower * lower + reach * reach) / (2 * reach)
    height = np.sqrt(max(upper * upper - foot * foot, 0.0))
    bend = pole - along * float(pole @ along)
    bend = bend / (np.linalg.norm(bend) + 1e-6)
    elbow = along * foot + bend * height
    return elbow / upper, (along * reach - elbow) / lower
