"""What a run says: finished names on stdout, everything else on stderr."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator

from dreamactor_cli.signals import ClosedPipe

_PLAIN_EVERY_S = 10.0
Progress = Callable[[int, int | None, str], None]


class Console:
    """stdout for results, stderr for people. While it is open, whatever a library prints goes to stderr.

    quiet, verbose, debug  how much stderr says; errors are always said
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False, debug: bool = False) -> None:
        self.quiet, self.verbose, self.debug = quiet, verbose or debug, debug
        self._results = -1

    def __enter__(self) -> Console:
        sys.stdout.flush()
        self._results = os.dup(1)
        try:
            os.dup2(2, 1)
        except OSError:  # stderr is closed
            sink = os.open(os.devnull, os.O_WRONLY)
            os.dup2(sink, 1)
            os.close(sink)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        os.dup2(self._results, 1)
        os.close(self._results)
        self._results = -1

    def result(self, line: str) -> None:
        """Write one line to stdout at once. errors ClosedPipe when nobody reads it any more"""
        data = f"{line}\n".encode(errors="surrogateescape")
        try:
            while data:
                data = data[os.write(self._results, data) :]
        except BrokenPipeError:
            raise ClosedPipe from None

    def note(self, line: str) -> None:
        """Say something that is nice to know (not with -q)."""
        if not self.quiet:
            _say(line)

    def detail(self, line: str) -> None:
        """Say something only -v asks for."""
        if self.verbose:
            _say(line)

    def error(self, line: str) -> None:
        """Say what went wrong, whatever the flags."""
        _say(f"dreamactor: {line}")

    @contextlib.contextmanager
    def progress(self, item: str) -> Iterator[Progress]:
        """The callback a stage reports to: a bar on a terminal, else a line every 10 s; nothing with -q."""
        name = os.path.basename(item.rstrip("/")) or item
        if self.quiet:
            yield lambda done, total, note: None
        elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            with _bar(name) as report:
                yield report
        else:
            yield _PlainProgress(name)


class _PlainProgress:
    """A line at most every 10 s: `clip.mp4: 120/300 pose (12.1/s)`."""

    def __init__(self, name: str) -> None:
        self._name, self._note = name, ""
        self._said = self._since = time.monotonic()
        self._base = 0

    def __call__(self, done: int, total: int | None, note: str) -> None:
        now = time.monotonic()
        if note != self._note:  # another part of the work has another speed
            self._note, self._since, self._base = note, now, done
        if now - self._said >= _PLAIN_EVERY_S:
            self._said = now
            of_total = f"/{total}" if total else ""
            rate = f" ({(done - self._base) / (now - self._since):.1f}/s)" if done > self._base else ""
            _say(f"{self._name}: {done}{of_total} {note}{rate}")


@contextlib.contextmanager
def _bar(name: str) -> Iterator[Progress]:
    """A rich progress bar on stderr; it honours NO_COLOR and disappears when the item is done."""
    from rich.console import Console as RichConsole
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    with RichProgress(*columns, console=RichConsole(stderr=True), transient=True, redirect_stdout=False) as bar:
        task = bar.add_task(name, total=None)

        def report(done: int, total: int | None, note: str) -> None:
            bar.update(task, completed=done, total=total, description=f"{name} {note}".strip())

        yield report


def _say(line: str) -> None:
    try:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        return  # stderr is gone: nobody is left to tell, the exit code still does
