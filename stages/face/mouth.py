"""The inside of a mouth that opens where the photo shows it shut: dark, with a tongue and two rows of teeth.

No photo of closed lips says what is behind them, and a plain dark hole is what everybody sees first. Teeth stand on an
average head as its lips do: the upper row keeps to the skull, so that a lip that rises shows it and a jaw that drops
does not; the lower row and the tongue go with the jaw. Both are as bright as the brightest of the face, for the white
of an eye is about what a tooth is. Our own; sizes are those of an average adult (a head's radius is about 12 cm).
"""

import cv2
import numpy as np

from stages.core.arkit import ARKIT_INDEX
from stages.core.carried import DOUBTFUL_FIGURE, SEEN_FIGURE
from stages.face.shape import FACING, INNER_LIP, LOWER, OUTER_LIP, UPPER, FaceShape, covered_u8

_INNER_FACE = slice(17, 68)  # brows, nose, eyes and mouth
_OPEN = 0.10  # radii between the inner lips from which a mouth is painted in full
_INSIDE = np.array([0.45, 0.28, 0.28])  # times the colour of the lips
_TONGUE = np.array([0.80, 0.52, 0.52])
_TOOTH = np.array([0.86, 0.82, 0.74])  # times the brightest grey of the face
_BRIGHTEST = 97  # percentile
_PALER = 0.6  # power of that grey: the darker a skin, the more a tooth is brighter than it
_JAW_UNITS = tuple(ARKIT_INDEX[name] for name in ("jawOpen", "jawForward", "jawLeft", "jawRight"))
# rows of teeth in head radii: half the width, the biting edge's place below the neutral lips, depth, how high
_UPPER_ROW, _LOWER_ROW = (0.155, 0.008, -0.80, -0.085), (0.125, -0.016, -0.785, 0.085)
_LOWER_DARKER = 0.85  # it stands in the shade of the upper one
_ARCH = 0.10  # radii that the ends of a row lie farther back than its middle
_SMILE = 0.015  # radii by which the biting edge recedes there
_TONGUE_PLACE, _TONGUE_RADII = (0.0, 0.035, -0.74), (0.115, 0.06)
# Radius of a head up to which its mouth is plainly dark, and from which it has all of its teeth: a row of less than a
# pixel fills the mouth, which then reads as shut (r of eight half bodies' mouths 0.62 with all, 0.70 with none).
_TOO_SMALL_PX, _LARGE_PX = 24.0, 36.0


def _gap(points) -> float:
    """How far the inner lips are apart, in head radii, as the camera sees it."""
    return float(np.linalg.norm(points[list(UPPER), :2] - points[list(LOWER), :2], axis=-1).mean())


def paint_mouth(picture, kind, there, here, after, head, shape: FaceShape) -> None:
    """Paint the inside of a mouth that is more open than the photo's and mark it as doubtful. Works in place.

    picture, kind  uint8 [H, W, 3] and [H, W] as stages.body.warp gives them, the lips already moved
    there, here    float [68, 3] face points of the photo and of the wanted face, in camera axes and head radii
    after          float [>= 52] wanted ARKit weights;  head  center_px [2], radius_px, R_cam_head [3, 3]
    """
    center_px, radius_px, _ = head
    more = _gap(here) - _gap(there)
    if more <= 0.01 or (here[INNER_LIP, 2] > FACING).any():
        return
    height, width = kind.shape
    lips = here[OUTER_LIP, :2] * radius_px + np.asarray(center_px)
    around = lips[(lips >= 0).all(-1) & (lips <= np.array([width - 1, height - 1])).all(-1)].round().astype(int)
    if not len(around):
        return
    lip = np.median(picture[around[:, 1], around[:, 0]].astype(np.float64), 0)
    bright = _brightest(picture, here, center_px, radius_px)
    cover = _filled(here[INNER_LIP], center_px, radius_px, kind.shape)
    shade = 0.55 + 0.45 * cv2.GaussianBlur(cover, (0, 0), max(0.5, 0.05 * radius_px))
    inside = np.broadcast_to(lip * _INSIDE, picture.shape)
    jaw = np.clip(np.asarray(after, np.float64)[list(_JAW_UNITS)], 0.0, 1.0) @ _jaw_moves(shape)
    teeth = float(np.clip((radius_px - _TOO_SMALL_PX) / (_LARGE_PX - _TOO_SMALL_PX), 0.0, 1.0))
    for outline, colour in (
        (_tongue(shape, jaw), lip * _TONGUE),
        (_row(shape, jaw, *_LOWER_ROW), _LOWER_DARKER * bright * _TOOTH),
        (_row(shape, np.zeros(3), *_UPPER_ROW), bright * _TOOTH),
    ):
        part = _filled(outline @ np.asarray(head[2], np.float64).T, center_px, radius_px, kind.shape)[..., None] * teeth
        inside = inside * (1 - part) + colour * shade[..., None] * part
    strength = cover[..., None] * min(1.0, more / _OPEN)
    picture[:] = np.clip(np.round(picture * (1 - strength) + inside * strength), 0, 255).astype(np.uint8)
    kind[(cover > 0.5) & (kind == SEEN_FIGURE)] = DOUBTFUL_FIGURE


def _filled(outline, center_px, radius_px, shape) -> np.ndarray:
    """float [H, W], 0..1: how much of a pixel lies within an outline [n, >= 2] of a head."""
    return covered_u8(outline[:, :2] * radius_px + np.asarray(center_px), shape) / 255.0


def _brightest(picture, points, center_px, radius_px) -> float:
    """Grey level 0..255 of what is white in a face: from the brightest of its skin, or the white of its eyes."""
    hull = cv2.convexHull(points[_INNER_FACE, :2].astype(np.float32))[:, 0]
    face = picture[_filled(hull, center_px, radius_px, picture.shape[:2]) > 0.5]
    grey_01 = np.percentile(face.astype(np.float64).mean(-1), _BRIGHTEST) / 255.0 if len(face) else 0.0
    return 255.0 * float(grey_01) ** _PALER


def _jaw_moves(shape: FaceShape) -> np.ndarray:
    """float [4, 3]: how far each unit of the jaw takes what is fast to it, seen at the middle of the lower lip."""
    return shape.moves[list(_JAW_UNITS)][:, list(LOWER)].mean(1)


def _lips_meet(shape: FaceShape) -> float:
    """How far below the head's middle the neutral lips meet, in radii."""
    return float(shape.neutral[list(UPPER + LOWER), 1].mean())


def _row(shape: FaceShape, moved, half_width, edge, depth, high) -> np.ndarray:
    """float [n, 3], head axes: the outline of a row of teeth, first along its biting edge."""
    across = np.linspace(-1.0, 1.0, 9)
    x, z = half_width * across, depth + _ARCH * across**2
    bite = np.stack([x, np.full_like(x, _lips_meet(shape) + edge) + np.sign(high) * _SMILE * across**2, z], -1)
    return moved + np.concatenate([bite, (bite + [0.0, high, 0.0])[::-1]])


def _tongue(shape: FaceShape, moved) -> np.ndarray:
    angle = 2 * np.pi * np.arange(16) / 16
    x, y, z = _TONGUE_PLACE
    flat = np.zeros_like(angle)
    ring = np.stack([_TONGUE_RADII[0] * np.cos(angle), _TONGUE_RADII[1] * np.sin(angle), flat], -1)
    return moved + np.array([x, _lips_meet(shape) + y, z]) + ring
