"""clip(assets, seed, ...): frames and every truth of one synthetic person, in memory. Usable from worker processes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from stages.core.errors import UsageError
from stages.core.rng import numpy_rng
from stages.synthetic.assets import Assets
from stages.synthetic.background import Background, Seen, draw_background, draw_kind
from stages.synthetic.body_motion import STYLE_CHOICES, Motion
from stages.synthetic.camera import NEAREST_HAND, Camera, draw_camera, place_camera
from stages.synthetic.canvas import composed, face_affine, face_crop, project, shrunk
from stages.synthetic.character import BODY_VERTICES, About, Character
from stages.synthetic.far_images import PhotoFolder
from stages.synthetic.identity import identity
from stages.synthetic.light import draw_light, place_light
from stages.synthetic.look import Look, choose_look
from stages.synthetic.mocap import MocapLibrary, MocapMotion
from stages.synthetic.panoramas import Panoramas
from stages.synthetic.props import draw_held, draw_occluder
from stages.synthetic.renderer import Light, Renderer
from stages.synthetic.seeds import ClipSeeds
from stages.synthetic.shadows import ShadowMap, body_balls, shadowed
from stages.synthetic.truth import JointReader, visible

MOTION_S = 4.0
MOCAP_SHARE = 0.5
TEXTURE_HALVINGS = {"full": 2, "half": 2, "portrait": 1}  # for a canvas of 256 samples


@dataclass(frozen=True)
class SyntheticClip:
    """T frames of one person with all truth. Pixels: centre of the top-left pixel = (0, 0); camera axes, metres.

    frames_u8 [T,S,S,3] RGB   face_crops_u8 [T,64,64,3]   face_affine f32 [T,2,3] picture px -> crop px
    joints_px f32 [T,25,2]   joints_m f32 [T,25,3] from the pelvis   transl_m f32 [T,3] pelvis
    joint_visible bool [T,25]
    hands_px f32 [T,2,21,2], left first   hands_m f32 [T,2,21,3] from the wrist   hand_visible bool [T,2,21]
    R_cam_head f32 [T,3,3]   head_center_px f32 [T,2]   head_center_m f32 [T,3]   head_radius_px f32 [T]
    expression f32 [T,52] 0..1, ARKit names alphabetical   viseme f32 [T,15]
    gaze_rad f32 [T,2] yaw, pitch against the head
    mask u8 [T,S,S] of parts.MASK_NAMES   K_px f64 [3,3]   world_to_camera f64 [T,3,4] metres   times_s f64 [T]
    rest_joints_m f32 [25,3]: joints of the rest pose, for bone lengths
    references: the same person and camera at other times, or None
    """

    seeds: ClipSeeds
    framing: str
    style: str
    background: str
    fps: float
    about: About
    head_radius_m: float
    height_m: float
    K_px: np.ndarray
    rest_joints_m: np.ndarray
    times_s: np.ndarray
    frames_u8: np.ndarray
    face_crops_u8: np.ndarray
    face_affine: np.ndarray
    joints_px: np.ndarray
    joints_m: np.ndarray
    transl_m: np.ndarray
    joint_visible: np.ndarray
    hands_px: np.ndarray
    hands_m: np.ndarray
    hand_visible: np.ndarray
    R_cam_head: np.ndarray
    head_center_px: np.ndarray
    head_center_m: np.ndarray
    head_radius_px: np.ndarray
    expression: np.ndarray
    viseme: np.ndarray
    gaze_rad: np.ndarray
    mask: np.ndarray
    world_to_camera: np.ndarray
    references: SyntheticClip | None = None


@dataclass(frozen=True)
class Scene:
    """Everything of a clip that stands before the first frame is drawn."""

    character: Character
    reader: JointReader
    motion: Motion
    camera: Camera
    light: Light
    background: Background
    still: Seen
    look: Look
    grip: dict[str, np.ndarray]


@dataclass(frozen=True)
class Shot:
    """One frame as drawn: canvas_u8 [C,C,3], depth_m f32 [C,C], part_id u8 [C,C] with all samples.

    values   truth by name
    flow_px  f32 [S,S,2] from this frame to the next, or None where it is not known
    """

    canvas_u8: np.ndarray
    depth_m: np.ndarray
    part_id: np.ndarray
    values: dict[str, np.ndarray]
    flow_px: np.ndarray | None = None


class Studio:
    """Makes clips of one picture size. State: render buffers, decoded textures, the last person.

    size         side of the pictures; supersample: samples per pixel and axis
    mocap        library for half of the half and full body clips, or None for procedural motion only
    photos, panoramas  backdrops besides the procedural ones, or None
    """

    def __init__(
        self,
        assets: Assets,
        size: int = 128,
        *,
        supersample: int = 2,
        mocap: MocapLibrary | None = None,
        photos: PhotoFolder | None = None,
        panoramas: Panoramas | None = None,
    ) -> None:
        if size < 8 or supersample < 1:
            raise UsageError(f"size {size}, supersample {supersample}: expected 8 or more, 1 or more")
        self.assets = assets
        self.size = size
        self.supersample = supersample
        self.mocap = mocap
        self.photos = photos
        self.panoramas = panoramas
        self.canvas = size * supersample
        self._renderer = Renderer(assets, self.canvas, shadow_size=int(np.clip(self.canvas, 256, 1024)))
        self._person: Character | None = None

    def clip(
        self,
        seeds: ClipSeeds | int,
        *,
        frames: int = 17,
        references: int = 0,
        fps: float = 24.0,
        framing: str = "mix",
        style: str | None = None,
        talking: bool | None = None,
        look: str = "drawn",
    ) -> SyntheticClip:
        """One clip; the same bytes for the same arguments, assets and GENERATOR_VERSION.

        seeds       of the clip, or one seed for everything
        frames      T, contiguous at `fps` somewhere in a motion of 4 s (or longer if T needs it)
        references  R frames at other times of the same motion
        framing     mix, portrait, half or full;  style, talking: None = at random
        look        drawn (lens, film, compression, now and then a cartoon) or plain (as rendered)
        errors      UsageError: no frames, unknown framing or style
        """
        seeds = ClipSeeds.of(seeds) if isinstance(seeds, int) else seeds
        _check(frames, references, fps, framing, style)
        duration = max(MOTION_S, frames / fps)
        scene, draw_framing, style = self._scene(seeds, duration, framing, style, talking, look)
        rng = numpy_rng(seeds.motion, "synthetic", "clip", "times")
        times = rng.uniform(0, duration - frames / fps) + np.arange(frames) / fps
        reference_times = (np.arange(references) + rng.random(references)) * duration / max(references, 1)
        common = {
            "seeds": seeds,
            "framing": draw_framing,
            "style": style,
            "background": scene.background.kind,
            "fps": float(fps),
            "about": scene.character.about,
            "head_radius_m": scene.reader.head_radius_m,
            "height_m": scene.character.height_dm / 10,
            "K_px": scene.camera.K_px(self.size),
            "rest_joints_m": scene.reader.rest_m().astype(np.float32),
        }
        other = self._shoot(scene, reference_times, common, None) if references else None
        return self._shoot(scene, times, common, other)

    def _scene(
        self, seeds: ClipSeeds, duration_s: float, framing: str, style: str | None, talking: bool | None, look: str
    ) -> tuple[Scene, str, str]:
        def rng(seed: int, purpose: str) -> np.random.Generator:
            return numpy_rng(seed, "synthetic", "clip", purpose)

        if self._person is None or self._person.about.seed != seeds.identity:
            self._person = identity(self.assets, seeds.identity)
        person = self._person
        draw = draw_camera(rng(seeds.camera, "camera"), framing)
        motion_rng = rng(seeds.motion, "motion")
        drawn_style = str(motion_rng.choice(STYLE_CHOICES[draw.framing]))
        captured = motion_rng.random() < MOCAP_SHARE and draw.framing != "portrait" and style is None
        style = style or drawn_style
        if captured and self.mocap is not None:
            style = self.mocap.names[motion_rng.integers(len(self.mocap.names))]
            motion = MocapMotion(person, motion_rng, duration_s, self.mocap.clip(style), framing=draw.framing)
            style = f"mocap {style}"
        else:
            forward = draw.distance_dm(person) * NEAREST_HAND if draw.framing == "portrait" else np.inf
            motion = Motion(
                person, motion_rng, duration_s, style, framing=draw.framing, max_forward_dm=forward, talking=talking
            )
        camera = place_camera(draw, person, motion, duration_s)
        body_y = person.rest_dm[:BODY_VERTICES, 1]
        kind = draw_kind(
            rng(seeds.background, "background kind"),
            draw.framing,
            photos=self.photos is not None,
            panoramas=self.panoramas is not None,
        )
        light_draw = draw_light(rng(seeds.light, "light"), outside=kind == "outdoors")
        background = draw_background(
            rng(seeds.background, "background"),
            kind,
            self.size,
            camera,
            float(body_y.min()),
            key=light_draw.key,
            photos=self.photos,
            panoramas=self.panoramas,
        )
        still = background.seen(camera.view(0.0))
        portrait = draw.framing == "portrait"
        middle_y = camera.target_dm[1] if portrait else float(body_y.max() + body_y.min()) / 2
        light = place_light(light_draw, still.rgb_u8, np.array([0, middle_y, 0]), 4.2 if portrait else 11.0)
        halvings = TEXTURE_HALVINGS[draw.framing] + round(math.log2(256 / self.canvas))
        held = draw_held(rng(seeds.motion, "held"), person)
        extra = [
            *held.parts,
            *draw_occluder(rng(seeds.background, "occluder"), self.assets, draw.framing, camera, float(body_y.min())),
        ]
        person = person.with_parts(extra) if extra else person  # the kept person stays without
        self._renderer.load(person, texture_halvings=int(np.clip(halvings, 0, 3)))
        chosen = choose_look(look, rng(seeds.camera, "look"), draw.framing)
        scene = Scene(person, JointReader(person), motion, camera, light, background, still, chosen, held.grip)
        return scene, draw.framing, style

    def _shoot(
        self, scene: Scene, times_s: np.ndarray, common: dict, references: SyntheticClip | None
    ) -> SyntheticClip:
        """Draw all frames, then finish the pictures and take the small ones from them."""
        shots = [self._shot(scene, float(time), common["K_px"]) for time in times_s]
        exposure = scene.look.metered(shots[0].canvas_u8, shots[0].part_id)
        rows = [self._finished(shot, scene.look, number, exposure) for number, shot in enumerate(shots)]
        stacked = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        return SyntheticClip(**common, **stacked, times_s=np.asarray(times_s, np.float64), references=references)

    def _finished(self, shot: Shot, look: Look, number: int, exposure: float) -> dict[str, np.ndarray]:
        """One frame's arrays, by their names in SyntheticClip."""
        focus_m = float(shot.values["head_center_m"][2])
        step = self.supersample
        canvas = look.apply(
            shot.canvas_u8,
            shot.depth_m,
            shot.part_id,
            shot.flow_px,
            focus_m=focus_m,
            step=step,
            exposure=exposure,
        )
        return {
            **shot.values,
            "frames_u8": look.finish(shrunk(canvas, step), number),
            "face_crops_u8": look.finish(face_crop(canvas, shot.values["face_affine"], step), number),
        }

    def _shot(self, scene: Scene, time_s: float, K_px: np.ndarray) -> Shot:
        """One frame as drawn, with its truth."""
        motion = scene.motion.frame(time_s)
        pose = scene.character.pose({**motion.rotations, **scene.grip}, motion.expression, motion.root_shift_dm)
        view = scene.camera.view(time_s)
        root = scene.character.assets.bone_index["root"]
        light = scene.light.moved((pose.head_dm[root] - scene.character.head_dm[root]) * np.array([1, 0, 1]))
        picture = self._renderer.draw(scene.character, view, light)
        moving = scene.camera.moves and scene.background.moves
        seen = scene.background.seen(view) if moving else scene.still
        shadow = ShadowMap(picture.shadow_depth, picture.shadow_matrix)
        balls = body_balls(pose.head_dm, scene.character.assets.bone_index)
        behind = shadowed(seen, view, light, shadow, balls, scene.background.shadow_strength)
        truth = scene.reader.read(pose, view.world_to_view)
        behind = scene.look.defocused(behind, seen.distance_dm, truth.head_center_m[2] * 10)
        canvas = composed(picture.rgb_u8, picture.part_id, behind)
        step = self.supersample
        middle = slice(step // 2, None, step)
        body_px, hands_px = project(truth.body_m, K_px), project(truth.hands_m, K_px)
        points_m = np.concatenate([truth.body_m, truth.hands_m.reshape(-1, 3)])
        points_px = np.concatenate([body_px, hands_px.reshape(-1, 2)])
        seen = visible(points_m, points_px, picture.depth_m[middle, middle], scene.reader.thickness_m)
        radius_px = scene.reader.head_radius_m / truth.head_center_m[2] * K_px[0, 0]
        affine = face_affine(project(truth.face_center_m, K_px), radius_px)
        pelvis = truth.body_m[-1]
        to_camera = np.diag([1.0, -1.0, -1.0]) @ view.world_to_view[:3]
        to_camera[:, 3] /= 10
        face = motion.face
        values = {
            "joints_px": body_px,
            "joints_m": truth.body_m - pelvis,
            "transl_m": pelvis,
            "hands_px": hands_px,
            "hands_m": truth.hands_m - truth.hands_m[:, :1],
            "R_cam_head": truth.R_cam_head,
            "head_center_px": project(truth.head_center_m, K_px),
            "head_center_m": truth.head_center_m,
            "head_radius_px": radius_px,
            "expression": list(motion.expression.values()),
            "viseme": face.viseme,
            "gaze_rad": np.radians(face.gaze_deg),
            "face_affine": affine,
        }
        exact = {
            **{name: np.asarray(value, np.float32) for name, value in values.items()},
            "joint_visible": seen[: len(body_px)],
            "hand_visible": seen[len(body_px) :].reshape(2, -1),
            "mask": picture.part_id[middle, middle].copy(),
            "world_to_camera": to_camera,
        }
        return Shot(canvas, picture.depth_m, picture.part_id, exact)


def clip(
    assets: Assets, seed: ClipSeeds | int, *, size: int = 128, mocap: MocapLibrary | None = None, **options
) -> SyntheticClip:
    """One clip without keeping a Studio; `options` as in Studio.clip."""
    return Studio(assets, size, mocap=mocap).clip(seed, **options)


def _check(frames: int, references: int, fps: float, framing: str, style: str | None) -> None:
    if frames < 1 or references < 0 or fps <= 0:
        raise UsageError(
            f"frames {frames}, references {references}, fps {fps}: expected at least 1, 0, and more than 0"
        )
    if framing != "mix" and framing not in STYLE_CHOICES:
        raise UsageError(f"framing: found {framing!r}, expected mix, portrait, half or full")
    if style is not None and style not in STYLE_CHOICES["full"]:
        raise UsageError(f"style: found {style!r}, expected one of {', '.join(STYLE_CHOICES['full'])}")
