"""One person, one camera, one light -> picture, part mask and depth. State: buffers and decoded textures."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stages.synthetic import lighting, raster, shading
from stages.synthetic.assets import Assets
from stages.synthetic.character import Character
from stages.synthetic.detail import make_detail, strand_alpha
from stages.synthetic.parts import MASK_ID

SHADOW_ALPHA_MIN, ALPHA_MIN = 128, 100
LIGHT_DISTANCE_DM, LIGHT_NEAR_DM, LIGHT_FAR_DM = 20.0, 5.0, 35.0  # of the key light's own view
TEXTURE_CACHE_BYTES = 128 << 20  # decoded textures kept from one person to the next


@dataclass(frozen=True)
class View:
    """A camera. eye_dm f64 [3]; world_to_view f64 [4,4] (OpenGL axes); projection f64 [4,4]; near, far in dm."""

    eye_dm: np.ndarray
    world_to_view: np.ndarray
    projection: np.ndarray
    near_dm: float
    far_dm: float


@dataclass(frozen=True)
class Light:
    """Table for the shader and the key's own orthographic view f64 [4, 4] of +-extent_dm, for the shadow map."""

    table: raster.LightTable
    view_projection: np.ndarray
    extent_dm: float

    def moved(self, shift_dm: np.ndarray) -> Light:
        """The same light with its shadow map centred elsewhere, for people who walk. shift_dm f64 [3]"""
        matrix = self.view_projection.copy()
        matrix[:, 3] -= matrix[:, :3] @ shift_dm
        return replace(self, view_projection=matrix)


@dataclass(frozen=True)
class Picture:
    """rgb_u8 [S,S,3], part_id u8 [S,S] of MASK_NAMES, both 0 where empty; depth_m f32 [S,S], inf where empty.

    triangle i32 [S,S] (row of the corner triangles, -1 where empty), bary_b, bary_c f32 [S,S]: which point of the
    surface each sample shows, for flow and the like; buffers that the next `draw` overwrites
    shadow_depth f32 [N,N] depth seen from the key light (NDC, 2 where empty), shadow_matrix f64 [3,4] from the world to
    its (sample x, sample y, depth); the former a buffer too
    """

    rgb_u8: np.ndarray
    part_id: np.ndarray
    depth_m: np.ndarray
    triangle: np.ndarray
    bary_b: np.ndarray
    bary_c: np.ndarray
    shadow_depth: np.ndarray
    shadow_matrix: np.ndarray


class Renderer:
    """Software renderer for pictures of size x size, one sample a pixel; draw larger and shrink for smooth edges.

    shadow_size  side of the shadow map
    """

    def __init__(self, assets: Assets, size: int, *, shadow_size: int = 256) -> None:
        self.assets = assets
        self.size = size
        self._buffers = _new_buffers(size)
        self._shadow = _new_buffers(shadow_size)
        self._linear = np.empty((size, size, 3), np.float32)
        self._to_byte = _tone_curve()
        self._texture_cache: dict[tuple[str, int], tuple[np.ndarray, np.ndarray]] = {}
        self._alphas: list[np.ndarray] = []
        self._materials: raster.MaterialTable | None = None
        self._triangles = np.empty((0, 3), np.int32)
        self._spans: list[tuple[int, int]] = []
        self._cuts = np.empty((0, len(raster.NO_CUT)))
        self._detail = make_detail()
        self._mask_ids = np.empty(0, np.uint8)

    def load(self, character: Character, *, texture_halvings: int = 0) -> None:
        """Make a person the one that `draw` draws. texture_halvings: 0 = full textures, 1 = half, 2 = a quarter."""
        materials = [part.material for part in character.parts]
        textures = [self._texture(material.texture, texture_halvings) for material in materials]
        self._forget_textures({_texture_key(material.texture, texture_halvings) for material in materials})
        colours = [colour for colour, _ in textures]
        self._alphas = [alpha for _, alpha in textures]
        self._materials = raster.MaterialTable(
            texel=np.concatenate([colour.ravel() for colour in colours]),
            texel_start=np.cumsum([0] + [colour.size for colour in colours])[:-1].astype(np.int64),
            texture_size=np.array([colour.shape[:2] for colour in colours], np.int64),
            kind=np.array([m.kind for m in materials], np.int64),
            tint=np.array([m.tint for m in materials], np.float32),
            tint2=np.array([m.tint2 for m in materials], np.float32),
            saturation=np.array([m.saturation for m in materials], np.float32),
            pattern_mix=np.array([m.pattern_mix for m in materials], np.float32),
            pattern=np.array([m.pattern for m in materials], np.int64),
            pattern_scale=np.array([m.pattern_scale for m in materials], np.float32),
            gain=np.array([m.gain for m in materials], np.float32),
            tint3=np.array([m.tint3 for m in materials], np.float32),
            relief=np.array([m.relief for m in materials], np.float32),
            glyph=np.array([m.glyph for m in materials], np.int64),
            glyph_box=np.array([(x, y, 1 / w, 1 / h) for x, y, w, h in (m.glyph_box for m in materials)], np.float32),
        )
        self._triangles = np.concatenate(character.part_triangles).astype(np.int32)
        ends = np.cumsum([0] + [len(triangles) for triangles in character.part_triangles]).tolist()
        self._spans = list(zip(ends[:-1], ends[1:], strict=True))
        self._cuts = np.zeros((len(materials), len(raster.NO_CUT)))
        for row, material in zip(self._cuts, materials, strict=True):
            row[: len(material.cut)] = material.cut
        self._mask_ids = np.array([0] + [MASK_ID[m.mask] for m in materials], np.uint8)

    def draw(self, character: Character, view: View, light: Light) -> Picture:
        """The picture of the character's current pose. The character must be the one last loaded."""
        if self._materials is None:
            raise RuntimeError("Renderer.draw before Renderer.load")
        geometry = raster.Geometry(
            self._triangles,
            character.uv,
            character.position[character.corner_point],
            character.normal[character.corner_point],
            character.rest_corner_dm,
            character.surface,
        )
        light_samples = self._rasterise(character, geometry, light.view_projection, self._shadow, shadow=True)
        camera = (view.projection @ view.world_to_view).astype(np.float64)
        self._rasterise(character, geometry, camera, self._buffers, shadow=False)
        shading.shade(
            *np.nonzero(self._buffers.triangle >= 0),
            self._buffers,
            geometry,
            self._materials,
            light.table._replace(texel_dm=np.float32(2 * light.extent_dm / len(self._shadow.depth))),
            self._detail,
            view.eye_dm.astype(np.float32),
            self._shadow.depth,
            light_samples,
            self._linear,
        )
        return self._resolve(view, light_samples)

    def _rasterise(
        self,
        character: Character,
        geometry: raster.Geometry,
        view_projection: np.ndarray,
        buffers: raster.Buffers,
        *,
        shadow: bool,
    ) -> np.ndarray:
        """Fill the buffers; returns the matrix from world to (sample x, sample y, depth), f64 [3, 4]."""
        size = buffers.depth.shape[0]
        buffers.depth[:] = 2
        buffers.triangle[:] = -1
        buffers.part[:] = -1
        screen = np.empty((len(geometry.position), 4), np.float32)
        matrix = np.ascontiguousarray(view_projection, np.float64)
        raster.project(geometry.position, matrix, size, screen)
        for index, part in enumerate(character.parts):
            material = part.material
            if shadow and not material.casts_shadow:
                continue
            alpha_min = (SHADOW_ALPHA_MIN if shadow else ALPHA_MIN) if material.alpha_test else 0
            if material.soft_edge and not shadow:
                alpha_min = raster.DITHERED
            (first, last), cut = self._spans[index], raster.cut_kind(material.cut)
            whole = first + character.part_whole[index]
            for start, end, kind in ((first, whole, raster.UNCUT), (whole, last, cut)):
                raster.rasterise(
                    screen,
                    self._triangles,
                    start,
                    end,
                    geometry.uv,
                    geometry.rest,
                    self._alphas[index],
                    alpha_min,
                    self._cuts[index],
                    kind,
                    material.kind == raster.SKIN,
                    index,
                    buffers,
                )
        return raster.to_samples(matrix, size)

    def _resolve(self, view: View, light_samples: np.ndarray) -> Picture:
        """Tone-mapped picture, mask, and depth in metres."""
        size = self.size
        rgb_u8, part_id = np.empty((size, size, 3), np.uint8), np.empty((size, size), np.uint8)
        depth_m = np.empty((size, size), np.float32)
        lens = np.float32(view.near_dm), np.float32(view.far_dm)
        share = lighting.crease_light(self._buffers.depth, *lens, float(view.projection[1, 1]))
        lighting.resolve(
            self._linear, self._buffers, share, self._mask_ids, self._to_byte, *lens, rgb_u8, part_id, depth_m
        )
        return Picture(
            rgb_u8=rgb_u8,
            part_id=part_id,
            depth_m=depth_m,
            triangle=self._buffers.triangle,
            bary_b=self._buffers.bary_b,
            bary_c=self._buffers.bary_c,
            shadow_depth=self._shadow.depth,
            shadow_matrix=light_samples,
        )

    def _texture(self, name: str, halvings: int) -> tuple[np.ndarray, np.ndarray]:
        """Linear colour f32 [h, w, 3] and alpha u8 [h, w], box-filtered down."""
        key = _texture_key(name, halvings)
        if name.startswith("made/") and key not in self._texture_cache:
            self._texture_cache[key] = (np.ones((4, 4, 3), np.float32), strand_alpha(name, self._detail))
        if key not in self._texture_cache:
            rgba = self.assets.texture_rgba(name)
            colour = (rgba[..., :3].astype(np.float32) / 255) ** 2.2
            share = rgba[..., 3:].astype(np.float32) / 255
            edged = bool(share.min() < 0.5)
            image = np.concatenate([colour * share, share], -1) if edged else colour
            for _ in range(halvings):
                if min(image.shape[:2]) > 16:
                    image = _halved(image)
            full = np.full(image.shape[:2], 255, np.uint8)
            alpha = np.round(image[..., 3] * 255).astype(np.uint8) if edged else full
            self._texture_cache[key] = (np.ascontiguousarray(_grown(image) if edged else image), alpha)
        return self._texture_cache[key]

    def _forget_textures(self, worn: set[tuple[str, int]]) -> None:
        """Drop the textures that were worn longest ago until the others fit; changes no picture."""
        for key in worn:
            self._texture_cache[key] = self._texture_cache.pop(key)
        sizes = {key: colour.nbytes + alpha.nbytes for key, (colour, alpha) in self._texture_cache.items()}
        excess = sum(sizes.values()) - TEXTURE_CACHE_BYTES
        for key, size in sizes.items():
            if excess <= 0 or key in worn:
                break
            del self._texture_cache[key]
            excess -= size


def _texture_key(name: str, halvings: int) -> tuple[str, int]:
    """What a decoded texture is kept under; those that are made here have one size."""
    return name, 0 if name.startswith("made/") else halvings


def _halved(image: np.ndarray) -> np.ndarray:
    """Means of 2 x 2, f32 [H // 2, W // 2, C]."""
    height, width = image.shape[0] // 2, image.shape[1] // 2
    return image[: height * 2, : width * 2].reshape(height, 2, width, 2, -1).mean((1, 3))


def _grown(image: np.ndarray) -> np.ndarray:
    """Colours f32 [H, W, 3] of f32 [H, W, 4] (colour times alpha, alpha 0..1), grown into what is clear.

    So edges take no bright or dark rim from what lies below the clear part of a texture.
    """
    import cv2

    grown = image
    for width in (5, 21):
        near = cv2.blur(grown, (width, width))
        grown = np.where(grown[..., 3:] < 0.03, near / np.maximum(near[..., 3:], 1e-6) * (near[..., 3:] > 1e-5), grown)
    return grown[..., :3] / np.maximum(grown[..., 3:], 1e-3)


def _new_buffers(size: int) -> raster.Buffers:
    return raster.Buffers(
        depth=np.empty((size, size), np.float32),
        triangle=np.empty((size, size), np.int32),
        bary_b=np.empty((size, size), np.float32),
        bary_c=np.empty((size, size), np.float32),
        part=np.empty((size, size), np.int32),
    )


def _tone_curve() -> np.ndarray:
    """Picture values u8 [16384] of linear light 0..TONE_RANGE: a soft shoulder, then gamma 2.2."""
    light = np.arange(16384) * (lighting.TONE_RANGE / 16384)
    shoulder = np.clip(light * (1 + light * 0.12) / (1 + light * 0.55) * 1.25, 0, 1)
    return (shoulder ** (1 / 2.2) * 255).astype(np.uint8)
