"""Skin, eyes and the colours of hair: what a person's origin and age make likely, and what is painted on the face."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stages.synthetic import raster
from stages.synthetic.assets import Assets
from stages.synthetic.bake import morph_strength
from stages.synthetic.colours import random_colour
from stages.synthetic.landmarks import BODY_VERTICES, Landmarks
from stages.synthetic.parts import Colour, Material, Part, base_part
from stages.synthetic.shape import Phenotype

NATURAL_HAIR: dict[str, tuple[tuple[Colour, float], ...]] = {  # linear colour, share
    "african": (((0.022, 0.018, 0.015), 0.75), ((0.045, 0.028, 0.018), 0.25)),
    "asian": (((0.022, 0.02, 0.02), 0.65), ((0.04, 0.027, 0.02), 0.25), ((0.09, 0.05, 0.03), 0.1)),
    "caucasian": (
        ((0.03, 0.022, 0.017), 0.2), ((0.07, 0.042, 0.025), 0.25), ((0.14, 0.08, 0.04), 0.2),
        ((0.3, 0.19, 0.09), 0.15), ((0.5, 0.36, 0.18), 0.12), ((0.26, 0.08, 0.03), 0.08),
    ),
}  # fmt: skip
GREY, WHITE = np.array([0.26, 0.26, 0.26]), np.array([0.58, 0.57, 0.55])
DYED_SHARE = 0.06
BROWN_IRISES = ("irises/brown_eye", "irises/brownlight_eye", "baked/iris_brown", "baked/iris_hazel")
BEARDS = (*["none"] * 5, "shadow", "shadow", "stubble", "stubble", "full", "full", "goatee", "moustache")
SKIN_TONES: dict[str, Colour] = {
    "african": (0.34, 0.27, 0.24),
    "asian": (0.95, 0.9, 0.82),
    "caucasian": (1.05, 1.0, 0.98),
}


@dataclass(frozen=True)
class Look:
    """What is painted on the skin: colours of hair and lips, kind of beard, strengths 0..1."""

    hair_colour: Colour
    lip_colour: Colour
    lips: float
    beard: str
    beard_strength: float
    scalp: float
    freckles: float


def draw_hair_colour(person: Phenotype, rng: np.random.Generator) -> tuple[Colour, Colour]:
    """The colour of the hair on the head, perhaps dyed, and of brows and beard: of the origin, greying with age."""
    colours, shares = zip(*NATURAL_HAIR[person.main_origin], strict=True)
    natural = np.array(colours[int(rng.choice(len(colours), p=np.array(shares)))]) * rng.uniform(0.75, 1.3)
    greyed = (
        np.clip(rng.normal((person.age_years - (54 if person.male else 62)) / 26, 0.22), 0, 1)
        if person.age_years > 38
        else 0.0
    )
    towards = GREY if greyed < 0.75 else WHITE
    dyed = random_colour(rng, 0.25, 0.75)
    drawn = rng.random()
    grown = natural + (towards - natural) * greyed
    shown = dyed if drawn < DYED_SHARE else grown
    return tuple(float(value) for value in np.clip(shown, 0.008, 0.9)), tuple(float(value) for value in grown)


def draw_iris(assets: Assets, person: Phenotype, rng: np.random.Generator) -> str:
    """An iris texture: brown for most people, any for those of mostly European origin."""
    brown = [name for name in assets.irises() if name in BROWN_IRISES]
    any_iris = rng.random() < max(0.03, (person.origin["caucasian"] - 0.35) * 1.2)
    pool = assets.irises() if any_iris else brown
    return str(pool[min(int(rng.random() * len(pool)), len(pool) - 1)])


def draw_look(assets: Assets, person: Phenotype, natural: Colour, has_hair: bool, rng: np.random.Generator) -> Look:
    """Beard, lips, freckles and hair roots of a person; the painted skin of pip-only people has no lips of its own."""
    beard = str(rng.choice(BEARDS)) if person.male and person.age_years > 17 else "none"
    strength = {"none": 0.0, "shadow": rng.uniform(0.12, 0.3), "stubble": rng.uniform(0.3, 0.6)}
    made_up = not person.male and rng.random() < 0.45
    hue = np.array([rng.uniform(0.35, 0.7), rng.uniform(0.04, 0.16), rng.uniform(0.05, 0.2)])
    bare = 0.0
    if not (assets.has_wardrobe or made_up):
        bare, hue = 0.5, np.array([0.3, 0.1, 0.09]) * (1.2 - 0.7 * person.origin["african"])
    freckled = person.origin["caucasian"] > 0.5 and rng.random() < 0.3
    scalp = rng.uniform(0.75, 0.95) if has_hair else float(rng.choice([0.0, 0.0, 0.25, 0.5]))
    return Look(
        hair_colour=natural,
        lip_colour=tuple(float(value) for value in hue),
        lips=float(rng.uniform(0.35, 0.8)) if made_up else bare,
        beard=beard,
        beard_strength=float(strength.get(beard, rng.uniform(0.75, 0.95))),
        scalp=float(scalp),
        freckles=float(rng.uniform(0.3, 1.0)) if freckled else 0.0,
    )


def skin_part(
    assets: Assets, vertices: np.ndarray, person: Phenotype, marks: Landmarks, look: Look, rng: np.random.Generator
) -> Part:
    """The body in a skin of the person's origin and age, its tone shifted continuously, with the look painted on."""
    if assets.has_wardrobe:
        sex = "male" if person.male else "female"
        folder = f"skins/{person.age_band}_{person.main_origin}_{sex}/"
        choices = [name for name in assets.skins() if name.startswith(folder)]
        texture = choices[rng.integers(len(choices))]
        dark = person.main_origin == "african"
        tone = 0.95 + 1.2 * (1 - person.origin["african"]) if dark else 1.02 - 0.5 * person.origin["african"]
        tone *= rng.uniform(0.82, 1.12)
        tint = tone * np.array([0.96, max(tone, 1.0) ** 0.45, 1.06 * max(tone, 1.0) ** 0.6])  # lighter skin is less red
        tint *= np.array([1, rng.normal(0.995, 0.02), rng.normal(0.985, 0.035)])
    else:
        texture = assets.skins()[0]
        tint = np.full(3, rng.uniform(0.78, 1.12)) + rng.normal(0, 0.02, 3)
        tint *= sum(np.array(SKIN_TONES[name]) * share for name, share in person.origin.items())
    material = Material(
        raster.SKIN,
        "skin",
        texture,
        tint=tuple(float(value) for value in tint),
        tint2=look.hair_colour,
        tint3=look.lip_colour,
    )
    part = base_part(assets, "body", material)
    paint = painted(assets, vertices, marks, look)
    return replace(part, paint=paint[part.corner[:, 0]])


def above_hairline(assets: Assets, vertices: np.ndarray, marks: Landmarks) -> np.ndarray:
    """How far each base vertex lies above the hairline, decimetres, f64 [V]; negative elsewhere and on the ears."""
    body = vertices[:BODY_VERTICES].astype(np.float64)
    head = assets.weight[:BODY_VERTICES, assets.bone_index["head"]] > 0.2
    back, front = body[head, 2].min(), body[head & (body[:, 1] > marks.eye[1]), 2].max()
    share = (body[:, 2] - back) / (front - back)
    drop = np.interp(share, (0.0, 0.3, 0.45, 0.58, 0.7, 0.78, 0.88, 1.0), (1.75, 1.6, 1.42, 1.3, 1.15, 0.72, 0.45, 0.4))
    above = body[:, 1] - (marks.crown - drop * (marks.crown - marks.eye[1]) / 1.2)
    ears = morph_strength(assets.morphs, tuple(f"ears/{side}-ear-scale-incr" for side in "lr"), len(vertices)) > 0.12
    above[ears[:BODY_VERTICES]] = -1.0
    above[body[:, 1] < marks.crown - 2.0] = -1.0
    return np.concatenate([above, np.full(len(vertices) - BODY_VERTICES, -1.0)])


def painted(assets: Assets, vertices: np.ndarray, marks: Landmarks, look: Look) -> np.ndarray:
    """Strengths of hair roots, beard, lips and freckles on the base mesh, f32 [V, 4] 0..1."""
    mouth = _mouth(assets, vertices)
    lips = mouth.lips(vertices)
    scalp = np.clip(above_hairline(assets, vertices, marks) / 0.16, 0, 1) * look.scalp
    beard = _beard(vertices, marks, mouth, look.beard) * look.beard_strength
    mouth_y = mouth.y
    x, y, z = np.abs(vertices[:, 0]), vertices[:, 1], vertices[:, 2]
    nose_y = (mouth_y + marks.eye[1]) / 2
    cheeks = np.exp(-(((x - 0.28) / 0.3) ** 2) - ((y - nose_y - 0.05) / 0.25) ** 2) * (z > marks.eye[2] - 0.4)
    return np.stack([scalp, beard, lips * look.lips, cheeks * look.freckles], -1).astype(np.float32)


@dataclass(frozen=True)
class Mouth:
    """Middle, half height and half width of the lips, height of their corners, depth behind and before; dm at rest."""

    x: float
    y: float
    half_height: float
    half_width: float
    corner_y: float
    back_z: float
    front_z: float

    def lips(self, vertices: np.ndarray) -> np.ndarray:
        """1 on the lips, falling to 0 over a few millimetres; f64 [V]."""
        across = np.abs(vertices[:, 0] - self.x) / self.half_width
        middle = self.y + (self.corner_y - self.y) * np.clip(across, 0, 1) ** 2
        height = self.half_height * np.clip(1.05 - across, 0.05, 1) ** 0.7
        inside = 1 - across**2 - ((vertices[:, 1] - middle) / height) ** 2
        return np.clip(inside * 2.5, 0, 1) * (vertices[:, 2] > self.back_z)


def _mouth(assets: Assets, vertices: np.ndarray) -> Mouth:
    """The mouth of a person: the middle of the lips rolls, and a smile moves their corner most."""
    rolled = morph_strength(assets.arkit, ("mouthRollUpper", "mouthRollLower"), len(vertices)) > 0.6
    index, delta = assets.arkit["mouthSmileLeft"]
    smiling = (np.abs(assets.base_dm[index, 1] - assets.base_dm[rolled, 1].mean()) < 0.12) & (index < BODY_VERTICES)
    reach = np.linalg.norm(delta, axis=1) * smiling * (assets.base_dm[index, 0] > 0)
    corner = vertices[index[np.argmax(reach)]]
    low, high = vertices[rolled, 1].min(), vertices[rolled, 1].max()
    x = float(vertices[rolled, 0].mean())  # faces are not quite even
    return Mouth(
        x=x,
        y=float(low + high) / 2,
        half_height=float(high - low) / 2 + 0.02,
        half_width=float(abs(corner[0] - x)) + 0.02,
        corner_y=float(corner[1]),
        back_z=float(vertices[rolled, 2].min()) - 0.25,
        front_z=float(vertices[rolled, 2].max()),
    )


def _beard(vertices: np.ndarray, marks: Landmarks, mouth: Mouth, kind: str) -> np.ndarray:
    """Where hair grows on the face, f64 [V] 0..1 with soft edges."""
    if kind == "none":
        return np.zeros(len(vertices))
    mouth_y, half = mouth.y, mouth.half_width
    x, y, z = np.abs(vertices[:, 0] - mouth.x), vertices[:, 1], vertices[:, 2]
    up = (marks.eye[1] - mouth_y) * 0.62
    cheek_y = mouth_y - 0.02 + up * np.clip((x - half) / 0.42, 0, 1) ** 1.6
    throat_y = marks.chin - 0.12 - 0.1 * np.clip(1 - x / 0.5, 0, 1)

    def soft(distance: np.ndarray, edge: float = 0.07) -> np.ndarray:
        return np.clip(distance / edge + 0.5, 0, 1)

    front = soft(z - (marks.head[2] + 0.28), 0.15)
    jaw = soft(cheek_y - y, 0.16) * soft(y - throat_y, 0.12) * front
    nose_y = mouth_y + mouth.half_height + 0.1
    lip = (
        soft(nose_y - y, 0.05)
        * soft(mouth.front_z - 0.02 - z, 0.04)
        * soft(y - mouth_y + 0.06)
        * soft(half * 1.1 - x, 0.1)
        * front
    )
    chin = jaw * soft(half * 1.05 - x, 0.1)
    beard = {"moustache": lip, "goatee": np.maximum(chin, lip)}.get(kind, np.maximum(jaw, lip))
    return beard * (1 - mouth.lips(vertices))
