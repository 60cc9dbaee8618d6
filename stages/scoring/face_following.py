"""Whether a face does what another face does: mouth opening and eye closure through a clip, and their correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_FIRST = 17  # of the 68 points of iBUG 300-W; Person.face begins with the brows
_UPPER_LIP, _LOWER_LIP = np.array([61, 62, 63]) - _FIRST, np.array([67, 66, 65]) - _FIRST
_EYES = tuple(np.array(eye) - _FIRST for eye in ((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47)))
LEAST_FRAMES = 8


@dataclass(frozen=True)
class Following:
    """One signal of two faces through a clip.

    correlation  Pearson's, over the frames that show both faces; 0 where the follower shows no face in enough of them
                 or does not move at all; NaN where nothing was asked for
    asked        the leader's signal moves by more than `least`: without that a correlation is one of noise
    """

    correlation: float
    asked: bool


def mouth_opening(face: np.ndarray) -> np.ndarray:
    """float64 [T]: gap between the inner lips, % of the outer eye corners' distance. face  float64 [T, 51, 2]"""
    return 100.0 * (face[:, _LOWER_LIP, 1] - face[:, _UPPER_LIP, 1]).mean(1)


def eye_closure(face: np.ndarray) -> np.ndarray:
    """float64 [T]: 1 = lids on each other, about 0.7 = open; mean of both eyes. face  float64 [T, 51, 2]

    1 - the eye aspect ratio of Soukupova and Cech 2016, the gap of the lids over the width of the eye.
    """
    ratios = []
    for outer, upper1, upper2, inner, lower2, lower1 in _EYES:
        gap = (face[:, [lower1, lower2], 1] - face[:, [upper1, upper2], 1]).mean(1)
        ratios.append(gap / np.linalg.norm(face[:, inner] - face[:, outer], axis=-1))
    return 1.0 - np.mean(ratios, axis=0)


def following(follower: np.ndarray, leader: np.ndarray, least: float) -> Following:
    """How a signal [T] follows another [T]; NaN = face not found in that frame.

    least  the leader's spread from the 5th to the 95th percentile of its frames that asks for something
    """
    known = np.isfinite(leader)
    if known.sum() < LEAST_FRAMES or np.ptp(np.percentile(leader[known], [5, 95])) < least:
        return Following(float("nan"), False)
    both = known & np.isfinite(follower)
    if both.sum() < LEAST_FRAMES:
        return Following(0.0, True)
    own, other = follower[both] - follower[both].mean(), leader[both] - leader[both].mean()
    size = np.sqrt((own**2).sum() * (other**2).sum())
    return Following(float((own * other).sum() / size) if size > 1e-9 else 0.0, True)
