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
# of General MIDI: what moves its resonances or is sung: guitars with effects, brass, choirs, saxophones, leads, pads
_VOICELIKE = (18, 28, 29, 30, 52, 53, 54, 56, 59, 64, 65, 66, 67, 68, 75, 78, 80, 81, 83, 84, 85, 87, 91, 94, 103)


def play_song(rng: np.random.Generator, seconds: float, speech: np.ndarray | None) -> np.ndarray:
    """int16 [n] at 16 kHz: a piece, sung to where there is speech int16 [m], sometimes distorted or very loud."""
    from stages.training.speech_singing import sung

    piece = play_music(rng, seconds).astype(np.float32) / 32768.0
    piece = 0.1 * piece / (np.sqrt(np.mean(piece**2)) + 1e-4)
    if rng.random() < 0.3:  # an amplifier turned up: guitars, and drums that pump
        piece = np.tanh(piece * rng.uniform(5, 40)) * 0.1
    if speech is not None:
        voices = [sung(rng, speech, seconds)[: len(piece)] for _ in range(1 if rng.random() < 0.7 else 2)]
        piece[: len(voices[0])] += sum(voices) * 10 ** (rng.uniform(-8, 10) / 20)
    loud = np.tanh(piece * rng.uniform(1, 8)) if rng.random() < 0.5 else piece
    loud = 0.1 * loud / (np.sqrt(np.mean(loud**2)) + 1e-4)
    return np.clip(loud * 32767, -32768, 32767).astype(np.int16)


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
    """A standard MIDI file: up to four instruments and mostly drums, sometimes drums alone."""
    tempo = int(rng.integers(60, 170))
    quarters = int(seconds * tempo / 60) + 1
    scale, root = _SCALES[int(rng.integers(len(_SCALES)))], int(rng.integers(40, 60))
    events: list[tuple[int, bytes]] = [(0, b"\xff\x51\x03" + round(60e6 / tempo).to_bytes(3, "big"))]

    def note(at: float, length: float, channel: int, pitch: int, strength: int) -> None:
        events.append((round(at * _TICKS), bytes([0x90 | channel, min(pitch, 127), strength])))
        events.append((round((at + length) * _TICKS), bytes([0x80 | channel, min(pitch, 127), 0])))

    def pitch_of(step: int) -> int:
        return root + 12 * (step // len(scale)) + scale[step % len(scale)]

    drums_alone = rng.random() < 0.1
    for channel in range(0 if drums_alone else int(rng.integers(1, 5))):
        program = int(rng.choice(_VOICELIKE)) if rng.random() < 0.3 else int(rng.integers(0, 120))
        events.append((0, bytes([0xC0 | channel, program])))
        pace = float(rng.choice([0.25, 0.5, 0.5, 1.0, 2.0, 4.0]))
        step, at = int(rng.integers(0, 10)), 0.0
        while at < quarters:
            step = int(np.clip(step + rng.integers(-3, 4), 0, 16))
            if rng.random() < 0.85:
                for third in range(3 if pace >= 1 and rng.random() < 0.6 else 1):
                    note(at, pace * 0.95, channel, pitch_of(step + 2 * third), int(rng.integers(50, 115)))
            at += pace
    if drums_alone or rng.random() < 0.7:
        kit = [int(drum) for drum in rng.integers(35, 82, 3)] if rng.random() < 0.3 else (36, 38, 42)
        for half in range(2 * quarters):
            shares = (0.9 if half % 4 == 0 else 0.1, 0.9 if half % 4 == 2 else 0.05, 0.8)
            for drum, share in zip(kit, shares, strict=True):
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
