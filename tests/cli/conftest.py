"""Running the command line as a process, as a shell would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
DREAMACTOR = [sys.executable, "-c", "from dreamactor_cli.main import main; main()"]
TOY = [sys.executable, str(ROOT / "tests" / "cli" / "toy_stage.py")]


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment of a child process that finds the source tree."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb", "OMP_NUM_THREADS": "1"}


@pytest.fixture
def shell(tmp_path, environment):
    """Run a program in an empty folder: shell(words, stdin) -> CompletedProcess with text output."""

    def run(words, stdin: str | None = None, **options):
        return subprocess.run(
            words,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
            timeout=110,
            check=False,
            **options,
        )

    return run


@pytest.fixture
def toy(shell):
    """Run the toy stage: toy("a.mp4", "--json", stdin=...)."""
    return lambda *words, stdin=None, **options: shell([*TOY, *words], stdin, **options)


@pytest.fixture
def dreamactor(shell):
    """Run dreamactor: dreamactor("bundle", "show", ...)."""
    return lambda *words, stdin=None, **options: shell([*DREAMACTOR, *words], stdin, **options)
