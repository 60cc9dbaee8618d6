"""Which pixels beside a forearm or hand are its own, though its capsule is too narrow for them.

A sleeve or forearm that is a little wider than its capsule, or beside it, leaves its rim on the shirt behind it: a
ghost of the arm once the arm moves away. Where what lies around is clearly of the arm's colours and not of the cloth's,
it is the arm's.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

from stages.body.parts import FOREARMS, HANDS, UPPER_ARMS
from stages.body.piece import Part
from stages.core.pictures import lab

_BESIDE = 1.5  # radii of forearm or hand within which its rim is looked for
_SHOULDER = 1.3  # radii of an upper arm within which cloth stays cloth: bare shoulders have the arm's own colour
_LIKELIER = 4.0  # times that a colour is found on the arm as often as on the cloth
_LEAST, _SOME = 1e-5, 30  # share of the arm that has such a colour; px of cloth that tell its colours
_BIN, _BINS = 6.0, (18, 24, 24)  # Lab units of a bin, and how many: L from 0, a and b from -_MOST_AB
_MOST_AB = 60.0
_NO_CLOTH = ("head", "neck", *UPPER_ARMS, *FOREARMS, *HANDS)


@dataclass(frozen=True)
class _Arms:
    """Forearms and hands before the torso: their numbers int [A], and the distance of every pixel from each in its
    radii, float [A, H, W]."""

    numbers: np.ndarray
    away: np.ndarray


def with_rims(picture_u8, labels, parts: dict[str, Part], away, inside) -> np.ndarray:
    """The labels int8 [H, W], but with the rims of forearms and hands that lie on cloth theirs.

    picture_u8  uint8 [H, W, 3];  labels  int8 [H, W], numbers of the sorted names of the parts, -1 = none
    away        float [parts, H, W] distance from each in its radii;  inside  bool [H, W], the person's colour alone
    """
    names = sorted(parts)
    arms = _before_torso(names, parts, away)
    if not len(arms.numbers):
        return labels
    upper = [names.index(name) for name in UPPER_ARMS if name in parts]
    near = (arms.away.min(0) < _BESIDE) & (away[upper].min(0, initial=np.inf) > _SHOULDER)
    of_arms = np.isin(labels, arms.numbers)
    surely = of_arms & inside & (arms.away.min(0) < 1.0)
    if not surely.any():
        return labels
    colours = _binned(picture_u8)
    arm, rims = _shares(colours, surely), np.zeros(labels.shape, bool)
    for number in np.unique(labels[near & (labels >= 0)]):
        of_cloth = labels == number
        told = of_cloth & inside & ~near
        if names[number] not in _NO_CLOTH and told.sum() >= _SOME:
            likelier = arm > _LIKELIER * _shares(colours, told) + _LEAST
            rims |= of_cloth & near & likelier[colours]
    rims &= _touching(rims, of_arms)
    return np.where(rims, arms.numbers[arms.away.argmin(0)], labels).astype(labels.dtype)


def _before_torso(names: list[str], parts: dict[str, Part], away) -> _Arms:
    before = [
        name for name in (*FOREARMS, *HANDS)
        if name in parts and "torso" in parts and parts[name].depth_m < parts["torso"].depth_m
    ]  # fmt: skip
    numbers = np.array([names.index(name) for name in before], int)
    return _Arms(numbers, away[numbers])


def _binned(picture_u8) -> tuple[np.ndarray, ...]:
    """The bin of every pixel's colour: three int [H, W]."""
    bins = np.rint((lab(picture_u8) + (0.0, _MOST_AB, _MOST_AB)) / _BIN).astype(int)
    return tuple(np.clip(bins[..., axis], 0, most - 1) for axis, most in enumerate(_BINS))


def _shares(colours: tuple[np.ndarray, ...], where) -> np.ndarray:
    """Share float [18, 24, 24] of the pixels bool [H, W] that has each colour, a little blurred."""
    count = np.zeros(_BINS)
    np.add.at(count, tuple(bins[where] for bins in colours), 1.0)
    return gaussian_filter(count / max(where.sum(), 1), 1.0)


def _touching(some, others) -> np.ndarray:
    """Which pixels of bool [H, W] `some` hang together with `others`."""
    _, pieces = cv2.connectedComponents((some | others).astype(np.uint8), connectivity=8)
    return some & np.isin(pieces, np.unique(pieces[others]))
