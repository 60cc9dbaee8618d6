"""Runs the ffmpeg of imageio-ffmpeg as a child process that can reach local files and pipes, and nothing else."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from stages.core.errors import InputError, ResourceError, WeightsError

# Formats that are lists of other files or that turn any text into a picture; a clip is never one of them.
REFUSED_FORMATS = frozenset("hls concat dash imf sdp rtsp svg_pipe tty bin xbin idf adf image2 lavfi".split())
_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")
_LEVEL = re.compile(r"\[(panic|fatal|error|warning|info|verbose|debug)\] ?")
_ADDRESS = re.compile(r"\[([\w#:/.,+-]+) @ 0x[0-9a-f]+\] ?")
_CLOSING_LINES = ("Error opening input", "Conversion failed", "Nothing was written", "Error while filtering")


@cache
def ffmpeg_exe() -> str:
    """Path of the ffmpeg program.

    errors  WeightsError when imageio-ffmpeg is not installed or has no program for this machine
    """
    try:
        import imageio_ffmpeg

        return imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise WeightsError(f"ffmpeg: not found ({error}); install it with: pip install imageio-ffmpeg") from None


def checked_file(path: str | os.PathLike[str]) -> Path:
    """The path of a readable, non-empty regular file.

    errors  InputError for a URL, a missing file, a directory, an empty or unreadable file
    """
    text = os.fspath(path)
    if _URL.match(text):
        raise InputError(f"{text}: this is a URL and the network is never used; download it and give the file's path")
    file = Path(text)
    try:
        if not file.exists():
            raise InputError(f"{file}: no such file; check the path")
        if not file.is_file():
            found = "a directory" if file.is_dir() else "not a regular file"
            raise InputError(f"{file}: found {found}, expected a video or picture file")
        if file.stat().st_size == 0:
            raise InputError(f"{file}: the file is empty (0 bytes), expected a video or picture")
        with file.open("rb"):
            return file
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the name
        raise InputError(f"{text!r}: cannot be read ({getattr(error, 'strerror', None) or error})") from None


def input_arguments(path: Path, *options: str) -> list[str]:
    """The arguments that open a local file: no network, and no name that is read as an option or a protocol."""
    return ["-protocol_whitelist", "file,pipe", *options, "-i", f"file:{path}"]


@dataclass
class Log:
    """What a finished ffmpeg said.

    code      exit status
    errors    the last 20 lines of level error or worse, without addresses
    """

    code: int = 0
    errors: deque[str] = field(default_factory=lambda: deque(maxlen=20))

    def reason(self) -> str:
        """The first line that tells what went wrong, in ffmpeg's words."""
        for line in self.errors:
            if not line.startswith(_CLOSING_LINES) and line:
                return line.strip().rstrip(".")
        return self.errors[0] if self.errors else f"ffmpeg ended with status {self.code}"

    def raise_if_out_of_space(self, where: object) -> None:
        """errors  ResourceError when the disk was full or memory ran out"""
        for line in self.errors:
            if "No space left on device" in line or "Disk quota exceeded" in line:
                raise ResourceError(f"{where}: no space left on the disk; free some and run the same command again")
            if "Cannot allocate memory" in line:
                raise ResourceError(f"{where}: memory ran out while coding the video; use a smaller size")


def command(*arguments: str, threads: int | None = None) -> list[str]:
    """The full command line with the options every call shares: quiet banner, no stdin, levels in the log."""
    head = [ffmpeg_exe(), "-hide_banner", "-nostdin", "-y", "-nostats", "-loglevel", "repeat+level+info"]
    limit = [] if threads is None else ["-threads", str(threads)]
    return [*head, *limit, *arguments]


def split_level(line: str) -> tuple[str, str]:
    """(level, text) of one log line, without the component's memory address."""
    line = _ADDRESS.sub("", line, count=1)
    found = _LEVEL.search(line)
    if found is None:
        return "info", line
    return found.group(1), line[: found.start()] + line[found.end() :]


def run_ffmpeg(arguments: list[str], *, on_line: Callable[[str, str], None] | None = None) -> Log:
    """The log of one finished ffmpeg; its lines are streamed, so a long video needs no memory.

    arguments  of `command()`
    on_line    called with (level, text) for each line
    """
    log = Log()
    child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        for raw in child.stderr:
            level, text = split_level(raw.decode("utf-8", "replace").rstrip("\r\n"))
            if level in ("panic", "fatal", "error"):
                log.errors.append(text)
            if on_line is not None:
                on_line(level, text)
        log.code = child.wait()
    finally:
        stop(child)
    return log


def stop(child: subprocess.Popen) -> None:
    """End a child that still runs, and close its pipes."""
    if child.poll() is None:
        child.kill()
        child.wait()
    for pipe in (child.stdin, child.stderr, child.stdout):
        if pipe is not None and not pipe.closed:
            try:
                pipe.close()
            except BrokenPipeError:  # unsent bytes for a program that has ended
                continue


class AtomicFile:
    """A hidden temporary path beside the target that becomes the target in one rename, or vanishes.

    Use as a context manager; `commit()` renames. The suffix is kept because ffmpeg picks the container by it. The
    file is locked while its maker lives, so that the next one for the target can clear away what a kill left behind.
    errors  InputError when the folder does not exist, ResourceError when it cannot be written
    """

    def __init__(self, target: str | os.PathLike[str]) -> None:
        self.target = Path(target)
        if self.target.is_dir():
            raise InputError(f"{self.target}: is a directory, expected a file name for the output")
        if not self.target.parent.is_dir():
            raise InputError(f"{self.target}: the folder {self.target.parent} does not exist; make it first")
        prefix, suffix = f".{self.target.stem[:80]}.", f".tmp{self.target.suffix}"
        try:
            _clear_leftovers(self.target.parent, prefix, suffix)
            self._handle, name = tempfile.mkstemp(prefix=prefix, suffix=suffix, dir=self.target.parent)
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ResourceError(f"{self.target.parent}: cannot be written ({error.strerror})") from None
        self.path = Path(name)

    def __enter__(self) -> AtomicFile:
        return self

    def commit(self) -> None:
        """Make the file durable, give it the usual permissions and rename it over the target."""
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        self.path.chmod(0o666 & ~mask)
        os.replace(self.path, self.target)

    def __exit__(self, *exc_info: object) -> None:
        self.path.unlink(missing_ok=True)
        os.close(self._handle)


def _clear_leftovers(folder: Path, prefix: str, suffix: str) -> None:
    """Remove temporary files of this target whose makers are gone: nobody holds their lock, and they are not new."""
    for entry in os.scandir(folder):
        random = len(entry.name) - len(prefix) - len(suffix)
        if random != 8 or not (entry.name.startswith(prefix) and entry.name.endswith(suffix)):
            continue
        try:
            handle = os.open(entry.path, os.O_RDWR)
        except OSError:  # gone, or not ours to open
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if time.time() - os.fstat(handle).st_mtime > 1.0:  # younger: made, but perhaps not locked yet
                os.unlink(entry.path)
        except OSError:  # its maker lives
            continue
        finally:
            os.close(handle)
