"""Random places under the sky: lawn, street, beach, yard; hills, trees and houses around, made of nothing."""

from __future__ import annotations

import numpy as np

from stages.synthetic import scene_patterns as patterns
from stages.synthetic.rooms import BRICK_TONES, GREENS, STONES, WALLS, linear, one_of, shade_of
from stages.synthetic.scene_builder import SceneBuilder
from stages.synthetic.scene_kernels import Scene

SKIES = {  # horizon, zenith, cloud, cloud cover, brightness
    "clear": ((196, 214, 230), (84, 132, 194), (250, 250, 250), 0.42, 1.35),
    "cloudy": ((212, 218, 222), (140, 160, 182), (236, 238, 240), 0.62, 1.15),
    "overcast": ((214, 216, 218), (182, 187, 192), (226, 227, 228), 0.75, 1.0),
    "evening": ((250, 206, 160), (108, 122, 168), (246, 190, 160), 0.5, 0.95),
    "night": ((40, 46, 66), (10, 13, 26), (44, 48, 60), 0.4, 0.5),
}
SKY_SHARES = (0.38, 0.25, 0.2, 0.12, 0.05)
GROUNDS = ("lawn", "street", "square", "sand", "yard")
GROUND_SHARES = (0.36, 0.22, 0.2, 0.1, 0.12)


def outdoors(rng: np.random.Generator, floor_dm: float, reach_dm: float, azimuth_rad: float, key: np.ndarray) -> Scene:
    """A place under the sky around a person at the origin. Arguments as in rooms.room."""
    builder = SceneBuilder(rng, azimuth_rad + rng.normal(0, 0.6))
    weather = str(rng.choice(list(SKIES), p=SKY_SHARES))
    horizon, zenith, cloud, cover, shine = SKIES[weather]
    ground = str(rng.choice(GROUNDS, p=GROUND_SHARES))
    _ground(builder, rng, floor_dm, ground)
    haze_colour = linear(horizon)
    ridges = _ridges(rng, haze_colour, town=ground in ("street", "square"))
    if ground in ("street", "square") or rng.random() < 0.3:
        _houses(builder, rng, floor_dm, reach_dm)
    if ground != "sand":
        _trees(builder, rng, floor_dm, reach_dm)
    if ground in ("lawn", "yard") and rng.random() < 0.6:
        _fence(builder, rng, floor_dm, reach_dm)
    turn = builder.turn
    in_scene = np.array([turn[0] * key[0] - turn[1] * key[2], key[1], turn[1] * key[0] + turn[0] * key[2]])
    cover = float(np.clip(cover + rng.normal(0, 0.06), 0, 0.9))
    sky = np.array([haze_colour, linear(zenith, 0.1, rng), linear(cloud), (cover, 0, 0)])
    return builder.build(
        key=in_scene,
        corner_dark=0.35,
        shine=shine * float(rng.uniform(0.85, 1.1)),
        haze=float(np.exp(rng.uniform(np.log(3e-5), np.log(5e-4)))),
        sky=sky,
        ridges=ridges,
    )


def _ground(builder, rng, floor_dm, ground) -> None:
    """The ground plane, and a path or a road on it."""
    asphalt, stone, green = linear((98, 98, 100), 0.1, rng), one_of(rng, STONES), one_of(rng, GREENS)
    soil = linear((146, 120, 92), 0.12, rng)
    look = {
        "lawn": (
            patterns.GRASS,
            shade_of(green, 0.8),
            (*(0.6 * (g + s) for g, s in zip(green, soil, strict=True)),),
            1.0,
        ),
        "street": (patterns.SLABS, stone, shade_of(stone, 0.55), float(rng.uniform(0.15, 0.35))),
        "square": (patterns.TILES, stone, shade_of(stone, 0.6), float(rng.uniform(0.2, 0.6))),
        "sand": (patterns.EARTH, linear((214, 194, 158), 0.08, rng), linear((196, 172, 134)), 1.0),
        "yard": (patterns.EARTH, soil if rng.random() < 0.4 else asphalt, shade_of(asphalt, 0.85), 1.0),
    }
    builder.plane(1, floor_dm, 1, *look[ground])
    if ground == "street":
        near = -rng.uniform(18, 60)
        builder.decal(0, patterns.PANEL, (-5000, near - 60, 5000, near), asphalt)
        builder.decal(0, patterns.PANEL, (-5000, near, 5000, near + 1.4), shade_of(stone, 0.8))
        builder.decal(0, patterns.PANEL, (-5000, near - 31, 5000, near - 29.5), linear((225, 225, 220)))
    elif ground == "lawn" and rng.random() < 0.4:
        at = rng.uniform(-60, 60)
        builder.decal(0, patterns.PANEL, (at - 9, -4000, at + 9, 4000), shade_of(soil, 1.1))
    elif ground == "sand":
        builder.decal(0, patterns.PANEL, (-9e4, -9e4, 9e4, -rng.uniform(150, 600)), linear((70, 120, 140), 0.1, rng))


def _ridges(rng, haze_colour, *, town: bool) -> list:
    """Two or three silhouettes around the horizon, farther ones paler: hills, a wood, roofs."""
    around = np.linspace(0, 2 * np.pi, 512, endpoint=False)
    ridges = []
    layers = int(rng.integers(2, 4))
    for layer in range(layers):
        near = (layer + 1) / layers
        rough = rng.uniform(0.01, 0.05) * (1.3 - 0.4 * near)
        heights = np.full(512, rough)
        for wave in range(1, 9):
            heights += rough * np.sin(wave * around * rng.integers(1, 4) + rng.uniform(0, 6.3)) / wave
        colour = one_of(rng, GREENS)
        if layer == layers - 1 and rng.random() < 0.8:
            if town:
                steps = np.repeat(rng.uniform(0.02, 0.12, 64), 8)
                heights, colour = np.where(np.repeat(rng.random(64) < 0.8, 8), steps, heights * 0.5), one_of(rng, WALLS)
            else:
                heights = heights * 0.6 + 0.03 + 0.03 * np.abs(np.sin(around * rng.integers(20, 60)))
                heights += rng.uniform(0, 0.012, 512)
        pale = 0.75 - 0.6 * near
        colour = tuple(0.6 * c * (1 - pale) + h * pale for c, h in zip(colour, haze_colour, strict=True))
        ridges.append((np.clip(heights, 0, 0.4), colour))
    return ridges


def _houses(builder, rng, floor_dm, reach_dm) -> None:
    """A row of house fronts behind the person, with windows and a darker ground floor."""
    distance = reach_dm + rng.uniform(70, 260)
    x = -distance * rng.uniform(0.6, 1.6)
    for _ in range(int(rng.integers(1, 5))):
        wide, tall = rng.uniform(50, 130), rng.choice([28, 56, 84, 140]) + rng.uniform(2, 10)
        palette = BRICK_TONES if rng.random() < 0.4 else WALLS
        wall, pane = one_of(rng, palette), linear((90, 104, 116), 0.3, rng)
        kind, roof = patterns.FACADE, linear((120, 72, 58), 0.3, rng)
        z = -distance - rng.uniform(0, 30)
        builder.box((x, floor_dm, z - 80), (x + wide, floor_dm + tall, z), kind, wall, pane, 1 / 28)
        builder.box(
            (x - 2, floor_dm + tall, z - 80),
            (x + wide + 2, floor_dm + tall + 6, z + 2),
            patterns.SIDING,
            roof,
            wall,
            0.5,
        )
        x += wide + (0 if rng.random() < 0.5 else rng.uniform(10, 60))


def _trees(builder, rng, floor_dm, reach_dm) -> None:
    """Trees and bushes of ragged blobs, from a few metres away to far."""
    for _ in range(int(rng.integers(1, 6))):
        distance = reach_dm + float(np.exp(rng.uniform(np.log(35), np.log(300))))
        x, z = distance * rng.uniform(-0.9, 0.9), -distance
        green = one_of(rng, GREENS)
        bark = linear((92, 74, 58), 0.15, rng)
        bush = rng.random() < 0.3
        size = rng.uniform(7, 12) if bush else rng.uniform(18, 40)
        if not bush:
            trunk = size * 0.05
            builder.box(
                (x - trunk, floor_dm, z - trunk),
                (x + trunk, floor_dm + size * 1.3, z + trunk),
                patterns.WOOD,
                bark,
                bark,
            )
        for _ in range(2 if bush else 3):
            lift = size * 0.5 if bush else size * 1.5
            centre = (
                x + rng.normal(0, 0.3) * size,
                floor_dm + lift + rng.normal(0, 0.2) * size,
                z + rng.normal(0, 0.2) * size,
            )
            radii = size * rng.uniform(0.4, 0.8, 3)
            builder.blob(centre, radii, patterns.LEAVES, shade_of(green, 0.3), green, ragged=True)


def _fence(builder, rng, floor_dm, reach_dm) -> None:
    """A hedge, a wall or a plank fence behind the person."""
    z = -(reach_dm + rng.uniform(25, 110))
    kind = str(rng.choice(["hedge", "wall", "planks"]))
    tall = rng.uniform(9, 24)
    if kind == "hedge":
        green = one_of(rng, GREENS)
        builder.box((-900, floor_dm, z - 8), (900, floor_dm + tall, z), patterns.LEAVES, shade_of(green, 0.4), green)
    elif kind == "wall":
        builder.box(
            (-900, floor_dm, z - 3),
            (900, floor_dm + tall, z),
            patterns.BRICKS,
            one_of(rng, BRICK_TONES),
            linear((180, 176, 168)),
            0.4,
        )
    else:
        wood = linear((150, 122, 92), 0.2, rng)
        builder.box((-900, floor_dm, z - 1), (900, floor_dm + tall, z), patterns.PLANKS, wood, shade_of(wood, 0.4), 0.7)
