"""Deferred shading of people in numba: what each kind of surface looks like, and how light falls on it.

Deterministic on one machine: one thread, no atomics. Samples are shaded once each, after the z-buffer is full.
"""

import math

import numba
import numpy as np

from stages.synthetic.detail import FOLD_PERIOD_DM, GLYPH_SIDE, SIDE
from stages.synthetic.lighting import lit_share, rim_light, shadow_reach
from stages.synthetic.patterns import grain_at, pattern
from stages.synthetic.raster import CUT_CLOTH, HAIR, SKIN, TEXTURED_CLOTH

FOLD_SCALE = SIDE / FOLD_PERIOD_DM
STREAKS_PER_DM = 95.0  # columns of the streak map a decimetre of scalp


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def _texel(texel, start, height, width, u, v, channel_out):
    """Bilinear texture colour, wrapped; written to channel_out f64 [3]. Wrapping by comparing: a modulo costs more."""
    fx, fy = (u - math.floor(u)) * width - 0.5, (math.ceil(v) - v) * height - 0.5
    left, top = int(math.floor(fx)), int(math.floor(fy))
    ax, ay = fx - left, fy - top
    right, bottom = (left + 1 if left + 1 < width else 0), (top + 1 if top + 1 < height else 0)
    left, top = (left if left >= 0 else width - 1), (top if top >= 0 else height - 1)
    at_a, at_b = start + (top * width + left) * 3, start + (top * width + right) * 3
    at_c, at_d = start + (bottom * width + left) * 3, start + (bottom * width + right) * 3
    wa, wb, wc, wd = (1 - ax) * (1 - ay), ax * (1 - ay), (1 - ax) * ay, ax * ay
    for k in range(3):
        channel_out[k] = wa * texel[at_a + k] + wb * texel[at_b + k] + wc * texel[at_c + k] + wd * texel[at_d + k]


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def _dyed(textured, second, third, part, tint, tint2, tint3, saturation, pattern_mix, gain, colour):
    """Cloth in its dyes; returns its luma. second, third: shares of these colours; colour f64 [3] is changed."""
    luma = 0.3 * colour[0] + 0.6 * colour[1] + 0.1 * colour[2]
    mix, kept_share, bright = pattern_mix[part], saturation[part], 2 * gain[part]
    for k in range(3):
        first = tint[part, k]
        dyed = first + (tint2[part, k] - first) * second
        dyed += (tint3[part, k] - dyed) * third
        if textured:
            kept = luma + (colour[k] - luma) * kept_share
            colour[k] = kept * bright * (first * (1 - mix) + dyed * mix)
        else:
            colour[k] *= dyed
    return luma


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def _ink(glyphs, glyph, box, part, s, t):
    """How much of a printed shape lies at a place of the cloth, 0..1."""
    gx = (s - box[part, 0]) * box[part, 2] * GLYPH_SIDE - 0.5
    gy = (box[part, 1] - t) * box[part, 3] * GLYPH_SIDE - 0.5
    if not (0 <= gx < GLYPH_SIDE - 1 and 0 <= gy < GLYPH_SIDE - 1):
        return 0.0
    ix, iy = int(gx), int(gy)
    ax, ay = gx - ix, gy - iy
    above = glyphs[glyph, iy, ix] * (1 - ax) + glyphs[glyph, iy, ix + 1] * ax
    below = glyphs[glyph, iy + 1, ix] * (1 - ax) + glyphs[glyph, iy + 1, ix + 1] * ax
    return above * (1 - ay) + below * ay


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def _skin(tint2, tint3, part, u, v, place, grain, colour):
    """Mottling, hair roots, beard, lips and freckles; place f64 [4]: strengths of the last four, 0..1."""
    fine = grain_at(grain, u * 1100.0, v * 1100.0, 1)
    scalp, beard, lips, freckles = place[0], place[1], place[2], place[3]
    roots = min(max(scalp * (0.9 + 0.35 * fine), 0.0), 1.0)
    hairs = grain_at(grain, u * 3100.0, v * 3100.0, 1)
    stubble = min(max(beard * (0.95 + 0.4 * hairs), 0.0), 0.94)
    spots = freckles * grain_at(grain, u * 1500.0, v * 1500.0, 2) if freckles > 0.02 else 0.0
    blush = 0.05 * grain_at(grain, u * 420.0, v * 420.0, 3)
    for channel in range(3):
        value = colour[channel] * (1.0 + 0.06 * fine) * (1.0 + blush * (1.0 - 0.6 * channel))
        value *= 1.0 - spots * (0.3 + 0.12 * channel)
        value += (tint3[part, channel] * (0.7 + 0.5 * value) - value) * lips
        value += (tint2[part, channel] * 0.75 - value) * roots
        value += (tint2[part, channel] * (0.9 + 0.35 * hairs) - value) * stubble
        colour[channel] = value


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def _hair(tint, tint3, curl, gain, part, place, grain, colour):
    """Strands; place f64 [4]: around and along in dm, distance from the root 0..1. Returns the sheen's strength."""
    luma = 0.3 * colour[0] + 0.6 * colour[1] + 0.1 * colour[2]
    streak = grain_at(grain, place[0] * STREAKS_PER_DM, place[1] * 14.0 + 9.0 * math.sin(place[1] * 2.0), 0)
    coarse = grain_at(grain, place[0] * 24.0 + 5.0 * math.sin(place[1] * 1.7), place[1] * 6.0, 0)
    knot = grain_at(grain, place[0] * 60.0, place[1] * 60.0, 1) + 0.7 * grain_at(
        grain, place[0] * 34.0, place[1] * 34.0, 3
    )
    from_texture = min(math.sqrt(luma * gain), 1.8)
    strands = (0.35 + 0.65 * from_texture) * (1.0 + 0.32 * streak + 0.3 * coarse)
    shade = strands * (1 - curl) + (0.9 + 0.55 * knot) * curl
    shade *= 0.78 + 0.3 * place[2]
    for channel in range(3):
        tip = 1.0 + (tint3[part, channel] - 1.0) * place[2]
        colour[channel] = max(shade, 0.12) * tint[part, channel] * tip
    return (0.55 + 0.6 * streak + 0.3 * coarse) * (1 - 0.75 * curl)


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def _tangents(position, surface, t, a, b, c, out):
    """World directions of growing s (out[0]) and t (out[1]) on a triangle; False where the cloth has none."""
    ds1, dt1 = surface[t, 1, 0] - surface[t, 0, 0], surface[t, 1, 1] - surface[t, 0, 1]
    ds2, dt2 = surface[t, 2, 0] - surface[t, 0, 0], surface[t, 2, 1] - surface[t, 0, 1]
    turned = ds1 * dt2 - ds2 * dt1
    if -1e-7 < turned < 1e-7:
        return False
    length_s, length_t = 1e-12, 1e-12
    for axis in range(3):
        e1 = position[b, axis] - position[a, axis]
        e2 = position[c, axis] - position[a, axis]
        out[0, axis] = (e1 * dt2 - e2 * dt1) / turned
        out[1, axis] = (e2 * ds1 - e1 * ds2) / turned
        length_s += out[0, axis] ** 2
        length_t += out[1, axis] ** 2
    scale_s, scale_t = 1.0 / math.sqrt(length_s), 1.0 / math.sqrt(length_t)
    for axis in range(3):
        out[0, axis] *= scale_s
        out[1, axis] *= scale_t
    return True


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def _fold(folds, s, t, cross, hanging, out):
    """Slope along s, along t, and height of the folds at a place, bilinear; written to out f64 [3]."""
    x, y = s * FOLD_SCALE, t * FOLD_SCALE
    ix, iy = int(math.floor(x)), int(math.floor(y))
    ax, ay = x - ix, y - iy
    left, right, top, bottom = ix & (SIDE - 1), (ix + 1) & (SIDE - 1), iy & (SIDE - 1), (iy + 1) & (SIDE - 1)
    wa, wb, wc, wd = (1 - ax) * (1 - ay), ax * (1 - ay), (1 - ax) * ay, ax * ay
    for k in range(3):  # one index a value: a row of the map would be a counted reference
        crossing = wa * folds[top, left, k] + wb * folds[top, right, k]
        crossing += wc * folds[bottom, left, k] + wd * folds[bottom, right, k]
        falling = wa * folds[top, left, 3 + k] + wb * folds[top, right, 3 + k]
        falling += wc * folds[bottom, left, 3 + k] + wd * folds[bottom, right, 3 + k]
        out[k] = cross * crossing + hanging * falling


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def shade(at_y, at_x, buffers, geometry, materials, light, detail, eye, shadow_depth, shadow_matrix, out):
    """Colour the covered samples at_y, at_x i64 [N]. out f32 [S,S,3] linear light is written there."""
    colour, wrap, place, bump = np.empty(3), np.empty(3), np.empty(4), np.empty(3)
    tangent = np.empty((2, 3))
    triangles, uv, position, normal, rest, surface = geometry
    # Every array by its own name: one taken out of a tuple within the loop is a counted reference, and the counting
    # cost as much as the shading.
    _, rows, share_b, share_c, parts = buffers
    (texel, texel_start, texture_size, kinds, tint, tint2, saturation, pattern_mix, patterns, pattern_scale, gain,
     tint3, reliefs, glyph_of, glyph_box) = materials  # fmt: skip
    folds, grain, glyphs = detail
    key_colour, fill_colour, rim, rim_colour = (
        light.key_colour,
        light.fill_colour,
        light.rim_direction,
        light.rim_colour,
    )
    ambient_down, ambient_up = light.ambient_down, light.ambient_up
    key, fill = light.key_direction, light.fill_direction
    reach = shadow_reach(light)
    tangents_of, has_tangents = -1, False
    for n in range(len(at_y)):
        y, x = at_y[n], at_x[n]
        t = rows[y, x]
        part = parts[y, x]
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        wb, wc = share_b[y, x], share_c[y, x]
        wa = 1.0 - wb - wc
        nx = wa * normal[a, 0] + wb * normal[b, 0] + wc * normal[c, 0]
        ny = wa * normal[a, 1] + wb * normal[b, 1] + wc * normal[c, 1]
        nz = wa * normal[a, 2] + wb * normal[b, 2] + wc * normal[c, 2]
        px = wa * position[a, 0] + wb * position[b, 0] + wc * position[c, 0]
        py = wa * position[a, 1] + wb * position[b, 1] + wc * position[c, 1]
        pz = wa * position[a, 2] + wb * position[b, 2] + wc * position[c, 2]
        scale = 1.0 / math.sqrt(nx * nx + ny * ny + nz * nz + 1e-12)
        nx, ny, nz = nx * scale, ny * scale, nz * scale
        vx, vy, vz = eye[0] - px, eye[1] - py, eye[2] - pz
        scale = 1.0 / math.sqrt(vx * vx + vy * vy + vz * vz)
        vx, vy, vz = vx * scale, vy * scale, vz * scale
        kind = kinds[part]
        is_skin = kind == SKIN
        if not is_skin and nx * vx + ny * vy + nz * vz < 0:
            nx, ny, nz = -nx, -ny, -nz
        u = wa * uv[a, 0] + wb * uv[b, 0] + wc * uv[c, 0]
        v = wa * uv[a, 1] + wb * uv[b, 1] + wc * uv[c, 1]
        for axis in range(4):
            place[axis] = wa * surface[t, 0, axis] + wb * surface[t, 1, axis] + wc * surface[t, 2, axis]
        _texel(texel, texel_start[part], texture_size[part, 0], texture_size[part, 1], u, v, colour)
        sheen, open_to_light = 0.0, 1.0
        if t != tangents_of and (kind == HAIR or kind == TEXTURED_CLOTH or kind == CUT_CLOTH):
            tangents_of, has_tangents = t, _tangents(position, surface, t, a, b, c, tangent)
        if is_skin or kind > CUT_CLOTH:
            for channel in range(3):
                colour[channel] *= tint[part, channel] * gain[part]
            if is_skin:
                _skin(tint2, tint3, part, u, v, place, grain, colour)
        elif kind == HAIR:
            sheen = _hair(tint, tint3, reliefs[part], gain[part], part, place, grain, colour)
        elif kind == TEXTURED_CLOTH or kind == CUT_CLOTH:
            second, third = 0.0, 0.0
            if patterns[part] > 0:
                second, third = pattern(patterns[part], place[0], place[1], pattern_scale[part], grain)
            luma = _dyed(
                kind == TEXTURED_CLOTH,
                second,
                third,
                part,
                tint,
                tint2,
                tint3,
                saturation,
                pattern_mix,
                gain,
                colour,
            )
            if glyph_of[part] >= 0:
                ink = _ink(glyphs, glyph_of[part], glyph_box, part, place[0], place[1])
                for channel in range(3):
                    colour[channel] += (tint3[part, channel] * min(luma * 2, 1.0) - colour[channel]) * ink
            relief = reliefs[part]
            if relief > 0 and has_tangents:
                _fold(folds, place[0], place[1], place[2] * relief, place[3] * relief, bump)
                nx -= bump[0] * tangent[0, 0] + bump[1] * tangent[1, 0]
                ny -= bump[0] * tangent[0, 1] + bump[1] * tangent[1, 1]
                nz -= bump[0] * tangent[0, 2] + bump[1] * tangent[1, 2]
                scale = 1.0 / math.sqrt(nx * nx + ny * ny + nz * nz + 1e-12)
                nx, ny, nz = nx * scale, ny * scale, nz * scale
                open_to_light = min(max(1.0 + 0.3 * bump[2], 0.6), 1.12)
        facing = nx * key[0] + ny * key[1] + nz * key[2]
        lit = (
            0.0
            if facing < -0.35
            else lit_share(shadow_depth, shadow_matrix, px, py, pz, facing, reach, (x & 1) + 2 * (y & 1))
        )
        hx, hy, hz = key[0] + vx, key[1] + vy, key[2] + vz
        length_h = math.sqrt(hx * hx + hy * hy + hz * hz)
        gloss = 0.08 * max((nx * hx + ny * hy + nz * hz) / length_h, 0.0) ** 16
        if is_skin:  # light wraps around, red furthest: a cheap stand-in for scattering under the skin
            wrap[0] = max((facing + 0.35) / 1.35, 0.0) * (lit * 0.88 + 0.12)
            wrap[1] = max((facing + 0.12) / 1.12, 0.0) * lit
            wrap[2] = max((facing + 0.08) / 1.08, 0.0) * lit
        elif kind == HAIR:  # strands scatter sideways; their sheen is a band across them (Kajiya and Kay 1989)
            wrap[:] = max((facing + 0.3) / 1.3, 0.0) * (lit * 0.9 + 0.1)
            gloss = 0.0
            if sheen > 0 and facing > -0.2 and has_tangents:
                along = (tangent[1, 0] * hx + tangent[1, 1] * hy + tangent[1, 2] * hz) / length_h
                band = max(1.0 - along * along, 0.0) ** 14
                gloss = 0.035 * sheen * band
                for channel in range(3):
                    colour[channel] *= 1.0 + 1.3 * sheen * band
        else:
            wrap[:] = max(facing, 0.0) * lit
        fill_facing = max(nx * fill[0] + ny * fill[1] + nz * fill[2], 0.0)
        rim_share = rim_light(rim, nx, ny, nz, vx, vy, vz)
        up = ny * 0.5 + 0.5
        for channel in range(3):
            ambient = ambient_down[channel] + (ambient_up[channel] - ambient_down[channel]) * up
            received = wrap[channel] * key_colour[channel] + ambient
            received += rim_share * rim_colour[channel]
            received = (received + fill_facing * fill_colour[channel]) * open_to_light
            out[y, x, channel] = colour[channel] * received + gloss * lit
