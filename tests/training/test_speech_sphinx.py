"""Times from an aligner that is not ours: what is said stays the same, rough times get better."""

import shutil

import numpy as np
import pytest

from stages.core.errors import WeightsError
from stages.training.speech_phones import gliding
from stages.training.speech_pool import Programme
from stages.training.speech_sphinx import joined_glides, sphinx_aligned

ROWS = ((0.0, 0.3, "sil"), (0.3, 0.4, "P"), (0.4, 0.55, "AY"), (0.55, 0.6, "T"), (0.6, 0.8, "OW"), (0.8, 1.2, "sil"))


def test_parted_diphthongs_are_joined_again():
    joined = joined_glides(gliding(ROWS))
    assert [row[2] for row in joined] == [row[2] for row in ROWS]
    assert np.allclose([row[:2] for row in joined], [row[:2] for row in ROWS])


def test_vowels_that_only_look_like_a_diphthong_stay_two():
    rows = ((0.0, 0.1, "AA"), (0.1, 0.2, "IH"))
    assert joined_glides(rows) == rows


def test_what_cannot_be_placed_has_the_times_given_for_that(monkeypatch):
    from stages.training import speech_sphinx

    monkeypatch.setattr(speech_sphinx, "_place", lambda *_: [])
    rows = gliding(ROWS)
    others = tuple((a + 0.01 * (a > 0), b + 0.01 * (b < 1.2), name) for a, b, name in rows)
    found, share = sphinx_aligned(Programme(np.zeros(19200, np.int16), rows, "neural", ""), others)
    assert share == 0.0 and [row[2] for row in found.timeline] == [row[2] for row in rows]
    assert np.allclose([row[0] for row in found.timeline], [row[0] for row in others])


def test_without_the_aligner_one_is_told_what_to_install(monkeypatch):
    import sys

    from stages.training import speech_sphinx

    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    speech_sphinx._decoder.cache_clear()
    with pytest.raises(WeightsError, match="pip install pocketsphinx"):
        sphinx_aligned(Programme(np.zeros(16000, np.int16), ROWS, "neural", ""))


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
def test_times_shifted_by_60_ms_are_found_again():
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    from stages.training import speech_sphinx
    from stages.training.speech_voices import say_flite

    speech_sphinx._decoder.cache_clear()
    said = say_flite("My mother put the paper on the table before the morning came.", "rms")
    late = tuple((max(0.0, a + 0.06 * (a > 0)), b + 0.06, name) for a, b, name in said.timeline)
    found, share = sphinx_aligned(Programme(said.sound, late, "neural", ""))
    true, mended = ([row for row in joined_glides(rows) if row[2] != "sil"] for rows in (said.timeline, found.timeline))
    assert share == 1.0 and [row[2] for row in mended] == [row[2] for row in true]
    off_ms = 1000 * np.array([b[0] - a[0] for a, b in zip(true, mended, strict=True)])
    assert abs(np.median(off_ms)) < 20 and np.abs(off_ms).mean() < 30, off_ms
