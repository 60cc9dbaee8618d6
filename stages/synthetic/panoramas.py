"""Free panoramas as optional backdrops: one npm package by name and checksum, decoded once into the cache."""

from __future__ import annotations

import base64
import os
import re
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from stages.core.errors import InputError, WeightsError
from stages.synthetic.sources import Credit, Package, obtain_package
from stages.weights.cache import cache_dir

PACKAGE = Package(
    "@pmndrs/assets",
    "npm",
    "1.7.0",
    "pmndrs-assets-1.7.0.tgz",
    "152bd218a3390703f184f0c6ce16e73c8f0a87f32d38530d418a09d33d8208dc",
)
CREDIT = Credit("@pmndrs/assets/hdri", "CC0-1.0", "Poly Haven, packed by the Poimandres collective")
FORMAT = 1  # bump when the same package gives other pictures


@dataclass(frozen=True)
class Panoramas:
    """Equirectangular pictures, uint8 [256, 512, 3] each, by name; sha256 of the package they come from."""

    names: tuple[str, ...]
    images_u8: tuple[np.ndarray, ...]
    sha256: str


def load_panoramas(package: Package = PACKAGE) -> Panoramas:
    """The panoramas of the package, decoded on first use.

    errors  WeightsError: the package cannot be had or holds no panorama
    """
    path = cache_dir() / "synthetic" / f"panoramas-{package.sha256[:16]}-{FORMAT}.npz"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        images = read_archive(obtain_package(package, remedy="leave the panoramas out"))
        partial = path.with_name(f".{path.name}.{os.getpid()}.npz")
        np.savez(partial, **images)
        os.replace(partial, path)
    with np.load(path, allow_pickle=False) as opened:
        return Panoramas(tuple(opened.files), tuple(opened[name] for name in opened.files), package.sha256)


def read_archive(archive: Path) -> dict[str, np.ndarray]:
    """Name -> picture uint8 [H, W, 3] of every .exr.js (an OpenEXR file as base64 in a script) below hdri/."""
    images = {}
    with tarfile.open(archive) as opened:
        for member in sorted(opened, key=lambda m: m.name):
            name = PurePosixPath(member.name)
            stream = opened.extractfile(member) if member.isfile() and name.name.endswith(".exr.js") else None
            found = re.search(rb"base64,([A-Za-z0-9+/=]+)", stream.read()) if stream else None
            if found and name.parent.name == "hdri":
                images[name.name[: -len(".exr.js")]] = tone_mapped(decode_exr(base64.b64decode(found[1])))
    if not images:
        raise WeightsError(f"{archive}: no panorama in it, expected hdri/*.exr.js. Delete it and run again")
    return images


def decode_exr(data: bytes) -> np.ndarray:
    """Linear light f32 [H, W, 3] of an OpenEXR file with half or full floats, by FFmpeg. errors  WeightsError"""
    from stages.media.ffmpeg import command, input_arguments, run_ffmpeg
    from stages.media.probe import probe_video

    with tempfile.TemporaryDirectory(prefix="dreamactor-") as folder:
        picture, raw = Path(folder) / "panorama.exr", Path(folder) / "planes"
        picture.write_bytes(data)
        try:
            info = probe_video(picture)
        except InputError as error:
            raise WeightsError(f"a panorama cannot be decoded ({error}). Leave the panoramas out") from None
        log = run_ffmpeg(command(*input_arguments(picture), "-f", "rawvideo", "-pix_fmt", "gbrpf32le", str(raw)))
        planes = np.fromfile(raw, np.float32) if log.code == 0 else np.empty(0, np.float32)
    if planes.size != 3 * info.height * info.width:
        raise WeightsError(f"a panorama cannot be decoded ({log.reason()}). Leave the panoramas out")
    green, blue, red = planes.reshape(3, info.height, info.width)
    return np.stack([red, green, blue], axis=-1)


def tone_mapped(linear: np.ndarray) -> np.ndarray:
    """A picture uint8 [H, W, 3] of linear light f32; the rings that compression leaves around lamps become grey."""
    import cv2

    bad = (linear.min(2) < -0.01) | ~np.isfinite(linear).all(2)
    if bad.any():
        around = cv2.dilate(np.nan_to_num(np.clip(linear, 0, 60)).astype(np.float32), np.ones((5, 5))).max(2)
        bad = cv2.dilate(bad.astype(np.uint8), np.ones((3, 3))) > 0
        linear = np.where(bad[..., None], around[..., None], linear)
    exposure = min(0.45 / np.median(linear.mean(2) + 1e-4) ** 0.8, 3.0)
    value = np.clip(linear * exposure, 0, None)
    return (np.clip(value / (1 + value * 0.35), 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)
