"""The mean over clips: which frames count, what is missing, its interval, and that order does not matter."""

from __future__ import annotations

import numpy as np
import pytest

from stages.core.errors import UsageError
from stages.metrics.interface import ClipArrays
from stages.metrics.mean import Options, signature, summarise

NAN = float("nan")


def _clips(*values, reference=-1):
    return [ClipArrays(f"c{index}", reference, {"value": np.array(v, float)}) for index, v in enumerate(values)]


def test_clips_count_once_or_by_frames():
    clips = _clips([1.0, 3.0], [10.0] * 6)
    assert summarise(Options(), clips).value == 6.0
    pooled = summarise(Options(pool="frames"), clips)
    assert (pooled.value, pooled.n_samples, pooled.n_clips) == (8.0, 8, 2)
    assert pooled.per_clip == (2.0, 10.0)


def test_reference_frame_is_left_out():
    clips = _clips([100.0, 1.0, 3.0], reference=0)
    assert summarise(Options(), clips).value == 2.0
    assert summarise(Options(exclude_reference=False), clips).value == pytest.approx(104 / 3)
    assert summarise(Options(), _clips([100.0], reference=0)).value == 100.0  # nothing else is there


def test_missing_is_said_and_imputed():
    clips = _clips([0.5, NAN], [NAN, NAN], [0.8, 0.6])
    summary = summarise(Options(worst=0.0), clips)
    assert summary.value == pytest.approx((0.5 + 0.7) / 2)
    assert summary.imputed == pytest.approx((0.25 + 0.0 + 0.7) / 3)
    assert (summary.coverage, summary.n_clips, summary.n_samples) == (0.5, 2, 3)
    assert np.isnan(summary.per_clip[1])
    assert summarise(Options(worst=0.0, pool="frames"), clips).imputed == pytest.approx(1.9 / 6)
    nothing = summarise(Options(worst=1.0), _clips([NAN], []))
    assert np.isnan(nothing.value) and nothing.imputed == 1.0 and nothing.coverage == 0.0
    assert summarise(Options(), []).coverage == 0.0


def test_the_median_of_a_clip_is_not_moved_by_one_wild_frame():
    clips = _clips([1.0, 2.0, 300.0], [4.0, NAN, 4.0])
    summary = summarise(Options(centre="median", worst=9.0), clips)
    assert summary.per_clip == (2.0, 4.0) and summary.value == 3.0
    assert summary.imputed == 3.0  # 4, 9, 4 still has 4 in its middle
    assert "median-of-clip" in signature(Options(centre="median")) and "clip," not in signature(Options())
    with pytest.raises(UsageError, match="centre is 'mode'"):
        Options(centre="mode")
    with pytest.raises(UsageError, match="pool = clips"):
        Options(centre="median", pool="frames")


def test_interval_over_clips_not_frames():
    """100 equal frames of each of 6 clips: as wide as one frame of each."""
    values = [1.0, 2.0, 4.0, 3.0, 7.0, 5.0]
    one = summarise(Options(), _clips(*([v] for v in values)))
    many = summarise(Options(), _clips(*([v] * 100 for v in values)))
    assert one.interval == many.interval and one.interval[0] < one.value < one.interval[1]
    assert one.method == "bootstrap over 6 clips, 2000 draws, seed 0, expanded percentile"
    assert summarise(Options(interval="none"), _clips(*([v] for v in values))).interval is None
    assert summarise(Options(), _clips([1.0, 2.0])).method == "1 clip: no interval"


def test_order_of_clips_changes_no_bit_but_that_of_per_clip():
    generator = np.random.default_rng(0)
    clips = _clips(*(generator.standard_normal(generator.integers(3, 40)) for _ in range(23)))
    shuffled = [clips[index] for index in generator.permutation(23)]
    for pool in ("clips", "frames"):
        a, b = summarise(Options(pool=pool), clips), summarise(Options(pool=pool), shuffled)
        assert (a.value, a.interval, a.n_samples) == (b.value, b.interval, b.n_samples)
        by_name = dict(zip([c.name for c in shuffled], b.per_clip, strict=True))
        assert a.per_clip == tuple(by_name[c.name] for c in clips)


def test_counts_frames_of_another_array():
    clips = [ClipArrays("a", 0, {"value": np.ones(4), "identical_frames": np.array([True, False, True, False])})]
    assert summarise(Options(count="identical_frames"), clips).extra == {"identical_frames": 1.0}


def test_options():
    assert signature(Options()) == "value,clips,without-reference,v1"
    for wrong in ({"pool": "videos"}, {"interval": "wald"}):
        with pytest.raises(UsageError):
            Options(**wrong)


def test_an_array_that_is_not_measured_is_a_wrong_option():
    for wrong in ({"array": "ssim"}, {"among": "ssim"}, {"count": "ssim"}):
        with pytest.raises(UsageError, match="mean: array is 'ssim', expected one that is measured: value"):
            summarise(Options(**wrong), _clips([1.0, 2.0]))
