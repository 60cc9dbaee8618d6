"""Head pose from face landmarks: a rigid template fitted by perspective, all frames at once."""

import numpy as np

from stages.core.geometry import rotvec_to_matrix, similarity_fit
from stages.head.template import face_template

ITERATIONS = 12
DEPTH_WEIGHT = 0.6  # of a depth residual against one in the image; 0.1 to 1 tried, 0.6 was best on synthetic people
ROBUST_RADII = 0.05  # residual at which a landmark's weight is halved
_FRAMES_A_BLOCK = 512


def fit_face(face_px, layout, K_px):
    """Fit the rigid face template to every frame.

    face_px  float [T, F, 3]   x, y in px, relative depth in px (smaller = nearer; NaN = the backend has no depth)
    layout   str               "mediapipe478" or "ibug68"
    K_px     float [3, 3]      pinhole intrinsics
    returns  R_cam_head float64 [T, 3, 3], center_radii float64 [T, 3] (camera axes, in units of the head's radius),
             residual_radii float64 [T] weighted median landmark error; NaN where fewer than 6 landmarks are seen
    Source: our own; Gauss-Newton with Cauchy weights on rotation, position and the unknown origin of the depth.
    """
    index, points, weight = face_template(layout)
    K_px = np.asarray(K_px, np.float64)
    seen_px = np.asarray(face_px, np.float64)[:, index]
    focal = np.sqrt(K_px[0, 0] * K_px[1, 1])
    seen = np.concatenate(
        [(seen_px[..., :2] - K_px[:2, 2]) / [K_px[0, 0], K_px[1, 1]], seen_px[..., 2:] / focal], axis=-1
    )
    blocks = [_fit_block(seen[i : i + _FRAMES_A_BLOCK], points, weight) for i in range(0, len(seen), _FRAMES_A_BLOCK)]
    if not blocks:
        return np.zeros((0, 3, 3)), np.zeros((0, 3)), np.zeros(0)
    return tuple(np.concatenate(parts) for parts in zip(*blocks, strict=True))


def head_in_picture(center_radii, K_px):
    """Return center_px float64 [T, 2] and radius_px float64 [T] of heads given in units of their own radius."""
    center_radii = np.asarray(center_radii, np.float64)
    depth = np.where(center_radii[..., 2] > 0, center_radii[..., 2], np.nan)
    center_px = center_radii[..., :2] / depth[..., None] * [K_px[0, 0], K_px[1, 1]] + np.asarray(K_px)[:2, 2]
    return center_px, np.sqrt(K_px[0, 0] * K_px[1, 1]) / depth


def _fit_block(seen, points, weight):
    """fit_face on normalised image coordinates [T, P, 3]."""
    frames = len(seen)
    usable = np.isfinite(seen[..., :2]).all(-1)
    has_depth = usable & np.isfinite(seen[..., 2])
    enough = usable.sum(1) >= 6
    rotation = np.full((frames, 3, 3), np.nan)
    center = np.full((frames, 3), np.nan)
    for frame in np.nonzero(enough)[0]:
        rotation[frame], center[frame] = _first_guess(seen[frame], points, weight * usable[frame])
    enough &= np.isfinite(center).all(-1) & (center[:, 2] > 1.0)
    R, H = np.where(enough[:, None, None], rotation, np.eye(3)), np.where(enough[:, None], center, [0.0, 0.0, 10.0])
    uv = np.where(usable[..., None], seen[..., :2], 0.0)
    depth = np.where(has_depth, seen[..., 2], 0.0)
    weight_uv, weight_z = weight * usable, weight * has_depth * DEPTH_WEIGHT**2
    turned = np.einsum("tij,pj->tpi", R, points)
    origin = _mean(depth * H[:, None, 2] - turned[..., 2], weight_z)
    for _ in range(ITERATIONS):
        turned, error_uv, error_z, jacobian = _residuals(uv, depth, points, R, H, origin)
        size2 = (error_uv**2).sum(-1) + np.where(has_depth, DEPTH_WEIGHT * error_z, 0.0) ** 2
        robust = 1.0 / (1.0 + size2 / ROBUST_RADII**2)
        row_weight = np.stack([weight_uv, weight_uv, weight_z], -1) * robust[..., None]
        error = np.concatenate([error_uv, error_z[..., None]], -1)
        weighted = jacobian * row_weight[..., None]
        normal = np.einsum("tpia,tpib->tab", weighted, jacobian)
        right = np.einsum("tpia,tpi->ta", weighted, error)
        normal += 1e-6 * np.einsum("taa->t", normal)[:, None, None] * np.eye(7) + 1e-12 * np.eye(7)
        step = np.linalg.solve(normal, right[..., None])[..., 0]
        step[:, :3] *= np.minimum(1.0, 0.5 / np.maximum(np.linalg.norm(step[:, :3], axis=1), 1e-9))[:, None]
        R = rotvec_to_matrix(step[:, :3]) @ R
        H = H + step[:, 3:6]
        H[:, 2] = np.maximum(H[:, 2], 1.5)  # the camera stays outside the head
        origin = origin + step[:, 6]
    _, error_uv, _, _ = _residuals(uv, depth, points, R, H, origin)
    distance = np.where(usable, np.linalg.norm(error_uv, axis=-1), np.inf)
    order = np.argsort(distance, axis=1)
    share = np.cumsum(np.take_along_axis(np.broadcast_to(weight, distance.shape) * usable, order, 1), axis=1)
    middle = np.argmax(share >= 0.5 * share[:, -1:], axis=1)
    residual = np.take_along_axis(np.take_along_axis(distance, order, 1), middle[:, None], 1)[:, 0]
    good = enough & np.isfinite(H).all(-1)
    return (
        np.where(good[:, None, None], R, np.nan),
        np.where(good[:, None], H, np.nan),
        np.where(good, residual, np.nan),
    )


def _residuals(uv, depth, points, R, H, origin):
    """Errors in units of the head's radius and their derivative by (rotation 3, position 3, depth origin 1)."""
    turned = np.einsum("tij,pj->tpi", R, points)
    inverse_z = 1.0 / np.maximum(H[:, None, 2] + turned[..., 2], 0.3)
    projected = (H[:, None, :2] + turned[..., :2]) * inverse_z[..., None]
    scale = H[:, None, 2]
    error_uv = (uv - projected) * scale[..., None]
    error_z = depth * scale - turned[..., 2] - origin[:, None]
    moved = np.zeros((*turned.shape, 6))
    x, y, z = turned[..., 0], turned[..., 1], turned[..., 2]
    moved[..., 0, 1], moved[..., 0, 2], moved[..., 1, 0] = z, -y, -z
    moved[..., 1, 2], moved[..., 2, 0], moved[..., 2, 1] = x, y, -x
    moved[..., [0, 1, 2], [3, 4, 5]] = 1.0
    jacobian = np.zeros((*turned.shape, 7))
    flat = moved[..., :2, :] - projected[..., None] * moved[..., 2:, :]
    jacobian[..., :2, :6] = flat * (inverse_z * scale)[..., None, None]
    jacobian[..., 2, :3] = moved[..., 2, :3]
    jacobian[..., 2, 5] = -depth
    jacobian[..., 2, 6] = 1.0
    return turned, error_uv, error_z, jacobian


def _first_guess(seen, points, weight):
    """Rotation and position [radii] of one frame by a similarity, or by an affine fit where there is no depth."""
    keep = weight > 0
    if np.isfinite(seen[keep, 2]).all():
        scale, R, shift = similarity_fit(points, seen, weight)
    else:
        design = np.c_[points[keep], np.ones(keep.sum())] * np.sqrt(weight[keep])[:, None]
        affine, *_ = np.linalg.lstsq(design, seen[keep, :2] * np.sqrt(weight[keep])[:, None], rcond=None)
        u, singular, vt = np.linalg.svd(affine[:3].T, full_matrices=False)
        rows = u @ vt
        scale, R, shift = singular.mean(), np.vstack([rows, np.cross(rows[0], rows[1])]), affine[3]
    if not np.isfinite(scale) or scale <= 0:
        return np.full((3, 3), np.nan), np.full(3, np.nan)
    return R, np.array([shift[0] / scale, shift[1] / scale, 1.0 / scale])


def _mean(values, weight):
    """Weighted mean over the last axis; 0 where all weights are 0."""
    total = weight.sum(-1)
    return np.where(total > 0, (values * weight).sum(-1) / np.where(total > 0, total, 1.0), 0.0)
