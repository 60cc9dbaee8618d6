"""Boxes of people from the outputs of a YOLOX detector, with and without suppression inside the network."""

from __future__ import annotations

import numpy as np

from stages.core.errors import WeightsError


def decode_boxes(outputs: list[np.ndarray], ratio: float, input_size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of people float64 [n, 4] in px of the frame and their scores [n], from the outputs of a YOLOX network.

    outputs     either [1, n, 5] boxes and scores after suppression with an optional class number [1, n] beside it, or
                [1, cells, 5 + classes] raw; only class 0 (person) counts
    ratio       network px per frame px
    input_size  (H, W) of the network
    errors      WeightsError for another shape
    """
    first = np.asarray(outputs[0], np.float64)
    if first.ndim == 3 and first.shape[-1] == 5:
        box, score = first[0, :, :4], first[0, :, 4]
        if len(outputs) > 1 and np.asarray(outputs[1]).shape[-1] == len(score):
            person = np.asarray(outputs[1]).reshape(-1) == 0
            box, score = box[person], score[person]
        return box / ratio, score
    if first.ndim != 3 or first.shape[-1] < 6:
        raise WeightsError(f"detector output {first.shape}: expected [1, n, 5] or [1, cells, 5 + classes] of YOLOX")
    raw, cells = first[0], _cells(input_size)
    if len(raw) != len(cells):
        raise WeightsError(f"detector output has {len(raw)} cells, expected {len(cells)} for an input of {input_size}")
    score = raw[:, 4] * raw[:, 5]
    best = np.argsort(-score)[:300]
    best = best[score[best] >= 0.05]
    raw, cells, score = raw[best], cells[best], score[best]
    middle = (raw[:, :2] + cells[:, :2]) * cells[:, 2:]
    half = np.exp(np.minimum(raw[:, 2:4], 20)) * cells[:, 2:] / 2
    box = np.concatenate([middle - half, middle + half], axis=1) / ratio
    keep = suppress(box, score)
    return box[keep], score[keep]


def suppress(box_px: np.ndarray, score: np.ndarray, most_overlap: float = 0.45) -> list[int]:
    """Indices of the boxes that survive greedy non-maximum suppression, best first."""
    kept: list[int] = []
    area = np.prod(np.maximum(box_px[:, 2:] - box_px[:, :2], 0), axis=1)
    for i in np.argsort(-score, kind="stable"):
        inner = np.minimum(box_px[i, 2:], box_px[kept, 2:]) - np.maximum(box_px[i, :2], box_px[kept, :2])
        shared = np.prod(np.maximum(inner, 0), axis=1)
        if not (shared > most_overlap * np.maximum(area[i] + area[kept] - shared, 1e-9)).any():
            kept.append(int(i))
    return kept


def _cells(input_size: tuple[int, int]) -> np.ndarray:
    """x, y and stride of every cell of a YOLOX head, in its order: float64 [cells, 3]."""
    parts = []
    for stride in (8, 16, 32):
        y, x = np.mgrid[: input_size[0] // stride, : input_size[1] // stride]
        parts.append(np.stack([x.ravel(), y.ravel(), np.full(x.size, stride)], -1))
    return np.concatenate(parts).astype(np.float64)
