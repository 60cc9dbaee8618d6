"""What stands behind a person: rooms, studios, places outdoors, gradients, blurred lights, photos, panoramas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stages.synthetic.camera import Camera
from stages.synthetic.far_images import PhotoFolder, bokeh, gradient, panorama_backdrop, photo_backdrop, view_rays
from stages.synthetic.outdoors import outdoors
from stages.synthetic.panoramas import Panoramas
from stages.synthetic.renderer import View
from stages.synthetic.rooms import room, studio
from stages.synthetic.scene_builder import see, turned
from stages.synthetic.scene_kernels import Scene

KIND_SHARES = {"room": 0.5, "outdoors": 0.2, "studio": 0.15, "gradient": 0.09, "bokeh": 0.06}
PHOTO_SHARE, PANORAMA_SHARE = 0.4, 0.15  # of the clips, where there are any
SCENES = {"room": room, "studio": studio, "outdoors": outdoors}
SHADOW_ON = {"room": 1.0, "studio": 1.0, "outdoors": 1.0, "gradient": 0.8, "bokeh": 0.0, "photo": 0.6, "panorama": 0.8}


@dataclass(frozen=True)
class Seen:
    """A background from one view, at picture resolution.

    rgb_u8 [S,S,3]   distance_dm f32 [S,S] along the ray through each pixel, inf where infinitely far
    receiver_dm f32 [S,S]  distance at which shadows of the person may fall, inf where none can
    surface i16 [S,S] of the receiver, -1 none; normals f32 [K + 1,3] of surfaces, world axes, the last one zero: it
    stands for all surfaces from K on, and any light reaches it
    """

    rgb_u8: np.ndarray
    distance_dm: np.ndarray
    receiver_dm: np.ndarray
    surface: np.ndarray
    normals: np.ndarray


@dataclass(frozen=True)
class Background:
    """A pure function of a view.

    kind             room, studio, outdoors, gradient, bokeh, photo or panorama
    moves            the picture depends on the view
    fixed_to_screen  it never moves against the picture (flow 0 whatever the camera does)
    shadow_strength  0..1: how much of the person's shadow it shows
    """

    kind: str
    size: int
    moves: bool
    fixed_to_screen: bool
    shadow_strength: float
    seen: Callable[[View], Seen]

    def picture(self, view: View) -> np.ndarray:
        """uint8 [S, S, 3]."""
        return self.seen(view).rgb_u8

    def distance(self, view: View) -> np.ndarray:
        """Along the ray through each pixel centre, decimetres, f32 [S, S]; inf = infinitely far."""
        return self.seen(view).distance_dm

    def points(self, view: View) -> np.ndarray:
        """World decimetres f32 [S, S, 3] of what each pixel shows; not finite where it is infinitely far."""
        return view.eye_dm.astype(np.float32) + view_rays(view, self.size) * self.distance(view)[..., None]


def draw_kind(rng: np.random.Generator, framing: str, *, photos: bool = False, panoramas: bool = False) -> str:
    """The kind of a random background; photos and panoramas only where there are any, blurred lights not below feet."""
    draw, other = rng.random(), str(rng.choice(list(KIND_SHARES), p=list(KIND_SHARES.values())))
    if photos and draw < PHOTO_SHARE:
        return "photo"
    if panoramas and draw >= 1 - PANORAMA_SHARE:
        return "panorama"
    return "studio" if other == "bokeh" and framing == "full" else other


def draw_background(
    rng: np.random.Generator,
    kind: str,
    size: int,
    camera: Camera,
    floor_dm: float,
    *,
    reach_dm: float = 0.0,
    key: np.ndarray,
    photos: PhotoFolder | None = None,
    panoramas: Panoramas | None = None,
) -> Background:
    """A random background of a kind.

    size      side of the picture in px;  floor_dm  y of the soles
    reach_dm  radius on the floor that the person needs: walls and furniture stand beyond it
    key       f64 [3] direction to the key light, which brightens sides that face it
    """
    first = camera.view(0.0)
    if kind in SCENES:
        towards = -first.world_to_view[2, :3]
        azimuth = float(np.arctan2(-towards[0], -towards[2]))
        scene = SCENES[kind](rng, floor_dm, reach_dm, azimuth, key)
        return Background(kind, size, True, False, SHADOW_ON[kind], lambda view: _scene_seen(scene, view, size))
    if kind == "gradient":
        still = gradient(rng, size)

        def picture(view: View) -> np.ndarray:
            return still

    elif kind == "panorama" and panoramas is not None:
        image = panoramas.images_u8[rng.integers(len(panoramas.images_u8))]
        picture = panorama_backdrop(image, float(rng.uniform(0, 2 * np.pi)), size)
    elif kind == "photo" and photos is not None:
        picture = photo_backdrop(photos.picture(int(rng.integers(1 << 30))), first, size)
    else:
        picture = photo_backdrop(bokeh(rng), first, size)
    on_floor = SHADOW_ON[kind]
    fixed = kind == "gradient"
    return Background(
        kind, size, not fixed, fixed, on_floor, lambda view: _far_seen(picture(view), view, size, floor_dm)
    )


def _scene_seen(scene: Scene, view: View, size: int) -> Seen:
    rgb, distance, surface = see(scene, view, size)
    normals = np.zeros((len(scene.plane_axis) + 1, 3), np.float32)
    count = len(scene.plane_axis)
    for plane in range(count):
        normals[plane, scene.plane_axis[plane]] = scene.plane_sign[plane]
    world = turned(scene._replace(turn=scene.turn * np.array([1, -1], np.float32)), normals).astype(np.float32)
    return Seen(rgb, distance, distance, surface, world)


def _far_seen(rgb_u8: np.ndarray, view: View, size: int, floor_dm: float) -> Seen:
    """A far picture; the floor, which it does not show, still catches the shadow of the person."""
    rays = view_rays(view, size)
    down = rays[..., 1] < -1e-3
    to_floor = np.where(down, (floor_dm - view.eye_dm[1]) / np.where(down, rays[..., 1], -1.0), np.inf)
    normals = np.array([[0, 1, 0], [0, 0, 0]], np.float32)
    surface = np.where(down, 0, -1).astype(np.int16)
    return Seen(rgb_u8, np.full((size, size), np.inf, np.float32), to_floor.astype(np.float32), surface, normals)
