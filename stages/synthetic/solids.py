"""Small closed meshes for things that people hold or stand behind."""

from __future__ import annotations

import numpy as np

from stages.synthetic.parse import Surface

Solid = tuple[np.ndarray, np.ndarray]  # points f64 [P, 3], triangles int [F, 3] facing outwards


def box(half_size) -> Solid:
    """A box about the origin; every face has its own corners, so that its edges stay sharp."""
    points, triangles = [], []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        for sign in (-1.0, 1.0):
            start = len(points)
            for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
                corner = np.zeros(3)
                corner[axis], corner[u], corner[v] = sign, a, b
                points.append(corner * half_size)
            order = ((0, 1, 2), (0, 2, 3)) if sign > 0 else ((0, 2, 1), (0, 3, 2))
            triangles += [[start + at for at in face] for face in order]
    return np.array(points), np.array(triangles)


def turned_solid(profile, sides: int = 20) -> Solid:
    """A profile of (radius, height) rows turned about the y axis, from the bottom up; neighbouring rows are joined."""
    profile = np.asarray(profile, float)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.stack([np.sin(angle), np.zeros(sides), np.cos(angle)], axis=-1)
    points = np.concatenate([ring * [radius, 1, radius] + [0, height, 0] for radius, height in profile])
    at, after = np.arange(sides), (np.arange(sides) + 1) % sides
    strips = []
    for row in range(len(profile) - 1):
        low, high = row * sides, (row + 1) * sides
        strips.append(np.stack([low + at, low + after, high + after], axis=-1))
        strips.append(np.stack([low + at, high + after, high + at], axis=-1))
    return points, np.concatenate(strips)


def ball(radius: float, stretch=(1.0, 1.0, 1.0)) -> Solid:
    """An ellipsoid about the origin."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, 11)
    points, triangles = turned_solid(np.stack([np.cos(angle), np.sin(angle)], -1) * radius)
    return points * np.asarray(stretch), triangles


def tube(radius: float, low: float, high: float) -> Solid:
    """An upright cylinder with caps and sharp rims."""
    rows = [(1e-3, low), (radius, low), (radius, low), (radius, high), (radius, high), (1e-3, high)]
    return turned_solid(rows)


def along(solid: Solid, start, end) -> Solid:
    """A solid made along y turned and moved so that its y axis runs from `start` towards `end`."""
    axis = np.asarray(end, float) - start
    y = axis / np.linalg.norm(axis)
    side = np.cross(y, (0.0, 0.0, 1.0) if abs(y[2]) < 0.9 else (1.0, 0.0, 0.0))
    x = side / np.linalg.norm(side)
    points, triangles = solid
    return points @ np.stack([x, y, np.cross(x, y)]) + start, triangles


def moved(solid: Solid, shift, axes=None) -> Solid:
    """The solid with its axes along the rows of `axes` f64 [3, 3], then shifted."""
    points, triangles = solid
    return (points if axes is None else points @ np.asarray(axes)) + shift, triangles


def joined(solids: list[Solid]) -> tuple[np.ndarray, Surface]:
    """All points of several solids f64 [P, 3], and one surface over them."""
    starts = np.cumsum([0] + [len(points) for points, _ in solids])[:-1]
    points = np.concatenate([points for points, _ in solids])
    triangles = np.concatenate([faces + start for (_, faces), start in zip(solids, starts, strict=True)])
    count = len(points)
    uv = np.full((count, 2), 0.5, np.float32)
    return points, Surface(np.arange(count, dtype=np.int32), uv, triangles.astype(np.int32))
