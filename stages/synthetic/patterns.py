"""Woven and printed patterns of cloth, as functions of a place on the cloth. Numba, inlined into the shader."""

import math

import numba

from stages.synthetic.detail import SIDE

NONE, STRIPES, GINGHAM, DOTS, CAMOUFLAGE, FLORAL, UPRIGHT, FADE, TARTAN, DIAGONAL, BLOCK, DIAMONDS, ZIGZAG = range(13)


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def grain_at(grain, column, row, channel):
    """One value of a grain map, nearest, wrapped."""
    return grain[int(math.floor(row)) & (SIDE - 1), int(math.floor(column)) & (SIDE - 1), channel]


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def pattern(kind, s, t, scale, grain):
    """Strengths 0..1 of the second and the third colour at a place of the cloth.

    s, t   dm around and along the limb or trunk; scale: repeats a dm
    """
    x = s * scale
    y = t * scale
    fx = x - math.floor(x)
    fy = y - math.floor(y)
    second, third = 0.0, 0.0
    if kind == STRIPES:
        second = 1.0 if fy >= 0.5 else 0.0
    elif kind == GINGHAM:
        second = (0.5 if fy >= 0.5 else 0.0) + (0.5 if fx >= 0.5 else 0.0)
    elif kind == DOTS:
        second = 1.0 if (fx - 0.5) ** 2 + (fy - 0.5) ** 2 < 0.0625 else 0.0
    elif kind == CAMOUFLAGE:
        first = grain_at(grain, x * 9.0, y * 9.0, 3)
        other = grain_at(grain, x * 11.0 + 97.0, y * 11.0 + 31.0, 3)
        second = 1.0 if first > 0.12 else 0.0
        third = 1.0 if other > 0.3 else 0.0
    elif kind == FLORAL:
        wander_x = x + 0.35 * grain_at(grain, x * 14.0, y * 14.0, 3)
        wander_y = y + 0.35 * grain_at(grain, x * 14.0 + 70.0, y * 14.0 + 40.0, 3)
        wx = wander_x - math.floor(wander_x) - 0.5
        wy = wander_y - math.floor(wander_y) - 0.5
        radius = math.sqrt(wx * wx + wy * wy)
        petal = 0.24 + 0.1 * math.cos(5.0 * math.atan2(wy, wx))
        if radius < 0.08:
            third = 1.0
        elif radius < petal:
            second = 1.0
        elif grain_at(grain, x * 25.0, y * 25.0, 3) > 0.45:
            third = 0.5
    elif kind == UPRIGHT:
        second = 1.0 if fx >= 0.5 else 0.0
    elif kind == FADE:
        second = min(max(0.5 + (t - 2.5) * 0.22, 0.0), 1.0)
    elif kind == TARTAN:
        wide = (0.45 if 0.2 < fy < 0.62 else 0.0) + (0.45 if 0.2 < fx < 0.62 else 0.0)
        second = wide
        third = 0.8 if 0.78 < fx < 0.86 or 0.78 < fy < 0.86 else 0.0
    elif kind == DIAGONAL:
        along = x + y
        second = 1.0 if along - math.floor(along) < 0.4 else 0.0
    elif kind == BLOCK:
        second = 1.0 if t > 3.3 else 0.0
        third = 1.0 if 3.05 < t < 3.3 else 0.0
    elif kind == DIAMONDS:
        half = abs(fx - 0.5) + abs(fy - 0.5)
        second = 1.0 if half < 0.4 else 0.0
        crossing = abs(abs(fx - 0.5) - abs(fy - 0.5))
        third = 0.9 if crossing < 0.05 else 0.0
    elif kind == ZIGZAG:
        along = y + 0.6 * abs(fx - 0.5)
        second = 1.0 if along - math.floor(along) < 0.5 else 0.0
    return second, third
