"""Everything that is known exactly about one drawn frame, by the names of SyntheticClip."""

from __future__ import annotations

import numpy as np

from stages.core.skeleton import BODY_JOINTS, HAND_JOINTS
from stages.synthetic.body_motion import MotionFrame
from stages.synthetic.canvas import face_affine, project
from stages.synthetic.character import Pose
from stages.synthetic.face_points import FACE_COUNT
from stages.synthetic.flow import Behind
from stages.synthetic.renderer import Picture, View
from stages.synthetic.truth import JointReader, visible

GROUP_ENDS = np.cumsum([len(BODY_JOINTS), 2 * len(HAND_JOINTS), FACE_COUNT])


def frame_truth(
    reader: JointReader,
    motion: MotionFrame,
    pose: Pose,
    view: View,
    picture: Picture,
    behind: Behind,
    K_px: np.ndarray,
    steps: int,
) -> dict[str, np.ndarray]:
    """Arrays of one frame; all floats f32 but world_to_camera. steps: samples per pixel and axis of the picture."""
    truth = reader.read(pose, view.world_to_view)
    middle = slice(steps // 2, None, steps)
    depth_m = picture.depth_m[middle, middle]
    further_m = behind.depth_m()
    points_m = np.concatenate([truth.body_m, truth.hands_m.reshape(-1, 3), truth.face_m, truth.smplx_m])
    points_px = project(points_m, K_px)
    seen = visible(points_m, points_px, depth_m, reader.thickness_m)
    body_px, hands_px, face_px, smplx_px = np.split(points_px, GROUP_ENDS)
    joint_visible, hand_visible, face_visible, smplx_visible = np.split(seen, GROUP_ENDS)
    radius_px = reader.head_radius_m / truth.head_center_m[2] * K_px[0, 0]
    pelvis = truth.body_m[-1]
    values = {
        "joints_px": body_px,
        "joints_m": truth.body_m - pelvis,
        "transl_m": pelvis,
        "hands_px": hands_px.reshape(2, -1, 2),
        "hands_m": truth.hands_m - truth.hands_m[:, :1],
        "face_px": face_px,
        "face_m": truth.face_m,
        "smplx_px": smplx_px,
        "smplx_m": truth.smplx_m,
        "R_cam_head": truth.R_cam_head,
        "head_center_px": project(truth.head_center_m, K_px),
        "head_center_m": truth.head_center_m,
        "head_radius_px": radius_px,
        "expression": list(motion.expression.values()),
        "viseme": motion.face.viseme,
        "gaze_rad": np.radians(motion.face.gaze_deg),
        "face_affine": face_affine(project(truth.face_center_m, K_px), radius_px),
        "depth_m": np.where(np.isinf(depth_m), np.nan if further_m is None else further_m, depth_m),
    }
    return {
        **{name: np.asarray(value, np.float32) for name, value in values.items()},
        "joint_visible": joint_visible,
        "hand_visible": hand_visible.reshape(2, -1),
        "face_visible": face_visible,
        "smplx_visible": smplx_visible,
        "mask": picture.part_id[middle, middle].copy(),
        "world_to_camera": camera_from_world(view),
    }


def camera_from_world(view: View) -> np.ndarray:
    """World to camera axes, f64 [3, 4], metres."""
    matrix = np.diag([1.0, -1.0, -1.0]) @ view.world_to_view[:3]
    matrix[:, 3] /= 10
    return matrix
