"""kill -9 at 30 random moments of every real writing stage: the bundle stays sound, and running again completes."""

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


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    """Folder before each stage -> made by running the chain once; plus the seconds and digests of whole runs."""
    import os

    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb"}
    root = tmp_path_factory.mktemp("chain")
    now = root / "now"
    now.mkdir()
    before, seconds, whole = {}, {}, {}
    for stage, (_, layers) in STAGES.items():
        if stage == "extract-pose":  # synth's bundle is not part of the chain
            shutil.rmtree(now)
            now.mkdir()
        before[stage] = root / stage
        shutil.copytree(now, before[stage])
        seconds[stage] = complete(stage, now, environment)
        whole[stage] = digests(now, layers)
    return environment, before, seconds, whole


@pytest.mark.parametrize("stage", list(STAGES))
def test_a_killed_stage_leaves_a_sound_bundle_and_completes(stage, states, tmp_path):
    environment, before, seconds, whole = states
    layers = STAGES[stage][1]
    dice = random.Random(stage)
    folder = tmp_path / "work"
    shutil.copytree(before[stage], folder)
    killed = 0
    for _ in range(KILLS):
        with start(stage, folder, environment) as process:
            try:
                process.communicate(timeout=dice.uniform(0.3, 1.0) * seconds[stage])
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
    assert killed > KILLS // 2, f"only {killed} of {KILLS} were killed before their end"
    complete(stage, folder, environment)
    found = digests(folder, layers)
    assert {key for key in whole[stage] if found[key] != whole[stage][key]} == set()
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
