"""The reference's own pixels, carried limb by limb to the driver's pose: a first guess of every frame.

Each part of the person (torso, head, upper and lower limbs, hands, feet) is moved as one piece, from where the
reference's skeleton and sphere show it to where the driver's show it; behind the person stands a filled-in background.
It is geometry only, so it knows neither cloth nor faces nor what was hidden: the transformer sees it beside its other
signals, and says square by square how far to believe it.
Source: our own; the same idea as the deformable skips of Siarohin et al. 2018 (one affine move a body part).
"""

from dataclasses import dataclass

import cv2
import numpy as np

from stages.body.place import Performance
from stages.core.carried import DOUBTFUL_FIGURE, SEEN_BACKGROUND
from stages.core.skeleton import BODY_INDEX

# (upper joint, lower joint, radius in head radii); our choice, generous enough for sleeves.
_LIMBS = (
    ("left_shoulder", "left_elbow", 0.42), ("right_shoulder", "right_elbow", 0.42),
    ("left_elbow", "left_wrist", 0.34), ("right_elbow", "right_wrist", 0.34),
    ("left_hip", "left_knee", 0.62), ("right_hip", "right_knee", 0.62),
    ("left_knee", "left_ankle", 0.45), ("right_knee", "right_ankle", 0.45),
    ("left_ankle", "left_big_toe", 0.4), ("right_ankle", "right_big_toe", 0.4),
)  # fmt: skip
_TORSO = ("left_shoulder", "right_shoulder", "right_hip", "left_hip")  # around its outline
_TORSO_RADIUS, _HAND_RADIUS, HAIR = 0.5, 0.36, 1.3
_SURE, _REACH = 0.85, 1.15  # of a part's radius: surely the part; still the part where nothing else is
_PALM = (8, 12, 16)  # hand points whose middle a hand points to


@dataclass(frozen=True)
class Part:
    """One rigid piece. `points` are its two ends, its corners, or its middle; `reach_px` its radius."""

    kind: str  # "limb" | "torso" | "head"
    points: dict
    reach_px: float
    depth_m: float
    rotation: np.ndarray | None = None


class ReferenceWarp:
    """A reference picture ready to be carried to any pose.

    picture_u8  uint8 [H, W, 3]   the reference on the canvas;  still  Performance of one frame in its px
    rotation    float [3, 3]      R_cam_head of the reference (NaN where no head is known)
    """

    def __init__(self, picture_u8, still: Performance, rotation):
        self.picture_u8 = np.ascontiguousarray(picture_u8)
        height, width = self.picture_u8.shape[:2]
        self._y, self._x = np.mgrid[:height, :width].astype(np.float32)
        self.parts = parts_of(still, 0, rotation)
        self._names = sorted(self.parts)
        self.labels = part_labels(self.parts, self._names, (height, width))
        self.hidden = cv2.dilate((self.labels >= 0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        self.plate_u8 = fill(self.picture_u8, self.hidden)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the canvas."""
        return self.labels.shape

    def number_of(self, name: str) -> int:
        """What a part is called in `labels`; -2 for one that is not there."""
        return self._names.index(name) if name in self.parts else -2

    def shown_shares(self) -> dict[str, float]:
        """Which share of each part's outline shows the part, not one before it and not beyond the picture."""
        shares = {}
        for number, name in enumerate(self._names):
            part = self.parts[name]
            y, x = np.mgrid[-1:1:24j, -1:1:24j] * 1.0
            middle = np.mean(list(part.points.values()), axis=0)
            spread = np.max([np.abs(point - middle) for point in part.points.values()], axis=0) + 0.7 * part.reach_px
            x, y = middle[0] + spread[0] * x, middle[1] + spread[1] * y
            inside = (
                _distance(part, x, y) < _SURE * part.reach_px if part.kind != "torso" else _distance(part, x, y) <= 0
            )
            column, row = np.rint(x).astype(int), np.rint(y).astype(int)
            height, width = self.labels.shape
            on_canvas = (column >= 0) & (row >= 0) & (column < width) & (row < height)
            found = self.labels[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)] == number
            shares[name] = float((found & on_canvas & inside).sum() / max(inside.sum(), 1))
        return shares

    def to_pose(self, act: Performance, frame: int, rotation) -> tuple[np.ndarray, np.ndarray]:
        """Return the picture uint8 [H, W, 3] at a frame of `act`, and its kinds uint8 [H, W] (stages.core.carried)."""
        somebody = act.drawn[frame].any() or np.isfinite(act.head_px[frame]).all()
        if not somebody or not np.isfinite(act.head_radius_px).any():
            return self.picture_u8.copy(), np.where(self.hidden, DOUBTFUL_FIGURE, SEEN_BACKGROUND).astype(np.uint8)
        there = {name: part for name, part in parts_of(act, frame, rotation).items() if name in self.parts}
        labels = part_labels(there, self._names, self.labels.shape)
        x, y, seen = self._x.copy(), self._y.copy(), ~self.hidden
        for number, name in enumerate(self._names):
            here = labels == number
            if not here.any():
                continue
            from_x, from_y, faces_us = back(there[name], self.parts[name], self._x[here], self._y[here])
            height, width = labels.shape
            inside = (from_x > -0.5) & (from_y > -0.5) & (from_x < width - 0.5) & (from_y < height - 0.5)
            row = np.clip(np.rint(np.nan_to_num(from_y)), 0, height - 1).astype(int)
            column = np.clip(np.rint(np.nan_to_num(from_x)), 0, width - 1).astype(int)
            was = self.labels[row, column]
            x[here], y[here] = from_x, from_y
            seen[here] = faces_us & inside & ((was == number) | (was < 0))
        carried = cv2.remap(self.picture_u8, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        figure = labels >= 0
        carried[~figure] = self.plate_u8[~figure]
        return carried, (2 * figure + seen).astype(np.uint8)


def part_labels(parts: dict[str, Part], names: list[str], shape) -> np.ndarray:
    """Number (in `names`) of the part that each pixel shows, int8 [H, W], -1 = background; nearer ones hide farther."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    labels, front = np.full(shape, -1, np.int8), np.full(shape, np.inf)
    nearest, least = np.full(shape, -1, np.int8), np.full(shape, np.inf)
    for number, name in enumerate(names):
        if name not in parts:
            continue
        away = _distance(parts[name], x, y) / parts[name].reach_px
        closer = away < least
        nearest[closer], least[closer] = number, away[closer]
        before = (away < _SURE) & (parts[name].depth_m < front)
        labels[before], front[before] = number, parts[name].depth_m
    return np.where((labels < 0) & (least < _REACH), nearest, labels)


def warp_reference(picture_u8, still, still_rotation, act, act_rotation):
    """Yield (picture uint8 [H, W, 3], kind uint8 [H, W]) of every frame of a Performance; see `ReferenceWarp`."""
    warp = ReferenceWarp(picture_u8, still, still_rotation)
    for frame in range(len(act.drawn)):
        yield warp.to_pose(act, frame, act_rotation[frame])


def fill(picture_u8, hole):
    """Return the picture with the pixels of bool [H, W] `hole` filled smoothly from around them (push-pull)."""
    weight = (~hole).astype(np.float32)
    colour, levels = picture_u8.astype(np.float32) * weight[..., None], []
    while min(weight.shape) > 2:
        levels.append((colour, weight))
        colour, weight = cv2.pyrDown(colour), cv2.pyrDown(weight)
    filled = colour / np.maximum(weight, 1e-4)[..., None]
    for colour, weight in reversed(levels):
        above = cv2.resize(filled, weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
        share = np.minimum(weight, 1.0)[..., None]
        filled = share * (colour / np.maximum(weight, 1e-4)[..., None]) + (1.0 - share) * above
    return np.where(hole[..., None], np.clip(np.rint(filled), 0, 255).astype(np.uint8), picture_u8)


def parts_of(who: Performance, frame: int, rotation) -> dict[str, Part]:
    """The pieces of one frame by name; none where the size of the head is never known."""
    unit = float(who.head_radius_px[frame])
    if not (np.isfinite(unit) and unit > 0):
        known = who.head_radius_px[np.isfinite(who.head_radius_px) & (who.head_radius_px > 0)]
        if not len(known):
            return {}
        unit = float(np.median(known))
    at = {name: np.asarray(who.joints_px[frame, index], np.float64) for name, index in BODY_INDEX.items()}
    drawn = {name: bool(who.drawn[frame, index]) for name, index in BODY_INDEX.items()}
    depth = {name: float(np.nan_to_num(who.points_m[frame, index, 2])) for name, index in BODY_INDEX.items()}
    parts = {}
    for upper, lower, radius in _LIMBS:
        if drawn[upper] and drawn[lower]:
            ends = {"upper": at[upper], "lower": at[lower]}
            parts[f"{upper}-{lower}"] = Part("limb", ends, radius * unit, 0.5 * (depth[upper] + depth[lower]))
    for hand, wrist in enumerate(("left_wrist", "right_wrist")):
        points = who.hands_px[frame, hand]
        if drawn[wrist] and who.hands_drawn[frame, hand] and np.isfinite(points).all():
            ends = {"upper": points[0], "lower": points[list(_PALM)].mean(0)}
            parts[f"{wrist}-hand"] = Part("limb", ends, _HAND_RADIUS * unit, depth[wrist] - 0.02)
    body_depth = 0.0
    if drawn["left_shoulder"] and drawn["right_shoulder"]:
        corners = {name: at[name] for name in _TORSO if drawn[name]}
        body_depth = float(np.mean([depth[name] for name in corners]))
        parts["torso"] = Part("torso", corners, _TORSO_RADIUS * unit, body_depth)
    if np.isfinite(who.head_px[frame]).all() and np.isfinite(rotation).all():
        middle = {"middle": np.asarray(who.head_px[frame], np.float64)}
        parts["head"] = Part("head", middle, HAIR * unit, body_depth - 0.05, np.asarray(rotation, np.float64))
    return parts


def _distance(part: Part, x, y):
    """Distance in px of every pixel from the part's bone, plane or middle."""
    if part.kind == "limb":
        return _to_segment(x, y, part.points["upper"], part.points["lower"])
    if part.kind == "head":
        middle = part.points["middle"]
        return np.hypot(x - middle[0], y - middle[1])
    corners = [part.points[name] for name in _TORSO if name in part.points]
    if len(corners) < 4:  # no hips in the picture: the torso goes straight down
        left, right = part.points["left_shoulder"], part.points["right_shoulder"]
        down = np.array([0.0, 2.2 * max(np.linalg.norm(left - right), 2.0 * part.reach_px)])
        corners = [left, right, right + down, left + down]
    away = np.minimum.reduce([_to_segment(x, y, corners[i - 1], corners[i]) for i in range(4)])
    outline = cv2.convexHull(np.rint(np.clip(corners, -8192, 8192) * np.float64(16)).astype(np.int32))
    inside = cv2.fillConvexPoly(np.zeros(x.shape, np.uint8), outline, 1, shift=4) > 0
    return np.where(inside, 0.0, away)


def _to_segment(x, y, start, end):
    across, down = end - start
    share = ((x - start[0]) * across + (y - start[1]) * down) / (across**2 + down**2 + 1e-6)
    share = np.clip(share, 0.0, 1.0)
    return np.hypot(x - start[0] - share * across, y - start[1] - share * down)


def back(there: Part, here: Part, x, y):
    """Where pixels (x, y) of the part `there` lie in the reference's `here`: x, y, and False where it turned away."""
    scale = here.reach_px / there.reach_px
    if there.kind == "head":
        return _back_head(there, here, x, y)
    if there.kind == "torso":
        return _back_torso(there, here, x, y, scale)
    start, begin = there.points["upper"], here.points["upper"]
    bone, other = there.points["lower"] - start, here.points["lower"] - begin
    length, other_length = np.linalg.norm(bone) + 1e-6, np.linalg.norm(other) + 1e-6
    bone, other = bone / length, other / other_length
    along = (x - start[0]) * bone[0] + (y - start[1]) * bone[1]
    aside = scale * ((y - start[1]) * bone[0] - (x - start[0]) * bone[1])
    if min(length / there.reach_px, other_length / here.reach_px) < 0.5:  # pointing at us: its length says nothing
        along = along * scale
    else:
        on_bone = np.clip(along, 0.0, length)
        along = on_bone * (other_length / length) + (along - on_bone) * scale
    back_x = begin[0] + along * other[0] - aside * other[1]
    back_y = begin[1] + along * other[1] + aside * other[0]
    return back_x, back_y, np.ones(x.shape, bool)


def _back_head(there: Part, here: Part, x, y):
    """Over the sphere: a pixel's direction in head axes is looked up on the reference's sphere."""
    radius, here_radius = there.reach_px / HAIR, here.reach_px / HAIR
    across = (x - there.points["middle"][0]) / radius
    down = (y - there.points["middle"][1]) / radius
    beyond = np.maximum(np.hypot(across, down), 1.0)  # hair: as far behind the rim as it is here
    across, down = across / beyond, down / beyond
    towards = -np.sqrt(np.clip(1.0 - across**2 - down**2, 0.0, 1.0))
    turned = np.stack([across, down, towards], -1) @ (here.rotation @ there.rotation.T).T
    back_x = here.points["middle"][0] + here_radius * beyond * turned[..., 0]
    back_y = here.points["middle"][1] + here_radius * beyond * turned[..., 1]
    return back_x, back_y, turned[..., 2] < 0.15


def _back_torso(there: Part, here: Part, x, y, scale):
    """An affine move from the corners both show, held near plain scaling where they hardly span an area."""
    names = [name for name in _TORSO if name in there.points and name in here.points]
    from_px, to_px = (np.array([part.points[name] for name in names]) for part in (there, here))
    middle, target = from_px.mean(0), to_px.mean(0)
    spread = from_px - middle
    firm = (0.35 * there.reach_px) ** 2 * np.eye(2)
    matrix = np.linalg.solve(spread.T @ spread + firm, spread.T @ (to_px - target) + scale * firm)
    moved = np.stack([x - middle[0], y - middle[1]], -1) @ matrix + target

    def across(part):
        return part.points["left_shoulder"][0] - part.points["right_shoulder"][0]

    same_side = across(there) * across(here) > 0
    return moved[..., 0], moved[..., 1], np.full(x.shape, same_side)
