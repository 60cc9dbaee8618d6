"""The numbers of bench_control.py on people whose deviation from the truth is known; no network takes part."""

import numpy as np
import pytest

from stages.core.geometry import yaw_pitch_roll_to_matrix
from tests.bench.bench_control import compare, summary

FRAMES = 20


@pytest.fixture
def truth():
    rng = np.random.default_rng(0)
    return {
        "joints_px": rng.uniform(10, 110, (FRAMES, 25, 2)),
        "inside": np.ones((FRAMES, 25), bool),
        "height_px": np.full(FRAMES, 200.0),
        "R_cam_head": yaw_pitch_roll_to_matrix(rng.uniform(-0.4, 0.4, (FRAMES, 3))),
        "facing": np.ones(FRAMES),
        "mouth": 15 + 15 * np.sin(np.arange(FRAMES)),
        "eyes": 0.8 + 0.2 * np.cos(np.arange(FRAMES)),
    }


def found_of(truth, **changes):
    return {name: truth[name].copy() for name in ("joints_px", "R_cam_head", "mouth", "eyes")} | changes


def test_the_truth_itself_is_perfect(truth):
    result = compare(found_of(truth), truth)
    assert result["joints"] == 0 and result["head"] < 1e-5
    assert result["mouth"] == pytest.approx(1) and result["lids"] == pytest.approx(1)
    assert result["joints_found"] == 1 and result["face_found"] == 1


def test_joints_are_in_percent_of_the_height_and_only_where_they_are_seen(truth):
    joints = truth["joints_px"] + [6.0, 8.0]
    joints[:, 3] = np.nan
    truth["inside"][:, 5] = False
    joints[:, 5] += 500
    result = compare(found_of(truth, joints_px=joints), truth)
    assert result["joints"] == pytest.approx(5.0)
    assert result["joints_found"] == pytest.approx(21 / 22)


def test_one_wild_head_does_not_move_the_median(truth):
    turn = np.zeros((FRAMES, 3))
    turn[:, 0] = np.radians(7.0)
    turn[4, 0] = np.radians(170.0)
    turned = truth["R_cam_head"] @ yaw_pitch_roll_to_matrix(turn)
    assert compare(found_of(truth, R_cam_head=turned), truth)["head"] == pytest.approx(7.0)


def test_a_face_that_is_seldom_found_follows_nothing_and_a_still_truth_asks_for_nothing(truth):
    lost = truth["mouth"].copy()
    lost[:11] = np.nan  # nine frames would still correlate perfectly
    result = compare(found_of(truth, mouth=lost), truth)
    assert result["mouth"] == 0 and result["face_found"] == 9 / 20
    still = truth | {"mouth": np.full(FRAMES, 3.0)}
    assert np.isnan(compare(found_of(truth), still)["mouth"])
    away = truth | {"facing": np.full(FRAMES, 0.2)}
    assert np.isnan(compare(found_of(truth), away)["lids"])


def test_the_mean_where_the_real_film_can_be_read_stands_beside_the_mean():
    values, ceiling = np.array([0.9, 0.1, np.nan, 0.5]), np.array([0.8, 0.2, 0.9, 0.6])
    numbers = summary(values, ceiling)
    assert numbers["n"] == 3 and numbers["mean"] == pytest.approx(0.5) and numbers["median"] == 0.5
    assert numbers["n_read"] == 2 and numbers["mean_read"] == pytest.approx(0.7)
    assert summary(np.full(3, np.nan), None) == {"n": 0}
