"""Pictures between and beyond their pixels: holes filled smoothly from around them, and places looked up.

Filling is push-pull, or takes the nearest pixel: colours go on, texture does not.
"""

import cv2
import numpy as np
from scipy.ndimage import distance_transform_edt

_SOFT_PX = 3.0  # of any canvas: a wider blur brings in the rims of what lies before a part


def fill(picture_u8, hole):
    """The picture uint8 [H, W, 3] with the pixels of bool [H, W] `hole` filled from around them."""
    filled = spread(picture_u8.astype(np.float32), ~hole)
    return np.where(hole[..., None], np.clip(np.rint(filled), 0, 255).astype(np.uint8), picture_u8)


def gone_on(picture_u8, own):
    """The picture uint8 [H, W, 3], every pixel that is not `own` bool [H, W] as the nearest that is, softly: what is
    printed in the middle of a shirt does not grey its sides, as it does in `fill`."""
    hole = (~own).astype(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(hole, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL)
    colours = np.zeros((nearest.max() + 1, 3), np.uint8)
    colours[nearest[own]] = picture_u8[own]
    soft = cv2.GaussianBlur(colours[nearest], (0, 0), _SOFT_PX)
    return np.where(own[..., None], picture_u8, soft)


def mirrored_on(picture_u8, own):
    """The picture uint8 [H, W, 3], every pixel that is not `own` bool [H, W] as in a mirror that stands at the edge of
    what is; as the edge itself where the mirror shows nothing of it."""
    if not own.any():
        return picture_u8
    y, x = np.mgrid[: own.shape[0], : own.shape[1]]
    row, column = distance_transform_edt(~own, return_distances=False, return_indices=True)
    there = np.clip(2 * row - y, 0, own.shape[0] - 1), np.clip(2 * column - x, 0, own.shape[1] - 1)
    shown = own[there]
    return picture_u8[np.where(shown, there[0], row), np.where(shown, there[1], column)]


def spread(values, known):
    """Values float32 [H, W, C] of the pixels bool [H, W] that are known, going on smoothly over all others."""
    weight = known.astype(np.float32)
    colour, levels = values * weight[..., None], []
    while min(weight.shape) > 2:
        levels.append((colour, weight))
        colour, weight = cv2.pyrDown(colour), cv2.pyrDown(weight)
    filled = colour / np.maximum(weight, 1e-4)[..., None]
    for colour, weight in reversed(levels):
        above = cv2.resize(filled, weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
        share = np.minimum(weight, 1.0)[..., None]
        filled = share * (colour / np.maximum(weight, 1e-4)[..., None]) + (1.0 - share) * above
    return filled


def sampled(picture, x, y, border: int = cv2.BORDER_REPLICATE) -> np.ndarray:
    """The picture [H, W(, C)] at places float [n], bilinear: [n(, C)]; beyond the border the nearest pixel, or as
    OpenCV's constant `border` says."""
    if not len(x):
        return np.zeros((0, *picture.shape[2:]), picture.dtype)
    width = 1 << 14  # OpenCV takes no pictures as wide as a large canvas has pixels
    rows = -(-len(x) // width)
    maps = np.zeros((2, rows * width), np.float32)
    maps[0, : len(x)], maps[1, : len(x)] = x, y
    found = cv2.remap(picture, *maps.reshape(2, rows, width), cv2.INTER_LINEAR, borderMode=border)
    return found.reshape(rows * width, *found.shape[2:])[: len(x)]
