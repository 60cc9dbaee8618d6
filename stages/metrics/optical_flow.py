"""Dense optical flow that gives the same bits everywhere, and what two flows say about hidden pixels."""

from __future__ import annotations

import threading

import numpy as np

from stages.core.errors import InputError

PRESETS = ("ultrafast", "fast", "medium")
LEAST_SIDE = 16
_ONE_AT_A_TIME = threading.Lock()


def flow_px(first_u8: np.ndarray, second_u8: np.ndarray, preset: str = "medium") -> np.ndarray:
    """Where the pixels of the first picture are in the second: float32 [H, W, 2], (dx, dy) in px.

    first_u8, second_u8  uint8 [H, W], grey
    preset               one of PRESETS, of OpenCV's DIS flow (Kroeger et al. 2016)
    errors               InputError: a side below LEAST_SIDE px
    OpenCV cuts the picture into as many strips as it has threads and lets good guesses travel within a strip only, so
    the number of threads would change the result: one thread is set while the flow is computed.
    """
    import cv2

    if min(first_u8.shape) < LEAST_SIDE:
        found = "x".join(map(str, first_u8.shape))
        raise InputError(f"optical flow: frames are {found}, expected {LEAST_SIDE} px or more on every side")
    method = cv2.DISOpticalFlow_create(PRESETS.index(preset))
    with _ONE_AT_A_TIME:
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            return method.calc(np.ascontiguousarray(first_u8), np.ascontiguousarray(second_u8), None)
        finally:
            cv2.setNumThreads(threads)


def warp(picture: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """The picture sampled at x + flow(x), bilinear; edge pixels go on outside.

    picture  float32 [H, W] or [H, W, C];  flow  float32 [H, W, 2] px
    """
    import cv2

    height, width = flow.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return cv2.remap(picture, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def seen_in_both(there: np.ndarray, back: np.ndarray) -> np.ndarray:
    """bool [H, W]: pixels that the flow carries into the other picture and the other flow carries back.

    there  float32 [H, W, 2]  flow of this picture;  back  float32 [H, W, 2]  flow of the other one
    source: |there(x) + back(x + there(x))|^2 < 0.01 (|there|^2 + |back|^2) + 0.5 px^2 (Sundaram et al. 2010, eq. 5)
    """
    height, width = there.shape[:2]
    x = np.arange(width, dtype=np.float32) + there[..., 0]
    y = np.arange(height, dtype=np.float32)[:, None] + there[..., 1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    returned = warp(back, there)
    length2 = _square(there) + _square(returned)
    returned += there
    return inside & (_square(returned) < np.float32(0.01) * length2 + np.float32(0.5))


def _square(vectors: np.ndarray) -> np.ndarray:
    """float32 [H, W]: squared lengths."""
    return np.einsum("hwc,hwc->hw", vectors, vectors)
