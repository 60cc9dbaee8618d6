"""What a speaker's face and head do besides speaking: blinks, and small turns of the head that go with the voice.

Nobody can hear when somebody blinks or which way they lean; these are plausible, not true, and follow from a seed.
Rates as in stages.synthetic.face_motion: 12 to 20 blinks a minute, sooner where the speaker pauses (as people do).
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stages.audio.network import FRAMES_PER_S
from stages.core.geometry import smoothstep

_PAUSE_S = (2.0, 7.0)  # between blinks
_SNAP_S = 0.6  # a blink waits this long for the voice to fall
_CLOSE_S, _CLOSED_S, _OPEN_S = 0.08, 0.03, 0.16
_SPEECH_DB = 25.0  # below the loudest a voice counts as silent
_NOD_DEG, _SWAY_DEG = 2.0, (0.8, 1.6, 1.0)  # pitch from stress; slow pitch, yaw, roll


def voice_01(level_db: np.ndarray) -> np.ndarray:
    """float [N] in 0..1: how loud the voice is, 0 from 25 dB below the loudest tenth of the sound; all 0 in silence."""
    if not len(level_db):
        return np.zeros(0)
    smooth = gaussian_filter1d(np.asarray(level_db, np.float64), 0.04 * FRAMES_PER_S)
    loud = np.percentile(smooth, 95)
    if loud < -70.0:
        return np.zeros(len(smooth))
    return np.clip((smooth - loud + _SPEECH_DB) / _SPEECH_DB, 0.0, 1.0)


def blink_lids(rng: np.random.Generator, voice: np.ndarray) -> np.ndarray:
    """float [N] in 0..1, 50 a second: how far the lids are closed."""
    times = np.arange(len(voice)) / FRAMES_PER_S
    lids = np.zeros(len(times))
    moment = rng.uniform(0.5, _PAUSE_S[1])
    reach = round(_SNAP_S * FRAMES_PER_S)
    while len(times) and moment < times[-1]:
        first = round(moment * FRAMES_PER_S)
        moment = times[first] + np.argmin(voice[first : first + reach]) / FRAMES_PER_S
        gap = (times - moment) / rng.uniform(0.85, 1.2)
        shape = smoothstep(gap, 0.0, _CLOSE_S) * (1 - smoothstep((gap - _CLOSE_S - _CLOSED_S) / _OPEN_S, 0.0, 1.0))
        lids = np.maximum(lids, rng.uniform(0.9, 1.0) * shape)
        moment += rng.uniform(*_PAUSE_S)
    return lids


def head_turns_deg(rng: np.random.Generator, voice: np.ndarray) -> np.ndarray:
    """float [N, 3] pitch (down positive), yaw, roll, 50 a second: nods on stressed syllables over a slow sway."""
    stress = gaussian_filter1d(voice, 0.08 * FRAMES_PER_S) - gaussian_filter1d(voice, 0.5 * FRAMES_PER_S)
    nods = _NOD_DEG * gaussian_filter1d(np.maximum(stress, 0.0), 0.06 * FRAMES_PER_S) / 0.15
    sway = gaussian_filter1d(rng.normal(size=(len(voice), 3)), 0.6 * FRAMES_PER_S, axis=0)
    sway = sway * np.sqrt(2 * np.sqrt(np.pi) * 0.6 * FRAMES_PER_S) * np.array(_SWAY_DEG)  # to the spread asked for
    lively = 0.4 + 0.6 * gaussian_filter1d(np.asarray(voice > 0, float), 0.5 * FRAMES_PER_S)
    turns = sway * lively[:, None]
    turns[:, 0] += np.minimum(nods, 2 * _NOD_DEG)
    return turns
