"""Writes finished videos, and the machine-readable mark that says how they were made."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import numpy as np

from stages.core.errors import InputError, ResourceError, UsageError
from stages.media.ffmpeg import AtomicFile, Log, checked_file, command, input_arguments, split_level, stop
from stages.media.photo import open_photo
from stages.media.probe import MAX_RATE
from stages.media.reader import bytes_as_file

_ENCODER = (
    "-c:v libx264 -preset fast -crf 17 -pix_fmt yuv420p "
    "-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv"
).split()


def ai_mark(**fields: object) -> dict[str, object]:
    """The metadata of a picture or film a model has made: {"ai_generated": true, "tool": "dreamactor", ...fields}."""
    return {"ai_generated": True, "tool": "dreamactor", **fields}


def write_video(
    path: str | os.PathLike[str],
    frames: Iterable[np.ndarray],
    fps: Fraction,
    *,
    audio_from: str | os.PathLike[str] | bytes | np.ndarray | None = None,
    metadata: dict | None = None,
) -> int:
    """The number of frames it wrote into one MP4 (H.264, yuv420p, BT.709, faststart).

    path        output; replaced in one rename when all is written, left alone otherwise
    frames      uint8 [H, W, 3] RGB each, all of one size, at least one; an odd side gets its last row or column doubled
    fps         pictures a second; the file has exactly the frames given
    audio_from  a file or the bytes of one; its first sound track (if any) is cut or filled up to the picture's length
    metadata    goes into the `comment` field as JSON (see `ai_mark`); `read_mark` reads it back
    errors      InputError: no frames, mixed sizes, unreadable audio. ResourceError: disk full. UsageError: bad rate
    """
    fps = Fraction(fps)
    if not 0 < fps <= MAX_RATE:
        raise UsageError(f"fps: found {fps}, expected a rate between 0 and {MAX_RATE} pictures a second")
    source = iter(frames)
    first = next(source, None)
    if first is None:
        raise InputError(f"{path}: there are no frames to write")
    height, width = first.shape[:2]
    with ExitStack() as stack:
        audio = _audio_file(audio_from, stack)
        target = stack.enter_context(AtomicFile(path))
        picture = target.path if audio is None else stack.enter_context(AtomicFile(path)).path
        count = _encode(path, picture, first, source, (height, width), fps, metadata)
        if audio is not None:
            _mux(path, picture, audio, target.path, count, fps, metadata)
        try:
            target.commit()
        except OSError as error:
            raise ResourceError(f"{path}: cannot be written ({error.strerror})") from None
    return count


def _audio_file(audio_from, stack: ExitStack) -> Path | None:
    """The file that holds the sound; None when there is none."""
    if audio_from is None:
        return None
    if isinstance(audio_from, (bytes, bytearray, memoryview, np.ndarray)):
        data = audio_from if isinstance(audio_from, np.ndarray) else bytes(audio_from)
        return stack.enter_context(bytes_as_file(data))
    return checked_file(audio_from)


def _encode(path, picture: Path, first, rest, size: tuple[int, int], fps: Fraction, metadata: dict | None) -> int:
    """Feed the frames to ffmpeg; the number of frames."""
    height, width = size
    pad = ((0, height % 2), (0, width % 2), (0, 0))
    arguments = command(
        "-f", "rawvideo", "-pix_fmt", "rgb24", "-video_size", f"{width + width % 2}x{height + height % 2}",
        "-framerate", f"{fps.numerator}/{fps.denominator}", "-i", "pipe:0",
        "-vf", "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int,format=yuv420p",
        *_ENCODER, *_container(metadata, fps), str(picture),
    )  # fmt: skip
    arguments.remove("-nostdin")
    count = 0
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said)
        try:
            frame = first
            while frame is not None:
                frame = np.asarray(frame)
                if frame.shape != (height, width, 3) or frame.dtype != np.uint8:
                    found = f"{frame.dtype} {list(frame.shape)}"
                    raise InputError(f"{path}: frame {count} is {found}, expected uint8 {[height, width, 3]}")
                if pad[0][1] or pad[1][1]:
                    frame = np.pad(frame, pad, mode="edge")
                child.stdin.write(np.ascontiguousarray(frame).data)
                count += 1
                frame = next(rest, None)
            child.stdin.close()
            code = child.wait()
        except BrokenPipeError:
            code = child.wait() or 1
        finally:
            stop(child)
        said.seek(0)
        _check(path, code, said.read().decode("utf-8", "replace"))
    return count


def _mux(path, picture: Path, audio: Path, out: Path, count: int, fps: Fraction, metadata: dict | None) -> None:
    """Join picture and sound; the sound is cut or filled with silence to the picture's length."""
    length_s = f"{float(count / fps):.6f}"
    arguments = command(
        *input_arguments(picture), *input_arguments(audio), "-map", "0:v:0", "-map", "1:a:0?", "-c:v", "copy",
        "-af", f"aresample=async=1:first_pts=0,apad=whole_dur={length_s},atrim=duration={length_s}",
        "-c:a", "aac", "-b:a", "192k", "-map_metadata", "-1", *_container(metadata, fps), str(out),
    )  # fmt: skip
    done = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _check(audio, done.returncode, done.stderr.decode("utf-8", "replace"))


def _container(metadata: dict | None, fps: Fraction) -> list[str]:
    comment = [] if metadata is None else ["-metadata", "comment=" + _mark_json(metadata)]
    scale = fps.numerator * max(1, -(-10_000 // fps.numerator))
    return [*comment, "-video_track_timescale", str(scale), "-movflags", "+faststart", "-f", "mp4"]


def _mark_json(metadata: dict) -> str:
    return json.dumps({"tool": "dreamactor", **metadata}, sort_keys=True)


def _check(where: object, code: int, said: str) -> None:
    """errors  ResourceError or InputError when ffmpeg failed"""
    if code == 0:
        return
    log = Log(code)
    for line in said.splitlines():
        level, text = split_level(line)
        if level in ("panic", "fatal", "error"):
            log.errors.append(text)
    log.raise_if_out_of_space(where)
    raise InputError(f"{where}: ffmpeg could not make the video ({log.reason()})")


def read_mark(path: str | os.PathLike[str]) -> dict | None:
    """The mark a PNG or MP4 carries (what `metadata` or `text` was when it was written); None when it has none.

    errors  InputError when the file is missing or is neither picture nor video
    """
    file = checked_file(path)
    photo = open_photo(file)
    if photo is not None:
        with photo:
            comment = photo.image.info.get("comment")
            comment = comment.decode("utf-8", "replace") if isinstance(comment, bytes) else comment
    else:
        done = subprocess.run(
            command(*input_arguments(file), "-f", "ffmetadata", "-"),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode != 0:
            raise InputError(f"{file}: found no video or picture in it, expected one that could carry a mark")
        comment = _ffmetadata_comment(done.stdout.decode("utf-8", "replace"))
    try:
        mark = json.loads(comment) if comment else None
    except ValueError:  # somebody else's comment
        return None
    return mark if isinstance(mark, dict) else None


def _ffmetadata_comment(text: str) -> str | None:
    """The unescaped global `comment` of ffmpeg's metadata file format (a backslash guards = ; # \\ and newline)."""
    found = re.search(r"^comment=((?:\\.|[^\\\n])*)$", text.split("\n[")[0], re.MULTILINE | re.DOTALL)
    return re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL) if found else None
