"""Which pixels beside a forearm or hand are its own, though its capsule is too narrow for them, and which are not,
though a hand's capsule is wide enough.

A sleeve or forearm that is a little wider than its capsule, or beside it, leaves its rim on the shirt behind it: a
ghost of the arm once the arm moves away. A hand takes along what lies between its fingers and beside them, like a
mitten. Where colours are clearly the arm's and not the cloth's they are the arm's, and the other way round.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

from stages.body.parts import FOREARMS, HANDS, UPPER_ARMS, fingers_of
from stages.body.piece import Part
from stages.core.pictures import lab

_BESIDE = 1.5  # radii of forearm or hand within which its rim is looked for
_SHOULDER = 1.3  # radii of an upper arm within which cloth stays cloth: bare shoulders have the arm's own colour
_LIKELIER = 4.0  # times that a colour is found on the arm as often as on the cloth
_LEAST, _SOME = 1e-5, 30  # share of the arm that has such a colour; px of cloth that tell its colours
_BONE, _CUFF, _NEAR = 0.3, 1.2, 6.0  # radii of a hand that are no cloth; of a forearm; of a hand where cloth is asked
_SOME_SKIN = 8  # px of fingers, from which the colours of a hand are known
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


def without_cloth(picture_u8, labels, parts: dict[str, Part], away, inside) -> np.ndarray:
    """The labels int8 [H, W], but with the cloth that hands lie on not theirs; arguments as of `with_rims`."""
    names, colours = sorted(parts), None
    arms = _before_torso(names, parts, away)
    for number in arms.numbers:
        hand, mine = parts[names[number]], labels == number
        if hand.fingers_px is None or not mine.any():
            continue
        colours = _binned(picture_u8) if colours is None else colours
        skin = mine & inside
        skin[skin] = fingers_of(hand, *np.nonzero(skin)[::-1])
        behind = [
            other for other, name in enumerate(names) if name not in _NO_CLOTH and parts[name].depth_m > hand.depth_m
        ]
        if skin.sum() < _SOME_SKIN or not behind:
            continue
        cuff = [other for other, name in enumerate(names) if name in FOREARMS and name[0] == names[number][0]]
        free = mine & ~(skin & (away[number] < _BONE)) & (away[cuff].min(0, initial=np.inf) > _CUFF)
        elsewhere = inside & (arms.away.min(0) > _BESIDE) & (away[number] < _NEAR)
        of_hand, least = _shares(colours, skin), np.full(labels.shape, np.inf)
        given = labels.copy()
        for other in behind:
            told = (labels == other) & elsewhere
            if told.sum() >= _SOME:
                likelier = _shares(colours, told) > _LIKELIER * of_hand + _LEAST
                nearest = free & likelier[colours] & (away[other] < least)
                given[nearest], least[nearest] = other, away[other][nearest]
        labels = np.where(_touching(given != labels, np.isin(labels, behind) | (labels < 0)), given, labels)
    return labels


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
