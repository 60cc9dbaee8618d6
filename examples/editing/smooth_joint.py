"""Smooth one joint that jitters: a bundle is plain Zarr, and a joint is a column of two arrays.

python examples/editing/smooth_joint.py clip.zarr smooth.zarr --joint left_wrist --seconds 0.2
dreamactor render-spheres smooth.zarr --ref hero.png
"""

import argparse
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import zarr

from stages.bundle import open_bundle, seal_layer
from stages.core.skeleton import BODY_INDEX

zarr.config.set({"array.write_empty_chunks": True})  # a bundle misses no chunk, also where all is zero or NaN


def smoothed(track, sigma_frames):
    """float [T, n] averaged with Gaussian weights; NaN neither counts nor goes away."""
    reach = int(np.ceil(3 * sigma_frames))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma_frames, 1e-6)) ** 2)
    known = np.isfinite(track)
    pad = ((reach, reach), (0, 0))
    total, count = (
        np.apply_along_axis(np.convolve, 0, np.pad(values, pad), weights, "valid")
        for values in (np.where(known, track, 0.0), known.astype(float))
    )
    return np.where(known, total / np.maximum(count, 1e-9), np.nan)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--joint", default="left_wrist", choices=sorted(BODY_INDEX))
    parser.add_argument("--seconds", type=float, default=0.2, help="how far the average reaches")
    arguments = parser.parse_args()

    bundle = open_bundle(arguments.source)
    fps = float(Fraction(bundle.attrs("clip")["fps"]))
    shutil.copytree(arguments.source, arguments.output, ignore=shutil.ignore_patterns("body", "head", "video"))
    for name in ("joints_px", "joints_m"):
        array = zarr.open_array(arguments.output / "pose" / name, mode="r+")
        values = array[:]
        joint = values[:, BODY_INDEX[arguments.joint]]
        values[:, BODY_INDEX[arguments.joint]] = smoothed(joint, arguments.seconds * fps / 2)
        array[:] = values
    seal_layer(arguments.output, "pose", f"smoothed {arguments.joint}")
    print(arguments.output)


if __name__ == "__main__":
    main()
