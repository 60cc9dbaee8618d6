"""Numba kernels of the software renderer: projection, and the z-buffer with alpha test and cuts.

Deterministic on one machine: one thread, fixed order of triangles, no atomics.
"""

import math
from typing import NamedTuple

import numba
import numpy as np

SKIN, TEXTURED_CLOTH, HAIR, CUT_CLOTH, PLAIN = range(5)  # Material.kind
DITHERED = -1  # as alpha_min: four thresholds over 2 x 2 samples, so that thin hair covers a share of a pixel


class Cut(NamedTuple):
    """Where a garment ends before its mesh does; decimetres at rest, the defaults cut nothing.

    low           hem (y);  neckline: highest y, lower by `depth` in front over `neck_width`; v_shaped 1: straight edges
    reach         how far sleeves go along the arm from (arm_x, shoulder_y)
    open_low, open_high   half width of an open front at the hem and 4 dm above it
    """

    low: float = -99.0
    neckline: float = 99.0
    depth: float = 0.0
    neck_width: float = 0.55
    v_shaped: float = 0.0
    reach: float = 99.0
    arm_x: float = 99.0
    shoulder_y: float = 0.0
    open_low: float = 0.0
    open_high: float = 0.0


class Fringe(NamedTuple):
    """Where hair is cut so that it leaves the eyes free: below the brow, above the chin, inside the face, in front."""

    brow_y: float
    chin_y: float
    half_width: float
    front_z: float


NO_CUT = Cut()


UNCUT, GARMENT, FRINGE = range(3)


def cut_kind(cut: Cut | Fringe) -> int:
    """What `rasterise` calls it: UNCUT, GARMENT or FRINGE."""
    return FRINGE if isinstance(cut, Fringe) else GARMENT if cut != NO_CUT else UNCUT


class Geometry(NamedTuple):
    """Corner arrays of a posed person. triangles i32 [F,3]; uv f32 [C,2]; position, normal, rest f32 [C,3] dm.

    surface f32 [F,3,4]: what the shader of the part's kind reads at each corner, see surface.py
    """

    triangles: np.ndarray
    uv: np.ndarray
    position: np.ndarray
    normal: np.ndarray
    rest: np.ndarray
    surface: np.ndarray


class MaterialTable(NamedTuple):
    """One row a part: texture texels in one flat linear-light array, and how to colour them.

    glyph i64 (-1 none) and glyph_box f32 [4] (left, top, 1 / width, 1 / height in dm on the cloth): what is printed
    """

    texel: np.ndarray
    texel_start: np.ndarray
    texture_size: np.ndarray
    kind: np.ndarray
    tint: np.ndarray
    tint2: np.ndarray
    saturation: np.ndarray
    pattern_mix: np.ndarray
    pattern: np.ndarray
    pattern_scale: np.ndarray
    gain: np.ndarray
    tint3: np.ndarray
    relief: np.ndarray
    glyph: np.ndarray
    glyph_box: np.ndarray


class LightTable(NamedTuple):
    """Key, fill and rim direction and colour, ambient from below and above; all f32 [3], world axes.

    spread f32 radians under which the key appears; texel_dm f32 side of a sample of its shadow map
    """

    key_direction: np.ndarray
    key_colour: np.ndarray
    fill_direction: np.ndarray
    fill_colour: np.ndarray
    rim_direction: np.ndarray
    rim_colour: np.ndarray
    ambient_down: np.ndarray
    ambient_up: np.ndarray
    spread: float
    texel_dm: float


class Buffers(NamedTuple):
    """Per sample: depth f32 (NDC), triangle i32 (-1 none), barycentric b and c f32, part i32 (-1 none)."""

    depth: np.ndarray
    triangle: np.ndarray
    bary_b: np.ndarray
    bary_c: np.ndarray
    part: np.ndarray


def to_samples(view_projection: np.ndarray, size: int) -> np.ndarray:
    """The matrix f64 [3, 4] from world to (sample x, sample y, depth) of a parallel projection f64 [4, 4]."""
    half = np.array([0.0, 0.0, 0.0, 0.5])
    x, y, depth = view_projection[:3]
    return np.stack([(x * 0.5 + half) * size, (half - y * 0.5) * size, depth])


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def project(position, view_projection, size, out):
    """Samples x, y (origin at the upper left corner), NDC depth and 1/w of each corner. out f32 [C,4] is written."""
    m = view_projection
    for i in range(position.shape[0]):
        x, y, z = position[i, 0], position[i, 1], position[i, 2]
        inverse_w = 1.0 / (m[3, 0] * x + m[3, 1] * y + m[3, 2] * z + m[3, 3])
        out[i, 0] = ((m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]) * inverse_w * 0.5 + 0.5) * size
        out[i, 1] = (0.5 - (m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]) * inverse_w * 0.5) * size
        out[i, 2] = (m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3]) * inverse_w
        out[i, 3] = inverse_w


@numba.njit(fastmath=True, cache=True, inline="always")
def cut_away(x, y, z, cut):
    """True where a garment ends: below the hem, above the neckline, beyond the sleeve, in the open front."""
    neckline = cut[1]
    if z > 0:
        across = abs(x) / cut[3]
        neckline -= cut[2] * (max(1.0 - across, 0.0) if cut[4] > 0.5 else math.exp(-across * across))
        if cut[8] > 0.0 or cut[9] > 0.0:
            share = min(max((y - cut[0]) / 4.0, 0.0), 1.0)
            if abs(x) < cut[8] + (cut[9] - cut[8]) * share * share:
                return True
    if y < cut[0] or y > neckline:
        return True
    beside, below = abs(x) - cut[6], cut[7] - y
    return beside > 0 and below < 1.2 * beside + 1.3 and 0.64 * beside + 0.77 * below > cut[5]


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def inside_cut(points, cut, out):
    """Mark in out bool [N] which points f32 [N,3] at rest a cut leaves."""
    for i in range(points.shape[0]):
        out[i] = not cut_away(points[i, 0], points[i, 1], points[i, 2], cut)


@numba.njit(fastmath=True, cache=True, inline="always")
def fringe_away(x, y, z, cut):
    """True where hair would hang over the eyes: in front, below the brow (a little ragged), inside the face."""
    if z < cut[3] or y < cut[1]:
        return False
    ragged = 0.05 * math.sin(23.0 * x) + 0.04 * math.sin(61.0 * x + 1.0) + 0.03 * math.sin(117.0 * x)
    if y > cut[0] + ragged:
        return False
    return abs(x) < cut[2] * (1.0 - 0.12 * (cut[0] - y)) + 0.3 * ragged


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def _crossing(at, slope, enter, leave):
    """The part of enter..leave where at + slope x is not negative, a little widened: each sample is tested again."""
    if slope > 1e-9:
        enter = max(enter, -at / slope - 0.01)
    elif slope < -1e-9:
        leave = min(leave, -at / slope + 0.01)
    return enter, leave


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def rasterise(screen, triangles, first, last, uv, rest, alpha, alpha_min, cut, cut_kind, one_sided, part, buffers):
    """Draw triangles first..last of one part into the z-buffer.

    alpha      u8 [h,w], tested where alpha_min > 0 or DITHERED
    cut_kind   UNCUT, GARMENT or FRINGE;  one_sided: triangles seen from behind are not drawn
    """
    near, rows, share_b, share_c, parts = buffers
    size = near.shape[0]
    texture_h, texture_w = alpha.shape
    for t in range(first, last):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        if screen[a, 3] <= 0 or screen[b, 3] <= 0 or screen[c, 3] <= 0:
            continue
        x0, y0, x1, y1, x2, y2 = screen[a, 0], screen[a, 1], screen[b, 0], screen[b, 1], screen[c, 0], screen[c, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if -1e-9 < area < 1e-9 or (one_sided and area > 0):
            continue
        left = max(0, int(math.ceil(min(x0, min(x1, x2)) - 0.5)))
        right = min(size - 1, int(math.floor(max(x0, max(x1, x2)) - 0.5)))
        top = max(0, int(math.ceil(min(y0, min(y1, y2)) - 0.5)))
        bottom = min(size - 1, int(math.floor(max(y0, max(y1, y2)) - 0.5)))
        if right < left or bottom < top:
            continue
        inverse = 1.0 / area
        b_dx, b_dy = (y2 - y0) * inverse, -(x2 - x0) * inverse
        c_dx, c_dy = -(y1 - y0) * inverse, (x1 - x0) * inverse
        wide = right - left >= 3  # then it pays to work out where each row enters and leaves the triangle
        a_dx = -(b_dx + c_dx)
        for y in range(top, bottom + 1):
            dy = y + 0.5 - y0
            enter, leave = float(left), float(right)
            if wide:
                at_b, at_c = dy * b_dy + (0.5 - x0) * b_dx, dy * c_dy + (0.5 - x0) * c_dx
                enter, leave = _crossing(at_b, b_dx, enter, leave)
                enter, leave = _crossing(at_c, c_dx, enter, leave)
                enter, leave = _crossing(1.0 - at_b - at_c, a_dx, enter, leave)
            for x in range(int(math.ceil(enter)), int(math.floor(leave)) + 1):
                dx = x + 0.5 - x0
                wb = dx * b_dx + dy * b_dy
                wc = dx * c_dx + dy * c_dy
                wa = 1.0 - wb - wc
                if wa < 0 or wb < 0 or wc < 0:
                    continue
                depth = wa * screen[a, 2] + wb * screen[b, 2] + wc * screen[c, 2]
                if depth >= near[y, x]:
                    continue
                qb, qc = wb * screen[b, 3], wc * screen[c, 3]  # perspective-correct barycentrics
                total = wa * screen[a, 3] + qb + qc
                qb /= total
                qc /= total
                qa = 1.0 - qb - qc
                if alpha_min != 0:
                    u = qa * uv[a, 0] + qb * uv[b, 0] + qc * uv[c, 0]
                    v = qa * uv[a, 1] + qb * uv[b, 1] + qc * uv[c, 1]
                    least = alpha_min if alpha_min > 0 else 36 + 60 * ((x & 1) ^ (y & 1)) + 105 * (y & 1)
                    if alpha[int((1.0 - v) * texture_h) % texture_h, int(u * texture_w) % texture_w] < least:
                        continue
                if cut_kind != UNCUT:
                    rest_x = qa * rest[a, 0] + qb * rest[b, 0] + qc * rest[c, 0]
                    rest_y = qa * rest[a, 1] + qb * rest[b, 1] + qc * rest[c, 1]
                    rest_z = qa * rest[a, 2] + qb * rest[b, 2] + qc * rest[c, 2]
                    if cut_kind == GARMENT:
                        if cut_away(rest_x, rest_y, rest_z, cut):
                            continue
                    elif fringe_away(rest_x, rest_y, rest_z, cut):
                        continue
                near[y, x] = depth
                rows[y, x] = t
                share_b[y, x] = qb
                share_c[y, x] = qc
                parts[y, x] = part
