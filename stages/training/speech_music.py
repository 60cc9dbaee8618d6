"""Music nobody wrote, for faces that must not mouth along: random tunes with drums, played by fluidsynth.

Needs Debian's fluidsynth and timgm6mb-soundfont on the machine of who trains; nothing of them is shipped.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np

from stages.core.errors import WeightsError
from stages.training.speech_voices import RATE_HZ

SOUND_FONT = Path("/usr/share/sounds/sf2/TimGM6mb.sf2")
_TICKS = 480  # a quarter note
_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9), (0, 3, 5, 6, 7, 10))
_DRUMS = 9


def play_music(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """int16 [n] at 16 kHz of a random piece. errors  WeightsError: fluidsynth or its sound font is missing"""
    if shutil.which("fluidsynth") is None or not SOUND_FONT.is_file():
        raise WeightsError("music: needs fluidsynth and timgm6mb-soundfont. Debian: apt-get install both")
    with tempfile.TemporaryDirectory(prefix="dreamactor-") as folder:
        tune, sound = Path(folder) / "tune.mid", Path(folder) / "tune.wav"
        tune.write_bytes(_piece(rng, seconds))
        words = ["fluidsynth", "-ni", "-q", "-g", "0.7", "-r", str(RATE_HZ), "-F", str(sound)]
        subprocess.run([*words, str(SOUND_FONT), str(tune)], capture_output=True, timeout=300, check=True)
        with wave.open(str(sound), "rb") as file:
            both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
    return both.mean(1).astype(np.int16)[: round(seconds * RATE_HZ)]


def _piece(rng: np.random.Generator, seconds: float) -> bytes:
    """A standard MIDI file: two to four instruments and mostly drums."""
    tempo = int(rng.integers(60, 170))
    quarters = int(seconds * tempo / 60) + 1
    scale, root = _SCALES[int(rng.integers(len(_SCALES)))], int(rng.integers(40, 60))
    events: list[tuple[int, bytes]] = [(0, b"\xff\x51\x03" + round(60e6 / tempo).to_bytes(3, "big"))]

    def note(at: float, length: float, channel: int, pitch: int, strength: int) -> None:
        events.append((round(at * _TICKS), bytes([0x90 | channel, min(pitch, 127), strength])))
        events.append((round((at + length) * _TICKS), bytes([0x80 | channel, min(pitch, 127), 0])))

    def pitch_of(step: int) -> int:
        return root + 12 * (step // len(scale)) + scale[step % len(scale)]

    for channel in range(int(rng.integers(1, 4))):
        events.append((0, bytes([0xC0 | channel, int(rng.integers(0, 112))])))
        pace = float(rng.choice([0.25, 0.5, 0.5, 1.0, 2.0, 4.0]))
        step, at = int(rng.integers(0, 10)), 0.0
        while at < quarters:
            step = int(np.clip(step + rng.integers(-3, 4), 0, 16))
            if rng.random() < 0.85:
                for third in range(3 if pace >= 1 and rng.random() < 0.6 else 1):
                    note(at, pace * 0.95, channel, pitch_of(step + 2 * third), int(rng.integers(50, 115)))
            at += pace
    if rng.random() < 0.7:
        for half in range(2 * quarters):
            for drum, share in ((36, 0.9 if half % 4 == 0 else 0.1), (38, 0.9 if half % 4 == 2 else 0.05), (42, 0.8)):
                if rng.random() < share:
                    note(half / 2, 0.2, _DRUMS, drum, int(rng.integers(60, 120)))
    events.sort(key=lambda event: (event[0], event[1][0] & 0xF0 != 0x80))
    track, before = bytearray(), 0
    for tick, data in events:
        track += _length(tick - before) + data
        before = tick
    track += b"\x00\xff\x2f\x00"
    head = b"MThd" + (6).to_bytes(4, "big") + b"\x00\x00\x00\x01" + _TICKS.to_bytes(2, "big")
    return head + b"MTrk" + len(track).to_bytes(4, "big") + bytes(track)


def _length(value: int) -> bytes:
    """MIDI's number of variable length."""
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(0x80 | value & 0x7F)
    return bytes(reversed(out))
