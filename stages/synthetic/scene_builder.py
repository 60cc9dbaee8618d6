"""Collects the planes, boxes, blobs and decals of a place, and looks at it from a view."""

from __future__ import annotations

import numpy as np

from stages.synthetic.parts import Colour
from stages.synthetic.renderer import View
from stages.synthetic.scene_kernels import FAR_DM, Scene, look_at_scene, soften_edges

NO_SKY = np.zeros((4, 3))


class SceneBuilder:
    """State: the growing lists. Coordinates: scene axes, decimetres; u, v of a plane are z, y (x walls), x, z, x, y."""

    def __init__(self, rng: np.random.Generator, turn_rad: float) -> None:
        import cv2

        self.turn = np.array([np.cos(turn_rad), np.sin(turn_rad)])
        coarse = rng.random((128, 128)).astype(np.float32)
        self.noise = np.clip(cv2.resize(coarse, (256, 256), interpolation=cv2.INTER_NEAREST) * 0.4, 0, 1)
        self.noise += rng.random((256, 256)).astype(np.float32) * 0.6
        self.planes: list[tuple[int, float, float]] = []
        self.boxes: list[tuple[float, ...]] = []
        self.blobs: list[tuple[float, ...]] = []
        self.decals: list[tuple[int, tuple, int, tuple]] = []
        self.materials: dict[str, list[tuple[int, tuple, float]]] = {"plane": [], "box": [], "blob": []}

    def plane(self, axis: int, at: float, sign: float, kind: int, first: Colour, second: Colour, scale: float) -> int:
        """A one-sided plane; returns its number."""
        self.planes.append((axis, at, sign))
        self.materials["plane"].append((kind, (first, second), scale))
        return len(self.planes) - 1

    def box(self, low, high, kind: int, first: Colour, second: Colour, scale: float = 1.0) -> None:
        """An upright box between two corners."""
        self.boxes.append((*low, *high))
        self.materials["box"].append((kind, (first, second), scale))

    def blob(self, centre, radii, kind: int, first: Colour, second: Colour, *, ragged: bool = False) -> None:
        """An ellipsoid, with ragged edges for leaves."""
        self.blobs.append((*centre, *radii, 1.0 if ragged else 0.0))
        self.materials["blob"].append((kind, (first, second), 1.0))

    def decal(self, plane: int, kind: int, rect, first: Colour, second: Colour = (0.0, 0.0, 0.0)) -> None:
        """A thing on a plane. rect u0 v0 u1 v1; of a glow: centre and reach."""
        self.decals.append((plane, tuple(rect), kind, (first, second)))

    def build(
        self,
        *,
        key: np.ndarray,
        corner_dark: float,
        shine: float,
        haze: float = 0.0,
        sky: np.ndarray = NO_SKY,
        ridges: list[tuple[np.ndarray, Colour]] = (),
    ) -> Scene:
        """The finished scene. key f64 [3]: where light on boxes and blobs comes from."""
        axis, at, sign = zip(*self.planes, strict=True)
        materials = self.materials["plane"] + self.materials["box"] + self.materials["blob"]
        kind, colour, scale = zip(*materials, strict=True)
        f32 = np.float32
        return Scene(
            turn=self.turn.astype(f32),
            plane_axis=np.array(axis, np.int64),
            plane_at=np.array(at, f32),
            plane_sign=np.array(sign, f32),
            box=np.array(self.boxes, f32).reshape(-1, 6),
            blob=np.array(self.blobs, f32).reshape(-1, 7),
            kind=np.array(kind, np.int64),
            colour=np.array(colour, f32),
            scale=np.array(scale, f32),
            decal_plane=np.array([d[0] for d in self.decals], np.int64),
            decal_rect=np.array([d[1] for d in self.decals], f32).reshape(-1, 4),
            decal_kind=np.array([d[2] for d in self.decals], np.int64),
            decal_colour=np.array([d[3] for d in self.decals], f32).reshape(-1, 2, 3),
            corner_dark=f32(corner_dark),
            key=np.asarray(key, f32),
            shine=f32(shine),
            haze=f32(haze),
            sky=np.asarray(sky, f32),
            ridge=np.array([heights for heights, _ in ridges], f32).reshape(-1, 512),
            ridge_colour=np.array([colour for _, colour in ridges], f32).reshape(-1, 3),
            noise=self.noise,
        )


def turned(scene: Scene, vectors: np.ndarray) -> np.ndarray:
    """World vectors [..., 3] in scene axes."""
    cosine, sine = (float(value) for value in scene.turn)
    return vectors @ np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])


def see(scene: Scene, view: View, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The scene as uint8 [S,S,3], distance along the rays f32 [S,S] in dm (inf = sky), and surface i16 [S,S].

    surface  SKY (-1) or the number of the plane, box or blob
    """
    rotation = turned(scene, view.world_to_view[:3, :3])
    eye = turned(scene, view.eye_dm)
    rgb = np.empty((size, size, 3), np.uint8)
    distance = np.empty((size, size), np.float32)
    surface = np.empty((size, size), np.int16)
    windows = _windows(scene, eye, rotation, view, size)
    look_at_scene(
        scene,
        eye.astype(np.float32),
        np.ascontiguousarray(rotation, np.float32),
        1 / float(view.projection[0, 0]),
        _to_byte(),
        windows,
        rgb,
        distance,
        surface,
    )
    distance[distance >= FAR_DM] = np.inf
    softened = rgb.copy()
    soften_edges(rgb, surface, softened)
    return softened, distance, surface


def _windows(scene: Scene, eye: np.ndarray, rotation: np.ndarray, view: View, size: int) -> np.ndarray:
    """First and last row and column i64 [N + M, 4] that each box and blob may cover; all where it passes the eye."""
    low = np.concatenate([scene.box[:, :3], scene.blob[:, :3] - scene.blob[:, 3:6]])
    high = np.concatenate([scene.box[:, 3:], scene.blob[:, :3] + scene.blob[:, 3:6]])
    pick = np.array([[i >> k & 1 for k in range(3)] for i in range(8)], bool)
    corners = np.where(pick, high[:, None], low[:, None])
    seen = (corners - eye) @ rotation.T
    depth = -seen[..., 2]
    focal = float(view.projection[0, 0])
    behind = depth.min(1) < 0.1 if len(depth) else np.zeros(0, bool)
    depth = np.maximum(depth, 0.1)
    column = (seen[..., 0] / depth * focal * 0.5 + 0.5) * size
    row = (0.5 - seen[..., 1] / depth * focal * 0.5) * size
    spans = np.stack([row.min(1) - 1, row.max(1) + 1, column.min(1) - 1, column.max(1) + 1], axis=1)
    spans = np.clip(np.where(behind[:, None], np.array([0, size, 0, size]), spans), -1, size + 1)
    return np.ascontiguousarray(spans, np.int64)


def _to_byte() -> np.ndarray:
    """Linear light in 4096 steps to picture values."""
    return (np.power(np.arange(4096) / 4095.0, 1 / 2.2) * 255 + 0.5).astype(np.uint8)
