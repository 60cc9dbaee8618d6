"""kill -9 at any moment: the bundle stays sound, a rerun completes, and two processes end with one result."""

import os
import random
import signal
import time

import numpy as np
import pytest

from stages.bundle import open_bundle, validate
from tests.damage.writer import Writer, blocks


def write(path, seed: int, overwrite: bool = False) -> str:
    writer = Writer(path, seed, overwrite)
    writer.go()
    return writer.finish()


def timed(folder) -> float:
    """Seconds a whole write takes here and now."""
    writer = Writer(folder / "timing.zarr", 9)
    started = time.monotonic()
    writer.go()
    assert writer.finish() == "written"
    return time.monotonic() - started


def assert_holds(path, seed: int) -> None:
    bundle = open_bundle(path)
    frames, points = (np.concatenate(part) for part in zip(*blocks(seed), strict=True))
    assert validate(path) == []
    assert bundle.attrs("pose") == {"seed": seed}
    assert np.array_equal(bundle.read("pose", "frames"), frames)
    assert np.array_equal(bundle.read("pose", "points"), points)


def kill_after(path, seed: int, seconds: float, overwrite: bool = False) -> None:
    writer = Writer(path, seed, overwrite)
    writer.go()
    time.sleep(seconds)
    writer.kill()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("replacing", [False, True], ids=["new", "replacing"])
def test_killed_at_random_moments(tmp_path, replacing):
    path = tmp_path / "clip.zarr"
    whole_s = min(timed(tmp_path / str(attempt)) for attempt in range(2))
    moments = random.Random(4)
    seen = set()
    if replacing:
        write(path, 0)
    for attempt in range(15):  # fifteen each for a new and for a replaced layer
        kill_after(path, 1, moments.uniform(0.0, 1.2 * whole_s), overwrite=replacing)
        seen.add(open_bundle(path).attrs("pose")["seed"] if path.exists() else None)
        if path.exists():
            assert validate(path) == [], attempt
        if replacing:
            there = open_bundle(path).attrs("pose")["seed"]
            assert there in (0, 1)
            assert_holds(path, there)
            write(path, 0, overwrite=True)
        elif path.exists() and attempt < 14:
            assert_holds(path, 1)
            path.rename(tmp_path / f"done{attempt}.zarr")
    assert write(path, 1, overwrite=replacing) in ("written", "replaced", "skipped")
    assert_holds(path, 1)
    left = [name for name in os.listdir(tmp_path) if name.startswith(".")]
    assert left == [], "leftovers of killed processes"
    assert seen, "no attempt was looked at"


def test_killed_inside_a_rename_without_swap(tmp_path):
    """The fallback of file systems that cannot swap: killed between its two renames, a rerun completes."""
    path = tmp_path / "clip.zarr"
    write(path, 0)
    writer = Writer(path, 1, overwrite=True, without_swap=True)
    writer.go()
    assert writer.ended() == -signal.SIGKILL
    assert validate(path) == [] and not open_bundle(path).has("pose")
    assert write(path, 1) == "written"
    assert_holds(path, 1)


@pytest.mark.parametrize("exists", [False, True])
def test_two_processes_on_one_layer_end_with_one_result(tmp_path, exists):
    path = tmp_path / "clip.zarr"
    if exists:
        assert write(path, 5) == "written"
    writers = [Writer(path, 5, pause_s=0.05) for _ in range(2)]
    for writer in writers:
        writer.go()
    results = sorted(writer.finish() for writer in writers)
    assert results == (["skipped", "skipped"] if exists else ["skipped", "written"])
    assert_holds(path, 5)
    assert [name for name in os.listdir(tmp_path) if name.startswith(".")] == []


def test_two_processes_with_different_settings_end_with_one_and_a_conflict(tmp_path):
    path = tmp_path / "clip.zarr"
    writers = [Writer(path, seed, pause_s=0.05) for seed in (1, 2)]
    for writer in writers:
        writer.go()
    results = [writer.finish() for writer in writers]
    assert sorted(results) == ["conflict", "written"]
    assert_holds(path, 1 + results.index("written"))


def test_a_live_writer_is_not_cleaned_away(tmp_path):
    path = tmp_path / "clip.zarr"
    slow = Writer(path, 1, pause_s=-1)  # waits for a second go before it commits
    slow.go()
    limit = time.monotonic() + 100
    while not any(".pose." in name for name in os.listdir(tmp_path)):
        assert time.monotonic() < limit
        time.sleep(0.01)
    assert write(path, 1) == "written"
    slow.go()
    assert slow.finish() == "skipped"
    assert_holds(path, 1)
