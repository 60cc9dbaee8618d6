"""Motion capture on a synthetic person: a clip becomes a plan like any other; face, gaze and fingers stay procedural.

The file is an .npz of int16 rotation vectors x 1e4 `CLIP` [T, J, 3], of every joint against the world, and root
positions `CLIP_r` [T, 3] at 30 Hz, with `NAME_skeleton.json` beside it (joints, parents, offsets). Joint names are
those of the CMU BVH files. Captured feet are put back on the floor and held where they stand.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_closing, binary_opening, gaussian_filter1d

from stages.core.errors import InputError
from stages.core.geometry import rotvec_to_matrix
from stages.synthetic.body_motion import Motion
from stages.synthetic.character import Character
from stages.synthetic.hands import FINGER_POSES
from stages.synthetic.holdout import mocap_split
from stages.synthetic.plan import ANCHOR, SIDES, Plan, standing, turned_xz
from stages.synthetic.rotation import applied, orthonormal, rotvec, transposed, turn, turn_angles_deg, unit
from stages.synthetic.solver import STRAIGHT
from stages.synthetic.tracks import LEAD_S, RATE_HZ, ease, wander

CAPTURE_HZ = 30.0
SKIPPED = 5  # frames at the start of a clip, which may be the T-pose
LEAST_FRAMES = 75
HELD_S, LOW_S = 0.7, 0.6  # longer in the air, or as low as on a chair: something is missing under the person
AIR, LOW = 0.17, 0.62  # leg lengths: both feet that high over the floor; hips that little over the ankles
STEADY, NEAR_FLOOR = 0.75, 0.07  # a foot stands when slower (leg lengths a second) and nearer to the floor than this
BALL = np.array([0.0, -0.055, 0.16])  # of the foot from the ankle, leg lengths
SMALL_PITCH_DEG = 9.0
FOOT_ASIDE_DEG = 65.0  # that a foot may point away from the pelvis
JERK_DEG = 60.0  # a trunk that turns further from frame to frame was not captured well
FINGERS = ("relaxed", "relaxed", "cup", "open", "fist")


@dataclass(frozen=True)
class MocapClip:
    """joints: index of a name; rotation f64 [T,J,3,3] and position f64 [T,J,3], global, any length unit."""

    joints: dict[str, int]
    rotation: np.ndarray
    position: np.ndarray

    def place(self, joint: str) -> np.ndarray:
        """Positions of a joint, f64 [T, 3]."""
        return self.position[:, self.joints[joint]]

    @property
    def leg(self) -> float:
        """Hip to ankle along the bones."""
        return self._bones("lThigh", "lShin", "lFoot")

    @property
    def arm(self) -> float:
        """Shoulder to wrist along the bones."""
        return self._bones("lShldr", "lForeArm", "lHand")

    def floor(self) -> float:
        """Height of the ankles when they stand."""
        return float(np.percentile(np.minimum(self.place("lFoot")[:, 1], self.place("rFoot")[:, 1]), 5))

    def _bones(self, *names: str) -> float:
        places = [self.position[0, self.joints[name]] for name in names]
        return float(sum(np.linalg.norm(b - a) for a, b in zip(places, places[1:], strict=False)))


class MocapLibrary:
    """The clips of one file, read on request. sha256 names the file in keys."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        skeleton = self.path.with_name(self.path.stem + "_skeleton.json")
        try:
            self._skeleton = json.loads(skeleton.read_text())
            self._arrays = np.load(self.path, allow_pickle=False)
            digest = hashlib.sha256(self.path.read_bytes() + skeleton.read_bytes()).hexdigest()
        except (OSError, ValueError) as error:
            raise InputError(f"{self.path}: not a motion file with {skeleton.name} beside it ({error})") from None
        self.sha256 = digest
        self.names = tuple(sorted(name for name in self._arrays.files if not name.endswith("_r")))
        if not self.names:
            raise InputError(f"{self.path}: no motion clips, expected arrays NAME and NAME_r")

    def clip(self, name: str) -> MocapClip:
        """One clip with global rotations and positions."""
        rotation = rotvec_to_matrix(self._arrays[name].astype(np.float64) / 1e4)
        position = np.zeros(rotation.shape[:2] + (3,))
        for joint, (parent, offset) in enumerate(
            zip(self._skeleton["parents"], self._skeleton["offsets"], strict=True)
        ):
            if parent < 0:
                root = self._arrays[name + "_r"].astype(np.float64)
                position[:, joint] = gaussian_filter1d(root, 1.0, axis=0, mode="nearest")  # float16 is coarse
            else:
                position[:, joint] = position[:, parent] + applied(rotation[:, parent], np.array(offset, float))
        joints = {joint: at for at, joint in enumerate(self._skeleton["joints"])}
        return MocapClip(joints, rotation, position)

    @cached_property
    def _usable(self) -> dict[str, tuple[str, ...]]:
        """Names by split, without clips that are too short or need a thing to sit, hang or climb on."""
        kept: dict[str, list[str]] = {"train": [], "test": []}
        for name in self.names:
            if stands_by_itself(self.clip(name)):
                kept[mocap_split(name)].append(name)
        return {split: tuple(names) for split, names in kept.items()}

    def names_for(self, split: str) -> tuple[str, ...]:
        """Clips of a split: those of `test` are kept back from the others. errors  InputError: there is none"""
        names = self._usable["test" if split == "test" else "train"]
        if not names:
            raise InputError(f"{self.path}: no clip of people on their own feet for the split {split}")
        return names


def stands_by_itself(clip: MocapClip) -> bool:
    """True unless the clip is short or jerks, or its person floats longer than a jump or sits on what is not there."""
    if len(clip.position) < LEAST_FRAMES:
        return False
    trunk = clip.rotation[SKIPPED:, [clip.joints["hip"], clip.joints["chest"]]]
    if np.degrees(np.linalg.norm(rotvec(transposed(trunk[:-1]) @ trunk[1:]), axis=-1)).max() > JERK_DEG:
        return False
    feet = np.stack([clip.place("lFoot"), clip.place("rFoot")])[:, SKIPPED:]
    hips = (clip.place("lThigh") + clip.place("rThigh"))[SKIPPED:] / 2
    lowest = feet[..., 1].min(0)
    floats = lowest - clip.floor() > AIR * clip.leg
    behind = np.linalg.norm((feet.mean(0) - hips)[:, [0, 2]], axis=1) > 0.2 * clip.leg
    sits = (hips[:, 1] - lowest < LOW * clip.leg) & behind
    return _longest(floats) < HELD_S * CAPTURE_HZ and _longest(sits) < LOW_S * CAPTURE_HZ


class MocapMotion(Motion):
    """A stretch of a mocap clip on one person, turned to face the camera at its start."""

    FACE_HEAD_SHARE = 0.4  # the captured head moves by itself

    def __init__(
        self, character: Character, rng: np.random.Generator, duration_s: float, clip: MocapClip, *, framing: str
    ) -> None:
        self._clip = clip
        super().__init__(character, rng, duration_s, "mocap", framing=framing)

    def _plan(self, rng: np.random.Generator, duration_s: float, split: str, framing: str) -> Plan:
        clip = self._clip
        plan = standing(duration_s)
        frames = len(clip.position)
        needed = int(np.ceil(duration_s * CAPTURE_HZ)) + 2
        first = SKIPPED + rng.random() * max(frames - needed - SKIPPED, 0)
        rows = np.clip(first + plan.time_s * CAPTURE_HZ, SKIPPED, frames - 1.001)
        low, share = rows.astype(int), (rows % 1)[:, None, None]
        position = clip.position[low] * (1 - share) + clip.position[low + 1] * share
        rotation = orthonormal(clip.rotation[low] * (1 - share[..., None]) + clip.rotation[low + 1] * share[..., None])
        start = int(LEAD_S * RATE_HZ)
        ahead = rotation[start, 0, :, 2]
        world = turn(0.0, float(np.degrees(-np.arctan2(ahead[0], ahead[2])) + rng.normal(0, 16)), 0.0)
        at = clip.joints
        hips = (position[:, at["lThigh"]] + position[:, at["rThigh"]]) / 2
        seen = hips[start : start + int(duration_s * RATE_HZ) + 1]
        origin = (seen.min(0) + seen.max(0)) / 2
        origin[1] = clip.floor()
        position = (position - origin) @ world.T / clip.leg
        rotation = world @ rotation
        _body(plan, position, rotation, at)
        for index, letter in ((0, "l"), (1, "r")):
            _foot(plan, index, position[:, at[letter + "Foot"]], rotation[:, at[letter + "Foot"]])
            _arm(plan, index, position, rotation, at, letter, clip.leg / clip.arm)
            plan.fingers[:, index] = wander(rng, plan.time_s, partial(_finger_poses, rng), 0.8, 2.5)
        plan.head_deg += self.face.head_deg
        plan.head_deg = np.clip(plan.head_deg, [-50, -72, -35], [50, 72, 35])
        return plan


def _finger_poses(rng: np.random.Generator, count: int) -> np.ndarray:
    """Random hands, f64 [count, 13]."""
    poses = np.array([FINGER_POSES[name] for name in FINGERS], float)
    return poses[rng.integers(0, len(poses), count)] * rng.uniform(0.7, 1.2, (count, 1))


def _body(plan: Plan, position: np.ndarray, rotation: np.ndarray, at: dict[str, int]) -> None:
    """Hips, trunk and head."""
    hips = (position[:, at["lThigh"]] + position[:, at["rThigh"]]) / 2
    plan.hip_xz[:] = hips[:, [0, 2]]
    plan.drop[:] = STRAIGHT - hips[:, 1]
    plan.pelvis_turn, plan.chest_turn = rotation[:, 0], rotation[:, at["chest"]]
    plan.heading_deg[:] = np.degrees(np.unwrap(np.radians(turn_angles_deg(rotation[:, 0])[:, 1])))
    plan.head_deg[:] = turn_angles_deg(transposed(plan.chest_turn) @ rotation[:, at["head"]])


def _foot(plan: Plan, index: int, ankle: np.ndarray, rotation: np.ndarray) -> None:
    """One foot as a flat place, yaw, pitch and lift; while it stands, place and yaw are held and it is on the floor."""
    pitch, yaw, _ = turn_angles_deg(rotation).T
    aside = (yaw - plan.heading_deg + 180) % 360 - 180  # feet of captured dancers now and then turn half round at once
    yaw = plan.heading_deg + gaussian_filter1d(np.clip(aside, -FOOT_ASIDE_DEG, FOOT_ASIDE_DEG), 2.5)
    pitch = gaussian_filter1d(pitch, 1.5)
    ball = ankle + applied(rotation, BALL)
    place = ball[:, [0, 2]] - turned_xz(BALL[[0, 2]], yaw)
    height = ball[:, 1] - BALL[1]
    height = np.maximum(height - np.percentile(height, 4), 0)
    speed = np.linalg.norm(np.gradient(gaussian_filter1d(ball, 2, axis=0), 1 / RATE_HZ, axis=0), axis=1)
    slow = np.pad((speed < STEADY) & (height < NEAR_FLOOR), 9, mode="edge")
    stands = binary_opening(binary_closing(slow, np.ones(5)), np.ones(7))[9:-9]
    pitch = np.sign(pitch) * np.maximum(np.abs(pitch) - SMALL_PITCH_DEG, 0)
    held = np.concatenate([place, yaw[:, None], height[:, None]], axis=1)
    gap = np.zeros_like(held)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], stands.astype(int), [0]]))).reshape(-1, 2)
    for first, end in edges:
        gap[first:end, :3] = np.median(held[first:end, :3], axis=0) - held[first:end, :3]
        gap[first:end, 3] = -held[first:end, 3]
    if len(edges):
        gap[: edges[0, 0]], gap[edges[-1, 1] :] = gap[edges[0, 0]], gap[edges[-1, 1] - 1]
    for (_, end), (after, _) in zip(edges[:-1], edges[1:], strict=True):
        share = ease((np.arange(end, after) - end + 1) / (after - end + 1))[:, None]
        gap[end:after] = gap[end - 1] + (gap[after] - gap[end - 1]) * share
    held += gap
    plan.foot_xz[:, index], plan.foot_yaw_deg[:, index] = held[:, :2], held[:, 2]
    plan.lift[:, index] = np.maximum(held[:, 3], 0)
    plan.foot_pitch_deg[:, index] = np.clip(pitch, -30, 60)
    plan.planted[:, index] = stands


def _arm(plan: Plan, index: int, position, rotation, at: dict[str, int], letter: str, legs_per_arm: float) -> None:
    """One arm: wrist from the shoulder, where the elbow points, where the palm faces."""
    mirror = np.array([SIDES[index][1], 1.0, 1.0])
    shoulder, elbow, wrist = (position[:, at[letter + name]] for name in ("Shldr", "ForeArm", "Hand"))
    back = transposed(plan.chest_turn)
    plan.anchor[:, index] = 0
    plan.anchor[:, index, ANCHOR["shoulder"]] = 1
    plan.reach[:, index] = applied(back, wrist - shoulder) * mirror * legs_per_arm
    along = unit(wrist - shoulder)
    bend = elbow - shoulder - along * np.sum((elbow - shoulder) * along, axis=-1, keepdims=True)
    usual = applied(plan.chest_turn, np.array([0.3, -0.7, -0.6]) * mirror)
    pole = bend * legs_per_arm + 0.04 * usual
    if plan.elbow_pole is None:
        plan.elbow_pole = np.zeros((len(pole), 2, 3))
    plan.elbow_pole[:, index] = gaussian_filter1d(unit(pole), 3, axis=0)
    palm = applied(back, applied(rotation[:, at[letter + "Hand"]], np.array([0.0, -1.0, 0.0]))) * mirror
    plan.palm[:, index] = gaussian_filter1d(palm, 3, axis=0)


def _longest(flags: np.ndarray) -> int:
    """Length of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]]))).reshape(-1, 2)
    return int((edges[:, 1] - edges[:, 0]).max()) if len(edges) else 0
