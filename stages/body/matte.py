"""Which pixels of a photo are a person: the selfie segmentation network of MediaPipe.

It separates people from everything else, not one person from another; `stages.body.warp` takes what lies about one
person's limbs. A small figure is looked at once more, cut out, because the network sees 256x256 pixels.
Source: Tkachenka et al. 2021 (model card of MediaPipe Selfie Segmentation); weights from its package, see
stages.weights.registry.
"""

from functools import lru_cache

import cv2
import numpy as np

NETWORK = "selfie_segmentation"
_AGAIN_BELOW = 0.6  # share of the picture's longer side that a figure must fill, else it is cut out
_AROUND = 1.35  # side of that cut over the figure's longer side
_LEAST_PX = 6  # side of a figure that is worth a second look
_SOFT = 1 / 64  # of the picture's longer side: so far from its outline a figure may be half there, deeper it is whole


def figure_matte(picture_u8: np.ndarray) -> np.ndarray:
    """float32 [H, W] in 0..1: how surely each pixel of uint8 [H, W, 3] RGB is a person; all about 0 where nobody is.

    errors  WeightsError: the network is not to be had
    """
    return _whole_inside(_nearer_seen(picture_u8))


def _whole_inside(matte_01: np.ndarray) -> np.ndarray:
    """The matte, but 1 deep inside: edges and hair are half a person, a doubtful shirt is all of one."""
    reach = 2 * max(1, round(_SOFT * max(matte_01.shape))) + 1
    inside = cv2.erode((matte_01 > 0.5).astype(np.uint8), np.ones((reach, reach), np.uint8))  # goes on at the border
    return np.where(inside > 0, np.float32(1.0), matte_01)


def _nearer_seen(picture_u8: np.ndarray) -> np.ndarray:
    matte = _seen(picture_u8)
    rows, columns = np.nonzero(matte > 0.5)
    if not len(rows):
        return matte
    reach = max(np.ptp(rows), np.ptp(columns)) + 1
    if reach < _LEAST_PX or reach >= _AGAIN_BELOW * max(matte.shape):
        return matte
    side = int(round(_AROUND * reach))
    top, left = (int(round((part.min() + part.max() + 1 - side) / 2)) for part in (rows, columns))
    bottom, right = min(top + side, matte.shape[0]), min(left + side, matte.shape[1])
    top, left = max(top, 0), max(left, 0)
    nearer = np.zeros_like(matte)
    nearer[top:bottom, left:right] = _seen(picture_u8[top:bottom, left:right])
    return nearer


def _seen(picture_u8: np.ndarray) -> np.ndarray:
    net = _network()
    height, width = picture_u8.shape[:2]
    shrinks = min(height, width) > net.side_px
    square = cv2.resize(
        picture_u8, (net.side_px, net.side_px), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    net(square)
    return np.clip(cv2.resize(net.output(0)[..., 0], (width, height), interpolation=cv2.INTER_LINEAR), 0.0, 1.0)


@lru_cache(maxsize=1)
def _network():
    from stages.weights.cache import resolve
    from stages.weights.litert import Net

    return Net(resolve(NETWORK), 1)
