"""Crops of rendered faces as worse cameras, other lamps and other trackers would give them.

The rendered people are few and their pictures clean; what is drawn here is strong, because an encoder that learned the
renderer's own look reads strangers' faces and loses real films (docs/LOG.md). Geometry stays small: crops are steady.
"""

import cv2
import numpy as np
import torch
from torch import Tensor

_SMALLEST_SIDE, _FAR_SHARE = 20, 0.3  # px that a far face's crop has, and how many crops are of far faces
_NOISE_BANK = 1 << 18


def augment(crops_u8: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """float [B, 3, S, S] in 0..1 of crops uint8 [B, S, S, 3], each changed on its own; the same for the same `rng`.

    Second: where a crop's pixels went, float [B, 2, 3] from old px to new px.
    """
    side = crops_u8.shape[1]
    slips = np.stack([_slip(rng, side) for _ in crops_u8])
    noise = rng.standard_normal(_NOISE_BANK, np.float32)
    made = np.empty((len(crops_u8), 3, *crops_u8.shape[1:3]), np.uint8)
    for planes, crop, slip in zip(made, crops_u8.numpy(), slips, strict=True):
        planes[:] = cv2.split(_changed(crop, slip, rng, noise))
    return torch.from_numpy(made).float().mul_(1.0 / 255.0), torch.from_numpy(slips).float()


def _changed(crop_u8: np.ndarray, slip: np.ndarray, rng: np.random.Generator, noise: np.ndarray) -> np.ndarray:
    side = len(crop_u8)
    x = cv2.warpAffine(crop_u8, slip, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < _FAR_SHARE:
        x = _far(x, rng)
    if rng.random() < 0.15:
        x = cv2.GaussianBlur(x, (0, 0), float(rng.uniform(0.4, 1.4)) * side / 128)
    x = cv2.transform(x, _colours(rng))  # limited to 0..255
    x = cv2.LUT(x, _bent(np.exp(rng.normal(0, 0.2))))
    if rng.random() < 0.4:
        x = cv2.multiply(x, _shade(rng, side), dtype=cv2.CV_8U)
    if rng.random() < 0.5:
        first = rng.integers(len(noise) - x.size)
        x = cv2.scaleAdd(noise[first : first + x.size].reshape(x.shape), rng.uniform(0, 9), x.astype(np.float32))
        x = cv2.convertScaleAbs(cv2.max(x, 0.0))
    if rng.random() < 0.2:
        halo = rng.uniform(0.3, 1.2)
        x = cv2.addWeighted(x, 1 + halo, cv2.GaussianBlur(x, (0, 0), 1.2 * side / 128), -halo, 0)
    if rng.random() < 0.08:
        low, extent = rng.uniform(-0.1, 0.9, 2) * side, rng.uniform(0.08, 0.3, 2) * side
        corner = tuple(int(v) for v in low), tuple(int(v) for v in low + extent)
        cv2.rectangle(x, *corner, tuple(int(v) for v in rng.integers(0, 256, 3)), -1)
    if rng.random() < 0.3:
        _, data = cv2.imencode(".jpg", x, [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(20, 90))])
        x = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return x


def _bent(gamma: float) -> np.ndarray:
    """uint8 [256]: grey levels to the power of gamma."""
    return (255.0 * (np.arange(256) / 255.0) ** gamma).astype(np.uint8)


def _slip(rng: np.random.Generator, side: int) -> np.ndarray:
    """float [2, 3]: a tracker's error of place, size and roll, and lenses that make faces longer or wider."""
    size, stretch, roll = np.exp(rng.normal(0, 0.06)), np.exp(rng.normal(0, 0.03)), rng.normal(0, 0.06)
    linear = size * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]]) @ np.diag([stretch, 1])
    middle = np.full(2, (side - 1) / 2)
    return np.column_stack([linear, middle - linear @ middle + rng.normal(0, 0.045, 2) * side])


def _far(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The crop as if the face had been small in the picture."""
    side = len(x)
    small = int(np.exp(rng.uniform(np.log(_SMALLEST_SIDE), np.log(side))))
    how = cv2.INTER_LINEAR if rng.random() < 0.7 else cv2.INTER_CUBIC
    return cv2.resize(cv2.resize(x, (small, small), interpolation=cv2.INTER_AREA), (side, side), interpolation=how)


def _colours(rng: np.random.Generator) -> np.ndarray:
    """float [3, 4]: exposure, white balance, mixing of channels, saturation, contrast, and shift of black."""
    saturation = 0.0 if rng.random() < 0.15 else np.exp(rng.normal(0, 0.25))
    mix = saturation * np.eye(3) + (1 - saturation) / 3 + rng.normal(0, 0.03, (3, 3))
    gain, contrast = np.exp(rng.normal(0, 0.22) + rng.normal(0, 0.08, 3)), np.exp(rng.normal(0, 0.17))
    return np.column_stack([contrast * gain[:, None] * mix, np.full(3, 110 * (1 - contrast) + rng.normal(0, 8))])


def _shade(rng: np.random.Generator, side: int) -> np.ndarray:
    """float32 [S, S, 3]: light that falls unevenly, slightly coloured."""
    cells = int(rng.integers(2, 5))
    coarse = rng.normal(0, rng.uniform(0.05, 0.35), (cells, cells, 1)) + rng.normal(0, 0.04, (cells, cells, 3))
    smooth = cv2.resize(coarse.astype(np.float32), (16, 16), interpolation=cv2.INTER_CUBIC)
    return cv2.resize(np.exp(smooth), (side, side), interpolation=cv2.INTER_LINEAR)
