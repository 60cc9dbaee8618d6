"""What a file is, read from its headers and packet times; nothing is decoded."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from stages.core.errors import InputError
from stages.media.ffmpeg import REFUSED_FORMATS, checked_file, command, input_arguments, run_ffmpeg, stop

MIN_SIDE_PX = 16
MAX_SIDE_PX = 16_384
MAX_VIDEO_PIXELS = 8192 * 4608
MAX_RATE = Fraction(1000)
_SCANNED_PACKETS = 3000
_PICTURE_RATES = sorted(
    {Fraction(n) for n in range(1, 241)} | {Fraction(n * 1000, 1001) for n in (24, 30, 48, 60, 120)}
)
_STREAM = re.compile(r"^\s*Stream #\d+:\d+\S*: (Video|Audio): (\w+)(.*)$")
_SIZE = re.compile(r"(?:^|[ ,])(\d{1,6})x(\d{1,6})(?=[ ,\[]|$)")
_ALPHA = re.compile(r"^(yuva|rgba|bgra|argb|abgr|gbrap|ya8|ya16|pal8|ayuv|vuya)")


@dataclass(frozen=True)
class MediaInfo:
    """What `probe` and `normalise` found.

    kind           "video" or "photo"
    width height   int, px, upright (rotation applied, square pixels)
    rotation_deg   int, clockwise turn that makes the stored picture upright: 0, 90, 180 or 270
    fps            Fraction, pictures a second; 0 for a photo
    duration_s     float | None, as the container says; None = it does not say
    has_audio      bool
    codec pix_fmt  str, ffmpeg's names (a photo: the file format and the mode)
    variable_fps   bool, True when some picture stands away from every even grid (see `rate_of`)
    frame_count    int | None, pictures in the written file; None from `probe`
    warnings       one line each, for example a video that broke off
    The remaining fields are what `normalise` needs to know.
    """

    kind: Literal["video", "photo"]
    width: int
    height: int
    rotation_deg: int
    fps: Fraction
    duration_s: float | None
    has_audio: bool
    codec: str
    pix_fmt: str
    variable_fps: bool
    frame_count: int | None = None
    warnings: tuple[str, ...] = ()
    audio_codec: str = ""
    has_alpha: bool = False
    colour: str = ""
    interlaced: bool = False
    first_s: float = 0.0


def probe(path: str | os.PathLike[str]) -> MediaInfo:
    """What one photo or video is, in a MediaInfo.

    path    a local file of any container and codec ffmpeg knows, or a picture Pillow knows
    errors  InputError: a URL, missing, a directory, empty, not a picture or video, no picture stream, or a size
            outside 16 px .. 16384 px a side
    """
    from stages.media.photo import open_photo

    file = checked_file(path)
    photo = open_photo(file)
    if photo is not None:
        with photo:
            check_size(file, *photo.upright_size)
            width, height = photo.upright_size
            return MediaInfo(
                "photo", width, height, photo.rotation_deg, Fraction(0), None, False, photo.format, photo.mode, False
            )
    return probe_video(file)


def probe_video(file: Path) -> MediaInfo:
    """The MediaInfo of a file that Pillow does not take for a still picture."""
    lines: list[str] = []
    log = run_ffmpeg(
        command(*input_arguments(file)),
        on_line=lambda _, text: lines.append(text) if len(lines) < 4000 else None,
    )
    header = next((line for line in lines if line.startswith("Input #0, ")), None)
    if header is None:
        raise InputError(
            f"{file}: found no video or picture in it ({log.reason()}), expected MP4, MOV, MKV, WebM, GIF or the like"
        )
    formats = set(header.removeprefix("Input #0, ").split(", from ")[0].split(","))
    if formats & REFUSED_FORMATS:
        raise InputError(f"{file}: found a file of type {'/'.join(sorted(formats))}, expected a video or picture")
    return _parse(file, lines)


def _parse(file: Path, lines: list[str]) -> MediaInfo:
    duration = next((m for m in (re.search(r"^\s*Duration: (\d+):(\d+):([\d.]+)", x) for x in lines) if m), None)
    duration_s = None
    if duration is not None:
        duration_s = int(duration[1]) * 3600 + int(duration[2]) * 60 + float(duration[3])
    streams = [(i, m) for i, m in ((i, _STREAM.match(x)) for i, x in enumerate(lines)) if m]
    video = next(((i, m) for i, m in streams if m[1] == "Video" and "(attached pic)" not in m[3]), None)
    audio = next((m for _, m in streams if m[1] == "Audio"), None)
    if video is None:
        raise InputError(f"{file}: found {'sound only' if audio else 'no pictures'}, expected a video with pictures")
    start, match = video
    end = next((i for i, _ in streams if i > start), len(lines))
    details = lines[start + 1 : end]
    text = match[3]
    size = _SIZE.search(text)
    if size is None:
        raise InputError(f"{file}: the video stream tells no picture size; the file is damaged or empty")
    width, height = int(size[1]), int(size[2])
    aspect = re.search(r"SAR (\d+):(\d+)", text)
    if aspect and int(aspect[1]) > 0 and int(aspect[2]) > 0:
        width = max(1, round(width * int(aspect[1]) / int(aspect[2])))
    turn = next((m for m in (re.search(r"rotation of (-?[\d.]+) degrees", x) for x in details) if m), None)
    rotation_deg = round(-float(turn[1]) / 90) * 90 % 360 if turn else 0
    if rotation_deg in (90, 270):
        width, height = height, width
    check_size(file, width, height, MAX_VIDEO_PIXELS)

    bare = re.sub(r"^\s*(\([^)]*\)\s*)*", "", text).lstrip(", ")  # profile and fourcc
    layout = re.match(r"(\w+)(?:\(([^)]*)\))?", bare)
    pix_fmt, colour = (layout[1], layout[2] or "") if layout else ("", "")
    transparent = any(re.match(r"\s*alpha_mode\s*: 1\s*$", x) for x in details)
    times_s = packet_times_s(file)
    variable, fps, first_s = rate_of(times_s, _header_rates(text))
    return MediaInfo(
        kind="video",
        width=width,
        height=height,
        rotation_deg=rotation_deg,
        fps=fps,
        duration_s=duration_s,
        has_audio=audio is not None,
        codec=match[2],
        pix_fmt=pix_fmt,
        variable_fps=variable,
        audio_codec=audio[2] + audio[3].split(",")[0] if audio else "",
        has_alpha=transparent or bool(_ALPHA.match(pix_fmt)),
        colour=colour,
        interlaced=bool(re.search(r"(top|bottom) (first|coded first)", colour)),
        first_s=first_s,
    )


def check_size(where: object, width: int, height: int, max_pixels: int | None = None) -> None:
    """errors  InputError when a side is outside 16..16384 px or the picture has more than max_pixels"""
    if min(width, height) < MIN_SIDE_PX:
        raise InputError(
            f"{where}: picture is {width}x{height}, too small; each side must have at least {MIN_SIDE_PX} px"
        )
    if max(width, height) > MAX_SIDE_PX:
        raise InputError(
            f"{where}: picture is {width}x{height}, too large; no side may exceed {MAX_SIDE_PX} px, scale it down"
        )
    if max_pixels is not None and width * height > max_pixels:
        raise InputError(
            f"{where}: picture is {width}x{height} = {width * height / 1e6:.0f} megapixels, "
            f"more than the limit of {max_pixels / 1e6:.0f}; scale it down"
        )


def packet_times_s(file: Path) -> list[float]:
    """Presentation times of the first 3000 video packets in ascending order, s; empty where the file has none."""
    arguments = command(
        *input_arguments(file), "-map", "0:V:0", "-c", "copy", "-frames:v", str(_SCANNED_PACKETS), "-f", "framecrc", "-"
    )
    child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    times, base = [], Fraction(1)
    try:
        for raw in child.stdout:
            line = raw.decode("ascii", "replace")
            if line.startswith("#tb 0:"):
                base = Fraction(line.split(":")[1].strip())
            elif line.startswith("0,"):
                times.append(int(line.split(",")[2]))
        child.wait()
    finally:
        stop(child)
    return sorted(float(time * base) for time in times)


def count_packets(file: Path) -> int:
    """Number of packets of the first video stream (= pictures, for a file we wrote); 0 when it cannot be read."""
    arguments = command(*input_arguments(file), "-map", "0:V:0", "-c", "copy", "-f", "framecrc", "-")
    child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        return sum(line.startswith(b"0,") for line in child.stdout)
    finally:
        stop(child)


def _header_rates(text: str) -> list[Fraction]:
    """Rates the stream line names (fps, then tbr), snapped to the picture rates they abbreviate."""
    found = [re.search(rf"([\d.]+)(k?) {unit}\b", text) for unit in ("fps", "tbr")]
    values = [Fraction(m[1]) * (1000 if m[2] else 1) for m in found if m]
    return [snap_rate(value, 0.006) for value in values if 0 < value <= MAX_RATE]


def snap_rate(rate: Fraction | float, tolerance: float) -> Fraction:
    """The usual picture rate within `tolerance` pictures a second, or the rate itself with a small denominator."""
    exact = Fraction(rate)
    best = min(_PICTURE_RATES, key=lambda usual: abs(usual - exact))
    return best if abs(best - exact) <= tolerance else exact.limit_denominator(1001)


def rate_of(times_s: list[float], header_rates: list[Fraction]) -> tuple[bool, Fraction, float]:
    """(is the rate variable, the rate, the first time in s) of a list of presentation times.

    times_s       ascending
    header_rates  what the container claims, tried first
    Source: our choice. A rate is constant when one even grid lies within 0.15 frames + 1 ms (containers round) of every
    picture: then giving the n-th picture the n-th place neither drops nor doubles any and moves none visibly.
    """
    fallback = header_rates[0] if header_rates else Fraction(25)
    if len(times_s) < 2 or times_s[-1] <= times_s[0]:
        return False, min(fallback, MAX_RATE), times_s[0] if times_s else 0.0
    span, count = times_s[-1] - times_s[0], len(times_s)
    mean = (count - 1) / span
    candidates = [*header_rates, snap_rate(mean, 0.25 * mean / count), Fraction(mean).limit_denominator(1001)]
    for rate in candidates:
        errors = [time * float(rate) - place for place, time in enumerate(times_s)]
        middle = (max(errors) + min(errors)) / 2
        if max(errors) - middle < min(0.45, 0.15 + 0.001 * float(rate)):
            return False, rate, times_s[0]
    step = statistics.median(b - a for a, b in zip(times_s, times_s[1:], strict=False))
    if step <= 0:
        return True, min(fallback, Fraction(60)), times_s[0]
    usual = [*header_rates, *map(Fraction, (60, 50, 30, 25, 24, 20, 15, 12, 10))]
    near = [rate for rate in usual if abs(float(rate) * step - 1) < 0.06]
    return True, min(near[0] if near else snap_rate(1.0 / step, 0.5), Fraction(60)), times_s[0]
