"""Whether anybody speaks: a voice detector made by others, and the gate by which a mouth rests where nobody does.

The network is Silero VAD for 16 kHz (github.com/snakers4/silero-vad, MIT). Its arrays are fetched by name and checksum
and run here, without its code: 32 ms of sound and the 4 ms before them, spectrum, four convolutions, an LSTM.

The LSTM remembers without end: after a minute of loud music it took up to 1.5 s longer to notice that somebody speaks.
So what is said of a chunk has only 4 to 8 s before it in mind (0.3 s longer at most), and a stream can be cut anywhere.
With 1 or 2 s music opens the gate 1.9 and 1.3 times as often as with 4, with 8 s voices were up to 0.9 s late.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import uniform_filter1d
from torch import Tensor, nn

from stages.audio import VOICE_NET
from stages.audio.mel import RATE_HZ
from stages.audio.network import FRAMES_PER_S
from stages.weights.checkpoint import load_strictly

CHUNK = 512  # samples
MEMORY = 125  # chunks, 4 s: as many are heard before a chunk at least, twice as many at most
_BEFORE, _FFT, _HOP, _BINS = 64, 256, 128, 129
_AHEAD_S, _HOLD_S, _RAMP_S = 0.8, 1.0, 0.1
_NOBODY, _SOMEBODY = 0.1, 0.3
_STEP = RATE_HZ // FRAMES_PER_S  # samples


class VoiceNet(nn.Module):
    """Silero VAD 6 for 16 kHz; the arrays have the names that stages.weights.layouts.silero gives them."""

    def __init__(self) -> None:
        super().__init__()
        self.stft = nn.Conv1d(1, 2 * _BINS, _FFT, _HOP, bias=False)
        sizes = ((_BINS, 128, 1), (128, 64, 2), (64, 64, 2), (64, 128, 1))
        self.encoder = nn.ModuleList(nn.Conv1d(few, many, 3, step, 1) for few, many, step in sizes)
        self.memory = nn.LSTM(128, 128, batch_first=True)
        self.voice = nn.Conv1d(128, 1, 1)

    def features(self, windows: Tensor) -> Tensor:
        """[N, 128] of sound [N, 64 + 512] in -1..1, the 64 samples before a chunk and the chunk"""
        x = self.stft(F.pad(windows[:, None], (0, _BEFORE), "reflect"))  # [N, 258, 4]
        x = torch.hypot(x[:, :_BINS], x[:, _BINS:])  # [N, 129, 4]
        for layer in self.encoder:
            x = F.relu(layer(x))
        return x[:, :, 0]  # [N, 128]

    def forward(self, features: Tensor) -> Tensor:
        """features [B, T, 128] of chunks one after another, nothing before them -> [B, T] in 0..1, is it a voice"""
        states = self.memory(features)[0]  # [B, T, 128]
        return torch.sigmoid(self.voice(F.relu(states).transpose(1, 2)))[:, 0]


def load_voice_net() -> VoiceNet:
    """The registered network, fetched where the cache lacks it. errors  WeightsError"""
    from stages.weights import load_tensors

    network = VoiceNet()
    tensors = {name: torch.from_numpy(array) for name, array in load_tensors(VOICE_NET).items()}
    load_strictly(network, tensors, VOICE_NET)
    return network.eval()


class VoiceListener:
    """Hears a sound block by block; how it is cut changes nothing. Memory grows by 125 bytes a second."""

    def __init__(self, network: VoiceNet) -> None:
        self._network = network
        self._held = np.zeros(_BEFORE, np.float32)  # from 64 samples before the next chunk
        self._before: Tensor | None = None  # features [125, 128] of what was said last
        self._said: list[np.ndarray] = []

    def listen(self, block: np.ndarray) -> None:
        """block  int16 [n] at 16 kHz"""
        self._held = np.concatenate([self._held, block.astype(np.float32) / 32768.0])
        while len(self._held) >= _BEFORE + MEMORY * CHUNK:
            self._take(MEMORY)

    def end(self) -> np.ndarray:
        """float32 [K] in 0..1, one every 32 ms: how surely somebody speaks in samples 512 k to 512 k + 511."""
        left = -(-(len(self._held) - _BEFORE) // CHUNK)
        if left:
            self._held = np.pad(self._held, (0, _BEFORE + left * CHUNK - len(self._held)))
            self._take(left)
        return np.concatenate(self._said) if self._said else np.zeros(0, np.float32)

    @torch.no_grad()
    def _take(self, count: int) -> None:
        windows = np.lib.stride_tricks.sliding_window_view(self._held, _BEFORE + CHUNK)[::CHUNK][:count]
        device = next(self._network.parameters()).device
        found = self._network.features(torch.from_numpy(windows.copy()).to(device))
        known = found if self._before is None else torch.cat([self._before, found])
        self._said.append(self._network(known[None])[0, -count:].cpu().numpy())
        self._before, self._held = found, self._held[count * CHUNK :]


def gate_01(voice: np.ndarray, frames: int) -> np.ndarray:
    """float32 [frames] in 0..1, 50 a second: 1 = the mouth moves as heard, 0 = it rests; ramps of 0.2 s between.

    voice  float32 [K] what a VoiceListener heard

    Open from 0.7 s before anybody may speak until 0.9 s after, because a mouth opens before its sound and the detector
    notices late. The more than 0.1 of 1, the further; 0.3 is enough, where speech has 0.9.
    """
    if not len(voice):
        return np.zeros(frames, np.float32)
    at = np.minimum(np.arange(frames) * _STEP // CHUNK, len(voice) - 1)
    hold, ahead, ramp = (round(seconds * FRAMES_PER_S) for seconds in (_HOLD_S, _AHEAD_S, _RAMP_S))
    around = np.lib.stride_tricks.sliding_window_view(np.pad(voice[at], (hold, ahead)), hold + ahead + 1)
    surely = np.clip((around.max(1).astype(np.float64) - _NOBODY) / (_SOMEBODY - _NOBODY), 0.0, 1.0)
    return uniform_filter1d(surely, 2 * ramp + 1, mode="nearest").astype(np.float32)
