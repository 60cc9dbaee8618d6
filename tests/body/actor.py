"""An exact person for the tests: a jointed figure before a camera, as the arrays of a pose layer."""

import numpy as np

from stages.core.geometry import default_K_px, project_px, yaw_pitch_roll_to_matrix
from stages.core.headpose import HEAD_POINTS_M
from stages.core.skeleton import BODY_INDEX

SIZE = (480, 480)
K_PX = default_K_px(*SIZE)
FPS = 24.0
_REST = {  # metres, y down, pelvis = 0, facing the camera (left is at +x)
    "neck": (0, -0.50, 0), "left_shoulder": (0.18, -0.48, 0), "right_shoulder": (-0.18, -0.48, 0),
    "left_elbow": (0.24, -0.20, 0.02), "right_elbow": (-0.24, -0.20, 0.02),
    "left_wrist": (0.26, 0.05, -0.05), "right_wrist": (-0.26, 0.05, -0.05),
    "left_hip": (0.10, 0, 0), "right_hip": (-0.10, 0, 0), "left_knee": (0.11, 0.42, -0.02),
    "right_knee": (-0.11, 0.42, -0.02), "left_ankle": (0.11, 0.82, 0.02), "right_ankle": (-0.11, 0.82, 0.02),
    "left_heel": (0.11, 0.87, 0.06), "right_heel": (-0.11, 0.87, 0.06), "left_big_toe": (0.12, 0.87, -0.12),
    "right_big_toe": (-0.12, 0.87, -0.12), "left_small_toe": (0.17, 0.87, -0.10),
    "right_small_toe": (-0.17, 0.87, -0.10), "pelvis": (0, 0, 0),
}  # fmt: skip


def make_pose(frames=24, *, tall=1.0, legs=1.0, place_m=(0.0, -0.1, 4.0), wave=0.6, seed_px=0.0):
    """The pose layer of a person who waves with the left arm and turns the head; tall scales all, legs the legs."""
    joints = np.zeros((frames, 25, 3))
    for name, place in _REST.items():
        joints[:, BODY_INDEX[name]] = place
    lower = [BODY_INDEX[name] for name in _REST if _REST[name][1] > 0.2]
    joints[:, lower, 1] *= legs
    time = np.linspace(0, 2 * np.pi, frames, endpoint=False)
    lift = wave * (1 - np.cos(time)) / 2
    shoulder = joints[:, BODY_INDEX["left_shoulder"]].copy()
    for name in ("left_elbow", "left_wrist"):
        arm = joints[:, BODY_INDEX[name]] - shoulder
        turn = yaw_pitch_roll_to_matrix(np.stack([0 * lift, 0 * lift, -2.5 * lift], -1))
        joints[:, BODY_INDEX[name]] = shoulder + np.einsum("tij,tj->ti", turn, arm)
    R = yaw_pitch_roll_to_matrix(np.stack([0.5 * np.sin(time), 0.1 * np.cos(time), 0 * time], -1))
    head = np.array([0.0, -0.72, 0.0])
    for name, place in HEAD_POINTS_M.items():
        joints[:, BODY_INDEX[name]] = head + np.einsum("tij,j->ti", R, np.array(place))
    joints *= tall
    transl = np.broadcast_to(np.array(place_m), (frames, 3)) + np.stack([0.05 * np.sin(time), 0 * time, 0 * time], -1)
    joints_px = project_px(joints + transl[:, None], K_PX)
    hands_m = np.zeros((frames, 2, 21, 3))
    hands_m[..., 1] = 0.008 * np.arange(21)
    wrists = joints[:, [BODY_INDEX["left_wrist"], BODY_INDEX["right_wrist"]]] + transl[:, None]
    inside = ((joints_px > -0.5) & (joints_px < np.array(SIZE[::-1]) - 0.5)).all(-1)
    return {
        "joints_px": joints_px.astype(np.float32),
        "joints_m": joints.astype(np.float32),
        "joint_score": inside.astype(np.float32),
        "joint_valid": inside,
        "hands_px": project_px(wrists[:, :, None] + hands_m, K_PX).astype(np.float32),
        "hands_m": hands_m.astype(np.float32),
        "hand_score": np.ones((frames, 2), np.float32),
        "hand_valid": np.ones((frames, 2), bool),
        "face_px": np.zeros((frames, 0, 3), np.float32),
        "face_score": np.zeros(frames, np.float32),
        "face_valid": np.zeros(frames, bool),
        "present": np.ones(frames, bool),
        "transl_m": transl.astype(np.float32),
        "K_px": K_PX,
    }, R
