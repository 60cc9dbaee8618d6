"""Clothes, hair and things on the head that people of train and val never have, so that test shows what is new.

A person of the test split draws from the held-out items with a chance of one half wherever some are offered (one
fifth for patterns, of which each wears several), otherwise from what everybody wears. This table alone decides it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from stages.synthetic.seeds import split_of

HELD_OUT: dict[str, frozenset] = {
    "hair": frozenset({"hair/short04", "hair/Braid01", "baked/chin", "shell/high"}),
    "suit": frozenset({"male_casualsuit05", "female_casualsuit02"}),
    "set": frozenset({("F_Dress_02",), ("Coat", "Tightjeans"), ("Tank_Top_01", "ShortJeans")}),
    "pattern": frozenset({11, 12}),  # diamonds and zigzag, see patterns.py
    "print": frozenset({"07", "23", "88", "5"}),  # digits
    "hat": frozenset({"bucket"}),
    "glasses": frozenset({"cat-eye"}),
}
TEST_SHARE = 0.5
PATTERN_TEST_SHARE = 0.2  # of every garment: at one half nearly everybody in test would wear diamonds
Item = TypeVar("Item")


def choose(rng: np.random.Generator, family: str, options: Sequence[Item], seed: int) -> Item:
    """One of the options that the person of this seed may have; always two draws. Repeats make an option likelier."""
    held = [item for item in options if item in HELD_OUT[family]]
    common = [item for item in options if item not in HELD_OUT[family]]
    wants_new = rng.random() < (PATTERN_TEST_SHARE if family == "pattern" else TEST_SHARE)
    pool = held if held and wants_new and split_of(seed) == "test" else common
    return pool[min(int(rng.random() * len(pool)), len(pool) - 1)]
