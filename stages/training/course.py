"""How far a phase is, when it stops for now, and where it says so."""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PROBE_01 = 0.05  # share of a budget in seconds after which the number of steps is fixed
_PROBE_STEPS = 10
_POINTS = 40  # of the curve of a phase
_SIGNALS = ("SIGTERM", "SIGUSR1")


@dataclass
class Pace:
    """Where a phase stands; lies in its state file.

    planned  steps of the whole phase; 0 = not known yet (a budget in seconds whose probe is not over)
    loss     running mean
    """

    step: int = 0
    spent_s: float = 0.0
    planned: int = 0
    loss: float = 0.0


def is_point(step: int, planned: int) -> bool:
    """Whether the loss after this step is a point of the curve: the steps decide, so that a curve can be repeated."""
    return 0 < step < planned and step % max(1, round(planned / _POINTS)) == 0


@dataclass(frozen=True)
class Course:
    """How long a phase is: `steps`, unless `seconds` says otherwise.

    A budget in seconds becomes a number of steps once the first twentieth has shown how long a step takes; from then on
    the clock decides nothing, so that a run that was stopped gives the weights of one that was not.
    """

    steps: int
    seconds: float = 0.0

    def progress_01(self, pace: Pace) -> float:
        """Share of the phase that is done; fixes `pace.planned` when it can be."""
        if not pace.planned:
            if not self.seconds:
                pace.planned = self.steps
            elif pace.step >= _PROBE_STEPS and pace.spent_s >= _PROBE_01 * self.seconds:
                pace.planned = max(pace.step, round(pace.step * self.seconds / pace.spent_s))
            else:
                return min(1.0, pace.spent_s / self.seconds)
        return pace.step / pace.planned


class Slice:
    """One run of a training: `over()` when its minutes are used up or a signal asked for the end."""

    def __init__(self, minutes: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + minutes * 60 if minutes > 0 else None
        self._asked = False

    def ask(self) -> None:
        """End at the next chance."""
        self._asked = True

    def over(self) -> bool:
        """True from the moment on at which the run has to save and leave."""
        return self._asked or (self._end is not None and self._clock() >= self._end)

    @contextmanager
    def heeding_signals(self) -> Iterator[None]:
        """Take SIGTERM and SIGUSR1 as `ask`; only the main thread can, elsewhere nothing changes."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
        before = {number: signal.signal(number, lambda *_: self.ask()) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Log:
    """log.jsonl: one JSON object a line, appended at once.

    A run that was killed repeats some steps after its last save, so `lines` lets later lines of a part win.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def __call__(self, part: str, **values) -> None:
        line = {"part": part, **{k: round(v, 5) if isinstance(v, float) else v for k, v in values.items()}}
        with open(self.path, "a") as file:
            file.write(json.dumps(line) + "\n")

    def lines(self) -> list[dict]:
        """All lines in order, without those that a resumed run has made again, and without one cut by a kill."""
        kept: list[dict] = []
        if not self.path.is_file():
            return kept
        for text in self.path.read_text(errors="replace").splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict) and "part" in line:
                kept = [old for old in kept if old["part"] != line["part"] or old.get("step", 0) < line.get("step", 0)]
                kept.append(line)
        return kept
