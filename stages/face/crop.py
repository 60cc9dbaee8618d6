"""Stable square face crops: where they lie, and the pixels in them.

Source: our choice. The crop is the same as in training on rendered people: an upright square around the middle of the
face, half its side 1.15 head radii (the radius of the head sphere, half of chin to crown). Rotation of the head in the
picture stays visible, because the encoder was trained so; `upright=True` takes it out.
"""

from __future__ import annotations

import numpy as np

from stages.core.headpose import kabsch

CROP_PX = 224
HALF_SIDE_RADII = 1.15
# Middle of the crop in the head frame (x = the person's left, y down, z out of the back of the head), in head radii.
FACE_MIDDLE_RADII = (0.0, 0.15, -0.4)
MAX_SHRINK = 8  # a crop's pixel is the mean of at most 8x8 pixels of the picture

# Points of a face that neither mouth nor brows move, in the head frame, in radii of the head sphere. Measured by us:
# the face mesh was run on rendered people of known head pose (as for stages/head/template.py): the renders' own scale.
_RIGID_RADII: dict[str, tuple[float, float, float]] = {
    "nose_bridge": (0.0, -0.098, -0.793),
    "nose_root": (0.0, -0.04, -0.789),
    "nose_tip": (0.0, 0.323, -0.966),
    "lower_nose_tip": (0.0, 0.271, -0.98),
    "nose_base": (0.0, 0.373, -0.843),
    "upper_lip": (0.0, 0.409, -0.833),
    "forehead": (0.0, -0.445, -0.75),
    "middle_of_forehead": (0.0, -0.309, -0.783),
    "right_eye_outer": (-0.386, -0.027, -0.605),
    "left_eye_outer": (0.386, -0.027, -0.605),
    "right_eye_corner": (-0.438, -0.011, -0.568),
    "left_eye_corner": (0.438, -0.011, -0.568),
    "right_eye_inner": (-0.146, -0.02, -0.665),
    "left_eye_inner": (0.146, -0.02, -0.665),
    "right_cheek": (-0.286, 0.194, -0.697),
    "left_cheek": (0.286, 0.194, -0.697),
    "right_ear_front": (-0.61, 0.106, -0.147),
    "left_ear_front": (0.61, 0.106, -0.147),
    "right_temple": (-0.605, -0.142, -0.269),
    "left_temple": (0.605, -0.142, -0.269),
}
_LAYOUT_POINTS: dict[str, dict[str, int]] = {
    "mediapipe478": {
        "nose_bridge": 8, "nose_tip": 1, "upper_lip": 164, "forehead": 10, "middle_of_forehead": 151,
        "right_eye_corner": 226, "left_eye_corner": 446, "right_eye_inner": 190, "left_eye_inner": 414,
        "right_cheek": 101, "left_cheek": 330, "right_ear_front": 234, "left_ear_front": 454,
        "right_temple": 162, "left_temple": 389,
    },
    "ibug68": {
        "nose_root": 27, "lower_nose_tip": 30, "nose_base": 33, "right_eye_outer": 36, "right_eye_inner": 39,
        "left_eye_inner": 42, "left_eye_outer": 45, "right_temple": 0, "right_ear_front": 1, "left_ear_front": 15,
        "left_temple": 16,
    },
}  # fmt: skip
_CENTRE_SIGMA_S = 0.05
_SIZE_SIGMA_S = 0.35


def track_crops(
    face_px: np.ndarray, face_valid: np.ndarray, layout: str, fps: float, *, upright: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """One crop per frame, steady in time.

    face_px     float [T, F, 3]   x, y in px and relative depth in px (or NaN / 0 when the backend has none)
    face_valid  bool [T]          frames without a face get no crop: nothing is carried over from other frames
    layout      "mediapipe478", "ibug68" or "none"
    fps         frames a second; smoothing is 0.05 s for the centre and 0.35 s for the size, without delay
    upright     also turn the head's roll out of the crop
    returns     crop_affine float32 [T, 2, 3] from source px to px of the 224x224 crop, NaN where there is no crop;
                valid bool [T]
    """
    frames = len(face_valid)
    valid = np.asarray(face_valid, bool).copy()
    affine = np.full((frames, 2, 3), np.nan, np.float32)
    if layout not in _LAYOUT_POINTS or not valid.any():
        return affine, np.zeros(frames, bool)
    center_px, radius_px, roll_rad = fit_head(face_px, layout)
    valid &= np.isfinite(center_px).all(1) & np.isfinite(radius_px) & (np.nan_to_num(radius_px) > 1.0)
    for run in _runs(valid, center_px, radius_px):
        center = _smooth(center_px[run], _CENTRE_SIGMA_S * fps)
        radius = np.exp(_smooth(np.log(_median3(radius_px[run])), _SIZE_SIGMA_S * fps))
        roll = np.zeros(len(radius))
        if upright:
            roll = _smooth(np.unwrap(roll_rad[run]), _CENTRE_SIGMA_S * fps)
        affine[run] = crop_affine(center, radius * HALF_SIDE_RADII, roll)
    return affine, valid


def fit_head(face_px: np.ndarray, layout: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each frame's face puts the crop, frame by frame (not smoothed).

    face_px  float [T, F, 3]; layout as in `track_crops`
    returns  center_px float64 [T, 2] (the middle of the face), radius_px float64 [T] (of the head sphere), roll_rad
             float64 [T] (clockwise lean of the head in the picture); NaN where fewer than 4 rigid points are there
    """
    points = _LAYOUT_POINTS[layout]
    template = np.array([_RIGID_RADII[name] for name in points])
    seen = np.asarray(face_px, np.float64)[:, list(points.values())]
    few = np.isfinite(seen[..., :2]).all(-1).sum(1) < 4
    depth = seen[..., 2]
    flat = ~np.isfinite(depth).all(1) | (np.ptp(np.nan_to_num(depth), axis=1) < 1e-6)
    rotation, scale, shift, _ = kabsch(template, np.where(flat[:, None, None], np.nan, seen))
    for frame in np.flatnonzero(flat & ~few):
        rotation[frame], scale[frame], shift[frame] = _fit_flat(template, seen[frame, :, :2])
    center = shift + scale[:, None] * (rotation @ np.array(FACE_MIDDLE_RADII))
    roll = np.arctan2(-rotation[:, 0, 1], rotation[:, 1, 1])
    for values in (center, scale, roll):
        values[few] = np.nan
    return center[:, :2], scale, roll


def _fit_flat(template: np.ndarray, seen_px: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Scaled orthographic pose from 2D points alone: (R [3, 3], scale, shift [3]).

    The depth that fits the current rotation replaces the missing one, and the rigid fit is made again (Gold 1998).
    """
    depth = template[:, 2] * np.ptp(seen_px[:, 0]) / np.ptp(template[:, 0])
    rotation, scale, shift = np.eye(3), 1.0, np.zeros(3)
    for _ in range(12):
        fit = kabsch(template, np.c_[seen_px, depth][None])
        rotation, scale, shift = fit[0][0], fit[1][0], fit[2][0]
        depth = scale * template @ rotation[2]
    return rotation, float(scale), shift


def crop_affine(center_px: np.ndarray, half_side_px: np.ndarray, roll_rad: np.ndarray | float = 0.0) -> np.ndarray:
    """The map from source px to crop px, float32 [T, 2, 3] (or [2, 3] for one centre).

    center_px     float [T, 2] or [2]    lands in the middle of the crop, (111.5, 111.5)
    half_side_px  float [T] or scalar    half of the square's side in the source
    roll_rad      float [T] or scalar    clockwise lean taken out
    """
    center = np.asarray(center_px, np.float64)
    scale = CROP_PX / (2.0 * np.asarray(half_side_px, np.float64))
    cos, sin = np.cos(roll_rad) * scale, np.sin(roll_rad) * scale
    linear = np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], -2)
    linear = np.broadcast_to(linear, (*center.shape[:-1], 2, 2))
    shift = (CROP_PX - 1) / 2 - np.einsum("...ij,...j->...i", linear, center)
    return np.concatenate([linear, shift[..., None]], -1).astype(np.float32)


def warp_crop(image_u8: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """The crop, uint8 [224, 224, 3]; black where there is no crop (NaN).

    image_u8  uint8 [H, W, 3]
    affine    float [2, 3] of `track_crops`
    Beyond the picture's border its last pixels go on, as a plain ground would. When the crop shrinks the picture, each
    pixel is the mean of the area it covers, so nothing flickers.
    """
    import cv2

    affine = np.asarray(affine, np.float64)
    if not np.isfinite(affine).all():
        return np.zeros((CROP_PX, CROP_PX, 3), np.uint8)
    scale = float(np.hypot(affine[0, 0], affine[1, 0]))
    fine = int(np.clip(np.ceil(1.0 / max(scale, 1e-6) - 1e-3), 1, MAX_SHRINK))
    larger = affine * fine
    larger[:, 2] += (fine - 1) / 2  # pixel centres: c -> (c + 0.5) * fine - 0.5
    side = CROP_PX * fine
    crop = cv2.warpAffine(image_u8, larger, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return crop if fine == 1 else cv2.resize(crop, (CROP_PX, CROP_PX), interpolation=cv2.INTER_AREA)


def _runs(valid: np.ndarray, center_px: np.ndarray, radius_px: np.ndarray) -> list[slice]:
    """Stretches of valid frames without a jump (a cut to another face): over a head radius a frame, or 1.5 in size."""
    runs, start = [], None
    for frame in range(len(valid) + 1):
        here = frame < len(valid) and valid[frame]
        jump = False
        if here and start is not None:
            moved = np.linalg.norm(center_px[frame] - center_px[frame - 1])
            ratio = radius_px[frame] / radius_px[frame - 1]
            jump = moved > radius_px[frame - 1] or not 1 / 1.5 < ratio < 1.5
        if start is not None and (not here or jump):
            runs.append(slice(start, frame))
            start = None
        if here and start is None:
            start = frame
    return runs


def _median3(values: np.ndarray) -> np.ndarray:
    """Median of each value and its two neighbours; the ends see themselves twice."""
    padded = np.concatenate([values[:1], values, values[-1:]])
    return np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)


def _smooth(values: np.ndarray, sigma_frames: float) -> np.ndarray:
    """A line fitted around each frame with Gaussian weights: no delay, and no pull towards the middle at the ends."""
    count = len(values)
    if count < 3 or sigma_frames <= 0:
        return values
    reach = min(max(1, int(np.ceil(3 * sigma_frames))), count - 1)
    offset = np.arange(-reach, reach + 1)
    weight = np.exp(-0.5 * (offset / sigma_frames) ** 2)

    def total(column: np.ndarray, power: int) -> np.ndarray:
        """Sum over the neighbours k frames away of weight * k^power * column."""
        return np.convolve(column, (weight * offset**power)[::-1])[reach:-reach]

    s0, s1, s2 = (total(np.ones(count), power) for power in range(3))
    spread = s0 * s2 - s1**2
    columns = values.reshape(count, -1).T
    smooth = np.stack([(s2 * total(column, 0) - s1 * total(column, 1)) / spread for column in columns], -1)
    return smooth.reshape(values.shape)
