"""Phoneme times that a voice tells only roughly, mended by a network that has learned from voices that know theirs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from stages.audio.mel import log_mel
from stages.audio.network import FRAMES_PER_S, SpeechFaceNet
from stages.synthetic.expressions import VISEME_NAMES
from stages.synthetic.phonemes import PHONEMES, Timeline
from stages.training.speech_pool import Programme

_REACH = 7  # frames a boundary may move, 140 ms
_HALF = 0.5  # frame t is of the moment 20 t ms, so what begins with it began half a frame before
_TRUST = 3.0  # frames; further moves cost more than the square of this
ROUGH = ("neural",)  # engines whose times are those of a duration model, not of their sound


def aligned(programmes: list[Programme], network: SpeechFaceNet, *, aligner: bool = False) -> list[Programme]:
    """The programmes, the times of ROUGH engines moved to where the network sees their visemes.

    aligner  to where pocketsphinx hears their sounds, and the network is asked only where that one finds none
    errors   WeightsError: no pocketsphinx
    """
    from stages.training.speech_sphinx import sphinx_aligned

    def mended(programme: Programme) -> Programme:
        seen = align(programme.timeline, viseme_scores(network, programme.sound))
        return sphinx_aligned(programme, seen)[0] if aligner else replace(programme, timeline=seen)

    return [mended(programme) if programme.engine in ROUGH else programme for programme in programmes]


@torch.no_grad()
def viseme_scores(network: SpeechFaceNet, sound: np.ndarray) -> np.ndarray:
    """float64 [T, 15]: log-probabilities of visemes in sound int16 [n], 50 a second."""
    mel = torch.from_numpy(log_mel(sound.astype(np.float32) / 32768.0))[None]
    return network(mel[:, : mel.shape[1] // 2 * 2])[1].log_softmax(-1)[0].double().numpy()


def align(timeline: Timeline, scores: np.ndarray) -> Timeline:
    """The same sounds with the likeliest boundaries: order kept, each at least 20 ms, none moved beyond 140 ms.

    scores  float [T, 15] of `viseme_scores`
    source  Viterbi over boundaries; the cost of a move is that of a Gaussian of 60 ms
    """
    frames = len(scores)
    total = np.concatenate([np.zeros((1, scores.shape[1])), np.cumsum(scores, axis=0)])
    given = np.clip(np.round([row[1] * FRAMES_PER_S + _HALF for row in timeline]).astype(int), 0, frames)
    best = np.full(frames + 1, -np.inf)
    best[0] = 0.0
    came = np.zeros((len(timeline), frames + 1), np.int32)
    for at, (_, _, name) in enumerate(timeline):
        column = total[:, VISEME_NAMES.index(PHONEMES[name][0])]
        from_here = best - column
        leader = np.maximum.accumulate(from_here)
        index = np.maximum.accumulate(np.where(from_here >= leader, np.arange(frames + 1), 0))
        best = np.full(frames + 1, -np.inf)
        places = np.arange(max(1, given[at] - _REACH), min(frames, given[at] + _REACH) + 1)
        if at == len(timeline) - 1:
            places = np.array([frames])
        best[places] = column[places] + leader[places - 1] - 0.5 * ((places - given[at]) / _TRUST) ** 2
        came[at, places] = index[places - 1]
    if not np.isfinite(best[frames]):  # more sounds than frames somewhere: the given times stay
        return timeline
    ends, place = [], frames
    for at in range(len(timeline) - 1, -1, -1):
        ends.append(place)
        place = came[at, place]
    times = (np.array(ends[::-1]) - _HALF) / FRAMES_PER_S
    times[-1] = max(times[-1], timeline[-1][1])
    starts = np.concatenate([[0.0], times[:-1]])
    names = (name for _, _, name in timeline)
    return tuple(zip(starts.tolist(), times.tolist(), names, strict=True))
