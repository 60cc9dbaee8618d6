"""Log-mel spectra: a tone is in its band, at its moment, and loudness is a shift."""

import numpy as np
import pytest

from stages.audio.mel import BANDS, RATE_HZ, log_mel


def tone(hz: float, seconds: float = 1.0) -> np.ndarray:
    return (0.1 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)).astype(np.float32)


@pytest.mark.parametrize("hz", [200.0, 1000.0, 4000.0])
def test_a_tone_is_loudest_in_the_band_that_holds_it(hz):
    edges = np.linspace(*(2595 * np.log10(1 + edge / 700) for edge in (60.0, 7600.0)), BANDS + 2)
    expected = np.argmin(np.abs(edges[1:-1] - 2595 * np.log10(1 + hz / 700)))
    assert abs(int(np.argmax(log_mel(tone(hz))[50])) - expected) <= 1


def test_a_click_is_heard_at_its_own_row():
    sound = np.zeros(RATE_HZ, np.float32)
    sound[160 * 40] = 0.5
    loudness = log_mel(sound).mean(1)
    assert np.argmax(loudness) == 40
    assert loudness[43] == loudness[0], "a window of 25 ms reaches no further than 12.5 ms"


def test_ten_times_as_loud_is_the_same_shift_in_every_loud_band():
    rng = np.random.default_rng(0)
    noise = 0.01 * rng.normal(size=RATE_HZ).astype(np.float32)
    shift = log_mel(10 * noise) - log_mel(noise)
    expected = np.log(100) / 4.0
    assert np.abs(shift[5:-5] - expected).max() < 0.02, f"{shift[5:-5].min():.3f}..{shift[5:-5].max():.3f}"


def test_rows_and_leading_axes():
    sound = np.stack([tone(300.0), tone(600.0)])
    both = log_mel(sound)
    assert both.shape == (2, 100, BANDS) and both.dtype == np.float32
    assert np.array_equal(both[1], log_mel(sound[1]))
