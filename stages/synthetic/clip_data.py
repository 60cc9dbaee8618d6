"""What a synthetic clip is: pictures and every truth about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.core.skeleton import BODY_INDEX, HANDS
from stages.synthetic.character import About
from stages.synthetic.orders import wholebody
from stages.synthetic.seeds import ClipSeeds


@dataclass(frozen=True)
class SyntheticClip:
    """T frames of one person with all truth. Pixels: centre of the top-left pixel = (0, 0); camera axes, metres.

    frames_u8 [T,S,S,3] RGB   face_crops_u8 [T,64,64,3]   face_affine f32 [T,2,3] picture px -> crop px
    joints_px f32 [T,25,2]   joints_m f32 [T,25,3] from the pelvis   transl_m f32 [T,3] pelvis
    joint_visible bool [T,25]
    hands_px f32 [T,2,21,2], left first   hands_m f32 [T,2,21,3] from the wrist   hand_visible bool [T,2,21]
    face_px f32 [T,68,2], iBUG layout   face_m f32 [T,68,3] from the camera   face_visible bool [T,68]
    smplx_px f32 [T,55,2], orders.SMPLX_JOINTS   smplx_m f32 [T,55,3] from the camera   smplx_visible bool [T,55]
    R_cam_head f32 [T,3,3]   head_center_px f32 [T,2]   head_center_m f32 [T,3]   head_radius_px f32 [T]
    expression f32 [T,52] 0..1, ARKit names alphabetical   viseme f32 [T,15]
    gaze_rad f32 [T,2] yaw, pitch against the head
    mask u8 [T,S,S] of parts.MASK_NAMES   K_px f64 [3,3]   world_to_camera f64 [T,3,4] metres   times_s f64 [T]
    depth_m f32 [T,S,S] along z, of the person or of the background; NaN where that is infinitely far or not known
    flow_px f32 [T,S,S,2], flow_valid, flow_visible bool [T,S,S]: see flow.Flow, of the last frame to the moment behind
    the clip, where nothing counts as visible; None for references, which have no next frame
    phonemes: what is said, rows (start_s, end_s, ARPAbet name) in the clip's own time, 0 = first frame, cut to the clip
    rest_joints_m f32 [25,3], rest_smplx_m f32 [55,3]: joints of the rest pose, for bone lengths
    references: the same person and camera at other times, or None
    views: the same person from all around, one frame each, with other motion, light and background
    a_pose: the same person standing in an A-pose, from the front on a plain background, one frame, or None
    """

    seeds: ClipSeeds
    framing: str
    style: str
    background: str
    look: str
    fps: float
    about: About
    head_radius_m: float
    height_m: float
    K_px: np.ndarray
    rest_joints_m: np.ndarray
    rest_smplx_m: np.ndarray
    times_s: np.ndarray
    frames_u8: np.ndarray
    face_crops_u8: np.ndarray
    face_affine: np.ndarray
    joints_px: np.ndarray
    joints_m: np.ndarray
    transl_m: np.ndarray
    joint_visible: np.ndarray
    hands_px: np.ndarray
    hands_m: np.ndarray
    hand_visible: np.ndarray
    face_px: np.ndarray
    face_m: np.ndarray
    face_visible: np.ndarray
    smplx_px: np.ndarray
    smplx_m: np.ndarray
    smplx_visible: np.ndarray
    R_cam_head: np.ndarray
    head_center_px: np.ndarray
    head_center_m: np.ndarray
    head_radius_px: np.ndarray
    expression: np.ndarray
    viseme: np.ndarray
    gaze_rad: np.ndarray
    mask: np.ndarray
    depth_m: np.ndarray
    world_to_camera: np.ndarray
    flow_px: np.ndarray | None = None
    flow_valid: np.ndarray | None = None
    flow_visible: np.ndarray | None = None
    phonemes: tuple[tuple[float, float, str], ...] = ()
    references: SyntheticClip | None = None
    views: tuple[SyntheticClip, ...] = ()
    a_pose: SyntheticClip | None = None

    def wholebody(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """COCO-WholeBody's 133 points: px f32 [T,133,2], metres from the camera f32 [T,133,3], visible bool [T,133]."""
        body_m = self.joints_m + self.transl_m[:, None]
        wrists_m = body_m[:, [BODY_INDEX[f"{side}_wrist"] for side in HANDS]]
        return (
            wholebody(self.joints_px, self.face_px, self.hands_px),
            wholebody(body_m, self.face_m, self.hands_m + wrists_m[:, :, None]),
            wholebody(self.joint_visible, self.face_visible, self.hand_visible),
        )
