"""The tube of a torso is what the synthetic people say."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from stages.body import trunk
from stages.core.errors import WeightsError
from stages.synthetic.assets import load_assets
from stages.training.trunk_shape import by_height, measure_trunk, table

SHIPPED = np.stack([trunk.HALF_WIDTH, trunk.HALF_DEPTH, trunk.AHEAD])


@pytest.mark.parametrize("size", [1.0, 3.5])
@pytest.mark.parametrize("lean", [0.0, 0.4])
def test_a_torso_of_known_ellipses_is_found_whatever_its_size_and_lean(size, lean):
    shoulders = size * np.array([[0.5, 14.0, 0.2], [-0.5, 14.0, 0.2]])
    hips = size * np.array([[0.3, 12.7, 0.2 + lean], [-0.3, 12.7, 0.2 + lean]])
    down = np.linspace(1.2, -0.1, 14)  # from below the hips to above the shoulders, in lengths of the torso
    torso = SimpleNamespace(
        height=size * (14.0 - 1.3 * down),
        half_width=size * (0.5 - 0.1 * down),
        half_depth=size * (0.3 + 0.05 * down),
        middle=size * (0.2 + lean * down + 0.07),
    )
    expected = [0.5 - 0.1 * trunk.HEIGHT, 0.3 + 0.05 * trunk.HEIGHT, np.full(len(trunk.HEIGHT), 0.07)]
    np.testing.assert_allclose(by_height(torso, shoulders, hips), expected, atol=1e-9)


@pytest.mark.parametrize(("people", "within"), [(4, 0.02), pytest.param(24, 0.005, marks=pytest.mark.slow)])
def test_the_shipped_tube_is_what_the_people_say(people, within):
    """Four people lie within 0.02 of the mean of all by chance; the table itself goes by steps of 0.005."""
    try:
        assets = load_assets("full")
    except WeightsError as error:
        pytest.skip(f"assets cannot be had here: {error}")
    np.testing.assert_allclose(measure_trunk(assets, people), SHIPPED, atol=within)


def test_the_printed_table_can_be_pasted():
    assert table(SHIPPED) in Path(trunk.__file__).read_text(encoding="utf-8")
