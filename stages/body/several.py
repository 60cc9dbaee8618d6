"""Several references of one person carried to every pose as one picture: each part from the one that shows it best.

For every frame and part (head, torso, each limb) one reference is chosen: for the head the one seen from the nearest
side, for the torso the one turned most alike, for a limb one that shows it unhidden and as foreshortened. A choice is
kept as long as another is not better for a while (the cheapest path through the clip, where changing has its price),
and handed over within a few frames. What the chosen one does not show (the far side of the head) comes from one that
does. Background is always that of the first reference.
Source: our own; choosing by view and facing is that of view-dependent texture mapping (Debevec et al. 1996).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from stages.body.camera import STILL
from stages.body.parts import parts_of
from stages.body.place import Performance
from stages.body.plate import Plate, moved_by
from stages.body.smooth import fill
from stages.body.source import Source, part_labels, shown_from
from stages.core.carried import DOUBTFUL_FIGURE, HIDDEN_BACKGROUND, SEEN_BACKGROUND
from stages.core.skeleton import BODY_INDEX

_OTHERS = 3.0  # degrees by which another reference must be nearer than the first: the user's photo is the surest
_CHANGE = 20.0  # price of a change, degrees times frames
_HAND_OVER = 2  # frames before and after a change over which two references are mixed
_BLUR = 20.0  # degrees an octave of enlargement counts as
_HIDDEN = 60.0  # degrees for a part that the reference hides wholly
_SHORTER = 60.0  # degrees for each factor e in foreshortening
_NEVER = 1e4
_SPARE, _SPARE_DEG = 0.1, 45.0  # weight of what is not chosen, and the degrees over which it falls to a third
_LEAST_PX, _GENTLE, _MOST_GAIN = 60, 0.8, 0.25  # colours: pixels to compare, share corrected, most of it (log)
_FACING_BOTH = 0.45  # cosine from which a surface's colour says something in both pictures
_GRAZING = (-0.1, 0.35)  # cosine between surface and camera in the reference: from useless to as good as any


@dataclass(frozen=True)
class Choice:
    """Which references are taken, by the name of a part.

    shares  float32 [T, R] of the colours; rows sum to 1
    spares  float32 [T, R] small weights beside them, for what the chosen one does not show: the nearer the better
    """

    shares: dict[str, np.ndarray]
    spares: dict[str, np.ndarray]

    def head(self, frames: int, references: int) -> np.ndarray:
        """float32 [T, R]; the first reference alone where nobody has a head."""
        only_first = np.tile(np.eye(references, dtype=np.float32)[0], (frames, 1))
        return self.shares.get("head", only_first)


class SeveralWarps:
    """References on one canvas, the first of which gives the background.

    stills     one Performance of one frame each, on the canvas;  rotations  R_cam_head float [R, 3, 3]
    mattes     float [H, W] each (stages.body.matte), or None: parts are cut out by their outlines
    head_only  bool [R]: nothing but the head may be taken from it (other clothes); never the first
    """

    def __init__(self, pictures_u8, stills, rotations, mattes=None, head_only: Sequence[bool] = ()) -> None:
        self.warps = [
            Source(*one) for one in zip(pictures_u8, stills, rotations, mattes or [None] * len(stills), strict=True)
        ]
        self.stills, self.rotations = list(stills), np.asarray(rotations, np.float64)
        self.head_only = list(head_only) or [False] * len(self.warps)
        self._shown = [warp.shown_shares() for warp in self.warps]
        self._hidden = cv2.dilate((self.warps[0].cover > 0.1).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        self._plate = Plate(self.warps[0].picture_u8, self._hidden)

    def choose(self, act: Performance, rotations) -> Choice:
        """The Choice for a whole Performance and its R_cam_head [T, 3, 3]."""
        frames, count = len(act.drawn), len(self.warps)
        costs: dict[str, np.ndarray] = {}
        for frame in range(frames):
            for name, part in parts_of(act, frame, rotations[frame]).items():
                table = costs.setdefault(name, np.full((frames, count), np.nan))
                facing = _shoulder_angle(act, frame)
                table[frame] = [self._cost(number, name, part, facing) for number in range(count)]
        costs = {name: table for name, table in costs.items() if (table < _NEVER).any()}
        spares = {
            name: (_SPARE * np.exp(-((np.nan_to_num(table, nan=_NEVER) / _SPARE_DEG) ** 2))).astype(np.float32)
            for name, table in costs.items()
        }
        return Choice({name: _steady_shares(table) for name, table in costs.items()}, spares)

    def _cost(self, number: int, name: str, part, facing: float) -> float:
        """How badly reference `number` shows a part, in degrees of view."""
        here = self.warps[number].parts.get(name)
        if here is None or (self.head_only[number] and name != "head"):
            return _NEVER
        cost = _OTHERS * (number > 0) + _BLUR * max(0.0, float(np.log2(part.reach_px / here.reach_px)))
        if name == "head":
            return cost + _view_angle_deg(part.rotation, here.rotation)
        turned = abs(_wrapped(facing - _shoulder_angle(self.stills[number], 0)))
        turned = 0.0 if np.isnan(turned) else turned
        cost += _HIDDEN * (1.0 - self._shown[number][name])
        if part.kind == "torso":
            return cost + turned
        lengths = [max(np.linalg.norm(p.points["lower"] - p.points["upper"]) / p.reach_px, 0.3) for p in (part, here)]
        return cost + 0.3 * turned + _SHORTER * abs(float(np.log(lengths[0] / lengths[1])))

    def to_pose(
        self, act: Performance, frame: int, rotation, choice: Choice, move=None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the picture uint8 [H, W, 3] at a frame of `act`, and its kinds uint8 [H, W] (stages.core.carried).

        move  float [2, 3] of the background, px of the frame to px of the first reference; None = none
        """
        first = self.warps[0]
        there = {name: part for name, part in parts_of(act, frame, rotation).items() if name in choice.shares}
        if not there:
            return self._nobody(move)
        names = sorted(there)
        labels = part_labels(there, names, first.shape)
        picture, hidden = self._plate.at(move)
        figure, seen = np.zeros(first.shape, bool), ~hidden
        for number, name in enumerate(names):
            here = labels == number
            if not here.any():
                continue
            shares = choice.shares[name][frame], choice.spares[name][frame]
            colour, surely, cover, inside = self._part(there[name], name, here, *shares)
            picture[here] += cover * (colour - picture[here])  # beside the hair stands the first one's background
            shows = cover[:, 0] >= 0.5
            figure[here], seen[here] = shows, np.where(shows, surely, seen[here])
            if name == "head":  # what no reference shows: a guess from the colours around, not from another place
                surface = np.zeros(first.shape, bool)
                surface[here] = inside
                _guess(picture, surface & ~seen, here & figure & seen)
        return np.rint(np.clip(picture, 0, 255)).astype(np.uint8), (2 * figure + seen).astype(np.uint8)

    def _nobody(self, move) -> tuple[np.ndarray, np.ndarray]:
        kinds = np.where(self._hidden, DOUBTFUL_FIGURE, SEEN_BACKGROUND).astype(np.uint8)
        return moved_by(STILL if move is None else move, self.warps[0].picture_u8, kinds, border=HIDDEN_BACKGROUND)

    def _part(self, part, name: str, here, shares, spares) -> tuple[np.ndarray, ...]:
        """Colours float32 [n, 3], whether they were seen bool [n], how far they are the figure's float32 [n, 1], and
        whether there is a head's surface bool [n], of the pixels of one part."""
        inside = np.zeros(int(here.sum()), bool)
        total = np.zeros((int(here.sum()), 1), np.float32)
        colour, seen, rough, cover = (np.zeros((len(total), n), np.float32) for n in (3, 1, 3, 1))
        for number, (warp, share, spare) in enumerate(zip(self.warps, shares, spares, strict=True)):
            if name not in warp.parts or (self.head_only[number] and name != "head"):
                continue
            back = shown_from(warp, part, name, here)
            inside = back.inside
            low, high = _GRAZING
            good = np.clip((back.towards - low) / (high - low), 0.0, 1.0) * np.maximum(back.seen, 0.02 * share)
            good = np.where(back.inside, good * np.clip(2.0 * back.cover - 1.0, 0.0, 1.0), good)  # a face has no holes
            weight = ((float(share) + float(spare)) * good)[:, None].astype(np.float32)
            total += weight
            colour += weight * back.pixels
            seen += weight * back.seen[:, None]
            cover += weight * np.where(back.inside, 1.0, back.cover)[:, None]
            rough += float(share) * back.pixels
        surely = total > 1e-4
        share_of = np.maximum(total, 1e-4)
        mixed = np.where(surely, colour / share_of, rough)
        return mixed, (surely & (seen > 0.5 * total))[:, 0], np.where(surely, cover / share_of, 1.0), inside


def _guess(picture, unknown, known) -> None:
    """Fill bool [H, W] `unknown` smoothly from the `known` pixels alone. Works in place on float32 [H, W, 3]."""
    if not (unknown.any() and known.sum() >= _LEAST_PX):
        return
    rows, columns = np.nonzero(unknown | known)
    window = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
    colours = np.clip(picture[window], 0, 255).astype(np.uint8)
    picture[unknown] = fill(colours, ~known[window])[unknown[window]]


def carry_several(
    warps: SeveralWarps, act: Performance, rotations, choice: Choice, moves=None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (picture uint8 [H, W, 3], kind uint8 [H, W]) of every frame of a Performance.

    moves  float [T, 2, 3] of the background, or None
    """
    for frame in range(len(act.drawn)):
        yield warps.to_pose(act, frame, rotations[frame], choice, None if moves is None else moves[frame])


def _view_angle_deg(one, other) -> float:
    """Between the sides from which two heads are seen, degrees; how far they are tilted in the picture is no matter."""
    return float(np.degrees(np.arccos(np.clip(float(one[2] @ other[2]), -1.0, 1.0))))


def _shoulder_angle(who: Performance, frame: int) -> float:
    """Where the shoulders point, degrees from across the picture; NaN where they are not known."""
    left, right = (BODY_INDEX[f"{side}_shoulder"] for side in ("left", "right"))
    if not (who.drawn[frame, left] and who.drawn[frame, right]):
        return np.nan
    across = who.points_m[frame, left] - who.points_m[frame, right]
    return float(np.degrees(np.arctan2(across[2], across[0])))


def _wrapped(angle_deg: float) -> float:
    return (angle_deg + 180.0) % 360.0 - 180.0


def _steady_shares(cost: np.ndarray) -> np.ndarray:
    """float32 [T, R] of costs [T, R] (NaN rows: the part is not there): the cheapest path, changes made soft."""
    cost = np.nan_to_num(cost, nan=0.0)
    path = _cheapest_path(cost)
    chosen = np.eye(cost.shape[1])[path]
    if len(cost) < 2:
        return chosen.astype(np.float32)
    window = np.bartlett(2 * _HAND_OVER + 3)[1:-1]
    padded = np.pad(chosen, ((_HAND_OVER, _HAND_OVER), (0, 0)), mode="edge")
    soft = np.stack([np.convolve(column, window / window.sum(), mode="valid") for column in padded.T], -1)
    soft *= cost < _NEVER
    total = soft.sum(1, keepdims=True)
    return np.where(total > 0, soft / np.maximum(total, 1e-9), chosen).astype(np.float32)


def _cheapest_path(cost: np.ndarray) -> np.ndarray:
    """int [T]: the reference of every frame, where each change costs _CHANGE (Viterbi)."""
    frames, count = cost.shape
    best, came = cost[0].copy(), np.zeros((frames, count), int)
    for frame in range(1, frames):
        cheapest = int(np.argmin(best))
        change = best[cheapest] + _CHANGE < best
        came[frame] = np.where(change, cheapest, np.arange(count))
        best = np.where(change, best[cheapest] + _CHANGE, best) + cost[frame]
    path = np.zeros(frames, int)
    path[-1] = int(np.argmin(best))
    for frame in range(frames - 1, 0, -1):
        path[frame - 1] = came[frame, path[frame]]
    return path


def like_first(warps: SeveralWarps) -> tuple[np.ndarray, np.ndarray]:
    """How the light of each reference differs from the first's, and its clothes.

    returns  gain float [R, 3] to multiply colours with, 1 where too little is seen in both; clothes float [R], the
             median difference of the torso's colours after that, in Lab units, NaN where too little of it is seen
    Each reference is carried to the first one's pose, so that the same skin and cloth are compared.
    """
    first = warps.warps[0]
    gains, clothes = np.ones((len(warps.warps), 3)), np.full(len(warps.warps), np.nan)
    wanted = first.picture_u8.astype(np.float64)
    labels = first.labels
    for number in range(1, len(warps.warps)):
        carried, both = _shown_alike(warps, number)
        if both.sum() < _LEAST_PX:
            continue
        ratio = np.log((wanted[both] + 8.0) / (carried[both] + 8.0))
        gains[number] = np.exp(np.clip(_GENTLE * np.median(ratio, 0), -_MOST_GAIN, _MOST_GAIN))
        torso = both & (labels == first.number_of("torso"))
        if torso.sum() >= _LEAST_PX:
            matched = np.clip(carried * gains[number], 0, 255).astype(np.uint8)
            away = _lab(first.picture_u8)[torso].mean(0) - _lab(matched)[torso].mean(0)
            clothes[number] = float(np.linalg.norm(away))
    return gains, clothes


def _shown_alike(warps: SeveralWarps, number: int) -> tuple[np.ndarray, np.ndarray]:
    """A reference carried to the first one's pose, float32 [H, W, 3], and bool [H, W] where both show the same surface,
    facing both cameras."""
    first, warp, still = warps.warps[0], warps.warps[number], warps.stills[0]
    carried, both = np.zeros((*first.shape, 3), np.float32), np.zeros(first.shape, bool)
    for name, part in parts_of(still, 0, warps.rotations[0]).items():
        here = first.labels == first.number_of(name)
        if name not in warp.parts or not here.any():
            continue
        theirs = shown_from(warp, part, name, here)
        own = shown_from(first, part, name, here)
        carried[here] = theirs.pixels
        surface = (theirs.inside & own.inside) if part.kind == "head" else True
        facing = np.minimum(theirs.towards, own.towards) >= _FACING_BOTH
        both[here] = theirs.seen & facing & surface & (np.minimum(theirs.cover, own.cover) > 0.9)
    return carried, both


def _lab(picture_u8) -> np.ndarray:
    return cv2.cvtColor(picture_u8.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)
