"""What no training clip ever does: gestures, dances, paths and exercises kept back for the test split."""

from __future__ import annotations

import numpy as np

HELD_OUT: dict[str, tuple[str, ...]] = {
    "gesture": ("steeple", "thumbs up", "point side", "behind head"),
    "dance": ("step touch", "robot"),
    "path": ("across", "figure eight"),
    "exercise": ("lunges", "side bends"),
}
TEST_SHARE = 0.5  # of the test split's draws that come from what is held out
MOCAP_TEST_SHARE = 0.15


def choose(rng: np.random.Generator, family: str, shares: dict[str, float], split: str) -> str:
    """One of `shares` (name -> weight). Test draws what is held out half of the time, the other splits never."""
    held = [name for name in shares if name in HELD_OUT[family]]
    kept = [name for name in shares if name not in HELD_OUT[family]]
    toss, pick = rng.random(2)
    names = held if held and (not kept or (split == "test" and toss < TEST_SHARE)) else kept
    weight = np.cumsum([shares[name] for name in names])
    return names[int(np.searchsorted(weight, pick * weight[-1], side="right").clip(0, len(names) - 1))]


def mocap_split(name: str) -> str:
    """test or train: which clips of a motion file only the test split may use, by a hash of the name."""
    from stages.core.rng import seed_for

    return "test" if seed_for(0, "synthetic", name, "mocap split") % 1000 < 1000 * MOCAP_TEST_SHARE else "train"
