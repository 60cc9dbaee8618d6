"""Pairs of exact truth and what extract-pose found, frame by frame, for bench_extraction.py."""

from dataclasses import dataclass, fields

import numpy as np

from stages.core.face68 import face68_of_mesh
from stages.core.geometry import matrix_to_rotvec
from stages.core.skeleton import BODY_INDEX


@dataclass(frozen=True)
class Pairs:
    """N measured frames; `true_*` from the generator, `found_*` from the extractor. Pixels and metres as everywhere.

    framing str [N]; clip int [N]; frame int [N] in its clip; size int [N] side of the picture
    height_px [N] of the person as standing there; torso_deg [N] yaw of the body, 0 = faces the camera, 180 = back
    visible, inside bool [N,25]: of the true joints; hand_visible bool [N,2,21]
    found_joint_valid, found_score [N,25];  found_hand_valid [N,2];  present, face_valid bool [N]
    true_head_R, found_head_R [N,3,3]; centres [N,2] and radii [N] px; head_source uint8 [N] of stages.head.track
    true_face, found_face [N,68,2] px; NaN where there are none; face_visible bool [N,68]
    """

    framing: np.ndarray
    clip: np.ndarray
    frame: np.ndarray
    size: np.ndarray
    height_px: np.ndarray
    torso_deg: np.ndarray
    visible: np.ndarray
    inside: np.ndarray
    true_joints: np.ndarray
    found_joints: np.ndarray
    raw_joints: np.ndarray
    true_joints_m: np.ndarray
    found_joints_m: np.ndarray
    found_joint_valid: np.ndarray
    found_score: np.ndarray
    hand_visible: np.ndarray
    true_hands: np.ndarray
    found_hands: np.ndarray
    found_hand_valid: np.ndarray
    present: np.ndarray
    face_valid: np.ndarray
    true_head_R: np.ndarray
    found_head_R: np.ndarray
    true_head_center: np.ndarray
    found_head_center: np.ndarray
    true_head_radius: np.ndarray
    found_head_radius: np.ndarray
    head_source: np.ndarray
    true_face: np.ndarray
    found_face: np.ndarray
    face_visible: np.ndarray

    def take(self, rows):
        """The pairs of some rows (a mask or indices)."""
        return Pairs(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def __len__(self):
        return len(self.framing)


def joined(parts):
    """One Pairs of many."""
    return Pairs(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Pairs)})


def pair(clip, pose, head, layout, number, frames):
    """Pairs of the chosen frames of one clip.

    clip  SyntheticClip;  pose  arrays of the layer;  head  HeadTrack;  layout  of the face;  number  of the clip
    """
    count, size = len(clip.frames_u8), clip.frames_u8.shape[1]
    inside = ((clip.joints_px >= -0.5) & (clip.joints_px <= size - 0.5)).all(-1)
    nowhere = np.full((count, 68, 2), np.nan, np.float32)
    true_face = getattr(clip, "face_px", None)
    face_visible = getattr(clip, "face_visible", None)
    if true_face is None:
        true_face = nowhere
    if face_visible is None:
        face_visible = np.isfinite(true_face).all(-1)
    found_face = nowhere
    if layout == "mediapipe478":
        found_face = np.where(pose["face_valid"][:, None, None], face68_of_mesh(pose["face_px"])[..., :2], np.nan)
    columns = {
        "framing": np.full(count, clip.framing), "clip": np.full(count, number), "frame": np.arange(count),
        "size": np.full(count, size), "height_px": clip.height_m * clip.K_px[0, 0] / clip.transl_m[:, 2],
        "torso_deg": torso_yaw_deg(clip.joints_m), "visible": clip.joint_visible & inside, "inside": inside,
        "true_joints": clip.joints_px, "found_joints": pose["joints_px"], "raw_joints": pose["raw_joints_px"],
        "true_joints_m": clip.joints_m, "found_joints_m": pose["joints_m"],
        "found_joint_valid": pose["joint_valid"], "found_score": pose["joint_score"],
        "hand_visible": clip.hand_visible, "true_hands": clip.hands_px, "found_hands": pose["hands_px"],
        "found_hand_valid": pose["hand_valid"], "present": pose["present"], "face_valid": pose["face_valid"],
        "true_head_R": clip.R_cam_head, "found_head_R": head.R_cam_head, "true_head_center": clip.head_center_px,
        "found_head_center": head.center_px, "true_head_radius": clip.head_radius_px,
        "found_head_radius": head.radius_px, "head_source": head.source, "true_face": np.asarray(true_face)[..., :2],
        "found_face": found_face, "face_visible": face_visible,
    }  # fmt: skip
    return Pairs(**{name: np.asarray(column)[frames] for name, column in columns.items()})


def torso_yaw_deg(joints_m):
    """Angle by which the body is turned away from the camera, 0..180 degrees [T], from shoulders and hips."""
    lateral = 0.0
    for joint in ("shoulder", "hip"):
        lateral = lateral + joints_m[:, BODY_INDEX[f"left_{joint}"]] - joints_m[:, BODY_INDEX[f"right_{joint}"]]
    return np.degrees(np.abs(np.arctan2(lateral[:, 2], lateral[:, 0])))


def head_turn_deg(rotation):
    """Yaw of heads, 0..180 degrees away from the camera [N]."""
    return np.degrees(np.abs(np.arctan2(-rotation[:, 0, 2], rotation[:, 2, 2])))


def mean_turn_deg(errors):
    """Mean rotation vector of rotations [N,3,3] in degrees [3], NaN rows left out: a constant offset of the axes."""
    vectors = matrix_to_rotvec(errors)
    good = np.isfinite(vectors).all(1)
    return np.degrees(np.median(vectors[good], axis=0)) if good.any() else np.full(3, np.nan)
