"""The driver's camera: how the picture around the person moves, read from what stands still behind the people.

A skeleton in camera axes moves with the camera as well as with the person, so the reference's background has to go
along, or feet slide over it. Between two pictures of one place the move is taken for a similarity (shift, turn, zoom),
which is what a pan, a shake, a roll and a zoom do; a camera that travels past near things is followed as far as that
goes.
Source: our own choice of signal, the paper has none; direct alignment by Gauss-Newton after Lucas and Kanade 1981 (the
similarity is a case of Baker and Matthews 2004), with weights that ignore what moves otherwise.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from stages.body.matte import figure_matte

_SIDE_PX = 128  # pictures are looked at no larger than this
_LEVELS = ((2, 3.0), (1, 1.2))  # every so many px, after a blur of so many: coarse to fine
_ROUNDS = 12
_SOMEBODY = 0.3  # of the matte, from which a pixel is not background
_AROUND_PX = 7  # that far around people is not background either
_LEAST_PX = 200  # of background seen in both pictures
_LEAST_SEEN = 0.35  # share of a frame's background that the other picture must show
_ZOOM, _FAR = 1.6, 0.47  # the most a picture may be zoomed, and its middle moved, in sides of the picture
_BETTER = 0.9  # what is left of the difference, at most, where a move is believed
_LEAST_GAIN = 0.5  # grey levels by which moving lessens the difference, else the camera is taken to stand still
_AGREE_PX = 1.5  # a frame laid on the anchor and the one before it agree so far
_STRANGE = 12.0  # grey levels between a frame and the one before it, laid on it: another scene, or a flash
_MOST_DIFFERENCE = 25.0  # grey levels that a pixel counts at most
_SURELY_INSIDE = 0.98

STILL = np.eye(2, 3)
_UNKNOWN = np.full((2, 3), np.nan)


@dataclass(frozen=True)
class View:
    """A picture ready to be laid on others.

    pictures  float32 [h, w, 4] for each of _LEVELS: grey, its slopes across and down, 1 where nobody is
    ground    for each: y, x float32 [n] of the pixels where nobody is, and their grey [n]
    shrunk    how much smaller than the picture they are;  middle float64 [2] x, y
    """

    pictures: tuple[np.ndarray, ...]
    ground: tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]
    shrunk: float
    middle: np.ndarray


def view_of(picture_u8: np.ndarray) -> View:
    """The View of a picture uint8 [H, W, 3]. errors  WeightsError: the matte's network is not to be had"""
    shrunk = max(1.0, max(picture_u8.shape[:2]) / _SIDE_PX)
    size = tuple(max(8, round(side / shrunk)) for side in picture_u8.shape[1::-1])
    small = picture_u8 if shrunk == 1.0 else cv2.resize(picture_u8, size, interpolation=cv2.INTER_AREA)
    people = (figure_matte(np.ascontiguousarray(small)) > _SOMEBODY).astype(np.uint8)
    ground = cv2.dilate(people, np.ones((_AROUND_PX, _AROUND_PX), np.uint8)) == 0
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    y, x = np.mgrid[: grey.shape[0], : grey.shape[1]].astype(np.float32)
    pictures, pixels = [], []
    for every, blur in _LEVELS:
        blurred = cv2.GaussianBlur(grey, (0, 0), blur)
        slopes = [cv2.Scharr(blurred, cv2.CV_32F, *order) / 32.0 for order in ((1, 0), (0, 1))]
        pictures.append(np.dstack([blurred, *slopes, ground.astype(np.float32)]))
        chosen = ground[::every, ::every]
        pixels.append(tuple(part[::every, ::every][chosen] for part in (y, x, blurred)))
    return View(tuple(pictures), tuple(pixels), shrunk, 0.5 * (np.array(grey.shape[::-1]) - 1.0))


def camera_moves(views: Iterable[View], anchor: View) -> np.ndarray:
    """Where the background of each frame lies in the anchor: float64 [T, 2, 3], px of the frame to px of the anchor.

    views   of the frames of a film, one after the other
    anchor  of a picture of the same size: a frame of the film, or another picture of its place
    Every frame is laid on the anchor and on the frame before it. Where the two disagree, the way from frame to frame is
    believed, counted from where they agree best. All are STILL where the camera does not move, or where too little of
    a common place is seen to tell.
    """
    laid, steps, gains, before = [], [], [], None
    for view in views:
        steps.append(_UNKNOWN if before is None else _believed_step(view, before))
        expected = after_step(laid[-1], steps[-1]) if np.isfinite(steps[-1]).all() else (laid or [STILL])[-1]
        unmoved = _difference(view, anchor, STILL)
        found = [STILL, expected, align(view, anchor, expected), align(view, anchor, STILL)]
        left = [np.inf if move is None else _difference(view, anchor, move) for move in found]
        best = int(np.argmin(left))
        laid.append(found[best])
        gains.append(unmoved - left[best] if left[best] < _BETTER * unmoved < np.inf else 0.0)
        before = view
    if not laid or np.mean(gains) < _LEAST_GAIN:
        return np.tile(STILL, (len(laid), 1, 1))
    moves = _agreed(np.stack(laid), np.stack(steps), np.array(gains), anchor.middle)
    moves[:, :, 2] *= anchor.shrunk
    moves[:, :, 2] += 0.5 * (anchor.shrunk - 1.0) * (1.0 - moves[:, :, :2].sum(2))  # pixel centres at whole numbers
    return moves


def _believed_step(view: View, before: View) -> np.ndarray:
    """The move to the frame before, NaN where the two show too little of the same."""
    step = align(view, before, STILL)
    return _UNKNOWN if step is None or _difference(view, before, step) > _STRANGE else step


def align(view: View, anchor: View, start: np.ndarray) -> np.ndarray | None:
    """The similarity float64 [2, 3] from px of one View to px of the other; None where it cannot be told.

    start  float [2, 3] where to begin
    """
    move = np.array(start, np.float64)
    for (y, x, wanted), there in zip(view.ground, anchor.pictures, strict=True):
        if not len(x):
            return None
        for _ in range(_ROUNDS):
            step = _step(wanted, there, x, y, move, view.middle)
            if step is None:
                return None
            turn = np.array([[step[2], -step[3]], [step[3], step[2]]])
            move[:, :2] += turn
            move[:, 2] += step[:2] - turn @ view.middle
            if np.abs(step[:2]).max() < 0.01 and np.abs(step[2:]).max() < 2e-4:
                break
    zoom = float(np.hypot(*move[:, 0]))
    off = np.linalg.norm(move[:, :2] @ view.middle + move[:, 2] - view.middle) / (2.0 * view.middle.max() + 1.0)
    return move if 1.0 / _ZOOM < zoom < _ZOOM and off < _FAR else None


def _step(wanted, there, x, y, move, middle) -> np.ndarray | None:
    """One Gauss-Newton step: shift x, y (px) at the middle, zoom and turn; None where too little is seen in both."""
    shown = _sampled(there, x, y, move)
    both = shown[:, 3] > _SURELY_INSIDE
    if both.sum() < _LEAST_PX / 4:
        return None
    off = (wanted - shown[:, 0])[both]
    off -= np.median(off)
    spread = max(1.4826 * float(np.median(np.abs(off))), 1.0)
    weight = 1.0 / np.square(1.0 + np.square(off / (2.0 * spread)))
    across, down, x, y = shown[both, 1], shown[both, 2], x[both] - middle[0], y[both] - middle[1]
    slopes = np.stack([across, down, across * x + down * y, down * x - across * y, np.ones_like(x)], 1)
    slopes = slopes.astype(np.float64)
    weighted = slopes * weight[:, None]
    normal = weighted.T @ slopes
    firm = np.diag(normal)
    normal += 1e-3 * np.diag([firm[:2].mean() + 1.0] * 2 + [firm[2:4].mean() + 1.0] * 2 + [0.001])
    return np.linalg.solve(normal, weighted.T @ off)[:4]


def _sampled(picture, x, y, move) -> np.ndarray:
    """The picture float32 [H, W, C] where pixels (x, y) float [n] move to, zeros beyond its border: [n, C]."""
    flat = ((np.float32(row[0]) * x + np.float32(row[1]) * y + np.float32(row[2]))[:, None] for row in move)
    return cv2.remap(picture, *flat, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)[:, 0]


def _difference(view: View, anchor: View, move: np.ndarray) -> float:
    """Mean difference of the background seen in both, grey levels; infinite where that is too little."""
    y, x, here = view.ground[-1]
    if not len(here):
        return np.inf
    shown = _sampled(anchor.pictures[-1], x, y, move)
    both = shown[:, 3] > _SURELY_INSIDE
    if both.sum() < max(_LEAST_PX, _LEAST_SEEN * len(x)):
        return np.inf
    off = (here - shown[:, 0])[both]
    return float(np.minimum(np.abs(off - np.median(off)), _MOST_DIFFERENCE).mean())


def _agreed(laid: np.ndarray, steps: np.ndarray, gains: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Moves [T, 2, 3] of frames laid on the anchor one by one, and steps [T, 2, 3] to the frame before each; gains [T]
    say how much better than unmoved they lie there. Where a step is not known, a frame stands for itself."""
    pairs = zip(laid[1:], laid[:-1], steps[1:], strict=True)
    jumps = [not _apart(move, after_step(last, step), middle) <= _AGREE_PX for move, last, step in pairs]
    run = np.cumsum([0, *jumps])
    best = np.nonzero(run == np.argmax(np.bincount(run, weights=gains)))[0]
    moves = laid.copy()
    ways = [(frame, frame - 1, steps[frame]) for frame in range(best[-1] + 1, len(laid))]
    ways += [(frame, frame + 1, inverse(steps[frame + 1])) for frame in range(best[0] - 1, -1, -1)]
    for frame, known, step in ways:
        expected = after_step(moves[known], step)
        if not np.isfinite(expected).all():
            moves[frame] = laid[frame] if gains[frame] > 0 else moves[known]
        elif _apart(laid[frame], expected, middle) > _AGREE_PX:
            moves[frame] = expected
    return moves


def _apart(one, other, middle) -> float:
    """How far two moves bring a point of the picture apart, px: the mean of two opposite corners."""
    change = np.asarray(one) - other
    return float(np.mean([np.hypot(*(change[:, :2] @ at + change[:, 2])) for at in (np.zeros(2), 2.0 * middle)]))


def after_step(move: np.ndarray, step: np.ndarray) -> np.ndarray:
    """The move [2, 3] of what is first moved by `step`, then by `move`."""
    return np.hstack([move[:, :2] @ step[:, :2], (move[:, :2] @ step[:, 2] + move[:, 2])[:, None]])


def inverse(move: np.ndarray) -> np.ndarray:
    """The move [2, 3] back."""
    return cv2.invertAffineTransform(np.asarray(move, np.float64))


def on_canvas(moves: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """The moves [T, 2, 3] of a film in px of the canvas that `affine` [2, 3] brings its pictures to."""
    back = inverse(affine)
    return np.array([after_step(affine, after_step(move, back)) for move in moves]).reshape(-1, 2, 3)
