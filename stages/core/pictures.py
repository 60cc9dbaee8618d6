"""Pictures made smaller by a whole number, and their colours in Lab."""

import cv2
import numpy as np


def averaged(pictures_u8: np.ndarray, times: int) -> np.ndarray:
    """uint8 [..., H/k, W/k, C] of pictures uint8 [..., H, W, C]: each square of k x k pixels becomes its mean."""
    if times == 1:
        return pictures_u8
    total = np.zeros((), np.uint32)
    for row in range(times):
        for column in range(times):
            total = total + pictures_u8[..., row::times, column::times, :]
    return ((total + times * times // 2) // (times * times)).astype(np.uint8)


def lab(picture_u8: np.ndarray) -> np.ndarray:
    """float32 [H, W, 3] CIE Lab (lightness 0..100) of a picture uint8 [H, W, 3] RGB."""
    return cv2.cvtColor(picture_u8.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)
