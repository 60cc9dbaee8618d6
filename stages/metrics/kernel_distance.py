"""Kernel distance of two sets of features (KID, KVD): unbiased squared MMD with the polynomial (x'y/D + 1)^3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.core.device import one_thread
from stages.core.errors import UsageError
from stages.metrics import statistics
from stages.metrics.feature_sets import FeatureSets, gather, halves
from stages.metrics.interface import ClipArrays, Summary

PAIRS = ("all", "across-clips")
_ROWS = 256  # rows of the kernel matrix that one core holds at a time


@dataclass(frozen=True)
class Options:
    """Settings.

    generated, real    names of the arrays of features [N, D]
    exclude_reference  leave out the reference frame's row (only for features of frames)
    pairs              "all" pairs of samples, or only pairs "across-clips" (samples of one clip are not independent,
                       nor are a clip and its real counterpart)
    subsets            0 = the estimator over all samples; else the mean over so many random subsets of `subset_size`
                       samples (not clips), as torchmetrics and torch-fidelity do
    subset_size        samples of each side in a subset
    seed               of the subsets, and of the random splits in halves
    scale              factor on the number, for example 1000
    jackknife          most groups of clips left out in turn for the standard error; 0 = none
    """

    generated: str = "generated"
    real: str = "real"
    exclude_reference: bool = False
    pairs: str = "all"
    subsets: int = 0
    subset_size: int = 50
    seed: int = 0
    scale: float = 1.0
    jackknife: int = 20

    def __post_init__(self) -> None:
        if self.pairs not in PAIRS:
            raise UsageError(f"kid: pairs is {self.pairs!r}, expected one of {', '.join(PAIRS)}")
        if self.subsets < 0 or self.subset_size < 2:
            raise UsageError("kid: expected subsets 0 or more of subset_size 2 or more")
        if self.subsets and self.pairs != "all":
            raise UsageError('kid: subsets of samples know no clips; expected pairs "all" or subsets 0')


def signature(options: Options) -> str:
    """Every choice that decides the number."""
    excluded = "without-reference" if options.exclude_reference else "all"
    taken = f"subsets:{options.subsets}x{options.subset_size},seed:{options.seed}" if options.subsets else options.pairs
    kernel = f"poly3,unbiased,{taken},x{options.scale:g}"
    return f"{options.generated}/{options.real},{excluded},{kernel},float64,v1"


def kernel_sums(parts_a: Sequence[np.ndarray], parts_b: Sequence[np.ndarray]) -> np.ndarray:
    """float64 [K, L], sums of the kernel over all pairs of part k of a and part l of b (each float [n, D]).

    source: Binkowski et al., ICLR 2018 (arXiv:1801.01401), section 3
    """
    import torch

    from stages.metrics.nets.threads import each

    if not any(map(len, parts_a)) or not any(map(len, parts_b)):
        return np.zeros((len(parts_a), len(parts_b)))
    b = torch.from_numpy(np.concatenate(parts_b).astype(np.float64)).clone()
    of_row = torch.from_numpy(np.repeat(np.arange(len(parts_b)), [len(part) for part in parts_b]))

    def sums(part: np.ndarray) -> np.ndarray:
        total = torch.zeros(len(parts_b), dtype=torch.float64)
        with one_thread():
            for first in range(0, len(part), _ROWS):
                rows = torch.from_numpy(part[first : first + _ROWS].astype(np.float64)).clone()
                columns = (rows @ b.T).div_(b.shape[1]).add_(1.0).pow_(3).sum(dim=0)
                total.index_add_(0, of_row, columns)
        return total.numpy()

    return np.stack(each(sums, parts_a))


def kernel_distance(a: np.ndarray, b: np.ndarray) -> float:
    """The unbiased squared MMD of two sets float [n, D], [m, D] of independent samples; NaN below two samples."""
    return _Sums([a], [b]).distance("all", np.ones(1, bool))


class _Sums:
    """Sums of the kernel between clips, from which every subset of clips has its distance at once."""

    def __init__(self, a: Sequence[np.ndarray], b: Sequence[np.ndarray]) -> None:
        self._n, self._m = (np.asarray([len(part) for part in parts], np.float64) for parts in (a, b))
        self._aa, self._bb, self._ab = kernel_sums(a, a), kernel_sums(b, b), kernel_sums(a, b)
        # A sample with itself: k(x, x), summed over the samples of each clip.
        self._a_self, self._b_self = (np.asarray([_self_sum(part) for part in parts]) for parts in (a, b))

    def distance(self, pairs: str, keep: np.ndarray) -> float:
        """The unbiased squared MMD over the clips where `keep`; NaN where there are no pairs."""
        n, m = self._n[keep], self._m[keep]
        aa, bb, ab = (sums[np.ix_(keep, keep)] for sums in (self._aa, self._bb, self._ab))
        if pairs == "across-clips":
            within = (np.trace(aa), np.trace(bb), np.trace(ab))
            out = (np.sum(n**2), np.sum(m**2), np.sum(n * m))
        else:
            within = (self._a_self[keep].sum(), self._b_self[keep].sum(), 0.0)
            out = (n.sum(), m.sum(), 0.0)
        counts = (n.sum() ** 2 - out[0], m.sum() ** 2 - out[1], n.sum() * m.sum() - out[2])
        if min(counts) <= 0:
            return float("nan")
        means = [(s.sum() - w) / c for s, w, c in zip((aa, bb, ab), within, counts, strict=True)]
        return float(means[0] + means[1] - 2.0 * means[2])


def _self_sum(part: np.ndarray) -> float:
    x = np.asarray(part, np.float64)
    return float((((x * x).sum(axis=1) / max(1, x.shape[1]) + 1.0) ** 3).sum())


def summarise(options: Options, clips: Sequence[ClipArrays]) -> Summary:
    """The Summary over all clips; the interval is value +- t jackknife standard errors over clips."""
    sets = gather(clips, options.generated, options.real, options.exclude_reference)
    n, m = sets.sizes()
    if options.subsets:
        value, extra, interval, method = _subsets(options, sets)
    else:
        value, extra, interval, method = _whole(options, sets)
    return Summary(
        value=value,
        per_clip=None,
        n_clips=len(sets.names),
        n_samples=n,
        interval=interval,
        method=method,
        extra={"real_samples": float(m), **extra},
    )


def _whole(options: Options, sets: FeatureSets):
    sums, count = _Sums(sets.generated, sets.real), len(sets.names)
    value = options.scale * sums.distance(options.pairs, np.ones(count, bool))
    n, m = sets.sizes()
    if np.isnan(value):
        return value, {}, None, f"needs 2 samples (or clips) on each side, found {n} and {m} of {count} clips"
    if options.jackknife < 2 or count < 2:
        return value, {}, None, "no interval: needs 2 clips" if count < 2 else "no interval"
    group = statistics.groups(count, options.jackknife)
    left_out = [options.scale * sums.distance(options.pairs, group != left) for left in range(group.max() + 1)]
    interval = statistics.t_interval(value, left_out)
    if interval is None:
        return value, {}, None, "no interval: too few clips"
    factor = statistics.t_factor(len(left_out))
    method = f"jackknife over {count} clips in {len(left_out)} groups, value +- {factor:.2f} se"
    return (
        value,
        {"jackknife_se": statistics.jackknife_se(left_out), **statistics.leave_out_extra(left_out)},
        interval,
        method,
    )


def _subsets(options: Options, sets: FeatureSets):
    a, b = sets.stacked()
    if min(len(a), len(b)) < options.subset_size:
        return float("nan"), {}, None, f"needs {options.subset_size} samples on each side, found {len(a)} and {len(b)}"
    generator, found = np.random.default_rng(options.seed), []
    for _ in range(options.subsets):
        chosen = [np.sort(generator.permutation(len(side))[: options.subset_size]) for side in (a, b)]
        found.append(options.scale * kernel_distance(a[chosen[0]], b[chosen[1]]))
    method = f"mean over {options.subsets} subsets of {options.subset_size} samples, seed {options.seed}"
    return float(np.mean(found)), {"subsets_sd": float(np.std(found))}, None, method


def halves_of_real(options: Options, clips: Sequence[ClipArrays], splits: int = 8) -> Summary:
    """The floor of the distance: one half of the real clips against the other, mean over several splits."""
    sets = gather(clips, options.real, options.real, options.exclude_reference)
    pairs = list(halves(sets.real, splits if len(clips) > 2 else 1, options.seed)) if len(clips) > 1 else []
    found = options.scale * np.asarray([kernel_distance(a, b) for a, b in pairs], np.float64)
    return Summary(
        value=float(found.mean()) if found.size else float("nan"),
        per_clip=None,
        n_clips=len(clips),
        n_samples=len(pairs[0][0]) if pairs else 0,
        method=f"mean over {len(found)} splits of the real clips in halves, seed {options.seed}",
        extra={"splits_sd": float(found.std(ddof=1))} if found.size > 1 else {},
    )
