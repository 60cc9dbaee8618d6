"""What a person is assembled from: a part is a point set bound to the base mesh, a surface over it, and a material."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.synthetic import raster
from stages.synthetic.assets import Assets
from stages.synthetic.parse import Surface

MASK_NAMES = ("background", "skin", "cloth", "shoes", "hair", "eyes", "mouth", "brows", "accessories", "occluder")
MASK_ID = {name: index for index, name in enumerate(MASK_NAMES)}
Colour = tuple[float, float, float]
WORLD = "world"  # the name of what never moves, in the place of a bone


@dataclass(frozen=True)
class Material:
    """How a part is coloured; colours are linear light, 1 = as the texture.

    kind        raster.SKIN, TEXTURED_CLOTH, HAIR, CUT_CLOTH or PLAIN
    tint3       third colour of a pattern, ink of a print; lips of SKIN; HAIR: what its tips are multiplied by
    relief      strength of folds (cloth) or how curly hair is, 0..1
    glyph       what is printed on a garment, see detail.GLYPHS, -1 nothing; glyph_box: left, top, width, height, dm
    cut         Cut of a garment or Fringe of hair
    soft_edge   thin alpha edges cover a share of a pixel
    covers      the skin below is pulled in or hidden
    """

    kind: int
    mask: str
    texture: str = "baked/white"
    tint: Colour = (1.0, 1.0, 1.0)
    tint2: Colour = (1.0, 1.0, 1.0)
    saturation: float = 1.0
    gain: float = 1.0
    pattern: int = 0
    pattern_scale: float = 1.0
    pattern_mix: float = 1.0
    tint3: Colour = (1.0, 1.0, 1.0)
    relief: float = 0.0
    glyph: int = -1
    glyph_box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    cut: raster.Cut | raster.Fringe = raster.NO_CUT
    alpha_test: bool = False
    soft_edge: bool = False
    casts_shadow: bool = True
    covers: bool = False


@dataclass(frozen=True)
class Part:
    """corner i32 [P,3], weight f32 [P,3], offset f32 [P,3] dm: each point on the base mesh; skinning f32 [P,B+1].

    The last column of the skinning is the world, which never moves. paint f32 [P,4] (skin only): see surface.py
    """

    name: str
    corner: np.ndarray
    weight: np.ndarray
    offset: np.ndarray
    surface: Surface
    skinning: np.ndarray
    material: Material
    paint: np.ndarray | None = None


def make_part(
    assets: Assets, name: str, binding: tuple[np.ndarray, np.ndarray, np.ndarray], surface: Surface, material: Material
) -> Part:
    """A part whose skinning weights follow the base vertices it is bound to. binding: corner, weight, offset."""
    corner, weight, offset = binding
    weight = np.asarray(weight, np.float32)
    skinning = np.zeros((len(corner), len(assets.bone_names) + 1), np.float32)
    for k in range(3):
        if weight[:, k].any():
            skinning[:, :-1] += assets.weight[corner[:, k]] * np.maximum(weight[:, k : k + 1], 0)
    skinning /= skinning.sum(1, keepdims=True) + np.float32(1e-9)
    return Part(
        name,
        corner.astype(np.int32),
        weight,
        offset.astype(np.float32),
        surface,
        skinning,
        material,
    )


def base_part(
    assets: Assets,
    group: str,
    material: Material,
    *,
    name: str = "",
    offset_dm: np.ndarray | None = None,
    kept: np.ndarray | None = None,
) -> Part:
    """A group of the base mesh itself.

    offset_dm  f32 [V, 3] moves its vertices, for garments off the skin;  kept  bool [F] triangles to take, all if None
    """
    surface = assets.groups[group]
    if kept is not None:
        corners, triangles = np.unique(surface.triangles[kept], return_inverse=True)
        surface = Surface(surface.vertex[corners], surface.uv[corners], triangles.reshape(-1, 3).astype(np.int32))
    used, points = np.unique(surface.vertex, return_inverse=True)
    binding = (
        np.stack([used, used, used], axis=1),
        np.tile(np.array([[1.0, 0.0, 0.0]], np.float32), (len(used), 1)),
        np.zeros((len(used), 3)) if offset_dm is None else offset_dm[used],
    )
    own = Surface(points.astype(np.int32), surface.uv, surface.triangles)
    return make_part(assets, name or group, binding, own, material)


def proxy_part(assets: Assets, name: str, vertices: np.ndarray, material: Material) -> Part:
    """A MakeHuman proxy fitted to the person's base mesh `vertices`."""
    proxy = assets.proxies[name]
    binding = (proxy.corner, proxy.weight, proxy.offset * _proxy_scale(vertices))
    return make_part(assets, name, binding, proxy.surface, material)


def _proxy_scale(vertices: np.ndarray) -> np.ndarray:
    """Scale of proxy offsets along x, y, z: three distances on the head against those of the neutral mesh (.mhclo)."""
    return np.array(
        [
            abs(vertices[5399, 0] - vertices[11998, 0]) / 1.43,
            abs(vertices[791, 1] - vertices[881, 1]) / 2.38,
            abs(vertices[962, 2] - vertices[5320, 2]) / 1.97,
        ],
        np.float32,
    )


def rigid_part(
    assets: Assets, name: str, points_dm: np.ndarray, surface: Surface, material: Material, bone: str = WORLD
) -> Part:
    """A stiff thing that hangs on one bone, or stands still in the world: glasses, a mug, a chair.

    points_dm  f32 [P, 3] where the points are while the person stands at rest (with bone WORLD: where they stay)
    bone       name of a bone of the rig, or WORLD
    """
    skinning = np.zeros((len(points_dm), len(assets.bone_names) + 1), np.float32)
    skinning[:, len(assets.bone_names) if bone == WORLD else assets.bone_index[bone]] = 1.0
    corner = np.zeros((len(points_dm), 3), np.int32)
    weight = np.zeros((len(points_dm), 3), np.float32)
    return Part(name, corner, weight, points_dm.astype(np.float32), surface, skinning, material)
