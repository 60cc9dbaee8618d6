"""A driver's signals at another clip's moments."""

import numpy as np
import pytest

from stages.core.geometry import euler_yaw_pitch_roll_rad, yaw_pitch_roll_to_matrix
from stages.mixing.retime import Clock, blend, blend_turns, nearest


def test_the_same_clock_copies_every_frame_exactly():
    places = Clock().places(7, 30000 / 1001, 7, 30000 / 1001)
    values = np.random.default_rng(0).random((7, 2), np.float32)
    assert np.array_equal(places, np.arange(7)) and np.array_equal(blend(values, places), values)


def test_another_rate_an_offset_and_a_speed():
    assert np.allclose(Clock().places(5, 25, 100, 50), [0, 2, 4, 6, 8])
    assert np.allclose(Clock(offset_s=0.5, speed=2).places(3, 25, 100, 25), [12.5, 14.5, 16.5])


@pytest.mark.parametrize(
    ("beyond", "expected"),
    [("hold", [0, 0, 1, 2, 2, 2]), ("loop", [2, 0, 1, 2, 0, 1]), ("cut", [np.nan, 0, 1, 2, np.nan, np.nan])],
)
def test_before_the_beginning_and_behind_the_end(beyond, expected):
    places = Clock(offset_s=-0.1, beyond=beyond).places(6, 10, 3, 10)
    np.testing.assert_array_equal(places, expected)


def test_values_between_frames_are_linear_and_unknown_ones_stay_unknown():
    values = np.array([[0.0], [1.0], [np.nan], [3.0]])
    made = blend(values, np.array([0.25, 1.0, 1.5, 3.0, np.nan]))
    np.testing.assert_allclose(made[:, 0], [0.25, 1.0, np.nan, 3.0, np.nan])


def test_turns_between_frames_take_the_shortest_way_and_gaps_are_bridged():
    R = yaw_pitch_roll_to_matrix(np.array([[0.0, 0, 0], [0.2, 0, 0], [np.nan, 0, 0], [0.6, 0, 0]]))
    made = blend_turns(R, np.array([0.5, 1.0, 2.0, 3.0, np.nan]))
    assert np.allclose(euler_yaw_pitch_roll_rad(made[:4])[:, 0], [0.1, 0.2, 0.4, 0.6], atol=1e-6)
    assert np.isnan(made[4]).all()


def test_the_nearest_frame():
    assert nearest(np.array([5, 6, 7]), np.array([0.4, 1.6, np.nan])).tolist() == [5, 7, 5]
