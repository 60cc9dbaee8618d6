import numpy as np
import pytest

from stages.core.errors import UsageError
from stages.metrics import colour_drift
from tests.metrics.collecting import assert_blocks_change_nothing, assert_fits_specs, collect, panned, texture

OPTIONS = colour_drift.Options(segment=2)


def greys(values) -> np.ndarray:
    return np.broadcast_to(np.asarray(values, np.uint8)[:, None, None, None], (len(values), 8, 12, 3)).copy()


def lightness(value: int) -> float:
    """L* of an sRGB grey, from the definition."""
    linear = ((value / 255 + 0.055) / 1.055) ** 2.4
    return 116 * linear ** (1 / 3) - 16


def test_lab_is_that_of_another_implementation():
    skimage_color = pytest.importorskip("skimage.color")
    colours = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    colours[0, :3] = [[0, 0, 0], [255, 255, 255], [1, 2, 3]]
    difference = np.abs(colour_drift.lab_of_srgb(colours) - skimage_color.rgb2lab(colours))
    assert difference.max() < 1e-3, difference.max()  # its matrix has another last digit


def test_a_grey_that_gets_lighter_drifts_by_its_lightness():
    arrays = collect(colour_drift, OPTIONS, greys([100, 100, 150, 150, 200, 200]), greys([100] * 6))
    expected = np.array([lightness(value) - lightness(100) for value in (100, 150, 200)])
    assert np.abs(arrays["generated"] - expected).max() < 5e-3, arrays["generated"]
    assert np.abs(arrays["excess"] - expected[1:]).max() < 5e-3 and arrays["real"].max() == 0
    assert arrays["slope"] == pytest.approx(np.polyfit([0, 2, 4], expected, 1)[0] * 100, rel=1e-3)


def test_what_the_real_video_does_itself_is_no_drift():
    real = panned(6, 24, 32, 5)
    assert collect(colour_drift, OPTIONS, real, real)["real"].max() > 1
    assert collect(colour_drift, OPTIONS, real, real)["excess"].max() == 0


def test_a_frozen_video_does_not_win():
    real = greys([100, 100, 150, 150])
    frozen = collect(colour_drift, OPTIONS, greys([100] * 4), real)
    assert frozen["generated"].max() == 0  # what the unpaired value prefers
    assert frozen["excess"][0] == pytest.approx(lightness(150) - lightness(100), abs=5e-3)


def test_lost_contrast_is_drift_though_the_mean_stays():
    frame = texture(32, 32, 1)
    flat = (128 + (frame.astype(int) - 128) // 4).astype(np.uint8)
    arrays = collect(colour_drift, OPTIONS, np.stack([frame, frame, flat, flat]), np.stack([frame] * 4))
    assert arrays["excess"][0] > 10


def test_without_a_real_video_the_own_change_is_left():
    arrays = collect(colour_drift, OPTIONS, greys([100, 100, 150, 150, 9]))
    assert arrays["generated"].shape == (2,) and arrays["generated"][1] > 10
    assert np.isnan(arrays["excess"]).all() and np.isnan(arrays["slope"]) and np.isfinite(arrays["slope_generated"])


def test_blocks_change_nothing_and_arrays_fit():
    generated, real = panned(9, 40, 300, 3, 1), panned(9, 30, 40, 3, 2)
    assert_blocks_change_nothing(colour_drift, OPTIONS, generated, real)
    assert_fits_specs(colour_drift, OPTIONS, collect(colour_drift, OPTIONS, generated, real))
    short = collect(colour_drift, colour_drift.Options(), generated, real)
    assert short["excess"].tolist() == [] and np.isnan(short["slope"])


def test_wrong_options_in_one_line():
    with pytest.raises(UsageError, match="segment is 0, expected 1 or more"):
        colour_drift.Options(segment=0)
