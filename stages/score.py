"""Scores generated films against real ones, by named protocols, so that anybody gets the same numbers.

Reads   films, arrays, pictures or bundles in pairs; the reference picture and the driver's film where they matter.
Writes  RUN/clips/NAME.zarr, one bundle a clip: `frames` (the sha256 of every frame) and one layer a measurement
        (the map: each clip alone, on any machine, only what is missing); RUN/floors/KIND/NAME.zarr, the same for films
        made from the real ones; and the reduce of all clips: RUN/scores.json, RUN/clips.csv, RUN/manifest.json.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from stages.core.errors import InputError, ResourceError, StageError, UsageError, is_out_of_resources
from stages.core.records import Plan, Record

if TYPE_CHECKING:
    from stages.metrics.protocol import Measure, Protocol
    from stages.scoring.measure import Task
    from stages.scoring.pairs import Pair

STAGE = "score"
VERSION = 1
Progress = Callable[[int, int | None, str], None]


@dataclass(frozen=True)
class Params:
    """Settings of score.

    output     folder of the run
    real       the real films; "" = there are none (another person was animated)
    reference  photo, folder of photos, or "frame:N" of the real film: what the person was made from
    driving    the drivers' films, where they are not the real ones
    pairs      CSV that names everything instead: name,generated,real,reference,driving
    protocol   names or .toml files with commas between them
    name       of the method; "" = the folder's name;  seed  the films were generated with
    floors     rows to compare with: codec, static, halves
    require    demands like "lpips<0.25"
    features_only  measure, make no table;  shard  "I/N": only part I of N;  merge  make the table of measured clips
    workers    processes, each with one clip at a time; changes no result
    device     torch device;  fps  rate of pictures and arrays
    overwrite  replace what was measured on other films or with other settings
    """

    output: str = ""
    real: str = ""
    reference: str = ""
    driving: str = ""
    pairs: str = ""
    protocol: str = "dreamactor-v1"
    name: str = ""
    seed: int = 0
    floors: str = ""
    require: tuple[str, ...] = ()
    features_only: bool = False
    shard: str = ""
    merge: bool = False
    workers: int = 1
    device: str = "auto"
    fps: str = ""
    overwrite: bool = False


def plan(inputs: Sequence[str | Record], params: Params) -> Iterator[tuple[str, Plan]]:
    """(clip, what would be done with its bundle) of every clip and floor; reads metadata only.

    errors  UsageError, InputError, ConflictError: as `run_all`
    """
    from stages.scoring.measure import missing_layers
    from stages.scoring.outputs import merge_paths

    job = _Job(params)
    if params.merge:
        paths = merge_paths(_names(inputs))
        yield os.path.join(params.output, "scores.json"), Plan("write", "", params.output, dict.fromkeys(paths, ""))
        return
    for task in job.tasks(job.pairs(_names(inputs))):
        missing = missing_layers(task, job.measures)
        action = "skip" if not missing else "replace" if task.overwrite and os.path.exists(task.bundle) else "write"
        yield task.pair.name, Plan(action, "", task.bundle, dict.fromkeys(missing, ""))


def run_all(inputs: Sequence[str | Record], params: Params, progress: Progress | None = None) -> Iterator[Record]:
    """Records: of scores.json, or with `features_only` of every clip's bundle; of everything that failed.

    inputs    films, or with `merge` clip score bundles and run folders; records of failed items are given on
    progress  called with (clips or frames done, all, what)
    errors    UsageError: a setting. InputError: pairs that do not fit. ConflictError: the run holds other films.
              WeightsError: a network that is not optional. CheckFailed: a requirement that does not hold, after writing
    """
    from stages.scoring.outputs import merge_paths, write_set

    job = _Job(params)
    failed = [item for item in inputs if isinstance(item, Record) and item.status == "failed"]
    yield from failed
    names = [item.path if isinstance(item, Record) else item for item in inputs if item not in failed]
    if failed and (not params.features_only or not names):
        return
    if params.merge:
        yield job.reduce(merge_paths(names), None)
        job.check_requirements()
        return
    started = time.monotonic()
    pairs = job.pairs(names)
    tasks = job.tasks(pairs)
    if not params.features_only:
        job.check_before(pairs)
    write_set(Path(params.output), [pair.name for pair in pairs])
    broken = 0
    for record in job.measure(tasks, progress):
        broken += record.status == "failed"
        if params.features_only or record.status == "failed":
            yield record
    if not params.features_only and not broken:
        clips = [task.bundle for task in tasks if not task.floor]
        floors = {kind: [task.bundle for task in tasks if task.floor == kind] for kind in job.floors}
        yield job.reduce(clips, floors, started)
        job.check_requirements()


class _Job:
    """The checked settings of one call."""

    def __init__(self, params: Params) -> None:
        from stages.scoring.floors import parse_floors
        from stages.scoring.require import parse_requirements

        self.params = params
        if not params.output:
            raise UsageError("score: found no -o, expected the folder of the run")
        if not 1 <= params.workers <= 256:
            raise UsageError(f"--workers: found {params.workers}, expected 1..256")
        self.protocols = _protocols(params.protocol)
        names = [protocol.name for protocol in self.protocols]
        if not names or len(set(names)) != len(names):
            raise UsageError(f"--protocol: found {params.protocol!r}, expected one or more, each once")
        self.floors = parse_floors(params.floors)
        self.requirements = parse_requirements(params.require, self.protocols)
        self.shard = _shard(params)
        self.fps = _rate(params.fps)
        self.measures = _measures(self.protocols)
        if self.floors and not (params.real or params.pairs or params.merge):
            raise UsageError("--floors: found without --real, expected real films to make them from")
        self.device = "none"
        self.name = params.name or Path(os.path.abspath(params.output)).name

    def pairs(self, names: Sequence[str]) -> list[Pair]:
        """The whole set, sorted by name."""
        from stages.scoring.pairs import make_pairs

        p = self.params
        return make_pairs(names, p.real, p.reference, p.driving, p.pairs)

    def tasks(self, pairs: Sequence[Pair]) -> list[Task]:
        """What is to be measured: the clips of the shard, then their floors."""
        from stages.core.device import pick_device
        from stages.scoring.floors import MADE
        from stages.scoring.measure import Task

        p = self.params
        if self.shard is not None:
            pairs = pairs[self.shard[0] - 1 :: self.shard[1]]
        torch_takes_part = any(measure.module.weights(measure.options) for measure in self.measures)
        device = pick_device(p.device) if torch_takes_part or p.device not in ("auto", "cpu") else "cpu"
        self.device = device
        common = {"fps": self.fps, "device": device, "overwrite": p.overwrite}
        tasks = [Task(pair, os.path.join(p.output, "clips", f"{pair.name}.zarr"), **common) for pair in pairs]
        for kind in self.floors:
            if kind in MADE:
                tasks += [
                    Task(pair, os.path.join(p.output, "floors", kind, f"{pair.name}.zarr"), floor=kind, **common)
                    for pair in pairs
                ]
        return tasks

    def check_before(self, pairs: Sequence[Pair]) -> None:
        """errors  ConflictError: the folder holds the scores of another method or other clips"""
        from stages.scoring.outputs import check_before

        names = [pair.name for pair in pairs]
        check_before(Path(self.params.output), self.name, self.params.seed, names, self.params.overwrite)

    def measure(self, tasks: Sequence[Task], progress: Progress | None) -> Iterator[Record]:
        """A Record of every task. Without features_only nothing is measured when a clip does not fit."""
        from stages.scoring.measure import absent_networks, missing_layers

        missing = {task.bundle: missing_layers(task, self.measures) for task in tasks}
        for task in tasks:
            if not missing[task.bundle]:
                yield _record(task, "skipped", 0.0)
        needed = {layer for layers in missing.values() for layer in layers}
        absent = absent_networks([measure for measure in self.measures if measure.layer in needed])
        ready, broken = self._checked([replace(t, absent=absent) for t in tasks if missing[t.bundle]], progress)
        yield from broken
        if broken and not self.params.features_only:
            return
        for done, record in enumerate(self._attempts(ready, progress), start=1):
            if progress is not None:
                progress(done, len(ready), "clips")
            yield record

    def _checked(self, tasks: Sequence[Task], progress: Progress | None) -> tuple[list[Task], list[Record]]:
        """(tasks whose films fit, failed Records of the others); a clip that fails has no floors either."""
        from stages.scoring.measure import prepare

        ready: list[Task] = []
        broken: dict[str, Record] = {}
        for done, task in enumerate(tasks, start=1):
            try:
                if task.pair.name not in broken:
                    prepare(task, self.measures)
                    ready.append(task)
            except StageError as error:
                broken[task.pair.name] = _failed(task, error)
            if progress is not None:
                progress(done, len(tasks), "check")
        return ready, list(broken.values())

    def _attempts(self, tasks: Sequence[Task], progress: Progress | None) -> Iterator[Record]:
        from stages.core.command import running_command

        work = [(task, self.params.protocol, running_command.get() or ()) for task in tasks]
        workers = min(self.params.workers, len(tasks))
        if workers <= 1:
            yield from (_attempt(item, progress) for item in work)
            return
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        from concurrent.futures.process import BrokenProcessPool

        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread)
        try:
            yield from pool.map(_attempt, work)
        except BrokenProcessPool:
            raise ResourceError(
                "score: a worker was killed, perhaps for memory. Run the same command again with fewer --workers"
            ) from None
        except BaseException:
            for child in multiprocessing.active_children():
                child.terminate()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def reduce(self, clips: Sequence[str], floors: dict[str, list[str]] | None, started: float | None = None) -> Record:
        """The Record of scores.json. floors  kind -> bundles; None: beside the clips, where a run keeps them"""
        from stages.core.command import running_command
        from stages.scoring.outputs import environment, is_made, write_outputs
        from stages.scoring.reduce import RunPlan, make_run, open_measured

        started = time.monotonic() if started is None else started
        if floors is None:
            floors = {kind: [] if kind == "halves" else _floor_paths(clips, kind) for kind in self.floors}
        measured, rows = open_measured(clips), {kind: open_measured(paths) for kind, paths in floors.items()}
        wanted = RunPlan(measured, rows, self.protocols, self.name, self.params.seed, self.params.output)
        key, folder, status = wanted.key(), Path(self.params.output), "skipped"
        if not is_made(folder, key):
            run = make_run(wanted, env=environment(self.device), command=running_command.get() or ())
            status = write_outputs(run, measured, self.protocols, folder)
        path = os.path.join(self.params.output, "scores.json")
        data = {"clips": len(measured), "frames": sum(clip.facts["frames"] for clip in measured)}
        notes = [f"{c.name}: no rate known, 25 assumed" for c in measured if c.facts["fps_assumed"]]
        notes += [f"{c.name}: uneven rate ({', '.join(c.facts['uneven'])})" for c in measured if c.facts["uneven"]]
        if notes:
            data["notes"] = notes
        return Record(STAGE, path, status, key, time.monotonic() - started, data=data)

    def check_requirements(self) -> None:
        """errors  CheckFailed: a number of the written scores.json is not as required"""
        from stages.metrics.results import read_run
        from stages.scoring.require import check_requirements

        if self.requirements:
            check_requirements(self.requirements, read_run(self.params.output).scores)


def _one_thread() -> None:
    """Leave the cores to the other workers."""
    os.environ["OMP_NUM_THREADS"] = "1"


def _attempt(work: tuple[Task, str, tuple[str, ...]], progress: Progress | None = None) -> Record:
    """The Record of one measured clip; foreseeable errors are failed Records, a bug still raises."""
    from stages.core.command import running_command
    from stages.core.device import set_threads
    from stages.scoring.measure import measure_clip

    task, names, command = work
    running_command.set(command or None)
    measures = _measures(_protocols(names))
    if any(measure.module.weights(measure.options) for measure in measures):
        set_threads(None)
    try:
        status, seconds = measure_clip(task, measures, progress)
    except StageError as error:
        return _failed(task, error)
    except OSError as error:
        if not is_out_of_resources(error):
            raise
        return Record(STAGE, task.bundle, "failed", error=f"{task.bundle}: {error.strerror}. Free some space", exit=7)
    return _record(task, status, seconds)


def _record(task: Task, status: str, seconds: float) -> Record:
    return Record(STAGE, task.bundle, status, seconds=seconds, data={"clip": task.pair.name, "floor": task.floor})


def _failed(task: Task, error: StageError) -> Record:
    return Record(STAGE, task.pair.generated, "failed", error=str(error), exit=error.exit_code)


def _protocols(names: str) -> list[Protocol]:
    from stages.metrics.protocol import load_protocol

    return [load_protocol(word.strip()) for word in names.split(",") if word.strip()]


def _measures(protocols: Sequence[Protocol]) -> list[Measure]:
    """Each measurement once, whatever the number of protocols that ask for it."""
    return list({m.layer: m for protocol in protocols for m in protocol.measures}.values())


def _names(inputs: Sequence[str | Record]) -> list[str]:
    failed = next((item for item in inputs if isinstance(item, Record) and item.status == "failed"), None)
    if failed is not None:
        raise InputError(f"{failed.path}: failed before, in {failed.stage}: {failed.error}")
    return [item.path if isinstance(item, Record) else item for item in inputs]


def _shard(params: Params) -> tuple[int, int] | None:
    if not params.shard:
        return None
    match = re.fullmatch(r"(\d+)/(\d+)", params.shard)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"--shard: found {params.shard!r}, expected I/N with I from 1 to N")
    if not params.features_only:
        raise UsageError("--shard: found without --features-only, expected both: a part of a set has no scores")
    return int(match[1]), int(match[2])


def _rate(text: str) -> Fraction | None:
    try:
        rate = Fraction(text) if text else None
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if rate is not None and not 0 < rate <= 1000:
        raise UsageError(f"--fps: found {text!r}, expected a rate such as 24 or 30000/1001")
    return rate


def _floor_paths(clips: Sequence[str], kind: str) -> list[str]:
    paths = [str(Path(clip).parent.parent / "floors" / kind / Path(clip).name) for clip in clips]
    for path in paths:
        if not os.path.isdir(path):
            raise InputError(f"{path}: is not there. Measure the clips with --floors {kind} too")
    return paths
