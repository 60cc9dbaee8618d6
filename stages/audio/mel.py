"""Log-mel spectra of sound at 16 kHz, one every 10 ms: what the speech network hears."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

RATE_HZ = 16000
HOP = 160  # samples
BANDS = 40
WINDOW = 400
_FFT = 512
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 7600.0
_FLOOR = 1e-7  # of the power, full scale = 1: what lies below about -70 dB of full scale is silence
_MIDDLE, _SPREAD = -9.0, 4.0  # so that features of speech are of order 1


def log_mel(sound_pm1: np.ndarray) -> np.ndarray:
    """float32 [M, 40] of sound float [..., n] in -1..1 at 16 kHz, M = n // 160.

    Row i is of the 25 ms about sample 160 i; outside the sound there is silence. Leading axes stay.
    """
    sound = np.asarray(sound_pm1, np.float32)
    count = sound.shape[-1] // HOP
    pad = [(0, 0)] * (sound.ndim - 1) + [(WINDOW // 2, WINDOW // 2)]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(sound, pad), WINDOW, axis=-1)
    frames = windows[..., ::HOP, :][..., :count, :]
    spectrum = np.fft.rfft(frames * _window(), _FFT)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32) @ _bands().T
    return ((np.log(power + _FLOOR) - _MIDDLE) / _SPREAD).astype(np.float32)


@lru_cache(maxsize=1)
def _window() -> np.ndarray:
    """float32 [400]: Hann, its squares adding to one."""
    window = np.hanning(WINDOW + 1)[:WINDOW]
    return (window / np.sqrt((window**2).sum())).astype(np.float32)


@lru_cache(maxsize=1)
def _bands() -> np.ndarray:
    """float32 [40, 257]: triangles on the mel scale 2595 log10(1 + f / 700), each adding to one."""
    lowest, highest = (2595 * np.log10(1 + edge / 700) for edge in (_LOWEST_HZ, _HIGHEST_HZ))
    edges_hz = 700 * (10 ** (np.linspace(lowest, highest, BANDS + 2) / 2595) - 1)
    bins_hz = np.fft.rfftfreq(_FFT, 1 / RATE_HZ)
    low, middle, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    weight = np.clip(np.minimum((bins_hz - low) / (middle - low), (high - bins_hz) / (high - middle)), 0, None)
    return (weight / np.maximum(weight.sum(1, keepdims=True), 1e-3)).astype(np.float32)
