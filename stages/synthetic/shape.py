"""From age, sex, build and origin to a base mesh: MakeHuman's macro morphs plus random local ones."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from stages.synthetic.assets import Assets

LOCAL_STRENGTH = {
    "nose": 1.0, "mouth": 0.9, "chin": 0.9, "cheek": 0.9, "forehead": 0.8, "eyebrows": 0.8, "head": 0.5, "ears": 0.8,
    "neck": 0.4, "torso": 0.4, "hip": 0.4, "stomach": 0.5,
}  # fmt: skip
PAIRED_STRENGTH = {**LOCAL_STRENGTH, "eyes": 0.6}  # left and right together
OPPOSITES = (
    ("decr", "incr"), ("down", "up"), ("in", "out"), ("backward", "forward"), ("concave", "convex"),
    ("compress", "uncompress"), ("square", "round"),
)  # fmt: skip
# Means of morphs that decide whether a face at rest looks stern; + towards the first of the pair. Tuned by eye.
FRIENDLY = {
    "eyebrows/eyebrows-angle-down": -0.7, "mouth/mouth-angles-down": -0.3, "eyebrows/eyebrows-trans-down": 0.05,
}  # fmt: skip
# They push a part of the body sideways as a whole: a head a centimetre beside its spine, with hat and glasses askew.
SIDEWAYS = {f"{part}/{part}-trans-in" for part in ("head", "hip", "neck", "torso")}
ORIGINS = ("african", "asian", "caucasian")


@dataclass(frozen=True)
class Phenotype:
    """What a person is born with. sex 0 female..1 male; age_years 18..80; the others 0..1; origin shares sum to 1."""

    male: bool
    sex: float
    age_years: float
    muscle: float
    weight: float
    height: float
    proportions: float
    origin: dict[str, float]

    @property
    def main_origin(self) -> str:
        """The origin with the largest share."""
        return max(self.origin, key=lambda name: self.origin[name])

    @property
    def age_band(self) -> str:
        """MakeHuman's name of the age of the skin."""
        return "young" if self.age_years < 38 else "middleage" if self.age_years < 58 else "old"


def draw_phenotype(rng: np.random.Generator) -> Phenotype:
    """A random person; distributions are our choice (half women, three age groups, mixed origins)."""
    male = bool(rng.random() < 0.5)
    ages = (rng.uniform(18, 35), rng.uniform(30, 55), rng.uniform(50, 78))
    age = float(np.clip(rng.choice(ages, p=[0.5, 0.3, 0.2]), 18, 80))
    shares = rng.dirichlet([0.45] * 3)

    # spreads a little wider than MakeHuman's own, so that heavy, thin, tall and short people are not rare
    def clipped(mean: float, spread: float, low: float, high: float) -> float:
        return float(np.clip(rng.normal(mean, spread), low, high))

    # MakeHuman's own scale is steeper above the middle: this gives women 146..182 cm and men 156..194 cm
    stature = np.clip(rng.normal(0, 1.1), -2.5, 2.5)
    return Phenotype(
        male=male,
        sex=clipped(0.88 if male else 0.12, 0.06, 0, 1),
        age_years=age,
        muscle=clipped(0.58 if male else 0.5, 0.18, 0.08, 1),
        weight=clipped(0.52, 0.23, 0.04, 1.0),
        height=0.5 + float(stature * (0.09 if stature < 0 else 0.055)),
        proportions=clipped(0.65, 0.2, 0.1, 1),
        origin=dict(zip(ORIGINS, (float(share) for share in shares), strict=True)),
    )


def shape_body(assets: Assets, person: Phenotype, rng: np.random.Generator) -> np.ndarray:
    """The person's base mesh at rest, float32 [V, 3] decimetres; left and right nearly alike."""
    vertices = assets.base_dm.copy()
    for name, weight in _macro_weights(person):
        _add(assets, vertices, name, weight)
    pairs = _opposite_pairs(assets)
    for family, strength in LOCAL_STRENGTH.items():
        for low, high in pairs.get(family, ()):
            if not re.search(r"/[lr]-", low):
                amount = np.clip(rng.normal(FRIENDLY.get(low, 0.0), 0.28), -0.8, 0.8) * strength
                if low not in SIDEWAYS:
                    _add(assets, vertices, low if amount > 0 else high, abs(amount))
    for family, strength in PAIRED_STRENGTH.items():
        for low, high in pairs.get(family, ()):
            if "/l-" in low:
                amount = np.clip(rng.normal(0, 0.3), -0.7, 0.7) * strength
                left = high if amount > 0 else low
                _add(assets, vertices, left, abs(amount))
                _add(assets, vertices, left.replace("/l-", "/r-"), abs(amount))
    return vertices


def _add(assets: Assets, vertices: np.ndarray, name: str, weight: float) -> None:
    """Add a morph in place; MakeHuman leaves out combinations that change nothing: a missing name is no error."""
    if abs(weight) >= 1e-4 and name in assets.morphs:
        index, delta = assets.morphs[name]
        vertices[index] += np.float32(weight) * delta


def _macro_weights(person: Phenotype) -> list[tuple[str, float]]:
    """The macro morphs and their weights: products of sex, age, origin, muscle, weight, height and proportions."""
    age = person.age_years
    if age < 25:
        child = 0.2 * (25 - age) / 15  # MakeHuman's own 0.6 at 16 would be a child of 12 to the eye
        ages = {"child": child, "young": 1 - child}
    else:
        ages = {"young": max(0.0, 1 - (age - 25) / 65), "old": min(1.0, (age - 25) / 65)}
    heights = {"minheight": max(0.0, 1 - 2 * person.height), "maxheight": max(0.0, 2 * person.height - 1)}
    proportions = {
        "uncommonproportions": max(0.0, 1 - 2 * person.proportions),
        "idealproportions": max(0.0, 2 * person.proportions - 1),
    }
    weights = []
    for sex, sex_share in {"male": person.sex, "female": 1 - person.sex}.items():
        for band, band_share in ages.items():
            both = sex_share * band_share
            if both <= 0:
                continue
            weights += [
                (f"macrodetails/{origin}-{sex}-{band}", both * share) for origin, share in person.origin.items()
            ]
            for muscle, muscle_share in _three_way(person.muscle).items():
                for mass, mass_share in _three_way(person.weight).items():
                    share = both * muscle_share * mass_share
                    if share <= 0:
                        continue
                    build = f"{sex}-{band}-{muscle}muscle-{mass}weight"
                    weights.append((f"macrodetails/universal-{build}", share))
                    weights += [(f"macrodetails/height/{build}-{name}", share * w) for name, w in heights.items()]
                    weights += [
                        (f"macrodetails/proportions/{build}-{name}", share * w) for name, w in proportions.items()
                    ]
    return weights


def _three_way(value_01: float) -> dict[str, float]:
    return {"min": max(0.0, 1 - 2 * value_01), "average": 1 - abs(2 * value_01 - 1), "max": max(0.0, 2 * value_01 - 1)}


def _opposite_pairs(assets: Assets) -> dict[str, list[tuple[str, str]]]:
    """Local morphs that are each other's opposite, by family, in the order of their names."""
    pairs: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(assets.morphs):
        for low, high in OPPOSITES:
            other = name[: -len(low)] + high
            if name.endswith("-" + low) and other in assets.morphs:
                pairs.setdefault(name.split("/")[0], []).append((name, other))
    return pairs
