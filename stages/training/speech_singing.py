"""Speech made to sing: the same throat, but on notes, with vowels held; so that faces learn not to mouth songs along.

A channel vocoder: what the throat does is read off the speech, slower where it is loud, and given to a buzz on a tune.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stages.training.speech_voices import RATE_HZ

_HOP, _WINDOW, _FFT = 80, 400, 512
_LIFTER = 36  # cepstral coefficients kept: resonances without the voice's own pitch
_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 3, 5, 7, 10))


def sung(rng: np.random.Generator, speech: np.ndarray, seconds: float) -> np.ndarray:
    """float32 [n] of order 0.1: speech int16 [m] at 16 kHz sung for a time, from its beginning again where it ends."""
    count = round(seconds * RATE_HZ)
    envelope, level, noisy = _throat(speech.astype(np.float64) / 32768.0)
    frames = count // _HOP + 1
    loud = level > np.percentile(level, 45)
    places, at = np.zeros(frames, int), 0.0
    held = 1.0
    for frame in range(frames):
        if frame % 60 == 0:
            held = float(rng.uniform(1.2, 4.5))  # how much longer than spoken
        places[frame] = int(at) % len(level)
        at += 1.0 / (held if loud[places[frame]] else 1.0)
    pitch_hz = _tune(rng, frames)
    phase = np.cumsum(np.interp(np.arange(count), np.arange(frames) * _HOP, pitch_hz)) / RATE_HZ
    buzz = np.diff(np.floor(phase), prepend=0.0) * np.sqrt(RATE_HZ / pitch_hz.mean())
    breath = rng.normal(size=count)
    share = np.interp(np.arange(count), np.arange(frames) * _HOP, noisy[places])
    source = buzz * (1 - share) + breath * (0.03 + 0.97 * share)
    out = _through(source, envelope[places])
    return (out / (np.sqrt(np.mean(out**2)) + 1e-9) * 0.1).astype(np.float32)


def _throat(speech: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(smooth spectra [T, 257], level in dB [T], share of breath 0..1 [T]) every 5 ms."""
    padded = np.pad(speech, (_WINDOW // 2, _WINDOW))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[: len(speech) : _HOP]
    spectrum = np.abs(np.fft.rfft(windows * np.hanning(_WINDOW), _FFT))
    cepstrum = np.fft.irfft(np.log(spectrum + 1e-5))
    cepstrum[:, _LIFTER : _FFT - _LIFTER + 1] = 0.0
    smooth = np.exp(np.fft.rfft(cepstrum).real)
    low, all_ = (spectrum[:, :40] ** 2).sum(1), (spectrum**2).sum(1) + 1e-12  # below 1.25 kHz
    noisy = gaussian_filter1d(np.clip(1.6 - 2.2 * low / all_, 0.0, 1.0), 2.0)
    return smooth, 10 * np.log10(all_), noisy


def _tune(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Hz [T]: notes of a scale with slides between them and vibrato."""
    scale, root_hz = _SCALES[int(rng.integers(len(_SCALES)))], float(rng.uniform(100, 330))
    beat = float(rng.uniform(0.2, 0.6)) * RATE_HZ / _HOP
    semitones, step = [], int(rng.integers(0, 8))
    while len(semitones) < frames:
        step = int(np.clip(step + rng.integers(-2, 3), 0, 9))
        note = 12 * (step // len(scale)) + scale[step % len(scale)]
        semitones += [note] * max(8, round(beat * float(rng.choice([0.5, 1, 1, 2, 4]))))
    height = gaussian_filter1d(np.array(semitones[:frames], float), float(rng.uniform(2, 10)))
    times = np.arange(frames) * _HOP / RATE_HZ
    height += rng.uniform(0.0, 0.5) * np.sin(2 * np.pi * rng.uniform(4.5, 6.5) * times)
    return root_hz * 2 ** (height / 12)


def _through(source: np.ndarray, envelope: np.ndarray) -> np.ndarray:
    """[n] through resonances [T, 257], one every 80 samples; windows overlap and add."""
    count, frames = len(source), len(envelope)
    padded = np.pad(source, (_WINDOW // 2, _WINDOW + _HOP))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[: frames * _HOP : _HOP][:frames]
    parts = np.fft.irfft(np.fft.rfft(windows * np.hanning(_WINDOW), _FFT) * envelope[: len(windows)])
    out = np.zeros(len(padded) + _FFT)
    for at, part in enumerate(parts):
        out[at * _HOP : at * _HOP + _FFT] += part
    return out[_WINDOW // 2 : _WINDOW // 2 + count]
