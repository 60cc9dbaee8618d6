"""benchmark.sh from end to end on the smallest suite, and its columns against those of dreamactor-v1."""

import json
import os
import subprocess
import sys

import pytest

from stages.metrics.protocol import load_protocol
from tests.process import ROOT


def test_its_numbers_are_those_of_dreamactor_v1():
    ours = load_protocol(str(ROOT / "examples" / "benchmark.toml"))
    theirs = {metric.name: metric for metric in load_protocol("dreamactor-v1").metrics}
    assert len(ours.metrics) >= 10
    for metric in ours.metrics:
        other = theirs[metric.name]
        assert metric.measure.signature == other.measure.signature, metric.name
        assert (metric.options, metric.direction, metric.unit) == (other.options, other.direction, other.unit)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_whole_script_on_a_clip_of_each_framing(tmp_path):
    environment = {**os.environ, "DREAMACTOR_VENV": sys.prefix, "PYTHONPATH": str(ROOT)}
    words = ["bash", str(ROOT / "examples" / "benchmark.sh"), str(tmp_path), "--clips", "1", "--kinds", "cross"]
    outputs = []
    for _ in range(2):
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("Another kind of processor") <= 1, "once, not for every bundle"
        outputs.append(done.stdout.splitlines())
    value = json.loads((tmp_path / "benchmark.json").read_text())
    assert value["suite"]["bundles"] == 6
    methods = value["results"]["cross"]
    assert [name.partition("@")[0] for name in methods] == ["copy", "clip-mean", "warp", "default"]
    for method in methods.values():
        assert method["metrics"]["psnr"]["n_clips"] == 3 and 5 < method["metrics"]["psnr"]["value"] < 60
    assert len({method["test_set_sha256"] for method in methods.values()}) == 1
    table = outputs[0].index(next(line for line in outputs[0] if line.startswith("cross, 3 cases")))
    assert outputs[0][table:] == outputs[1][-len(outputs[0][table:]) :], "the second run prints the same table"
