"""Numba functions for what surfaces of a scene look like: floors, walls, fabrics, leaves, and things hung on walls."""

import math

import numba
import numpy as np

# kinds of surfaces
PLAIN, TILES, STRIPES, BRICKS, PLANKS, CARPET, GRASS, SLABS, FACADE, BOOKS, LEAVES, SIDING, WOOD, EARTH = range(14)
# kinds of decals
PICTURE, WINDOW, DOOR, CURTAIN, PANEL, GLOW, SUNPATCH, SHELF = range(8)


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def noise_at(noise, u, v):
    """Bilinear value noise 0..1 that repeats after 256."""
    fu, fv = math.floor(u), math.floor(v)
    au, av = u - fu, v - fv
    au, av = au * au * (3 - 2 * au), av * av * (3 - 2 * av)
    i, j = int(fu) & 255, int(fv) & 255
    k, m = (i + 1) & 255, (j + 1) & 255
    low = noise[j, i] + (noise[j, k] - noise[j, i]) * au
    high = noise[m, i] + (noise[m, k] - noise[m, i]) * au
    return low + (high - low) * av


@numba.njit(fastmath=True, cache=True, inline="always")
def foliage_gap(noise, place, number):
    """Depth in decimetres to which gaps between leaves reach at a place."""
    u, v = place[0] + place[2] * 0.7 + number * 17, place[1] + place[2] * 0.4
    return 2.2 * noise_at(noise, u * 2.3, v * 2.3) * noise_at(noise, u * 0.9 + 50, v * 0.9)


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def _line(x, half, width):
    """Share 0..1 of a pixel of `width` covered by a line at every whole x, of half thickness `half`."""
    off = abs(x - math.floor(x + 0.5))
    thin = min(half / max(width * 0.5, 1e-6), 1.0)
    return min(max((half - off) / max(width, 1e-4) + 0.5, 0.0), 1.0) * thin


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def _hash(n):
    """A fixed number 0..1 for a whole number."""
    value = math.sin(n * 91.7 + 0.37) * 43758.5
    return value - math.floor(value)


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def surface_colour(noise, kind, colours, scale, u, v, width, colour):
    """Linear colour of a surface at u, v (decimetres), written to colour f32 [3]. width: size of a pixel there."""
    x, y, w = u * scale, v * scale, width * scale
    share, tone = 0.0, 1.0
    fine = min(0.35 / max(width, 0.02), 1.0)  # small detail fades where a pixel covers much
    if kind == TILES or kind == SLABS:
        share = max(_line(x, 0.025, w), _line(y, 0.025, w))
        tone = 0.94 + 0.12 * _hash(math.floor(x + 0.5) * 13 + math.floor(y + 0.5) * 57)
        if kind == SLABS:
            tone *= 0.85 + 0.3 * noise_at(noise, u * 2.1, v * 2.1)
    elif kind == STRIPES:
        share = _line(x, 0.25, w)
    elif kind == BRICKS:
        course = math.floor(y * 2.6)
        shifted = x + 0.5 * (course % 2)
        share = max(_line(shifted, 0.03, w), _line(y * 2.6, 0.08, w * 2.6))
        tone = 0.75 + 0.5 * _hash(math.floor(shifted + 0.5) * 17 + course * 131)
    elif kind == PLANKS:
        plank = math.floor(x)
        end = v * 0.12 + _hash(plank + 7) * 9
        share = 0.7 * max(_line(x, 0.018, w), _line(end, 0.003, width * 0.12))
        tone = 0.8 + 0.35 * _hash(plank * 7 + math.floor(end + 0.5) * 31)
        tone *= 1 + fine * 0.22 * (noise_at(noise, u * 9, v * 0.6) - 0.5)
    elif kind == CARPET:
        tone = 1 + fine * 0.3 * (noise_at(noise, u * 14, v * 14) - 0.5)
        share = 0.5 * noise_at(noise, x * 0.5, y * 0.5)
    elif kind == GRASS:
        blades = noise_at(noise, u * 9, v * 3) * 0.6 + noise_at(noise, u * 2.3 + 9, v * 2.3) * 0.4
        tone = 1 + (0.25 + 0.75 * fine) * 0.9 * (blades - 0.5)
        share = noise_at(noise, u * 0.13, v * 0.13)
    elif kind == FACADE:
        wide, high = x - math.floor(x), y - math.floor(y)
        if 0.3 < wide < 0.7 and 0.25 < high < 0.75:
            share = 1.0
            tone = 0.5 + 0.9 * _hash(math.floor(x) * 13 + math.floor(y) * 7)
    elif kind == BOOKS:
        board = _line(y, 0.05, w)
        slot = math.floor(u * 2.9)
        level = math.floor(y)
        tall = 0.55 + 0.35 * _hash(slot * 3 + level * 41)
        inside = y - level
        hue = _hash(slot * 7 + level * 59)
        if board > 0.5 or inside > tall:
            tone = 1.0 if board > 0.5 else 0.3
        else:
            share = 0.25 + 0.75 * hue
            tone = 0.4 + 0.9 * _hash(slot * 11 + level * 23)
            if inside < tall * 0.85 and _hash(slot * 5 + level) > 0.5:
                colour[0], colour[1], colour[2] = 0.45 * hue + 0.05, 0.3 - 0.25 * hue, 0.5 * _hash(slot + level * 3)
                for k in range(3):
                    colour[k] *= tone
                return
    elif kind == LEAVES:
        tone = 0.55 + (0.4 + 0.6 * fine) * 0.9 * noise_at(noise, u * 4, v * 4) * (
            0.4 + noise_at(noise, u * 1.3, v * 1.3)
        )
        share = noise_at(noise, u * 2.1 + 31, v * 2.1)
    elif kind == SIDING:
        share = 0.6 * _line(y, 0.04, w)
        down = y - math.floor(y)
        tone = 0.92 + 0.1 * down
    elif kind == WOOD:
        tone = 1 + fine * 0.35 * (noise_at(noise, u * 0.7 * scale, v * 8 * scale) - 0.5)
    elif kind == EARTH:
        tone = 0.75 + 0.5 * noise_at(noise, u * 1.7, v * 1.7)
        tone *= 1 + fine * 0.3 * (noise_at(noise, u * 11, v * 11) - 0.5)
        share = noise_at(noise, u * 0.21, v * 0.21)
    tone *= 0.94 + 0.12 * noise_at(noise, u * 0.31 + 77, v * 0.31)  # nothing is quite even
    for k in range(3):
        colour[k] = (colours[0, k] + (colours[1, k] - colours[0, k]) * share) * tone


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def decal(noise, kind, colours, rect, u, v, width, colour):
    """Draw a thing on a plane over colour f32 [3]; returns by how much it darkens the plane beside it.

    rect u0 v0 u1 v1: where it hangs; colours [2,3]: of its frame and its middle
    """
    across, along = (u - rect[0]) / (rect[2] - rect[0]), (v - rect[1]) / (rect[3] - rect[1])
    edge = min(min(u - rect[0], rect[2] - u), min(v - rect[1], rect[3] - v))
    cover = min(max(edge / max(width, 1e-3) + 0.5, 0.0), 1.0)
    if kind == SUNPATCH:
        soft = min(max(edge * 1.2 + 0.5, 0.0), 1.0)
        bars = 1 - 0.8 * max(_line(across * 2, 0.05, 0.1), _line(along * 3, 0.05, 0.1))
        return 1 + 0.7 * soft * bars
    frame = 0.35 if kind == PICTURE else 0.5
    if kind == PANEL:
        paint, tone = 0, 1.0
    elif kind == CURTAIN:
        fold = math.sin(u * 4.2 + 0.8 * math.sin(u * 1.7)) * 0.5 + 0.5
        paint, tone = 0, 0.62 + 0.45 * fold
    elif kind == WINDOW:
        bars = max(_line(across * 2, 0.03, 0.02), _line(along * 2, 0.02, 0.02))
        paint = 0 if edge < frame or bars > 0.5 else 1
        tone = 1.0 if paint == 0 else 0.75 + 0.5 * along + 0.25 * noise_at(noise, u * 0.8, v * 0.8)
    elif kind == DOOR:
        wide, high = across * 2 - math.floor(across * 2), along * 2 - math.floor(along * 2)
        inset = 0.18 < wide < 0.82 and 0.1 < high < 0.9
        handle = abs(across - 0.9) < 0.04 and abs(along - 0.48) < 0.012
        paint, tone = (0, 1.0) if edge < 0.45 else (1, 0.9 if inset else 1.0)
        if handle:
            tone = 0.35
    elif kind == SHELF:
        surface_colour(noise, np.int64(BOOKS), colours, np.float32(0.4), u, v - rect[1], width, colour)
        return 1.0 if edge > 0 else 1 - 0.3 * max(1 + edge, 0.0)
    else:
        art = noise_at(noise, u * 0.9 + rect[0] * 31, v * 0.9) + 0.5 * noise_at(noise, u * 2.7, v * 2.7 + rect[1])
        paint, tone = (0, 1.0) if edge < frame else (1, 0.35 + 0.7 * art)
    for k in range(3):
        base = colours[paint, k] * tone
        if kind == PICTURE and paint == 1:
            base = colours[1, k] * tone + 0.25 * noise_at(noise, u * 0.7 + 60 * k, v * 0.7 + rect[0] * 7)
        colour[k] += (base - colour[k]) * cover
    return 1.0 if edge > 0 else 1 - 0.25 * max(1 + 1.4 * edge, 0.0)
