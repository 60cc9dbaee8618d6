"""Curves over the time samples of a motion: values reached and held, oscillations that come and go, smooth noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

RATE_HZ = 60.0  # of the tables that a motion keeps
LEAD_S, TAIL_S = 1.0, 0.5  # the tables reach this far beyond both ends of a clip


def sample_times(duration_s: float) -> np.ndarray:
    """Times of the table rows, float64 [T]."""
    return -LEAD_S + np.arange(int(np.ceil((duration_s + LEAD_S + TAIL_S) * RATE_HZ)) + 1) / RATE_HZ


def ease(share: np.ndarray) -> np.ndarray:
    """0 to 1 with zero speed and acceleration at both ends (minimum jerk, Flash and Hogan 1985)."""
    s = np.clip(share, 0.0, 1.0)
    return s * s * s * (10 + s * (6 * s - 15))


def keyed(times: np.ndarray, arrive: np.ndarray, move: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A curve that moves to value k within `move[k]` seconds before `arrive[k]` and then holds it.

    times f64 [T]; arrive f64 [K] rising; move f64 [K], shortened to the gap before; values f64 [K, ...]
    returns f64 [T, ...]
    """
    values = np.asarray(values, float)
    if len(values) == 1:
        return np.broadcast_to(values[0], (len(times), *values.shape[1:])).copy()
    move = np.minimum(move[1:], np.diff(arrive))
    segment = np.clip(np.searchsorted(arrive, times, side="right"), 1, len(arrive) - 1)
    share = ease((times - (arrive[segment] - move[segment - 1])) / np.maximum(move[segment - 1], 1e-6))
    share = share.reshape(share.shape + (1,) * (values.ndim - 1))
    return values[segment - 1] + (values[segment] - values[segment - 1]) * share


def key_times(rng: np.random.Generator, times: np.ndarray, low_s: float, high_s: float) -> np.ndarray:
    """Random moments over the whole table, `low_s` to `high_s` apart, f64 [K]; the first lies before the table."""
    gaps = rng.uniform(low_s, high_s, int((times[-1] - times[0]) / low_s) + 3)
    moments = times[0] - rng.uniform(0, high_s) + np.cumsum(gaps) - gaps[0]
    return moments[: int(np.searchsorted(moments, times[-1])) + 2]


def wander(
    rng: np.random.Generator,
    times: np.ndarray,
    draw: Callable[[int], np.ndarray],
    low_s: float,
    high_s: float,
    move_s: float = 0.8,
) -> np.ndarray:
    """A curve through random values, each reached within about `move_s` and then held. draw(K) -> f64 [K, ...]."""
    arrive = key_times(rng, times, low_s, high_s)
    move = move_s * rng.uniform(0.7, 1.5, len(arrive))
    return keyed(times, arrive, move, draw(len(arrive)))


def noise(rng: np.random.Generator, times: np.ndarray, size: int, scale, hz: float) -> np.ndarray:
    """Smooth zero-mean noise of standard deviation `scale` and frequencies around `hz`, f64 [T, size]."""
    waves = 5
    rate = hz * rng.uniform(0.35, 1.5, (waves, size))
    phase = rng.uniform(0, 2 * np.pi, (waves, size))
    weight = rng.normal(0, 1, (waves, size))
    weight /= np.sqrt(np.sum(weight * weight, axis=0) / 2) + 1e-9
    waves_at = np.sin(2 * np.pi * times[:, None, None] * rate + phase)
    return np.einsum("tws,ws->ts", waves_at, weight) * scale


def bumps(times: np.ndarray, moments: np.ndarray, rise_s: float, fall_s: float) -> np.ndarray:
    """1 at each moment, rising before and falling after it, f64 [T]; where bumps overlap, the larger."""
    out = np.zeros(len(times))
    for moment in moments:
        gap = times - moment
        out = np.maximum(out, ease(np.where(gap < 0, 1 + gap / rise_s, 1 - gap / fall_s)))
    return out


def rows_at(table: np.ndarray, time_s: float) -> np.ndarray:
    """A table f64 [T, ...] of a motion at a time: straight between rows, the first and last row beyond the ends."""
    at = min(max((time_s + LEAD_S) * RATE_HZ, 0.0), len(table) - 1.0)
    low = min(int(at), len(table) - 2)
    share = at - low
    return table[low] * (1 - share) + table[low + 1] * share
