"""Blinks and head motion: rates of people, pauses first, the same from the same seed, and small."""

import numpy as np

from stages.audio.liveliness import blink_lids, head_turns_deg, voice_01

MINUTES = 20


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def talking(seed: int = 0) -> np.ndarray:
    """Loudness of somebody who speaks for two seconds and pauses for one."""
    times = np.arange(MINUTES * 60 * 50) / 50
    return np.where(times % 3 < 2, -20.0, -75.0) + rng(seed).normal(0, 1, len(times))


def blinks_of(lids: np.ndarray) -> np.ndarray:
    return np.flatnonzero((lids[1:] > 0.5) & (lids[:-1] <= 0.5))


def test_blinks_come_as_often_as_peoples_and_mostly_in_pauses():
    voice = voice_01(talking())
    lids = blink_lids(rng(), voice)
    starts = blinks_of(lids)
    assert 9 <= len(starts) / MINUTES <= 25, len(starts) / MINUTES
    assert lids.min() >= 0 and lids.max() <= 1
    quiet = (voice < 0.1).mean()
    assert (voice[starts] < 0.3).mean() > 1.3 * quiet, "a pause attracts blinks"


def test_the_same_seed_blinks_at_the_same_moments():
    voice = voice_01(talking())
    assert np.array_equal(blink_lids(rng(4), voice), blink_lids(rng(4), voice))
    assert not np.array_equal(blink_lids(rng(4), voice), blink_lids(rng(5), voice))


def test_a_head_moves_a_few_degrees_and_smoothly():
    turns = head_turns_deg(rng(), voice_01(talking()))
    assert turns.shape == (MINUTES * 3000, 3)
    assert 0.3 < turns.std(0).min() and np.abs(turns).max() < 12, (turns.std(0), np.abs(turns).max())
    assert np.abs(np.diff(turns, axis=0)).max() * 50 < 60, "degrees a second"


def test_silence_has_no_voice():
    assert not voice_01(np.full(500, -100.0)).any()
    assert voice_01(np.zeros(0)).shape == (0,)
