"""Mel-frequency cepstral coefficients as the package python_speech_features 0.6 makes them: SyncNet hears by these.

Steps and constants: a first difference of 0.97, frames of 25 ms every 10 ms without a window, 512 samples of Fourier
transform, 26 triangles on the mel scale of 2595 log10(1 + f / 700), logarithm, orthonormal DCT-II, lifter of 22, and
the logarithm of the frame's energy in place of the first coefficient.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

RATE_HZ = 16000
FRAMES_PER_S = 100
COEFFICIENTS = 13
_LENGTH, _STEP, _FFT, _TRIANGLES, _LIFTER, _EMPHASIS = 400, 160, 512, 26, 22, 0.97


def mfcc(sound: np.ndarray) -> np.ndarray:
    """float64 [M, 13] of sound [n] at 16 kHz, in units of int16; M is 100 a second, one at least."""
    samples = np.asarray(sound, np.float64)
    changed = np.concatenate([samples[:1], samples[1:] - _EMPHASIS * samples[:-1]])
    count = 1 + max(0, -(-(len(changed) - _LENGTH) // _STEP))
    padded = np.zeros((count - 1) * _STEP + _LENGTH)
    padded[: len(changed)] = changed
    frames = np.lib.stride_tricks.sliding_window_view(padded, _LENGTH)[::_STEP]
    power = np.abs(np.fft.rfft(frames, _FFT)) ** 2 / _FFT
    energy, bands = power.sum(1), power @ _triangles().T
    tiny = np.finfo(np.float64).eps
    cepstra = np.log(np.where(bands == 0, tiny, bands)) @ _cosines().T
    cepstra *= 1 + _LIFTER / 2 * np.sin(np.pi * np.arange(COEFFICIENTS) / _LIFTER)
    cepstra[:, 0] = np.log(np.where(energy == 0, tiny, energy))
    return cepstra


@lru_cache(maxsize=1)
def _triangles() -> np.ndarray:
    """float64 [26, 257]: weight of every bin of the spectrum in every band."""
    highest = 2595 * np.log10(1 + RATE_HZ / 2 / 700)
    edges_hz = 700 * (10 ** (np.linspace(0, highest, _TRIANGLES + 2) / 2595) - 1)
    edges = np.floor((_FFT + 1) * edges_hz / RATE_HZ)
    bins = np.arange(_FFT // 2 + 1)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising = np.where((bins >= low) & (bins < middle), (bins - low) / np.maximum(middle - low, 1), 0.0)
    falling = np.where((bins >= middle) & (bins < high), (high - bins) / np.maximum(high - middle, 1), 0.0)
    return rising + falling


def _cosines() -> np.ndarray:
    """float64 [13, 26]: the first rows of the orthonormal DCT-II."""
    rows, columns = np.arange(COEFFICIENTS)[:, None], np.arange(_TRIANGLES)
    basis = np.sqrt(2 / _TRIANGLES) * np.cos(np.pi * rows * (2 * columns + 1) / (2 * _TRIANGLES))
    basis[0] /= np.sqrt(2)
    return basis
