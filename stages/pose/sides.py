"""Left and right exchanged by the body network: a person seen from the front taken for one seen from behind."""

from __future__ import annotations

import numpy as np

from stages.core.skeleton import BODY_INDEX, BODY_JOINTS
from stages.pose.cleaning import person_segments
from stages.pose.mediapipe.face import OUTER_EYE_IMAGE_LEFT, OUTER_EYE_IMAGE_RIGHT
from stages.pose.track import PoseTrack

_OTHER = np.array(
    [
        BODY_INDEX[name.replace("left", "#").replace("right", "left").replace("#", "right")]
        for name in BODY_JOINTS
    ]
)  # fmt: skip
_LEFT, _RIGHT = BODY_INDEX["left_shoulder"], BODY_INDEX["right_shoulder"]
_CORNERS = np.array([_LEFT, _RIGHT, BODY_INDEX["left_hip"], BODY_INDEX["right_hip"]])
# Our choices. The torso's corners move with 3.4 m/s in a pirouette of three turns a second: that is free, 0.15 m more
# between two frames cost one. An exchanged frame costs little, a second of them 1.2, so that what the network says
# stands unless a jump or the face speaks against it; a face speaks with at most 0.5 a frame.
_FREE_M_S, _JUMP_M = 3.4, 0.15
_EXCHANGED_PER_S = 1.2
_FACE_COST = 0.5
_TURN_FREE_DEG, _TURN_MOST_DEG = 90.0, 130.0  # of the face against the shoulders: none, and the whole cost
_LINKED_S = 0.25


def mend_sides(track: PoseTrack) -> PoseTrack:
    """The track with left and right of body and hands exchanged back, and depth mirrored, where they were exchanged.

    Seen without perspective, a person from the front and the mirrored one from behind cover the same pixels. The body
    network mistakes one for the other, above all when hair hides the face, for single frames or for seconds.
    source: our choice. Two states per frame (as measured, exchanged), the cheapest path through all frames by dynamic
    programming: joints in metres should not jump between frames, the shoulders should not be turned from a face that is
    seen by more than a neck can, and as measured is cheaper than exchanged.
    """
    usable = track.joint_valid[:, [_LEFT, _RIGHT]].all(1) & np.isfinite(track.joints_m[:, [_LEFT, _RIGHT]]).all((1, 2))
    frames = np.flatnonzero(usable)
    if not len(frames):
        return track
    single = _single_costs(track, frames)
    steps = _step_costs(track, frames)
    exchanged = np.zeros(len(track), bool)
    exchanged[frames] = _cheapest(single, steps)
    # a frame that shows no shoulders goes with the one before it
    known = np.maximum.accumulate(np.where(usable, np.arange(len(track)), -1))
    exchanged = np.where(known >= 0, exchanged[np.maximum(known, 0)], False)
    return _exchange(track, exchanged) if exchanged.any() else track


def _exchange(track: PoseTrack, rows: np.ndarray) -> PoseTrack:
    """The track with both sides swapped and the body's depth mirrored in some frames."""
    arrays = {}
    for name in ("joints_px", "joints_m", "joint_score", "joint_valid"):
        arrays[name] = getattr(track, name).copy()
        arrays[name][rows] = arrays[name][rows][:, _OTHER]
    arrays["joints_m"][rows, :, 2] *= -1
    for name in ("hands_px", "hands_m", "hand_score", "hand_valid"):
        arrays[name] = getattr(track, name).copy()
        arrays[name][rows] = arrays[name][rows][:, ::-1]
    return track.with_arrays(**arrays)


def _single_costs(track: PoseTrack, frames: np.ndarray) -> np.ndarray:
    """Cost of each state in each frame, float64 [N, 2]."""
    across = (track.joints_m[frames, _LEFT] - track.joints_m[frames, _RIGHT]).astype(np.float64)
    body_deg = np.degrees(np.arctan2(across[:, 2], across[:, 0]))
    cost = np.zeros((len(frames), 2))
    cost[:, 1] = _EXCHANGED_PER_S / max(track.fps, 1e-6)
    if track.face_layout != "mediapipe478":
        return cost
    eyes = (track.face_px[frames, OUTER_EYE_IMAGE_RIGHT] - track.face_px[frames, OUTER_EYE_IMAGE_LEFT]).astype(float)
    face_deg = np.degrees(np.arctan2(eyes[:, 2], eyes[:, 0]))
    weight = np.where(track.face_valid[frames], _FACE_COST * track.face_score[frames], 0.0)
    for state, turn_deg in enumerate((body_deg, 180.0 - body_deg)):
        apart = np.abs((np.nan_to_num(face_deg) - turn_deg + 180.0) % 360.0 - 180.0)
        share = np.clip((apart - _TURN_FREE_DEG) / (_TURN_MOST_DEG - _TURN_FREE_DEG), 0.0, 1.0)
        cost[:, state] += np.where(weight > 0, weight * share, 0.0)
    return cost


def _step_costs(track: PoseTrack, frames: np.ndarray) -> np.ndarray:
    """Cost of going from each state to each in the next frame, float64 [N - 1, 2, 2]."""
    before, after = frames[:-1], frames[1:]
    points = track.joints_m.astype(np.float64)
    mirrored = points[:, _OTHER] * [1.0, 1.0, -1.0]
    segment = person_segments(track.person_id)
    linked = (after - before <= _LINKED_S * track.fps + 1e-9) & (segment[before] == segment[after])
    # the four corners of the torso: far from the middle, and stiff; seen in both frames and on both sides
    seen = (track.joint_valid & np.isfinite(points).all(-1))[:, _CORNERS].reshape(-1, 2, 2).all(2).repeat(2, axis=1)
    both = seen[before] & seen[after]
    count, free_m = np.maximum(both.sum(1), 1), _FREE_M_S * (after - before) / max(track.fps, 1e-6)

    def moved(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        gap = np.linalg.norm(other[after][:, _CORNERS] - one[before][:, _CORNERS], axis=-1)
        gap = np.where(both, np.maximum(gap - free_m[:, None], 0.0), 0.0).sum(1) / count
        return np.where(linked, gap / _JUMP_M, 0.0)

    same, changed = moved(points, points), moved(points, mirrored)
    return np.stack([np.stack([same, changed], -1), np.stack([changed, same], -1)], 1)


def _cheapest(single: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The state of every frame on the cheapest path (Viterbi 1967), int [N]."""
    total, origin = single[0].copy(), np.zeros((len(single), 2), int)
    for frame in range(1, len(single)):
        ways = total[:, None] + steps[frame - 1]
        origin[frame] = ways.argmin(0)
        total = ways.min(0) + single[frame]
    path = np.empty(len(single), int)
    path[-1] = int(total.argmin())
    for frame in range(len(single) - 1, 0, -1):
        path[frame - 1] = origin[frame, path[frame]]
    return path
