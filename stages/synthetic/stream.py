"""Clips as a stream from worker processes, in the order of their seeds, without touching the disk."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any

from stages.core.errors import ResourceError, UsageError
from stages.synthetic.clip_data import SyntheticClip
from stages.synthetic.equipment import Equipment, check_device
from stages.synthetic.seeds import SPLITS, bundle_name, clip_seed, seeds_of

AHEAD = 2  # clips each worker may be in front of the reader; what bounds the memory


@dataclass(frozen=True)
class StreamSettings:
    """What every clip of a stream is like; picklable.

    size, supersample  of the Studio;  assets, mocap, backgrounds, panoramas, device: see Equipment
    clips_per_person   clips in a row that show the same person;  cross: the partner's identity instead
    options            keyword arguments of Studio.clip: frames, references, fps, framing, look, views, ...
    """

    size: int = 128
    supersample: int = 2
    assets: str = "auto"
    mocap: str = ""
    backgrounds: str = ""
    panoramas: bool = False
    device: str = ""
    clips_per_person: int = 1
    cross: bool = False
    options: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def equipment(self) -> Equipment:
        """What the studio is equipped with."""
        return Equipment(self.assets, self.mocap, self.backgrounds, self.panoramas, self.device)


def stream_clips(
    split: str, first: int, count: int | None, settings: StreamSettings, *, workers: int = 1
) -> Iterator[SyntheticClip]:
    """Clips number `first`, first + 1, ... of a split, the same whatever the number of workers.

    count    None: to the end of the split
    workers  processes besides this one; 0: made in this process. Memory holds at most AHEAD clips a worker. Closing the
             iterator stops them, and none outlives this process
    errors   UsageError: unknown split, clips outside it. WeightsError: no assets. ResourceError: a worker was killed,
             no such device. Those of Equipment.inputs and Studio.clip
    """
    clip_seed(split, first)
    check_device(settings.device)
    if workers < 0 or (count is not None and count < 1):
        raise UsageError(f"workers {workers}, count {count}: expected 0 or more, 1 or more")
    if count is None:
        start, end = SPLITS[split]
        count = end - start - first
    clip_seed(split, first + count - 1)
    numbers = range(first, first + count)
    if workers == 0:
        return (_make(split, number, settings) for number in numbers)
    return _streamed(split, numbers, settings, workers)


def _streamed(split: str, numbers: range, settings: StreamSettings, workers: int) -> Iterator[SyntheticClip]:
    import multiprocessing

    spawn = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(workers, spawn, initializer=become_worker)
    waiting: deque[Future] = deque()
    try:
        for number in numbers:
            waiting.append(executor.submit(_make, split, number, settings))
            if len(waiting) >= AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise ResourceError(
            "a worker that makes synthetic clips was killed, perhaps for want of memory. Use fewer workers"
        ) from error
    finally:
        for future in waiting:
            future.cancel()
        executor.shutdown(wait=True, cancel_futures=True)


def _make(split: str, number: int, settings: StreamSettings) -> SyntheticClip:
    seeds = seeds_of(bundle_name(split, number, settings.cross), settings.clips_per_person)
    return settings.equipment.studio(settings.size, settings.supersample).clip(seeds, **settings.options)


def become_worker() -> None:
    """One thread; signals are the parent's affair; and no worker outlives its parent."""
    import multiprocessing.connection
    import os
    import signal

    import cv2

    cv2.setNumThreads(1)
    for name in ("SIGINT", "SIGTERM", "SIGUSR1"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
