"""Free memory really goes back."""

from pathlib import Path

import numpy as np
import pytest

from stages.core.memory import give_back_free_memory


def resident_mb() -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def test_gaps_below_a_buffer_in_use_go_back():
    if not give_back_free_memory():
        pytest.skip("this C library cannot be asked")
    pieces = [np.full(100_000, 1, np.uint8) for _ in range(1_000)]  # too small to be mapped on their own
    full = resident_mb()
    del pieces[:-1]  # the last one stands above all others, so the heap cannot shrink by itself
    held = resident_mb()
    give_back_free_memory()
    assert full - held < 50 < full - resident_mb()
    assert pieces[-1].sum() == 100_000
