"""Rules of the house that a machine can check: style, import directions, start-up cost, locked dependencies."""

import os
import re
import resource
import subprocess
import sys
import tomllib

import pytest

from tests.process import DREAMACTOR, ROOT


def run(*words: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    return subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=110, check=False)


def test_ruff_finds_nothing():
    done = run(sys.executable, "-m", "ruff", "check", ".", "--output-format", "concise")
    assert done.returncode == 0, done.stdout


def test_imports_point_down_only():
    done = run(sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 kept, 0 broken" in done.stdout


def test_only_the_bundle_writes_zarr():
    users = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "stages").rglob("*.py")
        if re.search(r"^\s*(import|from) zarr", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert users and all(name.startswith("stages/bundle/") for name in users), users


def test_help_takes_less_than_a_quarter_of_a_cpu_second():
    def cpu_s() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert run(*DREAMACTOR, "--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    taken = sorted(cpu_s() for _ in range(5))
    assert taken[0] < 0.25, f"CPU seconds of five runs: {taken}"


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-dev.txt"])
def test_locked_dependencies_are_pinned_by_checksum_and_name_no_host(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"https?:|://|--index|--find-links|\.org|\.com", text)
    entries = [entry for entry in text.replace("\\\n", " ").splitlines() if entry.strip() and not entry.startswith("#")]
    assert len(entries) > 5
    for entry in entries:
        assert re.match(r"[a-z0-9.-]+==\S+( ; [^-]+)?( +--hash=sha256:[0-9a-f]{64})+$", entry.strip()), entry


def test_every_dependency_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked = {name: locked_names(name) for name in ("constraints.txt", "constraints-dev.txt")}
    wanted = {requirement_name(text) for text in project["dependencies"]} - {"torch"}
    assert wanted <= locked["constraints.txt"]
    assert {requirement_name(text) for text in project["optional-dependencies"]["dev"]} <= locked["constraints-dev.txt"]
    # two OpenCV builds in one environment overwrite each other, and the others need a display library
    assert {name for name in locked["constraints.txt"] if name.startswith("opencv")} == {"opencv-python-headless"}
    assert "torch" not in locked["constraints.txt"]


def locked_names(name: str) -> set[str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return {requirement_name(line) for line in lines if re.match(r"[a-zA-Z]", line)}


def requirement_name(text: str) -> str:
    return re.sub(r"[-_.]+", "-", re.match(r"[A-Za-z0-9._-]+", text)[0]).lower()
