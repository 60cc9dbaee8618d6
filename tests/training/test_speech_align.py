"""Times mended by what a network hears: boundaries found again, order kept, nothing moved far."""

import numpy as np

from stages.synthetic.expressions import VISEME_NAMES
from stages.synthetic.phonemes import PHONEMES
from stages.training.speech_align import align

TRUE = ((0.0, 0.3, "sil"), (0.3, 0.42, "P"), (0.42, 0.6, "AA"), (0.6, 0.7, "S"), (0.7, 0.9, "IY"), (0.9, 1.2, "sil"))


def scores(timeline, frames: int = 60) -> np.ndarray:
    """Log-probabilities of a network that is right nine times out of ten."""
    out = np.full((frames, len(VISEME_NAMES)), np.log(0.1 / (len(VISEME_NAMES) - 1)))
    for start, end, name in timeline:
        out[round(start * 50) : round(end * 50), VISEME_NAMES.index(PHONEMES[name][0])] = np.log(0.9)
    return out


def test_boundaries_that_are_up_to_80_ms_off_are_found_again():
    rng = np.random.default_rng(0)
    for _ in range(20):
        ends = np.array([row[1] for row in TRUE[:-1]]) + rng.uniform(-0.04, 0.04) + rng.uniform(-0.04, 0.04, 5)
        ends = np.maximum.accumulate(np.append(ends, 1.2))
        rough = tuple((a, b, row[2]) for a, b, row in zip([0.0, *ends[:-1]], ends, TRUE, strict=True))
        found = align(rough, scores(TRUE))
        assert [row[2] for row in found] == [row[2] for row in TRUE]
        worst = max(abs(a[1] - b[1]) for a, b in zip(found, TRUE, strict=True))
        assert worst < 0.021, (rough, found)


def test_boundaries_are_found_neither_early_nor_late():
    """A frame is of the moment 20 t ms; times once came out 10 ms late, and the mouths that learned them."""
    rng, off_s = np.random.default_rng(1), []
    for _ in range(60):
        ends = np.cumsum(rng.uniform(0.08, 0.25, 5))
        true = tuple((a, b, row[2]) for a, b, row in zip([0.0, *ends], [*ends, 1.5], TRUE, strict=True))
        out = np.full((75, len(VISEME_NAMES)), np.log(0.1 / (len(VISEME_NAMES) - 1)))
        for start, end, name in true:
            column = VISEME_NAMES.index(PHONEMES[name][0])
            out[[t for t in range(75) if start <= t / 50 < end], column] = np.log(0.9)
        off_s += [found[1] - row[1] for found, row in zip(align(true, out)[:-1], true[:-1], strict=True)]
    assert abs(np.mean(off_s)) < 0.003 and np.abs(off_s).max() < 0.021, np.mean(off_s)


def test_a_network_that_hears_nothing_leaves_the_times_within_a_frame():
    flat = np.full((60, len(VISEME_NAMES)), -np.log(len(VISEME_NAMES)))
    found = align(TRUE, flat)
    assert max(abs(a[1] - b[1]) for a, b in zip(found, TRUE, strict=True)) <= 0.011


def test_sounds_keep_their_order_and_at_least_a_frame_each():
    crowded = tuple((0.5 + 0.004 * at, 0.504 + 0.004 * at, "T" if at % 2 else "AA") for at in range(6))
    rows = ((0.0, 0.5, "sil"), *crowded, (0.524, 1.2, "sil"))
    found = align(rows, scores(TRUE))
    lengths = [end - start for start, end, _ in found]
    assert min(lengths) >= 0.02 - 1e-9 and abs(found[-1][1] - 1.2) < 1e-9
