"""Turns any clip into the one kind of file the rest of the house reads: upright, even rate, square 8-bit pixels."""

from __future__ import annotations

import dataclasses
import os
import re
from array import array
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from stages.core.errors import InputError, ResourceError, UsageError
from stages.media.ffmpeg import AtomicFile, Log, checked_file, command, input_arguments, run_ffmpeg
from stages.media.probe import MAX_RATE, MIN_SIDE_PX, MediaInfo, count_packets, probe, rate_of

_SHOWN = re.compile(r"^n: *\d+ pts: *\S+ pts_time:(\S+) .* s:(\d+x\d+) ")
_KNOWN_MATRIX = re.compile(r"bt709|bt470bg|smpte170m|smpte240m|bt2020|fcc|gbr")
_TONE_MAP = (
    "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,"
    "zscale=t=bt709:m=bt709:r=tv,format=yuv420p"
)
_THREADS = 4
_ENCODER = "-c:v libx264 -preset ultrafast -crf 14 -bf 0 -g 48 -pix_fmt yuv420p -color_range tv".split()


def normalise(
    path: str | os.PathLike[str],
    out_mp4: str | os.PathLike[str],
    *,
    fps: Fraction | None = None,
    max_side: int = 1280,
    start_s: float | None = None,
    duration_s: float | None = None,
    progress: Callable[[int, int | None, str], None] | None = None,
) -> MediaInfo:
    """The MediaInfo of the MP4 it writes; `frame_count` and `warnings` are filled.

    path        any video or animation; never touched
    out_mp4     H.264 yuv420p (nearly lossless), constant rate, rotation and pixel aspect applied, sizes even, with the
                sound; transparency lies on white; written in one rename
    fps         None keeps the rate. A source of constant rate keeps every picture exactly once; one of variable rate
                gets the even grid of its commonest interval (at most 60 a second), pictures doubled or dropped
    max_side    longer sides are scaled down to this, px
    start_s duration_s  cut out a part of the clip
    progress    called with (pictures decoded, expected or None, "decode")
    errors      InputError: not a video, nothing decodes, too small or too large. UsageError: a bad parameter.
                A video that breaks off after at least one picture gives those pictures and a warning.
    Source: our choice. The colours keep BT.709 or BT.601, whichever the source has, and the file says which.
    """
    if fps is not None and not 0 < fps <= MAX_RATE:
        raise UsageError(f"fps: found {fps}, expected a rate between 0 and {MAX_RATE} pictures a second")
    if max_side < MIN_SIDE_PX or (start_s or 0) < 0 or (duration_s is not None and duration_s <= 0):
        raise UsageError(f"normalise: found {max_side=} {start_s=} {duration_s=}, expected positive values, side >= 16")
    file = checked_file(path)
    info = probe(file)
    if info.kind == "photo":
        raise InputError(f"{file}: found a photo, expected a video")
    job = _Job(file, info, fps or info.fps, _output_size(file, info, max_side), start_s, duration_s, progress)
    with AtomicFile(out_mp4) as target:
        constant = not info.variable_fps and (fps is None or fps == info.fps)
        outcome = job.run(target.path, constant=constant)
        if constant and outcome.count and not outcome.is_even(job.fps):
            variable, rate, _ = rate_of(list(outcome.times_s), [info.fps])
            info = dataclasses.replace(info, variable_fps=variable)
            job = dataclasses.replace(job, info=info, fps=fps or rate)
            outcome = job.run(target.path, constant=False)
        frames = count_packets(target.path) if outcome.count else 0
        if frames == 0:
            outcome.log.raise_if_out_of_space(out_mp4)
            raise InputError(f"{file}: no picture could be decoded ({outcome.log.reason()}), expected a playable video")
        try:
            target.commit()
        except OSError as error:
            raise ResourceError(f"{out_mp4}: cannot be written ({error.strerror})") from None
    return dataclasses.replace(
        info,
        width=job.size[0],
        height=job.size[1],
        fps=job.fps,
        duration_s=float(frames / job.fps),
        has_audio=outcome.sound,
        frame_count=frames,
        warnings=tuple(_warnings(file, info, job, frames, outcome)),
    )


@dataclasses.dataclass
class _Outcome:
    """What one run of ffmpeg gave: its log, the pictures' presentation times, their sizes, whether sound is there."""

    log: Log
    times_s: array
    sizes: set[str]
    sound: bool
    sound_error: str = ""

    @property
    def count(self) -> int:
        return len(self.times_s)

    def is_even(self, rate: Fraction) -> bool:
        """True when one grid of this rate lies within half a frame of every picture and the size never changes."""
        known = sorted(t for t in self.times_s if t == t)
        return len(self.sizes) <= 1 and rate_of(known, [rate])[:2] == (False, rate)


@dataclasses.dataclass(frozen=True)
class _Job:
    """One conversion: what it reads and the rate and size it writes."""

    file: Path
    info: MediaInfo
    fps: Fraction
    size: tuple[int, int]
    start_s: float | None
    duration_s: float | None
    progress: Callable[[int, int | None, str], None] | None

    def run(self, out: Path, *, constant: bool) -> _Outcome:
        """Convert with the sound; without it, and saying so, when the sound is what cannot be decoded."""
        outcome = self._attempt(out, constant, self.info.has_audio)
        if self.info.has_audio and outcome.log.code != 0 and count_packets(out) == 0:
            silent = self._attempt(out, constant, False)
            if silent.log.code == 0:
                silent.sound_error = outcome.log.reason()
                return silent
        return outcome

    def _attempt(self, out: Path, constant: bool, sound: bool) -> _Outcome:
        outcome = _Outcome(Log(), array("d"), set(), sound)
        total = int(self.info.duration_s * self.info.fps) if self.info.duration_s else None

        def on_line(_: str, text: str) -> None:
            shown = _SHOWN.match(text)
            if shown:
                try:
                    outcome.times_s.append(float(shown[1]))
                except ValueError:  # NOPTS
                    outcome.times_s.append(float("nan"))
                outcome.sizes.add(shown[2])
                if self.progress is not None and outcome.count % 32 == 0:
                    self.progress(outcome.count, total, "decode")

        outcome.log = run_ffmpeg(self._arguments(out, constant, sound), on_line=on_line)
        return outcome

    def _arguments(self, out: Path, constant: bool, sound: bool) -> list[str]:
        info, cut = self.info, []
        if self.start_s:
            cut += ["-ss", f"{self.start_s:.6f}"]
        if self.duration_s:
            cut += ["-t", f"{self.duration_s:.6f}"]
        if info.has_alpha and info.codec in ("vp8", "vp9"):
            cut += ["-c:v", "libvpx" if info.codec == "vp8" else "libvpx-vp9"]  # the built-in ones lose the alpha plane
        shift_s = 0.0 if self.start_s else info.first_s
        video = ["-map", "0:V:0", "-vf", self._filters(constant, shift_s)]
        rate = f"{self.fps.numerator}/{self.fps.denominator}"
        timing = ["-r", rate, "-fps_mode", "cfr", "-video_track_timescale",
                  str(self.fps.numerator * max(1, -(-10_000 // self.fps.numerator)))]  # fmt: skip
        audio = self._audio(cut, shift_s) if sound else ["-an"]
        return command(
            "-threads", str(_THREADS), *input_arguments(self.file, *cut),
            *video, *_ENCODER, *_colour_tags(info), *timing, *audio,
            "-threads", str(_THREADS), "-sn", "-dn", "-map_metadata", "-1", "-map_chapters", "-1",
            "-movflags", "+faststart", "-f", "mp4", str(out),
        )  # fmt: skip

    def _audio(self, cut: list[str], shift_s: float) -> list[str]:
        aligned = abs(shift_s) * self.fps < Fraction(1, 2)
        if self.info.audio_codec.startswith("aac (LC)") and aligned and not (self.start_s or self.duration_s):
            return ["-map", "0:a:0", "-c:a", "copy"]
        shift = "" if aligned else f"asetpts=PTS-({shift_s:.6f})/TB,"
        return [
            "-map",
            "0:a:0",
            "-af",
            f"{shift}aresample=async=1:first_pts=0",
            "-c:a",
            "aac",
            "-b:a",
            "192k",
            "-ac",
            "2",
        ]

    def _filters(self, constant: bool, shift_s: float) -> str:
        info, (width, height) = self.info, self.size
        steps = ["showinfo=checksum=0"]
        if constant:  # the n-th picture gets the n-th place
            steps += [f"settb={self.fps.denominator}/{self.fps.numerator}", "setpts=N"]
        else:
            steps += [f"setpts=PTS-({shift_s:.6f})/TB"] if shift_s else []
            steps += [f"fps={self.fps.numerator}/{self.fps.denominator}:round=near"]
        if info.interlaced:
            steps += ["bwdif=mode=send_frame:deint=interlaced"]
        if re.search(r"smpte2084|arib-std-b67", info.colour):
            steps += [_TONE_MAP]
        if info.has_alpha:
            steps += [
                "format=rgba,split[top][under];[under]drawbox=c=white:t=fill:replace=1[white];[white][top]overlay=format=rgb"
            ]
        if (width, height) in (
            (info.width - 1, info.height),
            (info.width, info.height - 1),
            (info.width - 1, info.height - 1),
        ):
            steps += ["scale=iw*sar:ih,setsar=1", f"crop={width}:{height}:0:0:exact=1"]
            width = height = -1
        steps += [f"scale={width}:{height}:flags=bicubic+accurate_rnd+full_chroma_int{_matrices(info)}"]
        return ",".join([*steps, "setsar=1", "format=yuv420p"])


def _matrix(info: MediaInfo) -> tuple[str | None, str]:
    """(matrix to assume for the source or None, matrix of the result): BT.601 stays BT.601, all else becomes BT.709."""
    assumed = assumed_matrix(info)
    if assumed is None:
        return None, "smpte170m" if re.search(r"bt470bg|smpte170m", info.colour) else "bt709"
    return assumed, assumed


def assumed_matrix(info: MediaInfo) -> str | None:
    """The colour matrix of a film that does not name one, as players take it: BT.709 from 720 lines on, else BT.601.

    returns  ffmpeg's name; None where the film names its matrix or has none
    """
    if _KNOWN_MATRIX.search(info.colour) or info.has_alpha or not info.pix_fmt.startswith(("yuv", "nv", "p0")):
        return None
    return "bt709" if min(info.width, info.height) >= 720 else "smpte170m"


def _matrices(info: MediaInfo) -> str:
    """Colour options of the scale filter."""
    assumed, result = _matrix(info)
    return (f":in_color_matrix={assumed}" if assumed else "") + f":out_color_matrix={result}:out_range=tv"


def _colour_tags(info: MediaInfo) -> list[str]:
    result = _matrix(info)[1]
    return ["-colorspace", result, "-color_primaries", result, "-color_trc", result]


def _output_size(file: Path, info: MediaInfo, max_side: int) -> tuple[int, int]:
    """(width, height), both even: scaled when a side exceeds max_side, else at most one row and column cut off."""
    longest = max(info.width, info.height)
    if longest <= max_side:
        return info.width // 2 * 2, info.height // 2 * 2
    width, height = (max(2, round(side * max_side / longest / 2) * 2) for side in (info.width, info.height))
    width, height = min(width, max_side // 2 * 2), min(height, max_side // 2 * 2)
    if min(width, height) < MIN_SIDE_PX:
        raise InputError(
            f"{file}: picture is {info.width}x{info.height}, too narrow: it would be {width}x{height} after scaling; "
            f"crop it or raise the largest side"
        )
    return width, height


def _warnings(file: Path, info: MediaInfo, job: _Job, frames: int, outcome: _Outcome) -> list[str]:
    found = []
    if outcome.log.code != 0 or outcome.log.errors:
        found.append(f"{file.name}: the video is damaged or cut short ({outcome.log.reason()}); read {frames} frames")
    elif info.duration_s and not job.duration_s:
        missing_s = info.duration_s - (job.start_s or 0.0) - info.first_s - float(frames / job.fps)
        if missing_s > max(1.0, 0.1 * info.duration_s) and not info.has_audio:
            promised = f"the container promises {info.duration_s:.1f} s, {missing_s:.1f} s are missing"
            found.append(f"{file.name}: {promised}; read {frames} frames")
    if outcome.sound_error:
        found.append(f"{file.name}: the sound cannot be decoded ({outcome.sound_error}); the clip is silent")
    if len(outcome.sizes) > 1:
        size = f"{job.size[0]}x{job.size[1]}"
        found.append(f"{file.name}: the picture size changes within the video; all frames are scaled to {size}")
    return found
