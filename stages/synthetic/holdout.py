"""What people of train and val never have and never do, so that test shows what is new.

That is clothes, hair and things on the head; gestures, dances, paths and exercises; some clips of a motion file.

A person of the test split draws from the held-out items with a chance of one half wherever some are offered (one
fifth for patterns, of which each wears several), otherwise from what everybody wears. This table alone decides it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from stages.core.rng import seed_for
from stages.synthetic.seeds import split_of

HELD_OUT: dict[str, frozenset] = {
    "hair": frozenset({"hair/short04", "hair/Braid01", "baked/chin", "shell/high"}),
    "suit": frozenset({"male_casualsuit05", "female_casualsuit02"}),
    "set": frozenset({("F_Dress_02",), ("Coat", "Tightjeans"), ("Tank_Top_01", "ShortJeans")}),
    "pattern": frozenset({11, 12}),  # diamonds and zigzag, see patterns.py
    "print": frozenset({"07", "23", "88", "5"}),  # digits
    "hat": frozenset({"bucket"}),
    "glasses": frozenset({"cat-eye"}),
    "gesture": frozenset({"steeple", "thumbs up", "point side", "behind head"}),
    "dance": frozenset({"step touch", "robot"}),
    "path": frozenset({"across", "figure eight"}),
    "exercise": frozenset({"lunges", "side bends"}),
}
TEST_SHARE = 0.5
MOCAP_TEST_SHARE = 0.15  # of the clips of a motion file
PATTERN_TEST_SHARE = 0.2  # of every garment: at one half nearly everybody in test would wear diamonds
Item = TypeVar("Item")


def choose(rng: np.random.Generator, family: str, options: Sequence[Item], seed: int) -> Item:
    """One of the options that the person of this seed may have; always two draws. Repeats make an option likelier."""
    held = [item for item in options if item in HELD_OUT[family]]
    common = [item for item in options if item not in HELD_OUT[family]]
    wants_new = rng.random() < (PATTERN_TEST_SHARE if family == "pattern" else TEST_SHARE)
    pool = held if held and wants_new and split_of(seed) == "test" else common
    return pool[min(int(rng.random() * len(pool)), len(pool) - 1)]


def choose_motion(rng: np.random.Generator, family: str, shares: dict[str, float], split: str) -> str:
    """One of `shares` (name -> weight). Test draws what is held out half of the time, the other splits never."""
    held = [name for name in shares if name in HELD_OUT[family]]
    kept = [name for name in shares if name not in HELD_OUT[family]]
    toss, pick = rng.random(2)
    names = held if held and (not kept or (split == "test" and toss < TEST_SHARE)) else kept
    weight = np.cumsum([shares[name] for name in names])
    return names[int(np.searchsorted(weight, pick * weight[-1], side="right").clip(0, len(names) - 1))]


def mocap_split(name: str) -> str:
    """test or train: which clips of a motion file only the test split may use, by a hash of the name."""
    return "test" if seed_for(0, "synthetic", name, "mocap split") % 1000 < 1000 * MOCAP_TEST_SHARE else "train"
