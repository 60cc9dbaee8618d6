"""Known answers of other codes, and pictures that belong to them; tests are skipped where they are not at hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.metrics.collecting import assert_fits_specs, collect


def answers(assets: Path, section: str) -> dict[str, dict]:
    """id -> entry of a section of expected.json; skipped without it."""
    file = assets / "metrics" / "expected.json"
    if not file.is_file():
        pytest.skip(f"{file} is not here")
    return {entry["id"]: entry for entry in json.loads(file.read_text(encoding="utf-8"))[section]}


def assert_close(found: float, entry: dict, which: str = "measured") -> None:
    """`found` lies within the entry's tolerance of the measured (or published) number."""
    tolerance = entry["tolerance" if which == "measured" else f"{which}_tolerance"]
    allowed = tolerance.get("abs", 0) + tolerance.get("rel", 0) * abs(entry[which])
    off = abs(found - entry[which])
    assert off <= allowed, (
        f"{entry['id']}: {found!r}, {which} {entry[which]!r}: off by {off:.3g}, allowed {allowed:.3g}"
    )


def read_u8(path: Path) -> np.ndarray:
    """uint8 [H, W, 3] of a picture file."""
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGB"))


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Torch may use `count` cores inside."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def assert_blocks_and_cores_change_no_bit(module, options, generated_u8, real_u8, block: int) -> dict[str, np.ndarray]:
    """The arrays of the whole clip with one core, after comparing: `block` frames at a time with two cores."""
    with torch_threads(1):
        whole = collect(module, options, generated_u8, real_u8)
    with torch_threads(2):
        parts = collect(module, options, generated_u8, real_u8, block=block)
    assert_fits_specs(module, options, whole)
    for name, array in whole.items():
        assert np.array_equal(array, parts[name]), f"{name}: {np.abs(array - parts[name]).max()}, allowed 0"
    return whole
