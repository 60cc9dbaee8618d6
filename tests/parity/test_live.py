"""Where the code a protocol repeats runs here without anybody's weights, it runs beside ours on other frames too."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stages.metrics.protocol import load_protocol
from stages.scoring.trial import value_of

skimage = pytest.importorskip("skimage.metrics")


@pytest.fixture(params=[(3, 40, 51), (2, 97, 33), (2, 64, 64)], ids=str)
def pair(request):
    """Generated and real uint8 [T, H, W, 3] of odd sizes: a smooth picture and a noisy copy."""
    frames, height, width = request.param
    rng = np.random.default_rng(height)
    real = cv2.GaussianBlur(rng.integers(0, 256, (frames * height, width, 3), np.uint8), (7, 7), 2)
    real = real.reshape(frames, height, width, 3)
    return np.clip(real + rng.integers(-30, 31, real.shape), 0, 255).astype(np.uint8), real


def ours(protocol: str, name: str, generated: np.ndarray, real: np.ndarray) -> float:
    (metric,) = [metric for metric in load_protocol(protocol).metrics if metric.name == name]
    return value_of(metric, {"clip": (generated, real)})


def assert_equal(found: float, expected: float, tolerance: float) -> None:
    assert abs(found - expected) <= tolerance, f"{found!r}, live {expected!r}, off by {abs(found - expected):.2e}"


def test_disco_s_ssim_is_scikit_image_s_default_on_opencv_s_grey(pair):
    generated, real = ([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in film] for film in pair)
    live = [skimage.structural_similarity(g, r) for g, r in zip(generated, real, strict=True)]
    assert_equal(ours("disco-2024", "ssim", *pair), float(np.mean(live)), 1e-12)


def test_disco_s_psnr_wraps_as_numpy_does(pair):
    generated, real = pair
    live = [20 * np.log10(255 / np.sqrt(np.mean((r - g) ** 2))) for g, r in zip(generated, real, strict=True)]
    assert_equal(ours("disco-2023-legacy", "psnr", *pair), float(np.mean(live)), 1e-10)
    live = [skimage.peak_signal_noise_ratio(r, g, data_range=255) for g, r in zip(generated, real, strict=True)]
    assert_equal(ours("disco-2024", "psnr", *pair), float(np.mean(live)), 1e-10)


def test_common_metrics_ssim_is_the_mean_of_the_channels(pair):
    wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    generated, real = (film.astype(np.float64) / 255 for film in pair)
    live = [
        skimage.structural_similarity(g[..., channel], r[..., channel], **wang)
        for g, r in zip(generated, real, strict=True)
        for channel in range(3)
    ]
    assert_equal(ours("common-metrics", "ssim", *pair), float(np.mean(live)), 1e-10)


def test_generated_frames_of_another_size_come_to_size_by_opencv(pair):
    generated, real = pair
    small = generated[:, ::2, ::2].copy()
    large = np.stack([cv2.resize(frame, real.shape[2:0:-1]) for frame in small])
    for name in ("psnr", "ssim", "l1"):
        assert ours("disco-2024", name, small, real) == ours("disco-2024", name, large, real)
