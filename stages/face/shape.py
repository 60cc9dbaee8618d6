"""The 68 face points of an average head, where expressions take them, and which of them are lips."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from stages.face.encoder import EXPRESSIONS

SHAPE_FILE = Path(__file__).parent / "weights" / "shape.safetensors"
FACING = -0.12  # depth in radii (towards the camera is negative) up to which a point takes part
OUTER_LIP, INNER_LIP = slice(48, 60), slice(60, 68)
UPPER, LOWER = (61, 62, 63), (67, 66, 65)  # of the inner lips, one above the other


@dataclass(frozen=True)
class FaceShape:
    """An average head: neutral float [68, 3], moves float [52, 68, 3] at weight 1; head axes, in head radii.

    Head axes: x to the right of the picture for a head that faces us, y down, z away from the camera.
    """

    neutral: np.ndarray
    moves: np.ndarray

    def points(self, weights: np.ndarray) -> np.ndarray:
        """float [68, 3] of ARKit weights float [52], limited to 0..1."""
        return self.neutral + np.einsum("e,epk->pk", np.clip(weights[:EXPRESSIONS], 0.0, 1.0), self.moves)


@lru_cache(maxsize=1)
def face_shape() -> FaceShape:
    """The shape shipped with the package (made by stages.training.face_shape)."""
    from stages.weights.checkpoint import load_checkpoint

    tensors, _ = load_checkpoint(SHAPE_FILE)
    return FaceShape(tensors["neutral"].numpy().astype(np.float64), tensors["moves"].numpy().astype(np.float64))


def covered_u8(outline_px, shape) -> np.ndarray:
    """uint8 [H, W], 0..255: how much of each pixel lies within an outline float [n, 2]."""
    cover = np.zeros(shape, np.uint8)
    cv2.fillPoly(cover, [np.round(np.asarray(outline_px) * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    return cover
