"""Shadows of a person on floor and walls: soft ones from the key light's shadow map, and contact with the floor.

Source of the soft shadows: percentage-closer soft shadows (Fernando 2005): blockers first, then an average as wide as
their distance makes the penumbra.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np

from stages.synthetic.background import Seen
from stages.synthetic.renderer import LIGHT_FAR_DM, LIGHT_NEAR_DM, Light, View

TAPS = 9
VOGEL = np.array(  # evenly spread places in the unit disc, f32 [TAPS, 2]
    [
        (math.sqrt((k + 0.5) / TAPS) * math.cos(2.39996 * k), math.sqrt((k + 0.5) / TAPS) * math.sin(2.39996 * k))
        for k in range(TAPS)
    ],
    np.float32,
)
FULL_SEARCH_TEXELS = 14.0
BODY_BALLS = (  # bone, radius in decimetres: what hides the sky from the floor
    *(("foot.L", 0.45), ("foot.R", 0.45), ("toe1-1.L", 0.35), ("toe1-1.R", 0.35), ("toe4-1.L", 0.3), ("toe4-1.R", 0.3)),
    *(("lowerleg01.L", 0.6), ("lowerleg01.R", 0.6), ("lowerleg02.L", 0.5), ("lowerleg02.R", 0.5)),
    *(("upperleg01.L", 1.1), ("upperleg01.R", 1.1), ("spine03", 1.5), ("wrist.L", 0.4), ("wrist.R", 0.4)),
)


@dataclass(frozen=True)
class ShadowMap:
    """The key light's depth buffer f32 [N, N] (NDC, 2 = empty) and the matrix f64 [3, 4] world -> (x, y, depth)."""

    depth: np.ndarray
    to_map: np.ndarray


def shadowed(seen: Seen, view: View, light: Light, shadow: ShadowMap, balls: np.ndarray, strength: float) -> np.ndarray:
    """The background's picture uint8 [S, S, 3] darkened by a person.

    balls     f32 [N, 4] centre and radius, world decimetres: what darkens the floor below it
    strength  0..1
    """
    import cv2

    if strength <= 0 or not np.isfinite(seen.receiver_dm).any():
        return seen.rgb_u8
    size = seen.rgb_u8.shape[0]
    share = np.empty((size, size), np.float32)
    texel = 2 * light.extent_dm / len(shadow.depth)
    table = light.table
    luma = np.array([0.3, 0.6, 0.1])
    key, ambient = float(table.key_colour @ luma), float(table.ambient_up @ luma + 0.4 * table.fill_colour @ luma)
    _light_left(
        seen.receiver_dm,
        seen.surface,
        seen.normals,
        view.eye_dm.astype(np.float32),
        np.ascontiguousarray(view.world_to_view[:3, :3], np.float32),
        np.float32(1 / view.projection[0, 0]),
        shadow.depth,
        shadow.to_map.astype(np.float32),
        table.key_direction,
        np.float32(key),
        np.float32(ambient),
        np.float32(table.spread),
        np.float32(texel),
        balls.astype(np.float32),
        np.float32(strength),
        share,
    )
    share = cv2.GaussianBlur(share, (0, 0), 0.8 * size / 256)
    return _darkened(seen.rgb_u8, share)


def body_balls(head_dm: np.ndarray, bone_index: dict[str, int]) -> np.ndarray:
    """Centres and radii f32 [N, 4] of BODY_BALLS. head_dm f64 [B, 3] where the bones went."""
    rows = [(*head_dm[bone_index[name]], radius) for name, radius in BODY_BALLS if name in bone_index]
    return np.array(rows, np.float32).reshape(-1, 4)


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def _light_left(
    receiver,
    surface,
    normals,
    eye,
    rotation,
    tangent,
    depth,
    m,
    key,
    key_strength,
    ambient,
    spread,
    texel,
    balls,
    strength,
    out,
):
    """Share of the light that the person lets through, f32 [S,S] written to out."""
    size, side, plain = out.shape[0], depth.shape[0], len(normals) - 1
    to_dm = np.float32(0.5 * (LIGHT_FAR_DM - LIGHT_NEAR_DM))
    middle_x, middle_z = np.float32(0), np.float32(0)
    for ball in range(len(balls)):
        middle_x, middle_z = middle_x + balls[ball, 0] / len(balls), middle_z + balls[ball, 2] / len(balls)
    for row in range(size):
        up = (1 - (row + 0.5) / size * 2) * tangent
        for column in range(size):
            out[row, column] = 1
            far = receiver[row, column]
            if not far < 400:
                continue
            right = ((column + 0.5) / size * 2 - 1) * tangent
            length = far / math.sqrt(right * right + up * up + 1)
            x = eye[0] + (rotation[0, 0] * right + rotation[1, 0] * up - rotation[2, 0]) * length
            y = eye[1] + (rotation[0, 1] * right + rotation[1, 1] * up - rotation[2, 1]) * length
            z = eye[2] + (rotation[0, 2] * right + rotation[1, 2] * up - rotation[2, 2]) * length
            wall = min(surface[row, column], plain)
            facing = normals[wall, 0] * key[0] + normals[wall, 1] * key[1] + normals[wall, 2] * key[2]
            if wall == plain:
                facing = np.float32(0.6)
            left = np.float32(1)
            sx = m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]
            sy = m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]
            border = min(min(sx, side - sx), min(sy, side - sy)) / (0.16 * side)
            if border > 0 and facing > 0.02:
                sz = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3]
                angle = 52.9829189 * ((0.06711056 * column + 0.00583715 * row) % 1.0) * 2 * math.pi
                search = min(max(0.5 * spread * (sz + 1) * to_dm / texel, 1.5), FULL_SEARCH_TEXELS)
                found, total = 0, np.float32(0)
                along, across = search * math.cos(angle), search * math.sin(angle)
                for tap in range(TAPS):
                    i = int(sx + along * VOGEL[tap, 0] - across * VOGEL[tap, 1])
                    j = int(sy + across * VOGEL[tap, 0] + along * VOGEL[tap, 1])
                    if 0 <= i < side and 0 <= j < side and depth[j, i] < min(sz - 0.004, np.float32(1.5)):
                        found += 1
                        total += depth[j, i]
                if found > 0:
                    wide = 0.5 * spread * (sz - total / found) * to_dm / texel
                    wide = min(max(wide, 0.7), FULL_SEARCH_TEXELS * 1.5)
                    hidden = np.float32(0)
                    along, across = wide / search * across, wide / search * along  # another turn of the disc
                    for tap in range(TAPS):
                        i = int(sx + along * VOGEL[tap, 0] - across * VOGEL[tap, 1])
                        j = int(sy + across * VOGEL[tap, 0] + along * VOGEL[tap, 1])
                        if 0 <= i < side and 0 <= j < side and depth[j, i] < min(sz - 0.004, np.float32(1.5)):
                            hidden += 1
                    lit = key_strength * facing
                    hidden *= min(border, 1.0) / TAPS
                    left = (ambient + lit * (1 - hidden)) / (ambient + lit)
            if normals[wall, 1] > 0.9 and (x - middle_x) ** 2 + (z - middle_z) ** 2 < 400:
                open_sky = np.float32(1)
                for ball in range(len(balls)):
                    dx, dy, dz = balls[ball, 0] - x, balls[ball, 1] - y, balls[ball, 2] - z
                    distance = dx * dx + dy * dy + dz * dz
                    radius = balls[ball, 3]
                    if distance < 100 * radius * radius:
                        hidden_share = max(dy, 0.0) * radius * radius / (distance * math.sqrt(distance) + 1e-3)
                        open_sky *= 1 - min(hidden_share * 1.2, 0.8)
                left *= 0.15 + 0.85 * open_sky
            out[row, column] = 1 - strength * (1 - left)


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def _darken(rgb, share, table, out):
    for row in range(rgb.shape[0]):
        for column in range(rgb.shape[1]):
            factor = table[int(min(max(share[row, column], 0.0), 1.0) * 255)]
            for k in range(3):
                out[row, column, k] = int(rgb[row, column, k] * factor + 0.5)


def _darkened(rgb_u8: np.ndarray, share: np.ndarray) -> np.ndarray:
    """The picture with its linear light multiplied by `share` f32 [S, S]."""
    out = np.empty_like(rgb_u8)
    _darken(rgb_u8, share, ((np.arange(256) / 255.0) ** (1 / 2.2)).astype(np.float32), out)
    return out
