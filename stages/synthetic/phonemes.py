"""Speech without sound: plausible syllables with phoneme times, and the visemes that belong to any phoneme timeline.

Phonemes are those of ARPAbet; which viseme one belongs to follows the 15 visemes of OVR Lipsync. Mean durations are of
the order of those of read English (Crystal and House 1988); how syllables are put together is our choice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.core.errors import InputError
from stages.synthetic.expressions import VISEME_NAMES

Timeline = tuple[tuple[float, float, str], ...]

# phoneme -> viseme, mean duration in seconds
PHONEMES: dict[str, tuple[str, float]] = {
    "sil": ("sil", 0.3),
    "P": ("PP", 0.09), "B": ("PP", 0.08), "M": ("PP", 0.08), "F": ("FF", 0.1), "V": ("FF", 0.07),
    "TH": ("TH", 0.09), "DH": ("TH", 0.05), "T": ("DD", 0.07), "D": ("DD", 0.06), "K": ("kk", 0.09), "G": ("kk", 0.07),
    "NG": ("kk", 0.08), "HH": ("kk", 0.06), "CH": ("CH", 0.11), "JH": ("CH", 0.09), "SH": ("CH", 0.11),
    "ZH": ("CH", 0.09), "S": ("SS", 0.11), "Z": ("SS", 0.09), "N": ("nn", 0.07), "L": ("nn", 0.07), "R": ("RR", 0.08),
    "ER": ("RR", 0.12), "W": ("U", 0.08), "Y": ("I", 0.07),
    "AA": ("aa", 0.13), "AE": ("aa", 0.13), "AH": ("aa", 0.09), "AX": ("E", 0.06), "AY": ("aa", 0.16),
    "AW": ("aa", 0.16), "EH": ("E", 0.1), "EY": ("E", 0.14), "IH": ("I", 0.08), "IY": ("I", 0.12), "AO": ("O", 0.13),
    "OW": ("O", 0.14), "OY": ("O", 0.18), "UH": ("U", 0.09), "UW": ("U", 0.12),
}  # fmt: skip
ONSETS = ("", "P", "B", "M", "F", "V", "T", "D", "N", "S", "K", "G", "HH", "L", "R", "W", "Y", "DH", "TH", "SH", "CH",
          "JH", "S T", "P R", "T R", "B L", "K L", "F R", "S P", "G R")  # fmt: skip
ONSET_WEIGHT = (4, 3, 4, 5, 4, 2, 6, 5, 5, 6, 5, 2, 4, 5, 5, 5, 2, 6, 1, 2, 1, 1, 3, 2, 2, 2, 1, 2, 1, 1)
NUCLEI = ("AH", "IH", "IY", "EH", "AE", "AA", "EY", "AY", "OW", "UW", "ER", "AO", "AW", "UH", "OY")
NUCLEUS_WEIGHT = (11, 9, 6, 5, 5, 4, 4, 4, 4, 4, 3, 3, 2, 1, 0.5)
CODAS = ("", "N", "T", "D", "S", "Z", "R", "L", "K", "M", "V", "NG", "P", "F", "N D", "S T", "N T", "TH", "CH", "B")
CODA_WEIGHT = (14, 7, 6, 4, 4, 4, 4, 4, 3, 4, 2, 2, 2, 1, 2, 2, 2, 1, 1, 1)

# how far a viseme reaches into its neighbours (seconds), and how firmly it holds its shape against them
REACH_S = {"sil": 0.07, "PP": 0.045, "FF": 0.05, "TH": 0.05, "DD": 0.045, "kk": 0.05, "CH": 0.07, "SS": 0.05,
           "nn": 0.05, "RR": 0.07, "aa": 0.08, "E": 0.075, "I": 0.075, "O": 0.09, "U": 0.1}  # fmt: skip
FIRMNESS = {"sil": 1.2, "PP": 5.0, "FF": 3.0, "TH": 1.5, "DD": 0.9, "kk": 0.6, "CH": 1.8, "SS": 1.2, "nn": 0.8,
            "RR": 0.9, "aa": 1.1, "E": 1.0, "I": 1.0, "O": 1.5, "U": 1.7}  # fmt: skip


@dataclass(frozen=True)
class Speech:
    """phonemes: (start_s, end_s, phoneme) one after another; stress_s f64 [K] middles of stressed vowels; phrases."""

    phonemes: Timeline
    stress_s: np.ndarray
    phrases: tuple[tuple[float, float], ...]


def draw_speech(rng: np.random.Generator, start_s: float, end_s: float) -> Speech:
    """Plausible syllables in phrases with pauses from start_s to beyond end_s."""
    pace = float(rng.uniform(0.85, 1.35))  # 1: about 4.5 syllables a second
    time = start_s - float(rng.uniform(0, 1.0))
    rows: list[tuple[float, float, str]] = []
    stress, phrases = [], []

    def say(phoneme: str, scale: float) -> None:
        nonlocal time
        length = PHONEMES[phoneme][1] * scale * float(np.exp(rng.normal(0, 0.2)))
        rows.append((time, time + length, phoneme))
        time += length

    while time < end_s:
        say("sil", float(rng.uniform(0.7, 3.5) if rng.random() < 0.75 else rng.uniform(3, 6)))
        begin, syllables, until_stress = time, int(rng.integers(3, 14)), int(rng.integers(0, 3))
        for number in range(syllables):
            stressed = until_stress == 0
            until_stress = int(rng.integers(1, 4)) if stressed else until_stress - 1
            last = number == syllables - 1
            for phoneme in _pick(rng, ONSETS, ONSET_WEIGHT).split():
                say(phoneme, 1.05 / pace)
            middle = time
            say(_pick(rng, NUCLEI, NUCLEUS_WEIGHT), (1.3 if stressed else 0.85) * (1.35 if last else 1.0) / pace)
            if stressed:
                stress.append((middle + time) / 2)
            for phoneme in _pick(rng, CODAS, CODA_WEIGHT).split():
                say(phoneme, (1.2 if last else 0.95) / pace)
        phrases.append((begin, time))
    return Speech(tuple(rows), np.array(stress), tuple(phrases))


def given_speech(timeline: Timeline) -> Speech:
    """Speech of a timeline made elsewhere (an aligner). Long vowels count as stressed; pauses of 0.15 s end phrases.

    errors  InputError: unknown phoneme (ARPAbet, stress digits allowed), times that run backwards
    """
    rows, stress, phrases = [], [], []
    before = -np.inf
    for start, end, name in timeline:
        phoneme = name.rstrip("012")
        if phoneme not in PHONEMES:
            raise InputError(f"phoneme: found {name!r}, expected one of {', '.join(PHONEMES)}")
        if end < start or start < before - 1e-6:
            raise InputError(f"phoneme {name} at {start:.3f}..{end:.3f} s: expected times that follow one another")
        before = end
        rows.append((float(start), float(end), phoneme))
        if phoneme == "sil":
            continue
        if name.endswith("1") or (phoneme in NUCLEI and not name[-1].isdigit() and end - start > 0.12):
            stress.append((start + end) / 2)
        if phrases and start - phrases[-1][1] < 0.15:
            phrases[-1] = (phrases[-1][0], float(end))
        else:
            phrases.append((float(start), float(end)))
    return Speech(tuple(rows), np.array(stress, float), tuple(phrases))


def cut_timeline(timeline: Timeline, start_s: float, end_s: float) -> Timeline:
    """The part of a timeline between two moments, with times from the first of them on."""
    cut = ((max(start, start_s) - start_s, min(end, end_s) - start_s, phoneme) for start, end, phoneme in timeline)
    return tuple(row for row in cut if row[1] > row[0])


def viseme_curves(times: np.ndarray, timeline: Timeline) -> np.ndarray:
    """Viseme weights of a timeline, f64 [T, 15], each row sums to 1; silence where nothing is said.

    source: overlapping dominance functions (Cohen and Massaro 1993), Gaussian flanks
    """
    weight = np.zeros((len(times), len(VISEME_NAMES)))
    at = {name: index for index, name in enumerate(VISEME_NAMES)}
    for start, end, phoneme in timeline:
        viseme = PHONEMES[phoneme][0]
        reach = min(REACH_S[viseme], 0.6 * (end - start) + 0.025)
        first, last = np.searchsorted(times, (start - 3 * reach, end + 3 * reach))
        inset = min(0.3 * (end - start), 0.03)
        near = times[first:last]
        outside = np.maximum(np.maximum(start + inset - near, near - (end - inset)), 0.0) / reach
        column = at[viseme]
        weight[first:last, column] = np.maximum(weight[first:last, column], FIRMNESS[viseme] * np.exp(-3 * outside**2))
    weight[:, at["sil"]] += 1e-3
    return weight / weight.sum(1, keepdims=True)


def _pick(rng: np.random.Generator, options: tuple[str, ...], weight: tuple[float, ...]) -> str:
    total = np.cumsum(weight)
    return options[int(np.searchsorted(total, rng.random() * total[-1], side="right"))]
