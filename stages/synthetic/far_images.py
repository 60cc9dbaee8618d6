"""Backdrops that are pictures infinitely far away: gradients, blurred lights, the user's photos, free panoramas."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from stages.core.errors import InputError, UsageError
from stages.synthetic.canvas import pixel_slopes
from stages.synthetic.colours import random_colour
from stages.synthetic.renderer import View
from stages.synthetic.rooms import FABRICS, STONES, WALLS, linear, one_of

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
PHOTO_MARGIN = 1.25  # how much wider than the view a photo is hung, for cameras that turn
LONGEST_SIDE_PX = 1600


@dataclass(frozen=True)
class PhotoFolder:
    """The user's own backdrops. paths: sorted picture files; sha256: of their names and bytes."""

    paths: tuple[str, ...]
    sha256: str

    def picture(self, number: int) -> np.ndarray:
        """One photo, uint8 [H, W, 3] RGB, its longer side at most 1600 px. errors  InputError: unreadable"""
        return _read_photo(self.paths[number % len(self.paths)])


def open_photos(folder: str) -> PhotoFolder:
    """The pictures of a folder (not of folders below it).

    errors  UsageError: no such folder; InputError: no pictures in it
    """
    place = Path(folder).expanduser()
    if not place.is_dir():
        raise UsageError(f"--backgrounds {folder}: no such folder. Name one that holds .jpg or .png pictures")
    paths = sorted(path for path in place.iterdir() if path.suffix.lower() in PHOTO_SUFFIXES and path.is_file())
    if not paths:
        raise InputError(f"--backgrounds {folder}: no pictures in it, expected {', '.join(PHOTO_SUFFIXES)}")
    total = hashlib.sha256()
    for path in paths:
        total.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return PhotoFolder(tuple(str(path) for path in paths), total.hexdigest())


def photo_backdrop(image_u8: np.ndarray, first: View, size: int) -> Callable[[View], np.ndarray]:
    """A photo infinitely far away, hung so that it fills the first view; later views turn against it.

    The returned function gives uint8 [S, S, 3] for a view; translation of the camera changes nothing.
    """
    import cv2

    height, width = image_u8.shape[:2]
    square = min(height, width) / PHOTO_MARGIN
    while square > 2 * size:  # reduce well before sampling
        image_u8 = cv2.resize(image_u8, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        height, width = image_u8.shape[:2]
        square = min(height, width) / PHOTO_MARGIN
    focal = first.projection[0, 0] * square / 2
    flip = np.diag([1.0, -1.0, -1.0])
    to_photo = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]]) @ flip
    to_photo = to_photo @ first.world_to_view[:3, :3]

    def picture(view: View) -> np.ndarray:
        reach = view.projection[0, 0] * size / 2
        from_pixel = np.linalg.inv(np.array([[reach, 0, (size - 1) / 2], [0, reach, (size - 1) / 2], [0, 0, 1]]) @ flip)
        matrix = to_photo @ view.world_to_view[:3, :3].T @ from_pixel
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpPerspective(image_u8, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REFLECT)

    return picture


def panorama_backdrop(image_u8: np.ndarray, azimuth_rad: float, size: int) -> Callable[[View], np.ndarray]:
    """An equirectangular panorama uint8 [H, W, 3] infinitely far away, turned by `azimuth_rad`."""
    import cv2

    height, width = image_u8.shape[:2]

    def picture(view: View) -> np.ndarray:
        rays = view_rays(view, size)
        column = (np.arctan2(rays[..., 0], -rays[..., 2]) + azimuth_rad) / (2 * np.pi) * width % width
        row = np.arccos(np.clip(rays[..., 1], -1, 1)) / np.pi * height - 0.5
        seen = cv2.remap(
            image_u8, column.astype(np.float32), row.astype(np.float32), cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP
        )
        return seen

    return picture


def view_rays(view: View, size: int) -> np.ndarray:
    """Unit directions through the pixel centres of a square picture, world axes, float32 [S, S, 3]."""
    offset = pixel_slopes(view, size).astype(np.float32)
    right, up, backward = view.world_to_view[:3, :3].astype(np.float32)
    rays = offset[None, :, None] * right - offset[:, None, None] * up - backward
    return rays / np.sqrt((rays * rays).sum(-1, keepdims=True))


def gradient(rng: np.random.Generator, size: int) -> np.ndarray:
    """Two colours blended from top to bottom, from the middle outwards, or in soft clouds; uint8 [S, S, 3]."""
    import cv2

    kind = rng.integers(3)
    palette = WALLS + FABRICS + STONES
    first, second = (
        np.array(random_colour(rng, 0.3, 1.0) if rng.random() < 0.15 else one_of(rng, palette)) ** (1 / 2.2) * 255
        for _ in range(2)
    )
    if rng.random() < 0.5:
        second = first * rng.uniform(0.4, 0.9)
    row, column = np.mgrid[0:size, 0:size] / size
    if kind == 0:
        share = row
    elif kind == 1:
        share = np.clip(np.hypot(column - 0.5, row - 0.45) * 1.3, 0, 1)
    else:
        coarse = rng.random((6, 6)).astype(np.float32)
        share = np.clip(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), 0, 1)
    image = first * (1 - share[..., None]) + second * share[..., None] + rng.normal(0, 0.6, (size, size, 1))
    return np.clip(image, 0, 255).astype(np.uint8)


def bokeh(rng: np.random.Generator) -> np.ndarray:
    """Blurred discs of light before a dim, soft ground, uint8 [512, 512, 3]."""
    import cv2

    size = 512
    night = rng.random() < 0.6
    coarse = rng.random((5, 5, 1)).astype(np.float32) * (0.08 if night else 0.35) + (0.01 if night else 0.1)
    image = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)[..., None] * np.array(one_of(rng, WALLS))
    warm = [(255, 214, 150), (255, 190, 110), (255, 240, 220), (190, 214, 255), (255, 130, 90), (150, 220, 180)]
    radius = rng.uniform(10, 34)
    for _ in range(int(rng.integers(12, 60))):
        x, y = rng.uniform(0, size), rng.normal(size * 0.42, size * 0.2)
        disc = np.zeros((size, size), np.float32)
        cv2.circle(
            disc, (int(x), int(y)), max(int(radius * rng.uniform(0.6, 1.1)), 3), float(rng.uniform(0.05, 0.5)), -1
        )
        image += cv2.GaussianBlur(disc, (0, 0), 1.5)[..., None] * np.array(linear(warm[rng.integers(len(warm))]))
    image = cv2.GaussianBlur(np.clip(image, 0, 1).astype(np.float32), (0, 0), 2)
    return (np.clip(image, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)


@lru_cache(maxsize=8)
def _read_photo(path: str) -> np.ndarray:
    import cv2

    data = np.fromfile(path, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if image is None:
        raise InputError(f"{path}: cannot be read as a picture. Take it out of the folder of backgrounds")
    scale = LONGEST_SIDE_PX / max(image.shape[:2])
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(image[..., ::-1])
