"""Cloth that an arm hides, made of cloth that is seen: its colours go on smoothly, its pattern is copied.

The pattern is what a blur takes away. Which moves of the picture lay the pattern onto itself is told by its correlation
with itself; of those, that one is taken at every hidden place which fits best along the rim nearby. Copying colours as
well would bring in the shade of another place, and smearing them alone leaves a blot in a striped shirt. Source: ours,
after the offsets of He and Sun 2012.
"""

import cv2
import numpy as np
from scipy import fft

from stages.body.regrow import Surroundings, grown
from stages.body.smooth import gone_on

# In distances of the shoulder joints:
_INSET = 0.04  # the arm colours so much of the cloth beside it
_SHADE = 0.07  # width of the blur that tells shade from pattern
_SOFT = 0.03  # the same of the shade that has gone on
_NEAR, _FAR = 0.28, 0.4  # sides of the windows through which a place sees the rim
_CELL, _ASIDE = 0.08, 0.16  # of the cells of moves of which the best is tried; they go far in one direction at most
_LEAST = 0.05  # of a move's length: shorter ones are no pattern
_RIM = 0.05  # width of the rim that is compared
_FAR_SHARE = 0.02  # what the far window counts
_OF_COLOUR = 0.3  # what a difference in colour counts beside one in pattern
_UNSEEN_RIM = 40.0  # grey levels that a move costs where the rim cannot be seen
_LENGTH = 4.0  # grey levels that a move costs for each distance of the shoulder joints it is long
_OVERLAP, _SERVES = 0.05, 4  # share of the cloth that a move must compare; px of the hole that it must fill
_UNIT_PX = 96  # moves are looked for on a picture in which the shoulder joints are at most so far apart
_SOME_PX = 50  # of cloth, from which its pattern is known


def cloth_gone_on(picture_u8, layer_u8, own, hole, unit_px: float) -> np.ndarray:
    """The layer uint8 [H, W, 3] of a torso with bool [H, W] `hole`, and what hides it colours of `own`, made up of the
    rest of `own`.

    picture_u8  uint8 [H, W, 3];  own  bool [H, W] the cloth is seen there;  unit_px  distance of the shoulder joints
    Elsewhere the layer is as it was, also where too little cloth is seen to know its pattern.
    """
    inset = max(1, round(_INSET * unit_px))
    known = own & ~grown(~own, inset)
    if known.sum() < _SOME_PX or not hole.any():
        return layer_u8
    wanted = (hole & ~own) | (own & ~known & grown(hole & ~own, inset + 1))
    rows, columns = (np.flatnonzero((wanted | known).any(axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    picture, known_box, wanted_box = picture_u8[box].astype(np.float32), known[box], wanted[box]
    shade = _blurred(picture, known_box, _SHADE * unit_px)
    pattern = np.where(known_box[..., None], picture - shade, 0.0).astype(np.float32)
    smooth = gone_on(np.clip(np.rint(shade), 0, 255).astype(np.uint8), known_box).astype(np.float32)
    smooth = cv2.GaussianBlur(smooth, (0, 0), max(0.5, _SOFT * unit_px))
    made = smooth + _copied(pattern, known_box, wanted_box, _moves(picture, pattern, known_box, wanted_box, unit_px))
    result = layer_u8.copy()
    result[box][wanted_box] = np.clip(np.rint(made[wanted_box]), 0, 255)
    return result


def _moves(picture, pattern, known, wanted, unit_px: float) -> np.ndarray:
    """int [h, w, 2] (right, down): where the pattern of each wanted pixel is taken from; 0, 0 = from nowhere."""
    height, width = known.shape
    scale = max(1, round(unit_px / _UNIT_PX))
    size, unit = (max(1, width // scale), max(1, height // scale)), unit_px / scale
    if scale > 1:
        picture, pattern = (cv2.resize(of, size, interpolation=cv2.INTER_AREA) for of in (picture, pattern))
        share_known, share_wanted = (
            cv2.resize(of.astype(np.float32), size, interpolation=cv2.INTER_AREA) for of in (known, wanted)
        )
        known, wanted = share_known > 0.99, share_wanted > 0.01
    rim = (grown(wanted, max(1, round(_RIM * unit))) & known).astype(np.float32)
    near, far = ((2 * round(0.5 * side * unit) + 1,) * 2 for side in (_NEAR, _FAR))
    best, moves = np.full(known.shape, np.inf, np.float32), np.zeros((*known.shape, 2), np.float32)
    both, all_of_it = np.empty((*known.shape, 2), np.float32), (slice(0, size[1]), slice(0, size[0]))
    colours, patterns = Surroundings(picture, known), Surroundings(pattern, known)
    for across, down in _tried(picture, known, wanted, unit):
        there, seen = patterns.beside(all_of_it, across, down)
        colour, _ = colours.beside(all_of_it, across, down)
        np.multiply(rim, seen, out=both[..., 1])
        apart = _mean(cv2.absdiff(there, pattern)) + _OF_COLOUR * _mean(cv2.absdiff(colour, picture))
        np.multiply(apart, both[..., 1], out=both[..., 0])
        total = cv2.boxFilter(both, -1, near) + _FAR_SHARE * cv2.boxFilter(both, -1, far)
        unseen = np.where(total[..., 1] < 1e-4, _UNSEEN_RIM, 0.0)
        cost = total[..., 0] / (1e-6 + total[..., 1]) + unseen + _LENGTH * np.hypot(across, down) / unit
        better = seen & wanted & (cost < best)
        best[better], moves[better] = cost[better], (across, down)
    moves = moves if scale == 1 else cv2.resize(moves, (width, height), interpolation=cv2.INTER_NEAREST)
    return scale * np.rint(moves).astype(int)


def _tried(picture, known, wanted, unit: float) -> list[tuple[int, int]]:
    """Moves (right, down) px: of each cell of moves that which lays what is known onto itself best."""
    if not known.any():  # threads of cloth, gone on the smaller picture
        return []
    height, width = known.shape
    shape = fft.next_fast_len(2 * height, real=True), fft.next_fast_len(2 * width, real=True)
    mask = known.astype(np.float32)
    on_mask, on_wanted = fft.rfft2(mask, shape), fft.rfft2(wanted.astype(np.float32), shape)
    centred = (picture - picture[known].mean(0)) * mask[..., None]
    square = fft.rfft2(np.square(centred).sum(-1), shape)
    apart = np.conj(square) * on_mask + np.conj(on_mask) * square
    for channel in np.moveaxis(centred, -1, 0):
        apart = apart - 2.0 * np.square(np.abs(fft.rfft2(channel, shape)))
    apart, count, serves = (
        fft.irfft2(of, shape) for of in (apart, np.square(np.abs(on_mask)), np.conj(on_wanted) * on_mask)
    )
    good = (count > _OVERLAP * mask.sum()) & (serves > _SERVES)
    cost = np.where(good, apart / np.maximum(count, 1.0), np.inf)
    down, right = (np.fft.fftfreq(side, 1.0 / side) for side in shape)
    cost[np.hypot(down[:, None], right) < _LEAST * unit] = np.inf
    side = max(2, round(_CELL * unit))
    found = []
    for low in range(-height, height, side):
        for left in range(-width, width, side):
            if min(abs(low + side / 2), abs(left + side / 2)) > _ASIDE * unit:
                continue
            cell = cost[np.ix_(np.arange(low, low + side) % shape[0], np.arange(left, left + side) % shape[1])]
            row, column = divmod(int(np.argmin(cell)), side)
            if np.isfinite(cell[row, column]):
                found.append((left + column, low + row))
    return found


def _copied(pattern, known, wanted, moves) -> np.ndarray:
    """float32 [h, w, 3]: the pattern at wanted pixels as the moves int [h, w, 2] say, soft where they meet."""
    total, weight = np.zeros(pattern.shape, np.float32), np.full(known.shape, 1e-3, np.float32)
    told, number = np.unique(moves[wanted], axis=0, return_inverse=True)
    labels = np.full(known.shape, -1)
    labels[wanted] = number.ravel()
    patterns, all_of_it = Surroundings(pattern, known), tuple(slice(0, side) for side in known.shape)
    for label, (across, down) in enumerate(told):
        if across or down:
            there, seen = patterns.beside(all_of_it, across, down)
            share = cv2.boxFilter((labels == label).astype(np.float32), -1, (3, 3)) * seen
            total += share[..., None] * there
            weight += share
    return total / weight[..., None]


def _blurred(picture, known, width_px: float) -> np.ndarray:
    """A blur of what is known of a picture float32 [h, w, 3]."""
    mask = known.astype(np.float32)
    colour, weight = (cv2.GaussianBlur(of, (0, 0), max(0.5, width_px)) for of in (picture * mask[..., None], mask))
    return colour / np.maximum(weight, 1e-4)[..., None]


def _mean(picture) -> np.ndarray:
    return cv2.transform(picture, np.full((1, 3), 1 / 3, np.float32))
