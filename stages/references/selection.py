"""Which frames become references: the paper's rule (yaw maximum, minimum, median), then what the others do not show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.body.person import Person
from stages.core.skeleton import BODY_INDEX

MEDIAN, MOST, LEAST, COVERAGE, HALF = (
    "yaw median", "yaw maximum", "yaw minimum", "pose and scale coverage", "half-body crop",
)  # fmt: skip
_NEAR_DEG = 1.5  # frames whose yaw is this near the extreme stand in for it when they are sharper
YAW_ERROR_DEG = 3.0  # by which a measured yaw may be off: so far beyond a limit a frame may be the nearest to it
_WIDTH_DEG = 8.0  # extremes nearer to the median than this show nothing new
_DUPLICATE = 0.97  # product of two thumbs above which two pictures are one
_BLURRED = 0.55  # of the usual sharpness of frames turned alike
_ALIKE_DEG = 15.0
_UNITS = np.array([25.0, 20.0, 0.6])  # yaw and pitch in degrees, log2 of the head's size: one step of coverage each
_POSTURE = ("left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee",
            "right_knee")  # fmt: skip
_POSTURE_STEP = 1.2  # shoulder widths, over all joints
_LEAST_STEP = 0.7  # a picture nearer than this to one that is taken adds nothing


@dataclass(frozen=True)
class Candidate:
    """One frame that may be picked.

    angles_deg  float [3] yaw, pitch, roll of the head;  radius_px  of the head
    sharp, thumb  as in stages.references.likeness.Look;  posture  float [8, 2], see `posture`
    """

    angles_deg: np.ndarray
    radius_px: float
    sharp: float
    thumb: np.ndarray
    posture: np.ndarray


def posture(person: Person) -> np.ndarray:
    """float [8, 2] joints about the neck in shoulder widths, in the picture; NaN = not drawn."""
    neck = person.points_m[0, BODY_INDEX["neck"]]
    width = np.linalg.norm(
        person.points_m[0, BODY_INDEX["left_shoulder"]] - person.points_m[0, BODY_INDEX["right_shoulder"]]
    )
    index = [BODY_INDEX[name] for name in _POSTURE]
    points = (person.points_m[0, index, :2] - neck[:2]) / max(float(width), 1e-6)
    return np.where(person.drawn[0, index, None], points, np.nan)


def pick(
    candidates: Sequence[Candidate], count: int, taken: Sequence[Candidate] = (), yaw_most: float = 180.0
) -> list[tuple[int, str]]:
    """Numbers of the picked candidates with why each was, at most `count`, the most useful first.

    taken   pictures that are there already: nothing like them is picked, and extremes must go beyond theirs
    yaw_most  degrees: of heads that turn further the extremes are those nearest to it, YAW_ERROR_DEG beyond it at most
    """
    usable = [at for at, one in enumerate(candidates) if np.isfinite(one.angles_deg).all()]
    sharp = {at for at in usable if candidates[at].sharp >= _BLURRED * _usual_sharpness(candidates, usable, at)}
    usable = [at for at in usable if at in sharp]
    if not usable:
        return []
    yaw = {at: float(candidates[at].angles_deg[0]) for at in usable}
    chosen: list[tuple[int, str]] = []
    have = [float(one.angles_deg[0]) for one in taken]
    order = sorted((at for at in usable if abs(yaw[at]) <= yaw_most), key=lambda at: yaw[at])
    if not order:
        return []
    middle = yaw[order[len(order) // 2]]
    if not taken:
        chosen.append((_best_near(candidates, usable, middle), MEDIAN))
        have = [yaw[chosen[0][0]]]
    highest, lowest = min(max(yaw.values()), yaw_most), max(min(yaw.values()), -yaw_most)
    for extreme, why in ((highest, MOST), (lowest, LEAST)):
        beyond = extreme - max(have) if why == MOST else min(have) - extreme
        if len(chosen) < count and beyond >= _WIDTH_DEG:
            at = _best_near(candidates, usable, extreme)
            chosen.append((at, why))
            have.append(yaw[at])
    while len(chosen) < count:
        known = [*taken, *(candidates[at] for at, _ in chosen)]
        left = [at for at in order if not any(_duplicate(candidates[at], other) for other in known)]
        steps = [min((step(candidates[at], other) for other in known), default=np.inf) for at in left]
        if not left or max(steps) < _LEAST_STEP:
            break
        chosen.append((left[int(np.argmax(steps))], COVERAGE))
    return chosen


def step(one: Candidate, other: Candidate) -> float:
    """How different two pictures are, in steps of coverage."""
    apart = np.r_[one.angles_deg[:2] - other.angles_deg[:2], np.log2(one.radius_px / other.radius_px)] / _UNITS
    moved = np.linalg.norm(one.posture - other.posture, axis=-1)
    moved = float(np.nansum(moved)) / _POSTURE_STEP / 2.0
    return float(np.hypot(np.linalg.norm(apart), min(moved, 1.5)))


def _duplicate(one: Candidate, other: Candidate) -> bool:
    return float(one.thumb @ other.thumb) > _DUPLICATE


def _best_near(candidates, usable, yaw_deg: float) -> int:
    """The sharpest of the frames near a yaw; larger heads count as sharper."""
    near = [at for at in usable if abs(candidates[at].angles_deg[0] - yaw_deg) <= _NEAR_DEG]
    near = near or [min(usable, key=lambda at: abs(candidates[at].angles_deg[0] - yaw_deg))]
    return max(near, key=lambda at: candidates[at].sharp * candidates[at].radius_px ** 0.5)


def _usual_sharpness(candidates, usable, at: int) -> float:
    alike = [
        candidates[other].sharp
        for other in usable
        if abs(candidates[other].angles_deg[0] - candidates[at].angles_deg[0]) <= _ALIKE_DEG
    ]
    return float(np.median(alike))
