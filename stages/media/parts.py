"""A long film cut into short ones without decoding it.

decord hands packets to its decoder as fast as it can while it waits for a picture, and keeps every picture that comes
out: on a busy machine, or with a slow consumer, it ends up holding the whole film (2.3 GB for 612 pictures of 720p,
measured). A reader that sees one short part at a time cannot.
"""

from __future__ import annotations

import csv
from fractions import Fraction
from pathlib import Path

from stages.core.errors import InputError
from stages.media.ffmpeg import command, input_arguments, run_ffmpeg

PART_FRAMES = 48


def split_film(path: Path, folder: Path, fps: Fraction, frames: int) -> list[tuple[Path, int]]:
    """(part, its number of frames) in order; each part begins at a key frame and has PART_FRAMES frames or a few more.

    path     an MP4 written by us (key frames every 48 or 250 frames);  folder  empty, for the parts
    fps, frames  of the film
    errors   InputError when the parts do not add up to the film
    """
    table = folder / "parts.csv"
    log = run_ffmpeg(
        command(
            *input_arguments(path),
            *("-map", "0:v:0", "-c", "copy", "-f", "segment", "-segment_format", "mp4", "-reset_timestamps", "1"),
            *("-segment_time", f"{float((PART_FRAMES - Fraction(1, 2)) / fps):.6f}"),
            *("-segment_list", str(table), "-segment_list_type", "csv", str(folder / "%06d.mp4")),
        )
    )
    if log.code or not table.is_file():
        log.raise_if_out_of_space(folder)
        raise InputError(f"{path}: cannot be cut into parts ({log.reason()})")
    with table.open(newline="") as file:
        rows = [(folder / name, float(start), float(end)) for name, start, end in csv.reader(file)]
    # in films with B-frames all times but the first part's beginning are later by the decoder's delay
    delay_s = rows[-1][2] - float(frames / fps)
    firsts = [0, *(round((start - delay_s) * float(fps)) for _, start, _ in rows[1:])]
    counts = [b - a for a, b in zip(firsts, [*firsts[1:], frames], strict=True)]
    if min(counts, default=0) < 1:
        raise InputError(f"{path}: cut into {len(counts)} parts that do not add up to its {frames} frames")
    return [(name, count) for (name, _, _), count in zip(rows, counts, strict=True)]
