"""Glasses and hats: small stiff meshes made here, fitted to one head. Mask: accessories."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stages.synthetic import raster
from stages.synthetic.assets import Assets
from stages.synthetic.holdout import choose
from stages.synthetic.landmarks import BODY_VERTICES, Landmarks
from stages.synthetic.parse import Surface
from stages.synthetic.parts import Material, Part, rigid_part

GLASSES_SHARE, SUNGLASSES_SHARE, HAT_SHARE = 0.22, 0.08, 0.13
GLASSES = ("round", "rectangle", "square", "wayfarer", "aviator", "cat-eye")
FRAMES = (
    (0.02, 0.02, 0.022),
    (0.1, 0.045, 0.02),
    (0.35, 0.35, 0.36),
    (0.4, 0.28, 0.1),
    (0.25, 0.03, 0.04),
    (0.04, 0.06, 0.2),
)
HATS = ("cap", "cap", "beanie", "beanie", "brimmed", "bucket")
FLATTENED = np.float32(0.3)  # of standing hair below a hat
AROUND = 48  # directions around the head


def glasses_parts(
    assets: Assets, vertices: np.ndarray, marks: Landmarks, seed: int, rng: np.random.Generator
) -> list[Part]:
    """Glasses, clear or rarely dark, for about a fifth of the people."""
    shape = choose(rng, "glasses", GLASSES, seed)
    frame = FRAMES[int(rng.integers(len(FRAMES)))]
    width, thickness, dark = rng.uniform(0.25, 0.3), rng.uniform(0.012, 0.032), rng.random() < SUNGLASSES_SHARE
    if rng.random() >= GLASSES_SHARE:
        return []
    outline = _lens(shape) * np.array([width, width * 0.95])
    near = np.abs(vertices[:BODY_VERTICES] - marks.eye) < (0.13, 0.16, 0.6)
    front = float(vertices[:BODY_VERTICES][near.all(1), 2].max()) + 0.03
    middle = np.array([max(marks.eye[0] + 0.01, width * 1.12), marks.eye[1] - 0.03, front])
    meshes, lenses = [], []
    for side in (1.0, -1.0):
        rim = np.stack([side * (middle[0] + outline[:, 0]), middle[1] + outline[:, 1], _wrap(middle, outline)], -1)
        meshes.append(_tube(np.concatenate([rim, rim[:1]]), thickness))
        hinge = np.array([side * (middle[0] + width * 1.02), middle[1] + 0.09, _wrap(middle, outline).min()])
        meshes.append(_tube(_temple(vertices, marks, hinge, side), thickness * 1.1))
        lenses.append(_fan(rim))
    inner = middle[0] - width
    bridge = [(-inner, 0.05, 0.0), (-inner * 0.5, 0.09, 0.03), (inner * 0.5, 0.09, 0.03), (inner, 0.05, 0.0)]
    meshes.append(_tube(np.array(bridge) + [0, middle[1], middle[2]], thickness))
    metal = Material(raster.PLAIN, "accessories", tint=frame)
    parts = [_rigid(assets, "glasses", meshes, metal)]
    if dark:
        parts.append(_rigid(assets, "lenses", lenses, replace(metal, tint=(0.025, 0.022, 0.02), casts_shadow=False)))
    return parts


def _lens(shape: str) -> np.ndarray:
    """Outline of the left lens, f64 [28, 2], about -1..1 wide."""
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    square = {"round": 2.0, "rectangle": 5.0, "square": 4.0, "wayfarer": 3.2, "aviator": 2.6, "cat-eye": 2.6}[shape]
    height = {"round": 0.95, "rectangle": 0.58, "square": 0.78, "wayfarer": 0.74, "aviator": 0.88, "cat-eye": 0.68}[
        shape
    ]
    c, s = np.cos(angle), np.sin(angle)
    radius = (np.abs(c) ** square + np.abs(s) ** square) ** (-1 / square)
    x, y = radius * c, radius * s * height
    if shape == "wayfarer":
        x = x * (1 + 0.12 * y)
    elif shape == "aviator":
        x, y = x * (1 + 0.22 * y) - 0.12 * (y - 0.4), y - 0.12
    elif shape == "cat-eye":
        y = y + 0.28 * np.clip(x, 0, 1) ** 2 * (y > -0.2)
    return np.stack([x, y], -1)


def _wrap(middle: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """Depth of the rim: it follows the face backwards on the outside."""
    return middle[2] - 1.07 * np.clip(outline[:, 0], -0.1, 1) ** 2


def _temple(vertices: np.ndarray, marks: Landmarks, hinge: np.ndarray, side: float) -> np.ndarray:
    """From the hinge to behind the ear, outside the skin; f64 [5, 3]."""
    body = vertices[:BODY_VERTICES]
    depth = np.linspace(hinge[2], marks.head[2] + 0.05, 5)
    height = np.array([hinge[1], hinge[1], hinge[1], hinge[1] - 0.02, hinge[1] - 0.16])
    reach = []
    for z, y in zip(depth, height, strict=True):
        near = (np.abs(body[:, 2] - z) < 0.12) & (np.abs(body[:, 1] - y) < 0.12) & (body[:, 0] * side > 0)
        reach.append(np.quantile(np.abs(body[near, 0]), 0.7) + 0.03 if near.any() else abs(hinge[0]))
    x = np.maximum(np.array(reach), abs(hinge[0]) * np.linspace(1, 0.9, 5))
    return np.stack([side * x, height, depth], -1)


def _tube(path: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """A square tube along f64 [N, 3]: points f64 [4N, 3], triangles i32 [F, 3]."""
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-9
    first = np.cross(along, np.array([0.31, 0.42, 0.85]))
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(along, first)
    ring = [first, second, -first, -second]
    points = np.stack([path + radius * direction for direction in ring], 1).reshape(-1, 3)
    return points, _grid_triangles(len(path), 4)


def _grid_triangles(rows: int, columns: int) -> np.ndarray:
    """Triangles of a grid whose columns close to a ring, i32 [F, 3]."""
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns), indexing="ij")
    a, b = row * columns + column, row * columns + (column + 1) % columns
    c, d = a + columns, b + columns
    return np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([b, d, c], -1).reshape(-1, 3)])


def _fan(rim: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    count = len(rim)
    ring = np.arange(count)
    return np.concatenate([rim, rim.mean(0, keepdims=True)]), np.stack([ring, (ring + 1) % count, ring * 0 + count], -1)


def _rigid(assets: Assets, name: str, meshes: list[tuple[np.ndarray, np.ndarray]], material: Material) -> Part:
    """Meshes as one part that hangs on the head; each point is one corner."""
    starts = np.cumsum([0] + [len(points) for points, _ in meshes])
    points = np.concatenate([points for points, _ in meshes])
    triangles = np.concatenate([faces + start for (_, faces), start in zip(meshes, starts, strict=False)])
    uv = np.full((len(points), 2), 0.5, np.float32)
    surface = Surface(np.arange(len(points), dtype=np.int32), uv, triangles.astype(np.int32))
    return rigid_part(assets, name, points, surface, material, bone="head")


def hat_parts(
    assets: Assets,
    vertices: np.ndarray,
    marks: Landmarks,
    hair: list[Part],
    dye: dict,
    seed: int,
    rng: np.random.Generator,
) -> list[Part]:
    """The hair pressed below a hat, and the hat; or the hair as it is for those without.

    hair  parts of the hair at rest;  dye: colour fields of a cloth material
    """
    kind = choose(rng, "hat", HATS, seed)
    slack, drop, brim = rng.uniform(0.1, 0.3), rng.uniform(-0.08, 0.1), rng.uniform(0.5, 0.95)
    if rng.random() >= HAT_SHARE:
        return hair
    front, back = marks.eye[1] + 0.72 + drop, marks.eye[1] + (0.0 if kind in ("beanie", "bucket") else 0.25)
    angle = np.linspace(-np.pi, np.pi, AROUND, endpoint=False)
    rim_y = back + (front - back) * (0.5 + 0.5 * np.cos(angle)) ** 0.8
    centre = _head_centre(vertices, marks)
    radius = _outline(vertices, centre, marks, angle) + 0.09
    top = marks.crown + (slack if kind == "beanie" else 0.12)
    material = Material(raster.CUT_CLOTH, "accessories", **{**dye, "relief": 0.5 if kind == "beanie" else 0.25})
    meshes = [_crown(kind, angle, centre, radius, rim_y, top)]
    if kind == "beanie":
        meshes.append(_band(angle, centre, radius + 0.07, rim_y - 0.02, rim_y + 0.5))
    elif kind == "cap":
        forward = np.clip((np.cos(angle) - 0.42) / 0.35, 0, 1) ** 0.5
        meshes.append(_brim(angle, centre, radius, rim_y, brim * forward, -0.22 * forward))
    else:
        reach = np.full(AROUND, brim * (0.55 if kind == "bucket" else 0.85))
        meshes.append(_brim(angle, centre, radius, rim_y, reach, -reach * (0.75 if kind == "bucket" else 0.1)))
    hair = [replace(part, offset=part.offset * FLATTENED) if part.name == "scalp" else part for part in hair]
    pressed = [_pressed(part, vertices, centre, angle, radius - 0.05, rim_y, top - 0.06) for part in hair]
    return [*pressed, _rigid(assets, f"hat/{kind}", meshes, material)]


def _head_centre(vertices: np.ndarray, marks: Landmarks) -> np.ndarray:
    body = vertices[:BODY_VERTICES]
    skull = body[body[:, 1] > marks.eye[1] + 0.4]
    return np.array([0.0, (skull[:, 2].min() + skull[:, 2].max()) / 2])  # x, z


def _outline(vertices: np.ndarray, centre: np.ndarray, marks: Landmarks, angle: np.ndarray) -> np.ndarray:
    """Reach of the skull in each direction, dm f64 [AROUND]."""
    body = vertices[:BODY_VERTICES]
    skull = body[body[:, 1] > marks.eye[1] + 0.35][:, [0, 2]] - centre
    towards = np.stack([np.sin(angle), np.cos(angle)])
    return (skull @ towards).max(0) * 0.985  # the support is a little more than the radius


def _crown(
    kind: str, angle: np.ndarray, centre: np.ndarray, radius: np.ndarray, rim_y: np.ndarray, top: float
) -> tuple[np.ndarray, np.ndarray]:
    share = np.linspace(0, 1, 12)[:, None]
    if kind in ("brimmed", "bucket"):
        narrow = np.where(share < 0.8, 1 - 0.16 * share, 0.872 * np.sqrt(np.clip(1 - ((share - 0.8) / 0.2) ** 2, 0, 1)))
        height = np.minimum(share / 0.8, 1.0) ** 0.9
    else:
        narrow = np.clip(1 - share**2.6, 0, 1) ** 0.5
        height = share
    y = rim_y + (top - rim_y) * height
    return _rings(angle, centre, radius * narrow, y)


def _rings(angle: np.ndarray, centre: np.ndarray, radius: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rings f64 [N, AROUND] of radii and heights as points and triangles."""
    points = np.stack(
        [centre[0] + radius * np.sin(angle), np.broadcast_to(y, radius.shape), centre[1] + radius * np.cos(angle)], -1
    )
    return points.reshape(-1, 3), _grid_triangles(len(radius), AROUND)


def _band(
    angle: np.ndarray, centre: np.ndarray, radius: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    rings = np.stack([radius - 0.06, radius, radius, radius - 0.07])
    return _rings(angle, centre, rings, np.stack([low, low + 0.04, high - 0.04, high]))


def _brim(
    angle: np.ndarray, centre: np.ndarray, radius: np.ndarray, rim_y: np.ndarray, reach: np.ndarray, fall: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    share = np.array([0.0, 0.35, 0.7, 1.0, 1.0, 0.0])[:, None]
    thick = np.array([0.0, 0.0, 0.0, 0.0, -0.03, -0.03])[:, None]
    return _rings(angle, centre, radius + share * reach, rim_y + share**1.4 * fall + thick)


def _pressed(
    part: Part,
    vertices: np.ndarray,
    centre: np.ndarray,
    angle: np.ndarray,
    radius: np.ndarray,
    rim_y: np.ndarray,
    top: float,
) -> Part:
    """Hair moved inwards so that it lies below a hat."""
    place = (vertices[part.corner] * part.weight[..., None]).sum(1) + part.offset
    out = place[:, [0, 2]] - centre
    direction, reach = np.arctan2(out[:, 0], out[:, 1]), np.linalg.norm(out, axis=1)
    limit = np.interp(direction, angle, radius, period=2 * np.pi)
    rim = np.interp(direction, angle, rim_y, period=2 * np.pi)
    share = np.clip((place[:, 1] - rim) / (top - rim), 0, 1)
    narrow = limit * np.clip(1 - share**2.6, 0, 1) ** 0.5
    near = np.clip((place[:, 1] - (rim - 0.35)) / 0.3, 0, 1)  # the hair just below the rim leans in
    wanted = np.where(share > 0, np.minimum(reach, narrow), np.minimum(reach, limit + (reach - limit) * (1 - near)))
    moved = place.copy()
    moved[:, [0, 2]] = centre + out * (wanted / (reach + 1e-9))[:, None]
    moved[:, 1] = np.minimum(place[:, 1], top - 0.03)
    return replace(part, offset=part.offset + (moved - place).astype(np.float32))
