"""clip(assets, seed, ...): frames and every truth of one synthetic person, in memory. Usable from worker processes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from stages.core.errors import UsageError
from stages.core.rng import numpy_rng
from stages.synthetic.assets import Assets
from stages.synthetic.background import Background, draw_background
from stages.synthetic.body_motion import STYLE_CHOICES, Motion, MotionFrame
from stages.synthetic.camera import NEAREST_HAND, Camera, draw_camera, place_camera
from stages.synthetic.canvas import face_crop, shrunk
from stages.synthetic.character import BODY_VERTICES, Character, Pose
from stages.synthetic.clip_data import SyntheticClip
from stages.synthetic.extra_views import A_POSE_GREY_U8, Around, RestMotion, a_pose_camera
from stages.synthetic.flow import Behind, Flow, FlowReader, Shown
from stages.synthetic.frame_truth import camera_from_world, frame_truth
from stages.synthetic.identity import identity
from stages.synthetic.light import draw_light
from stages.synthetic.mocap import MocapLibrary, MocapMotion
from stages.synthetic.renderer import Light, Renderer, View
from stages.synthetic.seeds import ClipSeeds
from stages.synthetic.truth import JointReader

MOTION_S = 4.0
MOCAP_SHARE = 0.5
TEXTURE_HALVINGS = {"full": 2, "half": 2, "portrait": 1}  # for a canvas of 256 samples


@dataclass(frozen=True)
class Scene:
    """Everything of a clip that stands before the first frame is drawn."""

    character: Character
    reader: JointReader
    motion: Motion
    camera: Camera
    light: Light
    background: Background
    still_u8: np.ndarray


@dataclass(frozen=True)
class Shot:
    """One frame as drawn. canvas_u8 [C,C,3] and depth_m f32 [C,C] with all samples; values: truth by name.

    shown  the surface points of its pixels;  behind  what is known of the background;  flow  None if no frame follows
    """

    canvas_u8: np.ndarray
    depth_m: np.ndarray
    shown: Shown
    behind: Behind
    values: dict[str, np.ndarray]
    flow: Flow | None = None


class Studio:
    """Makes clips of one picture size. State: render buffers, decoded textures, the last person.

    size         side of the pictures; supersample: samples per pixel and axis
    mocap        library for half of the half and full body clips, or None for procedural motion only
    """

    def __init__(
        self, assets: Assets, size: int = 128, *, supersample: int = 2, mocap: MocapLibrary | None = None
    ) -> None:
        if size < 8 or supersample < 1:
            raise UsageError(f"size {size}, supersample {supersample}: expected 8 or more, 1 or more")
        self.assets = assets
        self.size = size
        self.supersample = supersample
        self.mocap = mocap
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
        views: int = 0,
        a_pose: bool = False,
    ) -> SyntheticClip:
        """One clip; the same bytes for the same arguments, assets and GENERATOR_VERSION.

        seeds       of the clip, or one seed for everything
        frames      T, contiguous at `fps` somewhere in a motion of 4 s (or longer if T needs it)
        references  R frames at other times of the same motion
        framing     mix, portrait, half or full;  style, talking: None = at random
        views       N pictures of the person from all around, each with its own motion, light and background
        a_pose      also one of the person standing in an A-pose on a plain background
        errors      UsageError: no frames, unknown framing or style
        """
        seeds = ClipSeeds.of(seeds) if isinstance(seeds, int) else seeds
        _check(frames, references, views, fps, framing, style)
        duration = max(MOTION_S, frames / fps)
        scene, draw_framing, style = self._scene(seeds, duration, framing, style, talking)
        rng = numpy_rng(seeds.motion, "synthetic", "clip", "times")
        times = rng.uniform(0, duration - frames / fps) + np.arange(frames) / fps
        reference_times = (np.arange(references) + rng.random(references)) * duration / max(references, 1)
        common = self._common(scene, seeds, draw_framing, style, fps)
        other = self._shoot(scene, reference_times, common) if references else None
        made = replace(self._shoot(scene, times, common, contiguous=True), references=other)
        around = tuple(self._view(seeds, framing, number, views) for number in range(views))
        return replace(made, views=around, a_pose=self._a_pose(scene, seeds) if a_pose else None)

    def _common(self, scene: Scene, seeds: ClipSeeds, framing: str, style: str, fps: float) -> dict:
        """What all frames of a clip share, by the names of SyntheticClip."""
        return {
            "seeds": seeds,
            "framing": framing,
            "style": style,
            "background": scene.background.kind,
            "fps": float(fps),
            "about": scene.character.about,
            "head_radius_m": scene.reader.head_radius_m,
            "height_m": scene.character.height_dm / 10,
            "K_px": scene.camera.K_px(self.size),
            "rest_joints_m": scene.reader.rest_m().astype(np.float32),
            "rest_smplx_m": scene.reader.rest_smplx_m().astype(np.float32),
        }

    def _view(self, seeds: ClipSeeds, framing: str, number: int, count: int) -> SyntheticClip:
        """The person of a clip from one of `count` sides: another motion, camera, light and background."""
        own = seeds.of_view(number)
        rng = numpy_rng(own.camera, "synthetic", "clip", "view")
        around = Around.drawn(rng, number, count, float(rng.uniform(0, MOTION_S)))
        scene, view_framing, style = self._scene(own, MOTION_S, framing, None, None, around)
        return self._shoot(scene, np.array([around.time_s]), self._common(scene, own, view_framing, style, 1.0))

    def _a_pose(self, scene: Scene, seeds: ClipSeeds) -> SyntheticClip:
        """The person of a scene standing at rest in its light, seen from the front on plain grey."""
        person = self._person
        assert person is not None
        self._load(person, "full")
        motion = RestMotion(self.assets.arkit_names)
        still = replace(scene, character=person, reader=JointReader(person), camera=a_pose_camera(person))
        common = self._common(still, seeds, "full", "a-pose", 1.0) | {"background": "plain"}
        view, rest = still.camera.view(0.0), motion.frame(0.0)
        pose = person.pose(rest.rotations, rest.expression, rest.root_shift_dm)
        picture = self._renderer.draw(person, view, scene.light)
        canvas = np.where((picture.part_id > 0)[..., None], picture.rgb_u8, np.uint8(A_POSE_GREY_U8))
        back = Behind(view, self.size, None)
        values = frame_truth(still.reader, rest, pose, view, picture, back, common["K_px"], self.supersample)
        shot = Shot(canvas, picture.depth_m, Shown.of(picture, self.supersample), back, values)
        return self._clip_of([shot], np.zeros(1), common)

    def _scene(
        self,
        seeds: ClipSeeds,
        duration_s: float,
        framing: str,
        style: str | None,
        talking: bool | None,
        around: Around | None = None,
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
        if around is None:
            camera = place_camera(draw, person, motion, duration_s)
        else:
            camera = around.place(draw, person, motion)
        body_y = person.rest_dm[:BODY_VERTICES, 1]
        background = draw_background(rng(seeds.background, "background"), self.canvas, camera, float(body_y.min()))
        still = background.picture(camera.eye_dm)
        portrait = draw.framing == "portrait"
        middle_y = camera.target_dm[1] if portrait else float(body_y.max() + body_y.min()) / 2
        light = draw_light(rng(seeds.light, "light"), still, np.array([0, middle_y, 0]), 3.2 if portrait else 10.0)
        self._load(person, draw.framing)
        scene = Scene(person, JointReader(person), motion, camera, light, background, still)
        return scene, draw.framing, style

    def _load(self, person: Character, framing: str) -> None:
        """Make a person the one to be drawn, with textures as fine as the framing shows them."""
        halvings = TEXTURE_HALVINGS[framing] + round(math.log2(256 / self.canvas))
        self._renderer.load(person, texture_halvings=int(np.clip(halvings, 0, 3)))

    def _shoot(self, scene: Scene, times_s: np.ndarray, common: dict, *, contiguous: bool = False) -> SyntheticClip:
        """Draw all frames, then finish the pictures and take the small ones from them.

        contiguous  the times follow each other at common["fps"], so that there is flow
        """
        K_px = common["K_px"]
        follower = FlowReader(scene.character, K_px, self.supersample) if contiguous else None
        shots: list[Shot] = []
        for time in times_s:
            shot = self._shot(scene, float(time), K_px)
            if follower is not None and shots:
                shots[-1] = self._with_flow(follower, shots[-1], shot.behind.view, shot.depth_m)
            shots.append(shot)
        if follower is not None:
            after_s = float(times_s[-1]) + 1 / common["fps"]
            self._posed(scene, after_s)
            shots[-1] = self._with_flow(follower, shots[-1], scene.camera.view(after_s))
        return self._clip_of(shots, times_s, common)

    def _clip_of(self, shots: list[Shot], times_s: np.ndarray, common: dict) -> SyntheticClip:
        """The clip of all shots, with the pictures finished."""
        rows = [self._finished(shot) for shot in shots]
        stacked = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        return SyntheticClip(**common, **stacked, times_s=np.asarray(times_s, np.float64))

    def _with_flow(self, follower: FlowReader, shot: Shot, after: View, depth_m: np.ndarray | None = None) -> Shot:
        """The shot with its flow to the person's present pose and another view. depth_m: see FlowReader.to_pose"""
        to_camera, behind_px = camera_from_world(after), shot.behind.shift_px(after)
        return replace(shot, flow=follower.to_pose(shot.shown, to_camera, depth_m, behind_px))

    def _finished(self, shot: Shot) -> dict[str, np.ndarray]:
        """One frame's arrays, by their names in SyntheticClip."""
        flow = {} if shot.flow is None else vars(shot.flow)
        return {
            **shot.values,
            **flow,
            "frames_u8": shrunk(shot.canvas_u8, self.supersample),
            "face_crops_u8": face_crop(shot.canvas_u8, shot.values["face_affine"], self.supersample),
        }

    def _shot(self, scene: Scene, time_s: float, K_px: np.ndarray) -> Shot:
        """One frame as drawn, with its truth."""
        motion, pose = self._posed(scene, time_s)
        view = scene.camera.view(time_s)
        picture = self._renderer.draw(scene.character, view, scene.light)
        moving = scene.camera.moves and scene.background.moves
        behind = scene.background.picture(view.eye_dm) if moving else scene.still_u8
        canvas = np.where((picture.part_id > 0)[..., None], picture.rgb_u8, behind)
        step = self.supersample
        unknown = np.full((self.size, self.size), np.nan, np.float32)
        back = Behind(view, self.size, unknown if scene.background.moves else None)
        values = frame_truth(scene.reader, motion, pose, view, picture, back, K_px, step)
        return Shot(canvas, picture.depth_m, Shown.of(picture, step), back, values)

    @staticmethod
    def _posed(scene: Scene, time_s: float) -> tuple[MotionFrame, Pose]:
        """Bring the person into the pose of a moment."""
        motion = scene.motion.frame(time_s)
        return motion, scene.character.pose(motion.rotations, motion.expression, motion.root_shift_dm)


def clip(
    assets: Assets, seed: ClipSeeds | int, *, size: int = 128, mocap: MocapLibrary | None = None, **options
) -> SyntheticClip:
    """One clip without keeping a Studio; `options` as in Studio.clip."""
    return Studio(assets, size, mocap=mocap).clip(seed, **options)


def _check(frames: int, references: int, views: int, fps: float, framing: str, style: str | None) -> None:
    if frames < 1 or references < 0 or views < 0 or fps <= 0:
        raise UsageError(
            f"frames {frames}, references {references}, views {views}, fps {fps}: expected at least 1, 0, 0, and more "
            "than 0"
        )
    if framing != "mix" and framing not in STYLE_CHOICES:
        raise UsageError(f"framing: found {framing!r}, expected mix, portrait, half or full")
    if style is not None and style not in STYLE_CHOICES["full"]:
        raise UsageError(f"style: found {style!r}, expected one of {', '.join(STYLE_CHOICES['full'])}")
