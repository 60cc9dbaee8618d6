"""Numba kernels of the look: focus by distance, grading, noise, motion blur. Pictures are uint8 [S, S, 3] RGB."""

import math

import numba
import numpy as np

TAPS = 7


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def blend_by_distance(sharp, half, blurred, distance, focus, out):
    """Sharp at the distance `focus`, blurred at infinity or as near as half of it, `half` in between."""
    size = sharp.shape[0]
    for y in range(size):
        for x in range(size):
            far = distance[y, x]
            amount = min(abs(far - focus) / far, 1.0) * 2 if far < 1e8 else 2.0
            for k in range(3):
                if amount < 1:
                    value = sharp[y, x, k] * (1 - amount) + half[y, x, k] * amount
                else:
                    value = half[y, x, k] * (2 - amount) + blurred[y, x, k] * (amount - 1)
                out[y, x, k] = int(value + 0.5)


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def grade(canvas, curves, saturation, vignette, out):
    """Curves f32 [3,256] per channel, then saturation, then darker corners."""
    size = canvas.shape[0]
    for y in range(size):
        v = (2.0 * y / size - 1) ** 2
        for x in range(size):
            r, g, b = curves[0, canvas[y, x, 0]], curves[1, canvas[y, x, 1]], curves[2, canvas[y, x, 2]]
            grey = 0.3 * r + 0.59 * g + 0.11 * b
            shade = 1 - vignette * 0.5 * (v + (2.0 * x / size - 1) ** 2)
            out[y, x, 0] = int(min(max((grey + (r - grey) * saturation) * shade, 0.0), 255.0))
            out[y, x, 1] = int(min(max((grey + (g - grey) * saturation) * shade, 0.0), 255.0))
            out[y, x, 2] = int(min(max((grey + (b - grey) * saturation) * shade, 0.0), 255.0))


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def add_noise(frame, grain, sigma, out):
    """Noise of brightness and, weaker, of colour: grain f32 [S,S,2]; stronger in the dark than in the light."""
    size = frame.shape[0]
    for y in range(size):
        for x in range(size):
            grey = (frame[y, x, 0] + 2.0 * frame[y, x, 1] + frame[y, x, 2]) * (1 / 1020.0)
            here = sigma * (1.25 - 0.9 * grey)
            luma, colour = grain[y, x, 0] * here, grain[y, x, 1] * here * 0.45
            out[y, x, 0] = int(min(max(frame[y, x, 0] + luma + colour + 0.5, 0.0), 255.0))
            out[y, x, 1] = int(min(max(frame[y, x, 1] + luma - colour * 0.4 + 0.5, 0.0), 255.0))
            out[y, x, 2] = int(min(max(frame[y, x, 2] + luma - colour + 0.5, 0.0), 255.0))


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def strongest_in_tiles(flow, length, strongest):
    """The longest flow of each tile of 8 px and of the tiles around it; strongest f32 [N,N,2] is written."""
    tiles, size = strongest.shape[0], length.shape[0]
    for i in range(tiles):
        for j in range(tiles):
            best = -1.0
            for y in range(max(i * 8 - 8, 0), min(i * 8 + 16, size)):
                for x in range(max(j * 8 - 8, 0), min(j * 8 + 16, size)):
                    if length[y, x] > best:
                        best = length[y, x]
                        strongest[i, j, 0], strongest[i, j, 1] = flow[y, x, 0], flow[y, x, 1]


@numba.njit(fastmath=True, cache=True, error_model="numpy")
def blur_along(canvas, length, strongest, step, least, out):
    """Average of TAPS samples along the strongest flow near by; each counts where it, or the place itself, moves there.

    length f32 [S,S], strongest  in picture px while the shutter is open; out is written where something moves
    """
    size, small = canvas.shape[0], length.shape[0]
    to_small = np.float32(1.0 / step)
    for py in range(small):
        for px in range(small):
            dx, dy = strongest[py >> 3, px >> 3, 0], strongest[py >> 3, px >> 3, 1]
            longest = math.sqrt(dx * dx + dy * dy)
            if longest < least:
                continue
            own, few = length[py, px], longest * step < 4
            for y in range(py * step, py * step + step):
                for x in range(px * step, px * step + step):
                    total = np.float32(1)
                    r, g, b = np.float32(canvas[y, x, 0]), np.float32(canvas[y, x, 1]), np.float32(canvas[y, x, 2])
                    for tap in range(TAPS):
                        if tap == TAPS // 2 or (few and 0 < tap < TAPS - 1):
                            continue
                        t = np.float32((tap + 0.5) / TAPS - 0.5)
                        sx, sy = int(x + dx * t * step + np.float32(0.5)), int(y + dy * t * step + np.float32(0.5))
                        if sx < 0 or sy < 0 or sx >= size or sy >= size:
                            continue
                        there = length[int((sy + np.float32(0.5)) * to_small), int((sx + np.float32(0.5)) * to_small)]
                        weight = max(own, there) * np.float32(0.5) - abs(t) * longest + np.float32(1)
                        if weight <= 0:
                            continue
                        weight = min(weight, np.float32(1))
                        total += weight
                        r += weight * canvas[sy, sx, 0]
                        g += weight * canvas[sy, sx, 1]
                        b += weight * canvas[sy, sx, 2]
                    share = 1 / total
                    out[y, x, 0] = int(r * share + np.float32(0.5))
                    out[y, x, 1] = int(g * share + np.float32(0.5))
                    out[y, x, 2] = int(b * share + np.float32(0.5))
