"""Detectors of people, palms and faces on any square region of a frame, and the regions their boxes ask for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.pose.mediapipe.anchors import (
    FACE_FULL_SSD,
    FACE_SHORT_SSD,
    PALM_SSD,
    POSE_SSD,
    SsdSpec,
    anchor_centers,
    decode_boxes,
    weighted_suppression,
)
from stages.pose.mediapipe.roi import Picture, Roi, roi_from_circle, wrap_angle
from stages.weights.litert import Net


@dataclass(frozen=True)
class Found:
    """One detection in frame pixels.

    points_px  float32 [K, 2]  alignment points;   center_px float32 [2], side_px: middle and longer side of the box
    score      0..1
    """

    points_px: np.ndarray
    center_px: np.ndarray
    side_px: float
    score: float


class Detector:
    """A single-shot detector; `outputs` = (boxes, scores) as numbers of the network's outputs."""

    def __init__(self, net: Net, spec: SsdSpec, outputs: tuple[int, int] = (0, 1)) -> None:
        self._net, self._spec, self._outputs = net, spec, outputs
        self._centers = anchor_centers(spec)

    def find(self, picture: Picture, region: Roi, min_score: float = 0.5) -> list[Found]:
        """Detections inside a region of the frame, best first."""
        self._net(picture.crop(region, self._spec.input_px), self._spec.low, self._spec.high)
        logits = self._net.output(self._outputs[1])[:, 0]
        boxes = decode_boxes(self._net.output(self._outputs[0]), logits, self._centers, self._spec, min_score)
        boxes = weighted_suppression(boxes)
        found = []
        for box, points, score in zip(boxes.box_01, boxes.points_01, boxes.score, strict=True):
            center = region.to_frame((box[:2] + box[2:]) / 2)
            side = float((box[2:] - box[:2]).max()) * region.side
            found.append(Found(region.to_frame(points), center, side, float(score)))
        return found


def pose_detector(net: Net) -> Detector:
    return Detector(net, POSE_SSD)


def palm_detector(net: Net) -> Detector:
    return Detector(net, PALM_SSD)


def face_detector_near(net: Net) -> Detector:
    return Detector(net, FACE_SHORT_SSD)


def face_detector_far(net: Net) -> Detector:
    return Detector(net, FACE_FULL_SSD)


# Alignment points of the detectors, by name.
PERSON_HIPS, PERSON_RIM = 0, 1
PALM_WRIST, PALM_MIDDLE = 0, 2
FACE_RIGHT_EYE, FACE_LEFT_EYE, FACE_NOSE, FACE_MOUTH = 0, 1, 2, 3


def body_roi_of_person(found: Found) -> Roi:
    """Crop for the body network: the circle around the hips that holds the whole person, 1.25 wide."""
    return roi_from_circle(found.points_px[PERSON_HIPS], found.points_px[PERSON_RIM], 1.25)


def body_roi_of_face(found: Found) -> Roi:
    """Crop for the body network guessed from a face: hips 3.4 face heights below the eyes' middle (our choice: the
    detector's face box is about 0.8 of a head, a standing adult about 7.5 heads)."""
    face = face_roi_of_face(found, 1.0)
    return Roi(face.x, face.y, face.side * 9.6, face.angle_rad).shifted(0.0, 3.4 / 9.6)


def face_roi_of_face(found: Found, scale: float = 2.0) -> Roi:
    """Crop for the face network, upright by the eyes."""
    right, left = found.points_px[FACE_RIGHT_EYE], found.points_px[FACE_LEFT_EYE]
    angle = wrap_angle(np.arctan2(left[1] - right[1], left[0] - right[0]))
    return Roi(float(found.center_px[0]), float(found.center_px[1]), found.side_px * scale, angle)


def hand_roi_of_palm(found: Found) -> Roi:
    """Crop for the hand network: from the palm up along wrist -> middle finger, 2.6 palms wide."""
    wrist, middle = found.points_px[PALM_WRIST], found.points_px[PALM_MIDDLE]
    angle = wrap_angle(np.arctan2(middle[1] - wrist[1], middle[0] - wrist[0]) + np.pi / 2)
    palm = Roi(float(found.center_px[0]), float(found.center_px[1]), found.side_px, angle)
    return palm.shifted(0.0, -0.5).scaled(2.6)


def whole_frame(size: tuple[int, int]) -> Roi:
    """The smallest square that holds a frame of (H, W)."""
    height, width = size
    return Roi((width - 1) / 2, (height - 1) / 2, float(max(height, width)))


def tiles(size: tuple[int, int], side: float) -> list[Roi]:
    """Squares of a side that cover a frame of (H, W) with at least half overlap, row by row."""
    height, width = size

    def middles(length: int) -> np.ndarray:
        if side >= length:
            return np.array([(length - 1) / 2])
        steps = int(np.ceil((length - side) / (side / 2)))
        return np.linspace(side / 2 - 0.5, length - side / 2 - 0.5, steps + 1)

    return [Roi(float(x), float(y), float(side)) for y in middles(height) for x in middles(width)]
