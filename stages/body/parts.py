"""The rigid pieces of a person on the canvas: where they are in one frame, how far a pixel is from each, and where a
pixel of a piece lies in another frame.

Limbs are capsules from bone to bone, the torso is a tube of ellipses, the head is an ellipsoid.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from stages.body import ellipsoid, relief, trunk
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
_TORSO = ("left_shoulder", "right_shoulder", "right_hip", "left_hip")  # around its outline
_THIGH, _THIGH_RADIUS = 3.2, 0.62  # of a thigh whose knee is not drawn, in head radii
_TUBE = 0.5  # of the torso's tube, what belongs to it as surely as what lies between the joints
_NECK = 0.9  # of the way from the middle of the head to the shoulders
_TORSO_RADIUS, _NECK_RADIUS, _HAND_RADIUS, _HAIR = 0.5, 0.5, 0.36, 1.3
_JAW = 1.3  # how much narrower a head gets towards the chin, a head radius below its middle
_FINGERS = [(HAND_INDEX[start], HAND_INDEX[end]) for start, end in HAND_BONES]
_FINGER = 0.1  # radius of a finger, in head radii
_PALM = (8, 12, 16)  # hand points whose middle a hand points to
_RIM = 0.15  # cosine between surface and camera, turned away, to which it is still seen
_OBLIQUE = -0.15  # cosine from which on the other half of a face is asked
_EDGEWISE = 0.15  # cosine up to which what the reference shows is as much of what is behind the head
_FACE = 0.2  # cosine between where a face and where the camera looks, from which chin and jaw are before the neck
_HAIRLINE = (0.35, 0.8), (-0.1, 0.5)  # how far back, how far down: below it is skin, stretched head axes
_JUST_SEEN = 0.45  # cosine between surface and camera where the colour of a jaw that is not seen is taken from
_MIRROR = np.array([-1.0, 1.0, 1.0])
_SKIN_RIM, _HAIR_PULL = 0.8, 1.5  # where, in radii, the colour of what no half shows is taken from; how far upwards


@dataclass(frozen=True)
class Part:
    """One rigid piece. `points` are its two ends, its corners, or its middle; `reach_px` its radius.

    fingers_px  float [21, 2] of a hand
    """

    kind: str  # "limb" | "torso" | "head"
    points: dict
    reach_px: float
    depth_m: float
    rotation: np.ndarray | None = None
    tube: trunk.Trunk | None = None
    fingers_px: np.ndarray | None = None


@dataclass(frozen=True)
class Place:
    """Where pixels of a piece lie in another frame.

    x, y     float [n]
    outline  x, y of the same shape: where to ask whether the piece reaches so far
    sees     bool [n], False where that side of the piece is turned away there
    towards  float [n], cosine between the surface and that frame's camera; 1 or 0, as `sees`, for limbs and torso
    inside   bool [n], the surface of a head, not the air beside it; False for other pieces
    free     bool [n], True where the piece surely does not reach
    skin     bool [n], True where the piece surely does: the surface of a head whose face is turned to the camera, and
             (stages.body.source) forearms and hands as far as the other picture shows them
    """

    x: np.ndarray
    y: np.ndarray
    outline: tuple[np.ndarray, np.ndarray]
    sees: np.ndarray
    towards: np.ndarray
    inside: np.ndarray
    free: np.ndarray
    skin: np.ndarray


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
        parts["head"] = Part("head", middle, _HAIR * unit, body_depth - 0.05, np.asarray(rotation, np.float64))
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
        return np.hypot(below, aside * (1.0 + _JAW * np.square(np.maximum(below, 0.0) * _HAIR / part.reach_px)))
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
        return _in_head(there, here, x, y)
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
    nowhere, everywhere = np.zeros(x.shape, bool), np.ones(x.shape, bool)
    return Place(back_x, back_y, (back_x, back_y), everywhere, everywhere.astype(float), nowhere, nowhere, nowhere)


def _in_head(there: Part, here: Part, x, y) -> Place:
    """Over the ellipsoid with a face on it (stages.body.relief).

    What is turned away there is taken from the other half of the face, or else from the rim: a jaw from beside it, the
    rest, being hair mostly, from above.
    Beside the head is hair or what is behind it, but not the other picture's face, which stands out in a profile.
    """
    point, inside, outside, free = head_surface(there, here, x, y)
    level, other_level = (relief.towards(at, here.rotation) for at in (point, point * _MIRROR))
    other_half = inside & (level < _OBLIQUE) & (other_level > level + 0.1)
    asked = np.where(other_half[..., None], point * _MIRROR, point)
    found = ellipsoid.seen_at(asked, here.rotation)
    hidden = inside & (np.where(other_half, other_level, level) < -_RIM)
    at_rim = _SKIN_RIM * ellipsoid.to_rim(found - _HAIR_PULL * here.rotation[:2, 1], here.rotation)
    beside = ellipsoid.seen_at(ellipsoid.turned_to(asked, here.rotation, _JUST_SEEN), here.rotation)
    jaw = point[..., 1] > np.interp(point[..., 2], *_HAIRLINE)
    found = np.where(hidden[..., None], np.where(jaw[..., None], beside, at_rim), found)
    back = on_picture(here, np.where(inside[..., None], found, outside))
    outline = np.where(inside[..., None], here.points["middle"], back)  # a head has no holes
    edgewise, alike = level < _EDGEWISE, there.rotation[2] @ here.rotation[2]
    sees, towards = np.where(inside, ~(other_half | hidden | edgewise), alike > 0), np.where(inside, level, alike)
    skin = inside & (there.rotation[2, 2] > _FACE)
    ask = outline[..., 0], outline[..., 1]
    return Place(back[..., 0], back[..., 1], ask, sees, towards, inside, free, skin)


def head_surface(there: Part, here: Part, x, y):
    """Points [..., 3] of the head that its pixels (x, y) show, whether they show any of it, for those beside it the
    places [..., 2] about the middle of the other picture's head where they lie, and whether nothing of it is there."""
    plane = np.stack([x - there.points["middle"][0], y - there.points["middle"][1]], -1) / (there.reach_px / _HAIR)
    point, inside, miss2 = relief.surface(plane, there.rotation)
    outside = ellipsoid.beside(plane, miss2, there.rotation, here.rotation)
    return point, inside, outside, relief.free_beside(outside, inside, there.rotation, here.rotation)


def on_picture(head: Part, places):
    """px [..., 2] of places [..., 2] about the middle of a head, which are in half its height."""
    return np.asarray(head.points["middle"]) + (head.reach_px / _HAIR) * places


def _in_torso(there: Part, here: Part, x, y) -> Place:
    """On the tube of both (stages.body.trunk)."""
    colour, outline, sees = trunk.turned(there.tube, here.tube, np.ravel(x), np.ravel(y))
    colour, outline = colour.reshape(*x.shape, 2), outline.reshape(*x.shape, 2)
    ask = outline[..., 0], outline[..., 1]
    nowhere = np.zeros(x.shape, bool)
    sees = sees.reshape(x.shape)
    return Place(colour[..., 0], colour[..., 1], ask, sees, sees.astype(float), nowhere, nowhere, nowhere)
