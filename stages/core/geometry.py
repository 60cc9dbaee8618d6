"""Rotations, the pinhole camera and similarity fits, in numpy.

Camera frame: x right, y down, z forward (away from the camera), metres. Image: x right, y down, the centre of the
top-left pixel is (0, 0). Head frame: x to the image right when the person faces the camera, y down, z out of the back
of the head, so an upright head that faces the camera has R_cam_head = identity.
"""

from __future__ import annotations

import math

import numpy as np


def rotvec_to_matrix(rotvec_rad: np.ndarray) -> np.ndarray:
    """Rotation matrices of rotation vectors (Rodrigues' formula).

    rotvec_rad  float [..., 3]     axis times angle in radians; NaN stays NaN
    returns     float64 [..., 3, 3]
    """
    rotvec = np.asarray(rotvec_rad, dtype=np.float64)
    angle2 = np.sum(rotvec * rotvec, axis=-1)[..., None, None]
    angle = np.sqrt(angle2)
    small = angle < 1e-4
    safe = np.where(small, 1.0, angle)
    sinc = np.where(small, 1.0 - angle2 / 6.0, np.sin(safe) / safe)
    cosc = np.where(small, 0.5 - angle2 / 24.0, (1.0 - np.cos(safe)) / (safe * safe))
    skew = _skew(rotvec)
    return np.eye(3) + sinc * skew + cosc * (skew @ skew)


def matrix_to_rotvec(rotation: np.ndarray) -> np.ndarray:
    """Rotation vectors of rotation matrices; the angle lies in [0, pi].

    rotation  float [..., 3, 3]    proper rotations; NaN gives NaN
    returns   float64 [..., 3]     radians
    source: through the unit quaternion, the largest component first (Shepperd 1978), stable at 0 and at pi
    """
    m = np.asarray(rotation, dtype=np.float64)
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    bad = ~np.isfinite(m).all(axis=(-1, -2))
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    # four unnormalised quaternions (w, x, y, z), each exact where its leading component is the largest
    candidates = np.stack(
        [
            np.stack([1 + xx + yy + zz, wx, wy, wz], -1),
            np.stack([wx, 1 + xx - yy - zz, xy, xz], -1),
            np.stack([wy, xy, 1 - xx + yy - zz, yz], -1),
            np.stack([wz, xz, yz, 1 - xx - yy + zz], -1),
        ],
        axis=-2,
    )
    lead = np.stack([xx + yy + zz, xx, yy, zz], -1)
    best = np.argmax(np.where(np.isfinite(lead), lead, 0.0), axis=-1)
    quaternion = np.take_along_axis(candidates, best[..., None, None], axis=-2)[..., 0, :]
    norm = np.linalg.norm(np.where(np.isfinite(quaternion), quaternion, 1.0), axis=-1, keepdims=True)
    quaternion = quaternion / norm
    quaternion = np.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    vector = quaternion[..., 1:]
    sine = np.linalg.norm(vector, axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, quaternion[..., :1])
    scale = np.where(sine < 1e-8, 2.0, angle / np.where(sine < 1e-8, 1.0, sine))
    return np.where(bad[..., None], np.nan, vector * scale)


def rotation_angle_deg(rotation_a: np.ndarray, rotation_b: np.ndarray) -> np.ndarray:
    """The angle between two rotations in degrees, 0..180.

    rotation_a, rotation_b  float [..., 3, 3]   broadcast against each other; NaN gives NaN
    returns                 float64 [...]
    source: atan2 of the axial part and the trace, exact near 0 and near 180 where acos of the trace loses digits
    """
    a, b = np.asarray(rotation_a, np.float64), np.asarray(rotation_b, np.float64)
    return np.degrees(np.linalg.norm(matrix_to_rotvec(np.swapaxes(a, -1, -2) @ b), axis=-1))


def euler_yaw_pitch_roll_rad(rotation: np.ndarray) -> np.ndarray:
    """Yaw, pitch and roll of R_cam_head in radians: R = Ry(-yaw) @ Rx(-pitch) @ Rz(roll).

    rotation  float [..., 3, 3]   R_cam_head
    returns   float64 [..., 3]    yaw in (-pi, pi]: positive turns the face to the image right (towards +x);
                                  pitch in [-pi/2, pi/2]: positive lifts the face; roll: positive is clockwise on screen
    The face looks along -z of the head, so at yaw > 0 the looking direction -R[:, 2] has a positive x.
    """
    m = np.asarray(rotation, dtype=np.float64)
    yaw = np.arctan2(-m[..., 0, 2], m[..., 2, 2])
    pitch = np.arctan2(m[..., 1, 2], np.hypot(m[..., 1, 0], m[..., 1, 1]))
    roll = np.arctan2(m[..., 1, 0], m[..., 1, 1])
    return np.stack([yaw, pitch, roll], axis=-1)


def yaw_pitch_roll_to_matrix(yaw_pitch_roll_rad: np.ndarray) -> np.ndarray:
    """R_cam_head of the three angles; the inverse of `euler_yaw_pitch_roll_rad`.

    yaw_pitch_roll_rad  float [..., 3]
    returns             float64 [..., 3, 3]
    """
    angles = np.asarray(yaw_pitch_roll_rad, dtype=np.float64)
    zero = np.zeros(angles.shape[:-1])
    yaw, pitch, roll = angles[..., 0], angles[..., 1], angles[..., 2]
    ry = rotvec_to_matrix(np.stack([zero, -yaw, zero], -1))
    rx = rotvec_to_matrix(np.stack([-pitch, zero, zero], -1))
    rz = rotvec_to_matrix(np.stack([zero, zero, roll], -1))
    return ry @ rx @ rz


def project_px(points_m: np.ndarray, K_px: np.ndarray) -> np.ndarray:
    """Pixels of points in the camera frame.

    points_m  float [..., 3]    metres; a point at or behind the camera (z <= 0) gives NaN
    K_px      float [3, 3] or [..., 3, 3] broadcastable against points_m without its last axis
    returns   float64 [..., 2]
    """
    points = np.asarray(points_m, dtype=np.float64)
    image = np.einsum("...ij,...j->...i", np.asarray(K_px, np.float64), points)
    depth = np.where(points[..., 2:3] > 0, image[..., 2:3], np.nan)
    return image[..., :2] / depth


def default_K_px(height: int, width: int, fov_deg: float = 35.0) -> np.ndarray:
    """Pinhole intrinsics whose longer side sees `fov_deg`; the principal point is the middle of the picture.

    returns  float64 [3, 3]
    source: our choice; 35 degrees is between a portrait lens (about 28) and a phone's main camera (about 65)
    """
    focal = 0.5 * max(height, width) / math.tan(math.radians(fov_deg) / 2.0)
    return np.array([[focal, 0.0, (width - 1) / 2.0], [0.0, focal, (height - 1) / 2.0], [0.0, 0.0, 1.0]])


def similarity_fit(
    source: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None, *, with_scale: bool = True
) -> tuple[float, np.ndarray, np.ndarray]:
    """The scale s, rotation R and shift t that minimise the sum of weight * |s R source + t - target|^2.

    source, target  float [N, D], D = 2 or 3; rows with NaN in either are left out
    weight          float [N], 0 or more; None means 1
    returns         s float, R float64 [D, D] (a proper rotation), t float64 [D]; NaN when fewer than D points are left
    source: Umeyama 1991, weighted
    """
    a, b = np.asarray(source, np.float64), np.asarray(target, np.float64)
    dims = a.shape[-1]
    w = np.ones(len(a)) if weight is None else np.asarray(weight, np.float64)
    keep = np.isfinite(a).all(-1) & np.isfinite(b).all(-1) & (w > 0)
    if keep.sum() < dims:
        return math.nan, np.full((dims, dims), np.nan), np.full(dims, np.nan)
    a, b, w = a[keep], b[keep], w[keep] / w[keep].sum()
    mean_a, mean_b = w @ a, w @ b
    da, db = a - mean_a, b - mean_b
    u, singular, vt = np.linalg.svd((db * w[:, None]).T @ da)
    sign = np.ones(dims)
    if np.linalg.det(u) * np.linalg.det(vt) < 0:
        sign[-1] = -1.0
    rotation = (u * sign) @ vt
    variance = float(w @ np.sum(da * da, axis=1))
    scale = float(singular @ sign) / variance if with_scale and variance > 0 else 1.0
    return scale, rotation, mean_b - scale * rotation @ mean_a


def _skew(vector: np.ndarray) -> np.ndarray:
    """The matrices [v]x with [v]x w = v x w. vector float64 [..., 3] -> float64 [..., 3, 3]"""
    x, y, z = vector[..., 0], vector[..., 1], vector[..., 2]
    zero = np.zeros_like(x)
    rows = [np.stack([zero, -z, y], -1), np.stack([z, zero, -x], -1), np.stack([-y, x, zero], -1)]
    return np.stack(rows, axis=-2)


def smoothstep(value, nothing: float, whole: float):
    """0 up to `nothing`, 1 from `whole` on (it may be the less), between them the cubic that is level at both ends."""
    share = np.clip((value - nothing) / (whole - nothing), 0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)
