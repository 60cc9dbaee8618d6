"""Rotation of the head from a few points: rigid (Kabsch) fits, and the head from the joints of the body."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from stages.core.geometry import rotation_angle_deg, rotvec_to_matrix
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
_ROUNDS = 12
_DAMPING = 1e-4
_NEARNESS_ROUNDS = 4
_PICTURE_MOST_DEG = 60.0


def yaw_order(yaw_deg: np.ndarray, first: int | None = None) -> list[int]:
    """Numbers of pictures in the order in which references are taken: the paper's rule, then the widest gaps.

    yaw_deg  float [N], NaN = unknown, which come last;  first  the one to begin with; None: the median yaw
    First the median (or `first`), then the largest and the smallest yaw, then always the one farthest from all taken.
    Source: paper section 3.3 (frames sorted by yaw: maximum, minimum, median).
    """
    yaw = np.asarray(yaw_deg, np.float64)
    known = [int(index) for index in np.argsort(yaw, kind="stable") if np.isfinite(yaw[index])]
    if not known:
        return list(range(len(yaw))) if first is None else [first, *(n for n in range(len(yaw)) if n != first)]
    begin = known[len(known) // 2] if first is None else first
    order = [begin]
    for extreme in (known[-1], known[0]):
        order += [extreme] if extreme not in order else []
    while len(left := [index for index in known if index not in order]):
        taken = [index for index in order if np.isfinite(yaw[index])]
        away = [min((abs(yaw[index] - yaw[other]) for other in taken), default=np.inf) for index in left]
        order.append(left[int(np.argmax(away))])
    return order + [index for index in range(len(yaw)) if index not in order]


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


def head_from_body(
    joints_m: np.ndarray,
    weight: np.ndarray | None = None,
    joints_px: np.ndarray | None = None,
    K_px: np.ndarray | None = None,
    points_m: Mapping[str, tuple[float, float, float]] = HEAD_POINTS_M,
) -> tuple[np.ndarray, np.ndarray]:
    """The head's rotation from nose, eyes and ears, for frames in which the face mesh sees nothing.

    joints_m   float [T, 25, 3]  order BODY_JOINTS, camera axes, metres; any origin; NaN = not measured
    weight     float [T, 25] | None   scores, 0 = not used; None = 1
    joints_px  float [T, 25, 2] | None   the same joints in the picture: where four of the five points are there and say
               what joints_m says up to 60 degrees, they decide the rotation (`head_from_picture`) and joints_m only the
               place. Further apart joints_m is believed: which way a head faces is what five points in a picture are
               worst at, a head seen from behind looks to them much like one from the front
    K_px       float [3, 3] | None   the camera of joints_px
    points_m   where the five points lie in the head
    returns    R_cam_head float64 [T, 3, 3], identity = upright and facing the camera; NaN where fewer than three of the
               five points are there; center_m float64 [T, 3], the middle of the skull in the frame of joints_m
    source: our choice, a rigid fit with scale to points_m. Coarse, because body networks flatten the head.
    """
    joints_m = np.asarray(joints_m, np.float64)
    names = (*points_m, "neck")
    index = [BODY_INDEX[name] for name in names]
    w = np.ones(joints_m.shape[:2]) if weight is None else np.nan_to_num(np.asarray(weight, np.float64))
    w = w[:, index].copy()
    seen = np.isfinite(joints_m[:, index]).all(-1) & (w > 0)
    few = seen[:, :-1].sum(1) < 3
    w[:, -1] *= _NECK_WEIGHT
    template = np.array([*points_m.values(), _NECK_M])
    rotation, _, shift, _ = kabsch(template, joints_m[:, index], w)
    rotation[few], shift[few] = np.nan, np.nan
    if joints_px is not None:
        seen_R = head_from_picture(joints_px, weight, K_px, start=rotation, points_m=points_m)
        better = np.nan_to_num(rotation_angle_deg(rotation, seen_R), nan=np.inf) <= _PICTURE_MOST_DEG
        rotation[better] = seen_R[better]
    return rotation, shift


def head_from_picture(
    joints_px: np.ndarray,
    weight: np.ndarray | None = None,
    K_px: np.ndarray | None = None,
    start: np.ndarray | None = None,
    points_m: Mapping[str, tuple[float, float, float]] = HEAD_POINTS_M,
) -> np.ndarray:
    """R_cam_head float64 [T, 3, 3] under which the head template fits nose, eyes and ears in pixels.

    joints_px  float [T, 25, 2]  NaN = not measured;  weight  float [T, 25] | None, 0 = not used
    K_px       float [3, 3] | None   the camera; None: the head is seen from far, along the optical axis
    start      float [T, 3, 3] | None   a first guess; None or NaN: the closed form
    points_m   where the five points lie in the head
    returns    NaN where fewer than four of the five points are there
    source: closed form as in POS, then Gauss-Newton over rotation, scale and shift. With a start the better of the two
    minima is taken: a head in profile has a mirror image that fits nearly as well. With a camera the pixels are first
    seen through one that looks straight at the head, and nearer points are larger, by the rounds of POSIT (both
    DeMenthon and Davis 1995).
    """
    index = [BODY_INDEX[name] for name in points_m]
    points = np.asarray(joints_px, np.float64)[:, index]
    w = np.ones(points.shape[:2]) if weight is None else np.nan_to_num(np.asarray(weight, np.float64))[:, index]
    seen = np.isfinite(points).all(-1) & (w > 0)
    few = seen.sum(1) < 4
    w = np.where(seen, w, 0.0)
    w = w / np.maximum(w.sum(1, keepdims=True), 1e-300)
    points = np.where(seen[..., None], points, 0.0)
    aim = np.broadcast_to(np.eye(3), (len(points), 3, 3))
    if K_px is not None:
        points, aim = _aimed(points, w, np.asarray(K_px, np.float64))
        start = None if start is None else np.swapaxes(aim, 1, 2) @ start
    model = np.array(list(points_m.values()))
    x = model - np.einsum("tn,ni->ti", w, model)[:, None]
    best = _fit_flat(x, points, w, start)
    for _ in range(_NEARNESS_ROUNDS if K_px is not None else 0):
        q = points - np.einsum("tn,tna->ta", w, points)[:, None]
        turned = np.einsum("tij,tnj->tni", best, x)
        # unit focal length: the scale is one over the distance
        ahead = np.clip(_scale(turned[..., :2], q, w)[:, None] * turned[..., 2], -0.5, 0.5)
        best = _fit_flat(x, points * (1.0 + ahead)[..., None], w, best if start is None else start)
    best[few] = np.nan
    return aim @ best


def _fit_flat(x: np.ndarray, points: np.ndarray, w: np.ndarray, start: np.ndarray | None) -> np.ndarray:
    """R [T, 3, 3] for which (R x)[:2], scaled and shifted, is nearest to `points`; see `head_from_picture`."""
    q = points - np.einsum("tn,tna->ta", w, points)[:, None]
    gram = np.einsum("tn,tni,tnj->tij", w, x, x) + 1e-9 * np.eye(3)
    u, _, vt = np.linalg.svd(np.einsum("tn,tna,tni->tai", w, q, x) @ np.linalg.inv(gram), full_matrices=False)
    rows = u @ vt
    closed = np.concatenate([rows, np.cross(rows[:, :1], rows[:, 1:])], axis=1)
    best, error = _refine(closed, x, q, w)
    if start is not None:
        known = np.isfinite(start).all((1, 2))
        other, other_error = _refine(np.where(known[:, None, None], start, closed), x, q, w)
        take = known & (other_error < error)
        best[take] = other[take]
    return best


def _scale(flat: np.ndarray, q: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The scale that carries flat [T, N, 2] onto q with the least weighted squared error. [T]"""
    return np.einsum("tn,tna,tna->t", w, q, flat) / np.maximum(np.einsum("tn,tna,tna->t", w, flat, flat), 1e-300)


def _aimed(points_px: np.ndarray, w: np.ndarray, K_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points as a camera that looks straight at their middle sees them (unit focal length), and its axes [T, 3, 3]."""
    rays = (points_px - K_px[:2, 2]) / K_px[[0, 1], [0, 1]]
    rays = np.concatenate([rays, np.ones_like(rays[..., :1])], -1)
    middle = np.einsum("tn,tni->ti", w, rays)
    middle[~(middle[:, 2] > 0)] = [0.0, 0.0, 1.0]
    middle = middle / np.linalg.norm(middle, axis=1, keepdims=True)
    axis = np.stack([-middle[:, 1], middle[:, 0], np.zeros(len(middle))], -1)  # z x middle: its length is the sine
    sine = np.linalg.norm(axis, axis=1, keepdims=True)
    turn = axis / np.maximum(sine, 1e-12) * np.arctan2(sine, middle[:, 2:])
    aim = rotvec_to_matrix(turn)
    seen = np.einsum("tji,tnj->tni", aim, rays)
    return seen[..., :2] / seen[..., 2:], aim


def _refine(rotation: np.ndarray, x: np.ndarray, q: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Newton for q = s (R x)[:2], all centred; returns R and the weighted squared error in units of the size."""
    size2 = np.maximum(np.einsum("tn,tna,tna->t", w, q, q), 1e-300)
    for _ in range(_ROUNDS):
        turned = np.einsum("tij,tnj->tni", rotation, x)
        flat = turned[..., :2]
        s = _scale(flat, q, w)
        left = q - s[:, None, None] * flat
        zero = np.zeros(turned.shape[:2])
        # a small turn d moves R x by d x (R x)
        columns = np.stack(
            [
                np.stack([zero, -turned[..., 2]], -1),
                np.stack([turned[..., 2], zero], -1),
                np.stack([-turned[..., 1], turned[..., 0]], -1),
            ],
            -1,
        )
        columns = np.concatenate([columns * s[:, None, None, None], flat[..., None]], -1)
        normal = np.einsum("tn,tnai,tnaj->tij", w, columns, columns)
        scale = np.trace(normal, axis1=1, axis2=2)[:, None, None]
        step = np.linalg.solve(
            normal + (_DAMPING * scale + 1e-12) * np.eye(4), np.einsum("tn,tnai,tna->ti", w, columns, left)[..., None]
        )
        turn = np.clip(step[:, :3, 0], -0.5, 0.5)
        rotation = rotvec_to_matrix(turn) @ rotation
    flat = np.einsum("tij,tnj->tni", rotation, x)[..., :2]
    s = _scale(flat, q, w)
    error = np.einsum("tn,tna->t", w, (q - s[:, None, None] * flat) ** 2) / size2
    return rotation, np.where(s > 0, error, np.inf)


def face_forward_deg(R_cam_head: np.ndarray) -> np.ndarray:
    """Angle between the direction of the face and the direction to the camera, degrees 0..180; NaN gives NaN. [...]

    0 = facing the camera, 90 = profile, 180 = seen from behind: past about 100 a face mesh sees nothing.
    """
    forward = -np.asarray(R_cam_head, np.float64)[..., 2]
    across = np.linalg.norm(forward[..., :2], axis=-1)
    return np.degrees(np.arctan2(across, -forward[..., 2]))
