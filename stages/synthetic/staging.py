"""Everything of a clip that stands before its first frame is drawn: person, motion, camera, light, background, look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.core.rng import numpy_rng
from stages.synthetic.background import Background, Seen, draw_background, draw_kind
from stages.synthetic.body_motion import STYLE_CHOICES, Motion, MotionFrame
from stages.synthetic.camera import NEAREST_HAND, Camera, draw_camera, place_camera
from stages.synthetic.character import BODY_VERTICES, Character, Pose
from stages.synthetic.extra_views import Around
from stages.synthetic.far_images import PhotoFolder
from stages.synthetic.light import draw_light, place_light
from stages.synthetic.look import Look, choose_look
from stages.synthetic.mocap import MocapLibrary, MocapMotion
from stages.synthetic.panoramas import Panoramas
from stages.synthetic.props import draw_held, draw_occluder
from stages.synthetic.renderer import Light
from stages.synthetic.seeds import ClipSeeds, split_of
from stages.synthetic.truth import JointReader

MOCAP_SHARE = 0.5
ARM_ROOM_DM = 4.0  # from the middle of the hips to walls and furniture, beyond how far the person goes


@dataclass(frozen=True)
class Sources:
    """What a studio may draw on besides the assets.

    mocap      library for half of the half and full body clips, or None for procedural motion only
    photos     the user's pictures as backdrops, or None;  panoramas  of the optional package, or None
    """

    mocap: MocapLibrary | None = None
    photos: PhotoFolder | None = None
    panoramas: Panoramas | None = None


NO_SOURCES = Sources()


@dataclass(frozen=True)
class Wanted:
    """What the caller asks of a clip; None and "mix" are drawn from the seeds. look: drawn or plain."""

    framing: str = "mix"
    style: str | None = None
    talking: bool | None = None
    look: str = "drawn"


@dataclass(frozen=True)
class Scene:
    """A clip before its first frame. grip: finger rotations around something held; still: the background at the start.

    framing, style  as drawn
    """

    character: Character
    reader: JointReader
    motion: Motion
    camera: Camera
    light: Light
    background: Background
    still: Seen
    look: Look
    grip: dict[str, np.ndarray]
    framing: str
    style: str

    def posed(self, time_s: float) -> tuple[MotionFrame, Pose]:
        """The motion at a time, with the character posed so; what hangs loose lags behind."""
        motion = self.motion.frame(time_s)
        earlier = [self.motion.frame(max(time_s - ago, 0.0)) for ago in self.character.trail_moments]
        trail = [self.character.transforms(then.rotations, then.root_shift_dm) for then in earlier]
        rotations = {**motion.rotations, **self.grip}
        return motion, self.character.pose(rotations, motion.expression, motion.root_shift_dm, trail)

    def light_at(self, pose: Pose) -> Light:
        """The light with its shadow map around where the person now stands."""
        root = self.character.assets.bone_index["root"]
        return self.light.moved((pose.head_dm[root] - self.character.head_dm[root]) * np.array([1, 0, 1]))

    def behind(self, view) -> Seen:
        """The background from a view."""
        return self.background.seen(view) if self.camera.moves and self.background.moves else self.still


def stage_scene(
    person: Character,
    seeds: ClipSeeds,
    duration_s: float,
    wanted: Wanted,
    sources: Sources,
    size: int,
    around: Around | None = None,
) -> Scene:
    """The scene of a clip. size: side of the picture; around: where the camera stands instead of its draw."""

    def rng(seed: int, purpose: str) -> np.random.Generator:
        return numpy_rng(seed, "synthetic", "clip", purpose)

    draw = draw_camera(rng(seeds.camera, "camera"), wanted.framing)
    framing = draw.framing
    forward = draw.distance_dm(person) * NEAREST_HAND if framing == "portrait" else np.inf
    motion, style = _motion(person, rng(seeds.motion, "motion"), duration_s, wanted, sources, framing, forward, seeds)
    camera = around.place(draw, person, motion) if around else place_camera(draw, person, motion, duration_s)
    floor_dm = float(person.rest_dm[:BODY_VERTICES, 1].min())
    crown_dm = float(person.rest_dm[:BODY_VERTICES, 1].max())
    kind = draw_kind(
        rng(seeds.background, "background kind"),
        framing,
        photos=sources.photos is not None,
        panoramas=sources.panoramas is not None,
    )
    light_draw = draw_light(rng(seeds.light, "light"), outside=kind == "outdoors")
    background = draw_background(
        rng(seeds.background, "background"),
        kind,
        size,
        camera,
        floor_dm,
        reach_dm=motion.reach_dm + ARM_ROOM_DM,
        key=light_draw.key,
        photos=sources.photos,
        panoramas=sources.panoramas,
    )
    still = background.seen(camera.view(0.0))
    portrait = framing == "portrait"
    middle_y = camera.target_dm[1] if portrait else (crown_dm + floor_dm) / 2
    light = place_light(light_draw, still.rgb_u8, np.array([0, middle_y, 0]), 4.2 if portrait else 11.0)
    held = draw_held(rng(seeds.motion, "held"), person)
    occluder = draw_occluder(rng(seeds.background, "occluder"), person.assets, framing, camera, floor_dm)
    extra = [*motion.furniture(), *held.parts, *occluder]
    person = person.with_parts(extra) if extra else person
    look = choose_look(wanted.look, rng(seeds.camera, "look"), framing)
    reader = JointReader(person)
    return Scene(person, reader, motion, camera, light, background, still, look, held.grip, framing, style)


def _motion(
    person: Character,
    rng: np.random.Generator,
    duration_s: float,
    wanted: Wanted,
    sources: Sources,
    framing: str,
    forward_dm: float,
    seeds: ClipSeeds,
) -> tuple[Motion, str]:
    """The motion and its name. forward_dm: how far hands may come towards the camera."""
    split = split_of(seeds.motion)
    style = str(rng.choice(STYLE_CHOICES[framing]))
    captured = rng.random() < MOCAP_SHARE and framing != "portrait" and wanted.style is None
    if captured and sources.mocap is not None:
        names = sources.mocap.names_for(split)
        name = names[rng.integers(len(names))]
        return MocapMotion(person, rng, duration_s, sources.mocap.clip(name), framing=framing), f"mocap {name}"
    style = wanted.style or style
    options = {"framing": framing, "max_forward_dm": forward_dm, "talking": wanted.talking, "split": split}
    return Motion(person, rng, duration_s, style, **options), style
