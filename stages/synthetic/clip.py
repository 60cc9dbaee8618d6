"""clip(assets, seed, ...): frames and every truth of one synthetic person, in memory. Usable from worker processes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from stages.core.errors import UsageError
from stages.core.rng import numpy_rng
from stages.synthetic.assets import Assets
from stages.synthetic.body_motion import STYLE_CHOICES, STYLES
from stages.synthetic.canvas import composed, face_crop, shrunk
from stages.synthetic.character import Character
from stages.synthetic.clip_data import SyntheticClip
from stages.synthetic.extra_views import A_POSE_GREY_U8, Around, RestMotion, a_pose_camera
from stages.synthetic.flow import Behind, Flow, FlowReader, Shown
from stages.synthetic.frame_truth import camera_from_world, frame_truth
from stages.synthetic.identity import identity
from stages.synthetic.look import PLAIN, Look
from stages.synthetic.phonemes import cut_timeline
from stages.synthetic.renderer import Renderer, View
from stages.synthetic.seeds import ClipSeeds
from stages.synthetic.shadows import ShadowMap, body_balls, shadowed
from stages.synthetic.staging import NO_SOURCES, Scene, Sources, Wanted, stage_scene
from stages.synthetic.truth import JointReader

MOTION_S = 4.0
TEXTURE_HALVINGS = {"full": 2, "half": 2, "portrait": 1}  # for a canvas of 256 samples
LOOKS = ("drawn", "plain")


@dataclass(frozen=True)
class Shot:
    """One frame as drawn: canvas_u8 [C,C,3], depth_m f32 [C,C], part_id u8 [C,C] with all samples.

    shown   the surface points of its pixels;  behind  what is known of the background;  values  truth by name
    flow    to the next frame; None where no frame follows
    """

    canvas_u8: np.ndarray
    depth_m: np.ndarray
    part_id: np.ndarray
    shown: Shown
    behind: Behind
    values: dict[str, np.ndarray]
    flow: Flow | None = None


class Studio:
    """Makes clips of one picture size. State: render buffers, decoded textures, the last person.

    size         side of the pictures; supersample: samples per pixel and axis
    sources      motion capture, photos and panoramas that clips may draw on
    device       "" = the numba renderer; else the torch renderer there ("cuda"), whose bytes differ by rounding
    """

    def __init__(
        self,
        assets: Assets,
        size: int = 128,
        *,
        supersample: int = 2,
        sources: Sources = NO_SOURCES,
        device: str = "",
    ) -> None:
        if size < 8 or supersample < 1:
            raise UsageError(f"size {size}, supersample {supersample}: expected 8 or more, 1 or more")
        self.assets = assets
        self.size = size
        self.supersample = supersample
        self.sources = sources
        self.canvas = size * supersample
        self._renderer = _renderer(assets, self.canvas, device)
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
        views: int = 0,
        a_pose: bool = False,
    ) -> SyntheticClip:
        """One clip; the same bytes for the same arguments, assets and GENERATOR_VERSION.

        seeds       of the clip, or one seed for everything
        frames      T, contiguous at `fps` somewhere in a motion of 4 s (or longer if T needs it)
        references  R frames at other times of the same motion
        framing     mix, portrait, half or full;  style, talking: None = at random
        look        drawn (lens, film, compression, now and then a cartoon) or plain (as rendered)
        views       N pictures of the person from all around, each with its own motion, light and background
        a_pose      also one of the person standing in an A-pose on a plain background
        errors      UsageError: no frames, unknown framing, style or look
        """
        seeds = ClipSeeds.of(seeds) if isinstance(seeds, int) else seeds
        wanted = Wanted(framing, style, talking, look)
        _check(frames, references, views, fps, wanted)
        duration = max(MOTION_S, frames / fps)
        scene = self._scene(seeds, duration, wanted)
        rng = numpy_rng(seeds.motion, "synthetic", "clip", "times")
        times = rng.uniform(0, duration - frames / fps) + np.arange(frames) / fps
        reference_times = (np.arange(references) + rng.random(references)) * duration / max(references, 1)
        common = self._common(scene, seeds, fps)
        other = self._shoot(scene, reference_times, common) if references else None
        said = cut_timeline(scene.motion.phonemes, float(times[0]), float(times[0]) + frames / fps)
        made = replace(self._shoot(scene, times, common, contiguous=True), references=other, phonemes=said)
        around = tuple(self._view(seeds, wanted, number, views) for number in range(views))
        return replace(made, views=around, a_pose=self._a_pose(scene, seeds) if a_pose else None)

    def _common(self, scene: Scene, seeds: ClipSeeds, fps: float) -> dict:
        """What all frames of a clip share, by the names of SyntheticClip."""
        return {
            "seeds": seeds,
            "framing": scene.framing,
            "style": scene.style,
            "background": scene.background.kind,
            "look": scene.look.style,
            "fps": float(fps),
            "about": scene.character.about,
            "head_radius_m": scene.reader.head_radius_m,
            "height_m": scene.character.height_dm / 10,
            "K_px": scene.camera.K_px(self.size),
            "rest_joints_m": scene.reader.rest_m().astype(np.float32),
            "rest_smplx_m": scene.reader.rest_smplx_m().astype(np.float32),
        }

    def _view(self, seeds: ClipSeeds, wanted: Wanted, number: int, count: int) -> SyntheticClip:
        """The person of a clip from one of `count` sides: another motion, camera, light and background."""
        own = seeds.of_view(number)
        rng = numpy_rng(own.camera, "synthetic", "clip", "view")
        around = Around.drawn(rng, number, count, float(rng.uniform(0, MOTION_S)))
        scene = self._scene(own, MOTION_S, replace(wanted, style=None, talking=None), around)
        return self._shoot(scene, np.array([around.time_s]), self._common(scene, own, 1.0))

    def _a_pose(self, scene: Scene, seeds: ClipSeeds) -> SyntheticClip:
        """The person of a scene standing at rest in its light, seen from the front on plain grey."""
        person = self._person
        assert person is not None
        self._load(person, "full")
        motion = RestMotion(self.assets.arkit_names)
        still = replace(
            scene, character=person, reader=JointReader(person), camera=a_pose_camera(person), look=PLAIN,
            framing="full", style="a-pose",
        )  # fmt: skip
        common = self._common(still, seeds, 1.0) | {"background": "plain"}
        view, rest = still.camera.view(0.0), motion.frame(0.0)
        pose = person.pose(rest.rotations, rest.expression, rest.root_shift_dm)
        picture = self._renderer.draw(person, view, scene.light)
        grey = np.full((self.size, self.size, 3), A_POSE_GREY_U8, np.uint8)
        canvas = composed(picture.rgb_u8, picture.part_id, grey)
        back = Behind(view, self.size, None)
        values = frame_truth(still.reader, rest, pose, view, picture, back, common["K_px"], self.supersample)
        shown = Shown.of(picture, self.supersample)
        shot = Shot(canvas, picture.depth_m, picture.part_id, shown, back, values)
        return self._clip_of([shot], np.zeros(1), common, PLAIN)

    def _scene(self, seeds: ClipSeeds, duration_s: float, wanted: Wanted, around: Around | None = None) -> Scene:
        """The scene of a clip, loaded into the renderer; the person is kept for the next clip without what it held."""
        if self._person is None or self._person.about.seed != seeds.identity:
            self._person = identity(self.assets, seeds.identity)
        scene = stage_scene(self._person, seeds, duration_s, wanted, self.sources, self.size, around)
        self._load(scene.character, scene.framing)
        return scene

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
                shots[-1] = _with_flow(follower, shots[-1], shot.behind.view, shot.depth_m)
            shots.append(shot)
        if follower is not None:
            after_s = float(times_s[-1]) + 1 / common["fps"]
            scene.posed(after_s)
            shots[-1] = _with_flow(follower, shots[-1], scene.camera.view(after_s), None)
        return self._clip_of(shots, times_s, common, scene.look)

    def _clip_of(self, shots: list[Shot], times_s: np.ndarray, common: dict, look: Look) -> SyntheticClip:
        """The clip of all shots, with the pictures finished."""
        exposure = look.metered(shots[0].canvas_u8, shots[0].part_id)
        rows = [self._finished(shot, look, number, exposure) for number, shot in enumerate(shots)]
        stacked = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        return SyntheticClip(**common, **stacked, times_s=np.asarray(times_s, np.float64))

    def _finished(self, shot: Shot, look: Look, number: int, exposure: float) -> dict[str, np.ndarray]:
        """One frame's arrays, by their names in SyntheticClip."""
        step = self.supersample
        canvas = look.apply(
            shot.canvas_u8,
            shot.depth_m,
            shot.part_id,
            None if shot.flow is None else shot.flow.flow_px,
            focus_m=float(shot.values["head_center_m"][2]),
            step=step,
            exposure=exposure,
        )
        return {
            **shot.values,
            **({} if shot.flow is None else vars(shot.flow)),
            "frames_u8": look.finish(shrunk(canvas, step), number),
            "face_crops_u8": look.finish(face_crop(canvas, shot.values["face_affine"], step), number),
        }

    def _shot(self, scene: Scene, time_s: float, K_px: np.ndarray) -> Shot:
        """One frame as drawn, with its truth."""
        motion, pose = scene.posed(time_s)
        view, light = scene.camera.view(time_s), scene.light_at(pose)
        picture = self._renderer.draw(scene.character, view, light)
        seen = scene.behind(view)
        back = Behind(view, self.size, seen.distance_dm if scene.background.moves else None)
        values = frame_truth(scene.reader, motion, pose, view, picture, back, K_px, self.supersample)
        shadow = ShadowMap(picture.shadow_depth, picture.shadow_matrix)
        balls = body_balls(pose.head_dm, scene.character.assets.bone_index)
        behind = shadowed(seen, view, light, shadow, balls, scene.background.shadow_strength)
        behind = scene.look.defocused(behind, seen.distance_dm, float(values["head_center_m"][2]) * 10)
        canvas = composed(picture.rgb_u8, picture.part_id, behind)
        shown = Shown.of(picture, self.supersample)
        return Shot(canvas, picture.depth_m, picture.part_id, shown, back, values)


def _with_flow(follower: FlowReader, shot: Shot, following: View, depth_m: np.ndarray | None) -> Shot:
    """The shot with its flow to the character's present pose in a following view. depth_m: see FlowReader.to_pose"""
    behind_px = shot.behind.shift_px(following)
    return replace(shot, flow=follower.to_pose(shot.shown, camera_from_world(following), depth_m, behind_px))


def _renderer(assets: Assets, canvas: int, device: str) -> Renderer:
    shadow_size = int(np.clip(canvas // 2, 256, 1024))
    if not device:
        return Renderer(assets, canvas, shadow_size=shadow_size)
    from stages.synthetic.torch_renderer import TorchRenderer

    return TorchRenderer(assets, canvas, shadow_size=shadow_size, device=device)


def clip(
    assets: Assets, seed: ClipSeeds | int, *, size: int = 128, sources: Sources = NO_SOURCES, **options
) -> SyntheticClip:
    """One clip without keeping a Studio; `options` as in Studio.clip."""
    return Studio(assets, size, sources=sources).clip(seed, **options)


def _check(frames: int, references: int, views: int, fps: float, wanted: Wanted) -> None:
    if frames < 1 or references < 0 or views < 0 or fps <= 0:
        raise UsageError(
            f"frames {frames}, references {references}, views {views}, fps {fps}: expected at least 1, 0, 0, and more "
            "than 0"
        )
    if wanted.framing != "mix" and wanted.framing not in STYLE_CHOICES:
        raise UsageError(f"framing: found {wanted.framing!r}, expected mix, portrait, half or full")
    if wanted.style is not None and wanted.style not in STYLES:
        raise UsageError(f"style: found {wanted.style!r}, expected one of {', '.join(STYLES)}")
    if wanted.look not in LOOKS:
        raise UsageError(f"look: found {wanted.look!r}, expected one of {', '.join(LOOKS)}")
