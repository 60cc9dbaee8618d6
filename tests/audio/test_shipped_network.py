"""What the shipped network hears in sounds made here by formula: vowels, lips closed by a nasal, silence, noise."""

import numpy as np
import pytest
from scipy.signal import lfilter

from stages.audio import speech_file
from stages.audio.network import UNITS, load_speech_face
from stages.audio.predict import hear

RATE = 16000
JAW = UNITS.index("jawOpen")
# formants and their widths in Hz: Peterson and Barney 1952 for the vowels, a murmur for m
SOUNDS = {"a": ((730, 1090, 2440), (90, 110, 160)), "i": ((270, 2290, 3010), (60, 100, 150)),
          "m": ((250, 1000, 2200), (60, 600, 800))}  # fmt: skip


def say(rows) -> np.ndarray:
    """int16 sound of (sound, seconds) rows, spoken by a buzz of 125 Hz through resonators."""
    parts, source = [], 0
    for name, seconds in rows:
        count = round(seconds * RATE)
        places = np.arange(source, source + count)
        source += count
        if name == "sil":
            parts.append(np.zeros(count))
            continue
        wave = lfilter([1.0], [1.0, -0.95], (places % 128 == 0).astype(float))
        for hz, width in zip(*SOUNDS[name], strict=True):
            r, angle = np.exp(-np.pi * width / RATE), 2 * np.pi * hz / RATE
            wave = lfilter([1 - 2 * r * np.cos(angle) + r * r], [1.0, -2 * r * np.cos(angle), r * r], wave)
        parts.append(wave / np.abs(wave).max() * (0.3 if name == "m" else 1.0))
    sound = lfilter(np.ones(80) / 80, [1.0], np.ones(sum(map(len, parts)))) * np.concatenate(parts)
    return (9000 * sound).astype(np.int16)


@pytest.fixture(scope="module")
def network():
    return load_speech_face().network


def test_lips_that_hum_are_more_closed_than_those_that_say_a(network):
    rows = [("sil", 0.5)] + [("a", 0.24), ("m", 0.14)] * 5 + [("sil", 0.6)]
    jaw = hear(network, [say(rows)]).units[:, JAW]
    at, open_, shut = 0.0, [], []
    for name, seconds in rows:
        middle = round((at + seconds / 2) * 50)
        at += seconds
        if name == "a":
            open_.append(jaw[middle])
        elif name == "m":
            shut.append(jaw[middle - 2 : middle + 3].min())
    assert np.mean(open_) > 0.25 and np.mean(shut) < 0.5 * np.mean(open_), (open_, shut)
    assert jaw[:15].max() < 0.08 and jaw[-20:].max() < 0.08, "before and after nothing is said"


def test_an_a_is_opener_than_an_i(network):
    def opened(vowel: str) -> float:
        return float(hear(network, [say([("sil", 0.4), (vowel, 0.4), ("sil", 0.4)])]).units[25:38, JAW].mean())

    assert opened("a") > 1.3 * opened("i"), (opened("a"), opened("i"))


@pytest.mark.parametrize("kind", ["silence", "faint", "white", "hum"])
def test_where_nobody_speaks_the_mouth_stays_closed(network, kind):
    rng = np.random.default_rng(0)
    count = 6 * RATE
    sound = {
        "silence": np.zeros(count), "faint": rng.normal(0, 3, count), "white": rng.normal(0, 2000, count),
        "hum": 3000 * np.sign(np.sin(2 * np.pi * 50 * np.arange(count) / RATE)),
    }[kind]  # fmt: skip
    units = hear(network, [sound.astype(np.int16)]).units
    assert units[:, JAW].max() < 0.1 and units[:, JAW].std() < 0.02, (units[:, JAW].max(), units[:, JAW].std())


def test_the_shipped_file_is_small():
    assert speech_file().stat().st_size < 3_000_000
