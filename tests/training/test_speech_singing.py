"""Speech made to sing: it lasts as long as asked, stays on notes, and keeps the throat of who spoke."""

import numpy as np
import pytest

from stages.training.speech_singing import sung

RATE = 16000


def spoken(seconds: float = 2.0) -> np.ndarray:
    """int16: a buzz of 120 Hz through one resonance at 700 Hz, 0.3 s on and 0.1 s off."""
    from scipy.signal import lfilter

    times = np.arange(round(seconds * RATE))
    r, angle = 0.98, 2 * np.pi * 700 / RATE
    voice = lfilter([1.0], [1.0, -2 * r * np.cos(angle), r * r], (times % 133 == 0).astype(float))
    return (8000 * voice / np.abs(voice).max() * (times % 6400 < 4800)).astype(np.int16)


@pytest.mark.parametrize("seconds", [0.5, 3.0])
def test_a_song_lasts_as_long_as_asked_and_is_never_silent_or_wild(seconds):
    song = sung(np.random.default_rng(1), spoken(), seconds)
    assert song.shape == (round(seconds * RATE),) and song.dtype == np.float32
    assert np.isfinite(song).all() and abs(np.sqrt(np.mean(song**2)) - 0.1) < 1e-3


def test_the_throat_stays_while_the_pitch_moves():
    for seed in range(4):
        song = sung(np.random.default_rng(seed), spoken(), 3.0)
        spectrum = np.abs(np.fft.rfft(song)) ** 2
        hz = np.fft.rfftfreq(len(song), 1 / RATE)
        near, far = spectrum[(hz > 450) & (hz < 950)].sum(), spectrum[(hz > 1500) & (hz < 4000)].sum()
        assert near > 3 * far, (seed, near / far)


def test_vowels_are_held():
    """Spoken, the buzz stops for 0.1 s every 0.4 s; sung, what is loud lasts longer and stops come more rarely."""

    def stops_per_s(sound: np.ndarray) -> float:
        level = np.sqrt(np.convolve(sound.astype(float) ** 2, np.ones(640) / 640, "same"))[::160]
        loud = level > 0.25 * np.percentile(level, 80)
        return float((loud[:-1] & ~loud[1:]).sum() / (len(sound) / RATE))

    said = stops_per_s(spoken(4.0))
    songs = [stops_per_s(sung(np.random.default_rng(seed), spoken(4.0), 4.0)) for seed in range(6)]
    assert 2.0 < said < 3.0 and np.mean(songs) < 0.75 * said, (said, songs)
