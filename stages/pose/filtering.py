"""Gap filling and One-Euro smoothing that adds no delay, over the frame axis of a track."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MAX_GAP_S = 0.25  # our choice: six frames at 25 fps, about the time of a blink or of a hand passing the face
_LEAST_WEIGHT = 0.05
_LONGEST_LAG_S = 0.2


@dataclass(frozen=True)
class OneEuro:
    """Strength of a One-Euro filter for one kind of point; speeds are in metres a second at the person.

    min_cutoff_hz  cutoff of a point at rest: lower is steadier
    beta           cutoff gained per m/s: higher follows fast movement better
    d_cutoff_hz    cutoff of the speed estimate
    """

    min_cutoff_hz: float
    beta: float
    d_cutoff_hz: float = 3.0


def fill_gaps(
    values: np.ndarray, valid: np.ndarray, fps: float, max_gap_s: float = MAX_GAP_S, segment: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The values with short gaps joined by straight lines, and which entries were filled.

    values   float [T, ..., D]   NaN where not measured
    valid    bool  [T, ...]      an entry counts as measured when it is valid and finite
    segment  int   [T] | None    gaps are never filled between two different numbers; None = one segment
    returns  values like `values` with gaps of at most max_gap_s replaced, filled bool [T, ...]
    Gaps at the start or the end, longer gaps and measured entries are left as they are. Source: our choice.
    """
    frames, tail, dims = len(values), values.shape[1:-1], values.shape[-1]
    if not values.size:
        return values.copy(), np.zeros(values.shape[:-1], bool)
    flat = values.reshape(frames, -1, dims)
    measured = (valid & np.isfinite(values).all(-1)).reshape(frames, -1)
    before, after = _nearest_measured(measured)
    inside = ~measured & (before >= 0) & (after < frames)
    first, last = np.clip(before, 0, frames - 1), np.clip(after, 0, frames - 1)
    inside &= (after - before - 1) <= max_gap_s * fps + 1e-9
    if segment is not None:
        inside &= segment[first] == segment[last]
    share = (np.arange(frames)[:, None] - before) / np.maximum(after - before, 1)
    start = np.take_along_axis(flat, first[..., None], 0)
    line = start + share[..., None] * (np.take_along_axis(flat, last[..., None], 0) - start)
    out = np.where(inside[..., None], line, flat).astype(values.dtype)
    return out.reshape(values.shape), inside.reshape(frames, *tail)


def smooth(
    values: np.ndarray,
    fps: float,
    params: OneEuro,
    *,
    unit_per_m: np.ndarray | float = 1.0,
    weight: np.ndarray | None = None,
    segment: np.ndarray | None = None,
) -> np.ndarray:
    """Values smoothed along time without delay; NaN stays where it was and never spreads.

    values      float [T, ..., D]  NaN = not measured: the filter starts anew behind it
    unit_per_m  float [T] or one   how many units of `values` are a metre at the person (px per metre; 1 for metres)
    weight      float [T, ...]     0..1, trust in each entry (its score); None = 1
    segment     int   [T] | None   the filter starts anew where the number changes
    returns     like `values`
    source: One-Euro filter (Casiez et al. 2012). Our choice: the speed is the norm over the axes; the low-pass runs
    forward and backward in both orders and the two are averaged, so that time reversed in gives time reversed out and
    the mean delay is zero; a run starts on the line of its own speed, so that steady movement comes out unchanged.
    """
    frames, dims = len(values), values.shape[-1]
    if not values.size:
        return values.copy()
    flat = np.asarray(values, np.float64).reshape(frames, -1, dims)
    known = np.isfinite(flat).all(-1)
    linked = known[1:] & known[:-1]
    if segment is not None:
        linked &= (segment[1:] == segment[:-1])[:, None]
    clean = np.where(known[..., None], flat, 0.0)
    trust = np.ones(known.shape) if weight is None else np.asarray(weight, np.float64).reshape(known.shape)
    trust = np.clip(np.nan_to_num(trust), _LEAST_WEIGHT, 1.0)

    velocity = _velocity(clean, linked, fps)
    keep = 1.0 - float(_gain(params.d_cutoff_hz, fps))
    velocity = _local_mean(velocity, linked, keep)
    # the root mean square around the frame, not the speed of the frame: a hand that turns round stands still for a
    # moment, and a cutoff that falls there cut 2 Hz gestures of 10 cm to 0.67 of their size
    power = _local_mean(np.sum(velocity**2, axis=-1, keepdims=True), linked, keep)[..., 0]
    scale = np.broadcast_to(np.asarray(unit_per_m, np.float64).reshape(-1, 1), (frames, 1))
    speed = np.sqrt(power) / np.where(np.isfinite(scale) & (scale > 0), scale, np.inf)
    gain = _gain(params.min_cutoff_hz + params.beta * speed, fps)
    gain = gain * trust / (gain * trust + 1.0 - gain)
    out = _both_ways(clean, velocity, gain, linked, fps)
    return np.where(known[..., None], out, np.nan).reshape(values.shape).astype(values.dtype)


def jitter(values: np.ndarray) -> float:
    """Root mean square of the second difference along time, in the unit of `values` [T, ..., D]; NaN is left out."""
    second = np.diff(np.asarray(values, np.float64), n=2, axis=0)
    return float(np.sqrt(np.nanmean(np.sum(second**2, axis=-1))))


def _gain(cutoff_hz, fps: float):
    """Share of the new value in a one-pole low-pass."""
    return 1.0 / (1.0 + fps / (2.0 * np.pi * np.asarray(cutoff_hz, np.float64)))


def _nearest_measured(measured: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of the last measured frame at or before (-1: none) and of the first at or behind (T: none). [T, N]"""
    frames = len(measured)
    index = np.arange(frames)[:, None]
    before = np.maximum.accumulate(np.where(measured, index, -1), axis=0)
    after = np.minimum.accumulate(np.where(measured, index, frames)[::-1], axis=0)[::-1]
    return before, after


def _velocity(values: np.ndarray, linked: np.ndarray, fps: float) -> np.ndarray:
    """Central differences a second inside runs, one-sided at their ends, 0 for a lone frame. [T, N, D]"""
    step = np.where(linked[..., None], np.diff(values, axis=0), 0.0) * fps
    total, count = np.zeros_like(values), np.zeros(values.shape[:2])
    total[1:] += step
    total[:-1] += step
    count[1:] += linked
    count[:-1] += linked
    return total / np.maximum(count, 1)[..., None]


def _local_mean(values: np.ndarray, linked: np.ndarray, keep: float) -> np.ndarray:
    """Mean inside the run under weights keep^|distance| in frames; at the ends of a run over the side that exists."""
    both = np.concatenate([values, np.ones((*values.shape[:2], 1))], axis=-1)
    total = -both
    for view, links, out in ((both, linked, total), (both[::-1], linked[::-1], total[::-1])):
        state = np.zeros_like(both[0])
        for t in range(len(view)):
            if t:
                state = state * (keep * links[t - 1][:, None])
            state = state + view[t]
            out[t] += state
    return total[..., :-1] / total[..., -1:]


def _both_ways(values, velocity, gain, linked, fps: float) -> np.ndarray:
    """Mean of forward-then-backward and backward-then-forward low-pass."""
    back = (slice(None, None, -1),)

    def forward(x):
        return _one_pole(x, velocity, gain, linked, fps)

    def backward(x):
        return _one_pole(x[back], -velocity[back], gain[back], linked[back], fps)[back]

    return 0.5 * (backward(forward(values)) + forward(backward(values)))


def _one_pole(values, velocity, gain, linked, fps: float) -> np.ndarray:
    """Causal low-pass; a run starts where the filter would be had the run always moved at its first velocity."""
    out = np.empty_like(values)
    lag_s = np.minimum((1.0 - gain) / gain / fps, _LONGEST_LAG_S)
    start = values - velocity * lag_s[..., None]
    for t in range(len(values)):
        if t == 0:
            out[t] = start[t]
            continue
        follow = out[t - 1] + gain[t][:, None] * (values[t] - out[t - 1])
        out[t] = np.where(linked[t - 1][:, None], follow, start[t])
    return out
