"""The ways tables are known to have been computed, as variants that `score audit` tries beside the protocols.

word of a published number -> rows of (measurement, its options, reduction, its options); every combination of the
values in brackets is tried. What is known of who computes how stands in docs/metrics.md.
"""

from __future__ import annotations

_ALIGN = ("lanczos", "cv2-bilinear", "torch-bilinear")
_MEANS = {"pool": ("clips", "frames"), "exclude_reference": (True, False)}
_ROWS = {"exclude_reference": (True, False)}
_PAIRS = {"pairs": ("all", "across-clips"), "jackknife": (0,)}
_SCALES = (1.0, 100.0, 1000.0)
_RESIZES = ("crop", "tf-squash", "bicubic-squash", "bilinear-squash")
_TORCH = ("crop", "bilinear-squash")
_FIRST = ("crop-lanczos-256", "crop-antialias-128", "crop-antialias-256")
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
                "data_range": (255.0, 510.0, 65025.0),  # L too great for pixels of 0..1
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
    "fid": (("inception", {"resize": ("clean", "legacy", "torchmetrics")}, "frechet", _FEATURES | _ROWS),),
    "kid": (
        ("inception", {"resize": ("clean", "legacy", "torchmetrics")}, "kid", {"scale": _SCALES} | _PAIRS | _ROWS),
    ),
    "fvd": (
        ("i3d", {"resize": _RESIZES, "stride": (16, 8, 1, 0)}, "frechet", _FEATURES),
        ("i3d", {"resize": _RESIZES, "length": (0,)}, "frechet", _FEATURES | {"single": ("none", "mean-term")}),
        (
            "i3d",
            {"resize": ("crop", "bilinear-squash"), "epsilon": (1e-5,), "stride": (16, 1, 0)},
            "frechet",
            _FEATURES,
        ),
        ("i3d", {"resize": _TORCH, "range": ("01",)}, "frechet", _FEATURES),
        ("i3d", {"first": _FIRST, "resize": ("bilinear-squash",), "stride": (16, 0)}, "frechet", _FEATURES),
    ),
    "kvd": (("i3d", {"resize": _RESIZES, "stride": (16, 1, 0)}, "kid", {"scale": _SCALES} | _PAIRS),),
}
