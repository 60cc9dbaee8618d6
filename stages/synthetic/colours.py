"""Random colours of cloth and dyed hair."""

from __future__ import annotations

import colorsys

import numpy as np

from stages.synthetic.parts import Colour


def random_colour(rng: np.random.Generator, low: float, high: float) -> Colour:
    """A linear colour: any hue, saturation in three groups, brightness between low and high."""
    hue = rng.random()
    saturation = rng.choice([rng.uniform(0, 0.15), rng.uniform(0.2, 0.6), rng.uniform(0.6, 0.95)])
    return colorsys.hsv_to_rgb(hue, float(saturation), float(rng.uniform(low, high) ** 1.3))
