"""What stands behind the person: the reference's background without her, moved as the camera moves."""

import cv2
import numpy as np

from stages.body.camera import STILL
from stages.body.regrow import grown, regrown
from stages.core.carried import DOUBTFUL_FIGURE, HIDDEN_BACKGROUND, SEEN_BACKGROUND

_RIM = 1 / 64  # of the canvas: so far beyond its matte the person still colours the background
_BEYOND = 0.25  # of its sides: how far the background is made up beyond the reference


class Plate:
    """The background of a reference.

    picture_u8  uint8 [H, W, 3];  hidden  bool [H, W] what the person hides, which is made up (stages.body.regrow)
    """

    def __init__(self, picture_u8, hidden) -> None:
        height, width = hidden.shape
        self._rows, self._columns = round(_BEYOND * height), round(_BEYOND * width)
        border = self._rows, self._rows, self._columns, self._columns
        wide = cv2.copyMakeBorder(picture_u8, *border, cv2.BORDER_REPLICATE)
        unseen = cv2.copyMakeBorder(hidden.astype(np.uint8), *border, cv2.BORDER_CONSTANT, value=1) > 0
        self._wide, self.hidden = regrown(wide, unseen), hidden

    @property
    def picture_u8(self):
        """uint8 [H, W, 3]: as the reference shows it, without the person."""
        height, width = self.hidden.shape
        return self._wide[self._rows : self._rows + height, self._columns : self._columns + width]

    def at(self, move=None) -> tuple[np.ndarray, np.ndarray]:
        """The background float32 [H, W, 3] and what of it nobody has seen, bool [H, W].

        move  float [2, 3], px of the picture wanted to px of the reference (stages.body.camera); None: it stands still
        What lies beyond the reference is made up and counts as not seen.
        """
        if move is None or np.array_equal(move, np.eye(2, 3)):
            return self.picture_u8.astype(np.float32), self.hidden.copy()
        height, width = self.hidden.shape
        _, hidden = moved_by(move, self.picture_u8, self.hidden.astype(np.uint8), border=1)
        shifted = np.asarray(move, np.float64) + [[0.0, 0.0, self._columns], [0.0, 0.0, self._rows]]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        moved = cv2.warpAffine(self._wide, shifted, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return moved.astype(np.float32), hidden > 0


def nobody(picture_u8, hidden, move=None) -> tuple[np.ndarray, np.ndarray]:
    """The reference uint8 [H, W, 3] as it is, moved, for frames without a driver, and its kinds uint8 [H, W]."""
    kinds = np.where(hidden, DOUBTFUL_FIGURE, SEEN_BACKGROUND).astype(np.uint8)
    return moved_by(STILL if move is None else move, picture_u8, kinds, border=HIDDEN_BACKGROUND)


def with_rim(covered) -> np.ndarray:
    """bool [H, W]: what the person covers, and as far beyond as she colours the background."""
    return grown(covered, max(1, round(min(covered.shape) * _RIM)))


def moved_by(move, picture_u8, marks_u8, *, border: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture uint8 [H, W, 3] and marks uint8 [H, W] in it, moved; marks beyond it are `border`."""
    size, move = marks_u8.shape[::-1], np.asarray(move, np.float64)
    back = cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(picture_u8, move, size, flags=cv2.INTER_LINEAR | back, borderMode=cv2.BORDER_REPLICATE)
    marks = cv2.warpAffine(
        marks_u8, move, size, flags=cv2.INTER_NEAREST | back, borderMode=cv2.BORDER_CONSTANT, borderValue=border
    )
    return moved, marks
