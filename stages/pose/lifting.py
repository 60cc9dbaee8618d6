"""Joints in metres from joints in the picture: what can be said about depth without a network that measures it.

Limits, so that nobody mistakes a lifted track for a measured one: the camera is weak-perspective, the body has adult
proportions, and the side to which a shortened limb points follows from rules of thumb (knees bend forwards, arms are
in front). Lengths in the picture are exact; depth is a guess good enough to draw a skeleton in the right order.
"""

from __future__ import annotations

import numpy as np

from stages.core.headpose import HEAD_POINTS_M
from stages.core.skeleton import BODY_INDEX, BONES

# Our choice: rounded lengths between joint centres of an adult of 1.72 m.
STANDARD_LENGTHS_M: dict[str, float] = {
    "spine": 0.50, "clavicle": 0.18, "upper_arm": 0.28, "forearm": 0.25, "pelvis": 0.10, "thigh": 0.41, "shin": 0.41,
    "foot": 0.17, "outer_foot": 0.16, "heel_bone": 0.08, "face": 0.24,
}  # fmt: skip
_SCALE_BONES = ("spine", "clavicle", "upper_arm", "forearm", "thigh", "shin", "face")
_TRUSTED_QUANTILE = 0.8
_WINDOW_S = 1.0
_HEAD_JOINTS = tuple(HEAD_POINTS_M)


def bone_length_m(bone: str) -> float:
    """The standard length of a bone of BONES by name; nan for those inside the head (they come from the template)."""
    return STANDARD_LENGTHS_M.get(bone.removeprefix("left_").removeprefix("right_"), float("nan"))


def px_per_metre_of_bones(
    joints_px: np.ndarray, valid: np.ndarray, fps: float, depth_m: np.ndarray | None = None
) -> np.ndarray:
    """How many pixels a metre is at the person, float64 [T]; NaN where no bone is seen within a second.

    joints_px  float [T, 25, 2];  valid bool [T, 25]
    depth_m    float [T, 25] | None   measured depth against any joint; None = unknown
    Without depth a bone can only look too short, so a high quantile (0.8) over the bones is taken, and over a second
    again. With depth every bone tells the scale and the median is taken. Source: our choice.
    """
    ratios = []
    for name, parent, child in BONES:
        length = bone_length_m(name)
        if not any(name.endswith(kind) for kind in _SCALE_BONES) or np.isnan(length):
            continue
        a, b = BODY_INDEX[parent], BODY_INDEX[child]
        across = np.linalg.norm(np.asarray(joints_px[:, b], np.float64) - joints_px[:, a], axis=-1)
        if depth_m is not None:
            along = np.asarray(depth_m[:, b], np.float64) - depth_m[:, a]
            # a bone that points at the camera tells nothing about the scale
            rest = np.where(np.abs(along) < 0.7 * length, length**2 - along**2, np.nan)
            length = np.sqrt(rest)
        ratios.append(np.where(valid[:, a] & valid[:, b], across / length, np.nan))
    ratios = np.stack(ratios, 1)
    per_frame = _quantile(ratios, 0.5 if depth_m is not None else _TRUSTED_QUANTILE)
    reach = max(0, round(_WINDOW_S * fps / 2))
    padded = np.pad(per_frame, reach, constant_values=np.nan)
    if not len(per_frame):
        return per_frame
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    return _quantile(windows, 0.5 if depth_m is not None else _TRUSTED_QUANTILE)


def place_in_metres(joints_px: np.ndarray, depth_m: np.ndarray, px_per_m: np.ndarray) -> np.ndarray:
    """Joints relative to the pelvis, float32 [T, 25, 3], from pixels, depths and the scale; weak perspective.

    NaN where a joint, the pelvis or the scale is missing. Without the hips the pelvis stands a spine below the neck.
    """
    joints_px = np.asarray(joints_px, np.float64)
    root_px, root_m = joints_px[:, BODY_INDEX["pelvis"]], np.asarray(depth_m, np.float64)[:, BODY_INDEX["pelvis"]]
    neck_px, neck_m = joints_px[:, BODY_INDEX["neck"]], np.asarray(depth_m, np.float64)[:, BODY_INDEX["neck"]]
    below = neck_px + np.stack([0 * px_per_m, STANDARD_LENGTHS_M["spine"] * px_per_m], -1)
    root_px = np.where(np.isfinite(root_px), root_px, below)
    root_m = np.where(np.isfinite(root_m), root_m, neck_m)
    across = (joints_px - root_px[:, None]) / px_per_m[:, None, None]
    along = depth_m - root_m[:, None]
    out = np.concatenate([across, along[..., None]], -1)
    out[~np.isfinite(out).all(-1)] = np.nan
    return out.astype(np.float32)


def lift(joints_px: np.ndarray, valid: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Joints in metres (float32 [T, 25, 3], pelvis = 0, NaN where 2D is missing) and the px per metre (float64 [T]).

    joints_px  float [T, 25, 2]  NaN = not measured;  valid bool [T, 25]
    Depth of a bone = what its length lacks in the picture; its side: knees and toes in front, ankles behind, arms in
    front, the shoulder on the side the face turns to is the farther one; seen from behind all of it mirrored. The spine
    stays upright in the picture plane. Nose, eyes and ears come from a rigid head that fits their pixels.
    Source: our choice.
    """
    joints_px = np.asarray(joints_px, np.float64)
    scale = px_per_metre_of_bones(joints_px, valid, fps)
    depth = np.full(joints_px.shape[:2], np.nan)
    depth[:, BODY_INDEX["pelvis"]] = depth[:, BODY_INDEX["neck"]] = 0.0
    facing = _facing(joints_px)
    head_depth, turn = _head_depth(joints_px, scale, facing)
    side = {"clavicle": turn, "pelvis": turn, "upper_arm": -facing, "forearm": -facing, "thigh": -facing,
            "shin": facing, "foot": -facing, "outer_foot": -facing, "heel_bone": facing}  # fmt: skip
    for name, parent, child in BONES:
        kind = name.removeprefix("left_").removeprefix("right_")
        if kind not in side:
            continue
        sign = side[kind] * (-1 if kind in ("clavicle", "pelvis") and name.startswith("right_") else 1)
        a, b = BODY_INDEX[parent], BODY_INDEX[child]
        across = np.linalg.norm(joints_px[:, b] - joints_px[:, a], axis=-1) / scale
        missing = np.sqrt(np.maximum(bone_length_m(name) ** 2 - across**2, 0.0))
        depth[:, b] = depth[:, a] + sign * missing
    for i, joint in enumerate(_HEAD_JOINTS):
        depth[:, BODY_INDEX[joint]] = head_depth[:, i]
    return place_in_metres(joints_px, depth, scale), scale


def lift_hands(hands_px: np.ndarray, px_per_m: np.ndarray) -> np.ndarray:
    """Hands relative to their wrist in metres, float32 [T, 2, 21, 3], as if flat in the picture plane (z = 0)."""
    flat = (hands_px - hands_px[:, :, :1]) / px_per_m[:, None, None, None]
    out = np.concatenate([flat, np.zeros_like(flat[..., :1])], -1)
    out[~np.isfinite(out).all(-1)] = np.nan
    return out.astype(np.float32)


def _facing(joints_px: np.ndarray) -> np.ndarray:
    """+1 where the front is towards the camera (the person's left side is on the image right), -1 from behind. [T]"""
    votes = np.zeros(len(joints_px))
    for left, right in (("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")):
        votes += np.nan_to_num(joints_px[:, BODY_INDEX[left], 0] - joints_px[:, BODY_INDEX[right], 0])
    return np.where(votes < 0, -1.0, 1.0)


def _head_depth(joints_px: np.ndarray, scale: np.ndarray, facing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Depth of nose, eyes and ears against the neck [T, 5], and to which side the face turns (+1 image right) [T].

    The rotation is the orthographic fit of the head template: two rows of it from four or more points, the third is
    their cross product. With fewer points the head is taken to face as the body does.
    """
    template = np.array(list(HEAD_POINTS_M.values()))
    points = joints_px[:, [BODY_INDEX[name] for name in _HEAD_JOINTS]]
    ahead = template[:, 2] - np.mean(template[:, 2])
    depth = facing[:, None] * ahead
    turn = np.ones(len(points))
    for t in range(len(points)):
        seen = np.isfinite(points[t]).all(-1)
        if seen.sum() >= 4:
            known = template[seen] - template[seen].mean(0)
            rows = np.linalg.lstsq(known, points[t, seen] - points[t, seen].mean(0), rcond=None)[0].T
            u, _, vt = np.linalg.svd(rows, full_matrices=False)
            rows = u @ vt
            third = np.cross(rows[0], rows[1])
            depth[t] = (template - template.mean(0)) @ third
            turn[t] = 1.0 if -rows[0, 2] >= 0 else -1.0
        elif seen.any() and np.isfinite(joints_px[t, BODY_INDEX["neck"], 0]) and seen[0]:
            turn[t] = 1.0 if points[t, 0, 0] >= joints_px[t, BODY_INDEX["neck"], 0] else -1.0
    return np.where(np.isfinite(scale)[:, None], depth, np.nan), turn


def _quantile(values: np.ndarray, share: float) -> np.ndarray:
    """Quantile along the last axis, NaN left out; NaN where nothing is left."""
    out = np.full(values.shape[:-1], np.nan)
    some = np.isfinite(values).any(-1)
    if some.any():
        out[some] = np.nanquantile(values[some], share, axis=-1)
    return out
