"""Clips measured one after the other or by several processes; the numbers do not depend on which."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence

from stages.core.command import running_command
from stages.core.errors import ResourceError, StageError, is_out_of_resources
from stages.core.records import Record
from stages.metrics.protocol import Measure, Protocol, load_protocol
from stages.scoring import STAGE
from stages.scoring.measure import Task, measure_clip
from stages.scoring.one_pass import Progress

Work = tuple[Task, str, tuple[str, ...]]  # task, protocols as named, the command that runs


def load_protocols(names: str) -> list[Protocol]:
    """The protocols named with commas between them. errors  UsageError: no such one"""
    return [load_protocol(word.strip()) for word in names.split(",") if word.strip()]


def measures_of(protocols: Sequence[Protocol]) -> list[Measure]:
    """Each measurement once, whatever the number of protocols that ask for it."""
    return list({m.layer: m for protocol in protocols for m in protocol.measures}.values())


def measure_all(tasks: Sequence[Task], protocols: str, workers: int, progress: Progress | None) -> Iterator[Record]:
    """The Records of all tasks in their order, each as soon as it and those before are done.

    progress  called with (frames done, frames, clip); only where one process does it all
    errors    ResourceError: a worker was killed
    """
    work: list[Work] = [(task, protocols, running_command.get() or ()) for task in tasks]
    workers = min(workers, len(tasks))
    if workers <= 1:
        yield from (_attempt(item, progress) for item in work)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_take_one_core)
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


def record_of(task: Task, status: str, seconds: float) -> Record:
    """The Record of a measured clip."""
    return Record(STAGE, task.bundle, status, seconds=seconds, data={"clip": task.pair.name, "floor": task.floor})


def failed_record(task: Task, error: StageError) -> Record:
    """The Record of a clip that cannot be measured."""
    return Record(STAGE, task.pair.generated, "failed", error=str(error), exit=error.exit_code)


def _take_one_core() -> None:
    """Leave the other cores to the other workers, and Ctrl-C to the process that started them."""
    os.environ["OMP_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _attempt(work: Work, progress: Progress | None = None) -> Record:
    """The Record of one clip; foreseeable errors are failed Records, a bug still raises."""
    from stages.core.device import set_threads

    task, names, command = work
    running_command.set(command or None)
    measures = measures_of(load_protocols(names))
    if any(measure.module.weights(measure.options) for measure in measures):
        set_threads(None)
    try:
        return record_of(task, *measure_clip(task, measures, progress))
    except StageError as error:
        return failed_record(task, error)
    except OSError as error:
        if not is_out_of_resources(error):
            raise
        return Record(STAGE, task.bundle, "failed", error=f"{task.bundle}: {error.strerror}. Free some space", exit=7)
