"""Random rooms and studios: walls, floors, doors, windows, shelves, furniture, lamps, plants."""

from __future__ import annotations

import numpy as np

from stages.synthetic import scene_patterns as patterns
from stages.synthetic.colours import random_colour
from stages.synthetic.parts import Colour
from stages.synthetic.scene_builder import SceneBuilder
from stages.synthetic.scene_kernels import Scene

BACK, LEFT, RIGHT = 2, 3, 4  # numbers of the walls; 0 is the floor, 1 the ceiling
# sRGB 0..255
WALLS = [
    *((240, 236, 228), (232, 226, 214), (222, 222, 220), (205, 205, 202), (214, 206, 190), (198, 188, 172)),
    *((190, 203, 208), (176, 190, 180), (165, 178, 190), (216, 196, 180), (186, 150, 128), (150, 158, 150)),
    *((112, 124, 118), (92, 108, 124), (72, 82, 96), (70, 70, 72), (96, 78, 70), (228, 214, 176), (58, 74, 66)),
]
WOODS = [(178, 138, 94), (150, 108, 70), (196, 164, 124), (120, 84, 56), (92, 66, 48), (206, 184, 154), (142, 126, 110)]
STONES = [(200, 198, 194), (172, 170, 166), (226, 222, 216), (140, 138, 134), (104, 104, 104), (190, 176, 158)]
FABRICS = [
    *((150, 148, 144), (96, 98, 104), (188, 178, 160), (70, 88, 110), (120, 74, 62), (96, 110, 88), (200, 190, 176)),
    *((58, 56, 60), (160, 120, 84), (142, 62, 58), (196, 160, 70), (110, 96, 120)),
]
BRICK_TONES = [(150, 84, 64), (172, 110, 84), (128, 92, 78), (206, 200, 192), (190, 150, 122)]
GREENS = [(58, 96, 44), (82, 112, 52), (44, 78, 52), (96, 120, 70)]
GARISH_SHARE = 0.06


def linear(srgb, spread: float = 0.0, rng: np.random.Generator | None = None) -> Colour:
    """sRGB 0..255 as linear light, jittered a little."""
    value = (np.asarray(srgb, float) / 255) ** 2.2
    if rng is not None:
        value = value * np.exp(rng.normal(0, spread)) * np.exp(rng.normal(0, spread / 3, 3))
    return tuple(np.clip(value, 0, 1).tolist())


def one_of(rng: np.random.Generator, palette: list) -> Colour:
    """A colour of a palette, jittered, in linear light."""
    return linear(palette[rng.integers(len(palette))], 0.12, rng)


def shade_of(colour: Colour, factor: float) -> Colour:
    """The same colour brighter or darker."""
    return tuple(min(value * factor, 1.0) for value in colour)


def room(rng: np.random.Generator, floor_dm: float, reach_dm: float, azimuth_rad: float, key: np.ndarray) -> Scene:
    """A furnished room around a person at the origin, its back wall roughly behind the person as the camera sees it.

    floor_dm  y of the soles;  reach_dm  radius on the floor that stays free;  azimuth_rad  of the camera
    key       f64 [3] direction to the key light, world axes
    """
    builder = SceneBuilder(rng, azimuth_rad + np.radians(rng.normal(0, 15)))
    depth = reach_dm + float(np.clip(rng.lognormal(2.7, 0.5), 7, 45))
    left, right = reach_dm + rng.uniform(14, 40, 2)
    height = float(rng.uniform(24, 34))
    wall = random_colour(rng, 0.4, 1.0) if rng.random() < GARISH_SHARE else one_of(rng, WALLS)
    _shell(builder, rng, floor_dm, depth, left, right, height, wall)
    _windows_and_doors(builder, rng, floor_dm, -depth, left, right, height)
    _hang(builder, rng, floor_dm, left, right)
    _furnish(builder, rng, floor_dm, reach_dm, depth, left, right)
    if rng.random() < 0.5:  # a lamp that washes the wall
        warm = linear((255, 226, 180))
        builder.decal(BACK, patterns.GLOW, (rng.uniform(-12, 12), floor_dm + rng.uniform(12, 24), 9, 9), warm)
    turn = builder.turn
    in_scene = np.array([turn[0] * key[0] - turn[1] * key[2], key[1], turn[1] * key[0] + turn[0] * key[2]])
    return builder.build(key=in_scene, corner_dark=float(rng.uniform(0.3, 0.7)), shine=float(rng.uniform(0.65, 1.05)))


def studio(rng: np.random.Generator, floor_dm: float, reach_dm: float, azimuth_rad: float, key: np.ndarray) -> Scene:
    """A paper backdrop: floor and wall of one colour, with a soft light on the wall."""
    builder = SceneBuilder(rng, azimuth_rad)
    greys = [(236, 236, 236), (210, 210, 210), (160, 160, 162), (96, 96, 98), (48, 48, 50), (24, 24, 26)]
    tints = [(196, 176, 152), (150, 170, 188), (188, 150, 140), (120, 140, 120), (84, 100, 130), (200, 190, 150)]
    paper = one_of(rng, greys if rng.random() < 0.6 else tints)
    if rng.random() < GARISH_SHARE:  # chroma key paper
        paper = linear([(60, 170, 70), (40, 80, 200)][rng.integers(2)])
    back = -(reach_dm + float(rng.uniform(8, 26)))
    floor = builder.plane(1, floor_dm, 1, patterns.PLAIN, paper, paper, 1.0)
    wall = builder.plane(2, back, 1, patterns.PLAIN, paper, paper, 1.0)
    if rng.random() < 0.75:
        reach = float(rng.uniform(10, 24))
        builder.decal(wall, patterns.GLOW, (rng.uniform(-5, 5), floor_dm + rng.uniform(8, 18), reach, reach), paper)
        builder.decal(floor, patterns.GLOW, (0, back / 3, reach * 1.5, -back), paper)
    return builder.build(key=key, corner_dark=0.0, shine=float(rng.uniform(0.6, 1.0)))


def _shell(builder, rng, floor_dm, depth, left, right, height, wall) -> None:
    """Floor, ceiling, three walls and skirting boards."""
    kind = rng.choice(["wood", "tiles", "carpet", "stone"], p=[0.5, 0.15, 0.2, 0.15])
    if kind == "wood":
        colour = one_of(rng, WOODS)
        builder.plane(1, floor_dm, 1, patterns.PLANKS, colour, shade_of(colour, 0.35), float(rng.uniform(0.45, 1.1)))
    elif kind == "tiles":
        colour = one_of(rng, STONES)
        builder.plane(1, floor_dm, 1, patterns.TILES, colour, shade_of(colour, 0.55), float(rng.uniform(0.16, 0.4)))
    elif kind == "carpet":
        colour = one_of(rng, FABRICS)
        builder.plane(1, floor_dm, 1, patterns.CARPET, colour, shade_of(colour, 0.8), 0.3)
    else:
        colour = one_of(rng, STONES)
        builder.plane(1, floor_dm, 1, patterns.EARTH, colour, shade_of(colour, 0.85), 1.0)
    white = linear((238, 236, 232), 0.05, rng)
    builder.plane(1, floor_dm + height, -1, patterns.PLAIN, white, white, 1.0)
    accent = str(rng.choice(["plain", "brick", "stripes", "siding", "concrete"], p=[0.66, 0.12, 0.08, 0.06, 0.08]))
    look = {
        "plain": (patterns.PLAIN, wall, wall, 1.0),
        "brick": (patterns.BRICKS, one_of(rng, BRICK_TONES), linear((190, 184, 176)), 0.42),
        "stripes": (patterns.STRIPES, wall, shade_of(wall, float(rng.uniform(0.8, 0.95))), float(rng.uniform(0.3, 1))),
        "siding": (patterns.SIDING, wall, shade_of(wall, 0.6), float(rng.uniform(0.5, 1.2))),
        "concrete": (patterns.SLABS, one_of(rng, STONES), linear((90, 90, 90)), 0.08),
    }
    builder.plane(2, -depth, 1, *look[accent])
    beside = look["plain"] if rng.random() < 0.6 else look[accent]
    builder.plane(0, -left, 1, *beside)
    builder.plane(0, right, -1, *beside)
    board = white if rng.random() < 0.75 else shade_of(wall, 0.5)
    for plane in (BACK, LEFT, RIGHT):
        builder.decal(plane, patterns.PANEL, (-200, floor_dm, 200, floor_dm + rng.uniform(0.6, 1.2)), board)


def _windows_and_doors(builder, rng, floor_dm, back, left, right, height) -> None:
    """A door and windows, on any of the walls, with sunlight on the floor now and then."""
    white = linear((236, 234, 228), 0.06, rng)
    dark = one_of(rng, WOODS)
    spans = {BACK: (-left, right), LEFT: (back, 10.0), RIGHT: (back, 10.0)}
    if rng.random() < 0.45:
        plane = int(rng.choice([BACK, BACK, LEFT, RIGHT]))
        at = rng.uniform(*(np.array(spans[plane]) * 0.75))
        wood = white if rng.random() < 0.6 else dark
        rect = (at - 4.6, floor_dm, at + 4.6, floor_dm + min(20.5, height - 2))
        builder.decal(plane, patterns.DOOR, rect, shade_of(wood, 0.85), wood)
    sky = [linear((215, 230, 245)), linear((250, 246, 236)), linear((60, 72, 100)), linear((190, 210, 190))]
    for _ in range(int(rng.choice([0, 1, 2], p=[0.4, 0.4, 0.2]))):
        plane = int(rng.choice([BACK, LEFT, RIGHT]))
        at = rng.uniform(*(np.array(spans[plane]) * 0.8))
        half = rng.uniform(4, 9)
        bottom, top = floor_dm + rng.uniform(4, 10), floor_dm + height - rng.uniform(2, 6)
        outside = sky[rng.choice(4, p=[0.45, 0.25, 0.1, 0.2])]
        builder.decal(plane, patterns.WINDOW, (at - half, bottom, at + half, top), white, outside)
        if rng.random() < 0.5:
            cloth = one_of(rng, FABRICS) if rng.random() < 0.6 else white
            for side in (-1, 1):
                edge = at + side * half
                rect = (min(edge, edge + side * 4), floor_dm + 0.5, max(edge, edge + side * 4), top + 1)
                builder.decal(plane, patterns.CURTAIN, rect, cloth)
        if rng.random() < 0.5:
            u, v = rng.uniform(-left, right) * 0.5, rng.uniform(back, 0) * 0.7
            builder.decal(0, patterns.SUNPATCH, (u - 5, v - 4, u + 5, v + 4), white)
    if rng.random() < 0.08:
        cloth = one_of(rng, FABRICS)
        builder.decal(BACK, patterns.CURTAIN, (-left, floor_dm, right, floor_dm + height), cloth)


def _hang(builder, rng, floor_dm, left, right) -> None:
    """Pictures, posters, boards and a shelf on the back wall, mostly at the height of eyes."""
    for _ in range(int(rng.choice([0, 1, 2, 3, 5], p=[0.2, 0.25, 0.25, 0.2, 0.1]))):
        at, height = rng.uniform(-left, right) * 0.6, floor_dm + rng.normal(16.5, 2)
        half_u, half_v = rng.uniform(1.2, 4.5, 2)
        frame = linear((30, 28, 26)) if rng.random() < 0.4 else one_of(rng, WOODS + [(240, 240, 238)])
        middle = one_of(rng, WALLS + FABRICS)
        kind = patterns.PANEL if rng.random() < 0.15 else patterns.PICTURE
        rect = (at - half_u, height - half_v, at + half_u, height + half_v)
        if _is_free(builder, rect):
            builder.decal(BACK, kind, rect, middle if kind == patterns.PANEL else frame, middle)
    if rng.random() < 0.2:
        at, low = rng.uniform(-left, right) * 0.6, floor_dm + rng.uniform(0, 11)
        rect = (at - rng.uniform(4, 9), low, at + rng.uniform(4, 9), low + 2.5 * rng.integers(3, 7))
        if _is_free(builder, rect):
            builder.decal(BACK, patterns.SHELF, rect, one_of(rng, WOODS), one_of(rng, FABRICS))


def _is_free(builder, rect) -> bool:
    """True where nothing else (but skirting board and light) hangs on the back wall."""
    solid = (patterns.PICTURE, patterns.WINDOW, patterns.DOOR, patterns.CURTAIN, patterns.SHELF)
    taken = [other for plane, other, kind, _ in builder.decals if plane == BACK and kind in solid]
    return all(rect[2] < u0 or u1 < rect[0] or rect[3] < v0 or v1 < rect[1] for u0, v0, u1, v1 in taken)


def _furnish(builder, rng, floor_dm, reach_dm, depth, left, right) -> None:
    """Things along the back wall and the sides, none within `reach_dm` of the person or before it."""
    free = depth - reach_dm - 3.0
    if free < 4:
        return
    taken: list[tuple[float, float]] = []
    kinds = ["sofa", "cupboard", "table", "bookcase", "plant", "lamp", "bed"]
    for kind in rng.choice(kinds, size=int(rng.integers(1, 8)), p=[0.18, 0.18, 0.16, 0.14, 0.16, 0.12, 0.06]):
        deep = min({"sofa": 9.0, "bed": 20.0, "table": 7.0, "bookcase": 3.2}.get(str(kind), 4.5), free)
        x, z = rng.uniform(-left, right) * 0.85, -depth + 0.1
        wide = {"sofa": 10.0, "bed": 9.0, "table": 8.0, "bookcase": 7.0, "cupboard": 8.0}.get(str(kind), 2.5)
        if any(abs(x - other) < wide + half for other, half in taken):
            continue
        taken.append((x, wide))
        _FURNITURE[str(kind)](builder, rng, x, floor_dm, z, deep)


def _sofa(builder, rng, x, y, z, deep) -> None:
    colour, half = one_of(rng, FABRICS), rng.uniform(5, 11)
    pillow = shade_of(colour, 1.15)
    builder.box((x - half, y + 0.5, z), (x + half, y + 4.2, z + deep), patterns.CARPET, colour, colour)
    builder.box((x - half, y + 4, z), (x + half, y + 8.5, z + 2.2), patterns.CARPET, pillow, colour)
    for side in (-1, 1):
        edge = x + side * half
        low, high = min(edge, edge + side * 1.8), max(edge, edge + side * 1.8)
        builder.box((low, y + 0.3, z), (high, y + 6.2, z + deep), patterns.CARPET, colour, colour)


def _cupboard(builder, rng, x, y, z, deep) -> None:
    colour = one_of(rng, WOODS if rng.random() < 0.6 else WALLS)
    half, tall = rng.uniform(3.5, 10), float(rng.choice([7.5, 9, 19]))
    builder.box(
        (x - half, y + 0.6, z), (x + half, y + tall, z + deep), patterns.SIDING, colour, shade_of(colour, 0.5), 0.3
    )
    if tall < 10:
        _small_things(builder, rng, x - half, x + half, y + tall, z + deep / 2)


def _table(builder, rng, x, y, z, deep) -> None:
    colour, half, tall = one_of(rng, WOODS), rng.uniform(5, 9), rng.uniform(6.8, 7.8)
    z += 0.3
    builder.box((x - half, y + tall - 0.4, z), (x + half, y + tall, z + deep), patterns.WOOD, colour, colour)
    for side in (-1, 1):
        leg = x + side * (half - 0.6)
        builder.box((leg - 0.3, y, z + 0.3), (leg + 0.3, y + tall - 0.4, z + deep - 0.3), patterns.WOOD, colour, colour)
    _small_things(builder, rng, x - half, x + half, y + tall, z + deep / 2)


def _bookcase(builder, rng, x, y, z, deep) -> None:
    colour, half = one_of(rng, WOODS), rng.uniform(4, 8)
    tall = 2.5 * int(rng.integers(4, 9))
    builder.box((x - half, y, z), (x + half, y + tall, z + deep), patterns.BOOKS, colour, one_of(rng, FABRICS), 0.4)


def _plant(builder, rng, x, y, z, deep) -> None:
    pot, green = one_of(rng, STONES + BRICK_TONES), one_of(rng, GREENS)
    z, tall = z + 3, rng.uniform(5, 13)
    builder.box((x - 1.3, y, z - 1.3), (x + 1.3, y + 2.6, z + 1.3), patterns.PLAIN, pot, pot)
    for _ in range(3):
        centre = (x + rng.normal(0, 1), y + tall * rng.uniform(0.6, 1), z + rng.normal(0, 0.6))
        radii = (rng.uniform(1.5, 3), rng.uniform(2, 3.5), rng.uniform(1.2, 2))
        builder.blob(centre, radii, patterns.LEAVES, shade_of(green, 0.35), green, ragged=True)


def _lamp(builder, rng, x, y, z, deep) -> None:
    z, tall = z + 2.5, rng.uniform(13, 17)
    metal, light = linear((60, 58, 56)), linear((255, 240, 214))
    builder.box((x - 0.15, y, z - 0.15), (x + 0.15, y + tall, z + 0.15), patterns.PLAIN, metal, metal)
    builder.blob((x, y + tall, z), (1.8, 1.3, 1.8), patterns.PLAIN, light, light)
    builder.decal(BACK, patterns.GLOW, (x, y + tall, 6, 6), light)


def _bed(builder, rng, x, y, z, deep) -> None:
    cover, sheet = one_of(rng, FABRICS), linear((228, 226, 222), 0.05, rng)
    builder.box((x - 8, y + 1, z), (x + 8, y + 5, z + deep), patterns.CARPET, cover, shade_of(cover, 0.9))
    builder.box((x - 8.5, y, z), (x + 8.5, y + 10, z + 0.8), patterns.WOOD, one_of(rng, WOODS), (0.1, 0.1, 0.1))
    builder.blob((x, y + 5.6, z + 3), (6, 1.2, 1.8), patterns.CARPET, sheet, sheet)


def _small_things(builder, rng, low, high, y, z) -> None:
    """A vase or a bowl and a box or two on a table top."""
    for _ in range(int(rng.integers(0, 3))):
        x, half = rng.uniform(low + 1, high - 1), rng.uniform(0.5, 1.4)
        colour = one_of(rng, FABRICS + STONES)
        if rng.random() < 0.5:
            builder.blob((x, y + half, z), (half * 0.7, half, half * 0.7), patterns.PLAIN, colour, colour)
        else:
            tall = rng.uniform(0.5, 2.5)
            builder.box((x - half, y, z - half), (x + half, y + tall, z + half), patterns.PLAIN, colour, colour)


_FURNITURE = {
    "sofa": _sofa,
    "cupboard": _cupboard,
    "table": _table,
    "bookcase": _bookcase,
    "plant": _plant,
    "lamp": _lamp,
    "bed": _bed,
}
