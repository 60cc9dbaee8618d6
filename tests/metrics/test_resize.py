"""Resizing of generated frames: two libraries agree, ramps stay ramps, blocks do not matter."""

from __future__ import annotations

import numpy as np
import pytest

from stages.core.errors import UsageError
from stages.metrics.interface import ALIGNMENTS
from stages.metrics.resize import resize_u8

HOWS = [how for how in ALIGNMENTS if how != "none"]


def _frames(count=3, height=24, width=36):
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("how", HOWS)
def test_constant_frames_and_own_size_stay(how):
    flat = np.full((2, 20, 30, 3), 77, np.uint8)
    for size in ((20, 30), (31, 47), (9, 11)):
        resized = resize_u8(flat, size, how)
        assert resized.shape == (2, *size, 3) and resized.dtype == np.uint8 and (resized == 77).all()
    frames = _frames()
    assert (resize_u8(frames, frames.shape[1:3], how) == frames).all()


@pytest.mark.parametrize("how", HOWS)
def test_frames_one_by_one_are_the_same_bits(how):
    frames = _frames()
    whole = resize_u8(frames, (17, 50), how)
    for index in range(len(frames)):
        assert (resize_u8(frames[index : index + 1], (17, 50), how)[0] == whole[index]).all()


@pytest.mark.parametrize("size", [(48, 72), (33, 51), (12, 18)])
def test_the_two_bilinear_ways_are_one_up_to_rounding(size):
    frames = _frames()
    a, b = (resize_u8(frames, size, how).astype(int) for how in ("cv2-bilinear", "torch-bilinear"))
    assert np.abs(a - b).max() <= 1


def test_only_lanczos_averages_when_it_makes_smaller():
    """Stripes one pixel wide, made five times smaller: grey with antialiasing, stripes of some other width without."""
    stripes = np.zeros((1, 60, 60, 3), np.uint8)
    stripes[:, :, ::2] = 255
    inner = slice(2, -2)
    spread = {how: int(np.ptp(resize_u8(stripes, (12, 12), how)[0, inner, inner])) for how in HOWS}
    assert spread["lanczos"] < 30 < 200 < min(spread["cv2-bilinear"], spread["torch-bilinear"]), spread


def test_unknown_way():
    with pytest.raises(UsageError, match="found 'nearest'"):
        resize_u8(_frames(), (5, 5), "nearest")
