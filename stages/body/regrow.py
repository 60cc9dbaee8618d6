"""Background that nobody has seen, made of background that was seen: parts of the picture moved over the hole.

For every place of the hole that move of the whole picture is taken which fits best along the rim of the hole nearby, so
that walls, fences, streets and skies go on with their texture; of those that fit, one that brings in what a smooth wall
would not have comes last, so that no pieces of lamps and frames stand about. What differs at the rim is spread smoothly
over the hole. Where no move shows anything that was seen, colours go on smoothly. Source: ours, after the shift maps of
Pritch et al. 2009 and the membranes of Perez et al. 2003.
"""

import cv2
import numpy as np
from scipy.ndimage import find_objects

from stages.body.smooth import fill, spread

_SIDE_PX = 96  # moves are looked for on a picture about so large; the numbers below are its px
_STEP, _ASIDE = 3, 9  # between the moves tried, which go far along one axis and at most so far along the other
_RIM = 3  # width of the rim that is compared
_NEAR, _FAR = 7, 31  # sides of the windows through which a place sees the rim
_FAR_SHARE = 0.02  # what the wide one counts
_PLAIN, _PLAIN_SIDE = 0.2, 5  # what differences to colours that go on smoothly count, and the side of their window
_UNSEEN_RIM = 40.0  # grey levels that a move costs where the rim cannot be seen
_LENGTH = 0.05  # grey levels that a move costs for each px it is long
_MOST = 0.9  # of the picture that may be missing


def regrown(picture_u8, hole):
    """The picture uint8 [H, W, 3] with the pixels of bool [H, W] `hole` made up of others."""
    if not hole.any() or hole.mean() > _MOST:
        return fill(picture_u8, hole)
    height, width = hole.shape
    scale = max(1, round(max(height, width) / _SIDE_PX))
    size = max(1, width // scale), max(1, height // scale)
    smooth = fill(picture_u8, hole)
    small = cv2.resize(smooth, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    small_hole = cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.01
    moves = cv2.resize(_best_moves(small, small_hole), (width, height), interpolation=cv2.INTER_NEAREST)
    return _copied(picture_u8, hole, smooth, np.rint(moves).astype(int) * scale, scale)


def _best_moves(picture, hole):
    """float32 [h, w, 2] (right, down): where pixels of the hole and its rim are taken from; 0, 0 = from nowhere.

    picture  float32 [h, w, 3], smooth in the hole
    """
    moves = np.zeros((*hole.shape, 2), np.float32)
    wide = grown(hole, _RIM)
    rows, columns = (np.flatnonzero(wide.any(axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    rim = (wide & ~hole)[box].astype(np.float32)
    best, own, both = np.full(rim.shape, np.inf, np.float32), picture[box], np.empty((*rim.shape, 2), np.float32)
    around = Surroundings(picture, ~hole)
    for across, down in _tried(*hole.shape):
        there, seen = around.beside(box, across, down)
        if not (seen & hole[box]).any():
            continue
        np.multiply(rim, seen, out=both[..., 1])
        red, green, blue = cv2.split(cv2.absdiff(there, own))
        apart = (red + green + blue) / np.float32(3)
        np.multiply(apart, both[..., 1], out=both[..., 0])
        total = cv2.boxFilter(both, -1, (_NEAR, _NEAR)) + _FAR_SHARE * cv2.boxFilter(both, -1, (_FAR, _FAR))
        weight = 1e-6 + total[..., 1]
        unseen = np.where(weight < 1e-4, _UNSEEN_RIM, 0.0)
        cost = total[..., 0] / weight + unseen + _LENGTH * np.hypot(across, down)
        cost += _PLAIN * cv2.boxFilter(apart, -1, (_PLAIN_SIDE, _PLAIN_SIDE))
        better = seen & (cost < best)
        best[better], moves[box][better] = cost[better], (across, down)
    return moves


def _tried(height: int, width: int) -> list[tuple[int, int]]:
    """The moves (right, down) worth a look: far across or far down, not both."""
    aside = range(-_ASIDE, _ASIDE + 1, _STEP)
    wide = [(across, down) for down in aside for across in range(_STEP - width, width, _STEP) if abs(across) > _STEP]
    high = [(across, down) for across in aside for down in range(_STEP - height, height, _STEP) if abs(down) > _ASIDE]
    return wide + high


def _copied(picture_u8, hole, smooth_u8, moves, scale: int):
    """The picture with its hole copied as moves int [H, W, 2] say, soft where they meet, and made to fit at the rim."""
    total, weight = np.zeros(picture_u8.shape, np.float32), np.zeros(hole.shape, np.float32)
    wide = grown(hole, 2)
    told = moves[wide]
    _, first, number = np.unique(told @ (2 * hole.shape[0] + 1, 1), return_index=True, return_inverse=True)
    labels = np.zeros(hole.shape, int)
    labels[wide] = number + 1
    soft, around = 2 * scale, Surroundings(picture_u8, ~hole)
    for label, (place, (across, down)) in enumerate(zip(find_objects(labels), told[first], strict=True), start=1):
        if across or down:
            box = tuple(slice(max(0, side.start - 2 * soft - 1), side.stop + 2 * soft + 1) for side in place)
            there, seen = around.beside(box, across, down)
            share = cv2.boxFilter((labels[box] == label).astype(np.float32), -1, (2 * soft + 1, 2 * soft + 1)) * seen
            total[box] += share[..., None] * there
            weight[box] += share
    found = weight > 1e-3
    made, rim = smooth_u8.astype(np.float32), wide & ~hole & found
    if rim.any():
        copied = total / np.maximum(weight, 1e-3)[..., None]
        made = np.where(found[..., None], copied + spread(picture_u8 - copied, rim), made)
    return np.where(hole[..., None], np.clip(np.rint(made), 0, 255).astype(np.uint8), picture_u8)


class Surroundings:
    """A picture [H, W, 3] of which bool [H, W] `known` is known, with as much again on all sides, which is not."""

    def __init__(self, picture, known) -> None:
        height, width = self._size = known.shape
        border = height, height, width, width
        self._picture = cv2.copyMakeBorder(picture, *border, cv2.BORDER_REPLICATE)
        self._known = np.pad(known, ((height, height), (width, width)))

    def beside(self, box, across: int, down: int):
        """What lies `across`, `down` beside each pixel of a box (rows, columns), and whether that is known."""
        at = tuple(
            slice(side.start + size + move, min(side.stop, size) + size + move)
            for side, size, move in zip(box, self._size, (down, across), strict=True)
        )
        return self._picture[at], self._known[at]


def grown(mask, px: int):
    """bool [H, W]: a mask and all that lies within so many px of it."""
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * px + 1, 2 * px + 1), np.uint8)) > 0
