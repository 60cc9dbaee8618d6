"""One person's head turns on another person's body."""

from __future__ import annotations

import numpy as np

from stages.core.geometry import project_px
from stages.core.headpose import HEAD_POINTS_M
from stages.core.skeleton import BODY_INDEX

_HEAD_JOINTS = [BODY_INDEX[name] for name in HEAD_POINTS_M]


def turn_head(pose: dict[str, np.ndarray], head, R_cam_head: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays of a `pose` layer with the head turned another way; only what changes is in it.

    pose        joints_px, joints_m, face_px, transl_m, K_px of the layer
    head        HeadTrack of that pose: where its head is and how it is turned
    R_cam_head  float [T, 3, 3] how it is to be turned; NaN = as it is
    returns     joints_px, joints_m with nose, eyes and ears turned about the middle of the head; face_px turned with
                them as a rigid cloud (expression unchanged); R_cam_head float32 [T, 3, 3], the turn itself, which
                render-spheres takes instead of measuring it; NaN = measure it
    """
    turn = np.asarray(R_cam_head, np.float64) @ np.swapaxes(np.asarray(head.R_cam_head, np.float64), 1, 2)
    known = np.isfinite(turn).all((1, 2))
    turn = np.where(known[:, None, None], turn, np.eye(3))
    K_px = np.asarray(pose["K_px"], np.float64)
    focal = np.sqrt(K_px[0, 0] * K_px[1, 1])
    radius_px, center_px = np.asarray(head.radius_px, np.float64), np.asarray(head.center_px, np.float64)
    depth_m = focal * head.radius_m / radius_px
    across = (center_px - K_px[:2, 2]) / [K_px[0, 0], K_px[1, 1]]
    center_m = np.concatenate([across, np.ones((len(across), 1))], -1) * depth_m[:, None]

    joints_m, transl_m = np.asarray(pose["joints_m"], np.float64), np.asarray(pose["transl_m"], np.float64)
    about = (center_m - transl_m)[:, None]
    before = joints_m[:, _HEAD_JOINTS]
    after = about + np.einsum("tij,tkj->tki", turn, before - about)
    shift_px = project_px(after + transl_m[:, None], K_px) - project_px(before + transl_m[:, None], K_px)
    moved_m, moved_px = joints_m.copy(), np.asarray(pose["joints_px"], np.float64).copy()
    usable = (
        known[:, None, None] & np.isfinite(after).all(-1, keepdims=True) & np.isfinite(shift_px).all(-1, keepdims=True)
    )
    moved_m[:, _HEAD_JOINTS] = np.where(usable, after, before)
    moved_px[:, _HEAD_JOINTS] += np.where(usable, shift_px, 0.0)

    face_px = np.asarray(pose["face_px"], np.float64)
    # depth of the face's points is against their own mean; the mean of the cloud stands before the head's middle
    forward = np.asarray(head.R_cam_head, np.float64)[:, :, 2] * -0.5 * radius_px[:, None]
    middle = np.concatenate([center_px, -forward[:, 2:]], -1)[:, None]
    turned = middle + np.einsum("tij,tkj->tki", turn, face_px - middle)
    if face_px.shape[1]:
        turned[..., 2] -= turned[..., 2].mean(1, keepdims=True)
    face = np.where((known & np.isfinite(radius_px))[:, None, None], turned, face_px)
    return {
        "joints_px": moved_px.astype(np.float32),
        "joints_m": moved_m.astype(np.float32),
        "face_px": face.astype(np.float32),
        "R_cam_head": np.where(known[:, None, None], R_cam_head, np.nan).astype(np.float32),
    }
