"""Marks drawn over one frame. Everything is anti-aliased and outlined, so that it reads on any background."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from stages.core.skeleton import BODY_INDEX, HAND_BONES, HAND_INDEX

RGB = tuple[int, int, int]
LEFT_U8, RIGHT_U8, MIDDLE_U8 = (255, 150, 60), (70, 170, 255), (255, 255, 255)
FACE_U8, IRIS_U8, BOX_U8 = (120, 255, 190), (255, 240, 80), (255, 230, 90)
AXIS_U8 = {"left": (255, 80, 80), "down": (90, 230, 90), "forward": (90, 150, 255)}
_BITS = 4
# Drawn beside the bones of the control map, so that the whole head and both feet are shown.
_MORE_BONES = (
    ("neck", "nose"), ("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear"), ("right_eye", "right_ear"),
    ("left_ankle", "left_heel"), ("left_heel", "left_big_toe"), ("left_ankle", "left_small_toe"),
    ("right_ankle", "right_heel"), ("right_heel", "right_big_toe"), ("right_ankle", "right_small_toe"),
)  # fmt: skip


def line_width_px(image_u8: np.ndarray) -> int:
    """The line width that suits a picture's size, px."""
    return max(1, round(min(image_u8.shape[:2]) / 200))


def draw_pose(
    image_u8: np.ndarray, frame: Mapping[str, np.ndarray], bone_colours: Mapping[tuple[str, str], RGB]
) -> None:
    """Nothing; draws one frame of the `pose` layer over the picture, in place.

    image_u8      uint8 [H, W, 3], coordinates already in its pixels
    frame         joints_px [25, 2], joint_valid [25], hands_px [2, 21, 2], hand_valid [2], face_px [F, 2 or 3],
                  face_valid, present, box_px [4], person_id
    bone_colours  (parent, child) -> RGB
    A measured joint is a disc; one that was filled in or guessed (a position, but not valid) a ring with thin bones;
    one without a position is not drawn. A frame without the person stays as it is.
    """
    if not frame["present"]:
        return
    width = line_width_px(image_u8)
    _draw_box(image_u8, frame["box_px"], f"person {int(frame['person_id'])}")
    if frame["face_valid"]:
        draw_face(image_u8, frame["face_px"])
    joints, valid = frame["joints_px"], np.asarray(frame["joint_valid"], bool)
    shown = np.isfinite(joints).all(-1)
    bones = {**bone_colours, **{pair: _side_colour(pair[1]) for pair in _MORE_BONES}}
    for (start, end), colour in bones.items():
        a, b = BODY_INDEX[start], BODY_INDEX[end]
        if shown[a] and shown[b]:
            measured = valid[a] and valid[b]
            _line(image_u8, joints[a], joints[b], colour, width if measured else max(1, width // 2), outline=measured)
    for name, index in BODY_INDEX.items():
        if shown[index]:
            _dot(image_u8, joints[index], 1.4 * width, _side_colour(name), hollow=not valid[index])
    for hand in range(2):
        if np.isfinite(frame["hands_px"][hand]).any():
            draw_hand(image_u8, frame["hands_px"][hand], hand, measured=bool(frame["hand_valid"][hand]))


def draw_hand(image_u8: np.ndarray, hand_px: np.ndarray, hand: int, *, measured: bool) -> None:
    """Nothing; draws the 21 points of one hand (0 = the person's left); rings where they were filled in."""
    width = max(1, line_width_px(image_u8) // 2)
    for bone, (start, end) in enumerate(HAND_BONES):
        ends = hand_px[HAND_INDEX[start]], hand_px[HAND_INDEX[end]]
        _line(image_u8, *ends, _finger_colour(bone), width, outline=measured)
    for point in hand_px:
        _dot(image_u8, point, 1.2 * width, (LEFT_U8, RIGHT_U8)[hand], hollow=not measured)


def draw_face(image_u8: np.ndarray, face_px: np.ndarray) -> None:
    """Nothing; draws face landmarks as fine points, irises (the last 10 of 478) in another colour."""
    span = np.nanmax(face_px[:, 1]) - np.nanmin(face_px[:, 1]) if np.isfinite(face_px[:, 1]).any() else 0.0
    radius = float(np.clip(span / 180, 0.5, 2.0)) * (1.6 if len(face_px) < 100 else 1.0)
    for index, point in enumerate(face_px[:, :2]):
        _dot(image_u8, point, radius, IRIS_U8 if index >= 468 else FACE_U8, outline=False)


def draw_axes(image_u8: np.ndarray, center_px: np.ndarray, radius_px: float, R_cam_head: np.ndarray) -> None:
    """Nothing; draws the head sphere's outline and the head's axes: left red, down green, out of the face blue."""
    if not (np.isfinite(center_px).all() and np.isfinite(radius_px) and np.isfinite(R_cam_head).all()):
        return
    width = line_width_px(image_u8)
    _circle(image_u8, center_px, radius_px, (255, 255, 255), width)
    axes = {"left": R_cam_head[:, 0], "down": R_cam_head[:, 1], "forward": -R_cam_head[:, 2]}
    for name in sorted(axes, key=lambda name: -axes[name][2]):  # the farthest first
        tip = np.asarray(center_px) + axes[name][:2] * radius_px * 1.35
        _line(image_u8, center_px, tip, AXIS_U8[name], width + 1)
        _dot(image_u8, tip, 1.6 * width, AXIS_U8[name])


def draw_crop_outline(image_u8: np.ndarray, affine: np.ndarray, crop_px: int) -> None:
    """Nothing; outlines where a crop was taken. affine [2, 3] maps the picture's px to crop px; NaN draws nothing."""
    if not np.isfinite(affine).all():
        return
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (crop_px - 1.0)
    back = cv2.invertAffineTransform(np.asarray(affine, np.float64))
    points = corners @ back[:, :2].T + back[:, 2]
    for a, b in zip(points, np.roll(points, -1, axis=0), strict=True):
        _line(image_u8, a, b, (255, 255, 255), max(1, line_width_px(image_u8) // 2))


def blend_maps(image_u8: np.ndarray, maps_u8: list[np.ndarray], dim: float = 0.45) -> np.ndarray:
    """The picture dimmed, with the control maps (uint8, black = nothing) laid over it, uint8 [H, W, 3]."""
    result = image_u8.astype(np.float32) * dim
    for control in maps_u8:
        strength = np.clip(control.max(axis=-1, keepdims=True) / 64.0, 0.0, 1.0) * 0.85
        result = result * (1 - strength) + control * strength
    return np.clip(result + 0.5, 0, 255).astype(np.uint8)


def _draw_box(image_u8: np.ndarray, box_px: np.ndarray, text: str) -> None:
    if not np.isfinite(box_px).all():
        return
    width = max(1, line_width_px(image_u8) // 2)
    x0, y0, x1, y1 = (float(v) for v in box_px)
    for a, b in (((x0, y0), (x1, y0)), ((x1, y0), (x1, y1)), ((x1, y1), (x0, y1)), ((x0, y1), (x0, y0))):
        _line(image_u8, a, b, BOX_U8, width, outline=False)
    scale = max(0.4, min(image_u8.shape[:2]) / 1100)
    size, base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    left = int(np.clip(x0, 0, max(0, image_u8.shape[1] - size[0] - 6)))
    bottom = int(np.clip(y0, size[1] + base + 4, image_u8.shape[0] - 1))
    top = bottom - size[1] - base - 4
    cv2.rectangle(image_u8, (left, top), (left + size[0] + 6, bottom), BOX_U8, -1)
    cv2.putText(image_u8, text, (left + 3, bottom - base), cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 1, cv2.LINE_AA)


def _side_colour(name: str) -> RGB:
    return LEFT_U8 if name.startswith("left") else RIGHT_U8 if name.startswith("right") else MIDDLE_U8


def _finger_colour(bone: int) -> RGB:
    hue = np.uint8([[[round(bone // 4 * 36), 170, 255]]])
    return tuple(int(v) for v in cv2.cvtColor(hue, cv2.COLOR_HSV2RGB)[0, 0])


def _fixed(image_u8: np.ndarray, point) -> tuple[int, int] | None:
    """A point in fixed-point px; None when it is missing or so far outside that cv2 would overflow."""
    point = np.asarray(point, np.float64)
    if not np.isfinite(point).all() or np.abs(point).max() > 4 * max(image_u8.shape):
        return None
    return int(round(point[0] * (1 << _BITS))), int(round(point[1] * (1 << _BITS)))


def _line(image_u8: np.ndarray, start, end, colour: RGB, width: int, *, outline: bool = True) -> None:
    a, b = _fixed(image_u8, start), _fixed(image_u8, end)
    if a is None or b is None:
        return
    if outline:
        cv2.line(image_u8, a, b, (0, 0, 0), width + 2, cv2.LINE_AA, _BITS)
    cv2.line(image_u8, a, b, colour, width, cv2.LINE_AA, _BITS)


def _dot(
    image_u8: np.ndarray, center, radius: float, colour: RGB, *, hollow: bool = False, outline: bool = True
) -> None:
    place = _fixed(image_u8, center)
    if place is None:
        return
    size = round(radius * (1 << _BITS))
    if hollow:
        cv2.circle(image_u8, place, size + (1 << _BITS), colour, max(1, round(radius / 2)), cv2.LINE_AA, _BITS)
        return
    if outline:
        cv2.circle(image_u8, place, size + (1 << _BITS), (0, 0, 0), -1, cv2.LINE_AA, _BITS)
    cv2.circle(image_u8, place, size, colour, -1, cv2.LINE_AA, _BITS)


def _circle(image_u8: np.ndarray, center, radius: float, colour: RGB, width: int) -> None:
    place = _fixed(image_u8, center)
    if place is not None and radius < 4 * max(image_u8.shape):
        cv2.circle(image_u8, place, round(radius * (1 << _BITS)), (0, 0, 0), width + 2, cv2.LINE_AA, _BITS)
        cv2.circle(image_u8, place, round(radius * (1 << _BITS)), colour, width, cv2.LINE_AA, _BITS)
