"""Statistics over clips: intervals, paired differences, jackknife, seeds, what is missing. A clip is one sample."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stages.core.errors import InputError, UsageError

KINDS = ("expanded", "percentile", "bca", "none")
LEVEL = 0.95
LEAVE_OUT = "leave_out_"  # entries of Summary.extra: the value without one group of clips
_LEAST = 5  # clips of a bootstrap: 4 normal ones would be covered by 86% at best, 2 by 48%
_EXACT_SIGNS = 14  # 2^14 sign patterns are counted, more clips are drawn
_BLOCK = 1 << 22  # values of one block of bootstrap draws, 32 MB


@dataclass(frozen=True)
class Paired:
    """A difference a - b over the same clips.

    mean         float, mean over clips of a - b; NaN without a common measured clip
    interval     (low, high) of 95%; None below two clips
    p            two-sided p of the mean under random signs, 0..1; NaN without clips
    win_rate     share 0..1 of clips on which a is the better one, ties count half; NaN without a direction
    n_clips      int, clips measured on both sides; missing: clips measured on one side or none
    differences  clip -> a - b, sorted by name
    method       str, how the interval was made
    """

    mean: float
    interval: tuple[float, float] | None
    p: float
    win_rate: float
    n_clips: int
    missing: int
    differences: Mapping[str, float]
    method: str

    @property
    def differs(self) -> bool:
        """True when the interval excludes zero: the only ground for calling one side better."""
        return self.interval is not None and not self.interval[0] <= 0.0 <= self.interval[1]


def check_kind(kind: str, where: str) -> None:
    """Refuse an unknown kind of interval with a UsageError."""
    if kind not in KINDS:
        raise UsageError(f"{where}: interval is {kind!r}, expected one of {', '.join(KINDS)}")


def weighted_mean(values: np.ndarray, weights: np.ndarray | None = None) -> float:
    """sum(w x) / sum(w) in float64; NaN for no values or no weight."""
    values = np.asarray(values, np.float64)
    weights = np.ones(values.shape) if weights is None else np.asarray(weights, np.float64)
    total = weights.sum()
    return float((values * weights).sum() / total) if total > 0 else float("nan")


def bootstrap_interval(
    values: Sequence[float],
    weights: Sequence[float] | None = None,
    kind: str = "expanded",
    draws: int = 2000,
    seed: int = 0,
) -> tuple[tuple[float, float] | None, str]:
    """The 95% interval of the mean over clips, and one phrase that says how it was made.

    values   float [n], one per clip, no NaN; resampled with replacement, n at a time
    weights  float [n], for pooled frames: the number of frames of each clip, drawn along with it (cluster bootstrap
             of a ratio); None = every clip counts once
    kind     "percentile"; "bca" (bias corrected and accelerated); "expanded" (percentile at the levels
             Phi(-+ t sqrt(n/(n-1))), t of n-1 degrees); "none". Below 5 clips Student's t instead. Measured coverage of
             normal clips (n = 5, 10, 20): percentile .84 .90 .94, bca .83 .90 .93, expanded .91 .95 .96; of log-normal
             ones (n = 10, 20): .84 .88, .86 .89, .89 .91
    returns  (low, high) or None where none can be given, method
    errors   UsageError: unknown kind
    source: Efron & Tibshirani 1993, ch. 13 and 14; Hesterberg, The American Statistician 69(4), 2015, section 5.2
    """
    check_kind(kind, "bootstrap")
    values = np.asarray(values, np.float64)
    n = values.size
    if kind == "none":
        return None, ""
    if n < 2:
        return None, f"{n} clip{'s' * (n != 1)}: no interval"
    weights = np.ones(n) if weights is None else np.asarray(weights, np.float64)
    if n < _LEAST:
        left_out = [weighted_mean(np.delete(values, i), np.delete(weights, i)) for i in range(n)]
        return t_interval(weighted_mean(values, weights), left_out), f"Student t over {n} clips"
    method = f"bootstrap over {n} clips, {draws} draws, seed {seed}, {kind}{' percentile' * (kind == 'expanded')}"
    if np.ptp(values) == 0:
        return (float(values[0]), float(values[0])), method
    means = _bootstrap_means(values, weights, draws, seed)
    low, high = _levels(kind, values, weights, means)
    return (float(np.quantile(means, low)), float(np.quantile(means, high))), method


def _bootstrap_means(values: np.ndarray, weights: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """float64 [draws], weighted means of clips drawn with replacement."""
    generator = np.random.default_rng(seed)
    n, products, means = values.size, values * weights, []
    rows = max(1, _BLOCK // n)
    for first in range(0, draws, rows):
        chosen = generator.integers(0, n, (min(rows, draws - first), n))
        total = weights[chosen].sum(axis=1)
        means.append(products[chosen].sum(axis=1) / np.where(total > 0, total, np.nan))
    means = np.concatenate(means)
    return means[~np.isnan(means)]


def _levels(kind: str, values: np.ndarray, weights: np.ndarray, means: np.ndarray) -> tuple[float, float]:
    """The quantiles of the bootstrap means that make the interval."""
    from scipy.stats import norm, t

    tail, n = (1.0 - LEVEL) / 2.0, values.size
    if kind == "percentile":
        return tail, 1.0 - tail
    if kind == "expanded":
        tail = float(norm.cdf(-math.sqrt(n / (n - 1)) * t.ppf(1.0 - tail, n - 1)))
        return tail, 1.0 - tail
    centre = weighted_mean(values, weights)
    below = np.mean(means < centre) + 0.5 * np.mean(means == centre)
    bias = norm.ppf(np.clip(below, 1.0 / (2 * means.size), 1.0 - 1.0 / (2 * means.size)))
    # Every clip left out once: the skewness of the influence gives the acceleration.
    total, mass = float((values * weights).sum()), float(weights.sum())
    rest = mass - weights
    left_out = (total - values * weights) / np.where(rest > 0, rest, np.nan)
    deviation = np.nanmean(left_out) - left_out
    spread = np.nansum(deviation**2)
    acceleration = np.nansum(deviation**3) / (6.0 * spread**1.5) if spread > 0 else 0.0
    z = bias + norm.ppf([tail, 1.0 - tail])
    low, high = norm.cdf(bias + z / (1.0 - acceleration * z))
    return float(low), float(high)


def paired(
    a: Mapping[str, float | None],
    b: Mapping[str, float | None],
    direction: str = "none",
    kind: str = "expanded",
    draws: int = 2000,
    seed: int = 0,
) -> Paired:
    """The difference a - b over the same clips.

    a, b       clip name -> value; None or NaN = not measured: the clip is left out and counted in `missing`
    direction  "higher" or "lower" is better (for the win rate), "none"
    kind, draws, seed   as in bootstrap_interval
    errors     InputError: the two do not have the same clips. UsageError: unknown direction or kind
    source: sign-flip (one-sample permutation) test, exact up to 14 clips; above it random signs, (hits + 1)/(draws + 1)
    """
    if direction not in ("higher", "lower", "none"):
        raise UsageError(f"paired: direction is {direction!r}, expected higher, lower or none")
    if set(a) != set(b):
        only = sorted(set(a) ^ set(b))
        raise InputError(
            f"paired comparison: found {len(only)} clips on one side only, for example {only[0]!r}; "
            "expected the same clips on both. Score both on one list of clips"
        )
    values = {name: _number(a[name]) - _number(b[name]) for name in sorted(a)}
    differences = {name: value for name, value in values.items() if not math.isnan(value)}
    found = np.asarray(list(differences.values()), np.float64)
    interval, method = bootstrap_interval(found, None, kind, draws, seed)
    better = {"higher": found > 0, "lower": found < 0}.get(direction)
    wins = float("nan") if better is None or not found.size else float(np.mean(better + 0.5 * (found == 0)))
    return Paired(
        mean=weighted_mean(found),
        interval=interval,
        p=sign_flip_p(found, draws, seed),
        win_rate=wins,
        n_clips=len(differences),
        missing=len(values) - len(differences),
        differences=differences,
        method=method,
    )


def sign_flip_p(differences: Sequence[float], draws: int = 2000, seed: int = 0) -> float:
    """Two-sided p of the mean under random signs; exact up to 14 values, NaN for none."""
    x = np.abs(np.asarray(differences, np.float64))
    n = x.size
    if n == 0:
        return float("nan")
    seen = abs(float(np.sum(differences))) - 1e-12 * float(x.sum())  # equal sums differ in their last bits
    if n <= _EXACT_SIGNS:
        signs = 1.0 - 2.0 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)
        return float(np.mean(np.abs((signs * x).sum(axis=1)) >= seen))
    generator, hits = np.random.default_rng(seed), 0
    rows = max(1, _BLOCK // n)
    for first in range(0, draws, rows):
        signs = generator.integers(0, 2, (min(rows, draws - first), n)) * 2.0 - 1.0
        hits += int(np.sum(np.abs((signs * x).sum(axis=1)) >= seen))
    return (hits + 1) / (draws + 1)


def groups(clips: int, most: int) -> np.ndarray:
    """int [clips], the jackknife group of each clip in sorted order: clip i is in group i mod `most`."""
    return np.arange(clips) % max(1, min(clips, most))


def jackknife_se(left_out: Sequence[float]) -> float:
    """Standard error from the values with one group of clips left out each; NaN below two groups.

    source: delete-a-group jackknife, sqrt((G-1)/G sum (value_g - mean)^2); one clip per group is the plain jackknife
    """
    x = np.asarray(left_out, np.float64)
    return float(np.sqrt((x.size - 1) / x.size * np.sum((x - x.mean()) ** 2))) if x.size > 1 else float("nan")


def t_factor(groups: int) -> float:
    """Half the width of a 95% interval in standard errors that were found from so many groups."""
    from scipy.stats import t

    return float(t.ppf(0.5 + LEVEL / 2.0, groups - 1))


def t_interval(value: float, left_out: Sequence[float]) -> tuple[float, float] | None:
    """value -+ t times the jackknife standard error, t of G-1 degrees; None without a standard error."""
    se = jackknife_se(left_out)
    if not (math.isfinite(value) and math.isfinite(se)):
        return None
    half = t_factor(len(left_out)) * se
    return value - half, value + half


def leave_out_extra(left_out: Sequence[float]) -> dict[str, float]:
    """The left-out values as entries of Summary.extra, so that two runs can be compared pair by pair."""
    return {f"{LEAVE_OUT}{index:02d}": float(value) for index, value in enumerate(left_out)}


def paired_jackknife(value_a: float, extra_a: Mapping, value_b: float, extra_b: Mapping) -> Paired:
    """The difference a - b of numbers of a whole set (FID, FVD, KID) measured on the same clips.

    value_a, value_b  the two numbers
    extra_a, extra_b  Summary.extra of each with the entries of leave_out_extra
    returns           mean is the difference, interval and p from Student's t with the jackknife se of the difference;
                      n_clips counts groups; win_rate NaN, differences empty
    errors            InputError: the two were not left out in the same groups
    """
    from scipy.stats import t

    keys = sorted(key for key in extra_a if key.startswith(LEAVE_OUT))
    if keys != sorted(key for key in extra_b if key.startswith(LEAVE_OUT)):
        raise InputError(
            "paired comparison of whole-set numbers: found different jackknife groups, expected the same clips and "
            "protocol on both sides. Score both on one list of clips"
        )
    difference = float(value_a) - float(value_b)
    left_out = [float(extra_a[key]) - float(extra_b[key]) for key in keys]
    se = jackknife_se(left_out)
    p = float(2.0 * t.sf(abs(difference) / se, len(keys) - 1)) if se > 0 else 1.0 if difference == 0 else float("nan")
    return Paired(
        mean=difference,
        interval=t_interval(difference, left_out),
        p=p,
        win_rate=float("nan"),
        n_clips=len(keys),
        missing=0,
        differences={},
        method=f"difference +- t jackknife se over {len(keys)} groups of clips",
    )


def seed_spread(values: Sequence[float | None]) -> float:
    """Standard deviation (n-1) over generation seeds of one method's values; NaN below two measured seeds."""
    found = np.asarray([_number(value) for value in values], np.float64)
    found = found[~np.isnan(found)]
    return float(found.std(ddof=1)) if found.size > 1 else float("nan")


def impute(values: np.ndarray, worst: float) -> np.ndarray:
    """The values with NaN replaced by the worst case, so that nothing is won by what could not be measured."""
    values = np.asarray(values, np.float64)
    return np.where(np.isnan(values), worst, values)


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
