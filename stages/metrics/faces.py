"""Faces in a picture and the numbers that tell people apart: YuNet and SFace, run by OpenCV."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np

from stages.weights import resolve

DETECT_SIDE = 640
NETWORKS = ("yunet", "sface")
EMBEDDING = 128
_SUPPRESSION_IOU = 0.3
_MOST_FACES = 5000
_REACH = 1.0  # face sizes a followed face may move from one frame to the next
_REACH_PER_MISSED = 0.25  # and this much more for every frame it was not seen


class FaceFinder:
    """Finds faces with YuNet (Wu et al. 2023). One object serves one thread.

    score_least  0..1, detections below are left out
    errors       WeightsError: the network is not to be had
    """

    def __init__(self, score_least: float) -> None:
        import cv2

        with _quiet():
            self._net = cv2.FaceDetectorYN.create(
                str(resolve("yunet")), "", (320, 320), score_least, _SUPPRESSION_IOU, _MOST_FACES
            )

    def find(self, frame_u8: np.ndarray) -> np.ndarray:
        """float32 [N, 15] of a frame uint8 [H, W, 3] RGB, best first: x y w h, then eye, eye, nose tip, mouth corner,
        mouth corner (the person's right ones first) in px of the frame, score. Frames larger than DETECT_SIDE are
        looked at reduced to it.
        """
        import cv2

        height, width = frame_u8.shape[:2]
        scale = min(1.0, DETECT_SIDE / max(height, width))
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = cv2.cvtColor(frame_u8, cv2.COLOR_RGB2BGR)
        if scale < 1.0:
            picture = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
        self._net.setInputSize(small)
        _, found = self._net.detect(picture)
        if found is None:
            return np.zeros((0, 15), np.float32)
        found = np.array(found, np.float32).reshape(-1, 15)
        found[:, 0:14:2] *= width / small[0]
        found[:, 1:14:2] *= height / small[1]
        return found


class FaceEmbedder:
    """Embeds faces with SFace (Zhong et al. 2021). One object serves one thread. errors  WeightsError"""

    def __init__(self) -> None:
        import cv2

        with _quiet():
            self._net = cv2.FaceRecognizerSF.create(str(resolve("sface")), "")

    def embed(self, frame_u8: np.ndarray, face: np.ndarray) -> np.ndarray:
        """float32 [128] of length 1: the face (a row of `FaceFinder.find`) turned upright by its five points."""
        import cv2

        crop = self._net.alignCrop(cv2.cvtColor(frame_u8, cv2.COLOR_RGB2BGR), face[None])
        numbers = self._net.feature(crop).astype(np.float64).ravel()
        return (numbers / np.linalg.norm(numbers)).astype(np.float32)


class FaceFollower:
    """Keeps to one of several faces through a video."""

    def __init__(self) -> None:
        self._last: np.ndarray | None = None
        self._missed = 0

    def choose(self, faces: np.ndarray, start: int | None = None) -> np.ndarray | None:
        """The followed face among those of the next frame: the nearest to where it was, None when none is near.

        faces  float32 [N, 15];  start  row that is taken while nobody is followed; None = the largest
        """
        if not len(faces):
            return self.keep(None)
        if self._last is None:
            return self.keep(faces[largest(faces) if start is None else start])
        distance = distances(faces, self._last)
        at = int(np.argmin(distance))
        return self.keep(faces[at] if distance[at] <= _REACH + _REACH_PER_MISSED * self._missed else None)

    def keep(self, face: np.ndarray | None) -> np.ndarray | None:
        """The same face, now the followed one; None = not seen in this frame."""
        self._last, self._missed = (self._last, self._missed + 1) if face is None else (face, 0)
        return face

    @property
    def idle(self) -> bool:
        """Nobody was seen yet."""
        return self._last is None


def largest(faces: np.ndarray) -> int:
    """The row of the face with the largest box."""
    return int(np.argmax(faces[:, 2] * faces[:, 3]))


def distances(faces: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Distance of the middle of each face [N, 15] from that of another [15], in sizes of the other. float [N]"""
    away = faces[:, :2] + faces[:, 2:4] / 2 - (near[:2] + near[2:4] / 2)
    return np.hypot(away[:, 0], away[:, 1]) / max(float(np.sqrt(near[2] * near[3])), 1e-6)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """OpenCV's warning that its new engine has one kind of target only is of no use to anybody."""
    import cv2

    log = cv2.utils.logging
    level = log.getLogLevel()
    log.setLogLevel(log.LOG_LEVEL_ERROR)
    try:
        yield
    finally:
        log.setLogLevel(level)
