"""What arms hide of a torso: how far it reaches to its sides behind them.

A sleeve before the waist is the person too, so the person's outline there is the arm's: once the arm moves away, the
torso would keep its ghost. How wide the torso is at heights where its side is seen tells how wide it is between them.
"""

from dataclasses import dataclass

import numpy as np

from stages.body import trunk
from stages.body.parts import FOREARMS, HANDS, UPPER_ARMS
from stages.body.piece import Part

_ARMS = (*UPPER_ARMS, *FOREARMS, *HANDS)
_FIRST, _LAST, _BINS = -0.1, 1.4, 50  # heights on the torso that are told apart, 0 at the shoulders, 1 at the hips
_ARMPIT = 0.15  # height above which sides are not seen: arms begin there
_INWARDS, _OUTWARDS = 0.1, 0.12  # of half the width: an arm so near a side hides it
_AVERAGE = 1.0  # of half the width of the tube, cloth included: where no side is seen


@dataclass(frozen=True)
class BehindArms:
    """The torso of a reference behind arms.

    share   float32 [H, W] 0..1 of the pixel that the torso covers where an arm hides it; 1 elsewhere
    hidden  bool [H, W] an arm hides its cloth there; upper arms only below the armpits, above they are its shoulders
    """

    share: np.ndarray
    hidden: np.ndarray


def behind_arms(parts: dict[str, Part], labels, inside) -> BehindArms:
    """Of a reference with a torso.

    labels  int8 [H, W], numbers of the sorted names of the parts, -1 = none;  inside  bool [H, W] the person is there
    """
    upper, arms, head = (_of(labels, parts, some) for some in (UPPER_ARMS, _ARMS, ("head",)))
    body = (labels >= 0) & ~arms & ~head & inside
    y, x = np.nonzero(arms | body)
    height, beside, half_width = trunk.on_tube(parts["torso"].tube, x, y)
    of_torso = (height > _FIRST) & (height < _LAST)
    y, x, height, beside, half_width = (of[of_torso] for of in (y, x, height, beside, half_width))
    arm = arms[y, x]
    reach = _reach(height, beside, arm)
    covered = np.clip((reach - np.abs(beside)) * half_width + 0.5, 0.0, 1.0)
    share, hidden = np.ones(labels.shape, np.float32), np.zeros(labels.shape, bool)
    share[y[arm], x[arm]] = covered[arm]
    hidden[y, x] = arm & (covered > 0.0) & ((height > _ARMPIT) | ~upper[y, x])
    return BehindArms(share, hidden)


def _of(labels, parts: dict[str, Part], some) -> np.ndarray:
    """bool [H, W]: where labels are of some of the parts."""
    return np.isin(labels, [number for number, name in enumerate(sorted(parts)) if name in some])


def _reach(height, beside, arm) -> np.ndarray:
    """How far the torso reaches beside each of n pixels, in half widths of its tube.

    height, beside  float [n] as of `stages.body.trunk.on_tube`;  arm  bool [n] an arm is seen there, else the body
    """
    bins = ((height - _FIRST) / (_LAST - _FIRST) * _BINS).astype(int)
    heights = _FIRST + (_LAST - _FIRST) / _BINS * np.arange(_BINS)
    reach = np.zeros(len(height))
    for side in (-1.0, 1.0):
        here, away, edge = side * beside >= 0.0, np.abs(beside), np.zeros(_BINS)
        np.maximum.at(edge, bins[here & ~arm], away[here & ~arm])
        hides = here & arm & (away > edge[bins] - _INWARDS) & (away < edge[bins] + _OUTWARDS)
        seen = (edge > 0.0) & (heights > _ARMPIT) & (np.bincount(bins[hides], minlength=_BINS) == 0)
        between = np.interp(heights, heights[seen], edge[seen]) if seen.sum() > 1 else np.full(_BINS, _AVERAGE)
        between = np.where(heights < _ARMPIT, np.maximum(between, _AVERAGE), between)
        reach[here] = np.maximum(between, edge)[bins[here]]
    return reach
