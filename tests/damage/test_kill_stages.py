"""kill -9 at 30 random moments of every real writing stage: the bundle stays sound, and running again completes."""

import os
import random
import shutil
import signal
import subprocess
import time

import pytest

from stages.bundle import open_bundle, validate
from tests.process import DREAMACTOR, ROOT

KILLS = 30
SAMPLE = ROOT / "examples" / "samples" / "driving.mp4"
PHOTO = ROOT / "examples" / "samples" / "reference.jpg"
STAGES = {
    "synth": (
        ["synth", "--out", ".", "--frames", "5", "--size", "64", "--framing", "portrait"],
        ["clip", "pose", "truth"],
    ),
    "extract-pose": (["extract-pose", str(SAMPLE), "-o", "clip.zarr", "--duration", "0.4"], ["clip", "pose"]),
    "render-spheres": (["render-spheres", "clip.zarr", "--ref", str(PHOTO)], ["body", "head"]),
    "encode-face": (["encode-face", "clip.zarr", "--keep-crops"], ["face"]),
    "animate": (["animate", "clip.zarr", "--steps", "1", "--segment", "5"], ["video"]),
}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def start(stage: str, folder, environment) -> subprocess.Popen:
    words = [*DREAMACTOR, *STAGES[stage][0], "-q"]
    return subprocess.Popen(
        words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def complete(stage: str, folder, environment) -> float:
    """Run a stage to its end; the seconds it took."""
    started = time.monotonic()
    with start(stage, folder, environment) as process:
        out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert out.strip().endswith((".zarr", ".mp4"))
    return time.monotonic() - started


def digests(folder, layers) -> dict:
    (path,) = [p for p in folder.glob("*.zarr") if not p.name.startswith(".")]
    bundle = open_bundle(path)
    return {
        (layer, name): bundle.array_info(layer, name)["sha256"]
        for layer in layers
        for name in bundle.array_names(layer)
    }


class Chain:
    """The chain run once, as far as needed: the folder before each stage, seconds and digests of whole runs."""

    def __init__(self, root) -> None:
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb"}
        self.before, self.seconds, self.whole = {}, {}, {}
        self._root, self._now = root, root / "now"

    def reach(self, wanted: str) -> None:
        for stage, (_, layers) in STAGES.items():
            if stage not in self.whole:
                if stage in ("synth", "extract-pose"):  # these two begin a bundle
                    shutil.rmtree(self._now, ignore_errors=True)
                    self._now.mkdir()
                self.before[stage] = self._root / stage
                shutil.copytree(self._now, self.before[stage])
                self.seconds[stage] = complete(stage, self._now, self.environment)
                self.whole[stage] = digests(self._now, layers)
            if stage == wanted:
                return


@pytest.fixture(scope="module")
def chain(tmp_path_factory) -> Chain:
    return Chain(tmp_path_factory.mktemp("chain"))


@pytest.mark.parametrize("stage", list(STAGES))
def test_a_killed_stage_leaves_a_sound_bundle_and_completes(stage, chain, tmp_path):
    chain.reach(stage)
    environment, before, seconds, whole = chain.environment, chain.before, chain.seconds, chain.whole
    layers = STAGES[stage][1]
    dice = random.Random(stage)
    folder = tmp_path / "work"
    shutil.copytree(before[stage], folder)
    killed, attempts, longest = 0, 0, seconds[stage]
    while killed < KILLS:
        attempts += 1
        assert attempts < 5 * KILLS, f"only {killed} of {attempts} were killed before their end"
        started = time.monotonic()
        with start(stage, folder, environment) as process:
            try:
                process.communicate(timeout=dice.uniform(0.2, 1.0) * longest)
                longest = max(1.0, min(longest, time.monotonic() - started))  # what is kept makes a rerun shorter
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
                killed += 1
        bundles = [path for path in folder.glob("*.zarr") if not path.name.startswith(".")]
        for path in bundles:
            assert validate(path) == []
        if bundles and all(open_bundle(bundles[0]).has(layer) for layer in layers):
            complete(stage, folder, environment)
            assert digests(folder, layers) == whole[stage]
            shutil.rmtree(folder)
            shutil.copytree(before[stage], folder)
    complete(stage, folder, environment)
    found = digests(folder, layers)
    assert {key for key in whole[stage] if found[key] != whole[stage][key]} == set()
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
