"""Rotation of the head from a few points: rigid (Kabsch) fits, and the head from the joints of the body."""

from __future__ import annotations

import numpy as np

from stages.core.skeleton import BODY_INDEX

# Where the joints of the head lie in the head frame (x = the person's left, y down, z out of the back of the head),
# metres, origin in the middle of the skull's box. Our choice: a rounded adult head, 0.23 m from chin to crown,
# 0.155 m wide; ears are their openings, eyes the middle of the eyeballs. Only directions matter, the fit has a scale.
HEAD_POINTS_M: dict[str, tuple[float, float, float]] = {
    "nose": (0.0, 0.035, -0.115),
    "left_eye": (0.032, 0.0, -0.082),
    "right_eye": (-0.032, 0.0, -0.082),
    "left_ear": (0.072, 0.022, 0.012),
    "right_ear": (-0.072, 0.022, 0.012),
}
# The neck joint (middle of the shoulders) is not part of the head: it only says, weakly, which way down is.
_NECK_M = (0.0, 0.25, 0.03)
_NECK_WEIGHT = 0.02


def kabsch(source: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
    """The rotations, scales and shifts that carry `source` onto `target` with the least weighted squared error.

    source   float [N, 3] or [T, N, 3];  target float [T, N, 3];  points with NaN in either are left out
    weight   float [N] or [T, N], 0 or more; None = 1
    returns  R float64 [T, 3, 3] (proper), scale float64 [T], t float64 [T, 3], residual float64 [T] (weighted root mean
             square, in units of the target); NaN for frames with fewer than 3 points or with all points on one line
    source: Kabsch 1976 with the scale of Umeyama 1991, over a stack of frames
    """
    b = np.asarray(target, np.float64)
    a = np.broadcast_to(np.asarray(source, np.float64), b.shape)
    w = np.ones(b.shape[:2]) if weight is None else np.broadcast_to(np.asarray(weight, np.float64), b.shape[:2])
    seen = np.isfinite(a).all(-1) & np.isfinite(b).all(-1) & (np.nan_to_num(w) > 0)
    w = np.where(seen, np.nan_to_num(w), 0.0)
    w = w / np.maximum(w.sum(1, keepdims=True), 1e-300)
    a, b = np.where(seen[..., None], a, 0.0), np.where(seen[..., None], b, 0.0)
    mean_a, mean_b = (w[..., None] * a).sum(1), (w[..., None] * b).sum(1)
    da, db = a - mean_a[:, None], b - mean_b[:, None]
    u, singular, vt = np.linalg.svd(np.einsum("tn,tni,tnj->tij", w, db, da))
    sign = np.ones_like(singular)
    sign[:, 2] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    rotation = (u * sign[:, None]) @ vt
    variance = np.einsum("tn,tni,tni->t", w, da, da)
    scale = (singular * sign).sum(1) / np.where(variance > 0, variance, np.nan)
    shift = mean_b - scale[:, None] * np.einsum("tij,tj->ti", rotation, mean_a)
    error = db - scale[:, None, None] * np.einsum("tij,tnj->tni", rotation, da)
    residual = np.sqrt(np.einsum("tn,tni,tni->t", w, error, error))
    poor = (seen.sum(1) < 3) | ~(singular[:, 1] > 1e-6 * np.maximum(singular[:, 0], 1e-300))
    rotation[poor], scale[poor], shift[poor], residual[poor] = np.nan, np.nan, np.nan, np.nan
    return rotation, scale, shift, residual


def head_from_body(joints_m: np.ndarray, weight: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The head's rotation from nose, eyes and ears in 3D, for frames in which the face mesh sees nothing.

    joints_m  float [T, 25, 3]  order BODY_JOINTS, camera axes, metres; any origin; NaN = not measured
    weight    float [T, 25] | None   scores, 0 = not used; None = 1
    returns   R_cam_head float64 [T, 3, 3], identity = upright and facing the camera; NaN where fewer than three of the
              five points are there; center_m float64 [T, 3], the middle of the skull in the frame of joints_m
    source: our choice, a rigid fit with scale to HEAD_POINTS_M; three points in one plane leave the rotation defined
    because a mirrored head is no rotation. Coarse: a few degrees of pitch follow from how each backend places the ears.
    """
    joints_m = np.asarray(joints_m, np.float64)
    names = (*HEAD_POINTS_M, "neck")
    index = [BODY_INDEX[name] for name in names]
    w = np.ones(joints_m.shape[:2]) if weight is None else np.nan_to_num(np.asarray(weight, np.float64))
    w = w[:, index].copy()
    seen = np.isfinite(joints_m[:, index]).all(-1) & (w > 0)
    few = seen[:, :-1].sum(1) < 3
    w[:, -1] *= _NECK_WEIGHT
    template = np.array([*HEAD_POINTS_M.values(), _NECK_M])
    rotation, _, shift, _ = kabsch(template, joints_m[:, index], w)
    rotation[few], shift[few] = np.nan, np.nan
    return rotation, shift


def face_forward_deg(R_cam_head: np.ndarray) -> np.ndarray:
    """Angle between the direction of the face and the direction to the camera, degrees 0..180; NaN gives NaN. [...]

    0 = facing the camera, 90 = profile, 180 = seen from behind: past about 100 a face mesh sees nothing.
    """
    forward = -np.asarray(R_cam_head, np.float64)[..., 2]
    across = np.linalg.norm(forward[..., :2], axis=-1)
    return np.degrees(np.arctan2(across, -forward[..., 2]))
