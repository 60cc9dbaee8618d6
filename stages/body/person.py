"""A person in front of a camera: joints, hands and head of every frame in metres, ready to be moved and drawn."""

from dataclasses import dataclass

import numpy as np

from stages.body.lengths import BoneLengths, lift_joints, measure_bones
from stages.core.skeleton import BODY_INDEX

_GAP_S = 0.25  # a joint unseen for no longer than this is drawn where the track filled it in
_GUESS_SCORE = 0.5  # a joint guessed outside the picture is drawn when its score reaches this
_SHOULDER_SCORE = 0.1  # a seen head has shoulders: they are believed sooner
_STEADY_S = 0.5  # scores are averaged over this time before guesses are judged, so that lines do not flicker
_BETWEEN = tuple(
    (f"{side}_{upper}", f"{side}_{middle}", f"{side}_{lower}")
    for side in ("left", "right")
    for upper, middle, lower in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
)
_HEAD_DEPTH_JOINTS = ("left_ear", "right_ear", "left_eye", "right_eye", "nose")


@dataclass(frozen=True)
class Person:
    """One person through T frames. NaN = not measured.

    points_m        float64 [T, 25, 3]   joints in the camera frame; they project onto the joints seen
    drawn           bool [T, 25]         may be drawn
    seen            bool [T, 25]         measured inside the picture, not guessed outside of it or behind something
    score           float64 [T, 25]      0 where not drawn
    hands_px        float64 [T, 2, 21, 2]
    hands_drawn     bool [T, 2]
    head_m          float64 [T, 3]       middle of the head sphere in the camera frame
    head_radius_px  float64 [T]
    R_cam_head      float64 [T, 3, 3]
    K_px            float64 [3, 3]
    fps             float
    """

    points_m: np.ndarray
    drawn: np.ndarray
    seen: np.ndarray
    score: np.ndarray
    hands_px: np.ndarray
    hands_drawn: np.ndarray
    head_m: np.ndarray
    head_radius_px: np.ndarray
    R_cam_head: np.ndarray
    K_px: np.ndarray
    fps: float

    def __len__(self):
        return len(self.points_m)

    def frame(self, index):
        """Return the Person of one frame."""
        names = ("points_m", "drawn", "seen", "score", "hands_px", "hands_drawn", "head_m", "head_radius_px",
                 "R_cam_head")  # fmt: skip
        arrays = {name: getattr(self, name)[index : index + 1] for name in names}
        return Person(**arrays, K_px=self.K_px, fps=self.fps)

    def bones(self) -> BoneLengths:
        """Return the bone lengths of the clip, from the joints that may be drawn."""
        return measure_bones(self.points_m, self.score)

    def head_radius_m(self):
        """Return the head's radius in the scale of the body (at the depth of the head), a median; NaN if never seen."""
        radius = self.head_radius_px * self.head_m[:, 2] / np.sqrt(self.K_px[0, 0] * self.K_px[1, 1])
        return float(np.median(radius[np.isfinite(radius)])) if np.isfinite(radius).any() else np.nan


def make_person(pose, K_px, fps, head):
    """Return the Person of a pose layer.

    pose  mapping of the arrays of the `pose` layer
    head  mapping R_cam_head [T, 3, 3], center_px [T, 2], radius_px [T], radius_m float (see stages.head.track)
    """
    K_px = np.asarray(K_px, np.float64)
    present = np.asarray(pose["present"], bool)
    joints_px = np.where(present[:, None, None], pose["joints_px"], np.nan)
    focal = np.sqrt(K_px[0, 0] * K_px[1, 1])
    own_depth = focal * head["radius_m"] / np.asarray(head["radius_px"], np.float64)
    points_m = lift_joints(joints_px, pose["joints_m"], _pelvis_m(pose, own_depth), K_px)
    hands_px = np.asarray(pose["hands_px"], np.float64)
    hand_there = np.isfinite(hands_px).all((2, 3)) & present[:, None]
    hand_seen = np.asarray(pose["hand_valid"], bool) & hand_there
    hands_drawn = hand_seen | (short_gaps(hand_seen, fps) & hand_there)
    drawn = drawable(joints_px, pose["joint_valid"], pose["joint_score"], hands_drawn, fps)
    drawn &= np.isfinite(points_m).all(-1)
    depth = points_m[:, BODY_INDEX["neck"], 2]
    for name in reversed(_HEAD_DEPTH_JOINTS):  # the first of the table has the last word
        depth = np.where(np.isfinite(points_m[:, BODY_INDEX[name], 2]), points_m[:, BODY_INDEX[name], 2], depth)
    both_ears = points_m[:, [BODY_INDEX["left_ear"], BODY_INDEX["right_ear"]], 2].mean(1)
    depth = np.where(np.isfinite(both_ears), both_ears, depth)
    depth = np.where(np.isfinite(depth), depth, own_depth)
    across = (np.asarray(head["center_px"], np.float64) - K_px[:2, 2]) / [K_px[0, 0], K_px[1, 1]]
    return Person(
        points_m,
        drawn,
        drawn & np.asarray(pose["joint_valid"], bool),
        np.where(drawn, np.nan_to_num(pose["joint_score"]), 0.0),
        hands_px,
        hands_drawn,
        np.concatenate([across * depth[:, None], depth[:, None]], axis=-1),
        np.asarray(head["radius_px"], np.float64),
        np.asarray(head["R_cam_head"], np.float64),
        K_px,
        float(fps),
    )


def drawable(joints_px, joint_valid, joint_score, hands_drawn, fps):
    """Return which joints may be drawn, bool [T, 25]: seen, filled over a short gap, or surely there all the same.

    A backend marks joints outside the picture and hidden ones as not valid. They belong to the pose: drawn are guesses
    of a good score, shoulders of a fair one, the wrist of a seen hand, and what lies between two drawn ends of a limb.
    """
    seen = np.asarray(joint_valid, bool)
    finite = np.isfinite(joints_px).all(-1)
    score = _steady(np.nan_to_num(joint_score), finite, fps)
    drawn = seen | short_gaps(seen, fps) | (score >= _GUESS_SCORE)
    for name in ("left_shoulder", "right_shoulder", "neck"):
        drawn[:, BODY_INDEX[name]] |= score[:, BODY_INDEX[name]] >= _SHOULDER_SCORE
    for hand, name in enumerate(("left_wrist", "right_wrist")):
        drawn[:, BODY_INDEX[name]] |= hands_drawn[:, hand]
    drawn &= finite
    for upper, middle, lower in _BETWEEN:
        drawn[:, BODY_INDEX[middle]] |= drawn[:, BODY_INDEX[upper]] & drawn[:, BODY_INDEX[lower]]
    return drawn & finite


def _steady(score, finite, fps):
    """Scores [T, J] averaged over half a second, over the frames in which the joint has a place."""
    reach = max(0, round(0.5 * _STEADY_S * fps))
    frames = np.arange(len(score))
    first, last = np.maximum(frames - reach, 0), np.minimum(frames + reach + 1, len(score))
    total, count = (
        np.concatenate([np.zeros((1, score.shape[1])), np.cumsum(values, axis=0)])
        for values in (np.where(finite, score, 0.0), finite.astype(float))
    )
    return (total[last] - total[first]) / np.maximum(count[last] - count[first], 1.0)


def _pelvis_m(pose, head_depth_m):
    """The pelvis in the camera frame; where the body alone could not be placed, as deep as the head's size says."""
    pelvis = np.array(pose["transl_m"], np.float64)
    head = np.asarray(pose["joints_m"], np.float64)[:, [BODY_INDEX[name] for name in _HEAD_DEPTH_JOINTS], 2]
    count = np.isfinite(head).sum(1)
    head_z = np.where(count > 0, np.nansum(head, axis=1) / np.maximum(count, 1), np.nan)
    pelvis[:, 2] = np.where(np.isfinite(pelvis[:, 2]), pelvis[:, 2], head_depth_m - head_z)
    return pelvis


def short_gaps(seen, fps):
    """Return the entries of bool [T, N] that lie in a gap of at most 0.25 s between two seen ones."""
    frames = np.arange(len(seen))[:, None]
    last = np.maximum.accumulate(np.where(seen, frames, -1), axis=0)
    following = np.where(seen, frames, len(seen))
    following = np.minimum.accumulate(following[::-1], axis=0)[::-1]
    return ~seen & (last >= 0) & (following < len(seen)) & (following - last - 1 <= _GAP_S * fps)
