"""Arms of one body by inverse kinematics: collar, shoulder, elbow, forearm twist and wrist, kept out of the trunk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stages.synthetic.plan import ANCHORS, SIDES, Plan
from stages.synthetic.rotation import about, applied, between, framed, transposed, turn, two_bone, unit

if TYPE_CHECKING:
    from stages.synthetic.solver import Body

PRONATION_RANGE_DEG = (-100.0, 85.0)
COLLAR_UP_DEG, COLLAR_AHEAD_DEG = 24.0, 12.0  # how far collars follow a raised and a forward reaching arm
TWIST_AT_SHOULDER = 0.45
ELBOW_MARGIN_DM = 0.45
EASY_REACH = 0.955  # of an arm's length
SMOOTH_SAMPLES = 1.5  # takes the corners off where a hand is pushed out of the body


@dataclass(frozen=True)
class Frames:
    """World-from-rest of the chest (rotation [T,3,3], shift [T,3]) and, in the world, root rotation and some points."""

    chest: np.ndarray
    move: np.ndarray
    chin: np.ndarray
    head_middle: np.ndarray
    hips: np.ndarray
    root: np.ndarray
    thighs: tuple[np.ndarray, np.ndarray]


def solve_arm(
    body: Body, plan: Plan, local: dict[str, np.ndarray], frames: Frames, index: int, max_forward_dm: float
) -> None:
    """Write the rotations of one arm into `local`. index 0: left. max_forward_dm: limit of wrists before shoulders."""
    side, sign = SIDES[index]
    j = body.character.joint
    mirror = np.array([sign, 1.0, 1.0])
    from_shoulder = plan.anchor[:, index, 0]
    up = np.clip(from_shoulder * plan.reach[:, index, 1], 0, 1)
    ahead = np.clip(plan.reach[:, index, 2] - 0.3, 0, 1)
    collar = turn(0.0, -sign * COLLAR_AHEAD_DEG * ahead, sign * (plan.shrug_deg[:, index] + COLLAR_UP_DEG * up))
    pivot = j("clavicle." + side)
    start = applied(collar, j("upperarm01." + side) - pivot) + pivot  # shoulders in the chest's rest axes
    wrist = _wanted_wrist(body, plan, frames, index, start)
    wrist = _around_shoulder(wrist - start, 0.42 * body.arm, sign) + start
    if plan.elbow_pole is None:
        out = np.radians(plan.elbow_out_deg[:, index])
        crossing = plan.anchor[:, index, ANCHORS.index("sternum")] * np.clip(-10 * plan.reach[:, index, 0], 0, 1)
        pole = np.stack([np.sin(out), -np.cos(out), -0.35 + 0.6 * crossing], axis=-1) * mirror
    else:
        pole = applied(transposed(frames.chest), plan.elbow_pole[:, index])
    lengths = body.upper[side], body.fore[side]
    _, lower, _ = two_bone(wrist - start, *lengths, pole)
    head_middle = applied(transposed(frames.chest), frames.head_middle - frames.move)
    wrist = body.torso.push_out(wrist, lower, sign, head_middle)
    wrist[:, 2] = np.minimum(wrist[:, 2], start[:, 2] + max_forward_dm)
    wrist = gaussian_filter1d(wrist, SMOOTH_SAMPLES, axis=0, mode="nearest")
    wrist = start + _eased(wrist - start, sum(lengths))
    upper, lower, hinge = two_bone(wrist - start, *lengths, pole)
    for _ in range(2):
        depth = body.torso.depth(start + upper * lengths[0], ELBOW_MARGIN_DM)
        pole = unit(pole) + (4 * depth)[:, None] * np.array([sign, 0.0, -0.2])
        upper, lower, hinge = two_bone(wrist - start, *lengths, pole)
    rest_upper = j("lowerarm01." + side) - j("upperarm01." + side)
    rest_lower = j("wrist." + side) - j("lowerarm01." + side)
    rest_hinge = np.cross(rest_upper, rest_lower)
    arm = framed(upper, hinge) @ transposed(framed(rest_upper, rest_hinge))  # against the chest
    fore = framed(lower, hinge) @ transposed(framed(rest_lower, rest_hinge))
    swing = between(rest_upper, upper)
    twist = transposed(swing) @ arm
    angle = np.degrees(np.unwrap(np.radians(_angle_about(unit(rest_upper), twist))))
    first = about(unit(rest_upper), TWIST_AT_SHOULDER * angle)
    local["clavicle." + side] = collar
    local["upperarm01." + side] = transposed(collar) @ swing @ first
    local["upperarm02." + side] = transposed(first) @ twist
    local["lowerarm01." + side] = transposed(arm) @ fore
    _wrist(body, plan, local, fore, rest_lower, index)


def _wrist(body: Body, plan: Plan, local, fore: np.ndarray, rest_lower: np.ndarray, index: int) -> None:
    """Forearm twist so that the palm faces where it should, within its range, then the bend of the wrist."""
    side, sign = SIDES[index]
    palm = body.torso.palm[side]
    axis = unit(rest_lower)
    wanted = applied(transposed(fore), plan.palm[:, index] * np.array([sign, 1.0, 1.0]))
    flat = wanted - axis * (wanted @ axis)[:, None]
    zero = unit(palm - axis * float(palm @ axis))
    angle = np.degrees(np.arctan2(flat @ np.cross(axis, zero), flat @ zero)) * sign
    low, high = PRONATION_RANGE_DEG
    middle = (low + high) / 2
    angle = (angle - middle + 180) % 360 - 180 + middle
    half = about(axis, 0.5 * sign * gaussian_filter1d(np.clip(angle, low, high), 3.5))
    flex, deviate = plan.wrist_deg[:, index].T
    local["lowerarm02." + side] = half
    local["wrist." + side] = half @ about(unit(np.cross(axis, palm)), flex) @ about(palm, deviate * sign)


def _wanted_wrist(body: Body, plan: Plan, frames: Frames, index: int, start: np.ndarray) -> np.ndarray:
    """Where the wrist should be, in the chest's rest axes [T, 3], before it is kept out of the body."""
    side, sign = SIDES[index]
    shares = plan.anchor[:, index]

    def in_chest(points: np.ndarray) -> np.ndarray:
        return applied(transposed(frames.chest), points - frames.move)

    j = body.character.joint
    places = {"shoulder": start, "sternum": np.array([0.0, *j("upperarm01." + side)[1:]])}
    if shares[:, ANCHORS.index("chin")].any():
        places["chin"] = in_chest(frames.chin)
    if shares[:, ANCHORS.index("thigh") :].any():
        hip = j("upperleg01." + side)
        knee = applied(frames.thighs[index], j("lowerleg01." + side) - hip)
        socket = hip - body.hips
        along = frames.hips + applied(frames.root, socket + 0.62 * knee)
        places["thigh"] = in_chest(along + np.array([0.0, 0.9, 0.0]))
        places["hip"] = in_chest(frames.hips + applied(frames.root, socket + np.array([0.6 * sign, 1.3, 0.0])))
    total = plan.reach[:, index] * np.array([sign, 1.0, 1.0]) * body.arm
    for at, name in enumerate(ANCHORS):
        if name in places:
            total = total + shares[:, at, None] * places[name]
    return total


def _around_shoulder(reach: np.ndarray, least_dm: float, sign: int) -> np.ndarray:
    """Wrists from the shoulder [T, 3]: one that would pass through the shoulder goes round it in front."""
    missing = np.sqrt(np.maximum(least_dm * least_dm - np.sum(reach * reach, axis=-1), 0.0))
    return reach + missing[:, None] * np.array([0.5 * sign, 0.0, 0.85])


def _eased(reach: np.ndarray, arm_dm: float) -> np.ndarray:
    """Wrists from the shoulder [T, 3] whose last few per cent of reach are hard to get: elbows straighten slowly."""
    distance = np.linalg.norm(reach, axis=-1, keepdims=True) + 1e-9
    easy, most = EASY_REACH * arm_dm, 0.9985 * arm_dm
    beyond = np.maximum(distance - easy, 0.0)
    return reach * np.where(beyond > 0, (easy + (most - easy) * (1 - np.exp(-beyond / (most - easy)))) / distance, 1.0)


def _angle_about(axis: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Angle in degrees [T] of rotations [T, 3, 3] that turn about a given unit axis [3]."""
    m = rotation
    skew = np.stack([m[:, 2, 1] - m[:, 1, 2], m[:, 0, 2] - m[:, 2, 0], m[:, 1, 0] - m[:, 0, 1]], axis=-1)
    return np.degrees(np.arctan2(skew @ axis, np.trace(m, axis1=1, axis2=2) - 1))
