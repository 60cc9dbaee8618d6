"""The canvas: which window of a picture it shows, and the picture cut to it."""

from dataclasses import dataclass

import cv2
import numpy as np

from stages.core.skeleton import BODY_INDEX

KINDS = ("portrait", "half", "full")
_JOINTS_OF = {
    "portrait": ("neck", "left_shoulder", "right_shoulder"),
    "half": ("neck", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
             "left_hip", "right_hip"),
    "full": tuple(BODY_INDEX),
}  # fmt: skip
# Room around the content, as shares of its larger side. Our choice, near the middle of the framings that we train on.
_MARGIN = {"portrait": 0.02, "half": 0.08, "full": 0.09}
# A head in a portrait takes about half of the height: radii left and right, above, below the middle of the head.
_PORTRAIT_RADII = (1.9, 1.7, 2.2)
# What may be cut off below so that a canvas need not reach beyond the picture: hips rather than a repeated border.
_KEEP = {"portrait": 0.75, "half": 0.72, "full": 1.0}
_HEAD_RADII = (1.0, 1.15, 1.0)  # elsewhere: the skull and some hair
_QUANTILE = 0.02


@dataclass(frozen=True)
class Window:
    """A window of a picture: canvas px = scale * picture px + shift_px (both with pixel centres at whole numbers)."""

    scale: float
    shift_px: tuple[float, float]
    height: int
    width: int

    def affine(self):
        """Return float64 [2, 3], picture px to canvas px."""
        return np.array([[self.scale, 0.0, self.shift_px[0]], [0.0, self.scale, self.shift_px[1]]])

    def points(self, points_px):
        """Return picture points [..., 2] on the canvas."""
        return np.asarray(points_px, np.float64) * self.scale + np.array(self.shift_px)


def kind_of_framing(drawn, present):
    """Return "full", "half" or "portrait": what the clip shows in at least half of its frames.

    drawn  bool [T, 25] joints inside the picture;  present  bool [T]
    full: knees and ankles; half: hips, or an elbow (both sides count as one); portrait: the rest.
    """
    shown = drawn[present] if np.any(present) else drawn

    def often(*names):
        return len(shown) > 0 and float(shown[:, [BODY_INDEX[name] for name in names]].any(1).mean()) >= 0.5

    if often("left_knee", "right_knee") and often("left_ankle", "right_ankle"):
        return "full"
    return "half" if often("left_hip", "right_hip") or often("left_elbow", "right_elbow") else "portrait"


def content_box(kind, joints_px, drawn, hands_px, hands_drawn, head_px, head_radius_px):
    """Return the box x0 y0 x1 y1 float64 [4] of what a framing has to show over the clip; NaN when there is nothing.

    joints_px [T, 25, 2], drawn [T, 25], hands_px [T, 2, 21, 2], hands_drawn [T, 2], head_px [T, 2], head_radius_px [T]
    Sides are 2 % quantiles over the frames, so that one wild frame does not push everybody else into a corner.
    """
    index = [BODY_INDEX[name] for name in _JOINTS_OF[kind]]
    points = [np.where(drawn[:, index, None], joints_px[:, index], np.nan)]
    if kind != "portrait":
        points.append(np.where(hands_drawn[..., None, None], hands_px, np.nan).reshape(len(drawn), -1, 2))
    side, above, below = _PORTRAIT_RADII if kind == "portrait" else _HEAD_RADII
    radius = np.asarray(head_radius_px, np.float64)[:, None]
    head_px = np.asarray(head_px, np.float64)
    points.append((head_px - radius * [side, above])[:, None])
    points.append((head_px + radius * [side, below])[:, None])
    if kind == "portrait" and np.isfinite(head_radius_px).any():
        points = points[1:]  # shoulders may reach out of a portrait
    every = np.concatenate(points, axis=1)
    frames = np.isfinite(every).all(-1).any(1)
    if not frames.any():
        return np.full(4, np.nan)
    every = every[frames]
    low, high = np.nanmin(every, axis=1), np.nanmax(every, axis=1)
    return np.concatenate([np.quantile(low, _QUANTILE, axis=0), np.quantile(high, 1 - _QUANTILE, axis=0)])


def window_around(box_px, kind, canvas_size, picture_size=None):
    """Return the Window of the canvas's shape around a box.

    box_px        float [4]         x0 y0 x1 y1; NaN = the middle of the picture
    canvas_size   (H, W)            of the canvas
    picture_size  (H, W) | None     the window is moved and cut to stay on this picture where it can; where it cannot
                                    (a slim picture, a square canvas) the person comes first and the border is repeated
    """
    height, width = canvas_size
    box = np.array(box_px, np.float64)
    if not np.isfinite(box).all():
        if picture_size is None:
            return Window(1.0, (0.0, 0.0), height, width)
        middle = 0.5 * np.array([picture_size[1] - 1.0, picture_size[0] - 1.0])
        tall = min(picture_size[0], picture_size[1] * height / width)
        half = 0.5 * np.array([tall * width / height, tall])
        box, margin = np.r_[middle - half, middle + half], 0.0
    else:
        margin = _MARGIN[kind] * max(box[2] - box[0], box[3] - box[1])
    if picture_size is not None:  # content outside the picture cannot be shown: there is no picture of it
        limit = np.array([-0.5, -0.5, picture_size[1] - 0.5, picture_size[0] - 0.5])
        inside = np.r_[np.maximum(box[:2] - margin, limit[:2]), np.minimum(box[2:] + margin, limit[2:])]
        if (inside[2:] - inside[:2] > 8).all():
            box, margin = inside, 0.0
    size = np.maximum(box[2:] - box[:2] + 2 * margin, 8.0)
    wanted_height = source_height = max(size[1], size[0] * height / width)
    if picture_size is not None:
        most = min(picture_size[0], picture_size[1] * height / width)
        source_height = min(wanted_height, max(most, _KEEP[kind] * wanted_height))
    source = np.array([source_height * width / height, source_height])
    origin = 0.5 * (box[:2] + box[2:]) - 0.5 * source
    origin[1] -= 0.5 * (wanted_height - source_height)  # the cut is below, the head stays
    if picture_size is not None:
        origin = _keep_inside(origin, source, picture_size)
    scale = height / source[1]
    shift = -0.5 - scale * origin
    return Window(float(scale), (float(shift[0]), float(shift[1])), height, width)


def window_like(scale, canvas_point_px, picture_point_px, canvas_size, picture_size):
    """Return the Window of a given scale that shows a picture point at a canvas point, moved to stay on the picture.

    The scale grows where the picture is too small for the canvas in both directions.
    """
    height, width = canvas_size
    least = min(height / picture_size[0], width / picture_size[1])
    scale = max(float(scale), least)
    source = np.array([width, height]) / scale
    origin = np.asarray(picture_point_px, np.float64) - (np.asarray(canvas_point_px, np.float64) + 0.5) / scale
    origin = _keep_inside(origin, source, picture_size)
    shift = -0.5 - scale * origin
    return Window(scale, (float(shift[0]), float(shift[1])), height, width)


def cut(image_u8, window):
    """Return the window of a picture, uint8 [H, W, 3]; beyond the picture it goes on mirrored and blurred."""
    scale, size = window.scale, (window.width, window.height)
    if scale < 0.75:  # without this a strong reduction would alias
        image_u8 = cv2.GaussianBlur(image_u8, (0, 0), 0.35 / scale)
    how = cv2.INTER_LINEAR if scale < 1 else cv2.INTER_CUBIC
    canvas = cv2.warpAffine(image_u8, window.affine(), size, flags=how, borderMode=cv2.BORDER_REFLECT_101)
    outside = outside_px(window, *image_u8.shape[:2])
    if outside.max() <= 0:
        return canvas
    # A repeated border was tried: its streaks look like texture to a network; a sharp mirror is a second person.
    blurred = cv2.GaussianBlur(canvas, (0, 0), min(size) / 20.0).astype(np.float32)
    share = np.clip(outside / (0.04 * min(size)), 0.0, 1.0)[..., None]
    return np.round(canvas * (1 - share) + blurred * share).astype(np.uint8)


def outside_px(window, height, width):
    """float [H, W] of the window: how far each pixel lies beyond a picture with these sides; 0 or less is inside."""
    low, high = window.points([-0.5, -0.5]), window.points([width - 0.5, height - 0.5])
    rows, columns = np.mgrid[: window.height, : window.width]
    return np.max([low[0] - columns, columns - high[0], low[1] - rows, rows - high[1]], axis=0)


def _keep_inside(origin, source, picture_size):
    """The window's origin moved onto the picture; centred on it in a direction in which the window is larger."""
    low, room = -0.5, np.array([picture_size[1], picture_size[0]]) - source
    return np.where(room >= 0, np.clip(origin, low, low + np.maximum(room, 0)), low + 0.5 * room)
