"""The rule of picking, on numbers: extremes and middle, no duplicates, nothing blurred, an atlas that only grows."""

import numpy as np
import pytest

from stages.core.headpose import yaw_order
from stages.references.selection import COVERAGE, LEAST, MEDIAN, MOST, Candidate, pick


def candidate(yaw, *, pitch=0.0, radius=30.0, sharp=1.0, seed=None, posture=0.0):
    thumb = np.random.default_rng(seed if seed is not None else abs(int(1000 * yaw)) + 7).standard_normal(64)
    thumb = (thumb / np.linalg.norm(thumb)).astype(np.float32)
    return Candidate(np.array([yaw, pitch, 0.0]), radius, sharp, thumb, np.full((8, 2), posture))


def test_the_papers_rule():
    yaws = np.random.default_rng(0).permutation(np.linspace(-61, 74, 50))
    chosen = pick([candidate(yaw) for yaw in yaws], 3)
    assert [why for _, why in chosen] == [MEDIAN, MOST, LEAST]
    picked = [yaws[at] for at, _ in chosen]
    assert abs(picked[0] - np.median(yaws)) < 4 and abs(picked[1] - 74) < 1.6 and abs(picked[2] + 61) < 1.6


def test_a_blurred_extreme_gives_way_to_a_sharp_one_beside_it():
    sharp = [candidate(yaw, seed=at) for at, yaw in enumerate(np.linspace(-60, 60, 41))]
    blurred = candidate(61.0, sharp=0.2)
    chosen = pick([*sharp, blurred], 3)
    assert 41 not in [at for at, _ in chosen] and 40 in [at for at, _ in chosen]


def test_a_still_head_gives_one_picture_and_no_duplicates():
    assert len(pick([candidate(2.0 + 0.01 * n, seed=3) for n in range(30)], 5)) == 1


def test_further_picks_cover_pose_and_size():
    base = [candidate(yaw, seed=at) for at, yaw in enumerate(np.linspace(-40, 40, 17))]
    lifted, arms = candidate(10.0, pitch=35.0, seed=90), candidate(11.0, posture=1.5, seed=91)
    chosen = pick([*base, lifted, arms], 5)
    assert {at for at, why in chosen if why == COVERAGE} == {17, 18}


def test_an_atlas_takes_only_what_goes_beyond_it():
    there = [candidate(yaw, seed=at) for at, yaw in enumerate((0.0, 50.0, -50.0))]
    assert pick([candidate(yaw, seed=50) for yaw in (48.0, 1.0, -49.0)], 3, there) == []
    chosen = pick([candidate(yaw, seed=60 + at) for at, yaw in enumerate((48.0, 1.0, 80.0))], 3, there)
    assert chosen[0] == (2, MOST)


@pytest.mark.parametrize(
    ("yaw", "first", "order"),
    [([0.0, 60.0, -70.0, 30.0], None, [0, 1, 2, 3]), ([5.0, 60.0, -70.0], 2, [2, 1, 0]), ([np.nan, 3.0], None, [1, 0])],
)
def test_the_order_in_which_references_are_taken(yaw, first, order):
    found = yaw_order(np.array(yaw), first)
    assert sorted(found) == list(range(len(yaw)))
    assert found == order or (first is None and len(yaw) == 4 and found[1:3] == [1, 2])


def test_a_head_that_turns_beyond_the_limit_is_picked_nearest_to_it():
    def picked(yaws, limit):
        chosen = pick([candidate(yaw) for yaw in yaws], 3, yaw_most=limit)
        return {why: yaws[at] for at, why in chosen}

    swing = [-70.0, -40.0, 0.0, 30.0, 60.0, 92.0, 101.5]
    assert picked(swing, 100.0)[MOST] == 101.5, "measured yaws are off by a few degrees: 92 is farther from the limit"
    assert picked([*swing[:-1], 97.0, 102.8], 100.0)[MOST] == 102.8
    assert picked([*swing[:-1], 98.9, 102.8], 100.0)[MOST] == 98.9
    assert picked([-101.0, -90.0, 0.0, 50.0], 100.0)[LEAST] == -101.0
    assert pick([candidate(101.0)], 3, yaw_most=100.0) == [], "beyond the limit is no more than a stand-in"
