"""Small clips and pictures of known content, made with ffmpeg's own generators."""

from __future__ import annotations

import subprocess
from pathlib import Path

from stages.media.ffmpeg import ffmpeg_exe


def ffmpeg(*arguments: object) -> None:
    """Run ffmpeg; its error text becomes the test's failure."""
    command = [ffmpeg_exe(), "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-800:]


def clip(
    path: Path, *, size: str = "64x48", rate: str = "25", frames: int = 10, sound: bool = False, extra: tuple = ()
) -> Path:
    """A moving test picture; with `sound` a 440 Hz tone of the same length beside it."""
    inputs = ["-f", "lavfi", "-i", f"testsrc=size={size}:rate={rate}"]
    if sound:
        inputs += ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100"]
    ffmpeg(*inputs, "-frames:v", frames, *(["-shortest"] if sound else []), *extra, path)
    return path
