"""A person in front of a camera: joints, hands and head of every frame in metres, ready to be moved and drawn."""

from dataclasses import dataclass

import numpy as np

from stages.body.lengths import BoneLengths, lift_joints, measure_bones
from stages.core.skeleton import BODY_INDEX

_GAP_S = 0.25  # a joint unseen for no longer than this is drawn where the track filled it in
_GUESS_SCORE = 0.5  # a joint guessed outside the picture is drawn when its score reaches this
_HEAD_DEPTH_JOINTS = ("left_ear", "right_ear", "left_eye", "right_eye", "nose")


@dataclass(frozen=True)
class Person:
    """One person through T frames. NaN = not measured.

    points_m        float64 [T, 25, 3]   joints in the camera frame; they project onto the joints seen
    drawn           bool [T, 25]         may be drawn
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
        names = ("points_m", "drawn", "score", "hands_px", "hands_drawn", "head_m", "head_radius_px", "R_cam_head")
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
    points_m = lift_joints(joints_px, pose["joints_m"], pose["transl_m"], K_px)
    drawn = drawable(joints_px, pose["joint_valid"], pose["joint_score"], fps) & np.isfinite(points_m).all(-1)
    hands_px = np.asarray(pose["hands_px"], np.float64)
    hand_seen = np.asarray(pose["hand_valid"], bool) & np.isfinite(hands_px).all((2, 3))
    hands_drawn = (hand_seen | short_gaps(hand_seen, fps) & np.isfinite(hands_px).all((2, 3))) & present[:, None]
    focal = np.sqrt(K_px[0, 0] * K_px[1, 1])
    own_depth = focal * head["radius_m"] / np.asarray(head["radius_px"], np.float64)
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
        np.where(drawn, np.nan_to_num(pose["joint_score"]), 0.0),
        hands_px,
        hands_drawn,
        np.concatenate([across * depth[:, None], depth[:, None]], axis=-1),
        np.asarray(head["radius_px"], np.float64),
        np.asarray(head["R_cam_head"], np.float64),
        K_px,
        float(fps),
    )


def drawable(joints_px, joint_valid, joint_score, fps):
    """Return which joints may be drawn, bool [T, 25]: seen, filled over a short gap, or surely beside the picture.

    A backend marks joints outside the picture as not valid; the line towards them is part of the pose all the same.
    """
    seen = np.asarray(joint_valid, bool)
    guessed = np.nan_to_num(joint_score) >= _GUESS_SCORE
    return (seen | short_gaps(seen, fps) | guessed) & np.isfinite(joints_px).all(-1)


def short_gaps(seen, fps):
    """Return the entries of bool [T, N] that lie in a gap of at most 0.25 s between two seen ones."""
    frames = np.arange(len(seen))[:, None]
    last = np.maximum.accumulate(np.where(seen, frames, -1), axis=0)
    following = np.where(seen, frames, len(seen))
    following = np.minimum.accumulate(following[::-1], axis=0)[::-1]
    return ~seen & (last >= 0) & (following < len(seen)) & (following - last - 1 <= _GAP_S * fps)
