"""The ways tables are known to have been computed, as variants that `score audit` tries beside the protocols.

word of a published number -> rows of (measurement, its options, reduction, its options); every combination of the
values in brackets is tried. What is known of who computes how stands in docs/metrics.md.
"""

from __future__ import annotations

_ALIGN = ("lanczos", "cv2-bilinear", "torch-bilinear")
_MEANS = {"pool": ("clips", "frames"), "exclude_reference": (True, False)}
_FEATURES = {"covariance": ("n-1", "n"), "extrapolate": (False,), "jackknife": (0,)}

GRID: dict[str, tuple] = {
    "psnr": (("psnr", {"align": _ALIGN, "overflow": (False, True)}, "mean", _MEANS),),
    "ssim": (
        (
            "ssim",
            {
                "align": _ALIGN,
                "window": ("gaussian", "uniform"),
                "colour": ("luma", "luma-rounded", "cv2-gray", "rgb"),
                "covariance": ("population", "sample"),
                "data_range": (255.0, 510.0),
            },
            "mean",
            _MEANS,
        ),
    ),
    "l1": (("l1", {"align": _ALIGN, "peak": (255.0, 1.0), "over_pixels": (False, True)}, "mean", _MEANS),),
    "lpips": (
        (
            "lpips",
            {"align": _ALIGN, "net": ("alex", "vgg"), "range": ("pm1", "01"), "spatial": (False, True)},
            "mean",
            _MEANS,
        ),
    ),
}
