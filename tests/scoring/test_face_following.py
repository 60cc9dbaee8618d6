"""Mouth and lids of drawn faces whose opening is known, and signals whose correlation is."""

import numpy as np
import pytest

from stages.scoring.face_following import eye_closure, following, mouth_opening

FRAMES = 20


def face(lips=0.0, lids=0.3, width=0.25):
    """float64 [T, 51, 2] with nothing but lips and eyes: gaps in units of the face, lids over the eye's width."""
    lips, lids = (np.broadcast_to(np.asarray(value, float), FRAMES) for value in (lips, lids))
    points = np.zeros((FRAMES, 68, 2))
    for upper, lower, x in ((61, 67, -0.05), (62, 66, 0.0), (63, 65, 0.05)):
        points[:, upper], points[:, lower] = (x, 0.5), (x, 0.5)
        points[:, upper, 1] -= lips / 2
        points[:, lower, 1] += lips / 2
    for first, x in ((36, -0.5), (42, 0.25)):
        for point, share, side in ((0, 0, 0), (1, 0.3, -1), (2, 0.7, -1), (3, 1, 0), (4, 0.7, 1), (5, 0.3, 1)):
            points[:, first + point, 0] = x + share * width
            points[:, first + point, 1] = side * width * lids / 2
    return points[:, 17:]


def test_gaps_of_drawn_faces_are_measured_exactly():
    gaps = np.linspace(0, 0.4, FRAMES)
    assert np.abs(mouth_opening(face(lips=gaps)) - 100 * gaps).max() < 1e-9
    assert np.abs(eye_closure(face(lids=gaps, width=0.2)) - (1 - gaps)).max() < 1e-9


def test_one_wink_is_half_a_closure():
    both, shut = face(lids=0.3), face(lids=0.0)
    wink = both.copy()
    wink[:, 36 - 17 : 42 - 17] = shut[:, 36 - 17 : 42 - 17]
    assert np.abs(eye_closure(wink) - 0.85).max() < 1e-9


def test_the_mouth_says_nothing_of_the_eyes():
    assert np.ptp(eye_closure(face(lips=np.linspace(0, 0.4, FRAMES)))) < 1e-12


def test_a_signal_follows_itself_whatever_its_size_and_place_and_its_mirror_does_not():
    leader = np.sin(np.arange(FRAMES))
    assert following(0.3 * leader + 5, leader, 1.0).correlation == pytest.approx(1)
    assert following(-leader, leader, 1.0).correlation == pytest.approx(-1)
    shifted = np.sin(np.arange(FRAMES) + np.pi / 2)
    expected = np.corrcoef(shifted, leader)[0, 1]
    assert following(shifted, leader, 1.0).correlation == pytest.approx(expected)


def test_a_leader_who_hardly_moves_asks_for_nothing():
    leader = 0.01 * np.sin(np.arange(FRAMES))
    quiet = following(leader, leader, 1.0)
    assert not quiet.asked and np.isnan(quiet.correlation)
    burst = np.zeros(FRAMES)
    burst[3] = 9.0  # one frame of twenty is an error of the mesh rather than speech
    assert not following(burst, burst, 1.0).asked
    assert not following(leader, np.full(FRAMES, np.nan), 1.0).asked


def test_a_held_photo_and_a_missing_face_follow_nothing():
    leader = np.sin(np.arange(FRAMES))
    assert following(np.full(FRAMES, 3.0), leader, 1.0).correlation == 0
    lost = np.full(FRAMES, np.nan)
    lost[:7] = leader[:7]
    seldom = following(lost, leader, 1.0)
    assert seldom.asked and seldom.correlation == 0


def test_frames_without_a_face_are_left_out():
    leader = np.sin(np.arange(FRAMES))
    follower = leader.copy()
    follower[4:8] = np.nan
    leader = leader.copy()
    leader[10] = np.nan
    assert following(follower, leader, 1.0).correlation == pytest.approx(1)
