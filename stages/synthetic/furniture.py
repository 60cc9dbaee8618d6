"""Seats made of boxes and cylinders, as tall as the legs of the person who sits on them."""

from __future__ import annotations

import numpy as np

from stages.synthetic import raster
from stages.synthetic.assets import Assets
from stages.synthetic.parse import Surface
from stages.synthetic.parts import WORLD, Material, Part, rigid_part
from stages.synthetic.plan import Seat
from stages.synthetic.rotation import turn

THICK_DM = 0.5
ROUND = 20  # sides of a cylinder


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
        solids = [_box((0, top_dm - THICK_DM / 2, 0.2), (half, THICK_DM / 2, half))]
        legs = [(x, z) for x in (-half + 0.25, half - 0.25) for z in (-half + 0.45, half - 0.05)]
        solids += [_box((x, middle - THICK_DM / 2, z), (0.2, (height - THICK_DM) / 2, 0.2)) for x, z in legs]
    if seat.back:
        behind = -half - 0.25
        posts = [_box((x, top_dm + 1.9, behind), (0.18, 2.4, 0.16)) for x in (-half + 0.3, half - 0.3)]
        solids += [*posts, _box((0, top_dm + 3.3, behind + 0.05), (half - 0.1, 1.0, 0.16))]
    points = np.concatenate([points for points, _, _ in solids])
    starts = np.cumsum([0] + [len(points) for points, _, _ in solids])[:-1]
    triangles = np.concatenate([tri + start for (_, tri, _), start in zip(solids, starts, strict=True)])
    uv = np.concatenate([uv for _, _, uv in solids])
    placed = points @ turn(0.0, seat.heading_deg, 0.0).T + np.array([hips_xz_dm[0], 0.0, hips_xz_dm[1]])
    surface = Surface(np.arange(len(points), dtype=np.int32), uv.astype(np.float32), triangles.astype(np.int32))
    material = Material(raster.PLAIN, "accessories", tint=tuple(float(value) for value in colour))
    return [rigid_part(assets, "seat", placed, surface, material, WORLD)]


Solid = tuple[np.ndarray, np.ndarray, np.ndarray]


def _box(centre, half_size) -> Solid:
    """Points f64 [24, 3], triangles [12, 3] facing outwards, uv [24, 2]; every face has its own corners."""
    points, triangles = [], []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        for sign in (-1.0, 1.0):
            start = len(points)
            for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
                corner = np.zeros(3)
                corner[axis], corner[u], corner[v] = sign, a, b
                points.append(np.array(centre) + corner * half_size)
            order = ((0, 1, 2), (0, 2, 3)) if sign > 0 else ((0, 2, 1), (0, 3, 2))
            triangles += [[start + at for at in face] for face in order]
    return np.array(points), np.array(triangles), np.tile([[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]], (6, 1))


def _cylinder(centre, radius: float, height: float) -> Solid:
    """An upright cylinder with caps, as `_box`."""
    angle = np.linspace(0, 2 * np.pi, ROUND, endpoint=False)
    ring = np.stack([np.sin(angle) * radius, 0 * angle, np.cos(angle) * radius], axis=-1)
    up = np.array([0, height / 2, 0])
    points = np.concatenate([ring - up, ring + up, ring - up, ring + up, [-up, up]]) + np.array(centre, float)
    at, after = np.arange(ROUND), (np.arange(ROUND) + 1) % ROUND
    side = np.concatenate([np.stack([at, after, after + ROUND], -1), np.stack([at, after + ROUND, at + ROUND], -1)])
    low, high = at * 0 + 4 * ROUND, at * 0 + 4 * ROUND + 1
    caps = [
        np.stack([low, after + 2 * ROUND, at + 2 * ROUND], -1),
        np.stack([high, at + 3 * ROUND, after + 3 * ROUND], -1),
    ]
    return points, np.concatenate([side, *caps]), np.full((len(points), 2), 0.5)
