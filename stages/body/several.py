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

import numpy as np

from stages.body.labels import finished, labels_behind, nearer, part_distances, pose_labels
from stages.body.parts import UPPER_ARMS, parts_of
from stages.body.place import Performance
from stages.body.plate import Plate, nobody, with_rim
from stages.body.source import Source
from stages.core.skeleton import BODY_INDEX

_OTHERS = 3.0  # degrees by which another reference must be nearer than the first: the user's photo is the surest
_CHANGE = 20.0  # price of a change, degrees times frames
_HAND_OVER = 2  # frames before and after a change over which two references are mixed
_BLUR = 20.0  # degrees an octave of enlargement counts as
_HIDDEN = 60.0  # degrees for a part that the reference hides wholly
_ONE_COLOUR = 180.0  # degrees for a limb whose colour is a guess
_SHORTER = 60.0  # degrees for each factor e in foreshortening
_NEVER = 1e4
_SPARE, _SPARE_DEG = 0.1, 45.0  # weight of what is not chosen, and the degrees over which it falls to a third
_LEAST = 1e-4  # of the weights of all references together, else none shows it
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


@dataclass(frozen=True)
class Mix:
    """What several references show together at n pixels of a part.

    colour  float [n, 3];  seen  bool [n], one of them shows it;  cover  float [n] 0..1 they are the person's
    skin    bool [n] as of stages.body.piece.Place
    """

    colour: np.ndarray
    seen: np.ndarray
    cover: np.ndarray
    skin: np.ndarray


class SeveralWarps:
    """References on one canvas, the first of which gives the background.

    stills     one Performance of one frame each, on the canvas;  rotations  R_cam_head float [R, 3, 3]
    mattes     float [H, W] each (stages.body.matte), or None: parts are cut out by their outlines
    known      bool [H, W] each, as of `stages.body.source.Source`, or None
    head_only  bool [R]: nothing but the head may be taken from it (other clothes); never the first
    """

    def __init__(self, pictures_u8, stills, rotations, mattes=None, head_only: Sequence[bool] = (), known=None) -> None:
        unsaid = [None] * len(stills)
        each = zip(pictures_u8, stills, rotations, mattes or unsaid, known or unsaid, strict=True)
        self.warps = [Source(*one) for one in each]
        self.stills, self.rotations = list(stills), np.asarray(rotations, np.float64)
        self.head_only = list(head_only) or [False] * len(self.warps)
        self._hidden = with_rim(self.warps[0].solid > 0.1)
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
        source = self.warps[number]
        here = source.part(name)
        if not source.carries(name) or (self.head_only[number] and name != "head"):
            return _NEVER
        if here is None:
            return _ONE_COLOUR + _OTHERS * (number > 0)
        cost = _OTHERS * (number > 0) + _BLUR * max(0.0, float(np.log2(part.reach_px / here.reach_px)))
        if name == "head":
            return cost + _view_angle_deg(part.rotation, here.rotation)
        turned = abs(_wrapped(facing - _shoulder_angle(self.stills[number], 0)))
        turned = 0.0 if np.isnan(turned) else turned
        cost += _HIDDEN * (1.0 - source.shares.get(name, 0.0))
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
            return nobody(first.picture_u8, self._hidden, move)
        names = sorted(there)
        away = part_distances(there, names, first.x, first.y)
        alpha, mixes = np.zeros(away.shape, np.float32), {}
        for number, name in enumerate(names):
            near = np.any([source.near(away[number]) for source in self.warps], 0)
            if near.any():
                shares = choice.shares[name][frame], choice.spares[name][frame]
                mix = self._mixed(name, there, near, away[number][near], *shares)
                mixes[number], alpha[number][near] = (near, mix), mix.cover
                away[number][near] = nearer(away[number][near], mix.skin)
        guesses = {name for name in there if name in UPPER_ARMS and all(w.part(name) is None for w in self.warps)}
        labels = pose_labels(away, there, names, alpha, guesses)
        behind = labels_behind(labels, away, there, names, alpha, guesses)
        layers = {number: (near, mix.colour, mix.seen) for number, (near, mix) in mixes.items()}
        return finished(*self._plate.at(move), layers, alpha, labels, behind)

    def _mixed(self, name: str, there, near, away, shares, spares) -> Mix:
        """What the references show of one part at the pixels bool [H, W] `near`, float [n] `away` from it."""
        total, seen, cover, skin = (np.zeros(len(away)) for _ in range(4))
        colour, rough = (np.zeros((len(away), 3)) for _ in range(2))
        low, high = _GRAZING
        for number, (source, share, spare) in enumerate(zip(self.warps, shares, spares, strict=True)):
            if not source.carries(name) or (self.head_only[number] and name != "head") or share + spare < _LEAST:
                continue
            shown = source.shown(name, there, near, away)
            place = shown.place
            pixels = source.colours(name, place)
            good = np.clip((place.towards - low) / (high - low), 0.0, 1.0) * np.maximum(shown.seen, 0.02 * share)
            surface = np.clip(2.0 * source.solid_at(place) - 1.0, 0.0, 1.0)  # a face has no holes
            weight = (share + spare) * np.where(place.inside, good * surface, good)
            total += weight
            colour += weight[:, None] * pixels
            seen += weight * shown.seen
            cover += share * shown.cover
            skin += share * place.skin
            rough += share * pixels
        surely, share_of = total > _LEAST, np.maximum(total, _LEAST)
        mixed = np.where(surely[:, None], colour / share_of[:, None], rough)
        return Mix(mixed, surely & (seen > 0.5 * total), cover, skin > 0.5)


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
