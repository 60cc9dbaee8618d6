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

from stages.core.errors import InputError, StageError, UsageError
from stages.core.records import Plan, Record
from stages.scoring import STAGE, VERSION

if TYPE_CHECKING:
    from stages.scoring.measure import Task
    from stages.scoring.pairs import Pair

__all__ = ["STAGE", "VERSION", "Params", "plan", "run_all"]
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
    real_from  run of another method on the same films: its numbers of the real films are taken over, not made again
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
    real_from: str = ""
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
        from stages.scoring.workers import load_protocols, measures_of

        self.params = params
        if not params.output:
            raise UsageError("score: found no -o, expected the folder of the run")
        if not 1 <= params.workers <= 256:
            raise UsageError(f"--workers: found {params.workers}, expected 1..256")
        self.protocols = load_protocols(params.protocol)
        names = [protocol.name for protocol in self.protocols]
        if not names or len(set(names)) != len(names):
            raise UsageError(f"--protocol: found {params.protocol!r}, expected one or more, each once")
        self.floors = parse_floors(params.floors)
        self.requirements = parse_requirements(params.require, self.protocols)
        self.shard = _shard(params)
        self.fps = _rate(params.fps)
        self.measures = measures_of(self.protocols)
        if params.features_only and (params.require or params.merge):
            raise UsageError("--features-only: found with --require or --merge, expected it without: it makes no table")
        if params.merge and (params.real or params.reference or params.driving or params.pairs or params.real_from):
            raise UsageError("--merge: found with flags that name films, expected measured clips alone")
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
        from stages.scoring.real_side import bundle_of

        p = self.params
        if self.shard is not None:
            pairs = pairs[self.shard[0] - 1 :: self.shard[1]]
        torch_takes_part = any(measure.module.weights(measure.options) for measure in self.measures)
        device = pick_device(p.device) if torch_takes_part or p.device not in ("auto", "cpu") else "cpu"
        self.device = device
        common = {"fps": self.fps, "device": device, "overwrite": p.overwrite}
        others = {pair.name: bundle_of(p.real_from, pair.name) if p.real_from else "" for pair in pairs}
        mine = {pair.name: os.path.join(p.output, "clips", f"{pair.name}.zarr") for pair in pairs}
        tasks = [Task(pair, mine[pair.name], real_from=others[pair.name], **common) for pair in pairs]
        for kind in self.floors:
            if kind in MADE:
                folder = os.path.join(p.output, "floors", kind)
                tasks += [
                    Task(
                        pair,
                        os.path.join(folder, f"{pair.name}.zarr"),
                        floor=kind,
                        real_from=mine[pair.name],
                        **common,
                    )
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
        from stages.scoring.workers import measure_all, record_of

        missing = {task.bundle: missing_layers(task, self.measures) for task in tasks}
        for task in tasks:
            if not missing[task.bundle]:
                yield record_of(task, "skipped", 0.0)
        needed = {layer for layers in missing.values() for layer in layers}
        absent = absent_networks([measure for measure in self.measures if measure.layer in needed])
        ready, broken = self._checked([replace(t, absent=absent) for t in tasks if missing[t.bundle]], progress)
        yield from broken
        if broken and not self.params.features_only:
            return
        for done, record in enumerate(measure_all(ready, self.params.protocol, self.params.workers, progress), start=1):
            if progress is not None:
                progress(done, len(ready), "clips")
            yield record

    def _checked(self, tasks: Sequence[Task], progress: Progress | None) -> tuple[list[Task], list[Record]]:
        """(tasks whose films fit, failed Records of the others); a clip that fails has no floors either."""
        from stages.scoring.measure import prepare
        from stages.scoring.workers import failed_record

        ready: list[Task] = []
        broken: dict[str, Record] = {}
        for done, task in enumerate(tasks, start=1):
            try:
                if task.pair.name not in broken:
                    prepare(task, self.measures)
                    ready.append(task)
            except StageError as error:
                broken[task.pair.name] = failed_record(task, error)
            if progress is not None:
                progress(done, len(tasks), "check")
        return ready, list(broken.values())

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
