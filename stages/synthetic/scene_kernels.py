"""Numba kernel that looks at a scene of planes, boxes, blobs and a sky along the rays of a picture.

Everything is procedural and a pure function of the eye and the view's rotation; deterministic on one machine.
"""

import math
from typing import NamedTuple

import numba
import numpy as np

from stages.synthetic.scene_patterns import GLOW, decal, foliage_gap, noise_at, surface_colour

FAR_DM = 1e6
SKY = -1


class Scene(NamedTuple):
    """A place. Lengths in decimetres in scene axes: world axes turned about y by (cosine, sine) `turn`.

    plane_axis i64 [P], plane_at f32 [P], plane_sign f32 [P]  one-sided: seen only from the side of `sign`
    box        f32 [N, 6]  x0 y0 z0 x1 y1 z1
    blob       f32 [M, 7]  ellipsoids: centre, radii, 1 for ragged foliage
    kind i64 [K], colour f32 [K,2,3], scale f32 [K]  material of each plane, then box, then blob; linear light
    decal_plane i64 [D], decal_rect f32 [D,4] u0 v0 u1 v1, decal_kind i64 [D], decal_colour f32 [D,2,3]  on planes
    corner_dark  f32  how much corners and contacts darken; key f32 [3] direction of the light on boxes and blobs
    shine f32  brightness of everything; haze f32 1/dm
    sky f32 [4,3]  horizon, zenith, cloud colour, and (cloud cover, stars, unused)
    ridge f32 [L,512] heights as tangents of elevation around the horizon; ridge_colour f32 [L,3]
    noise f32 [256,256] 0..1
    """

    turn: np.ndarray
    plane_axis: np.ndarray
    plane_at: np.ndarray
    plane_sign: np.ndarray
    box: np.ndarray
    blob: np.ndarray
    kind: np.ndarray
    colour: np.ndarray
    scale: np.ndarray
    decal_plane: np.ndarray
    decal_rect: np.ndarray
    decal_kind: np.ndarray
    decal_colour: np.ndarray
    corner_dark: float
    key: np.ndarray
    shine: float
    haze: float
    sky: np.ndarray
    ridge: np.ndarray
    ridge_colour: np.ndarray
    noise: np.ndarray


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def look_at_scene(scene, eye, rotation, tangent, to_byte, windows, rgb, distance, surface):
    """Fill the picture.

    eye f32 [3] scene axes; rotation f32 [3,3] rows right, up, backward in scene axes; tangent of half the field of view
    to_byte u8 [4096]  linear 0..1 to picture; windows i64 [N+M,4] first and last row and column of boxes and blobs
    rgb u8 [S,S,3], distance f32 [S,S] along the ray (FAR_DM = nothing there), surface i16 [S,S] (SKY or plane, box,
    blob number) are written
    """
    (  # as locals: reading arrays out of the tuple inside the loops is slow
        _,
        plane_axis,
        plane_at,
        plane_sign,
        box,
        blob,
        kind,
        colour_table,
        scale,
        decal_plane,
        decal_rect,
        decal_kind,
        decal_colour,
        corner_dark,
        key,
        shine,
        haze,
        sky,
        ridge,
        ridge_colour,
        noise,
    ) = scene
    size = rgb.shape[0]
    planes, boxes, blobs = len(plane_axis), len(box), len(blob)
    colour = np.empty(3, np.float32)
    ray = np.empty(3, np.float32)
    place = np.empty(3, np.float32)
    for row in range(size):
        up = (1 - (row + 0.5) / size * 2) * tangent
        for column in range(size):
            right = ((column + 0.5) / size * 2 - 1) * tangent
            length = 1 / math.sqrt(right * right + up * up + 1)
            for k in range(3):
                ray[k] = (rotation[0, k] * right + rotation[1, k] * up - rotation[2, k]) * length
            best, hit, face = FAR_DM, SKY, 0
            for p in range(planes):
                k = plane_axis[p]
                gap = plane_at[p] - eye[k]
                if ray[k] * plane_sign[p] < -1e-4 and gap * plane_sign[p] < 0:
                    t = gap / ray[k]
                    if t < best:
                        best, hit, face = t, p, k
            for b in range(boxes):
                if row < windows[b, 0] or row > windows[b, 1] or column < windows[b, 2] or column > windows[b, 3]:
                    continue
                near, far, axis = -1e9, 1e9, 0
                for k in range(3):
                    speed = ray[k] if abs(ray[k]) > 1e-6 else 1e-6
                    first, last = (box[b, k] - eye[k]) / speed, (box[b, k + 3] - eye[k]) / speed
                    if first > last:
                        first, last = last, first
                    if first > near:
                        near, axis = first, k
                    far = min(far, last)
                if 0 < near < far and near < best:
                    best, hit, face = near, planes + b, axis
            for b in range(blobs):
                w = boxes + b
                if row < windows[w, 0] or row > windows[w, 1] or column < windows[w, 2] or column > windows[w, 3]:
                    continue
                a, h, c = np.float32(0), np.float32(0), np.float32(-1)
                for k in range(3):
                    d, o = ray[k] / blob[b, k + 3], (eye[k] - blob[b, k]) / blob[b, k + 3]
                    a, h, c = a + d * d, h + d * o, c + o * o
                inside = h * h - a * c
                if inside <= 0:
                    continue
                t = (-h - math.sqrt(inside)) / a
                if not 0 < t < best:
                    continue
                if blob[b, 6] > 0:  # ragged edges of leaves
                    for k in range(3):
                        place[k] = eye[k] + ray[k] * t
                    if foliage_gap(noise, place, b) > math.sqrt(inside / a) * 1.6:
                        continue
                best, hit, face = t, planes + boxes + b, 3
            distance[row, column] = best
            surface[row, column] = hit
            if hit == SKY:
                _sky(sky, ridge, ridge_colour, noise, shine, ray, colour)
            else:
                for k in range(3):
                    place[k] = eye[k] + ray[k] * best
                surface_kind, pair, fineness = kind[hit], colour_table[hit], scale[hit]
                u, v = place[0], place[1]
                if face == 0:
                    u = place[2]
                elif face == 1:
                    v = place[2]
                elif face == 3:
                    u = place[0] + place[2]
                width = best * tangent * 2 / size
                surface_colour(noise, surface_kind, pair, fineness, u, v, width, colour)
                if hit < planes:
                    dark = np.float32(1)
                    for d in range(len(decal_plane)):
                        if decal_plane[d] != hit:
                            continue
                        if decal_kind[d] == GLOW:
                            du = (u - decal_rect[d, 0]) / decal_rect[d, 2]
                            dv = (v - decal_rect[d, 1]) / decal_rect[d, 3]
                            glow = 1 / (1 + du * du + dv * dv)
                            dark *= 1 + 0.6 * glow * glow
                        elif (
                            decal_rect[d, 0] - 1 < u < decal_rect[d, 2] + 1
                            and decal_rect[d, 1] - 1 < v < decal_rect[d, 3] + 1
                        ):
                            dark *= decal(noise, decal_kind[d], decal_colour[d], decal_rect[d], u, v, width, colour)
                    dark *= _corners(plane_axis, plane_at, corner_dark, hit, place)
                    if face == 1:
                        dark *= _under_boxes(box, corner_dark, place)
                elif hit < planes + boxes:
                    side = -1.0 if ray[face] > 0 else 1.0
                    low = place[1] - box[hit - planes, 1]
                    dark = (0.7 + 0.4 * max(key[face] * side, 0.0)) * (1 - corner_dark * 0.5 / (1 + low * low))
                else:
                    dark = _round(blob, hit - planes - boxes, key, place)
                fog = 1 - 1 / (1 + best * haze) if haze > 0 else 0.0
                for k in range(3):
                    lit = colour[k] * dark * shine
                    colour[k] = lit + (sky[0, k] - lit) * fog
            for k in range(3):
                value = colour[k]
                value = value * (1 + 0.1 * value) / (1 + 0.25 * value * value)  # bright things roll off
                rgb[row, column, k] = to_byte[int(min(max(value, 0.0), 1.0) * 4095)]


@numba.njit(fastmath=True, cache=True, inline="always")
def _corners(plane_axis, plane_at, corner_dark, hit, place):
    """How dark a place on a plane is for the corners with the other planes."""
    dark = np.float32(1)
    for p in range(len(plane_axis)):
        if p != hit:
            gap = (place[plane_axis[p]] - plane_at[p]) * 0.35
            dark *= 1 - corner_dark * 0.5 / (1 + gap * gap)
    return dark


@numba.njit(fastmath=True, cache=True, inline="always")
def _under_boxes(box, corner_dark, place):
    """How dark a place on the floor is for the boxes that stand near."""
    dark = np.float32(1)
    for b in range(len(box)):
        if box[b, 1] - place[1] < 1.5:
            du = max(max(box[b, 0] - place[0], place[0] - box[b, 3]), 0.0)
            dv = max(max(box[b, 2] - place[2], place[2] - box[b, 5]), 0.0)
            dark *= 1 - corner_dark * 0.9 / (1 + (du * du + dv * dv) * 0.8)
    return dark


@numba.njit(fastmath=True, cache=True, inline="always")
def _round(blob, number, key, place):
    """How bright a place on a blob is."""
    facing, total = np.float32(0), np.float32(0)
    for k in range(3):
        n = (place[k] - blob[number, k]) / (blob[number, k + 3] * blob[number, k + 3])
        facing, total = facing + n * key[k], total + n * n
    facing /= math.sqrt(total)
    return 0.55 + 0.45 * (facing * 0.5 + 0.5) + 0.25 * max(facing, 0.0)


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def _sky(sky, ridge, ridge_colour, noise, shine, ray, colour):
    """Sky with clouds, and ridges of hills, trees or roofs before it; below the horizon the colour of the haze."""
    rise = max(ray[1], 0.0)
    blend = math.sqrt(rise)
    for k in range(3):
        colour[k] = sky[0, k] + (sky[1, k] - sky[0, k]) * min(blend * 1.3, 1.0)
    if sky[3, 0] > 0 and rise > 0.005:
        u, v = ray[0] / (rise + 0.12), ray[2] / (rise + 0.12)
        cloud = 0.55 * noise_at(noise, u * 7, v * 7) + 0.3 * noise_at(noise, u * 17 + 40, v * 17)
        cloud += 0.15 * noise_at(noise, u * 41, v * 41 + 90)
        share = min(max((cloud - 1 + sky[3, 0]) * 3.0, 0.0), 1.0) * min(rise * 12, 1.0)
        for k in range(3):
            colour[k] += (sky[2, k] - colour[k]) * share
    flat = math.sqrt(ray[0] * ray[0] + ray[2] * ray[2]) + 1e-6
    tangent = ray[1] / flat
    around = (math.atan2(ray[0], -ray[2]) / (2 * math.pi) + 0.5) * 512
    for layer in range(len(ridge)):
        first = int(around)
        part = around - first
        height = ridge[layer, first % 512] * (1 - part) + ridge[layer, (first + 1) % 512] * part
        if tangent < height:
            rough = 0.85 + 0.3 * noise_at(noise, around * 6 + 31 * layer, tangent * 500)
            for k in range(3):
                colour[k] = ridge_colour[layer, k] * rough
    for k in range(3):
        colour[k] *= shine


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def soften_edges(rgb, surface, out):
    """Average 3 x 3 pixels (weights 1 2 1) wherever one surface ends before another; out starts as a copy of rgb."""
    size = rgb.shape[0]
    for y in range(1, size - 1):
        for x in range(1, size - 1):
            here = surface[y, x]
            if (
                surface[y, x - 1] == here
                and surface[y, x + 1] == here
                and surface[y - 1, x] == here
                and surface[y + 1, x] == here
            ):
                continue
            for k in range(3):
                total = 0
                for dy in range(-1, 2):
                    for dx in range(-1, 2):
                        total += (2 - abs(dy)) * (2 - abs(dx)) * rgb[y + dy, x + dx, k]
                out[y, x, k] = (total + 8) // 16
