"""Light: set-ups of a key with soft shadow edges, a fill and a rim, and ambient coloured by the background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.synthetic import raster
from stages.synthetic.camera import look_at, orthographic
from stages.synthetic.colours import random_colour
from stages.synthetic.renderer import LIGHT_DISTANCE_DM, LIGHT_FAR_DM, LIGHT_NEAR_DM, Light

SETUPS = ("soft", "hard", "window", "ring", "rim", "top", "stage", "dim")
SETUP_SHARES = {
    "inside": (0.40, 0.08, 0.22, 0.05, 0.10, 0.05, 0.05, 0.05),
    "outside": (0.40, 0.46, 0.0, 0.0, 0.08, 0.03, 0.0, 0.03),
}
WARM, COOL = np.array([1.0, 0.84, 0.64]), np.array([0.82, 0.92, 1.0])


@dataclass(frozen=True)
class LightDraw:
    """Numbers of one light, before it falls on anybody. Directions f64 [3] point to the light; colours linear f64 [3].

    setup     one of SETUPS;  spread_rad  the angle under which the key appears: 0.01 the sun, 0.6 a large window
    ambient   strength of the light from all around
    """

    setup: str
    key: np.ndarray
    key_colour: np.ndarray
    spread_rad: float
    fill: np.ndarray
    fill_colour: np.ndarray
    rim: np.ndarray
    rim_colour: np.ndarray
    ambient: float


def draw_light(rng: np.random.Generator, *, outside: bool) -> LightDraw:
    """A random set-up. outside: sun and sky rather than lamps and windows."""
    setup = str(rng.choice(SETUPS, p=SETUP_SHARES["outside" if outside else "inside"]))
    azimuth, elevation = rng.uniform(-70, 70), rng.uniform(18, 62)
    strength, spread, ambient = rng.uniform(0.6, 1.1), rng.uniform(0.1, 0.35), rng.uniform(0.35, 0.6)
    warmth = np.array([1, 1 + rng.normal(0, 0.03), 1 + rng.normal(-0.05, 0.10)])
    fill_strength, rim_strength, rim_colour = rng.uniform(0.05, 0.35), 0.0, np.ones(3)
    if setup == "hard":
        strength, spread, ambient = rng.uniform(0.95, 1.4), rng.uniform(0.01, 0.05), rng.uniform(0.28, 0.45)
    elif setup == "window":
        azimuth, elevation = rng.choice([-1, 1]) * rng.uniform(45, 95), rng.uniform(8, 35)
        strength, spread, ambient = rng.uniform(0.7, 1.2), rng.uniform(0.35, 0.6), rng.uniform(0.25, 0.45)
        warmth = warmth * (COOL if rng.random() < 0.5 else np.ones(3))
    elif setup == "ring":
        azimuth, elevation, spread, ambient = rng.normal(0, 4), rng.uniform(4, 12), 0.4, rng.uniform(0.25, 0.4)
    elif setup == "rim":
        rim_strength, rim_colour = rng.uniform(0.5, 1.2), WARM if rng.random() < 0.5 else np.ones(3)
    elif setup == "top":
        elevation, spread = rng.uniform(65, 82), rng.uniform(0.1, 0.3)
    elif setup == "stage":
        first = np.array(random_colour(rng, 0.7, 1.0)) * 0.75 + 0.25
        warmth, rim_colour = first / first.max(), np.array(random_colour(rng, 0.8, 1.0))
        strength, rim_strength, ambient = rng.uniform(0.7, 1.2), rng.uniform(0.5, 1.3), rng.uniform(0.15, 0.3)
    elif setup == "dim":
        strength, ambient = rng.uniform(0.3, 0.5), rng.uniform(0.12, 0.22)
        warmth = warmth * (WARM if rng.random() < 0.6 else COOL)
    if outside and setup in ("hard", "rim"):
        warmth = warmth * np.array([1.0, 0.97, 0.9])
    behind = azimuth + rng.choice([-1, 1]) * rng.uniform(90, 170)
    back = np.sign(-azimuth or 1.0) * rng.uniform(125, 165)
    fill_tint = np.ones(3) if setup != "stage" else rim_colour * 0.5 + 0.5
    return LightDraw(
        setup,
        _towards(azimuth, elevation),
        strength * warmth,
        float(spread),
        _towards(behind, 19),
        fill_strength * fill_tint,
        _towards(back, rng.uniform(15, 45)),
        rim_strength * rim_colour,
        float(ambient),
    )


def place_light(draw: LightDraw, background_u8: np.ndarray, target_dm: np.ndarray, extent_dm: float) -> Light:
    """A light on a person.

    background_u8  uint8 [H, W, 3]  its mean colours the ambient light and the fill, its brightness dims them
    target_dm      float64 [3]      what the shadow map is centred on; extent_dm: its half width
    """
    surround = (background_u8.reshape(-1, 3).mean(0) / 255.0) ** 1.2 + 0.2
    tint = surround / (surround.mean() + 1e-6)
    dark = float(np.clip(surround.mean() / 0.55, 0.55, 1.1))  # a dark place gives little light back
    ambient = draw.ambient * tint * dark
    table = raster.LightTable(
        key_direction=draw.key.astype(np.float32),
        key_colour=draw.key_colour.astype(np.float32),
        fill_direction=draw.fill.astype(np.float32),
        fill_colour=(draw.fill_colour * tint).astype(np.float32),
        rim_direction=draw.rim.astype(np.float32),
        rim_colour=draw.rim_colour.astype(np.float32),
        ambient_down=(ambient * 0.55 * np.array([1, 0.95, 0.9])).astype(np.float32),
        ambient_up=ambient.astype(np.float32),
        spread=np.float32(draw.spread_rad),
        texel_dm=np.float32(0),
    )
    projection = orthographic(extent_dm, LIGHT_NEAR_DM, LIGHT_FAR_DM)
    return Light(table, projection @ look_at(target_dm + draw.key * LIGHT_DISTANCE_DM, target_dm), extent_dm)


def _towards(azimuth_deg: float, elevation_deg: float) -> np.ndarray:
    """Unit direction; azimuth 0 is before the person, positive to the person's left."""
    azimuth, elevation = np.radians(azimuth_deg), np.radians(elevation_deg)
    return np.array([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])
