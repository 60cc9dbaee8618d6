"""The `pose` layer from a raw track: gaps filled, jitter removed, camera fitted, raw values kept beside."""

from __future__ import annotations

import numpy as np

from stages.bundle import ArraySpec
from stages.pose.camera import fit_camera
from stages.pose.cleaning import FilterParams, clean_track
from stages.pose.track import PoseTrack, array_names

RAW_OF = {name: f"raw_{name}" for name in ("joints_px", "joints_m", "hands_px", "face_px")}
_MEANING = {
    "joints_px": ("float32", ("T", "J", "xy"), "px", None, "body joints; NaN = not measured"),
    "joints_m": ("float32", ("T", "J", "xyz"), "m", None, "body joints, camera axes, pelvis = 0; NaN = not measured"),
    "joint_score": ("float32", ("T", "J"), "01", (0, 1), "how sure the backend is; 0 = not measured"),
    "joint_valid": ("bool", ("T", "J"), "", None, "seen inside the picture"),
    "hands_px": ("float32", ("T", "side", "J", "xy"), "px", None, "hand joints, the person's left first"),
    "hands_m": ("float32", ("T", "side", "J", "xyz"), "m", None, "hand joints, camera axes, wrist = 0"),
    "hand_score": ("float32", ("T", "side"), "01", (0, 1), "how sure the backend is"),
    "hand_valid": ("bool", ("T", "side"), "", None, "the hand is seen"),
    "face_px": ("float32", ("T", "F", "xyz"), "px", None, "face points; depth relative, smaller = nearer"),
    "face_score": ("float32", ("T",), "01", (0, 1), "how sure the backend is"),
    "face_valid": ("bool", ("T",), "", None, "the face is seen"),
    "present": ("bool", ("T",), "", None, "the chosen person is in the frame"),
    "box_px": ("float32", ("T", "edge"), "px", None, "x0 y0 x1 y1 of the person; NaN = absent"),
    "person_id": ("int32", ("T",), "", None, "the tracker's number of the person; -1 = absent"),
    "K_px": ("float64", ("row", "col"), "px", None, "pinhole intrinsics"),
    "transl_m": ("float32", ("T", "xyz"), "m", None, "pelvis in the camera frame: joints_m + transl_m projects there"),
}


def pose_specs() -> dict[str, ArraySpec]:
    """ArraySpec of every array of the layer, the raw ones included."""
    specs = {}
    for name, (dtype, axes, unit, valid_range, meaning) in _MEANING.items():
        fill = {"fill": -1} if name == "person_id" else {}
        specs[name] = ArraySpec(dtype, axes, unit, valid_range, meaning=meaning, **fill)
        if name in RAW_OF:
            specs[RAW_OF[name]] = ArraySpec(dtype, axes, unit, valid_range, meaning=f"{meaning}; unfiltered")
    return specs


def finish_track(track: PoseTrack, *, smooth: bool = True, K_px: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """All arrays of the layer by name.

    track   raw, from a backend or an import
    smooth  remove jitter; gaps are filled either way
    K_px    float64 [3, 3] | None   the camera where it is known, else a guess
    """
    cleaned = clean_track(track, FilterParams(smooth=smooth))
    arrays = {name: getattr(cleaned, name) for name in array_names()}
    arrays |= {raw: getattr(track, name) for name, raw in RAW_OF.items()}
    camera = fit_camera(cleaned, K_px)
    arrays["K_px"], arrays["transl_m"] = np.asarray(camera.K_px, np.float64), camera.transl_m
    return arrays
