"""Clips as a stream: the same whatever the workers, stopped when the reader stops, one error when a worker dies."""

import os
import signal
import time

import numpy as np
import pytest

from stages.core.errors import ResourceError, UsageError
from stages.synthetic import stream
from stages.synthetic.stream import StreamSettings, stream_clips
from stages.training.pool import FPS, REFERENCE_FRAMES, SyntheticSource, pool_arrays, train_seed
from tests.synthetic.test_clip import digest

SETTINGS = StreamSettings(32, assets="full", options={"frames": 2, "references": 1})


def children() -> set[int]:
    """Processes that this one started."""
    found = set()
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/children", encoding="ascii") as listed:
            found |= {int(word) for word in listed.read().split()}
    return found


@pytest.mark.timeout(300)
def test_the_stream_does_not_depend_on_the_workers(full):
    here = [digest(clip) for clip in stream_clips("test", 20, 3, SETTINGS, workers=0)]
    assert len(set(here)) == 3
    assert [digest(clip) for clip in stream_clips("test", 20, 3, SETTINGS, workers=2)] == here
    backwards = [digest(next(stream_clips("test", number, 1, SETTINGS, workers=0))) for number in range(22, 19, -1)]
    assert backwards[::-1] == here, "another order of clips changed the bytes"


def test_a_clip_is_the_same_after_another_of_the_same_person(full):
    settings = StreamSettings(32, assets="full", clips_per_person=2, options={"frames": 2})
    first, second = (digest(clip) for clip in stream_clips("test", 30, 2, settings, workers=0))
    next(stream_clips("test", 40, 1, settings, workers=0))  # somebody else in between
    alone = digest(next(stream_clips("test", 31, 1, settings, workers=0)))
    assert alone == second != first


@pytest.mark.timeout(300)
def test_closing_early_stops_the_workers(full):
    before = children()
    clips = stream_clips("test", 20, None, SETTINGS, workers=1)
    next(clips)
    assert children() - before
    clips.close()
    deadline = time.monotonic() + 20
    while _workers(children() - before) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _workers(children() - before)


@pytest.mark.timeout(300)
def test_a_killed_worker_is_one_clear_error(full):
    before = children()
    clips = stream_clips("test", 20, 50, SETTINGS, workers=1)
    next(clips)
    for worker in _workers(children() - before):
        os.kill(worker, signal.SIGKILL)
    with pytest.raises(ResourceError, match="fewer workers"):
        list(clips)


def _workers(processes: set[int]) -> list[int]:
    """Those that still run and are not Python's own resource tracker."""
    found = []
    for process in processes:
        try:
            with open(f"/proc/{process}/cmdline", encoding="utf-8") as line:
                if "spawn_main" in line.read():
                    found.append(process)
        except OSError:
            continue
    return found


def test_streamed_clips_are_what_training_reads(full):
    settings = StreamSettings(32, assets="full", options={"frames": 2, "references": REFERENCE_FRAMES, "fps": FPS})
    streamed = pool_arrays(next(stream_clips("train", 7, 1, settings, workers=0)))
    pooled = SyntheticSource(32, 2, "full").clip(train_seed(7))
    assert streamed.keys() == pooled.keys()
    assert all(np.array_equal(streamed[name], pooled[name]) for name in pooled)


@pytest.mark.parametrize(("split", "first", "count", "workers"), [
    ("dev", 0, 1, 0), ("val", 100_000, 1, 0), ("val", 99_999, 2, 0), ("val", 0, 0, 0), ("val", 0, 1, -1),
])  # fmt: skip
def test_wrong_streams_are_refused_at_once(split, first, count, workers):
    with pytest.raises(UsageError):
        stream_clips(split, first, count, stream.StreamSettings(), workers=workers)
