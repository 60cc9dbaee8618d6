import numpy as np
import pytest

from stages.metrics.segments import segment_count, segment_of, slope_per_100


def test_segments_are_equal_and_the_rest_is_in_none():
    assert [segment_count(n, 16) for n in (0, 1, 16, 31, 32)] == [0, 1, 1, 1, 2]
    assert [segment_of(n, 33, 16) for n in (0, 15, 16, 31, 32)] == [0, 0, 1, 1, -1]
    assert [segment_of(n, 5, 16) for n in range(5)] == [0] * 5


def test_slope_of_a_line_and_around_a_gap():
    values = 3.0 + 0.25 * np.arange(6)
    assert slope_per_100(values, 10) == pytest.approx(2.5, rel=1e-12)
    values[2] = np.nan
    assert slope_per_100(values, 10) == pytest.approx(2.5, rel=1e-12)
    assert np.isnan(slope_per_100([1.0, np.nan], 10)) and np.isnan(slope_per_100([], 10))
