"""A plan carried out by one body: hips over planted feet, legs and arms by inverse kinematics, all samples at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d, minimum_filter1d

from stages.synthetic.arms import Frames, solve_arm
from stages.synthetic.character import BODY_VERTICES, Character
from stages.synthetic.hands import finger_turns
from stages.synthetic.plan import SIDES, Plan
from stages.synthetic.rotation import applied, between, framed, from_rotvec, rotvec, transposed, turn, two_bone, unit
from stages.synthetic.torso import Torso

SPINE = ("spine05", "spine04", "spine03", "spine02", "spine01")
NECK_SHARES = (("neck01", 0.2), ("neck02", 0.2), ("neck03", 0.15), ("head", 0.45))
MOST_LEG = 0.9988  # of a leg's length that hips and ankles may be apart
STRAIGHT = 0.9965  # of a leg's length: how high the hips stand over the ankles
SIT_DEPTH_DM = 0.75  # from the hip joints down to the seat


@dataclass(frozen=True)
class Solved:
    """local f64 [T, B, 3, 3] rotations of `bones`, about the rest pose's world axes; root_shift_dm f64 [T, 3]."""

    bones: tuple[str, ...]
    local: np.ndarray
    root_shift_dm: np.ndarray


class Body:
    """Measures of one person that plans are carried out with, decimetres. Constant."""

    def __init__(self, character: Character) -> None:
        self.character = character
        j = character.joint
        self.floor = float(character.rest_dm[:BODY_VERTICES, 1].min())
        self.hips = (j("upperleg01.L") + j("upperleg01.R")) / 2
        self.thigh, self.shin, self.upper, self.fore = {}, {}, {}, {}
        for side, _ in SIDES:
            self.thigh[side] = _length(j("lowerleg01." + side) - j("upperleg01." + side))
            self.shin[side] = _length(j("foot." + side) - j("lowerleg01." + side))
            self.upper[side] = _length(j("lowerarm01." + side) - j("upperarm01." + side))
            self.fore[side] = _length(j("wrist." + side) - j("lowerarm01." + side))
        self.leg = (self.thigh["L"] + self.shin["L"] + self.thigh["R"] + self.shin["R"]) / 2
        self.arm = (self.upper["L"] + self.fore["L"] + self.upper["R"] + self.fore["R"]) / 2
        self.ankle = (j("foot.L")[1] + j("foot.R")[1]) / 2 - self.floor
        self.torso = Torso(character)

    def solve(self, plan: Plan, *, max_forward_dm: float = np.inf) -> Solved:
        """The bone rotations of a plan. max_forward_dm: how far wrists may come in front of the shoulders."""
        local: dict[str, np.ndarray] = {}
        root = _heading(plan) if plan.pelvis_turn is None else plan.pelvis_turn
        local["root"] = root
        ankles, soles = self._feet(plan, local)
        hips = self._hips(plan, root, ankles)
        for index, (side, sign) in enumerate(SIDES):
            self._leg(plan, local, root, hips, ankles[:, index], soles[:, index], side, sign)
        shift = hips - applied(root, self.hips - self.character.joint("root")) - self.character.joint("root")
        chest, move = self._trunk(plan, local, root, shift)
        chin, head_middle = self._neck(plan, local, chest, move)
        thighs = local["upperleg01.L"], local["upperleg01.R"]
        frames = Frames(chest, move, chin, head_middle, hips, root, thighs)
        for index, (side, _) in enumerate(SIDES):
            solve_arm(self, plan, local, frames, index, max_forward_dm)
            for finger, matrices in finger_turns(self.character, side, plan.fingers[:, index]).items():
                local[finger] = matrices
        bones = tuple(local)
        T = len(plan.time_s)
        table = np.empty((T, len(bones), 3, 3))
        for at, bone in enumerate(bones):
            table[:, at] = local[bone]
        return Solved(bones, table, shift)

    def seat_height(self, share: float) -> float:
        """World y of a seat `share` leg lengths over the floor."""
        return self.floor + self.ankle + share * self.leg

    def _feet(self, plan: Plan, local: dict) -> tuple[np.ndarray, np.ndarray]:
        """World ankles [T,2,3] and foot rotations [T,2,3,3]. A foot turns about its ball or heel, which stays put."""
        j = self.character.joint
        ankles, soles = [], []
        for index, (side, _) in enumerate(SIDES):
            pitch = plan.foot_pitch_deg[:, index]
            sole = turn(pitch, plan.foot_yaw_deg[:, index], 0.0)
            flat = turn(0.0, plan.foot_yaw_deg[:, index], 0.0)
            ankle = j("foot." + side)
            ball = j("toe2-1." + side) - ankle
            heel = np.array([0.0, self.floor - ankle[1], -0.6])
            pivot = np.where(pitch[:, None] > 0, ball, heel)
            xz = plan.foot_xz[:, index] * self.leg
            ground = np.stack([xz[:, 0], ankle[1] + plan.lift[:, index] * self.leg, xz[:, 1]], axis=-1)
            ankles.append(ground + applied(flat, pivot) - applied(sole, pivot))
            bend = turn(-np.maximum(pitch, 0) * np.clip(1 - plan.lift[:, index] / 0.05, 0.3, 1), 0.0, 0.0)
            for toe in range(1, 6):
                local[f"toe{toe}-1.{side}"] = bend
            soles.append(sole)
        return np.stack(ankles, 1), np.stack(soles, 1)

    def _hips(self, plan: Plan, root: np.ndarray, ankles: np.ndarray) -> np.ndarray:
        """World middle of the hips [T,3]: as high as wanted, but both legs must reach their feet."""
        xz = plan.hip_xz * self.leg
        wanted = self.floor + self.ankle + (STRAIGHT - plan.drop + plan.rise) * self.leg
        highest = np.full(len(xz), np.inf)
        for index, (side, _) in enumerate(SIDES):
            joint = applied(root, self.character.joint("upperleg01." + side) - self.hips)
            gap = ankles[:, index][:, [0, 2]] - xz - joint[:, [0, 2]]
            reach = MOST_LEG * (self.thigh[side] + self.shin[side])
            up = np.sqrt(np.maximum(reach * reach - np.sum(gap * gap, axis=-1), 0.04 * reach * reach))
            highest = np.minimum(highest, ankles[:, index, 1] + up - joint[:, 1])
        calm = gaussian_filter1d(minimum_filter1d(np.minimum(wanted, highest), 5), 2.0)
        height = np.minimum(calm, highest)
        return np.stack([xz[:, 0], height, xz[:, 1]], axis=-1)

    def _leg(self, plan, local, root, hips, ankle, sole, side: str, sign: int) -> None:
        """Hip, knee and ankle of one leg; the knee points between where the pelvis and the foot point."""
        j = self.character.joint
        hip, knee, foot = j("upperleg01." + side), j("lowerleg01." + side), j("foot." + side)
        back = transposed(root)
        target = applied(back, ankle - hips) - (hip - self.hips)
        ahead = applied(back, turn(0.0, _yaw_deg(sole), 0.0)[..., 2])
        ahead = unit(ahead + np.array([0.12 * sign + sign * plan.knees_out, 0.0, 0.7]))
        pole = applied(between(np.array([0.0, -1.0, 0.0]), target), ahead)  # swings with the leg: up in a high kick
        pole = gaussian_filter1d(pole, 1.5, axis=0, mode="nearest")
        upper, lower, hinge = two_bone(target, self.thigh[side], self.shin[side], pole)
        across = np.array([1.0, 0.0, 0.0])
        thigh = framed(upper, hinge) @ transposed(framed(knee - hip, across))
        shin = framed(lower, hinge) @ transposed(framed(foot - knee, across))
        local["upperleg01." + side] = thigh
        local["lowerleg01." + side] = transposed(thigh) @ shin
        local["foot." + side] = transposed(root @ shin) @ sole

    def _trunk(self, plan, local, root, shift) -> tuple[np.ndarray, np.ndarray]:
        """Spine rotations; returns the chest as world-from-rest: rotation [T,3,3] and shift [T,3]."""
        if plan.chest_turn is None:
            bend = turn(*(plan.spine_deg.T / len(SPINE)))
        else:
            bend = from_rotvec(rotvec(transposed(root) @ plan.chest_turn) / len(SPINE))
        pivot = self.character.joint("root")
        base, move = root, shift + pivot - applied(root, pivot)
        for bone in SPINE:
            local[bone] = bend
            base, move = self._child(bone, base, move, bend)
        return base, move

    def _child(self, bone: str, base, move, turned) -> tuple[np.ndarray, np.ndarray]:
        pivot = self.character.joint(bone)
        return base @ turned, applied(base, pivot - applied(turned, pivot)) + move

    def _neck(self, plan, local, chest, move) -> tuple[np.ndarray, np.ndarray]:
        """Neck rotations; returns where the chin and the middle of the head are, [T,3] each."""
        base = chest
        for bone, share in NECK_SHARES:
            local[bone] = turn(*(plan.head_deg.T * share))
            base, move = self._child(bone, base, move, local[bone])
        chin = self.character.tail_dm[self.character.assets.bone_index["jaw"]]
        return applied(base, chin) + move, applied(base, self.torso.head_middle) + move


def _heading(plan: Plan) -> np.ndarray:
    pitch, yaw, roll = plan.pelvis_deg.T
    return turn(0.0, plan.heading_deg, 0.0) @ turn(pitch, yaw, roll)


def _yaw_deg(matrices: np.ndarray) -> np.ndarray:
    return np.degrees(np.arctan2(matrices[..., 0, 2], matrices[..., 2, 2]))


def _length(vector: np.ndarray) -> float:
    return float(np.linalg.norm(vector))
