"""Where people may be in a frame: the whole frame, then faces, then overlapping tiles at finer scales."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from stages.pose.mediapipe.detector import (
    Detector,
    body_roi_of_face,
    body_roi_of_person,
    tiles,
    whole_frame,
)
from stages.pose.mediapipe.landmarks import BODY_AT, FACE_POINTS, BodyNet, BodyResult
from stages.pose.mediapipe.roi import Picture, Roi

# Our choices. A new person needs a surer flag than one who is followed already (hysteresis), and has to be confirmed by
# the body network on its own second crop: the flag of the first crop is high on some textures.
ENTER_FLAG = 0.7
MIN_SEEN_JOINTS = 4
VISIBLE = 0.5
TILE_SHARES = (0.5, 0.25)  # sides of the tiles as shares of the frame's longer side
MIN_SIDE_SHARE, MIN_SIDE_PX = 0.1, 40.0  # smaller crops (a person of 7 % of the frame) are pictures on walls and cards
_SETTLE_RUNS, _SETTLED = 4, 0.95  # runs of the body network on its own next crop, until crops overlap by so much
_SAME_TORSO = 0.35  # distance of two bodies' joints over their size below which they are one person
_SAME_FACE = 0.5  # the same for the faces, over the face's size: a second guess at the body below one face


class Search:
    """Finds people that nobody follows yet."""

    def __init__(self, people: Detector, faces: Detector, body: BodyNet) -> None:
        self._people, self._faces, self._body = people, faces, body

    def find(self, picture: Picture, known: list[BodyResult], *, depth: int, limit: int) -> list[BodyResult]:
        """Bodies in the frame that are not among the known ones.

        depth   0 whole frame; 1 also the squares of the shorter side; 2 also fine tiles, while nobody is found
        limit   most bodies to return
        """
        found: list[BodyResult] = []
        tried: list[Roi] = []
        for roi in self._proposals(picture, depth, found):
            if len(found) >= limit:
                break
            if any(roi.overlap(other) > 0.7 for other in tried) or any(_follows(roi, body.next_roi) for body in known):
                continue
            tried.append(roi)
            body = self.confirm(picture, roi)
            if body is not None and not any(same_person(body, other) for other in [*known, *found]):
                found.append(body)
        return found

    def near(self, picture: Picture, last: Roi) -> BodyResult | None:
        """The body in or around the region where it was last, or None."""
        height, width = picture.size
        region = last.scaled(1.6)
        if region.side >= 2 * max(height, width):
            region = whole_frame(picture.size)
        region = Roi(region.x, region.y, region.side)
        best = sorted(self._people.find(picture, region), key=lambda f: -body_roi_of_person(f).overlap(last))
        return self.confirm(picture, body_roi_of_person(best[0])) if best else None

    def confirm(self, picture: Picture, roi: Roi) -> BodyResult | None:
        """The body in a region after letting the region settle; None when there is none.

        One more run moves the joints of a small person by 5 % of the height, four more by less than 1 %.
        """
        body = self._body(picture, roi)
        if body.flag < ENTER_FLAG / 2:
            return None
        for _ in range(_SETTLE_RUNS):
            last, body = body.next_roi, self._body(picture, body.next_roi)
            if body.flag < ENTER_FLAG / 2 or last.overlap(body.next_roi) > _SETTLED:
                break
        if body.next_roi.side < max(MIN_SIDE_PX, MIN_SIDE_SHARE * max(picture.size)):
            return None
        ok = body.flag >= ENTER_FLAG and seen_joints(body, picture.size).sum() >= MIN_SEEN_JOINTS
        return body if ok else None

    def _proposals(self, picture: Picture, depth: int, found: list[BodyResult]) -> Iterator[Roi]:
        """Regions worth the body network, surest first; the costly ones only while nothing is found."""
        height, width = picture.size
        everything = whole_frame(picture.size)
        yield from (body_roi_of_person(f) for f in self._people.find(picture, everything))
        yield from (body_roi_of_face(f) for f in self._faces.find(picture, everything))
        if depth >= 1 and max(height, width) > 1.2 * min(height, width):
            for tile in tiles(picture.size, float(min(height, width))):
                yield from (body_roi_of_person(f) for f in self._people.find(picture, tile))
        if depth < 2:
            return
        for share in TILE_SHARES:
            for tile in tiles(picture.size, share * max(height, width)):
                if found:
                    return
                yield from (body_roi_of_person(f) for f in self._people.find(picture, tile))
                if not found:
                    yield from (body_roi_of_face(f) for f in self._faces.find(picture, tile))


def seen_joints(body: BodyResult, size: tuple[int, int]) -> np.ndarray:
    """Body points that are visible and inside the frame of (H, W), bool [33]."""
    points = body.points_px[: len(BODY_AT)]
    inside = (points >= -0.5).all(axis=1) & (points[:, 0] <= size[1] - 0.5) & (points[:, 1] <= size[0] - 0.5)
    return inside & (body.visibility >= VISIBLE)


def same_person(one: BodyResult, other: BodyResult) -> bool:
    """True when two results lie on one person: shoulders, hips and nose coincide, or the faces do."""
    torso = [BODY_AT[name] for name in ("left_shoulder", "right_shoulder", "left_hip", "right_hip", "nose")]
    gap = np.linalg.norm(one.points_px - other.points_px, axis=1)
    if gap[torso].mean() < _SAME_TORSO * min(torso_size(one), torso_size(other)):
        return True
    faces = [float(np.ptp(body.points_px[FACE_POINTS], axis=0).max()) for body in (one, other)]
    return bool(gap[FACE_POINTS].mean() < _SAME_FACE * min(faces))


def _follows(roi: Roi, known: Roi) -> bool:
    """True when a proposal is nearly the region of somebody who is followed already."""
    gap = float(np.hypot(roi.x - known.x, roi.y - known.y))
    return gap < 0.08 * known.side and 0.8 < roi.side / known.side < 1.25


def torso_size(body: BodyResult) -> float:
    """Distance middle of the shoulders -> middle of the hips or twice the shoulders' width, the larger one, px."""
    at = body.points_px
    left, right = at[BODY_AT["left_shoulder"]], at[BODY_AT["right_shoulder"]]
    hips = (at[BODY_AT["left_hip"]] + at[BODY_AT["right_hip"]]) / 2
    return float(max(np.linalg.norm((left + right) / 2 - hips), 2 * np.linalg.norm(left - right), 1.0))
