"""Seats made of boxes and cylinders, as tall as the legs of the person who sits on them."""

from __future__ import annotations

import numpy as np

from stages.synthetic import raster
from stages.synthetic.assets import Assets
from stages.synthetic.parts import WORLD, Material, Part, rigid_part
from stages.synthetic.plan import Seat
from stages.synthetic.rotation import turn
from stages.synthetic.solids import Solid, box, joined, moved, tube

THICK_DM = 0.5


def seat_parts(
    assets: Assets, seat: Seat, top_dm: float, floor_dm: float, hips_xz_dm: np.ndarray, hip_width_dm: float, colour
) -> list[Part]:
    """One part: a stool, or a chair with a back rest. top_dm: world y of the seat; colour: linear light, 3 numbers."""
    half = hip_width_dm * 1.02 + 0.3
    middle, height = (top_dm + floor_dm) / 2, top_dm - floor_dm
    if seat.round_top:
        solids = [
            _cylinder((0, top_dm - THICK_DM / 2, 0.15), half + 0.15, THICK_DM),
            _cylinder((0, middle, 0.15), 0.32, height - THICK_DM),
            _cylinder((0, floor_dm + 0.12, 0.15), 0.85 * half, 0.24),
        ]
    else:
        solids = [_block((0, top_dm - THICK_DM / 2, 0.2), (half, THICK_DM / 2, half))]
        legs = [(x, z) for x in (-half + 0.25, half - 0.25) for z in (-half + 0.45, half - 0.05)]
        solids += [_block((x, middle - THICK_DM / 2, z), (0.2, (height - THICK_DM) / 2, 0.2)) for x, z in legs]
    if seat.back:
        behind = -half - 0.25
        posts = [_block((x, top_dm + 1.9, behind), (0.18, 2.4, 0.16)) for x in (-half + 0.3, half - 0.3)]
        solids += [*posts, _block((0, top_dm + 3.3, behind + 0.05), (half - 0.1, 1.0, 0.16))]
    points, surface = joined(solids)
    placed = points @ turn(0.0, seat.heading_deg, 0.0).T + np.array([hips_xz_dm[0], 0.0, hips_xz_dm[1]])
    material = Material(raster.PLAIN, "accessories", tint=tuple(float(value) for value in colour))
    return [rigid_part(assets, "seat", placed, surface, material, WORLD)]


def _block(centre, half_size) -> Solid:
    return moved(box(half_size), centre)


def _cylinder(centre, radius: float, height: float) -> Solid:
    return moved(tube(radius, -height / 2, height / 2), centre)
