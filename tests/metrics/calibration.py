"""The five pairs of TID2013 pictures on which many codes publish their numbers, from a package by name (not ours)."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from stages.core.errors import WeightsError
from stages.weights.cache import cache_dir, sha256_of
from stages.weights.package import extract_members, obtain
from stages.weights.registry import Sdist

ARCHIVE = Sdist(
    "pyiqa",
    "0.1.0",
    "pyiqa-0.1.0.tar.gz",
    "6b31ad9d1f1fd863dfb95e6669c384e4fef2452690219d4be46cede4237912a0",
    "CC-BY-NC-SA-4.0",
)
_SIDES = ("dist_dir", "ref_dir")
NAMES = ("I03", "I04", "I06", "I08", "I19")
_SHA256 = {
    "dist_dir/I03.bmp": "bb817e7fef614dcc12b3a99af33ce3d201bc4d56c4827254c0bcc4fa6ea11151",
    "dist_dir/I04.bmp": "f3d685983aacd76b2c131579ea60cee345205a1169a4bd2ff5f3039ecf81729e",
    "dist_dir/I06.bmp": "726e043e99d8e07235c2535107d4bb6fc85bad0cb3cc7d6ba3ecf3364ac97539",
    "dist_dir/I08.bmp": "8ad39042d7e17d6c96ecfd8c4b9f0e98c803b303a92d368ef57bc9c3c40f5330",
    "dist_dir/I19.bmp": "e0c6000652d270d1c39b7094761d01e14695fc5aa7cb76b945be6391327ee886",
    "ref_dir/I03.bmp": "28441215ca5b6358e6267717250a02eeec4fa5ef73ae454870b8426320f980a8",
    "ref_dir/I04.bmp": "c8500941a30397bc9e613a297e1286bdb955f49926148f58e7963d6e82b03c9f",
    "ref_dir/I06.bmp": "445c2c0fcb47898e9cd8e6de640f2545621d27cbb248c69ef2c84d8204723061",
    "ref_dir/I08.bmp": "b5d6738ece811f45f43c5bce425ad5d18d5c78466989001fe1129fcdd08efdab",
    "ref_dir/I19.bmp": "b8a2ede827d8db21c45f9ca1fb1c043bcec571b5a7243b4ea1aab3fb4feb7e0b",
}


@cache
def calibration_pairs() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Name -> (distorted, reference), uint8 [384, 512, 3]; the test is skipped where the package cannot be had.

    The package also prints, in its calibration summary, the numbers of the authors' Matlab code on these pairs.
    """
    from PIL import Image

    folder = cache_dir() / "calibration"
    targets = {member: (folder / member, sha256) for member, sha256 in _SHA256.items()}
    try:
        if any(not path.is_file() or sha256_of(path) != sha256 for path, sha256 in targets.values()):
            with tempfile.TemporaryDirectory() as scratch:
                archive = obtain(ARCHIVE, Path(scratch))
                extract_members(archive, {f"pyiqa-0.1.0/ResultsCalibra/{name}": to for name, to in targets.items()})
    except (WeightsError, OSError) as error:
        pytest.skip(f"the calibration pictures cannot be had here: {error}")
    return {
        name: tuple(np.asarray(Image.open(folder / side / f"{name}.bmp").convert("RGB")) for side in _SIDES)
        for name in NAMES
    }


def calibration_stack() -> tuple[np.ndarray, np.ndarray]:
    """(distorted, reference) uint8 [5, 384, 512, 3] of the pairs in the order of NAMES."""
    distorted, reference = zip(*(calibration_pairs()[name] for name in NAMES), strict=True)
    return np.stack(distorted), np.stack(reference)
