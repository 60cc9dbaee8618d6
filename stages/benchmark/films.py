"""Films of all methods for the cases of a suite, one process a core, each with its model loaded once.

Reads   the bundles of `synth --suite`.
Writes  OUT/KIND/truth/NAME.npy (cross only: of self the bundle holds it), OUT/KIND/reference/NAME.png and
        OUT/KIND/METHOD/NAME.npy, all exact frames uint8 [T, S, S, 3]; OUT/KIND/pairs-METHOD.csv for `score --pairs`.
A film that is there is not made again: a method's folder is named after its weights and settings.
"""

from __future__ import annotations

import csv
import io
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stages.benchmark.cases import Case, case_name, open_case
from stages.benchmark.methods import BASELINES, ModelChoice, ModelFilms, baseline_film
from stages.core.errors import ResourceError, UsageError
from stages.synthetic.suite import KINDS, Suite

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class FilmsPlan:
    """What is to be made.

    suite     Suite;  bundles  their folder;  out  folder of the films
    kinds     of stages.synthetic.suite.KINDS;  clips  the first so many of each framing, None = all
    models    label (ModelChoice.label) -> the model;  baselines  of BASELINES
    """

    suite: Suite
    bundles: str
    out: str
    kinds: tuple[str, ...]
    clips: int | None = None
    models: Mapping[str, ModelChoice] = field(default_factory=dict)
    baselines: tuple[str, ...] = BASELINES
    device: str = "auto"

    def check(self) -> None:
        """errors  UsageError: an unknown kind or baseline, one named twice, no method, more clips than there are"""
        for what, names, known in (("--kinds", self.kinds, KINDS), ("--baselines", self.baselines, BASELINES)):
            if len(set(names)) != len(names) or set(names) - set(known):
                raise UsageError(f"{what}: found {','.join(names)!r}, expected each once of {', '.join(known)}")
        if not self.kinds or not self.methods:
            raise UsageError("benchmark: found no kind of cases or no method, expected one of each")
        self.suite.numbers(self.clips)

    @property
    def methods(self) -> tuple[str, ...]:
        """All methods, the baselines first."""
        return (*self.baselines, *self.models)

    def cases(self) -> list[tuple[str, int]]:
        """(kind, number) of every case. errors  UsageError: more clips than there are"""
        return [(kind, number) for kind in self.kinds for number in self.suite.numbers(self.clips)]

    def film(self, kind: str, method: str, number: int) -> Path:
        """Where a film lies."""
        return Path(self.out) / kind / method / f"{self._name(number)}.npy"

    def truth(self, kind: str, number: int) -> Path:
        """Where the true film lies: on the canvas of cross-identity, for self the bundle itself."""
        from stages.synthetic.seeds import bundle_name

        if kind == "self":
            return Path(self.bundles) / bundle_name(self.suite.split, number, cross=False)
        return self.film(kind, "truth", number)

    def reference(self, kind: str, number: int) -> Path:
        """Where the reference lies."""
        return Path(self.out) / kind / "reference" / f"{self._name(number)}.png"

    def missing(self, kind: str, number: int) -> list[str]:
        """Methods without a film of a case; "truth" where that or the reference is missing."""
        others = (self.truth(kind, number), self.reference(kind, number))
        missing = [] if all(path.exists() for path in others) else ["truth"]
        return missing + [method for method in self.methods if not self.film(kind, method, number).is_file()]

    def _name(self, number: int) -> str:
        return case_name(self.suite.numbers()[number], number)


def make_films(plan: FilmsPlan, workers: int, progress: Progress | None = None) -> dict[str, float]:
    """Make what is missing and write the tables of pairs; returns method -> seconds of work on all new films.

    progress  called with (cases done, cases, name)
    errors    those of `open_case` and of the models; ResourceError: a worker was killed
    """
    todo = [case for case in plan.cases() if plan.missing(*case)]
    spent: dict[str, float] = {}
    for done, (name, seconds) in enumerate(_made(plan, todo, workers), start=1):
        for method, one in seconds.items():
            spent[method] = spent.get(method, 0.0) + one
        if progress is not None:
            progress(done, len(todo), name)
    for kind in plan.kinds:
        for method in plan.methods:
            _write_pairs(plan, kind, method)
    return spent


def pairs_path(plan: FilmsPlan, kind: str, method: str) -> Path:
    """The table that `score --pairs` takes."""
    return Path(plan.out) / kind / f"pairs-{method}.csv"


def _made(plan: FilmsPlan, todo: list[tuple[str, int]], workers: int) -> Iterator[tuple[str, dict[str, float]]]:
    workers = min(workers, len(todo))
    if workers <= 1:
        yield from (_make(plan, *case) for case in todo)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_take_one_core) as pool:
        try:
            yield from pool.map(_make, [plan] * len(todo), *zip(*todo, strict=True))
        except BrokenProcessPool:
            raise ResourceError(
                "benchmark: a worker was killed, perhaps for memory. Run the same command again with fewer --workers"
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _take_one_core() -> None:
    from stages.core.device import set_threads

    os.environ["OMP_NUM_THREADS"] = "1"
    set_threads(1)


_loaded: dict[ModelChoice, ModelFilms] = {}  # of this process: a model is loaded once


def _make(plan: FilmsPlan, kind: str, number: int) -> tuple[str, dict[str, float]]:
    """(name of the case, method -> seconds) after making its missing films."""
    missing = plan.missing(kind, number)
    references = max([choice.references for choice in plan.models.values()], default=1)
    case = open_case(plan.bundles, plan.suite, number, kind, references=references)
    spent = {}
    for method in missing:
        started = time.monotonic()
        if method == "truth":
            _write_truth(plan, kind, number, case)
        else:
            _write_array(plan.film(kind, method, number), _film(plan, method, case))
        spent[method] = time.monotonic() - started
    return f"{kind} {case.name}", spent


def _film(plan: FilmsPlan, method: str, case: Case) -> np.ndarray:
    if method not in plan.models:
        return baseline_film(method, case)
    choice = plan.models[method]
    if choice not in _loaded:
        from stages.core.device import pick_device

        _loaded[choice] = ModelFilms(choice, pick_device(plan.device))
    return _loaded[choice].film(case)


def _write_truth(plan: FilmsPlan, kind: str, number: int, case: Case) -> None:
    from stages.media import write_png

    path = plan.reference(kind, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, case.ref_frames[0])
    if kind != "self":
        _write_array(plan.truth(kind, number), case.truth_u8)


def _write_array(path: Path, array: np.ndarray) -> None:
    """Write a .npy in one rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(partial, "wb") as file:
            np.save(file, np.ascontiguousarray(array))
        os.replace(partial, path)
    except OSError as error:
        raise ResourceError(f"{path}: cannot be written ({error.strerror}). Free some disk space") from None


def _write_pairs(plan: FilmsPlan, kind: str, method: str) -> None:
    """Write the table of one method, unless it is there as it would be written."""
    path = pairs_path(plan, kind, method)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("name", "generated", "real", "reference"))
    for number in plan.suite.numbers(plan.clips):
        film, truth, photo = plan.film(kind, method, number), plan.truth(kind, number), plan.reference(kind, number)
        writer.writerow((film.stem, *(os.path.abspath(item) for item in (film, truth, photo))))
    if not path.is_file() or path.read_text(encoding="utf-8") != out.getvalue():
        path.write_text(out.getvalue(), encoding="utf-8")
