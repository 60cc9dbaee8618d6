import numpy as np
import pytest

from stages.core.errors import InputError, UsageError
from stages.metrics import flicker
from tests.metrics.collecting import assert_blocks_change_nothing, assert_fits_specs, collect, context_of, panned


def uniform(values) -> np.ndarray:
    return np.broadcast_to(np.asarray(values, np.uint8)[:, None, None, None], (len(values), 8, 12, 3)).copy()


def test_grey_steps_give_their_heights():
    arrays = collect(flicker, flicker.Options(), uniform([0, 10, 255, 250]), uniform([0, 20, 20, 0]))
    assert arrays["generated"].tolist() == [10, 245, 5]
    assert arrays["real"].tolist() == [20, 0, 20]
    assert arrays["paired"].tolist() == [10**2, 245**2, 15**2]
    assert arrays["ratio"] == pytest.approx(260 / 40, rel=1e-15)
    assert arrays["vbench"] == pytest.approx(1 - 260 / 3 / 255, rel=1e-15)
    assert arrays["vbench_real"] == pytest.approx(1 - 40 / 3 / 255, rel=1e-15)
    rooted = collect(flicker, flicker.Options(root=True), uniform([0, 10, 255, 250]), uniform([0, 20, 20, 0]))
    assert rooted["paired"].tolist() == [10, 245, 15]


def test_opposite_swings_do_not_overflow():
    arrays = collect(flicker, flicker.Options(), uniform([0, 255]), uniform([255, 0]))
    assert arrays["paired"].tolist() == [510.0**2]


def test_frozen_video_is_best_unpaired_and_worse_paired():
    real = panned(6, 24, 32, 2)
    frozen = np.repeat(real[:1], 6, axis=0)
    still, itself = (collect(flicker, flicker.Options(), video, real) for video in (frozen, real))
    assert still["vbench"] > itself["vbench"]  # what the unpaired value prefers
    assert itself["paired"].max() == 0 and itself["departure"] == 0
    assert still["paired"].min() > 100 and still["departure"] == 1


def test_real_video_that_stands_still_has_no_ratio():
    arrays = collect(flicker, flicker.Options(), uniform([0, 9, 0]), uniform([7, 7, 7]))
    assert np.isnan(arrays["ratio"]) and np.isnan(arrays["departure"])


def test_one_frame_is_refused_in_one_line():
    with pytest.raises(InputError, match="clip: found 1 frame, flicker needs 2 or more"):
        flicker.check(flicker.Options(), context_of(panned(1, 16, 16, 1)))


def test_blocks_change_nothing_and_arrays_fit():
    generated, real = panned(9, 16, 20, 1, seed=1), panned(9, 24, 30, 1, seed=2)
    options = flicker.Options(root=True)
    assert_blocks_change_nothing(flicker, options, generated, real)
    assert_fits_specs(flicker, options, collect(flicker, options, generated, real))


def test_unknown_option_is_refused_in_one_line():
    with pytest.raises(UsageError, match="align is 'nearest', expected one of"):
        flicker.Options(align="nearest")
