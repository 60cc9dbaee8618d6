"""Every bug-compatible protocol gives the number of the code it repeats, on the same frames.

The numbers come from the original code, run once on shapes.clips() (3 pairs of 20 frames, 96x128; PNG files where the
code reads files), CPU, one thread, float32: torch 2.13.0, numpy 2.4.6, scipy 1.17.1, scikit-image 0.26.0, OpenCV 5.0.0,
Pillow 13.0.0, lpips 0.1.4, pytorch-fid 0.3.0, clean-fid 0.1.35, cd-fvd 0.1.1; TensorFlow 2.21.0 (compat.v1) with TF-GAN
2.1.0. Where a code takes its frames from data sets or files of fixed names, the clips were stored under such names
(TiktokDance_001_0000.png); where it draws windows at random, clips were cut to the one window there is.

Networks: the trunks of LPIPS, Inception and I3D with the tensors our registry names, loaded into the original classes.
i3d_torchscript.pt and i3d_pretrained_400.pt cannot be had; in their place stood cd-fvd 0.1.1's InceptionI3d with the
TF-hub tensors (batch norm epsilon 1e-3 for StyleGAN-V, DisCo and TensorFlow, 1e-5 as in VideoGPT's and cd-fvd's code;
DisCo's own average pool).
"""

from __future__ import annotations

import numpy as np
import pytest

from stages.metrics.protocol import load_protocol
from stages.scoring.trial import value_of
from tests.parity.shapes import clips

# protocol, metric -> (number of the original code, relative tolerance, where it is computed)
CHEAP = {
    ("disco-2024", "psnr"): (22.726912878320906, 1e-12, "DisCo@6190108 ssim_l1_lpips_psnr.py, PSNR"),
    ("disco-2023-legacy", "psnr"): (29.319868917654787, 1e-12, "DisCo@4772790 ssim_l1_lpips_psnr.py, PSNR"),
    ("disco-2024", "ssim"): (0.2988563844694639, 1e-10, "DisCo@6190108 ssim_l1_lpips_psnr.py, SSIM"),
    ("disco-2024", "l1"): (0.0010400277229002965, 1e-12, "DisCo@6190108 ssim_l1_lpips_psnr.py, L1"),
    ("common-metrics", "psnr"): (22.72691264351841, 1e-6, "common_metrics@d765174 calculate_psnr.py (float32)"),
    ("common-metrics", "ssim"): (0.33405682068497505, 1e-6, "common_metrics@d765174 calculate_ssim.py"),
}
SMALLER = {
    ("disco-2024", "psnr"): (23.2150426172088, 1e-12, ""),
    ("disco-2023-legacy", "psnr"): (29.55305575821201, 1e-12, ""),
    ("disco-2024", "ssim"): (0.38565214634302464, 1e-10, ""),
    ("disco-2024", "l1"): (0.0009556216590198471, 1e-12, ""),
}
NETWORKS = {
    ("disco-2024", "lpips"): (0.47783321142196655, 2e-6, "DisCo@6190108 ssim_l1_lpips_psnr.py, LPIPS"),
    ("common-metrics", "lpips"): (0.19869315947095553, 2e-6, "common_metrics@d765174 calculate_lpips.py"),
    ("disco-2024", "fid"): (206.91451961447507, 1e-5, "pytorch-fid 0.3.0, calculate_frechet_distance"),
    ("disco-2024", "fid_clean"): (223.43511432747516, 1e-5, "clean-fid 0.1.35, fid_from_feats"),
    ("disco-2024", "fvd"): (3257.023470781418, 1e-5, "DisCo@ef1e88e metric_center.py, FVD-3DInception"),
    ("common-metrics", "fvd"): (6978.830203820925, 1e-5, "common_metrics@5f75173 fvd/styleganv"),
    ("common-metrics", "fvd_videogpt"): (6996.21533203125, 3e-5, "common_metrics@7098471 fvd/videogpt (float32 SVD)"),
    ("styleganv-fvd2048-16f", "fvd"): (4904.188958974904, 1e-5, "stylegan-v@1f630af fvd2048_16f"),
    ("tf-fvd", "fvd"): (3718.00732421875, 1e-5, "frechet_video_distance@0090728 with TF-GAN (float32)"),
    ("cdfvd-i3d", "fvd_128"): (3979.533751475637, 1e-5, "cd-fvd 0.1.1, resolution 128"),
    ("cdfvd-i3d", "fvd_256"): (4127.306434383158, 1e-5, "cd-fvd 0.1.1, resolution 256"),
}


def check(key: tuple[str, str], golden: tuple[float, float, str], pairs) -> None:
    """Fail with both numbers unless the protocol's number is the golden one."""
    protocol, name = key
    expected, tolerance, where = golden
    (metric,) = [metric for metric in load_protocol(protocol).metrics if metric.name == name]
    found = value_of(metric, {str(number): pair for number, pair in enumerate(pairs)})
    deviation = abs(found / expected - 1)
    assert deviation <= tolerance, (
        f"{protocol} {name}: {found!r}, the original gives {expected!r} ({where}); off by {deviation:.2e}, "
        f"tolerance {tolerance:g}"
    )


def generated_and_real() -> list[tuple[np.ndarray, np.ndarray]]:
    """The pairs in the order (generated, real)."""
    return [(generated, real) for real, generated in clips()]


@pytest.mark.parametrize("key", CHEAP, ids=" ".join)
def test_the_number_is_the_originals(key):
    check(key, CHEAP[key], generated_and_real())


@pytest.mark.parametrize("key", SMALLER, ids=" ".join)
def test_smaller_generated_frames_are_brought_to_size_as_there(key):
    halved = [(generated[:, ::2, ::2].copy(), real) for generated, real in generated_and_real()]
    check(key, SMALLER[key], halved)


@pytest.mark.slow
@pytest.mark.parametrize("key", NETWORKS, ids=" ".join)
def test_the_networks_number_is_the_originals(key):
    check(key, NETWORKS[key], generated_and_real())
