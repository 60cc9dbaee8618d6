"""The head through a clip: rotation, centre and radius, from the face where it is seen, else from the body."""

from dataclasses import dataclass, replace

import numpy as np

from stages.core.geometry import (
    euler_yaw_pitch_roll_rad,
    matrix_to_rotvec,
    rotation_angle_deg,
    rotvec_to_matrix,
    yaw_pitch_roll_to_matrix,
)
from stages.core.headpose import HEAD_POINTS_M, face_forward_deg, head_from_body
from stages.core.skeleton import BODY_INDEX
from stages.head.face_fit import fit_face, head_in_picture
from stages.head.template import body_points_m, has_template

SOURCE_NONE, SOURCE_FACE, SOURCE_BODY = 0, 1, 2
ADULT_RADIUS_M = 0.115
_RADIUS_RANGE_M = (0.09, 0.14)  # half of chin to crown, child to large adult
_HEAD_JOINTS = tuple(HEAD_POINTS_M)
_BODY_ERROR_DEG = 10.0
_FACE_ERROR_DEG = 3.3
_FACE_ERROR_SMALL_DEG_PX = 140.0  # divided by the radius
_FACE_ERROR_TURNED_DEG = 0.3  # for every degree of turn beyond the next
_FACE_TURN_GOOD_DEG = 40.0
_FAR_APART_DEG = 30.0
_FACE_FLAT_DEG, _FACE_FLAT_SHARE = 30.0, 0.35  # of the turn beyond the first, this much is missing


@dataclass(frozen=True)
class HeadParams:
    """How `track_head` decides. All values are our choice.

    blend_frames       frames over which the face takes over from the body and back
    face_score_least   below this the face mesh is not believed
    residual_most      landmark error, in head radii, above which a fit is not believed (99 % of good fits: 0.032)
    face_turn_most_deg a face mesh turned further from the camera than this is not believed
    disagree_most_deg  a face that differs more from a well seen body is a false detection
    joint_score_least  head joints below this do not count
    calibrate_most_deg the body's constant offset is measured on faces turned no further than this: beyond it the mesh
                       is off itself, and once made a good body follow by 15 degrees through a whole turn
    """

    blend_frames: int = 4
    face_score_least: float = 0.5
    residual_most: float = 0.06
    face_turn_most_deg: float = 85.0
    disagree_most_deg: float = 60.0
    joint_score_least: float = 0.3
    calibrate_most_deg: float = 45.0


@dataclass(frozen=True)
class HeadTrack:
    """The head in every frame.

    R_cam_head  float32 [T, 3, 3]  head to camera axes, identity = upright and facing the camera; NaN where not valid
    center_px   float32 [T, 2]     middle of the head sphere; NaN where not valid
    radius_px   float32 [T]        half of chin to crown at the head's depth; NaN where not valid
    radius_m    float              one number for the clip
    valid       bool [T]
    source      uint8 [T]          0 none, 1 face, 2 body (the one with the larger share in a blend)
    """

    R_cam_head: np.ndarray
    center_px: np.ndarray
    radius_px: np.ndarray
    radius_m: float
    valid: np.ndarray
    source: np.ndarray


def track_head(pose, K_px, face_layout, params=None):
    """Return the HeadTrack of a pose layer.

    pose         mapping of the arrays of the `pose` layer: joints_px, joints_m, joint_score, transl_m, face_px,
                 face_score, face_valid, present
    K_px         float [3, 3]
    face_layout  str; a layout without a template ("none") leaves everything to the body
    Source: sphere of paper section 3.2. Where both are seen the rotation is the mean of the two, weighted by how far
    each is usually off (`_body_share`). The body is then made to agree with that (its constant offset in rotation,
    place and size), and takes over by slerp, so that there is no jump between them.
    """
    params = params or HeadParams()
    K_px = np.asarray(K_px, np.float64)
    present = np.asarray(pose["present"], bool)
    face = _face(pose, K_px, face_layout, params)
    body = _body(pose, K_px, face_layout, params)
    radius_m = _radius_m(face, body)
    focal = np.sqrt(K_px[0, 0] * K_px[1, 1])
    body_R, body_center, body_radius = body.R, body.center_px, focal * radius_m / body.depth_m
    body_ok = body.ok & present
    apart_deg = rotation_angle_deg(body_R, face.R)
    face_ok = face.ok & present & ~(body.sure & body_ok & (apart_deg > params.disagree_most_deg))
    both = face_ok & body_ok
    face_R, towards_body = face.R.copy(), matrix_to_rotvec(np.swapaxes(face.R, 1, 2) @ body_R)
    part = _body_share(face.turn_deg, face.radius_px, apart_deg)
    face_R[both] = face.R[both] @ rotvec_to_matrix(towards_body[both] * part[both, None])
    good = both & (face.turn_deg <= params.calibrate_most_deg) & (apart_deg <= _FAR_APART_DEG)
    if good.sum() >= 3:
        body_R = body_R @ _mean_rotation(np.swapaxes(body_R[good], 1, 2) @ face_R[good])
    if both.sum() >= 3:
        scale = float(np.exp(np.median(np.log(face.radius_px[both] / body_radius[both]))))
        shift = (face.center_px[both] - body_center[both]) / face.radius_px[both, None]
        in_head = np.einsum("tij,ti->tj", face_R[both], np.c_[shift, np.zeros(len(shift))])
        body_radius = body_radius * scale
        body_center = body_center + np.einsum("tij,j->ti", body_R, np.median(in_head, 0))[:, :2] * body_radius[:, None]
    share = _face_share(face_ok, params.blend_frames)
    share = np.where(body_ok, share, np.where(face_ok, 1.0, 0.0))
    valid = face_ok | body_ok
    turn = matrix_to_rotvec(np.swapaxes(body_R, 1, 2) @ face_R)
    R = np.where(_wide(share >= 1), face_R, np.where(_wide(share <= 0), body_R, np.nan))
    mixed = (share > 0) & (share < 1)
    R[mixed] = body_R[mixed] @ rotvec_to_matrix(turn[mixed] * share[mixed, None])
    center = _blend(body_center, face.center_px, share[:, None])
    radius = np.exp(_blend(np.log(body_radius), np.log(face.radius_px), share))
    source = np.where(valid, np.where(share >= 0.5, SOURCE_FACE, SOURCE_BODY), SOURCE_NONE)
    return HeadTrack(
        np.where(valid[:, None, None], R, np.nan).astype(np.float32),
        np.where(valid[:, None], center, np.nan).astype(np.float32),
        np.where(valid, radius, np.nan).astype(np.float32),
        radius_m,
        valid,
        source.astype(np.uint8),
    )


def turned_as_told(head, R_cam_head):
    """Return the HeadTrack with the rotations float [T, 3, 3] instead of its own where these are given (NaN = not).

    R_cam_head  the array of that name of a `pose` layer that was mixed or edited; None = there is none
    """
    if R_cam_head is None:
        return head
    told = np.isfinite(R_cam_head).all((1, 2)) & head.valid
    return replace(head, R_cam_head=np.where(told[:, None, None], R_cam_head, head.R_cam_head).astype(np.float32))


@dataclass(frozen=True)
class _Face:
    R: np.ndarray
    center_px: np.ndarray
    radius_px: np.ndarray
    depth_radii: np.ndarray
    turn_deg: np.ndarray
    ok: np.ndarray


@dataclass(frozen=True)
class _Body:
    R: np.ndarray
    center_px: np.ndarray
    depth_m: np.ndarray
    ok: np.ndarray
    sure: np.ndarray


def _face(pose, K_px, layout, params):
    """Head from the face mesh, and which frames may be believed."""
    frames = len(pose["present"])
    if not has_template(layout):
        R, nan = np.full((frames, 3, 3), np.nan), np.full(frames, np.nan)
        return _Face(R, R[:, 0, :2], nan, nan, nan, np.zeros(frames, bool))
    R, center_radii, residual = fit_face(pose["face_px"], layout, K_px)
    center_px, radius_px = head_in_picture(center_radii, K_px)
    if layout == "mediapipe478":
        R = turned_on(R)
    score = np.nan_to_num(np.asarray(pose["face_score"], np.float64))
    ok = np.asarray(pose["face_valid"], bool) & (score >= params.face_score_least) & np.isfinite(radius_px)
    ok &= np.nan_to_num(residual, nan=np.inf) <= params.residual_most
    turn_deg = face_forward_deg(R)
    ok &= np.nan_to_num(turn_deg, nan=np.inf) <= params.face_turn_most_deg
    return _Face(R, center_px, radius_px, center_radii[:, 2], turn_deg, ok)


def _body(pose, K_px, layout, params):
    """Head from nose, eyes and ears; its centre is placed in the picture by those joints, not by the far pelvis."""
    joints_m, joints_px = np.asarray(pose["joints_m"], np.float64), np.asarray(pose["joints_px"], np.float64)
    score = np.nan_to_num(np.asarray(pose["joint_score"], np.float64))
    weight = np.where(score >= params.joint_score_least, score, 0.0)
    R, center_m = head_from_body(joints_m, weight, joints_px, K_px, body_points_m(layout))
    depth_m = center_m[:, 2] + np.asarray(pose["transl_m"], np.float64)[:, 2]
    index = [BODY_INDEX[name] for name in _HEAD_JOINTS]
    offset_m = joints_m[:, index] - center_m[:, None]
    focal = np.array([K_px[0, 0], K_px[1, 1]])
    guess_px = joints_px[:, index] - offset_m[..., :2] * focal / (depth_m[:, None] + offset_m[..., 2])[..., None]
    used = np.where(np.isfinite(guess_px).all(-1), weight[:, index], 0.0)
    total = used.sum(1)
    center_px = (np.nan_to_num(guess_px) * used[..., None]).sum(1) / np.where(total > 0, total, np.nan)[:, None]
    ok = np.isfinite(R).all((1, 2)) & np.isfinite(center_px).all(1) & (np.nan_to_num(depth_m) > 0.1)
    depth_m = np.where(ok, depth_m, np.nan)
    return _Body(R, center_px, depth_m, ok, ok & ((weight[:, index] > 0.5).sum(1) >= 3))


def turned_on(R):
    """Heads of the face mesh [T, 3, 3] turned on by what the mesh lacks.

    Source: measured on synthetic people. The mesh network flattens a turned face: right up to 30 degrees, at 47 it
    lacks 8, at 57 15, with a scatter of 3 to 8. A little less than that is given back, because other people lack less.
    On real films only 10 frames (two dances) showed such a face: it stood 8 degrees behind the body's.
    """
    angles = euler_yaw_pitch_roll_rad(R)
    yaw = angles[:, 0]
    angles[:, 0] += np.sign(yaw) * _FACE_FLAT_SHARE * np.maximum(np.abs(yaw) - np.radians(_FACE_FLAT_DEG), 0.0)
    return yaw_pitch_roll_to_matrix(angles)


def _radius_m(face, body):
    """One radius for the clip: the face's size at the body's depth, an average adult's where there is no such frame."""
    both = face.ok & body.ok
    if not both.any():
        return ADULT_RADIUS_M
    return float(np.clip(np.median(body.depth_m[both] / face.depth_radii[both]), *_RADIUS_RANGE_M))


def _body_share(face_turn_deg, face_radius_px, apart_deg):
    """Weight of the body, 0..1, in the mean of a face and a body that are both seen; NaN where the face is.

    face_turn_deg   float [T]  from the camera;  face_radius_px float [T];  apart_deg float [T] between face and body
    Source: inverse variances, with a Cauchy factor because a body that is far off is more than usually wrong. The usual
    errors were measured on synthetic validation people: the body's is 10 degrees everywhere, a large frontal face's a
    third of that. It grows as the face gets small, and from 40 degrees of turn on, where the mesh network draws a face
    that looks more to the front (7 degrees too little at 60) while the body's joints turn too far.
    """
    turned = _FACE_ERROR_TURNED_DEG * np.maximum(face_turn_deg - _FACE_TURN_GOOD_DEG, 0.0)
    face2 = _FACE_ERROR_DEG**2 + (_FACE_ERROR_SMALL_DEG_PX / face_radius_px) ** 2 + turned**2
    return face2 / (face2 + _BODY_ERROR_DEG**2) / (1.0 + (apart_deg / _FAR_APART_DEG) ** 2)


def _face_share(face_ok, blend_frames):
    """Weight of the face, 0..1: 0 where it is not seen, growing to 1 over `blend_frames` frames from there."""
    frames = len(face_ok)
    missing = np.nonzero(~face_ok)[0]
    if not len(missing):
        return np.ones(frames)
    after = np.searchsorted(missing, np.arange(frames))
    to_right = np.abs(missing[np.clip(after, 0, len(missing) - 1)] - np.arange(frames))
    to_left = np.abs(missing[np.clip(after - 1, 0, len(missing) - 1)] - np.arange(frames))
    return np.clip(np.minimum(to_left, to_right) / (blend_frames + 1), 0.0, 1.0)


def _mean_rotation(rotations):
    """The robust mean of rotations [N, 3, 3] near each other (iterated, weighted by 1 / (1 + (angle / 10 deg)^2))."""
    mean = rotations[len(rotations) // 2]
    for _ in range(10):
        step = matrix_to_rotvec(np.swapaxes(mean, 0, 1) @ rotations)
        weight = 1.0 / (1.0 + (np.linalg.norm(step, axis=1) / np.radians(10.0)) ** 2)
        mean = mean @ rotvec_to_matrix((step * weight[:, None]).sum(0) / weight.sum())
    return mean


def _wide(mask):
    return mask[:, None, None]


def _blend(first, second, share):
    """(1 - share) * first + share * second, where a share of exactly 0 or 1 never touches a NaN of the other."""
    return np.where(share <= 0, first, np.where(share >= 1, second, first + share * (second - first)))
