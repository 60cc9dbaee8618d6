"""The sound of a film as numbers."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.core.errors import InputError
from stages.media.ffmpeg import REFUSED_FORMATS, checked_file, command, input_arguments, run_ffmpeg, split_level, stop
from stages.media.probe import probe

_TIMEOUT_S = 600
_BLOCK_S = 20.0
_AUDIO = re.compile(r"^\s*Stream #\d+:\d+\S*: Audio: (\w+)")


@dataclass(frozen=True)
class SoundInfo:
    """codec of the first sound track, ffmpeg's name; duration_s as the container says, None where it does not."""

    codec: str
    duration_s: float | None


def probe_sound(path: str | os.PathLike[str]) -> SoundInfo:
    """What the sound of a file is: a sound file or a film. Nothing is decoded.

    errors  InputError: a URL, missing, empty, not a sound or film, or a film without sound
    """
    file = checked_file(path)
    lines: list[str] = []
    log = run_ffmpeg(
        command(*input_arguments(file)), on_line=lambda _, text: lines.append(text) if len(lines) < 4000 else None
    )
    header = next((line for line in lines if line.startswith("Input #0, ")), None)
    if header is None:
        raise InputError(f"{file}: found no sound in it ({log.reason()}), expected WAV, MP3, M4A, FLAC, OGG or a film")
    formats = set(header.removeprefix("Input #0, ").split(", from ")[0].split(","))
    if formats & REFUSED_FORMATS:
        raise InputError(f"{file}: found a file of type {'/'.join(sorted(formats))}, expected a sound file or a film")
    track = next((match for match in map(_AUDIO.match, lines) if match), None)
    if track is None:
        raise InputError(f"{file}: found no sound track in it, expected one that speaks")
    lasts = next((m for m in (re.search(r"^\s*Duration: (\d+):(\d+):([\d.]+)", line) for line in lines) if m), None)
    seconds = None if lasts is None else int(lasts[1]) * 3600 + int(lasts[2]) * 60 + float(lasts[3])
    return SoundInfo(track[1], seconds)


def sound_blocks(path: str | os.PathLike[str], rate_hz: int = 16000, block_s: float = _BLOCK_S) -> Iterator[np.ndarray]:
    """Blocks int16 [n] of the first sound track mixed to one channel, in bounded memory; gaps in it are filled.

    path    a sound file or a film that `probe_sound` takes
    errors  InputError: the track cannot be decoded, or breaks off before any sound came
    """
    file = checked_file(path)
    words = [*input_arguments(file), "-vn", "-map", "0:a:0", "-af", "aresample=async=1:first_pts=0", "-ac", "1"]
    most = 2 * max(1, round(block_s * rate_hz))
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(
            command(*words, "-ar", str(rate_hz), "-f", "s16le", "-acodec", "pcm_s16le", "pipe:1", threads=1),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said,
        )  # fmt: skip
        found = 0
        try:
            while data := child.stdout.read(most):
                found += len(data)
                yield np.frombuffer(data[: len(data) // 2 * 2], "<i2")
            code = child.wait()
        finally:
            stop(child)
        if code != 0 or not found:
            said.seek(0)
            lines = [split_level(line) for line in said.read().decode("utf-8", "replace").splitlines()]
            reasons = [text for level, text in lines if level in ("error", "fatal", "panic")] or ["it holds no samples"]
            raise InputError(f"{file}: its sound cannot be decoded ({reasons[0].strip()[:160]})")


def read_sound(path: str | os.PathLike[str], rate_hz: int = 16000) -> np.ndarray | None:
    """int16 [samples], the first sound track mixed to one channel; None where there is none.

    path    a film; anything else (a folder of pictures, an array) has no sound
    errors  InputError: the track cannot be decoded
    """
    if not Path(path).is_file() or Path(path).suffix in (".npy", ".npz"):
        return None
    file = checked_file(path)
    if not probe(file).has_audio:
        return None
    words = [*input_arguments(file), "-vn", "-map", "0:a:0", "-af", "aresample=async=1", "-ac", "1"]
    done = subprocess.run(
        command(*words, "-ar", str(rate_hz), "-f", "s16le", "-acodec", "pcm_s16le", "pipe:1", threads=1),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_TIMEOUT_S,
    )
    if done.returncode != 0 or not done.stdout:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise InputError(f"{file}: its sound cannot be decoded ({said[-1][:160] if said else 'nothing was said'})")
    return np.frombuffer(done.stdout[: len(done.stdout) // 2 * 2], "<i2")


def sound_of_film(data: np.ndarray, rate_hz: int = 16000) -> np.ndarray | None:
    """As `read_sound`, of the bytes of a film, uint8 [n]."""
    with tempfile.TemporaryDirectory(prefix="dreamactor-") as folder:
        file = Path(folder) / "film.mp4"
        file.write_bytes(np.asarray(data, np.uint8).tobytes())
        return read_sound(file, rate_hz)
