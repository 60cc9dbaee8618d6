"""Phoneme times from pocketsphinx, an aligner that has nothing to do with our networks: for truth one can test against.

Needs the package pocketsphinx (5.1.1; BSD, its English acoustic model is in the wheel). Nothing of it is shipped.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from stages.core.errors import WeightsError
from stages.synthetic.phonemes import Timeline
from stages.training.speech_phones import GLIDES, gliding
from stages.training.speech_pool import Programme
from stages.training.speech_voices import RATE_HZ

_FRAME_S = 0.01
_PAUSE_S = 0.12  # pauses at least this long part what is aligned piece by piece
_FARTHEST_S = 0.25  # a sound that begins further from where the voice said it did is a slip of the aligner
_KNOWN_AS = {"AX": "AH"}


def sphinx_aligned(programme: Programme, otherwise: Timeline | None = None) -> tuple[Programme, float]:
    """(the programme with the same sounds at the aligner's times, share of its sounds that it could place).

    otherwise  its sounds at the times they have in pieces between pauses that cannot be placed; None = those they had
    errors     WeightsError: no pocketsphinx
    """
    rows = joined_glides(programme.timeline)
    others = _joined_as(rows, programme.timeline if otherwise is None else otherwise)
    out: list[tuple[float, float, str]] = []
    placed = spoken = 0
    for first, last in _pieces(rows):
        piece = rows[first:last]
        begin = (piece[0][0] + piece[0][1]) / 2 if piece[0][2] == "sil" else piece[0][0]
        end = (piece[-1][0] + piece[-1][1]) / 2 if piece[-1][2] == "sil" else piece[-1][1]
        sounds = [row for row in piece if row[2] != "sil"]
        sound = programme.sound[round(begin * RATE_HZ) : round(end * RATE_HZ)]
        found = _place(sound, [name for _, _, name in sounds], [a - begin for a, _, _ in sounds]) if sounds else []
        spoken += len(sounds)
        if found:
            placed += len(sounds)
            out += [(a + begin, b + begin, row[2]) for (a, b), row in zip(found, sounds, strict=True)]
        else:
            out += [row for row in others[first:last] if row[2] != "sil"]
    return replace(programme, timeline=gliding(_with_pauses(out, rows[-1][1]))), placed / max(1, spoken)


def joined_glides(timeline: Timeline) -> Timeline:
    """The timeline with the halves of diphthongs, which `gliding` parted at a known share, one sound again."""
    whole = {(first, second): (name, share) for name, (first, second, share) in GLIDES.items()}
    out: list[tuple[float, float, str]] = []
    for start, end, name in timeline:
        before = out[-1] if out else (0.0, -1.0, "")
        glide = whole.get((before[2], name))
        if glide and abs(before[1] - start) < 1e-6 and abs(before[1] - before[0] - glide[1] * (end - before[0])) < 1e-6:
            out[-1] = (before[0], end, glide[0])
        else:
            out.append((start, end, name))
    return tuple(out)


def _joined_as(rows: Timeline, timeline: Timeline) -> Timeline:
    """`timeline`, whose sounds are those that were joined to `rows`, joined in the same places."""
    out, at = [], 0
    for _, _, name in rows:
        last = at + (name != timeline[at][2])  # a diphthong was joined from two
        out.append((timeline[at][0], timeline[last][1], name))
        at = last + 1
    return tuple(out)


def _pieces(rows: Timeline) -> list[tuple[int, int]]:
    """Ranges of rows from pause to pause, each with both its pauses."""
    pauses = [at for at, (start, end, name) in enumerate(rows) if name == "sil" and end - start >= _PAUSE_S]
    edges = sorted({0, *pauses, len(rows) - 1})
    return [(first, last + 1) for first, last in zip(edges, edges[1:], strict=False)]


def _with_pauses(sounds: list[tuple[float, float, str]], end_s: float) -> Timeline:
    out, at = [], 0.0
    for start, end, name in [*sounds, (end_s, end_s, "sil")]:
        if start > at + 1e-6:
            out.append((at, start, "sil"))
        out.append((max(start, at), end, name))
        at = end
    return tuple(row for row in out if row[1] > row[0])


def _place(sound: np.ndarray, names: list[str], starts_s: list[float]) -> list[tuple[float, float]]:
    """(start_s, end_s) of every sound, or nothing where the aligner found none or lost its way."""
    decoder = _decoder()
    word = "piece" + "".join(names).lower()
    if decoder.lookup_word(word) is None:
        decoder.add_word(word, " ".join(_KNOWN_AS.get(name, name) for name in names), True)
    data = sound.astype("<i2").tobytes()
    decoder.set_align_text(word)
    _listen(decoder, data)
    if decoder.hyp() is None:
        return []
    decoder.set_alignment()
    _listen(decoder, data)
    phones = [phone for part in decoder.get_alignment() for phone in part if phone.name not in ("SIL", "sil")]
    found = [(phone.start * _FRAME_S, (phone.start + phone.duration) * _FRAME_S) for phone in phones]
    if len(found) != len(names) or max(abs(a - s) for (a, _), s in zip(found, starts_s, strict=True)) > _FARTHEST_S:
        return []
    return found


def _listen(decoder, data: bytes) -> None:
    decoder.start_utt()
    decoder.process_raw(data, full_utt=True)
    decoder.end_utt()


@cache
def _decoder():
    try:
        from pocketsphinx import Decoder
    except ImportError:
        raise WeightsError("pocketsphinx: not installed. pip install pocketsphinx==5.1.1") from None
    return Decoder(samprate=RATE_HZ, loglevel="FATAL", beam=1e-120, wbeam=1e-100, pbeam=1e-120)
