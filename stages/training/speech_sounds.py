"""Batches of sound as the world gives it: other speeds, rooms, microphones, noise, music, people talking behind.

Where nobody speaks the mouth has to stay closed, so some items hold nothing but music or noise.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import fftconvolve

from stages.synthetic.phonemes import Timeline
from stages.training.speech_pool import Programme
from stages.training.speech_voices import RATE_HZ

_ALONE_SHARE = 0.28  # of the items hold no speech
_SPEED = (0.85, 1.2)
_ROOM_SHARE, _NOISE_SHARE, _FILTER_SHARE = 0.45, 0.75, 0.7
_SNR_DB = (4.0, 35.0)
_BABBLE_SNR_DB = 12.0  # at least: nearer it would be a second speaker
_LEVEL_DB = (-40.0, -12.0)
_THROAT, _MASK_SHARE = 0.15, 0.5


def draw_item(
    rng: np.random.Generator, spoken: list[Programme], music: list[Programme], seconds: float
) -> tuple[np.ndarray, Timeline]:
    """(sound float32 [n] in -1..1, timeline) of one item; the timeline is empty where nobody speaks."""
    count = round(seconds * RATE_HZ)
    if rng.random() < _ALONE_SHARE:
        return _levelled(rng, _background(rng, spoken, music, count, alone=True)), ()
    sound, timeline = _cut(rng, spoken[int(rng.integers(len(spoken)))], count)
    if rng.random() < 0.15:  # the speaker stops, the room goes on
        sound, timeline = _interrupted(rng, sound, timeline)
    sound = _filtered(rng, _in_room(rng, sound))
    if rng.random() < _NOISE_SHARE:
        sound = _mixed(sound, *_noise_at(rng, spoken, music, count))
    return _levelled(rng, sound), timeline


def _cut(rng, programme: Programme, count: int) -> tuple[np.ndarray, Timeline]:
    """A piece of a programme at another speed, which changes the voice's height as well."""
    speed = float(np.exp(rng.uniform(*np.log(_SPEED)))) if rng.random() < 0.7 else 1.0
    needed = int(count * speed) + 2
    first = int(rng.integers(0, max(1, len(programme.sound) - needed)))
    piece = programme.sound[first : first + needed].astype(np.float32) / 32768.0
    piece = np.pad(piece, (0, max(0, needed - len(piece))))
    sound = np.interp(np.arange(count) * speed, np.arange(len(piece)), piece).astype(np.float32)
    begin = first / RATE_HZ
    rows = (((start - begin) / speed, (end - begin) / speed, name) for start, end, name in programme.timeline)
    seconds = count / RATE_HZ
    return sound, tuple((start, end, name) for start, end, name in rows if end > -0.5 and start < seconds + 0.5)


def _interrupted(rng, sound: np.ndarray, timeline: Timeline) -> tuple[np.ndarray, Timeline]:
    """Speech that is not there for half a second to two seconds, cut between two sounds."""
    edges = [start for start, _, _ in timeline if start > 0.2]
    if not edges:
        return sound, timeline
    start = edges[int(rng.integers(len(edges)))]
    end = start + float(rng.uniform(0.5, 2.0))
    sound = sound.copy()
    sound[round(start * RATE_HZ) : round(end * RATE_HZ)] = 0.0
    kept = [(a, min(b, start), name) for a, b, name in timeline if a < start]
    kept += [(start, end, "sil")] + [(max(a, end), b, name) for a, b, name in timeline if b > end]
    return sound, tuple(kept)


def _in_room(rng, sound: np.ndarray) -> np.ndarray:
    if rng.random() > _ROOM_SHARE:
        return sound
    decay_s = float(rng.uniform(0.12, 0.8))
    times = np.arange(round(min(decay_s, 0.5) * RATE_HZ)) / RATE_HZ
    tail = rng.normal(size=len(times)) * 10 ** (-3 * times / decay_s)
    tail[: int(rng.uniform(0.001, 0.01) * RATE_HZ)] = 0.0
    direct_db = float(rng.uniform(-2, 15))
    tail *= 10 ** (-direct_db / 20) / np.sqrt((tail**2).sum() + 1e-9)
    tail[0] = 1.0
    return fftconvolve(sound, tail.astype(np.float32))[: len(sound)]


def _filtered(rng, sound: np.ndarray) -> np.ndarray:
    """Through a microphone that hears some heights better than others, and perhaps a telephone."""
    if rng.random() > _FILTER_SHARE:
        return sound
    heights = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    octaves = np.log2(np.maximum(heights, 30.0))
    gain_db = np.interp(octaves, np.linspace(5, 13, 6), rng.normal(0, 5, 6))
    if rng.random() < 0.2:
        low, high = rng.uniform(80, 350), rng.uniform(2800, 6000)
        gain_db -= 12 * np.maximum(np.log2(low / np.maximum(heights, 20)), 0)
        gain_db -= 24 * np.maximum(np.log2(np.maximum(heights, 20) / high), 0)
    spectrum = np.fft.rfft(sound) * 10 ** (gain_db / 20)
    return np.fft.irfft(spectrum, len(sound)).astype(np.float32)


def _noise_at(rng, spoken, music, count: int) -> tuple[np.ndarray, float]:
    """(background, signal to noise ratio in dB)"""
    ratio_db = float(rng.uniform(*_SNR_DB))
    if rng.random() < 0.15:
        return _babble(rng, spoken, count), max(ratio_db, _BABBLE_SNR_DB)
    return _background(rng, spoken, music, count, alone=False), ratio_db


def _background(rng, spoken, music, count: int, *, alone: bool) -> np.ndarray:
    """float32 [n] of anything but speech; `alone` = it may be faint or nothing at all."""
    kind = rng.random()
    if kind < (0.7 if alone else 0.45) and music:
        sound, _ = _cut(rng, music[int(rng.integers(len(music)))], count)
    else:
        sound = _coloured(rng, count)
        kind = rng.random()
        if kind > 0.5:
            sound = sound * _gusts(rng, count)
        if kind > 0.7:
            sound = sound + _hum(rng, count)
        if kind > 0.8:
            sound = sound + _clicks(rng, count)
    if alone and rng.random() < 0.2:
        sound = sound * 10 ** (-rng.uniform(30, 90) / 20)
    return _filtered(rng, sound)


def _babble(rng, spoken, count: int) -> np.ndarray:
    return sum(_cut(rng, spoken[int(rng.integers(len(spoken)))], count)[0] for _ in range(int(rng.integers(2, 5))))


def _coloured(rng, count: int) -> np.ndarray:
    """Noise whose power falls with height as 1 / f^a, a from 0 (white) to 2.2."""
    heights = np.maximum(np.fft.rfftfreq(count, 1 / RATE_HZ), 30.0)
    spectrum = np.fft.rfft(rng.normal(size=count).astype(np.float32)) * heights ** (-rng.uniform(0, 1.1))
    sound = np.fft.irfft(spectrum, count)
    return (sound / (np.sqrt(np.mean(sound**2)) + 1e-9) * 0.05).astype(np.float32)


def _gusts(rng, count: int) -> np.ndarray:
    """A slow swelling, as of wind, traffic or waves."""
    knots = rng.uniform(0, 1, max(2, int(count / RATE_HZ * rng.uniform(1, 8)))) ** 2
    return np.interp(np.linspace(0, len(knots) - 1, count), np.arange(len(knots)), knots).astype(np.float32)


def _hum(rng, count: int) -> np.ndarray:
    times = np.arange(count) / RATE_HZ
    base = float(rng.choice([50.0, 60.0, rng.uniform(80, 400)]))
    waves = (rng.uniform(0, 1) / n * np.sin(2 * np.pi * base * n * times + rng.uniform(0, 6)) for n in range(1, 7))
    return 0.05 * sum(waves).astype(np.float32)


def _clicks(rng, count: int) -> np.ndarray:
    """Short knocks: keys, cups, steps."""
    out = np.zeros(count, np.float32)
    for at in rng.integers(0, count, int(rng.integers(1, 12))):
        times = np.arange(int(rng.uniform(0.005, 0.08) * RATE_HZ)) / RATE_HZ
        knock = rng.normal(size=len(times)) * np.exp(-times / rng.uniform(0.001, 0.02))
        if rng.random() < 0.5:
            knock = np.sin(2 * np.pi * rng.uniform(100, 2500) * times) * np.exp(-times / rng.uniform(0.003, 0.03))
        end = min(count, at + len(knock))
        out[at:end] += (rng.uniform(0.05, 0.6) * knock[: end - at]).astype(np.float32)
    return out


def other_throat(rng, mel: np.ndarray) -> np.ndarray:
    """Log-mel rows [T, bands] as of somebody with a longer or shorter throat, a few bands unheard.

    Resonances move against each other as little as people's do; held-out voices are what this is for.
    source: vocal tract length perturbation (Jaitly and Hinton 2013), masks of SpecAugment (Park 2019)
    """
    bands = mel.shape[1]
    places = np.arange(bands) * float(np.exp(rng.uniform(-_THROAT, _THROAT))) + rng.uniform(-1, 1)
    low = np.clip(places.astype(int), 0, bands - 2)
    share = np.clip(places - low, 0.0, 1.0).astype(np.float32)
    out = mel[:, low] * (1 - share) + mel[:, low + 1] * share
    if rng.random() < _MASK_SHARE:
        first, width = int(rng.integers(bands - 6)), int(rng.integers(2, 7))
        out[:, first : first + width] = out[:, first : first + width].mean()
    return out


def _mixed(sound: np.ndarray, noise: np.ndarray, ratio_db: float) -> np.ndarray:
    speech, behind = (float(np.mean(np.square(part))) + 1e-12 for part in (sound, noise))
    return sound + noise * np.float32(np.sqrt(speech / behind) * 10 ** (-ratio_db / 20))


def _levelled(rng, sound: np.ndarray) -> np.ndarray:
    """At a random loudness, sometimes overdriven, in steps of 16 bits; what is nearly silent stays so."""
    level = float(np.sqrt(np.mean(np.square(sound)))) + 1e-12
    if level > 1e-3:
        sound = sound * (10 ** (rng.uniform(*_LEVEL_DB) / 20) / level)
    return (np.round(np.clip(sound, -1, 1) * 32767) / 32768).astype(np.float32)
