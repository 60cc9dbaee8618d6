"""Where the person stands before the camera: one translation a frame that makes 3D joints project onto 2D joints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.core.geometry import default_K_px, project_px
from stages.pose.cleaning import person_segments
from stages.pose.filtering import OneEuro, fill_gaps, smooth
from stages.pose.track import PoseTrack

# Our choice: depth follows from the apparent size, so its noise is that of the size; nobody walks at 5 Hz.
_DEPTH = OneEuro(min_cutoff_hz=0.8, beta=1.5, d_cutoff_hz=1.0)
_LEAST_JOINTS = 4
_LEAST_SPREAD_M = 0.05
_HUBER_SHARE = 0.02
_ROUNDS = 6


@dataclass(frozen=True)
class CameraFit:
    """What `fit_camera` found.

    K_px         float64 [3, 3]
    transl_m     float32 [T, 3]   pelvis in the camera frame; NaN where it could not be found
    residual_px  float32 [T]      weighted median distance between projected and measured joints; NaN likewise
    """

    K_px: np.ndarray
    transl_m: np.ndarray
    residual_px: np.ndarray


def fit_camera(track: PoseTrack, K_px: np.ndarray | None = None) -> CameraFit:
    """The camera of a track: K_px, the pelvis in the camera frame, and how well joints_m + transl_m fits joints_px.

    track  PoseTrack   joints count with their scores where valid and finite; the others are ignored
    K_px   float [3, 3] | None   None: `default_K_px`, a guess. A wrong field of view changes the depth in proportion
                                 and hardly the projection, and the canvas is drawn from the projection.
    Steps: `solve_translation` for each frame; its depth, within one person, bridged over frames that show too little
    of the body (straight lines, held at the ends) and smoothed; then x and y solved again at that depth wherever a
    single joint is seen. Source: our choice.
    """
    K_px = default_K_px(*track.size) if K_px is None else np.asarray(K_px, np.float64)
    weight = np.where(track.joint_valid, track.joint_score, 0.0)
    transl = solve_translation(track.joints_m, track.joints_px, weight, K_px)
    if len(track):
        segment = person_segments(track.person_id)
        # log depth: a step of one percent weighs the same near and far
        log_depth = np.log(transl[:, 2:3])[:, None]
        found = np.isfinite(log_depth).all(-1)
        log_depth = _hold_ends(fill_gaps(log_depth, found, max(track.fps, 1e-6), np.inf, segment)[0], segment)
        log_depth = smooth(log_depth, max(track.fps, 1e-6), _DEPTH, weight=_trust(weight)[:, None], segment=segment)
        transl = solve_translation(track.joints_m, track.joints_px, weight, K_px, depth_m=np.exp(log_depth[:, 0, 0]))
    return CameraFit(K_px, transl.astype(np.float32), residual_px(track, transl, K_px).astype(np.float32))


def solve_translation(
    points_m: np.ndarray,
    points_px: np.ndarray,
    weight: np.ndarray,
    K_px: np.ndarray,
    *,
    depth_m: np.ndarray | None = None,
) -> np.ndarray:
    """The shift t of each frame for which project_px(points_m + t) is nearest to points_px, as float64 [T, 3].

    points_m   float [T, J, 3]  camera axes, metres;  points_px  float [T, J, 2];  NaN = not measured, ignored
    weight     float [T, J]     0 = ignored
    depth_m    float [T] | None t_z where it is known already, then only x and y are solved
    returns    NaN where fewer than 4 joints are left (1 with depth_m), where they lie in one spot and no depth is
               known, or where t_z would not be positive
    source: u z = f x + c z is linear in t, so each frame is a weighted 3 x 3 system. Dividing by the depth of the round
    before turns its error into pixels; Huber weights (2 % of the person's height) make it robust. Our choice.
    """
    points = np.asarray(points_m, np.float64)
    pixels = np.asarray(points_px, np.float64)
    seen = np.isfinite(points).all(-1) & np.isfinite(pixels).all(-1) & (np.nan_to_num(weight) > 0)
    base = np.where(seen, np.nan_to_num(np.asarray(weight, np.float64)), 0.0)
    points, pixels = np.where(seen[..., None], points, 0.0), np.where(seen[..., None], pixels, 0.0)
    ray = (pixels - np.array([K_px[0, 2], K_px[1, 2]])) / np.array([K_px[0, 0], K_px[1, 1]])
    if depth_m is None:
        enough = (seen.sum(1) >= _LEAST_JOINTS) & (_spread(points, base) >= _LEAST_SPREAD_M)
    else:
        enough = (seen.sum(1) >= 1) & np.isfinite(depth_m)
    tolerance = _HUBER_SHARE * np.maximum(_extent(ray, seen), 1e-9)
    # rows of both axes: t_axis - ray * t_z = ray * z - point_axis, divided by the depth z + t_z
    target = ray * points[..., 2:3] - points[..., :2]
    robust = np.ones_like(base)
    reciprocal = np.ones_like(base)
    transl = np.full((len(points), 3), np.nan)
    for _ in range(_ROUNDS):
        w = base * robust * reciprocal**2
        transl = _solve_frames(ray, target, w, enough, depth_m)
        depth = points[..., 2] + transl[:, None, 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.linalg.norm((points[..., :2] + transl[:, None, :2]) / depth[..., None] - ray, axis=-1)
        usable = np.isfinite(error) & (depth > 1e-3)
        reciprocal = np.where(usable, 1.0 / np.where(usable, depth, 1.0), 1e-3)
        robust = np.where(usable, np.minimum(1.0, tolerance[:, None] / np.maximum(error, 1e-12)), 1e-3)
    transl[~enough | ~(transl[:, 2] > 0)] = np.nan
    return transl


def residual_px(track: PoseTrack, transl_m: np.ndarray, K_px: np.ndarray) -> np.ndarray:
    """Median distance in pixels between projected and measured valid joints, float64 [T]; NaN without any."""
    projected = project_px(track.joints_m.astype(np.float64) + transl_m[:, None], K_px)
    distance = np.linalg.norm(projected - track.joints_px, axis=-1)
    distance = np.where(track.joint_valid, distance, np.nan)
    out = np.full(len(track), np.nan)
    some = np.isfinite(distance).any(1)
    out[some] = np.nanmedian(distance[some], axis=1)
    return out


def _solve_frames(ray, target, weight, enough, depth_m) -> np.ndarray:
    """Weighted least squares of every frame: t [T, 3]; frames that are not `enough` come back as NaN."""
    total = np.maximum(weight.sum(1), 1e-300)
    mean_ray = (weight[..., None] * ray).sum(1) / total[:, None]
    mean_target = (weight[..., None] * target).sum(1) / total[:, None]
    if depth_m is None:
        # t_x and t_y leave the system through the means: what remains is one equation for t_z
        ray_c, target_c = ray - mean_ray[:, None], target - mean_target[:, None]
        power = (weight[..., None] * ray_c**2).sum((1, 2))
        cross = (weight[..., None] * ray_c * target_c).sum((1, 2))
        with np.errstate(divide="ignore", invalid="ignore"):
            t_z = np.where(power > 0, -cross / np.where(power > 0, power, 1.0), np.nan)
    else:
        t_z = np.asarray(depth_m, np.float64)
    out = np.concatenate([mean_target + mean_ray * t_z[:, None], t_z[:, None]], axis=1)
    out[~enough] = np.nan
    return out


def _spread(points: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weighted standard deviation of x and y in metres, per frame."""
    share = weight / np.maximum(weight.sum(1, keepdims=True), 1e-300)
    mean = (share[..., None] * points[..., :2]).sum(1, keepdims=True)
    return np.sqrt((share[..., None] * (points[..., :2] - mean) ** 2).sum((1, 2)))


def _extent(ray: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Longer side of the box around the seen rays, per frame; 0 without any."""
    low = np.where(seen[..., None], ray, np.inf).min(1)
    high = np.where(seen[..., None], ray, -np.inf).max(1)
    return np.where(seen.any(1), np.maximum(high - low, 0.0).max(-1), 0.0)


def _hold_ends(log_depth: np.ndarray, segment: np.ndarray) -> np.ndarray:
    """Depth [T, 1, 1] with the missing frames at both ends of a segment set to the nearest one that is known."""
    out = log_depth.copy()
    for number in np.unique(segment):
        inside = np.flatnonzero(segment == number)
        known = inside[np.isfinite(out[inside, 0, 0])]
        if len(known):
            out[inside[inside < known[0]]] = out[known[0]]
            out[inside[inside > known[-1]]] = out[known[-1]]
    return out


def _trust(weight: np.ndarray) -> np.ndarray:
    """How far a frame's depth is trusted: the mean weight of its joints, 0..1. [T]"""
    return np.clip(weight.mean(1) * 2.0, 0.0, 1.0)
