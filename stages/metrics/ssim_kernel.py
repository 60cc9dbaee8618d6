"""The structural similarity of two planes in one pass: compiled, float64, one row of windows at a time."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def windowed_similarity(a, b, weights, covariance_scale, c1, c2):
    """The mean of the structural similarity over all windows that lie inside two planes.

    a, b              [H, W], uint8 or float64, any strides
    weights           tuple of k floats that sum to 1: the window is their product over rows and columns
    covariance_scale  1 for population moments, n/(n-1) for sample moments of a window of n values
    c1, c2            (0.01 L)^2, (0.03 L)^2
    returns           float64, mean over (H-k+1)(W-k+1) windows; the planes must hold one at least

    Rows are filtered along x once and kept in a ring of k; four sums suffice, as only the sum of the variances enters.
    source: Wang et al., IEEE TIP 2004, eq. 13
    """
    height, width = a.shape
    k = len(weights)
    across = width - k + 1
    row = np.empty((4, width))  # a, b, a^2 + b^2, ab of the row read last
    ring = np.empty((k, 4, across))  # the same, filtered along x
    total = 0.0
    for y in range(height):
        for x in range(width):
            p, q = float(a[y, x]), float(b[y, x])
            row[0, x], row[1, x] = p, q
            row[2, x], row[3, x] = p * p + q * q, p * q
        spot = ring[y % k]
        for field in range(4):
            source, target = row[field], spot[field]
            for x in range(across):
                s = 0.0
                for i in range(k):
                    s += weights[i] * source[x + i]
                target[x] = s
        if y < k - 1:
            continue
        first = (y + 1) % k
        part = 0.0
        for x in range(across):
            m, n, squares, product = 0.0, 0.0, 0.0, 0.0
            for i in range(k):
                j = first + i if first + i < k else first + i - k
                w = weights[i]
                m += w * ring[j, 0, x]
                n += w * ring[j, 1, x]
                squares += w * ring[j, 2, x]
                product += w * ring[j, 3, x]
            mn, mm = m * n, m * m + n * n
            both = covariance_scale * (product - mn)
            each = covariance_scale * (squares - mm)
            part += (2.0 * mn + c1) * (2.0 * both + c2) / ((mm + c1) * (each + c2))
        total += part
    return total / ((height - k + 1) * across)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def luma(frame_u8):
    """float64 [H, W], BT.601 luma 0..255 of uint8 [H, W, 3].

    Summed in this order: one pixel in a thousand lies half way between integers, and the last bit then decides how it
    is rounded (seen in the fifth digit of the SSIM of 64x64 pictures).
    """
    height, width, _ = frame_u8.shape
    out = np.empty((height, width))
    for y in range(height):
        for x in range(width):
            out[y, x] = 0.299 * frame_u8[y, x, 0] + 0.587 * frame_u8[y, x, 1] + 0.114 * frame_u8[y, x, 2]
    return out
