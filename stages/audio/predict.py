"""From blocks of sound to mouth weights at any frame rate, in memory that does not grow but by 5 kB a second."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch

from stages.audio.mel import HOP, RATE_HZ, log_mel
from stages.audio.network import FRAMES_PER_S, STRIDE, UNITS, SpeechFaceNet, unit_columns
from stages.audio.voice import VoiceListener, VoiceNet, gate_01
from stages.core.arkit import ARKIT_NAMES

_STEP = HOP * STRIDE  # samples a frame of the network
_CHUNK = 500  # frames the network is asked for at once; 10 s


@dataclass(frozen=True)
class Heard:
    """What was heard, 50 frames a second, frame i at i / 50 s.

    units      float32 [N, 12] in 0..1, see stages.audio.network.UNITS; at rest where the gate is closed
    level_db   float32 [N]   loudness of the 20 ms about the frame, dB of full scale; -100 where there is nothing
    samples    int   of the sound at 16 kHz
    gate       float32 [N] in 0..1, how far somebody may be speaking; None = nobody asked
    """

    units: np.ndarray
    level_db: np.ndarray
    samples: int
    gate: np.ndarray | None = None

    @property
    def seconds(self) -> float:
        return self.samples / RATE_HZ


def hear(network: SpeechFaceNet, blocks: Iterable[np.ndarray], voice: VoiceNet | None = None) -> Heard:
    """What the network says of a whole sound; how it was cut into blocks changes nothing.

    blocks  int16 [n] each, 16 kHz
    voice   lets the mouth rest where nobody speaks; None = the mouth moves as the speech network says
    """
    listener = None if voice is None else VoiceListener(voice)
    past, ahead = network.config.reach_past, network.config.reach_ahead
    margin = 2  # frames: the windows of the spectra reach a little further
    held = np.zeros((past + margin) * _STEP, np.float32)  # silence before the first sample
    units, levels, total = [], [], 0

    def take(frames: int) -> None:
        """Ask for the next frames; `held` begins `past + margin` before them."""
        nonlocal held
        window = held[: (past + margin + frames + ahead + margin) * _STEP]
        said = _say(network, window)[past + margin : past + margin + frames]
        own = window[(past + margin) * _STEP :][: frames * _STEP].reshape(frames, _STEP)
        units.append(said)
        levels.append(10 * np.log10(np.mean(own**2, axis=1) + 1e-10))
        held = held[frames * _STEP :]

    for block in blocks:
        total += len(block)
        if listener is not None:
            listener.listen(block)
        held = np.concatenate([held, block.astype(np.float32) / 32768.0])
        while len(held) >= (past + ahead + 2 * margin + _CHUNK) * _STEP:
            take(_CHUNK)
    wanted = -(-total // _STEP) + 1  # a frame at the very end, so that any picture lies between two
    held = np.concatenate([held, np.zeros((_CHUNK + ahead + 2 * margin) * _STEP, np.float32)])
    while (missing := wanted - sum(map(len, units))) > 0:
        take(min(_CHUNK, missing))
        held = np.concatenate([held, np.zeros(_CHUNK * _STEP, np.float32)])
    said, level_db = np.concatenate(units), np.concatenate(levels).astype(np.float32)
    if listener is None:
        return Heard(said, level_db, total)
    gate = gate_01(listener.end(), len(said))
    return Heard(said * gate[:, None], level_db, total, gate)


@torch.no_grad()
def _say(network: SpeechFaceNet, window_pm1: np.ndarray) -> np.ndarray:
    device = next(network.parameters()).device
    mel = torch.from_numpy(log_mel(window_pm1))[None].to(device)
    return network(mel[:, : len(window_pm1) // _STEP * STRIDE])[0][0].cpu().numpy()


def frame_count(samples: int, fps: Fraction) -> int:
    """Pictures of a film that lasts as long as the sound: the last one begins before the sound ends, at least one."""
    return max(1, -(-samples * fps.numerator // (RATE_HZ * fps.denominator)))


def at_frames(values: np.ndarray, first: int, count: int, fps: Fraction, offset_s: float = 0.0) -> np.ndarray:
    """float64 [count, ...] of values [N, ...] at 50 a second, linearly between them, at the times of pictures.

    first, count  picture n is shown at n / fps; offset_s  of the sound against the pictures' time
    """
    places = (np.arange(first, first + count) / float(fps) - offset_s) * FRAMES_PER_S
    places = np.clip(places, 0, len(values) - 1)
    low = np.minimum(places.astype(int), max(0, len(values) - 2))
    high = np.minimum(low + 1, len(values) - 1)
    share = (places - low).reshape(-1, *[1] * (values.ndim - 1))
    return values[low] * (1 - share) + values[high] * share


def expressions_of(units: np.ndarray) -> np.ndarray:
    """float64 [T, 52] ARKit weights of units [T, 12]; all that is not mouth or jaw is 0."""
    out = np.zeros((len(units), len(ARKIT_NAMES)))
    for at, columns in enumerate(unit_columns()):
        out[:, columns] = units[:, at : at + 1]
    out[:, ARKIT_NAMES.index("mouthClose")] = np.minimum(  # lips cannot be closed further than the jaw opened them
        units[:, UNITS.index("mouthClose")], units[:, UNITS.index("jawOpen")]
    )
    return out
