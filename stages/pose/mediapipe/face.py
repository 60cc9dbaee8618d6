"""Face mesh with irises: 478 points from the mesh network and the eye network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.pose.mediapipe.roi import Picture, Roi, roi_from_points, wrap_angle
from stages.weights.litert import Net

MESH_POINTS, FACE_POINTS = 468, 478
# Mesh points named after the side of the picture they are on when the person faces the camera.
OUTER_EYE_IMAGE_LEFT, INNER_EYE_IMAGE_LEFT = 33, 133  # the person's right eye
INNER_EYE_IMAGE_RIGHT, OUTER_EYE_IMAGE_RIGHT = 362, 263  # the person's left eye

# Mesh points that the first 16 points of the eye network correct: lower lid from the outer corner, then the upper lid.
_LIDS_IMAGE_LEFT = np.array([33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173])
_LIDS_IMAGE_RIGHT = np.array([263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398])
_IRIS_IMAGE_LEFT, _IRIS_IMAGE_RIGHT = slice(468, 473), slice(473, 478)


@dataclass(frozen=True)
class FaceResult:
    """Face networks on one region.

    points_px  float32 [478, 3]  x, y px; relative depth in px, smaller = nearer; 468 mesh points, then 5 points of
               the person's right iris and 5 of the left (centre first)
    presence   0..1
    next_roi   region for the next frame
    """

    points_px: np.ndarray
    presence: float
    next_roi: Roi


class FaceNet:
    def __init__(self, mesh: Net, eye: Net) -> None:
        self._mesh, self._eye = mesh, eye

    def __call__(self, picture: Picture, roi: Roi, min_presence: float) -> FaceResult:
        """The eye network is run only when the mesh network says that a face is there."""
        self._mesh(picture.crop(roi, self._mesh.side_px))
        points = np.full((FACE_POINTS, 3), np.nan, np.float32)
        points[:MESH_POINTS] = to_frame_with_depth(roi, self._mesh.output(0).reshape(-1, 3) / self._mesh.side_px)
        logit = float(self._mesh.output(1).reshape(-1)[0])
        presence = 1.0 / (1.0 + np.exp(-np.clip(logit, -80.0, 80.0)))
        if presence >= min_presence:
            corners = (OUTER_EYE_IMAGE_LEFT, INNER_EYE_IMAGE_LEFT)
            self._refine_eye(picture, points, corners, _LIDS_IMAGE_LEFT, _IRIS_IMAGE_LEFT, mirror=False)
            corners = (INNER_EYE_IMAGE_RIGHT, OUTER_EYE_IMAGE_RIGHT)
            self._refine_eye(picture, points, corners, _LIDS_IMAGE_RIGHT, _IRIS_IMAGE_RIGHT, mirror=True)
        return FaceResult(points, float(presence), face_roi_of_points(points))

    def _refine_eye(
        self,
        picture: Picture,
        points: np.ndarray,
        corners: tuple[int, int],
        lids: np.ndarray,
        iris: slice,
        *,
        mirror: bool,
    ) -> None:
        """Put the lids and the iris of one eye into `points`. The network knows one side; the other is mirrored."""
        ends = points[list(corners), :2]
        angle = wrap_angle(np.arctan2(*(ends[1] - ends[0])[::-1]))
        roi = roi_from_points(ends, angle, 2.3)
        if roi.side < 2.0:
            return
        self._eye(picture.crop(roi, self._eye.side_px, mirror=mirror))
        lid_points = self._eye.output(0).reshape(71, 3)[:16] / self._eye.side_px
        iris_points = self._eye.output(1).reshape(5, 3) / self._eye.side_px
        for local in (lid_points, iris_points):
            if mirror:
                local[:, 0] = 1.0 - local[:, 0]
        points[lids, :2] = roi.to_frame(lid_points[:, :2])
        points[iris, :2] = roi.to_frame(iris_points[:, :2])
        points[iris, 2] = points[list(corners), 2].mean()


def to_frame_with_depth(roi: Roi, local_01: np.ndarray) -> np.ndarray:
    """Points [N, 3] in 0..1 of a region as frame pixels; depth is scaled by the region's side."""
    return np.concatenate([roi.to_frame(local_01[:, :2]), local_01[:, 2:] * roi.side], axis=1).astype(np.float32)


def face_roi_of_points(points_px: np.ndarray) -> Roi:
    """Region for the next frame from the face mesh, upright by the outer corners of the eyes."""
    right, left = points_px[OUTER_EYE_IMAGE_LEFT], points_px[OUTER_EYE_IMAGE_RIGHT]
    angle = wrap_angle(np.arctan2(left[1] - right[1], left[0] - right[0]))
    return roi_from_points(points_px[:MESH_POINTS, :2].astype(np.float64), angle, 1.5)
