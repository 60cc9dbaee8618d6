"""The kernel distance: a sum written out, unbiasedness, pairs of one clip, what must not matter."""

from __future__ import annotations

import numpy as np
import pytest

from stages.core.errors import UsageError
from stages.metrics.interface import ClipArrays
from stages.metrics.kernel_distance import Options, halves_of_real, kernel_distance, summarise


def _kernel(x, y):
    return (float(np.dot(x, y)) / len(x) + 1.0) ** 3


def _by_loops(a, b):
    """The unbiased estimator, pair by pair."""
    aa = [_kernel(a[i], a[j]) for i in range(len(a)) for j in range(len(a)) if i != j]
    bb = [_kernel(b[i], b[j]) for i in range(len(b)) for j in range(len(b)) if i != j]
    ab = [_kernel(x, y) for x in a for y in b]
    return np.mean(aa) + np.mean(bb) - 2 * np.mean(ab)


def _clips(generator, count, rows, width=6, shift=0.0, clip_sd=0.0):
    clips = []
    for index in range(count):
        common = clip_sd * generator.standard_normal(width)
        sides = {
            "generated": generator.standard_normal((rows, width)) + shift + common,
            "real": generator.standard_normal((rows, width)) + common,
        }
        clips.append(ClipArrays(f"clip{index:03d}", -1, {n: a.astype(np.float32) for n, a in sides.items()}))
    return clips


def test_equals_the_sum_over_pairs():
    generator = np.random.default_rng(0)
    a, b = generator.standard_normal((7, 5)), generator.standard_normal((9, 5)) + 0.5
    assert kernel_distance(a, b) == pytest.approx(_by_loops(a, b), rel=1e-11)


def test_whole_set_equals_the_sum_over_pairs_and_across_clips_leaves_out_same_clips():
    clips = _clips(np.random.default_rng(1), 5, 3, shift=0.4)
    a, b = (np.concatenate([c.arrays[s].astype(float) for c in clips]) for s in ("generated", "real"))
    assert summarise(Options(scale=1000.0), clips).value == pytest.approx(1000 * _by_loops(a, b), rel=1e-10)
    of = np.repeat(np.arange(5), 3)
    means = [
        np.mean([_kernel(x[i], y[j]) for i in range(15) for j in range(15) if of[i] != of[j]])
        for x, y in ((a, a), (b, b), (a, b))
    ]
    across = summarise(Options(pairs="across-clips"), clips).value
    assert across == pytest.approx(means[0] + means[1] - 2 * means[2], rel=1e-10)


def test_unbiased_where_the_biased_estimator_is_not():
    """Both sides from one distribution, N = 10: mean over draws within 3 se of 0; with the diagonal far from it."""
    generator, found, biased = np.random.default_rng(2), [], []
    for _ in range(300):
        a, b = generator.standard_normal((10, 40)), generator.standard_normal((10, 40))
        found.append(kernel_distance(a, b))
        sums = [np.mean((x @ y.T / 40 + 1) ** 3) for x, y in ((a, a), (b, b), (a, b))]
        biased.append(sums[0] + sums[1] - 2 * sums[2])
    se = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found)) < 3 * se
    assert np.mean(biased) > 100 * se


def test_across_clips_is_unbiased_for_correlated_samples():
    """Samples of a clip share an offset, so do its real ones: all pairs are then biased, pairs across clips are not."""
    values = {pairs: [] for pairs in ("all", "across-clips")}
    for seed in range(200):
        generator = np.random.default_rng(seed)
        clips = _clips(generator, 6, 4, clip_sd=1.0)
        alone = _clips(generator, 6, 4, clip_sd=1.0)  # generated and real of other clips: same distribution
        mixed = [
            ClipArrays(c.name, -1, {"generated": c.arrays["generated"], "real": o.arrays["real"]})
            for c, o in zip(clips, alone, strict=True)
        ]
        for pairs, found in values.items():
            found.append(summarise(Options(pairs=pairs, jackknife=0), mixed).value)
    se = {pairs: np.std(found) / np.sqrt(len(found)) for pairs, found in values.items()}
    assert abs(np.mean(values["across-clips"])) < 3 * se["across-clips"]
    assert np.mean(values["all"]) > 5 * se["all"]


def test_error_of_the_jackknife_is_the_spread_over_new_samples():
    summaries = [summarise(Options(), _clips(np.random.default_rng(seed), 20, 3, shift=0.6)) for seed in range(40)]
    spread = np.std([summary.value for summary in summaries], ddof=1)
    assert np.mean([summary.extra["jackknife_se"] for summary in summaries]) == pytest.approx(spread, rel=0.3)


def test_left_out_groups_equal_new_runs_without_them():
    clips = _clips(np.random.default_rng(3), 6, 3, shift=0.3)
    extra = summarise(Options(jackknife=3), clips).extra
    rest = [clip for index, clip in enumerate(clips) if index % 3 != 1]
    assert extra["leave_out_01"] == pytest.approx(summarise(Options(), rest).value, rel=1e-11)


def test_order_of_clips_and_threads_change_no_bit():
    import torch

    clips = _clips(np.random.default_rng(4), 9, 4, shift=0.2)
    for options in (Options(), Options(subsets=10, subset_size=20)):
        whole = summarise(options, clips)
        assert summarise(options, clips[4:] + clips[:4][::-1]) == whole
        threads = torch.get_num_threads()
        torch.set_num_threads(2)
        try:
            assert summarise(options, clips) == whole
        finally:
            torch.set_num_threads(threads)


def test_subsets_average_to_the_whole():
    clips = _clips(np.random.default_rng(5), 10, 10, shift=0.5)
    whole = summarise(Options(), clips).value
    drawn = summarise(Options(subsets=200, subset_size=50), clips)
    assert drawn.value == pytest.approx(whole, abs=4 * drawn.extra["subsets_sd"] / np.sqrt(200))
    every = summarise(Options(subsets=2, subset_size=100), clips)  # a subset of all samples is the whole
    assert every.value == pytest.approx(whole, rel=1e-11) and every.extra["subsets_sd"] < 1e-12
    few = summarise(Options(subsets=5, subset_size=101), clips)
    assert np.isnan(few.value) and few.method == "needs 101 samples on each side, found 100 and 100"


def test_few_samples_say_so():
    one = summarise(Options(), _clips(np.random.default_rng(6), 1, 1))
    assert np.isnan(one.value) and "found 1 and 1" in one.method
    single = summarise(Options(), _clips(np.random.default_rng(6), 1, 5))
    assert np.isfinite(single.value) and single.interval is None
    assert np.isnan(summarise(Options(pairs="across-clips"), _clips(np.random.default_rng(6), 1, 5)).value)
    assert np.isnan(summarise(Options(), []).value)
    with pytest.raises(UsageError, match="pairs is 'some'"):
        Options(pairs="some")
    with pytest.raises(UsageError, match="subset_size"):
        Options(subsets=3, subset_size=1)


def test_halves_of_the_real_clips_lie_around_zero():
    floors = [halves_of_real(Options(), _clips(np.random.default_rng(s), 10, 4, shift=9.0)).value for s in range(30)]
    assert abs(np.mean(floors)) < 3 * np.std(floors) / np.sqrt(len(floors))
