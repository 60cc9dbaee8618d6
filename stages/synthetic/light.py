"""Light: a key with soft shadow edges, a fill from the other side, and ambient coloured by the background."""

from __future__ import annotations

import numpy as np

from stages.synthetic import raster
from stages.synthetic.camera import look_at, orthographic
from stages.synthetic.renderer import Light


def draw_light(rng: np.random.Generator, background_u8: np.ndarray, target_dm: np.ndarray, extent_dm: float) -> Light:
    """A random light.

    background_u8  uint8 [H, W, 3]  its mean colours the ambient light
    target_dm      float64 [3]      what the shadow map is centred on; extent_dm: its half width
    """
    surround = (background_u8.reshape(-1, 3).mean(0) / 255.0) ** 1.2 + 0.2
    ambient_colour = surround / (surround.mean() + 1e-6)
    azimuth, elevation = np.radians(rng.uniform(-70, 70)), np.radians(rng.uniform(15, 65))
    key = np.array([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])
    behind = azimuth + rng.choice([-1, 1]) * np.radians(rng.uniform(90, 170))
    fill = np.array([np.sin(behind), 0.35, np.cos(behind)])
    warmth = np.array([1, 1 + rng.normal(0, 0.04), 1 + rng.normal(-0.05, 0.12)])
    strength = rng.uniform(0.6, 1.25)
    ambient = rng.uniform(0.3, 0.6) * ambient_colour
    fill_strength = rng.uniform(0.05, 0.35)
    table = raster.LightTable(
        key_direction=key.astype(np.float32),
        key_colour=(strength * warmth).astype(np.float32),
        fill_direction=(fill / np.linalg.norm(fill)).astype(np.float32),
        fill_colour=(fill_strength * ambient_colour).astype(np.float32),
        ambient_down=(ambient * 0.55 * np.array([1, 0.95, 0.9])).astype(np.float32),
        ambient_up=ambient.astype(np.float32),
    )
    return Light(table, orthographic(extent_dm, 5, 35) @ look_at(target_dm + key * 20, target_dm))
