"""Videos of synthetic people, drawn once for all tests of a session."""

from __future__ import annotations

from functools import cache

import pytest

from stages.core.errors import WeightsError

SIZE = 192


@cache
def person_clip(seed: int, framing: str, frames: int = 6, size: int = SIZE):
    """A SyntheticClip as rendered; the test is skipped where the assets cannot be had."""
    try:
        return _studio(size).clip(seed, frames=frames, framing=framing, look="plain", style="talk", fps=12.0)
    except WeightsError as error:
        pytest.skip(f"synthetic people cannot be had here: {error}")


@cache
def _studio(size: int):
    from stages.synthetic.assets import load_assets
    from stages.synthetic.clip import Studio

    return Studio(load_assets("full"), size)


def need(*names: str) -> None:
    """Skip the test where these networks are not to be had."""
    from stages.weights import resolve

    try:
        for name in names:
            resolve(name)
    except WeightsError as error:
        pytest.skip(f"networks are not to be had here: {error}")
