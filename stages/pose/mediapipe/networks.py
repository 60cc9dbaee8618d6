"""Names of the networks the backend runs; apart from the code, so that planning imports nothing heavy."""

NETWORKS = (
    "pose_detection", "pose_landmark", "palm_detection", "hand_recrop", "hand_landmark",
    "face_detection_short", "face_detection_full", "face_landmark", "iris_landmark",
)  # fmt: skip
