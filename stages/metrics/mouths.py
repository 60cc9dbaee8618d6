"""The mouth windows SyncNet looks at: one face followed through a video at 25 frames a second, cropped and cut."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np

from stages.metrics.faces import FaceFinder, FaceFollower

FPS = 25
WINDOW = 5
SIDE = 224
_AROUND = 6  # frames before and after over whose boxes the median is taken
_SCALE = 0.40
_GREY = 110
_LONGEST_GAP = 25  # frames for which a lost face is held where it was


class MouthWindows:
    """Calls `look` with uint8 [5, 224, 224, 3] for every window of five frames; keeps a dozen frames.

    look  window -> float32 vector
    """

    def __init__(self, finder: FaceFinder, look: Callable[[np.ndarray], np.ndarray], fps: Fraction) -> None:
        self._finder, self._look, self._fps = finder, look, fps
        self._follower = FaceFollower()
        self._frame = 0
        self._next = 0  # of the 25 a second
        self._box: np.ndarray | None = None
        self._missed = 0
        self._boxes: deque[np.ndarray | None] = deque()
        self._waiting: deque[np.ndarray] = deque()  # frames whose boxes to come are not known yet
        self._past: deque[np.ndarray | None] = deque(maxlen=_AROUND)
        self._crops: deque[np.ndarray | None] = deque(maxlen=WINDOW)
        self.vectors: list[np.ndarray | None] = []
        self.found: list[bool] = []

    def add(self, frame_u8: np.ndarray) -> None:
        """The next frame of the video, uint8 [H, W, 3]."""
        repeats = len(list(self._due()))
        if not repeats:
            return
        face = self._follower.choose(self._finder.find(frame_u8))
        for _ in range(repeats):
            self.found.append(face is not None)
            self._missed = 0 if face is not None else self._missed + 1
            self._box = face if face is not None else self._box if self._missed <= _LONGEST_GAP else None
            self._waiting.append(frame_u8.copy())
            self._boxes.append(None if self._box is None else square_of(self._box))
            if len(self._waiting) > _AROUND:
                self._crop()

    def finish(self) -> np.ndarray:
        """float64 [windows, D] of all vectors, NaN where a window shows no face; [0, 0] when there is none."""
        while self._waiting:
            self._crop()
        known = next((v for v in self.vectors if v is not None), np.zeros(0))
        none = np.full(len(known), np.nan)
        return np.array([none if v is None else v for v in self.vectors], np.float64).reshape(len(self.vectors), -1)

    def _due(self) -> Iterator[int]:
        """Moments of the 25 a second at which the video's next frame is on the screen."""
        until = Fraction(self._frame + 1) / self._fps * FPS
        self._frame += 1
        while self._next < until:
            yield self._next
            self._next += 1

    def _crop(self) -> None:
        """Crop the oldest waiting frame by the median of the boxes around it, and look at the window it completes."""
        frame, box = self._waiting.popleft(), self._boxes.popleft()
        around = [b for b in (*self._past, box, *list(self._boxes)[:_AROUND]) if b is not None]
        self._past.append(box)
        self._crops.append(None if box is None else mouth_crop(frame, np.median(around, axis=0)))
        if len(self._crops) == WINDOW:
            seen = all(crop is not None for crop in self._crops)
            self.vectors.append(self._look(np.stack(list(self._crops))) if seen else None)


def square_of(face: np.ndarray) -> np.ndarray:
    """float64 [3]: middle x, y and half the longer side of a face's box."""
    x, y, width, height = face[:4].astype(np.float64)
    return np.array([x + width / 2, y + height / 2, max(width, height) / 2])


def mouth_crop(frame_u8: np.ndarray, square: np.ndarray) -> np.ndarray:
    """uint8 [224, 224, 3]: the face with a margin of 0.4 of its size at both sides and 0.8 below, grey outside.

    source: `crop_video` of syncnet_python, with its rounding
    """
    import cv2

    x, y, half = (float(v) for v in square)
    margin = int(half * (1 + 2 * _SCALE))
    grey = cv2.copyMakeBorder(
        frame_u8, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=(_GREY, _GREY, _GREY)
    )
    rows = slice(max(0, int(y + margin - half)), int(y + margin + half * (1 + 2 * _SCALE)))
    columns = slice(max(0, int(x + margin - half * (1 + _SCALE))), int(x + margin + half * (1 + _SCALE)))
    crop = grey[rows, columns]
    if not crop.size:
        return np.full((SIDE, SIDE, 3), _GREY, np.uint8)
    return cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
