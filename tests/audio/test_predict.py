"""Hearing a stream: how it is cut changes nothing, frames are exact, and nothing is heard before it can be."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from stages.audio.network import UNITS, SpeechFaceNet, SpeechNetConfig, unit_columns
from stages.audio.predict import at_frames, expressions_of, frame_count, hear
from stages.core.arkit import ARKIT_INDEX, ARKIT_NAMES


@pytest.fixture(scope="module")
def network() -> SpeechFaceNet:
    torch.manual_seed(3)
    return SpeechFaceNet(SpeechNetConfig(width=16)).eval()


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    rng = np.random.default_rng(1)
    swelling = np.interp(np.arange(24 * 16000), np.linspace(0, 24 * 16000, 90), rng.uniform(0, 1, 90))
    return (3000 * swelling * rng.normal(size=24 * 16000)).clip(-32768, 32767).astype(np.int16)


def test_how_a_sound_is_cut_into_blocks_changes_nothing(network, sound):
    whole = hear(network, [sound])
    cuts = np.split(sound, [1, 7000, 7001, 170_000, 333_333])
    pieces = hear(network, cuts)
    worst = float(np.abs(whole.units - pieces.units).max())
    assert whole.units.shape == pieces.units.shape and worst < 1e-5, worst
    assert np.array_equal(whole.level_db, pieces.level_db)


def test_chunks_join_without_a_seam(network, sound):
    """A frame far from the start says the same when the sound begins later, as long as its reach is inside."""
    reach = network.config.reach_past + 2
    late = hear(network, [sound[320 * 300 :]]).units
    whole = hear(network, [sound]).units
    worst = float(np.abs(late[reach:600] - whole[300 + reach : 900]).max())
    assert worst < 1e-5, worst


def test_nothing_is_heard_further_ahead_than_the_network_says(network, sound):
    changed = sound.copy()
    changed[320 * 500 :] = 0
    before, after = hear(network, [sound]).units, hear(network, [changed]).units
    first = int(np.flatnonzero(np.abs(before - after).max(1) > 1e-6)[0])
    assert 500 - network.config.reach_ahead - 1 <= first <= 500, first


def test_the_shipped_delay_is_below_200_ms():
    assert SpeechNetConfig().reach_ahead / 50 + 0.0125 < 0.2


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(24), Fraction(30000, 1001), Fraction(60), Fraction(12)])
def test_a_film_has_as_many_pictures_as_begin_before_the_sound_ends(fps):
    for samples in (16000, 16001, 15999, 1, 0, 16000 * 10):
        count = frame_count(samples, fps)
        assert count >= 1
        assert Fraction(count - 1) / fps < max(Fraction(samples, 16000), Fraction(1, 10**9))
        assert Fraction(count) / fps >= Fraction(samples, 16000)


def test_values_at_pictures_are_those_of_their_moments():
    ramp = np.arange(500)[:, None] / 50.0  # the value is its own time in seconds
    fps = Fraction(30000, 1001)
    found = at_frames(ramp, 100, 50, fps)[:, 0]
    expected = np.arange(100, 150) * 1001 / 30000
    assert np.abs(found - expected).max() < 1e-9
    assert np.abs(at_frames(ramp, 100, 50, fps, 0.1)[:, 0] - (expected - 0.1)).max() < 1e-9
    assert at_frames(ramp, 10_000, 1, fps)[0, 0] == ramp[-1, 0]


def test_a_sound_without_samples_gives_one_quiet_frame(network):
    heard = hear(network, [])
    assert heard.samples == 0 and len(heard.units) >= 1 and frame_count(0, Fraction(25)) == 1


def test_units_are_the_weights_they_are_named_after():
    assert len(ARKIT_NAMES) == 52 and list(ARKIT_NAMES) == sorted(ARKIT_NAMES)
    assert sorted(sum(unit_columns(), [])) == sorted(set(sum(unit_columns(), [])))
    units = np.zeros((1, len(UNITS)))
    units[0, UNITS.index("mouthPress")] = 0.5
    face = expressions_of(units)[0]
    assert face[ARKIT_INDEX["mouthPressLeft"]] == face[ARKIT_INDEX["mouthPressRight"]] == 0.5
    assert face.sum() == 1.0


def test_lips_close_no_further_than_the_jaw_is_open():
    units = np.zeros((1, len(UNITS)))
    units[0, UNITS.index("mouthClose")], units[0, UNITS.index("jawOpen")] = 0.8, 0.3
    assert expressions_of(units)[0, ARKIT_INDEX["mouthClose"]] == 0.3
