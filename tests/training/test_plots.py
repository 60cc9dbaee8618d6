"""The curves show what the log says."""

import numpy as np
import pytest

from stages.training.plots import draw_curves, panels, ticks

LINES = [
    *({"part": "vae", "step": step, "loss": 1.0 / step, "psnr_db": 20.0 + step} for step in range(1, 9)),
    {"part": "face", "step": 5, "loss": 0.5},
    {"part": "dit0", "stage": 1, "step": 10, "loss": 0.9},
    {"part": "dit1", "stage": 1, "step": 5, "loss": 0.8},
    {"part": "dit2", "stage": 2, "step": 4, "loss": 0.7},
]


def test_phases_of_one_stage_are_one_curve_behind_each_other():
    named = dict(panels(LINES))
    stages = {curve.name: (curve.x, curve.y) for curve in named["transformer: loss"]}
    assert stages == {"stage 1": ([10, 15], [0.9, 0.8]), "stage 2": ([19], [0.7])}
    assert list(named) == ["VAE: loss", "VAE: PSNR dB, unseen", "face encoder: loss", "transformer: loss"]


def test_every_curve_is_drawn_in_its_colour():
    picture = draw_curves(LINES)
    assert picture.dtype == np.uint8 and picture.shape == (600, 1040, 3)
    blue = (picture == (31, 98, 180)).all(-1)
    assert all(blue[y : y + 300, x : x + 520].sum() > 10 for y in (0, 300) for x in (0, 520))
    rows = [np.flatnonzero(blue[30:260, x]).mean() for x in (150, 300, 480) if blue[30:260, x].any()]
    assert rows == sorted(rows) and len(rows) == 3  # a falling loss falls in the picture


@pytest.mark.parametrize("lines", [[], LINES[8:9], [{"part": "vae", "step": 3, "loss": 1.0}] * 2])
def test_few_lines_are_no_trouble(lines):
    assert draw_curves(lines).std() > 1


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.013, 0.0131), (-3, 250), (5, 5), (1e-9, 4e-9)])
def test_ticks_are_round_and_inside(low, high):
    found = ticks(low, high)
    assert 1 <= len(found) <= 6 and low * 0.999999 <= found[0] and found[-1] <= high * 1.000001
    assert found == sorted(set(found))
