"""The structural similarity of two frames in one pass: compiled, float64, one row of windows at a time."""

from __future__ import annotations

import numba
import numpy as np

LUMA, LUMA_ROUNDED = -1, -2  # instead of a channel
_RED, _GREEN, _BLUE = (share * np.arange(256.0) for share in (0.299, 0.587, 0.114))


@numba.njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
def windowed_similarity(a_u8, b_u8, channel, weights, covariance_scale, c1, c2):
    """The mean of the structural similarity over all windows that lie inside two frames.

    a_u8, b_u8        uint8 [H, W, C], contiguous
    channel           0..C-1, or LUMA, LUMA_ROUNDED of three channels RGB
    weights           tuple of k floats that sum to 1: the window is their product over rows and columns
    covariance_scale  1 for population moments, n/(n-1) for sample moments of a window of n values
    c1, c2            (0.01 L)^2, (0.03 L)^2
    returns           float64, mean over (H-k+1)(W-k+1) windows; the frames must hold one at least

    Rows are filtered along x once and kept in a ring of k; four sums suffice, as only the sum of the variances enters.
    Whole planes are never made: on 1080p frames the luma planes cost as much as the filters.
    source: Wang et al., IEEE TIP 2004, eq. 13
    """
    height, width = a_u8.shape[:2]
    k = len(weights)
    across = width - k + 1
    row = np.empty((4, width))  # a, b, a^2 + b^2, ab of the row read last
    ring = np.empty((k, 4, across))  # the same, filtered along x
    total = 0.0
    for y in range(height):
        _read(a_u8[y], channel, row[0])
        _read(b_u8[y], channel, row[1])
        for x in range(width):
            p, q = row[0, x], row[1, x]
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
def _read(row_u8, channel, out):
    """Fill float64 [W] with a channel or BT.601 luma 0..255 of uint8 [W, C].

    Luma is the sum of rounded products in this order: one pixel in a thousand lies half way between integers, and the
    last bit then decides how it is rounded (seen in the fifth digit of the SSIM of 64x64 pictures). The products come
    from tables, as the compiler may else join a product and a sum into one rounding, without fastmath too.
    """
    if channel >= 0:
        for x in range(len(out)):
            out[x] = row_u8[x, channel]
        return
    for x in range(len(out)):
        out[x] = _RED[row_u8[x, 0]] + _GREEN[row_u8[x, 1]] + _BLUE[row_u8[x, 2]]
    if channel == LUMA_ROUNDED:
        for x in range(len(out)):
            out[x] = np.rint(out[x])
