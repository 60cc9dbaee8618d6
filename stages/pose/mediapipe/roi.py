"""Rotated square regions: from points, as crops, and back. Pixel coordinates: centre of the top-left pixel = (0, 0)."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np


@dataclass(frozen=True)
class Roi:
    """A square in the frame.

    x, y       centre, px;   side   px;   angle_rad   clockwise on the screen, 0 = upright
    """

    x: float
    y: float
    side: float
    angle_rad: float = 0.0

    def shifted(self, right: float, down: float) -> Roi:
        """Moved along its own axes by fractions of the side."""
        cos, sin = np.cos(self.angle_rad), np.sin(self.angle_rad)
        dx = self.side * (right * cos - down * sin)
        dy = self.side * (right * sin + down * cos)
        return Roi(self.x + dx, self.y + dy, self.side, self.angle_rad)

    def scaled(self, factor: float) -> Roi:
        return Roi(self.x, self.y, self.side * factor, self.angle_rad)

    def to_frame(self, points_01: np.ndarray) -> np.ndarray:
        """Points in 0..1 of the region [..., 2] as frame pixels."""
        cos, sin = np.cos(self.angle_rad), np.sin(self.angle_rad)
        local = (np.asarray(points_01) - 0.5) * self.side
        turned = local @ np.array([[cos, sin], [-sin, cos]], local.dtype)
        return turned + np.array([self.x, self.y], local.dtype)

    def to_local(self, points_px: np.ndarray) -> np.ndarray:
        """Frame pixels [..., 2] as 0..1 of the region; the inverse of to_frame."""
        cos, sin = np.cos(self.angle_rad), np.sin(self.angle_rad)
        moved = np.asarray(points_px) - np.array([self.x, self.y])
        return moved @ np.array([[cos, -sin], [sin, cos]]) / self.side + 0.5

    def turned(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors of the crop's axes [..., 2 or more] in frame axes; only x and y turn."""
        cos, sin = np.cos(self.angle_rad), np.sin(self.angle_rad)
        out = np.array(vectors)
        out[..., :2] = out[..., :2] @ np.array([[cos, sin], [-sin, cos]], out.dtype)
        return out

    def corners(self) -> np.ndarray:
        """The four corners, px, float [4, 2], clockwise from the top left."""
        return self.to_frame(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]))

    def overlap(self, other: Roi) -> float:
        """Intersection over union of the upright squares; 0..1, angle ignored."""
        wide = min(self.x + self.side / 2, other.x + other.side / 2) - max(
            self.x - self.side / 2, other.x - other.side / 2
        )
        high = min(self.y + self.side / 2, other.y + other.side / 2) - max(
            self.y - self.side / 2, other.y - other.side / 2
        )
        common = max(wide, 0.0) * max(high, 0.0)
        return common / (self.side**2 + other.side**2 - common)


def wrap_angle(angle_rad: float) -> float:
    """The same angle in [-pi, pi)."""
    return float((angle_rad + np.pi) % (2 * np.pi) - np.pi)


def roi_from_circle(center_px: np.ndarray, rim_px: np.ndarray, scale: float) -> Roi:
    """Region around a circle given by centre and a rim point that shows up: the rim point lies above the centre when
    upright. Side = scale * diameter."""
    dx, dy = float(rim_px[0] - center_px[0]), float(rim_px[1] - center_px[1])
    angle = wrap_angle(np.arctan2(dy, dx) + np.pi / 2)
    return Roi(float(center_px[0]), float(center_px[1]), 2.0 * float(np.hypot(dx, dy)) * scale, angle)


def roi_from_points(points_px: np.ndarray, angle_rad: float, scale: float, down: float = 0.0) -> Roi:
    """Smallest square with the given angle around points [N, 2]; then moved down by a fraction of its longer side
    along its own axis and scaled."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    upright = points_px @ np.array([[cos, -sin], [sin, cos]])
    low, high = upright.min(axis=0), upright.max(axis=0)
    side = float((high - low).max())
    center = np.array([[cos, -sin], [sin, cos]]) @ ((low + high) / 2)
    return Roi(float(center[0]), float(center[1]), side, angle_rad).shifted(0.0, down).scaled(scale)


@dataclass
class Picture:
    """A frame with the half-size versions made on demand, so that strong reduction does not alias.

    frame_u8  uint8 [H, W, 3] RGB
    """

    frame_u8: np.ndarray
    _levels: list[np.ndarray] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int]:
        return self.frame_u8.shape[0], self.frame_u8.shape[1]

    def level(self, number: int) -> np.ndarray:
        if not self._levels:
            self._levels.append(self.frame_u8)
        while len(self._levels) <= number:
            last = self._levels[-1]
            size = (max(last.shape[1] // 2, 1), max(last.shape[0] // 2, 1))
            half = cv2.resize(last, size, interpolation=cv2.INTER_AREA)
            self._levels.append(half)
        return self._levels[number]

    def crop(self, roi: Roi, side_px: int, *, mirror: bool = False) -> np.ndarray:
        """The region as uint8 [side_px, side_px, 3]; black outside the frame; mirrored left-right on request."""
        number = 0
        smallest = min(self.size)
        while roi.side / side_px >= 2.0 ** (number + 1) and smallest >= 2 ** (number + 2):
            number += 1
        source = self.level(number)
        return cv2.warpAffine(
            source,
            self._crop_to_level(roi, side_px, source, mirror),
            (side_px, side_px),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
        )

    def _crop_to_level(self, roi: Roi, side_px: int, source: np.ndarray, mirror: bool) -> np.ndarray:
        """Affine [2, 3] from crop pixels to pixels of a pyramid level."""
        cos, sin = np.cos(roi.angle_rad), np.sin(roi.angle_rad)
        step = roi.side / side_px
        flip = -1.0 if mirror else 1.0
        linear = step * np.array([[cos * flip, -sin], [sin * flip, cos]])
        offset = np.array([roi.x, roi.y]) - linear @ np.full(2, (side_px - 1) / 2)
        shrink = np.array([source.shape[1] / self.size[1], source.shape[0] / self.size[0]])
        offset = (offset + 0.5) * shrink - 0.5
        return np.column_stack([linear * shrink[:, None], offset])
