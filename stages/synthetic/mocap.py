"""Motion capture on a synthetic person: bone directions are copied, face, hands and gaze stay procedural.

The file is an .npz of int16 rotation vectors x 1e4 `CLIP` [T, J, 3] and root positions `CLIP_r` [T, 3] at 30 Hz, with
`NAME_skeleton.json` beside it (joints, parents, offsets). Joint names are those of the CMU BVH files.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.core.errors import InputError
from stages.core.geometry import rotvec_to_matrix
from stages.synthetic.body_motion import NECK_SHARES, Motion, MotionFrame, with_gaze
from stages.synthetic.plan import SIDES
from stages.synthetic.solver import SPINE
from stages.synthetic.character import Character
from stages.synthetic.rotation import about, between, from_rotvec, rotvec, turn

RATE_HZ = 30.0
HELD_HAND_SHARE = 0.8
COLLAR_SHARE = 0.5


@dataclass(frozen=True)
class MocapClip:
    """joints: index of a name; rotation f64 [T,J,3,3] and position f64 [T,J,3], global, any length unit."""

    joints: dict[str, int]
    rotation: np.ndarray
    position: np.ndarray


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
        local = rotvec_to_matrix(self._arrays[name].astype(np.float64) / 1e4)
        position = np.zeros(local.shape[:2] + (3,))
        rotation = local.copy()
        for joint, (parent, offset) in enumerate(
            zip(self._skeleton["parents"], self._skeleton["offsets"], strict=True)
        ):
            if parent < 0:
                position[:, joint] = self._arrays[name + "_r"]
            else:
                rotation[:, joint] = rotation[:, parent] @ local[:, joint]
                position[:, joint] = position[:, parent] + rotation[:, parent] @ np.array(offset, float)
        joints = {joint: at for at, joint in enumerate(self._skeleton["joints"])}
        return MocapClip(joints, rotation, position)


class MocapMotion(Motion):
    """A stretch of a mocap clip on one person, turned to face the camera at its start, feet put on the ground."""

    def __init__(
        self, character: Character, rng: np.random.Generator, duration_s: float, clip: MocapClip, *, framing: str
    ) -> None:
        from scipy.ndimage import gaussian_filter1d

        super().__init__(character, rng, duration_s, "idle", framing=framing)
        self.clip = clip
        frames = len(clip.position)
        needed = int(duration_s * RATE_HZ) + 2
        self.first = int(rng.integers(5, max(6, frames - needed)))
        self.first = min(self.first, frames - 2)
        hips = clip.position[:, 0]
        leg = self._length("lThigh", "lShin") + self._length("lShin", "lFoot")
        self.scale = (self.lengths["thigh"] + self.lengths["shin"]) / leg
        forward = clip.rotation[self.first, 0] @ np.array([0, 0, 1.0])
        heading_deg = np.degrees(-np.arctan2(forward[0], forward[2]) + rng.normal(0, 0.25))
        self.world = turn(0, float(heading_deg), 0)
        self.floor = clip.position[:, [clip.joints["lFoot"], clip.joints["rFoot"]], 1].min()
        follows = rng.random() < 0.85  # the camera follows a slow hip; else it stays where the clip began
        self.anchor = gaussian_filter1d(hips, 12, axis=0) if follows else np.tile(hips[self.first], (frames, 1))

    def frame(self, time_s: float) -> MotionFrame:
        """The pose at a time in seconds; beyond the clip's end the last frame stands."""
        at = min(self.first + time_s * RATE_HZ, len(self.clip.position) - 1.001)
        low, share = int(at), at - int(at)
        blend = (1 - share, share)
        position = (blend[0] * self.clip.position[low] + blend[1] * self.clip.position[low + 1]) @ self.world.T
        anchor = self.world @ (blend[0] * self.anchor[low] + blend[1] * self.anchor[low + 1])
        rotation = self.world @ self.clip.rotation[low]
        index = self.clip.joints
        root = rotation[0]
        rotations = {"root": root}
        bend = from_rotvec(rotvec(root.T @ rotation[index["chest"]]) / 5)
        rotations.update({bone: bend for bone in SPINE})
        chest = root @ np.linalg.matrix_power(bend, 5)
        head = rotvec(chest.T @ rotation[index["head"]])
        extra = self.tracks["head"](time_s) * 0.35
        for bone, _ in NECK_SHARES:
            share_of_turn = 0.4 if bone == "head" else 0.2
            rotations[bone] = from_rotvec(head * share_of_turn) @ turn(*(extra * share_of_turn))
        for side, sign in SIDES:
            self._captured_arm(rotations, side, sign, chest, position, rotation)
            self._fingers(rotations, side, sign, self.tracks["curl" + side](time_s) * HELD_HAND_SHARE)
            self._captured_leg(rotations, side, root, position, rotation)
        shift = (position[0] - anchor) * self.scale
        shift[1] = self._height(rotations, position)
        face = self.face(time_s)
        return MotionFrame(rotations, with_gaze(rotations, face, self.character.assets.arkit_names), shift, face)

    def _captured_arm(self, rotations, side: str, sign: int, chest: np.ndarray, position, rotation) -> None:
        joint, index, low = self.character.joint, self.clip.joints, side.lower()
        collar = from_rotvec(rotvec(chest.T @ rotation[index[low + "Collar"]]) * COLLAR_SHARE)
        rotations["clavicle." + side] = collar
        world = chest @ collar
        upper = world.T @ (position[index[low + "ForeArm"]] - position[index[low + "Shldr"]])
        rotations["upperarm01." + side] = between(joint("lowerarm01." + side) - joint("upperarm01." + side), upper)
        lower = (world @ rotations["upperarm01." + side]).T @ (
            position[index[low + "Hand"]] - position[index[low + "ForeArm"]]
        )
        forearm = joint("wrist." + side) - joint("lowerarm01." + side)
        rotations["lowerarm01." + side] = between(forearm, lower)
        half_twist = about(forearm / np.linalg.norm(forearm), 75.0 * sign * 0.5)
        rotations["lowerarm02." + side] = rotations["wrist." + side] = half_twist

    def _captured_leg(self, rotations, side: str, root: np.ndarray, position, rotation) -> None:
        joint, index, low = self.character.joint, self.clip.joints, side.lower()
        thigh = root.T @ (position[index[low + "Shin"]] - position[index[low + "Thigh"]])
        rotations["upperleg01." + side] = between(joint("lowerleg01." + side) - joint("upperleg01." + side), thigh)
        shin = (root @ rotations["upperleg01." + side]).T @ (
            position[index[low + "Foot"]] - position[index[low + "Shin"]]
        )
        rotations["lowerleg01." + side] = between(joint("foot." + side) - joint("lowerleg01." + side), shin)
        so_far = root @ rotations["upperleg01." + side] @ rotations["lowerleg01." + side]
        rotations["foot." + side] = so_far.T @ rotation[index[low + "Foot"]]

    def _height(self, rotations: dict[str, np.ndarray], position: np.ndarray) -> float:
        """Vertical shift of the root that puts the lower ankle as high above the floor as captured (at most 6 dm)."""
        transforms = self.character.transforms(rotations, np.zeros(3))
        bones = self.character.assets.bone_index
        ankles = [
            (transforms[bones[name], :, :3] @ self.character.joint(name) + transforms[bones[name], :, 3])[1]
            for name in ("foot.L", "foot.R")
        ]
        index = self.clip.joints
        captured = min(position[index["lFoot"]][1], position[index["rFoot"]][1]) - self.floor
        lift = min(max(captured * self.scale, 0.0), 6.0)
        return float(self.character.joint("foot.L")[1] - min(ankles) + lift)

    def _length(self, start: str, end: str) -> float:
        first = self.clip.position[0]
        return float(np.linalg.norm(first[self.clip.joints[start]] - first[self.clip.joints[end]]))
