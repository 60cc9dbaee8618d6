"""Who is cut out of a photo: the network's answer on a person, on nobody, and on somebody small."""

from pathlib import Path

import cv2
import numpy as np

from stages.body.matte import figure_matte

SAMPLE = Path(__file__).parents[2] / "examples" / "samples" / "reference.jpg"


def sample_rgb():
    return cv2.cvtColor(cv2.imread(str(SAMPLE)), cv2.COLOR_BGR2RGB)


def test_the_sample_person_is_told_from_the_wall():
    picture = sample_rgb()
    matte = figure_matte(picture)
    height, width = matte.shape
    assert matte.shape == picture.shape[:2] and matte.dtype == np.float32 and 0 <= matte.min() <= matte.max() <= 1
    assert matte[int(0.6 * height), width // 2] > 0.9, "the chest"
    assert matte[: height // 3, : width // 6].max() < 0.1 and matte[: height // 3, -width // 6 :].max() < 0.1
    assert 0.15 < (matte > 0.5).mean() < 0.6


def test_nobody_is_on_a_wall():
    wall = np.full((96, 160, 3), 180, np.uint8)
    matte = figure_matte(wall)
    assert matte.shape == (96, 160) and (matte > 0.5).mean() < 0.01


def test_a_small_person_is_looked_at_again():
    """The person on a canvas five times as large must be cut out as well as on the picture itself."""
    small = cv2.resize(sample_rgb(), (128, 128), interpolation=cv2.INTER_AREA)
    canvas = np.full((640, 640, 3), small[2, 2], np.uint8)
    canvas[300:428, 400:528] = small
    found, wanted = figure_matte(canvas) > 0.5, figure_matte(small) > 0.5
    inside = found[300:428, 400:528]
    assert (inside & wanted).sum() / (inside | wanted).sum() > 0.85
    assert found.sum() - inside.sum() < 0.02 * wanted.sum()


def test_only_the_outline_of_a_figure_is_half_there():
    """A shirt of which the network is not sure would be carried as glass."""
    picture = sample_rgb()
    matte = figure_matte(picture)
    inside = cv2.erode((matte > 0.5).astype(np.uint8), np.ones((3, 3), np.uint8), iterations=max(matte.shape) // 32)
    assert inside.sum() > 0.3 * (matte > 0.5).sum() and (matte[inside > 0] == 1.0).all()
    assert ((matte > 0.2) & (matte < 0.8)).any(), "its outline is"
