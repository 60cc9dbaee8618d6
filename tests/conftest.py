"""Shared by all tests: where optional real inputs lie, and our programs as processes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.process import DREAMACTOR, ROOT, TOY


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the source tree."""
    return ROOT


@pytest.fixture(scope="session")
def assets() -> Path:
    """Folder of real inputs, from DREAMACTOR_ASSETS or beside the source tree; the test is skipped without it."""
    folder = Path(os.environ.get("DREAMACTOR_ASSETS", ROOT.parent / "shared" / "assets"))
    if not folder.is_dir():
        pytest.skip("real inputs are not here (set DREAMACTOR_ASSETS to their folder)")
    return folder


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
