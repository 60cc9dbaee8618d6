"""What stands behind the person: the reference's background without her, moved as the camera moves."""

import cv2
import numpy as np


class Plate:
    """The background of a reference.

    picture_u8  uint8 [H, W, 3];  hidden  bool [H, W] what the person hides, which is filled in smoothly
    """

    def __init__(self, picture_u8, hidden) -> None:
        self.picture_u8, self.hidden = fill(picture_u8, hidden), hidden

    def at(self, move=None) -> tuple[np.ndarray, np.ndarray]:
        """The background float32 [H, W, 3] and what of it nobody has seen, bool [H, W].

        move  float [2, 3], px of the picture wanted to px of the reference (stages.body.camera); None: it stands still
        What lies beyond the reference goes on smoothly and counts as not seen.
        """
        if move is None or np.array_equal(move, np.eye(2, 3)):
            return self.picture_u8.astype(np.float32), self.hidden.copy()
        moved, hidden = moved_by(move, self.picture_u8, self.hidden.astype(np.uint8), border=2)
        beyond = hidden > 1
        return fill(moved, beyond).astype(np.float32), hidden > 0


def moved_by(move, picture_u8, marks_u8, *, border: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture uint8 [H, W, 3] and marks uint8 [H, W] in it, moved; marks beyond it are `border`."""
    size, move = marks_u8.shape[::-1], np.asarray(move, np.float64)
    back = cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(picture_u8, move, size, flags=cv2.INTER_LINEAR | back, borderMode=cv2.BORDER_REPLICATE)
    marks = cv2.warpAffine(
        marks_u8, move, size, flags=cv2.INTER_NEAREST | back, borderMode=cv2.BORDER_CONSTANT, borderValue=border
    )
    return moved, marks


def fill(picture_u8, hole):
    """Return the picture with the pixels of bool [H, W] `hole` filled smoothly from around them (push-pull)."""
    weight = (~hole).astype(np.float32)
    colour, levels = picture_u8.astype(np.float32) * weight[..., None], []
    while min(weight.shape) > 2:
        levels.append((colour, weight))
        colour, weight = cv2.pyrDown(colour), cv2.pyrDown(weight)
    filled = colour / np.maximum(weight, 1e-4)[..., None]
    for colour, weight in reversed(levels):
        above = cv2.resize(filled, weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
        share = np.minimum(weight, 1.0)[..., None]
        filled = share * (colour / np.maximum(weight, 1e-4)[..., None]) + (1.0 - share) * above
    return np.where(hole[..., None], np.clip(np.rint(filled), 0, 255).astype(np.uint8), picture_u8)
