"""The sound of a film as numbers."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from stages.core.errors import InputError
from stages.media.ffmpeg import checked_file, command, input_arguments
from stages.media.probe import probe

_TIMEOUT_S = 600


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
