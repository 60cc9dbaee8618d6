"""Drawn styles: flat toon colours with outlines, painted, pencil. All are functions of the one picture: no flicker."""

from __future__ import annotations

import numba
import numpy as np


def toon(canvas_u8: np.ndarray, levels: int, scale: float) -> np.ndarray:
    """Flat areas: texture smoothed away, brightness in `levels` steps with narrow ramps; uint8 [C, C, 3].

    scale  canvas side / 512
    """
    import cv2

    half = cv2.resize(canvas_u8, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    smooth = cv2.bilateralFilter(cv2.medianBlur(half, 5 if scale > 0.4 else 3), 5, 30, 3)
    smooth = cv2.resize(smooth, (canvas_u8.shape[1], canvas_u8.shape[0]), interpolation=cv2.INTER_LINEAR)
    out = np.empty_like(smooth)
    _steps(smooth, levels, out)
    return out


def painted(canvas_u8: np.ndarray, levels: int, scale: float) -> np.ndarray:
    """Kuwahara filter: each place takes the mean of the calmest of four squares beside it; uint8 [C, C, 3].

    source: Kuwahara et al. 1976, on the canvas at half size; `levels` is not used
    """
    import cv2

    half = cv2.resize(canvas_u8, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.float32)
    radius = max(round(1.2 * scale), 1)  # wider strokes wiped out the faces of half and full bodies
    side = 2 * radius + 1
    mean = cv2.blur(half, (side, side), borderType=cv2.BORDER_REFLECT)
    grey = half.mean(2)
    spread = cv2.blur(grey * grey, (side, side)) - cv2.blur(grey, (side, side)) ** 2
    out = np.empty_like(half)
    _calmest(mean, spread, radius, out)
    textured = np.clip(out * _strokes(len(out))[..., None], 0, 255).astype(np.uint8)
    return cv2.resize(textured, (canvas_u8.shape[1], canvas_u8.shape[0]), interpolation=cv2.INTER_LINEAR)


def sketch(canvas_u8: np.ndarray, levels: int, scale: float) -> np.ndarray:
    """Pencil on paper: dark where the picture is darker than around, with a little tone; uint8 [C, C, 3]."""
    import cv2

    grey = cv2.cvtColor(canvas_u8, cv2.COLOR_RGB2GRAY).astype(np.float32) + 12
    around = cv2.GaussianBlur(grey, (0, 0), 6 * scale)
    line = np.clip(grey / around, 0, 1) ** 3
    tone = np.clip((grey / 267) ** 0.5 * 0.75 + 0.3, 0, 1)
    paper = _strokes(len(grey)) * 0.25 + 0.75
    return (np.clip(line * tone * paper, 0, 1)[..., None] * np.array([250, 248, 240])).astype(np.uint8)


STYLES = {"toon": toon, "painted": painted, "sketch": sketch}


def outlines(canvas_u8: np.ndarray, depth_m: np.ndarray, part_id: np.ndarray, strength: float) -> np.ndarray:
    """Dark lines where parts meet and where the depth jumps; uint8 [C, C, 3]. strength 0..1"""
    import cv2

    if strength <= 0:
        return canvas_u8
    size = len(canvas_u8)
    line = np.zeros((size, size), np.uint8)
    _edges(np.where(np.isfinite(depth_m), depth_m, np.float32(1e3)), part_id, line)
    wide = max(round(size / 512 * 1.5), 1)
    line = cv2.GaussianBlur(cv2.dilate(line, np.ones((wide + 1, wide + 1), np.uint8)), (0, 0), 0.6)
    keep = 1 - line.astype(np.float32)[..., None] / 255 * np.float32(strength)
    return (canvas_u8 * keep).astype(np.uint8)


@numba.njit(fastmath=True, cache=True)
def _steps(smooth, levels, out):
    for y in range(smooth.shape[0]):
        for x in range(smooth.shape[1]):
            grey = max(0.3 * smooth[y, x, 0] + 0.59 * smooth[y, x, 1] + 0.11 * smooth[y, x, 2], 4.0)
            place = grey / 255 * levels
            whole = int(place)
            ramp = min(max((place - whole - 0.5) * 6 + 0.5, 0.0), 1.0)
            factor = (whole + ramp + 0.35) / levels * 255 / grey
            for k in range(3):
                value = grey + (smooth[y, x, k] - grey) * 1.1
                out[y, x, k] = int(min(max(value * factor, 0.0), 255.0))


@numba.njit(fastmath=True, cache=True)
def _calmest(mean, spread, radius, out):
    height, width = spread.shape
    for y in range(height):
        for x in range(width):
            best, by, bx = 1e18, y, x
            for k in range(4):
                sy = min(max(y + (radius if k & 1 else -radius), 0), height - 1)
                sx = min(max(x + (radius if k & 2 else -radius), 0), width - 1)
                if spread[sy, sx] < best:
                    best, by, bx = spread[sy, sx], sy, sx
            for k in range(3):
                out[y, x, k] = mean[by, bx, k]


@numba.njit(fastmath=True, cache=True)
def _edges(depth, part, line):
    size = depth.shape[0]
    for y in range(1, size - 1):
        for x in range(1, size - 1):
            here = depth[y, x]
            jump = max(abs(depth[y, x + 1] - here), abs(depth[y + 1, x] - here))
            if part[y, x] != part[y, x + 1] or part[y, x] != part[y + 1, x] or jump > 0.03 * here:
                line[y, x] = 255


def _strokes(size: int) -> np.ndarray:
    """Fixed brightness texture of canvas and brush, about 1, f32 [size, size]."""
    import cv2

    rng = np.random.default_rng(7)
    grain = cv2.GaussianBlur(rng.standard_normal((256, 256)).astype(np.float32), (0, 0), sigmaX=2.2, sigmaY=0.7)
    tiled = np.tile(grain / grain.std(), (-(-size // 256),) * 2)[:size, :size]
    return 1 + 0.03 * tiled
