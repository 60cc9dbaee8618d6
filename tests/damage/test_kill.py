"""kill -9 at any moment: the bundle stays sound, a rerun completes, and two processes end with one result."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from stages.bundle import open_bundle, validate
from tests.process import ROOT

WRITER = """
import sys, time
import numpy as np
from stages.bundle import ArraySpec, LayerWriter, layer_key, make_provenance, plan_layer

path, seed, overwrite, pause_s = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "overwrite", float(sys.argv[4])
params = {"seed": seed}
key = layer_key("damage", 1, params, {})
print("ready", flush=True)
sys.stdin.readline()
if plan_layer(path, "pose", key, overwrite=overwrite).action != "skip":
    rng = np.random.default_rng(seed)
    with LayerWriter(path, "pose", key=key, attrs={"seed": seed}, overwrite=overwrite,
                     provenance=make_provenance("damage", 1, params, {})) as writer:
        stream = writer.stream("frames", (80, 80, 3), ArraySpec("u8", ("T", "H", "W", "rgb")))
        small = writer.stream("points", (25, 2), ArraySpec("f32", ("T", "J", "xy"), "px"), chunk=(8,))
        for _ in range(6):
            stream.append(rng.integers(0, 255, (8, 80, 80, 3), dtype=np.uint8))
            small.append(rng.uniform(0, 80, (8, 25, 2)).astype(np.float32))
            time.sleep(max(0, pause_s))
        if pause_s < 0:
            sys.stdin.readline()
        print(writer.commit(), flush=True)
else:
    print("skipped", flush=True)
"""


class Writer(subprocess.Popen):
    """A writing process that has imported everything and waits for `go`."""

    def __init__(self, path, seed: int, overwrite: bool = False, pause_s: float = 0.0) -> None:
        words = [sys.executable, "-c", WRITER, str(path), str(seed), "overwrite" if overwrite else "keep", str(pause_s)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        super().__init__(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.stdout.readline() == "ready\n"

    def go(self) -> None:
        """Let it write."""
        self.stdin.write("\n")
        self.stdin.flush()

    def finish(self) -> str:
        """Its status, once it has ended."""
        out, _ = self.communicate(timeout=100)
        return out.strip()


def write(path, seed: int, overwrite: bool = False) -> str:
    with Writer(path, seed, overwrite) as process:
        process.go()
        return process.finish()


def timed(folder) -> float:
    """Seconds a whole write takes here and now."""
    with Writer(folder / "timing.zarr", 9) as process:
        started = time.monotonic()
        process.go()
        assert process.finish() == "written"
    return time.monotonic() - started


def expected(seed: int):
    rng = np.random.default_rng(seed)
    frames, points = [], []
    for _ in range(6):
        frames.append(rng.integers(0, 255, (8, 80, 80, 3), dtype=np.uint8))
        points.append(rng.uniform(0, 80, (8, 25, 2)).astype(np.float32))
    return np.concatenate(frames), np.concatenate(points)


def assert_holds(path, seed: int) -> None:
    bundle = open_bundle(path)
    frames, points = expected(seed)
    assert validate(path) == []
    assert bundle.attrs("pose") == {"seed": seed}
    assert np.array_equal(bundle.read("pose", "frames"), frames)
    assert np.array_equal(bundle.read("pose", "points"), points)


def kill_after(path, seed: int, seconds: float, overwrite: bool = False) -> None:
    with Writer(path, seed, overwrite) as process:
        process.go()
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=100)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("replacing", [False, True], ids=["new", "replacing"])
def test_killed_at_random_moments(tmp_path, replacing):
    path = tmp_path / "clip.zarr"
    whole_s = timed(tmp_path)
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
    program = WRITER.replace(
        "import sys, time\n",
        "import sys, time, os, stages.bundle.commit as commit\n"
        "commit._exchange = lambda a, b: False\n"
        "real = os.rename\n"
        "def rename(a, b):\n"
        "    real(a, b)\n"
        "    if str(b).endswith('.old'): os.kill(os.getpid(), 9)\n"
        "os.rename = rename\n",
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program, str(path), "1", "overwrite", "0"],
        input="\n", text=True, capture_output=True, env=environment, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    assert validate(path) == [] and not open_bundle(path).has("pose")
    assert write(path, 1) == "written"
    assert_holds(path, 1)


@pytest.mark.parametrize("exists", [False, True])
def test_two_processes_on_one_layer_end_with_one_result(tmp_path, exists):
    path = tmp_path / "clip.zarr"
    if exists:
        with Writer(path, 5) as other:
            other.go()
            other.finish()
    processes = [Writer(path, 5, pause_s=0.05) for _ in range(2)]
    for process in processes:
        process.go()
    results = sorted(process.finish() for process in processes)
    assert results == (["skipped", "skipped"] if exists else ["skipped", "written"])
    assert_holds(path, 5)
    assert [name for name in os.listdir(tmp_path) if name.startswith(".")] == []


def test_two_processes_with_different_settings_end_with_one_and_a_conflict(tmp_path):
    path = tmp_path / "clip.zarr"
    processes = [Writer(path, seed, pause_s=0.05) for seed in (1, 2)]
    for process in processes:
        process.go()
    results = [process.finish() for process in processes]
    assert sorted(results) == ["", "written"]
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
