"""Other pictures of a clip's person: from all around, and standing in an A-pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.synthetic.body_motion import FaceState, Motion, MotionFrame
from stages.synthetic.camera import Camera, CameraDraw, still_camera
from stages.synthetic.character import BODY_VERTICES, Character
from stages.synthetic.expressions import VISEME_NAMES

A_POSE_FOV_DEG = 25.0
A_POSE_ROOM = 1.15  # visible height over the person's
A_POSE_GREY_U8 = 200
_HEAD_BONES, _LEG_BONES = ("head", "neck", "jaw", "eye"), ("upperleg", "lowerleg", "foot", "toe")


@dataclass(frozen=True)
class RestMotion:
    """A person who stands in the rest pose of the rig, arms out and down, with a face at rest."""

    expression_names: tuple[str, ...]

    def frame(self, time_s: float) -> MotionFrame:
        """The same at every time."""
        face = FaceState(np.zeros(len(self.expression_names)), np.zeros(len(VISEME_NAMES)), np.zeros(2))
        return MotionFrame({}, dict.fromkeys(self.expression_names, 0.0), np.zeros(3), face)


@dataclass(frozen=True)
class Around:
    """A camera that stands still at one of `count` directions around the person, as its framing asks."""

    number: int
    count: int
    draws: np.ndarray
    time_s: float

    @classmethod
    def drawn(cls, rng: np.random.Generator, number: int, count: int, time_s: float) -> Around:
        """Random numbers of view `number`: direction within its share of the circle, elevation, lens, room."""
        return cls(number, count, rng.random(4), time_s)

    def place(self, draw: CameraDraw, character: Character, motion: Motion) -> Camera:
        """The camera for a person at the view's time. Draws do not depend on the body."""
        frame = motion.frame(self.time_s)
        transforms = character.transforms(frame.rotations, frame.root_shift_dm)[:-1]
        bones = np.einsum("bij,bj->bi", transforms[:, :, :3], character.tail_dm) + transforms[:, :, 3]
        shown = [at for at, name in enumerate(character.assets.bone_names) if _shown(name, draw.framing)]
        low, high = bones[shown].min(0), bones[shown].max(0)
        turn, rise, lens, room = self.draws
        azimuth = 2 * np.pi * (self.number + turn - 0.5) / self.count
        elevation = np.radians(-8 + 28 * rise)
        fov = 18 + 20 * lens
        reach = float(np.linalg.norm(high - low)) / 2 + {"portrait": 1.3, "half": 1.2, "full": 1.5}[draw.framing]
        distance = reach * (1.0 + 0.2 * room) / np.sin(np.radians(fov) / 2)
        towards = np.array(
            [np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)]
        )
        target = (low + high) / 2
        return still_camera(float(fov), target, target + distance * towards)


def a_pose_camera(character: Character) -> Camera:
    """Straight in front of a person who stands at rest, from head to soles."""
    body_y = character.rest_dm[:BODY_VERTICES, 1]
    reach = np.abs(character.rest_dm[:BODY_VERTICES, 0]).max()
    half = max(float(body_y.max() - body_y.min()) / 2, float(reach)) * A_POSE_ROOM
    target = np.array([0.0, float(body_y.max() + body_y.min()) / 2, 0.0])
    eye = target + np.array([0.0, 0.0, half / np.tan(np.radians(A_POSE_FOV_DEG) / 2)])
    return still_camera(A_POSE_FOV_DEG, target, eye)


def _shown(bone: str, framing: str) -> bool:
    if framing == "portrait":
        return bone.startswith(_HEAD_BONES)
    return framing == "full" or not bone.startswith(_LEG_BONES)
