"""Follows every body through the frames: region tracking, finding again, new people, identities."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from stages.pose.mediapipe.landmarks import BODY_AT, BodyNet, BodyResult
from stages.pose.mediapipe.roi import Picture, Roi
from stages.pose.mediapipe.search import MIN_SEEN_JOINTS, Search, same_person, seen_joints, torso_size
from stages.pose.persons import colour_look

STAY_FLAG = 0.5
BESIDE_FLAG = 0.9  # of a new person beside one who is followed: second guesses at one body reached 0.86
_RETURN_LOOK = 0.5  # cosine of the colours for a lost person found again near the old place
_LOOK_MEMORY = 0.9
_SAME_LOOK = 0.8  # cosine of two colour descriptions above which a returning body may be an old acquaintance
_SAME_SIZE = 3.0  # and no more than this larger or smaller: the picture of a person on an end card is not that person


@dataclass
class Follower:
    """One person being followed.

    number   identity, from 0 in order of appearance
    roi      where to look in the next frame
    look     colour description of the clothes, slowly updated
    missing  frames since the last sight
    """

    number: int
    roi: Roi
    look: np.ndarray
    last: BodyResult
    missing: int = 0


@dataclass
class BodyTracker:
    """Bodies with identities, frame by frame; one object a video.

    people       most people followed at once
    retry        frames for which a lost body is looked for around its place
    rescan       frames between looks for new people while somebody is followed
    deep_rescan  frames between tile searches while nobody is there
    """

    body: BodyNet
    search: Search
    people: int
    retry: int
    rescan: int
    deep_rescan: int
    _active: list[Follower] = field(default_factory=list)
    _gone: list[Follower] = field(default_factory=list)
    _next: int = 0
    _frame: int = -1
    _empty: int = 0

    def update(self, picture: Picture) -> dict[int, BodyResult]:
        """The bodies seen in the next frame by identity."""
        self._frame += 1
        seen: dict[int, BodyResult] = {}
        for follower in sorted(self._active, key=lambda f: (f.missing, f.number)):
            body = self._follow(picture, follower)
            if body is None:
                follower.missing += 1
            elif any(same_person(body, other) for other in seen.values()):
                follower.missing = self.retry + 1  # two followers of one person: the one who was lost gives way
            else:
                self._note(picture, follower, body)
                seen[follower.number] = body
        self._gone += [f for f in self._active if f.missing > self.retry]
        self._active = [f for f in self._active if f.missing <= self.retry]
        self._look_for_new(picture, seen)
        self._empty = 0 if seen else self._empty + 1
        return seen

    def _follow(self, picture: Picture, follower: Follower) -> BodyResult | None:
        if not follower.missing:
            body = self.body(picture, follower.roi)
            if body.flag >= STAY_FLAG and seen_joints(body, picture.size).sum() >= MIN_SEEN_JOINTS:
                return body
        # A lost person comes back by the detector only: in its old region the body network's flag reached 0.91 on a
        # dark end card.
        found = self.search.near(picture, follower.roi)
        if found is None or not _like_in_size(found, follower.last):
            return None
        return found if _cosine(colour_look(picture.frame_u8, torso_box(found)), follower.look) > _RETURN_LOOK else None

    def _note(self, picture: Picture, follower: Follower, body: BodyResult) -> None:
        if self._frame % 5 == 0:
            now = colour_look(picture.frame_u8, torso_box(body))
            follower.look = _LOOK_MEMORY * follower.look + (1 - _LOOK_MEMORY) * now
        follower.roi, follower.last, follower.missing = body.next_roi, body, 0

    def _look_for_new(self, picture: Picture, seen: dict[int, BodyResult]) -> None:
        """Depth and frequency: the first frame thoroughly, then often while nobody is there, seldom otherwise."""
        if len(seen) >= self.people:
            return
        if seen:
            if self.people == 1 or self._frame % self.rescan:
                return
            depth = 1
        else:
            depth = 2 if self._empty % self.deep_rescan == 0 else 0
        for body in self.search.find(picture, list(seen.values()), depth=depth, limit=self.people - len(seen)):
            if seen and body.flag < BESIDE_FLAG:
                continue
            follower = self._recognised(picture, body, seen)
            seen[follower.number] = body

    def _recognised(self, picture: Picture, body: BodyResult, seen: dict[int, BodyResult]) -> Follower:
        """The follower of a body that came up: one who was lost and looks alike, or a new one."""
        look = colour_look(picture.frame_u8, torso_box(body))
        lost = [f for f in [*self._active, *self._gone] if f.number not in seen]
        lost = [f for f in lost if _like_in_size(body, f.last)]
        lost = [f for f in lost if _cosine(look, f.look) > _SAME_LOOK]
        alike = [(_cosine(look, f.look) - _distance(body, f.last), f) for f in lost]
        if alike:
            follower = max(alike, key=lambda pair: (pair[0], -pair[1].number))[1]
            self._gone = [f for f in self._gone if f is not follower]
            if not any(f is follower for f in self._active):
                self._active.append(follower)
            self._note(picture, follower, body)
            return follower
        follower = Follower(self._next, body.next_roi, look, body)
        self._active.append(follower)
        self._next += 1
        return follower


def torso_box(body: BodyResult) -> np.ndarray:
    """x0 y0 x1 y1 around shoulders and hips, px."""
    names = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
    points = body.points_px[[BODY_AT[name] for name in names]]
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def _like_in_size(body: BodyResult, other: BodyResult) -> bool:
    return 1 / _SAME_SIZE < torso_size(body) / torso_size(other) < _SAME_SIZE


def _distance(body: BodyResult, other: BodyResult) -> float:
    """Between the torsos in torso sizes, at most 5, times 0.1: position decides between people who look alike."""
    size = max(torso_size(body), torso_size(other))
    gap = np.linalg.norm(torso_box(body).reshape(2, 2).mean(0) - torso_box(other).reshape(2, 2).mean(0))
    return 0.1 * min(float(gap) / size, 5.0)


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / norm if norm else 0.0
