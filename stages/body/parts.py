"""The rigid pieces of a person on the canvas: where they are in one frame, how far a pixel is from each, and where a
pixel of a piece lies in another frame.

Limbs are capsules from bone to bone, the torso is a tube of ellipses, the head is an ellipsoid.
"""

import cv2
import numpy as np

from stages.body import trunk
from stages.body.head import HAIR, place_in_head
from stages.body.piece import Part, Place
from stages.body.place import Performance
from stages.core.geometry import project_px
from stages.core.skeleton import BODY_INDEX, HAND_BONES, HAND_INDEX

# (upper joint, lower joint, radius in head radii); our choice, generous enough for sleeves.
_LIMBS = (
    ("left_shoulder", "left_elbow", 0.42), ("right_shoulder", "right_elbow", 0.42),
    ("left_elbow", "left_wrist", 0.34), ("right_elbow", "right_wrist", 0.34),
    ("left_hip", "left_knee", 0.62), ("right_hip", "right_knee", 0.62),
    ("left_knee", "left_ankle", 0.45), ("right_knee", "right_ankle", 0.45),
    ("left_ankle", "left_big_toe", 0.4), ("right_ankle", "right_big_toe", 0.4),
)  # fmt: skip
UPPER_ARMS = ("left_shoulder-left_elbow", "right_shoulder-right_elbow")
FOREARMS = ("left_elbow-left_wrist", "right_elbow-right_wrist")
HANDS = ("left_wrist-hand", "right_wrist-hand")
THIGHS = ("left_hip-left_knee", "right_hip-right_knee")
_TORSO = ("left_shoulder", "right_shoulder", "right_hip", "left_hip")  # around its outline
_THIGH, _THIGH_RADIUS = 3.2, 0.62  # of a thigh whose knee is not drawn, in head radii
_TUBE = 0.5  # of the torso's tube, what belongs to it as surely as what lies between the joints
_NECK = 0.9  # of the way from the middle of the head to the shoulders
_TORSO_RADIUS, _NECK_RADIUS, _HAND_RADIUS = 0.5, 0.5, 0.36
_JAW = 1.3  # how much narrower a head gets towards the chin, a head radius below its middle
_FINGERS = [(HAND_INDEX[start], HAND_INDEX[end]) for start, end in HAND_BONES]
_FINGER = 0.1  # radius of a finger, in head radii
_PALM = (8, 12, 16)  # hand points whose middle a hand points to


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
            parts[f"{wrist}-hand"] = Part("limb", ends, _HAND_RADIUS * unit, depth[wrist] - 0.02, fingers_px=points)
    body_depth = 0.0
    if drawn["left_shoulder"] and drawn["right_shoulder"]:
        corners = {name: at[name] for name in _TORSO if drawn[name]}
        body_depth = float(np.mean([depth[name] for name in corners]))
        solid = trunk.Trunk(_corners_px(who, frame))
        parts["torso"] = Part("torso", corners, _TORSO_RADIUS * unit, body_depth, tube=solid)
        parts |= _thighs_below(at, drawn, unit, body_depth)
    if np.isfinite(who.head_px[frame]).all() and np.isfinite(rotation).all():
        middle = {"middle": np.asarray(who.head_px[frame], np.float64)}
        parts["head"] = Part("head", middle, HAIR * unit, body_depth - 0.05, np.asarray(rotation, np.float64))
        if drawn["left_shoulder"] and drawn["right_shoulder"]:
            down = 0.5 * (at["left_shoulder"] + at["right_shoulder"]) - middle["middle"]
            ends = {"upper": middle["middle"], "lower": middle["middle"] + _NECK * down}
            parts["neck"] = Part("limb", ends, _NECK_RADIUS * unit, body_depth - 0.02)
    return parts


def _corners_px(who: Performance, frame: int) -> np.ndarray:
    """Corners of the torso float [4, 3] for `trunk.Trunk`: px of the canvas, and how far along the ray to it.

    Where depths are not known the torso is taken to be flat before the camera.
    """
    index = [BODY_INDEX[name] for name in _TORSO]
    points, flat = who.points_m[frame], np.asarray(who.joints_px[frame], np.float64)
    corners = np.concatenate([flat[index], np.zeros((4, 1))], 1)
    corners[~who.drawn[frame, index]] = np.nan
    known = np.isfinite(points).all(1) & np.isfinite(flat).all(1) & (points[:, 2] > 0)
    if not known[index][who.drawn[frame, index]].all():
        return corners
    middle = points[index[:2]].mean(0)
    before = project_px(points[known], who.K_px)
    zoom = np.linalg.norm(flat[known] - flat[known].mean(0)) / max(np.linalg.norm(before - before.mean(0)), 1e-9)
    away = (points[index] - middle) @ middle / np.linalg.norm(middle)  # farther along the ray
    corners[:, 2] = np.where(np.isfinite(corners[:, 0]), zoom * who.K_px[0, 0] / middle[2] * away, np.nan)
    return corners


def _thighs_below(at, drawn, unit: float, depth_m: float) -> dict[str, Part]:
    """Thighs whose knees are not drawn, below the picture for the most part: they go on as the torso goes down."""
    if not (drawn["left_hip"] and drawn["right_hip"]):
        return {}
    down = at["left_hip"] + at["right_hip"] - at["left_shoulder"] - at["right_shoulder"]
    down = _THIGH * unit * down / max(float(np.linalg.norm(down)), 1e-6)
    return {
        f"{side}_hip-{side}_knee": Part(
            "limb", {"upper": at[f"{side}_hip"], "lower": at[f"{side}_hip"] + down}, _THIGH_RADIUS * unit, depth_m
        )
        for side in ("left", "right")
        if not drawn[f"{side}_knee"]
    }


def distance_px(part: Part, x, y):
    """Distance in px of every pixel from the part's bone, plane or middle."""
    if part.kind == "limb":
        return _to_segment(x, y, part.points["upper"], part.points["lower"])
    if part.kind == "head":
        middle, axis = part.points["middle"], part.rotation[:2, 1] / max(float(np.hypot(*part.rotation[:2, 1])), 0.1)
        right, down = x - middle[0], y - middle[1]
        below, aside = right * axis[0] + down * axis[1], right * axis[1] - down * axis[0]
        return np.hypot(below, aside * (1.0 + _JAW * np.square(np.maximum(below, 0.0) * HAIR / part.reach_px)))
    corners = [part.points[name] for name in _TORSO if name in part.points]
    if len(corners) < 4:  # no hips in the picture: the torso goes straight down
        left, right = part.points["left_shoulder"], part.points["right_shoulder"]
        down = np.array([0.0, 2.2 * max(np.linalg.norm(left - right), 2.0 * part.reach_px)])
        corners = [left, right, right + down, left + down]
    corners = np.concatenate([corners, trunk.outline_px(part.tube, _TUBE)])
    outline = cv2.convexHull(np.clip(corners, -8192, 8192).astype(np.float32))[:, 0]
    pairs = list(zip(np.roll(outline, 1, 0), outline, strict=True))
    away = np.minimum.reduce([_to_segment(x, y, start, end) for start, end in pairs])
    sides = [(end[0] - start[0]) * (y - start[1]) - (end[1] - start[1]) * (x - start[0]) for start, end in pairs]
    inside = (np.minimum.reduce(sides) >= 0) | (np.maximum.reduce(sides) <= 0)
    return np.where(inside, 0.0, away)


def fingers_in(who: Performance, frame: int, x, y) -> dict[str, np.ndarray]:
    """Which pixels the fingers of each hand cover, bool as x and y, by the name of the hand's part.

    A hand is carried as one short capsule; its fingers reach out of it and would be taken for what lies behind them.
    """
    found = {}
    unit = float(who.head_radius_px[frame])
    for hand, wrist in enumerate(("left_wrist", "right_wrist")):
        points = np.asarray(who.hands_px[frame, hand], np.float64)
        if who.hands_drawn[frame, hand] and np.isfinite(points).all() and np.isfinite(unit):
            found[f"{wrist}-hand"] = _to_fingers(points, x, y) < _FINGER * unit
    return found


def fingers_of(hand: Part, x, y) -> np.ndarray:
    """bool as x and y: which pixels the fingers of a hand cover."""
    return _to_fingers(hand.fingers_px, x, y) < _FINGER * hand.reach_px / _HAND_RADIUS


def _to_fingers(points, x, y):
    """Distance in px of every pixel from the nearest bone of a hand, points float [21, 2]."""
    return np.minimum.reduce([_to_segment(x, y, points[start], points[end]) for start, end in _FINGERS])


def _to_segment(x, y, start, end):
    across, down = end - start
    share = ((x - start[0]) * across + (y - start[1]) * down) / (across**2 + down**2 + 1e-6)
    share = np.clip(share, 0.0, 1.0)
    return np.hypot(x - start[0] - share * across, y - start[1] - share * down)


def place_in(there: Part, here: Part, x, y) -> Place:
    """Where pixels (x, y) of the piece `there` lie in the other frame's `here`."""
    scale = here.reach_px / there.reach_px
    if there.kind == "head":
        return place_in_head(there, here, x, y)
    if there.kind == "torso":
        return _in_torso(there, here, x, y)
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
    return Place.flat(back_x, back_y, (back_x, back_y), np.ones(x.shape, bool))


def _in_torso(there: Part, here: Part, x, y) -> Place:
    """On the tube of both (stages.body.trunk)."""
    colour, outline, sees = trunk.turned(there.tube, here.tube, np.ravel(x), np.ravel(y))
    colour, outline = colour.reshape(*x.shape, 2), outline.reshape(*x.shape, 2)
    return Place.flat(*np.moveaxis(colour, -1, 0), tuple(np.moveaxis(outline, -1, 0)), sees.reshape(x.shape))
