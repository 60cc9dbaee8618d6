"""The pose of one picture, for references and A-pose pictures that never become bundles."""

from __future__ import annotations

from typing import Any

import numpy as np

from stages.pose.layer import finish_track
from stages.pose.mediapipe.backend import MediaPipeBackend, MediaPipeParams


def track_photo(picture_u8: np.ndarray, *, person: str = "largest") -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """(arrays of a `pose` layer with one frame, its attributes) by the default backend; `present` is False for nobody.

    picture_u8  uint8 [H, W, 3] RGB;  person  see `stages.pose.persons.select_person`
    errors      WeightsError when a network is not to be had
    """
    track = MediaPipeBackend(MediaPipeParams(person=person, threads=1)).process([picture_u8], 1.0)
    attrs = {"face_layout": track.face_layout, "fps": 1.0, "backend": track.backend, "weights": dict(track.weights)}
    return finish_track(track, smooth=False), attrs
