"""Collects what was seen of every person, frame by frame, and hands out one person as a PoseTrack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from stages.core.skeleton import BODY_INDEX, BODY_JOINTS, HANDS
from stages.pose.mediapipe.face import FaceResult
from stages.pose.mediapipe.landmarks import BODY_AT, BodyResult, HandResult
from stages.pose.mediapipe.search import seen_joints
from stages.pose.persons import Detections, pick_track, select_person
from stages.pose.track import PoseTrack, array_names, empty_arrays

_SHARED = [name for name in BODY_JOINTS if name in BODY_AT]
_TO = np.array([BODY_INDEX[name] for name in _SHARED])
_FROM = np.array([BODY_AT[name] for name in _SHARED])
_MIDDLES = {"neck": ("left_shoulder", "right_shoulder"), "pelvis": ("left_hip", "right_hip")}
_BOX_MARGIN = 0.05


@dataclass(frozen=True)
class Sight:
    """One person in one frame; body is None when only the face was found."""

    body: BodyResult | None
    face: FaceResult | None
    hands: Mapping[str, HandResult]


@dataclass
class Recorder:
    """Sights of all people of a video; `aliases` gives numbers that turned out to be the same person."""

    size: tuple[int, int]
    frames: list[dict[int, dict[str, np.ndarray]]] = field(default_factory=list)
    aliases: dict[int, int] = field(default_factory=dict)
    chosen: int = -1
    _count: dict[int, int] = field(default_factory=dict)

    def add(self, sights: Mapping[int, Sight]) -> None:
        """The people of the next frame."""
        self.frames.append({self.aliases.get(n, n): to_arrays(s, self.size) for n, s in sights.items()})
        for number in self.frames[-1]:
            self._count[number] = self._count.get(number, 0) + 1

    def people(self) -> dict[int, int]:
        """How many frames show each person."""
        return dict(sorted(self._count.items()))

    def track(self, person: str, **attributes) -> PoseTrack:
        """The chosen person's PoseTrack of the frames since the last call; they are given away with it.

        person  as in select_person; the first call that has anybody decides;  attributes as in PoseTrack
        """
        ids = [np.array(sorted(frame), np.int32) for frame in self.frames]
        boxes = [
            np.array([frame[n]["box_px"] for n in numbers], np.float32).reshape(-1, 4)
            for frame, numbers in zip(self.frames, ids, strict=True)
        ]
        found = [Detections(b, np.ones(len(b), np.float32)) for b in boxes]
        if self.chosen < 0:
            self.chosen = select_person(found, ids, person, self.size)
        number = self.chosen
        arrays = empty_arrays(len(self.frames))
        for frame, at in enumerate(pick_track(ids, number)):
            if at < 0:
                continue
            one = self.frames[frame][number]
            for name in array_names():
                if name in one:
                    arrays[name][frame] = one[name]
            arrays["present"][frame], arrays["person_id"][frame] = True, number
            self.frames[frame] = {}  # a long video must not be held twice
        self.frames = []
        return PoseTrack(**arrays, face_layout="mediapipe478", size=self.size, **attributes)


def to_arrays(sight: Sight, size: tuple[int, int]) -> dict[str, np.ndarray]:
    """One frame of the PoseTrack arrays; what was not measured is left out."""
    out: dict[str, np.ndarray] = {}
    points = []
    if sight.body is not None:
        out |= body_arrays(sight.body, size)
        points.append(out["joints_px"][out["joint_valid"]])
    if sight.face is not None:
        out["face_px"] = sight.face.points_px
        out["face_score"] = np.float32(sight.face.presence)
        out["face_valid"] = np.bool_(True)
        points.append(sight.face.points_px[:, :2])
    if sight.hands:
        out |= hand_arrays(sight.hands)
        points += [hand.points_px for hand in sight.hands.values()]
    everything = np.concatenate(points)
    low, high = everything.min(axis=0), everything.max(axis=0)
    margin = _BOX_MARGIN * float((high - low).max())
    out["box_px"] = np.concatenate([low - margin, high + margin]).astype(np.float32)
    return out


def body_arrays(body: BodyResult, size: tuple[int, int]) -> dict[str, np.ndarray]:
    """joints_px, joints_m (pelvis = 0), joint_score, joint_valid of one frame. The small toes are not measured."""
    count = len(BODY_JOINTS)
    px, metres = np.full((count, 2), np.nan, np.float32), np.full((count, 3), np.nan, np.float32)
    score, valid = np.zeros(count, np.float32), np.zeros(count, bool)
    px[_TO], metres[_TO] = body.points_px[_FROM], body.world_m[_FROM]
    score[_TO], valid[_TO] = body.visibility[_FROM], seen_joints(body, size)[_FROM]
    for name, pair in _MIDDLES.items():
        at, ends = BODY_INDEX[name], [BODY_INDEX[end] for end in pair]
        px[at], metres[at] = px[ends].mean(axis=0), metres[ends].mean(axis=0)
        score[at], valid[at] = score[ends].min(), valid[ends].all()
    metres -= metres[BODY_INDEX["pelvis"]]
    return {"joints_px": px, "joints_m": metres, "joint_score": score, "joint_valid": valid}


def hand_arrays(hands: Mapping[str, HandResult]) -> dict[str, np.ndarray]:
    """hands_px, hands_m, hand_score, hand_valid of one frame."""
    px, metres = np.full((2, 21, 2), np.nan, np.float32), np.full((2, 21, 3), np.nan, np.float32)
    score, valid = np.zeros(2, np.float32), np.zeros(2, bool)
    for side, hand in hands.items():
        at = HANDS.index(side)
        px[at], metres[at], score[at], valid[at] = hand.points_px, hand.world_m, hand.presence, True
    return {"hands_px": px, "hands_m": metres, "hand_score": score.clip(0, 1), "hand_valid": valid}
