"""From the supersampled canvas to the picture and the face crop."""

from __future__ import annotations

import numba
import numpy as np

from stages.synthetic.renderer import View

FACE_SIZE = 64
FACE_BOX_RADII = 1.15  # half side of the face crop in head radii


def project(points_m: np.ndarray, K_px: np.ndarray) -> np.ndarray:
    """Pixels f64 [..., 2] of points f64 [..., 3] in front of the camera."""
    return points_m[..., :2] / points_m[..., 2:] * K_px[0, 0] + K_px[:2, 2]


def face_affine(center_px: np.ndarray, radius_px: float) -> np.ndarray:
    """Picture px -> crop px, f64 [2, 3]: a square of 2 x 1.15 head radii around the face becomes 64 x 64."""
    scale = FACE_SIZE / (2 * FACE_BOX_RADII * radius_px)
    shift = (FACE_SIZE - 1) / 2 - scale * center_px
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])


def pixel_slopes(view: View, size: int) -> np.ndarray:
    """x (and, downwards, y) of the rays through the pixel centres where they are 1 away along the view, f64 [S]."""
    return ((np.arange(size) + 0.5) / size * 2 - 1) / view.projection[0, 0]


def face_crop(canvas_u8: np.ndarray, affine: np.ndarray, step: int) -> np.ndarray:
    """The face crop cut from the full canvas, uint8 [64, 64, 3]; blurred first where it gets smaller."""
    import cv2

    scale = affine[0, 0] / step
    shift = affine[:, 2] - affine[0, 0] * (step - 1) / (2 * step)  # canvas px = picture px * step + (step - 1) / 2
    if scale < 1 / 1.3:
        sigma = 0.35 / scale
        room = int(np.ceil(4 * sigma)) + 2  # only what the crop will see is blurred
        low = np.clip(np.floor(-shift / scale).astype(int) - room, 0, len(canvas_u8) - 1)
        high = np.clip(np.ceil((FACE_SIZE - shift) / scale).astype(int) + room, low + 1, len(canvas_u8))
        canvas_u8 = cv2.GaussianBlur(canvas_u8[low[1] : high[1], low[0] : high[0]], (0, 0), sigma)
        shift = shift + scale * low
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
    size = (FACE_SIZE, FACE_SIZE)
    return cv2.warpAffine(canvas_u8, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def shrunk(canvas_u8: np.ndarray, step: int) -> np.ndarray:
    """The picture: the canvas with `step` x `step` samples averaged, uint8 [S, S, 3]."""
    import cv2

    size = canvas_u8.shape[0] // step
    return canvas_u8 if step == 1 else cv2.resize(canvas_u8, (size, size), interpolation=cv2.INTER_AREA)


def composed(rgb_u8: np.ndarray, part_id: np.ndarray, behind_u8: np.ndarray) -> np.ndarray:
    """The person uint8 [C, C, 3] where part_id [C, C] is not 0, elsewhere the background [S, S, 3] enlarged."""
    import cv2

    size = len(rgb_u8)
    canvas = behind_u8.copy() if len(behind_u8) == size else cv2.resize(behind_u8, (size, size))
    _paste(rgb_u8, part_id, canvas)
    return canvas


@numba.njit(cache=True)
def _paste(rgb, part_id, canvas):
    for y in range(canvas.shape[0]):
        for x in range(canvas.shape[1]):
            if part_id[y, x] > 0:
                canvas[y, x, 0], canvas[y, x, 1], canvas[y, x, 2] = rgb[y, x, 0], rgb[y, x, 1], rgb[y, x, 2]
