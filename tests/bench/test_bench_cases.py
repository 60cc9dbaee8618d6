"""The cross-identity cases of bench_default_model.py: what being told the place is worth."""

from pathlib import Path

import numpy as np
import pytest

from stages.core.errors import WeightsError

SIZE, FRAMES = 16, 17


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import bench_default_model

    return bench_default_model


@pytest.fixture(scope="module")
def pair():
    """A clip and the same motion on another person, drawn tiny: the geometry is the same at any size."""
    from stages.synthetic.assets import load_assets
    from stages.synthetic.clip import Studio
    from stages.synthetic.seeds import ClipSeeds, partner_seed

    try:
        studio = Studio(load_assets(), SIZE, supersample=1)
    except WeightsError as error:
        pytest.skip(f"synthetic people cannot be had here: {error}")
    seeds = ClipSeeds.of(500_004)
    return [studio.clip(s, frames=FRAMES, references=3) for s in (seeds, seeds.with_identity(partner_seed(500_004)))]


def test_a_driver_who_begins_with_the_reference_s_moment_is_placed_right(bench, pair):
    from stages.body.compose import compose

    truth, clip = pair
    still, _ = bench.person_of(truth.references, 0)
    off = {}
    for held in (0, bench.HELD):
        driver, seen = bench.begun_with_reference(clip, held)
        assert len(driver) == FRAMES + held
        made = compose(driver, seen, still, (SIZE, SIZE), (SIZE, SIZE), framing="reference")
        assert not held or made.act.frame < held, "the most alike frame is the reference's own moment"
        act = bench.without_first(made, held).act
        exact = bench.exact_truth(truth, made.ref_window)
        assert act.joints_px.shape == exact["joints_px"].shape
        away = np.linalg.norm(act.joints_px - exact["joints_px"], axis=-1)[exact["inside"]]
        off[held] = away.mean() / np.median(exact["height_px"])
    assert off[bench.HELD] < 0.015 < off[0], off
