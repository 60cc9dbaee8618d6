"""The Frechet distance against the numbers other people's code gives for the same features.

goldens.npz holds features [3, 400] (I3D logits of the first 16, or all 20, frames of shapes.clips()) made by the
originals: read at the commits below, run once on a CPU in float32 (torch 2.13.0, scipy 1.17.1, numpy 2.4.6, Pillow
13.0.0; TensorFlow 2.21.0 with TF-GAN 2.1.0), each with its own resizing and its own covariance. The original
i3d_torchscript.pt and i3d_pretrained_400.pt are not to be had: their network was cd-fvd 0.1.1's InceptionI3d with the
TF-hub weights, behind the calling convention each code expects.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stages.metrics.frechet_distance import frechet_distance

GOLDENS = Path(__file__).with_name("goldens.npz")

# name of the features, covariance, the original's number, relative tolerance (their matrix roots of a singular product)
NUMBERS = {
    "JunyaoHu/common_metrics_on_video_quality@5f75173 styleganv": ("common_styleganv", "n-1", 6978.830203820925, 1e-6),
    "universome/stylegan-v@1f630af fvd2048_16f": ("styleganv_256", "n", 4904.188958974904, 1e-6),
    "cd-fvd 0.1.1 i3d, resolution 128": ("cdfvd_128", "n", 3979.533751475637, 1e-6),
    "cd-fvd 0.1.1 i3d, resolution 256": ("cdfvd_256", "n", 4127.306434383158, 1e-6),
    "google-research frechet_video_distance, TF-GAN in float32": ("tf", "n-1", 3718.00732421875, 1e-6),
}


@pytest.mark.parametrize("code", NUMBERS)
def test_the_distance_is_the_other_codes_number(code):
    name, covariance, expected, tolerance = NUMBERS[code]
    with np.load(GOLDENS) as goldens:
        generated, real = goldens[f"{name}_generated"], goldens[f"{name}_real"]
    found = frechet_distance(generated, real, covariance)
    deviation = abs(found / expected - 1)
    assert deviation < tolerance, f"{code}: {found!r}, expected {expected!r}, off by {deviation:.2e} > {tolerance:g}"


def test_the_other_covariance_is_another_number():
    with np.load(GOLDENS) as goldens:
        generated, real = goldens["tf_generated"], goldens["tf_real"]
    assert frechet_distance(generated, real, "n") < 0.95 * frechet_distance(generated, real, "n-1")
