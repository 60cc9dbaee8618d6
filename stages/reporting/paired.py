"""Paired comparison of two methods over clips (stand-in until stages.metrics.statistics has it)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Paired:
    mean: float
    low: float
    high: float
    p: float
    wins: int
    n: int


def paired(a: Mapping[str, float], b: Mapping[str, float]) -> Paired:
    names = sorted(set(a) & set(b))
    d = np.asarray([a[name] - b[name] for name in names])
    if len(d) == 0:
        nan = float("nan")
        return Paired(nan, nan, nan, nan, 0, 0)
    rng = np.random.default_rng(0)
    draws = d[rng.integers(0, len(d), (2000, len(d)))].mean(axis=1)
    flips = (rng.choice([-1.0, 1.0], (9999, len(d))) * d).mean(axis=1)
    p = (1 + int(np.sum(np.abs(flips) >= abs(d.mean()) - 1e-15))) / 10000
    low, high = np.percentile(draws, [2.5, 97.5])
    return Paired(float(d.mean()), float(low), float(high), p, int(np.sum(d > 0)), len(d))
