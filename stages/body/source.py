"""One reference of several: its parts, what of it is the person, and where pixels of another pose lie in it.

Limbs and torso as in stages.body.parts; the head on an ellipsoid, which is narrower from the front than from the side,
so that a head comes out at its true width.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stages.body import ellipsoid, relief
from stages.body.parts import Part, distance_px, head_surface, on_picture, parts_of, place_in
from stages.body.place import Performance

_SURE, _REACH = 0.85, 1.15  # of a part's radius: surely the part; still the part where nothing else is
_LOOSE = 0.6  # of the head's reach: long hair and wide sleeves this far beyond the parts are still the person's
_LEAST_COVERED = 0.4  # share of the parts that a matte must show, else it is of somebody else


class Source:
    """A reference picture ready to be carried.

    picture_u8  uint8 [H, W, 3] on the canvas;  still  Performance of one frame in its px
    rotation    R_cam_head float [3, 3], NaN where no head is known
    matte_01    float [H, W] stages.body.matte of the picture; None or of somebody else: the parts' outlines are taken
    parts       of the person by name;  labels  int8 [H, W] number of the part shown (`number_of`), -1 = none
    cover       float32 [H, W] 0..1 the pixel shows the person
    """

    def __init__(self, picture_u8, still: Performance, rotation, matte_01=None) -> None:
        self.picture_u8 = np.ascontiguousarray(picture_u8)
        self.shape: tuple[int, int] = self.picture_u8.shape[:2]
        self.parts = parts_of(still, 0, rotation)
        self._names = sorted(self.parts)
        self.labels = part_labels(self.parts, self._names, self.shape)
        self.cover = self._cover(matte_01)

    def number_of(self, name: str) -> int:
        """What a part is called in `labels`; -2 for one that is not there."""
        return self._names.index(name) if name in self.parts else -2

    def shown_shares(self) -> dict[str, float]:
        """Which share of each part's outline shows the part, not one before it and not beyond the picture."""
        shares = {}
        height, width = self.shape
        for number, name in enumerate(self._names):
            part = self.parts[name]
            middle = np.mean(list(part.points.values()), axis=0)
            spread = np.max([np.abs(point - middle) for point in part.points.values()], axis=0) + 0.7 * part.reach_px
            y, x = np.mgrid[-1:1:24j, -1:1:24j]
            x, y = middle[0] + spread[0] * x, middle[1] + spread[1] * y
            away = distance_px(part, x, y)
            inside = away <= (0.0 if part.kind == "torso" else _SURE * part.reach_px)
            column, row = np.rint(x).astype(int), np.rint(y).astype(int)
            on_canvas = (column >= 0) & (row >= 0) & (column < width) & (row < height)
            found = self.labels[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)] == number
            shares[name] = float((found & on_canvas & inside).sum() / max(inside.sum(), 1))
        return shares

    def _cover(self, matte_01) -> np.ndarray:
        figure = self.labels >= 0
        if matte_01 is None or not figure.any() or (np.asarray(matte_01)[figure] > 0.5).mean() < _LEAST_COVERED:
            return figure.astype(np.float32)
        reach = max(3, int(_LOOSE * max(part.reach_px for part in self.parts.values())))
        around = cv2.dilate(figure.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
        return np.where(around > 0, matte_01, 0.0).astype(np.float32)


def part_labels(parts: dict[str, Part], names: list[str], shape) -> np.ndarray:
    """Number (in `names`) of the part that each pixel shows, int8 [H, W], -1 = background; nearer ones hide farther."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    labels, front = np.full(shape, -1, np.int8), np.full(shape, np.inf)
    nearest, least = np.full(shape, -1, np.int8), np.full(shape, np.inf)
    for number, name in enumerate(names):
        if name not in parts:
            continue
        away = distance_px(parts[name], x, y) / parts[name].reach_px
        closer = away < least
        nearest[closer], least[closer] = number, away[closer]
        before = (away < _SURE) & (parts[name].depth_m < front)
        labels[before], front[before] = number, parts[name].depth_m
    return np.where((labels < 0) & (least < _REACH), nearest, labels)


@dataclass(frozen=True)
class Shown:
    """What one reference shows at n pixels of a part.

    pixels  float32 [n, 3];  seen bool [n] the reference shows the part there
    towards float [n] cosine between the surface and the reference's camera, 1 or 0 for parts that are flat
    cover   float [n] 0..1 the reference shows the person there, not what is behind
    inside  bool [n]  the surface of the head, not the air beside it; False for other parts
    """

    pixels: np.ndarray
    seen: np.ndarray
    towards: np.ndarray
    cover: np.ndarray
    inside: np.ndarray


def shown_from(source: Source, there: Part, name: str, here) -> Shown:
    """What one reference shows at the pixels bool [H, W] `here` of a part that lies as `there`."""
    rows, columns = np.nonzero(here)
    top, left = rows.min(), columns.min()
    y, x = np.mgrid[top : rows.max() + 1, left : columns.max() + 1].astype(np.float32)
    if there.kind == "head":
        from_x, from_y, towards, inside, free = _back_head(there, source.parts[name], x, y)
    else:
        place = place_in(there, source.parts[name], x, y)
        from_x, from_y, towards = place.x, place.y, place.sees
        inside, free = np.zeros(x.shape, bool), np.zeros(x.shape, bool)
    from_x, from_y = from_x.astype(np.float32), from_y.astype(np.float32)
    pixels, shown = (
        cv2.remap(picture, from_x, from_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for picture in (source.picture_u8, source.cover)
    )
    height, width = source.shape
    on = (from_x > -0.5) & (from_y > -0.5) & (from_x < width - 0.5) & (from_y < height - 0.5)
    row = np.clip(np.rint(np.nan_to_num(from_y)), 0, height - 1).astype(int)
    column = np.clip(np.rint(np.nan_to_num(from_x)), 0, width - 1).astype(int)
    was = source.labels[row, column]
    seen = (towards > 0) & on & ((was == source.number_of(name)) | (was < 0))
    at = (rows - top, columns - left)
    shown = np.where(free, 0.0, shown) if there.kind == "head" else np.ones_like(shown)
    found = seen[at], towards[at].astype(np.float64), shown[at].astype(np.float64), inside[at]
    return Shown(pixels[at].astype(np.float32), *found)


def _back_head(there: Part, here: Part, x, y):
    """Where head pixels (x, y) lie in the reference: x, y, the cosine between the surface there and its camera (-1:
    hidden behind the nose), whether there is a surface, and whether there is neither head nor hair.

    Rays that miss the head (stages.body.relief) show hair or what is behind it.
    """
    point, inside, outside, free = head_surface(there, here, x, y)
    found = on_picture(here, np.where(inside[..., None], ellipsoid.seen_at(point, here.rotation), outside))
    towards = np.where(inside, relief.towards(point, here.rotation), there.rotation[2] @ here.rotation[2])
    return found[..., 0], found[..., 1], towards, inside, free
