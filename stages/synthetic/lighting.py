"""Numba functions of light on people: soft shadows from the shadow map, rim light, and the tone curve."""

import numba
import numpy as np

TONE_RANGE = 4.0  # linear light above it is white
CREASE_DM = 0.7  # how far around a place counts for the darkness of creases
CREASE_WAYS = np.array([(1.0, 0.0), (0.0, 1.0), (0.5, 0.5), (0.5, -0.5)], np.float32)
TYPICAL_GAP_DM = 1.2  # from what throws a shadow on the body to the body, for the width of soft edges
_ANGLES = np.pi / 2 * np.arange(4) + np.pi / 8 * np.arange(4)[:, None]
SHADOW_TAPS = (  # [turn, tap, xy] within the unit disc
    np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], -1)
    * (0.35 + 0.65 * ((np.arange(4) + np.arange(4)[:, None]) % 4) / 3)[..., None]
).astype(np.float32)


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def lit_share(shadow_depth, shadow_matrix, x, y, z, facing, reach, turn):
    """Share of shadow map samples that see the light, 0..1; 1 outside the map.

    Four samples `reach` apart, turned by `turn` (0..3) steps: neighbouring samples of a picture together see sixteen.
    """
    size = shadow_depth.shape[0]
    m = shadow_matrix
    sx = m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]
    sy = m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]
    sz = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3]
    edge = reach + 2
    if not (edge < sx < size - edge and edge < sy < size - edge):
        return 1.0
    bias = 0.003 + (0.005 + 0.0016 * reach) * (1 - max(facing, 0.0))
    share = 0.0
    for k in range(4):
        row, column = int(sy + reach * SHADOW_TAPS[turn, k, 1]), int(sx + reach * SHADOW_TAPS[turn, k, 0])
        if shadow_depth[row, column] > sz - bias:
            share += 0.25
    return share


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def shadow_reach(light):
    """Radius in samples of the shadow map that makes edges as soft as the light is wide."""
    return min(max(0.5 * light.spread * TYPICAL_GAP_DM / max(light.texel_dm, 1e-6), 0.7), 9.0)


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def rim_light(rim, nx, ny, nz, vx, vy, vz):
    """Share of the rim light that a surface with normal n sends to a viewer in direction v: most where it grazes."""
    back = max(nx * rim[0] + ny * rim[1] + nz * rim[2], 0.0)
    grazing = 1 - max(nx * vx + ny * vy + nz * vz, 0.0)
    return back * (0.3 + 0.7 * grazing * grazing)


@numba.njit(fastmath=True, cache=True)
def resolve(linear, buffers, open_share, mask_ids, to_byte, near, far, rgb, part_id, depth_m):
    """Linear light to picture, part to mask, NDC depth to metres (inf where empty); the last three are written.

    open_share f32 [S,S] what the light is multiplied by, see `crease_light`
    to_byte u8 [N]  picture value of linear light in N steps from 0 to TONE_RANGE
    """
    size = buffers.depth.shape[0]
    scale = len(to_byte) / TONE_RANGE
    last = len(to_byte) - 1
    drawn, ndc = buffers.part, buffers.depth
    for y in range(size):
        for x in range(size):
            part = drawn[y, x]
            part_id[y, x] = mask_ids[part + 1]
            if part < 0:
                rgb[y, x, 0] = rgb[y, x, 1] = rgb[y, x, 2] = 0
                depth_m[y, x] = np.inf
                continue
            depth_m[y, x] = 0.2 * far * near / ((far + near) - ndc[y, x] * (far - near))
            for k in range(3):
                rgb[y, x, k] = to_byte[min(int(linear[y, x, k] * open_share[y, x] * scale), last)]


def crease_light(depth: np.ndarray, near: float, far: float, focal: float) -> np.ndarray:
    """How much light reaches each sample past what bulges up around it, f32 [S, S], 1 = all.

    depth  f32 [S, S] NDC, 2 where empty;  near, far  of the projection, dm;  focal  of the projection
    source: depth-based ambient occlusion (Mittring 2007), here on every fourth sample by opposite pairs, so that flat
    and bulging places stay bright whatever their slope
    """
    import cv2

    size = len(depth)
    coarse = np.ascontiguousarray(depth[::4, ::4])
    share = np.empty_like(coarse)
    _creases(coarse, np.float32(near), np.float32(far), np.float32(focal), share)
    return cv2.resize(cv2.blur(share, (3, 3)), (size, size), interpolation=cv2.INTER_LINEAR)


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def _creases(depth, near, far, focal, share):
    size = depth.shape[0]
    for y in range(size):
        for x in range(size):
            share[y, x] = 1
            if depth[y, x] > 1.5:
                continue
            here = 2 * far * near / ((far + near) - depth[y, x] * (far - near))
            reach = min(max(CREASE_DM * focal * size / (2 * here), 1.0), 12.0)
            total = np.float32(0)
            for pair in range(4):
                dx, dy = reach * CREASE_WAYS[pair, 0], reach * CREASE_WAYS[pair, 1]
                bulge, found = np.float32(0), 0
                for side in (-1, 1):
                    i, j = int(x + side * dx + 0.5), int(y + side * dy + 0.5)
                    if 0 <= i < size and 0 <= j < size and depth[j, i] < 1.5:
                        gap = here - 2 * far * near / ((far + near) - depth[j, i] * (far - near))
                        if abs(gap) < 2.5 * CREASE_DM:
                            bulge += gap
                            found += 1
                if found == 2:
                    total += min(max(bulge * 0.5 / CREASE_DM - 0.03, 0.0), 0.6)
            share[y, x] = 1 - min(total * 0.45, 0.55)
