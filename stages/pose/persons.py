"""Who is who: detections of many frames linked into tracks, and the one track that the user asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from stages.core.errors import UsageError

_LONGEST_ABSENCE_S = 1.0
_WORST_COST = 0.95
_SPEED_MEMORY = 0.6
_LOOK_MEMORY = 0.9
_SHORT_TRACK_SHARE = 0.2


@dataclass(frozen=True)
class Detections:
    """The people found in one frame.

    box_px     float [n, 4]      x0 y0 x1 y1
    score      float [n]         0..1
    joints_px  float [n, J, 2] | None   any joint set, the same in all frames; NaN = not seen
    look       float [n, C] | None      any description of the appearance, such as a colour histogram
    """

    box_px: np.ndarray
    score: np.ndarray
    joints_px: np.ndarray | None = None
    look: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.box_px)


@dataclass
class _Walker:
    """A person being followed; state of the tracker."""

    number: int
    box: np.ndarray
    velocity: np.ndarray
    last_frame: int
    joints: np.ndarray | None
    look: np.ndarray | None


@dataclass
class PersonTracker:
    """Numbers people through a video, frame by frame; holds state, one object a video.

    A person keeps the number over an absence of up to one second and over a crossing: positions are predicted with
    constant velocity, joints are compared beside boxes, and the appearance too where the caller describes it.
    Assignment is optimal (Hungarian). Source: our choice, after SORT (Bewley et al. 2016).
    """

    fps: float
    _walkers: list[_Walker] = field(default_factory=list)
    _next: int = 0
    _frame: int = -1

    def update(self, found: Detections) -> np.ndarray:
        """Numbers of the people of the next frame, int32 [n]; numbers count from 0 in order of appearance."""
        self._frame += 1
        longest = max(1.0, _LONGEST_ABSENCE_S * self.fps)
        self._walkers = [w for w in self._walkers if self._frame - w.last_frame <= longest]
        ids = np.full(len(found), -1, np.int32)
        if len(found) and self._walkers:
            cost = np.array([[self._cost(w, found, i) for i in range(len(found))] for w in self._walkers])
            for row, column in zip(*linear_sum_assignment(cost), strict=True):
                if cost[row, column] < _WORST_COST:
                    ids[column] = self._walkers[row].number
                    self._move(self._walkers[row], found, column)
        # the larger people first, so that the numbers of the first frame do not depend on the detector's order
        for i in sorted(np.flatnonzero(ids < 0), key=lambda i: -_area(found.box_px[i])):
            ids[i] = self._next
            joints = None if found.joints_px is None else np.asarray(found.joints_px[i], np.float64)
            look = None if found.look is None else np.asarray(found.look[i], np.float64)
            box = np.asarray(found.box_px[i], np.float64)
            self._walkers.append(_Walker(self._next, box, np.zeros(2), self._frame, joints, look))
            self._next += 1
        return ids

    def _cost(self, walker: _Walker, found: Detections, i: int) -> float:
        """0 = certainly the same person, 1 and more = certainly not."""
        box = np.asarray(found.box_px[i], np.float64)
        ahead = self._frame - walker.last_frame
        shift = walker.velocity * ahead
        guess = walker.box + np.tile(shift, 2)
        size = np.sqrt(max(_area(guess), _area(box), 1e-9))
        # the farther back the last sight, the less is asked of the overlap
        distance = np.linalg.norm(_middle(guess) - _middle(box)) / (size * (1 + 0.1 * (ahead - 1)))
        cost = 0.5 * (1 - box_iou(guess, box)) + 0.5 * min(distance, 2.0)
        if walker.joints is not None and found.joints_px is not None:
            gap = np.linalg.norm(walker.joints + shift - found.joints_px[i], axis=-1)
            if np.isfinite(gap).any():
                cost = 0.5 * cost + 0.5 * min(float(np.nanmedian(gap)) / (0.5 * size), 2.0)
        if walker.look is not None and found.look is not None:
            cost += 0.5 * _unlikeness(walker.look, found.look[i])
        return float(cost)

    def _move(self, walker: _Walker, found: Detections, i: int) -> None:
        box = np.asarray(found.box_px[i], np.float64)
        step = (_middle(box) - _middle(walker.box)) / (self._frame - walker.last_frame)
        walker.velocity = _SPEED_MEMORY * walker.velocity + (1 - _SPEED_MEMORY) * step
        walker.box, walker.last_frame = box, self._frame
        if found.joints_px is not None:
            walker.joints = np.asarray(found.joints_px[i], np.float64)
        if found.look is not None and walker.look is not None:
            walker.look = _LOOK_MEMORY * walker.look + (1 - _LOOK_MEMORY) * found.look[i]


def link(frames: Sequence[Detections], fps: float) -> list[np.ndarray]:
    """Numbers of the people of every frame, one int32 [n] a frame."""
    tracker = PersonTracker(fps)
    return [tracker.update(found) for found in frames]


def select_person(frames: Sequence[Detections], ids: Sequence[np.ndarray], which: str, size: tuple[int, int]) -> int:
    """The number of the person that `which` names; -1 when nobody was found at all.

    which   largest   greatest sum of box areas over the video, so a lasting person beats a large passer-by
            center    mean distance of the box from the middle of the picture least
            left, right   mean middle of the box farthest to that side of the picture
            a number  that person
    size    (H, W)
    People seen in fewer than a fifth of the frames in which the most lasting one is seen count only by number.
    errors  UsageError for another word, or for a number that nobody has
    source: our choice
    """
    boxes: dict[int, list[np.ndarray]] = {}
    for found, numbers in zip(frames, ids, strict=True):
        for box, number in zip(found.box_px, numbers, strict=True):
            boxes.setdefault(int(number), []).append(np.asarray(box, np.float64))
    if which.isdecimal():
        if boxes and int(which) not in boxes:
            raise UsageError(f"--person {which}: found people {sorted(boxes)}, expected one of these numbers")
        return int(which) if boxes else -1
    if which not in ("largest", "center", "left", "right"):
        raise UsageError(f"--person {which}: expected largest, center, left, right or a number")
    if not boxes:
        return -1
    lasting = max(len(seen) for seen in boxes.values())
    people = {n: np.array(seen) for n, seen in boxes.items() if len(seen) >= _SHORT_TRACK_SHARE * lasting}
    centre = np.array([size[1] - 1, size[0] - 1]) / 2
    rank = {
        "largest": lambda b: -float(((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])).sum()),
        "center": lambda b: float(np.linalg.norm((b[:, :2] + b[:, 2:]) / 2 - centre, axis=1).mean()),
        "left": lambda b: float((b[:, 0] + b[:, 2]).mean()),
        "right": lambda b: -float((b[:, 0] + b[:, 2]).mean()),
    }[which]
    return min(people, key=lambda number: (rank(people[number]), number))


def pick_track(ids: Sequence[np.ndarray], number: int) -> np.ndarray:
    """Where the person stands in the detections of every frame: int64 [T], -1 = absent."""
    out = np.full(len(ids), -1, np.int64)
    for frame, numbers in enumerate(ids):
        hit = np.flatnonzero(np.asarray(numbers) == number)
        if number >= 0 and len(hit):
            out[frame] = hit[0]
    return out


def box_iou(box_a: np.ndarray, box_b: np.ndarray) -> float:
    """Intersection over union of two boxes x0 y0 x1 y1; 0 when either is empty."""
    inner = np.minimum(box_a[2:], box_b[2:]) - np.maximum(box_a[:2], box_b[:2])
    shared = float(np.prod(np.maximum(inner, 0)))
    union = _area(box_a) + _area(box_b) - shared
    return shared / union if union > 0 else 0.0


def colour_look(frame_u8: np.ndarray, box_px: np.ndarray) -> np.ndarray:
    """Colour histogram of the middle of a box, float64 [64], sum 1: enough to tell a red shirt from a blue one.

    frame_u8  uint8 [H, W, 3] RGB;  box_px  x0 y0 x1 y1, may reach outside; zeros when nothing of it is inside
    """
    height, width = frame_u8.shape[:2]
    x0, y0, x1, y1 = np.asarray(box_px, np.float64)
    inset_x, inset_y = 0.25 * (x1 - x0), 0.15 * (y1 - y0)
    columns = np.clip(np.round([x0 + inset_x, x1 - inset_x]), 0, width).astype(int)
    rows = np.clip(np.round([y0 + inset_y, y1 - inset_y]), 0, height).astype(int)
    patch = frame_u8[rows[0] : rows[1], columns[0] : columns[1]].reshape(-1, 3)
    if not len(patch):
        return np.zeros(64)
    patch = patch[:: max(1, len(patch) // 4096)] >> 6
    codes = patch[:, 0].astype(int) * 16 + patch[:, 1] * 4 + patch[:, 2]
    return np.bincount(codes, minlength=64) / len(codes)


def _area(box: np.ndarray) -> float:
    return float(max(box[2] - box[0], 0) * max(box[3] - box[1], 0))


def _middle(box: np.ndarray) -> np.ndarray:
    return (box[:2] + box[2:]) / 2


def _unlikeness(look_a: np.ndarray, look_b: np.ndarray) -> float:
    """1 minus the cosine of two descriptions; 0.5 when either says nothing."""
    norm = np.linalg.norm(look_a) * np.linalg.norm(look_b)
    return float(1 - np.dot(look_a, look_b) / norm) if norm > 0 else 0.5
