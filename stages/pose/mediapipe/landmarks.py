"""Landmark networks: a region of the frame in, points in frame pixels and in metres out, and the next region."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.pose.mediapipe.roi import Picture, Roi, roi_from_circle, roi_from_points, wrap_angle
from stages.weights.litert import Net

BODY_POINTS = (
    "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
    "left_ear", "right_ear", "mouth_left", "mouth_right", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index", "left_thumb",
    "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "left_heel",
    "right_heel", "left_big_toe", "right_big_toe",
)  # fmt: skip
BODY_AT = {name: index for index, name in enumerate(BODY_POINTS)}
CIRCLE_CENTER, CIRCLE_RIM = 33, 34  # further points of the body network: where the next crop is
FACE_POINTS = slice(0, 11)

_HEAT_SIDE, _HEAT_REACH, _HEAT_MIN = 64, 3, 0.5


@dataclass(frozen=True)
class BodyResult:
    """Body network on one region.

    points_px   float32 [39, 2]   33 BODY_POINTS, then 6 helper points
    world_m     float32 [33, 3]   camera axes (x right, y down, z forward), metres, middle of the hips = 0
    visibility  float32 [33]      0..1
    flag        0..1              the region holds a person
    next_roi                      region for the next frame
    """

    points_px: np.ndarray
    world_m: np.ndarray
    visibility: np.ndarray
    flag: float
    next_roi: Roi


class BodyNet:
    def __init__(self, net: Net) -> None:
        self._net = net

    def __call__(self, picture: Picture, roi: Roi) -> BodyResult:
        self._net(picture.crop(roi, self._net.side_px))
        raw = self._net.output(0).reshape(39, 5)
        local = self._refined(raw[:, :2] / self._net.side_px)
        points = roi.to_frame(local).astype(np.float32)
        world = roi.turned(self._net.output(4).reshape(39, 3)[:33])
        return BodyResult(
            points,
            world.astype(np.float32),
            _sigmoid(raw[:33, 3]),
            float(self._net.output(1)[0]),
            roi_from_circle(points[CIRCLE_CENTER], points[CIRCLE_RIM], 1.25),
        )

    def _refined(self, local: np.ndarray) -> np.ndarray:
        """Points moved to the centre of mass of their 7x7 neighbourhood in the heat maps where these are sure."""
        at = np.floor(local * _HEAT_SIDE).astype(int)
        reach = np.arange(-_HEAT_REACH, _HEAT_REACH + 1)
        rows, columns = at[:, 1, None, None] + reach[:, None], at[:, 0, None, None] + reach[None, :]
        rows, columns = np.broadcast_arrays(rows, columns)
        inside = (rows >= 0) & (rows < _HEAT_SIDE) & (columns >= 0) & (columns < _HEAT_SIDE)
        maps = np.broadcast_to(np.arange(len(local))[:, None, None], rows.shape)
        last = _HEAT_SIDE - 1
        heat = self._net.peek(3, (rows.clip(0, last), columns.clip(0, last), maps))
        weight = np.where(inside, _sigmoid(heat), 0.0)
        starts_inside = ((at >= 0) & (at < _HEAT_SIDE)).all(axis=1)
        sure = starts_inside & (weight.max(axis=(1, 2)) >= _HEAT_MIN)
        total = weight.sum(axis=(1, 2))
        total = np.where(total > 0, total, 1.0)
        mean = np.stack([(columns * weight).sum(axis=(1, 2)), (rows * weight).sum(axis=(1, 2))], axis=1)
        return np.where(sure[:, None], mean / total[:, None] / _HEAT_SIDE, local).astype(np.float32)


@dataclass(frozen=True)
class HandResult:
    """Hand network on one region.

    points_px  float32 [21, 2];   world_m float32 [21, 3] camera axes, metres, wrist = 0
    presence   0..1;   left  0..1, 1 = the person's left hand
    next_roi   region for the next frame
    """

    points_px: np.ndarray
    world_m: np.ndarray
    presence: float
    left: float
    next_roi: Roi


# Wrist and the joints of the palm and lower fingers: they say where a hand is whatever the finger tips do.
_PALM_POINTS = np.array([0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18])


class HandNet:
    def __init__(self, net: Net, recrop: Net) -> None:
        self._net, self._recrop = net, recrop

    def __call__(self, picture: Picture, roi: Roi) -> HandResult:
        self._net(picture.crop(roi, self._net.side_px))
        points = roi.to_frame(self._net.output(0).reshape(21, 3)[:, :2] / self._net.side_px).astype(np.float32)
        world = roi.turned(self._net.output(3).reshape(21, 3))
        return HandResult(
            points,
            (world - world[:1]).astype(np.float32),
            float(self._net.output(1)[0]),
            1.0 - float(self._net.output(2)[0]),
            hand_roi_of_points(points),
        )

    def refine_roi(self, picture: Picture, coarse: Roi) -> Roi:
        """A tighter region from a coarse one, by the recrop network; its rim point lies on the side of the wrist."""
        self._recrop(picture.crop(coarse, self._recrop.side_px))
        center, rim = coarse.to_frame(self._recrop.output(0).reshape(2, 2) / self._recrop.side_px)
        return roi_from_circle(center, 2 * center - rim, 1.0)


def hand_roi_of_points(points_px: np.ndarray) -> Roi:
    """Region for the next frame from 21 hand points: up along wrist -> knuckles."""
    wrist = points_px[0]
    knuckles = (points_px[6] + points_px[14]) / 4 + points_px[10] / 2
    angle = wrap_angle(np.arctan2(knuckles[1] - wrist[1], knuckles[0] - wrist[0]) + np.pi / 2)
    return roi_from_points(points_px[_PALM_POINTS], angle, 2.0, down=-0.1)


def hand_roi_of_body(points_px: np.ndarray, side: str) -> Roi:
    """Coarse region of the "left" or "right" hand from the body points wrist, index and pinky."""
    wrist = points_px[BODY_AT[f"{side}_wrist"]]
    middle = (2 * points_px[BODY_AT[f"{side}_index"]] + points_px[BODY_AT[f"{side}_pinky"]]) / 3
    angle = wrap_angle(np.arctan2(middle[1] - wrist[1], middle[0] - wrist[0]) + np.pi / 2)
    side_px = 2.0 * float(np.hypot(*(middle - wrist)))
    return Roi(float(middle[0]), float(middle[1]), side_px, angle).shifted(0.0, -0.1).scaled(2.7)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return (1.0 / (1.0 + np.exp(-np.clip(logits, -80.0, 80.0)))).astype(np.float32)
