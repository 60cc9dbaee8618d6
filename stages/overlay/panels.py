"""The pictures `view` shows of one frame: which layers become which panels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from stages.media.sheet import write_label
from stages.overlay.draw import RGB, blend_maps, draw_axes, draw_crop_outline, draw_pose

_POINTS = ("joints_px", "hands_px", "face_px", "box_px", "center_px")


@dataclass(frozen=True)
class Scene:
    """What stays the same through a clip.

    layers         names of the layers to show, any of pose, body, head, face
    scale          panel px per driver px
    bone_colours   (parent, child) -> RGB of the control map
    driver_affine  float [2, 3] from driver px to canvas px, None = the canvas is the driver's picture scaled
    crop_px        side of a face crop
    reference      uint8 [H, W, 3] on the canvas with its own maps laid over it; None = not shown
    """

    layers: tuple[str, ...]
    scale: float
    bone_colours: Mapping[tuple[str, str], RGB]
    driver_affine: np.ndarray | None = None
    crop_px: int = 224
    reference: np.ndarray | None = None


def frame_panels(
    image_u8: np.ndarray, frame: Mapping[str, Mapping[str, np.ndarray]], scene: Scene
) -> dict[str, np.ndarray]:
    """Label -> uint8 [h, w, 3] panels of one frame, in reading order.

    image_u8  uint8 [H, W, 3]  the driver's frame
    frame     layer -> array name -> that array's value at this frame
    """
    panels: dict[str, np.ndarray] = {}
    size = max(1, round(image_u8.shape[1] * scene.scale)), max(1, round(image_u8.shape[0] * scene.scale))
    method = cv2.INTER_AREA if scene.scale < 1 else cv2.INTER_CUBIC
    driver = cv2.resize(image_u8, size, interpolation=method)
    if "pose" in scene.layers:
        panels["pose"] = driver.copy()
        draw_pose(panels["pose"], _scaled(frame["pose"], scene.scale), scene.bone_colours)
    maps = []
    if "body" in scene.layers:
        panels["body: skeleton map"] = np.asarray(frame["body"]["map"])
        maps.append(panels["body: skeleton map"])
    if "head" in scene.layers:
        panels["head: sphere map"] = np.asarray(frame["head"]["map"])
        maps.append(panels["head: sphere map"])
    if maps:
        panels["maps over the driver"] = blend_maps(_on_canvas(image_u8, maps[0].shape[:2], scene), maps)
    if scene.reference is not None:
        panels["maps over the reference"] = scene.reference
    if "head" in scene.layers:
        panels["head: left, down, forward"] = _axes_panel(driver, image_u8, frame["head"], scene, maps[-1].shape[:2])
    if "face" in scene.layers:
        where = "pose" if "pose" in panels else "face: place of the crop"
        panels.setdefault(where, driver.copy())
        affine = np.array(frame["face"]["crop_affine"], np.float64)
        affine[:, 2] += affine[:, :2].sum(1) * (0.5 / scene.scale - 0.5)  # pixel centres: u -> (u + 0.5) / scale - 0.5
        affine[:, :2] /= scene.scale
        draw_crop_outline(panels[where], affine, scene.crop_px)
        panels["face: crop as encoded"] = frame["face"]["crop"]
    return panels


def _axes_panel(driver, image_u8, head: Mapping[str, np.ndarray], scene: Scene, canvas_size) -> np.ndarray:
    """The head's axes over the canvas, where the head layer puts them, at the height of the driver's panel."""
    zoom = driver.shape[0] / canvas_size[0]
    base = _on_canvas(image_u8, canvas_size, scene)
    panel = cv2.resize(base, (max(1, round(canvas_size[1] * zoom)), driver.shape[0]), interpolation=cv2.INTER_CUBIC)
    center = (np.asarray(head["center_px"]) + 0.5) * zoom - 0.5
    draw_axes(panel, center, float(head["radius_px"]) * zoom, head["R_cam_head"])
    return panel


def _on_canvas(image_u8: np.ndarray, canvas_size: tuple[int, int], scene: Scene) -> np.ndarray:
    """The driver's frame as it lies on the canvas of the control maps."""
    height, width = canvas_size
    if scene.driver_affine is None:
        return cv2.resize(image_u8, (width, height), interpolation=cv2.INTER_AREA)
    affine = np.asarray(scene.driver_affine, np.float64)
    shrink = int(np.clip(np.ceil(1.0 / max(1e-6, np.hypot(affine[0, 0], affine[1, 0]))), 1, 8))
    larger = affine * shrink
    larger[:, 2] += (shrink - 1) / 2
    fine = cv2.warpAffine(image_u8, larger, (width * shrink, height * shrink), flags=cv2.INTER_LINEAR)
    return fine if shrink == 1 else cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)


def _scaled(values: Mapping[str, np.ndarray], scale: float) -> dict[str, np.ndarray]:
    """The arrays with their px coordinates in panel px (pixel centres stay pixel centres)."""
    result = dict(values)
    for name in _POINTS:
        if name in result:
            points = np.array(result[name], np.float64)
            kept = points[..., 2:] if name == "face_px" else points[..., :0]
            points = (points[..., :2] if name == "face_px" else points) + 0.5
            result[name] = np.concatenate([points * scale - 0.5, kept], -1)
    return result


def arrange(panels: Mapping[str, np.ndarray], aspect: float = 1.7, gap_px: int = 4) -> np.ndarray:
    """All panels in one picture, uint8 [h, w, 3], in reading order on dark ground, near the wished aspect ratio.

    panels  label -> uint8 [h_i, w_i, 3]; all are scaled to the tallest one's height and carry their label
    """
    height = max(panel.shape[0] for panel in panels.values())
    tiles = [_labelled(_to_height(panel, height), label) for label, panel in panels.items()]
    widths = [tile.shape[1] for tile in tiles]

    def rows_of(columns: int) -> list[list[int]]:
        return [list(range(i, min(i + columns, len(tiles)))) for i in range(0, len(tiles), columns)]

    def badness(columns: int) -> float:
        rows = rows_of(columns)
        wide = max(sum(widths[i] for i in row) for row in rows)
        waste = 1.0 - sum(widths) / (wide * len(rows))
        return abs(np.log(wide / (len(rows) * height) / aspect)) + 2 * waste

    rows = rows_of(min(range(1, len(tiles) + 1), key=badness))
    total = max(sum(widths[i] for i in row) + gap_px * (len(row) - 1) for row in rows)
    sheet = np.full((len(rows) * height + gap_px * (len(rows) - 1), total, 3), 24, np.uint8)
    for line, row in enumerate(rows):
        x, y = 0, line * (height + gap_px)
        for i in row:
            sheet[y : y + height, x : x + widths[i]] = tiles[i]
            x += widths[i] + gap_px
    return sheet


def _to_height(image_u8: np.ndarray, height: int) -> np.ndarray:
    """The picture scaled to a height; much smaller ones keep their pixels visible."""
    if image_u8.shape[0] == height:
        return image_u8
    width = max(1, round(image_u8.shape[1] * height / image_u8.shape[0]))
    small = image_u8.shape[0] * 3 <= height
    method = cv2.INTER_NEAREST if small else cv2.INTER_AREA if image_u8.shape[0] > height else cv2.INTER_CUBIC
    return cv2.resize(image_u8, (width, height), interpolation=method)


def _labelled(image_u8: np.ndarray, label: str) -> np.ndarray:
    """The panel with its label in the corner, when there is room for one."""
    return write_label(image_u8, label, size_px=13) if min(image_u8.shape[:2]) >= 100 else image_u8
