"""Shared by all tests: where optional real inputs lie, and small bundles."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


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
