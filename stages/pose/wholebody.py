"""The 133 points of COCO-WholeBody as our joints, hands and face: shared by the network backend and the imports."""

from __future__ import annotations

import numpy as np

from stages.core.skeleton import BODY_INDEX

COUNT = 133
BODY = slice(0, 23)
FACE = slice(23, 91)
HANDS = (slice(91, 112), slice(112, 133))  # the person's left first
LEAST_SCORE = 0.3


def fill_arrays(arrays: dict[str, np.ndarray], t: int, points_px: np.ndarray, score: np.ndarray, size) -> None:
    """Writes one person of one frame into the arrays of a track (see `empty_arrays`, face layout ibug68).

    points_px  float [133, 2]  NaN or score 0 = not measured;  score float [133], cut to 0..1;  size (H, W)
    A joint is valid from a score of 0.3 on inside the picture; a hand or a face when the mean score of its points is
    0.3 or more. Source: our choice; 0.3 is what COCO-WholeBody drawings commonly use.
    """
    points_px = np.asarray(points_px, np.float64)
    score = np.clip(np.nan_to_num(np.asarray(score, np.float64)), 0.0, 1.0)
    score = np.where(np.isfinite(points_px).all(-1), score, 0.0)
    points_px = np.where(score[:, None] > 0, points_px, np.nan)
    arrays["joints_px"][t, BODY] = points_px[BODY]
    arrays["joint_score"][t, BODY] = score[BODY]
    add_middles(arrays["joints_px"][t], arrays["joint_score"][t])
    joints_px, joint_score = arrays["joints_px"][t], arrays["joint_score"][t]
    with np.errstate(invalid="ignore"):
        inside = ((joints_px >= -0.5) & (joints_px <= np.array([size[1], size[0]]) - 0.5)).all(-1)
    arrays["joint_valid"][t] = inside & (joint_score >= LEAST_SCORE)
    for hand, part in enumerate(HANDS):
        arrays["hands_px"][t, hand] = points_px[part]
        arrays["hand_score"][t, hand] = score[part].mean()
    arrays["hand_valid"][t] = arrays["hand_score"][t] >= LEAST_SCORE
    arrays["face_px"][t, :, :2] = points_px[FACE]
    arrays["face_score"][t] = score[FACE].mean()
    arrays["face_valid"][t] = arrays["face_score"][t] >= LEAST_SCORE


def add_middles(joints: np.ndarray, joint_score: np.ndarray) -> None:
    """Sets neck and pelvis to the middle of shoulders and hips; the score is the lower of the two. In place.

    joints  float [25, D];  joint_score float [25]
    """
    for middle, left, right in (("neck", "left_shoulder", "right_shoulder"), ("pelvis", "left_hip", "right_hip")):
        a, b = BODY_INDEX[left], BODY_INDEX[right]
        joints[BODY_INDEX[middle]] = (joints[a] + joints[b]) / 2
        joint_score[BODY_INDEX[middle]] = min(joint_score[a], joint_score[b])


def box_of(points_px: np.ndarray, score: np.ndarray, margin: float = 0.1) -> np.ndarray:
    """Box x0 y0 x1 y1 around the measured points (score 0.3 or more), wider by a share of its size; NaN without any."""
    seen = (np.nan_to_num(score) >= LEAST_SCORE) & np.isfinite(points_px).all(-1)
    if not seen.any():
        return np.full(4, np.nan)
    low, high = points_px[seen].min(0), points_px[seen].max(0)
    pad = margin * (high - low).max()
    return np.concatenate([low - pad, high + pad])
