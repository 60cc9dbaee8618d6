"""The person of one photo who is to talk: the picture, the pose in it, and what the face rests in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stages.core.arkit import ARKIT_NAMES
from stages.core.errors import InputError
from stages.face.carry import reference_weights
from stages.head.track import track_head
from stages.media import read_photo
from stages.pose.photo import track_photo

_KEPT_OF_SMILE = 0.6
_MOST_AT_REST = 0.12  # of a mouth the encoder takes for open or pulled


@dataclass(frozen=True)
class Sitter:
    """picture uint8 [H, W, 3], sides even; pose: arrays of a `pose` layer of one frame, attrs what it says of them;
    rest float64 [54]: ARKit weights and gaze the face has when it says nothing."""

    picture: np.ndarray
    pose: dict[str, np.ndarray]
    attrs: dict[str, Any]
    rest: np.ndarray


def sit(ref: str, max_side: int, encoder) -> Sitter:
    """The Sitter of a photo whose longer side is at most `max_side` px.

    encoder  stages.face.encoder.FaceEncoder
    errors   InputError: no such photo, or no face in it that can be read
    """
    picture = _even(read_photo(ref), max_side)
    pose, attrs = track_photo(picture)
    if not pose["present"].all() or not pose["face_valid"].all():
        raise InputError(f"{ref}: found no face in the photo, expected the speaker's face, turned to the camera")
    head = track_head(pose, pose["K_px"], attrs["face_layout"])
    read = reference_weights(encoder, picture, head.center_px[0], head.radius_px[0], head.R_cam_head[0])
    return Sitter(picture, pose, attrs, at_rest(read))


def at_rest(weights: np.ndarray) -> np.ndarray:
    """float64 [54]: the expression of a photo without what speech takes over; NaN becomes 0.

    The upper face stays. A mouth that is open or pulled closes, but for a trace: one that the encoder takes for
    slightly open must not be pressed shut, because what moves is the difference to the photo.
    """
    rest = np.nan_to_num(np.asarray(weights, np.float64))
    rest[: len(ARKIT_NAMES)] = np.clip(rest[: len(ARKIT_NAMES)], 0.0, 1.0)
    for at, name in enumerate(ARKIT_NAMES):
        if name.startswith(("mouthSmile", "mouthFrown", "mouthDimple")):
            rest[at] *= _KEPT_OF_SMILE
        elif name.startswith(("jaw", "mouth", "tongue")):
            rest[at] = min(rest[at], _MOST_AT_REST)
    return rest


def _even(picture_u8: np.ndarray, max_side: int) -> np.ndarray:
    """The picture scaled down to max_side, with even sides."""
    import cv2

    scale = min(1.0, max_side / max(picture_u8.shape[:2]))
    height, width = (max(2, round(side * scale) // 2 * 2) for side in picture_u8.shape[:2])
    if scale == 1.0:
        return np.ascontiguousarray(picture_u8[:height, :width])
    return cv2.resize(picture_u8, (width, height), interpolation=cv2.INTER_AREA)
