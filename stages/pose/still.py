"""The pose of one photo held through a film, with the head turned a little where that is asked for."""

from __future__ import annotations

import numpy as np

from stages.core.geometry import yaw_pitch_roll_to_matrix
from stages.core.headpose import HEAD_POINTS_M
from stages.core.skeleton import BODY_INDEX

_HEAD = [BODY_INDEX[name] for name in HEAD_POINTS_M]
_EARS = [BODY_INDEX[name] for name in ("left_ear", "right_ear")]
_PIVOT_M = np.array([0.0, 0.12, 0.03])  # from the middle of the ears to where a head turns on its neck
_EARS_APART_M = 0.144


def hold_pose(arrays: dict[str, np.ndarray], turns_deg: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays of a `pose` layer of T frames from those of one.

    arrays     of one frame, as `stages.pose.photo.track_photo` gives them; K_px is of no frame and stays as it is
    turns_deg  float [T, 3] pitch (down positive), yaw, roll of the head against the photo; 0 leaves a frame untouched
    """
    count = len(turns_deg)
    out = {name: array if name == "K_px" else np.repeat(array, count, axis=0).copy() for name, array in arrays.items()}
    if not np.any(turns_deg):
        return out
    pitch, yaw, roll = np.deg2rad(np.asarray(turns_deg, np.float64)).T
    turn = yaw_pitch_roll_to_matrix(np.stack([yaw, -pitch, roll], -1))  # [T, 3, 3]
    for raw in ("", "raw_"):
        joints_m = arrays[f"{raw}joints_m"][0].astype(np.float64)
        ears_m, ears_px = joints_m[_EARS], arrays[f"{raw}joints_px"][0, _EARS].astype(np.float64)
        if not (np.isfinite(ears_m).all() and np.isfinite(ears_px).all()):
            continue
        scale = _px_per_m(arrays[f"{raw}face_px"][0], ears_m, ears_px)
        pivot = ears_m.mean(0) + _PIVOT_M
        moved = (joints_m[_HEAD] - pivot) @ np.swapaxes(turn, 1, 2) + pivot  # [T, 5, 3]
        shift = moved - joints_m[_HEAD]
        out[f"{raw}joints_m"][:, _HEAD] += shift.astype(np.float32)
        out[f"{raw}joints_px"][:, _HEAD] += (scale * shift[..., :2]).astype(np.float32)
        face = arrays[f"{raw}face_px"][0].astype(np.float64)
        middle = np.array([*ears_px.mean(0), np.nanmax(face[:, 2]) if np.isfinite(face[:, 2]).any() else 0.0])
        at = middle + scale * _PIVOT_M
        out[f"{raw}face_px"][:] = (face - at) @ np.swapaxes(turn, 1, 2) + at
    return out


def _px_per_m(face_px: np.ndarray, ears_m: np.ndarray, ears_px: np.ndarray) -> float:
    """Pixels a metre at the head: from the width of the face mesh, else from the ears."""
    if np.isfinite(face_px).all() and len(face_px):
        return float(np.linalg.norm(np.ptp(face_px[:, [0, 2]], axis=0)) / (np.sqrt(2) * _EARS_APART_M))
    return float(np.linalg.norm(ears_px[0] - ears_px[1]) / max(np.linalg.norm(ears_m[0] - ears_m[1]), 0.05))
