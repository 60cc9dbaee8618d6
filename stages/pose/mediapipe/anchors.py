"""Anchor centres and box decoding of the single-shot detectors (Liu et al. 2016, SSD; fixed-size anchors)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SsdSpec:
    """Shape of one detector network.

    input_px      side of the square input
    strides       one entry per feature layer, in order of the output rows
    per_cell      anchors per cell and layer entry
    points        alignment points per box
    low, high     range the pixels are scaled to
    """

    input_px: int
    strides: tuple[int, ...]
    per_cell: int
    points: int
    low: float
    high: float


POSE_SSD = SsdSpec(224, (8, 16, 32, 32, 32), 2, 4, -1.0, 1.0)
PALM_SSD = SsdSpec(192, (8, 16, 16, 16), 2, 7, 0.0, 1.0)
FACE_SHORT_SSD = SsdSpec(128, (8, 16, 16, 16), 2, 6, -1.0, 1.0)
FACE_FULL_SSD = SsdSpec(192, (4,), 1, 6, -1.0, 1.0)


def anchor_centers(spec: SsdSpec) -> np.ndarray:
    """Anchor centres in 0..1 of the input, float32 [A, 2] (x, y).

    Layers that share a stride are merged: each cell lists the anchors of all of them before the next cell, row by row.
    """
    rows: list[np.ndarray] = []
    layer = 0
    while layer < len(spec.strides):
        stride = spec.strides[layer]
        same = 1
        while layer + same < len(spec.strides) and spec.strides[layer + same] == stride:
            same += 1
        cells = -(-spec.input_px // stride)
        middle = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        grid = np.stack(np.meshgrid(middle, middle, indexing="xy"), axis=-1).reshape(-1, 2)
        rows.append(np.repeat(grid, same * spec.per_cell, axis=0))
        layer += same
    return np.concatenate(rows).astype(np.float32)


@dataclass(frozen=True)
class Boxes:
    """Detections in 0..1 of the detector's input.

    box_01     float32 [N, 4]     x0 y0 x1 y1
    points_01  float32 [N, K, 2]  alignment points
    score      float32 [N]        0..1
    """

    box_01: np.ndarray
    points_01: np.ndarray
    score: np.ndarray

    def __len__(self) -> int:
        return len(self.score)

    def take(self, index: np.ndarray) -> Boxes:
        return Boxes(self.box_01[index], self.points_01[index], self.score[index])


def decode_boxes(
    regression: np.ndarray, logits: np.ndarray, centers: np.ndarray, spec: SsdSpec, min_score: float
) -> Boxes:
    """Boxes above a score, not yet suppressed.

    regression  float32 [A, 4 + 2 K]  offsets in input px: centre x y, width, height, then the points
    logits      float32 [A]
    centers     float32 [A, 2]        from anchor_centers
    """
    clipped = np.clip(logits.astype(np.float32), -100.0, 100.0)
    keep = np.flatnonzero(clipped > np.log(min_score / (1.0 - min_score)))
    raw = regression[keep].astype(np.float32) / spec.input_px
    middle = raw[:, :2] + centers[keep]
    half = raw[:, 2:4] / 2.0
    points = raw[:, 4 : 4 + 2 * spec.points].reshape(len(keep), spec.points, 2) + centers[keep][:, None]
    score = 1.0 / (1.0 + np.exp(-clipped[keep]))
    return Boxes(np.concatenate([middle - half, middle + half], axis=1), points, score)


def box_iou(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of one box [4] with boxes [N, 4] (x0 y0 x1 y1), float [N]; 0 where areas vanish."""
    low = np.maximum(box[:2], boxes[:, :2])
    high = np.minimum(box[2:], boxes[:, 2:])
    common = np.prod(np.clip(high - low, 0.0, None), axis=1)
    areas = np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)
    union = np.prod(np.clip(box[2:] - box[:2], 0, None)) + areas - common
    return np.where(union > 0, common / np.where(union > 0, union, 1.0), 0.0)


def weighted_suppression(boxes: Boxes, min_iou: float = 0.3) -> Boxes:
    """Boxes left after non-maximum suppression that averages instead of discarding, best first.

    Each box that overlaps the best remaining one by min_iou joins its cluster; box and points of the cluster are
    averaged with the scores as weights, the score is that of the best (BlazeFace, Bazarevsky et al. 2019, section 3).
    """
    order = np.argsort(-boxes.score, kind="stable")
    kept_box, kept_points, kept_score = [], [], []
    while len(order):
        best = order[0]
        joins = box_iou(boxes.box_01[best], boxes.box_01[order]) > min_iou
        joins[0] = True
        cluster = order[joins]
        weight = boxes.score[cluster] / boxes.score[cluster].sum()
        kept_box.append(weight @ boxes.box_01[cluster])
        kept_points.append(np.tensordot(weight, boxes.points_01[cluster], axes=1))
        kept_score.append(boxes.score[best])
        order = order[~joins]
    if not kept_score:
        return boxes
    return Boxes(
        np.asarray(kept_box, np.float32), np.asarray(kept_points, np.float32), np.asarray(kept_score, np.float32)
    )
