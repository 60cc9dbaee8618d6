"""Names of the joints and bones that every stage shares.

The order of the first 23 body joints is that of COCO-WholeBody; `neck` and `pelvis` are the middles of the
shoulders and of the hips. Hands follow the 21-point order of MediaPipe and COCO-WholeBody.
"""

BODY_JOINTS: tuple[str, ...] = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    "left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel",
    "neck", "pelvis",
)  # fmt: skip

HAND_JOINTS: tuple[str, ...] = ("wrist",) + tuple(
    f"{finger}{knuckle}" for finger in ("thumb", "index", "middle", "ring", "pinky") for knuckle in (1, 2, 3, 4)
)

HANDS: tuple[str, str] = ("left", "right")

BODY_INDEX: dict[str, int] = {name: index for index, name in enumerate(BODY_JOINTS)}
HAND_INDEX: dict[str, int] = {name: index for index, name in enumerate(HAND_JOINTS)}

# Kinematic tree, parents before children: (name of the bone, parent joint, child joint).
BONES: tuple[tuple[str, str, str], ...] = (
    ("spine", "pelvis", "neck"),
    ("left_clavicle", "neck", "left_shoulder"),
    ("right_clavicle", "neck", "right_shoulder"),
    ("left_upper_arm", "left_shoulder", "left_elbow"),
    ("right_upper_arm", "right_shoulder", "right_elbow"),
    ("left_forearm", "left_elbow", "left_wrist"),
    ("right_forearm", "right_elbow", "right_wrist"),
    ("left_pelvis", "pelvis", "left_hip"),
    ("right_pelvis", "pelvis", "right_hip"),
    ("left_thigh", "left_hip", "left_knee"),
    ("right_thigh", "right_hip", "right_knee"),
    ("left_shin", "left_knee", "left_ankle"),
    ("right_shin", "right_knee", "right_ankle"),
    ("left_foot", "left_ankle", "left_big_toe"),
    ("right_foot", "right_ankle", "right_big_toe"),
    ("left_outer_foot", "left_ankle", "left_small_toe"),
    ("right_outer_foot", "right_ankle", "right_small_toe"),
    ("left_heel_bone", "left_ankle", "left_heel"),
    ("right_heel_bone", "right_ankle", "right_heel"),
    ("face", "neck", "nose"),
    ("left_eye_bone", "nose", "left_eye"),
    ("right_eye_bone", "nose", "right_eye"),
    ("left_ear_bone", "left_eye", "left_ear"),
    ("right_ear_bone", "right_eye", "right_ear"),
)

# Bones of one hand: (parent, child) by name, finger by finger from the wrist.
HAND_BONES: tuple[tuple[str, str], ...] = tuple(
    ("wrist" if knuckle == 1 else f"{finger}{knuckle - 1}", f"{finger}{knuckle}")
    for finger in ("thumb", "index", "middle", "ring", "pinky")
    for knuckle in (1, 2, 3, 4)
)
