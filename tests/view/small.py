"""A bundle of 12 small frames with every layer, made without any network."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import numpy as np

from stages.bundle import ArraySpec, LayerWriter, make_provenance
from stages.core.skeleton import BODY_INDEX
from stages.media import write_video
from tests.media.make import ffmpeg

HEIGHT, WIDTH, CANVAS = 96, 128, 64
SMALL_FACES = (True,) * 5 + (False,) * 2 + (True,) * 5
_JOINTS = {
    "nose": (64, 26), "left_eye": (67, 23), "right_eye": (61, 23), "left_ear": (71, 25), "right_ear": (57, 25),
    "neck": (64, 40), "left_shoulder": (74, 41), "right_shoulder": (54, 41), "left_elbow": (80, 54),
    "right_elbow": (48, 54), "left_wrist": (84, 66), "right_wrist": (44, 66), "pelvis": (64, 66), "left_hip": (69, 66),
    "right_hip": (59, 66),
    "left_knee": (70, 78), "right_knee": (58, 78), "left_ankle": (71, 90), "right_ankle": (57, 90),
}  # fmt: skip


def small_bundle(
    path: Path, *, faces: tuple = SMALL_FACES, pose: bool = True, controls: bool = False, sound: bool = False
) -> Path:
    """clip (12 frames) and, as asked, pose (one frame per entry of `faces`), body and head."""
    frames = [np.full((HEIGHT, WIDTH, 3), 60 + 8 * n, np.uint8) for n in range(12)]
    video, tone = path.with_suffix(".mp4"), None
    if sound:
        tone = path.with_suffix(".wav")
        ffmpeg("-f", "lavfi", "-i", "sine=frequency=440", "-t", 1, tone)
    write_video(video, frames, Fraction(12), audio_from=tone)
    attrs = {"fps": "12/1", "size": [HEIGHT, WIDTH], "frame_count": 12, "has_audio": sound, "rotation_deg": 0}
    _write(path, "clip", attrs, {"media": np.fromfile(video, np.uint8), "times_s": np.arange(12) / 12.0})
    if pose:
        _write(path, "pose", {"face_layout": "ibug68", "backend": "test"}, _pose(np.array(faces)))
    if controls:
        _controls(path)
    return path


def _pose(faces: np.ndarray) -> dict[str, np.ndarray]:
    count = len(faces)
    joints = np.full((count, 25, 2), np.nan, np.float32)
    for name, place in _JOINTS.items():
        joints[:, BODY_INDEX[name]] = place
    valid = np.isfinite(joints).all(-1)
    valid[:, BODY_INDEX["left_wrist"]] = False  # filled in: a position, but not measured
    face = np.random.default_rng(0).normal(0, 6, (count, 68, 3)).astype(np.float32) + (64, 26, 0)
    face[~faces] = np.nan
    return {
        "joints_px": joints, "joint_valid": valid,
        "hands_px": np.full((count, 2, 21, 2), np.nan, np.float32), "hand_valid": np.zeros((count, 2), bool),
        "face_px": face.astype(np.float32), "face_valid": faces, "present": np.ones(count, bool),
        "box_px": np.tile(np.float32([40, 10, 90, 94]), (count, 1)), "person_id": np.zeros(count, np.int32),
    }  # fmt: skip


def _controls(path: Path) -> None:
    skeleton, sphere = np.zeros((2, 12, CANVAS, CANVAS, 3), np.uint8)
    skeleton[:, 30:50, 30:34] = (255, 0, 0)
    sphere[:, 8:24, 24:40] = (0, 200, 90)
    affine = [[0.5, 0.0, 0.0], [0.0, 0.5, 8.0]]
    _write(
        path, "body", {"canvas": {"size": [CANVAS, CANVAS], "framing": "driver", "driver_affine": affine}},
        {"map": skeleton, "ref_frame": np.full((1, CANVAS, CANVAS, 3), 99, np.uint8), "ref_map": skeleton[:1]},
    )  # fmt: skip
    _write(
        path, "head", {},
        {
            "map": sphere, "ref_map": sphere[:1], "R_cam_head": np.tile(np.eye(3, dtype=np.float32), (12, 1, 1)),
            "center_px": np.full((12, 2), 32, np.float32), "radius_px": np.full(12, 8, np.float32),
        },
    )  # fmt: skip


def _write(path: Path, layer: str, attrs: dict, arrays: dict[str, np.ndarray]) -> None:
    key = hashlib.sha256(f"{path.name} {layer} {sorted(arrays)}".encode()).hexdigest()
    with LayerWriter(path, layer, key=key, attrs=attrs, provenance=make_provenance("test", 1, {}, {})) as writer:
        for name, array in arrays.items():
            writer.put(name, array, ArraySpec(array.dtype.name, tuple(f"axis{n}" for n in range(array.ndim))))
        writer.commit()
