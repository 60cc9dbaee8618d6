"""Joints in the orders of SMPL-X and COCO-WholeBody, from the bones of the MakeHuman rig.

The rig is not SMPL-X: each joint is the anatomical equivalent, so bone lengths and the spine's division differ.
"""

import numpy as np

from stages.core.skeleton import BODY_JOINTS, HANDS

# SMPL-X joint -> bone of the rig whose head it is; {side} is L or R.
_TRUNK = (
    ("pelvis", "spine05"), ("left_hip", "upperleg01.L"), ("right_hip", "upperleg01.R"), ("spine1", "spine04"),
    ("left_knee", "lowerleg01.L"), ("right_knee", "lowerleg01.R"), ("spine2", "spine03"), ("left_ankle", "foot.L"),
    ("right_ankle", "foot.R"), ("spine3", "spine02"), ("left_foot", "toe1-1.L"), ("right_foot", "toe1-1.R"),
    ("neck", "neck01"), ("left_collar", "clavicle.L"), ("right_collar", "clavicle.R"), ("head", "head"),
    ("left_shoulder", "upperarm01.L"), ("right_shoulder", "upperarm01.R"), ("left_elbow", "lowerarm01.L"),
    ("right_elbow", "lowerarm01.R"), ("left_wrist", "wrist.L"), ("right_wrist", "wrist.R"), ("jaw", "jaw"),
    ("left_eye_smplhf", "eye.L"), ("right_eye_smplhf", "eye.R"),
)  # fmt: skip
_FINGERS = (("index", 2), ("middle", 3), ("pinky", 5), ("ring", 4), ("thumb", 1))  # SMPL-X order, finger of the rig
SMPLX_BONES: dict[str, str] = dict(_TRUNK) | {
    f"{side}_{finger}{knuckle}": f"finger{number}-{knuckle}.{side[0].upper()}"
    for side in HANDS
    for finger, number in _FINGERS
    for knuckle in (1, 2, 3)
}
SMPLX_JOINTS: tuple[str, ...] = tuple(SMPLX_BONES)  # 55
WHOLEBODY_BODY = len(BODY_JOINTS) - 2  # 17 body and 6 foot points: all but our neck and pelvis


def wholebody(joints: np.ndarray, face: np.ndarray, hands: np.ndarray) -> np.ndarray:
    """The 133 points in the order of COCO-WholeBody: 17 body, 6 feet, 68 face, left and right hand.

    joints  [..., 25, D] or bool [..., 25];  face [..., 68, D];  hands [..., 2, 21, D], left first
    """
    axis = joints.ndim - (1 if joints.dtype == bool else 2)
    body = np.take(joints, range(WHOLEBODY_BODY), axis)
    left, right = np.take(hands, 0, axis), np.take(hands, 1, axis)
    return np.concatenate([body, face, left, right], axis)
