"""Face and hands of one followed body: where to look, when to look again, which results to believe."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.core.skeleton import HANDS
from stages.pose.mediapipe.detector import Detector, Found, face_roi_of_face, hand_roi_of_palm
from stages.pose.mediapipe.face import FaceNet, FaceResult
from stages.pose.mediapipe.landmarks import (
    BODY_AT,
    FACE_POINTS,
    BodyResult,
    HandNet,
    HandResult,
    hand_roi_of_body,
)
from stages.pose.mediapipe.roi import Picture, Roi, roi_from_points, wrap_angle

# Our choices, in units of the region's side or as probabilities.
MIN_PRESENCE = 0.5
_WRIST_VISIBILITY = 0.1
_HOPELESS = 0.01  # presence on the first region below which the mesh is not run again
_SETTLE_RUNS, _SETTLED = 4, 0.95  # runs of the mesh on its own next region, until regions overlap by so much
_HAND_REACH = 0.4  # the hand's wrist this near to the body's wrist
_PALM_EVERY = 5  # frames between palm searches for a hand that is not found
_WRONG_SIDE = 0.9
_SURE_SIDE = 0.8


@dataclass
class Details:
    """Face and hands of one person, frame by frame."""

    face: FaceNet
    near_faces: Detector
    far_faces: Detector
    hand: HandNet
    palms: Detector
    _face_roi: Roi | None = None
    _hand_rois: dict[str, Roi] | None = None
    _hand_misses: dict[str, int] | None = None

    def lose(self) -> Roi | None:
        """Forget the regions, since the body was not seen in this frame; returns that of the face."""
        region, self._face_roi, self._hand_rois = self._face_roi, None, None
        return region

    # ---- face

    def find_face(self, picture: Picture, body: BodyResult) -> FaceResult | None:
        """The face of the body; None when it is turned away, hidden or outside."""
        expected = expected_face(body)
        tracked, self._face_roi = self._face_roi, None
        rois = [tracked] if tracked is not None and _near(tracked, expected) else []
        for attempt in range(3):
            if attempt > 0 or not rois:
                rois = self._face_proposals(picture, expected, attempt)
            for roi in rois[:1]:
                if not _touches(picture, roi):
                    continue
                face = (
                    self.face(picture, roi, MIN_PRESENCE) if tracked is roi else settled_face(picture, self.face, roi)
                )
                if face.presence >= MIN_PRESENCE and _plausible_face(face, expected):
                    self._face_roi = face.next_roi
                    return face
        return None

    def _face_proposals(self, picture: Picture, expected: Roi, attempt: int) -> list[Roi]:
        """Regions around faces near the expected place: by the near detector, by the far one, then the place itself."""
        if attempt == 2:
            return [expected.scaled(1.6)]
        detector, around = ((self.near_faces, 2.6), (self.far_faces, 5.0))[attempt]
        found = [f for f in detector.find(picture, expected.scaled(around)) if _near_point(f.center_px, expected, 0.8)]
        found.sort(key=lambda f: float(np.hypot(*(f.center_px - (expected.x, expected.y)))))
        return [face_roi_of_face(f) for f in found]

    # ---- hands

    def find_hands(self, picture: Picture, body: BodyResult) -> dict[str, HandResult]:
        """The hands of the body by side; a hand that is hidden, outside or not believed is left out."""
        if self._hand_rois is None or self._hand_misses is None:
            self._hand_rois, self._hand_misses = {}, dict.fromkeys(HANDS, 0)
        hands = {}
        for side in HANDS:
            hand = self._find_hand(picture, body, side)
            if hand is not None:
                hands[side] = hand
        hands = _settle(hands, body)
        self._hand_rois = {side: hand.next_roi for side, hand in hands.items()}
        for side in HANDS:
            self._hand_misses[side] = 0 if side in hands else self._hand_misses[side] + 1
        return hands

    def _find_hand(self, picture: Picture, body: BodyResult, side: str) -> HandResult | None:
        assert self._hand_rois is not None and self._hand_misses is not None
        wrist = body.points_px[BODY_AT[f"{side}_wrist"]]
        if body.visibility[BODY_AT[f"{side}_wrist"]] < _WRIST_VISIBILITY:
            return None
        coarse = hand_roi_of_body(body.points_px, side)
        if coarse.side < 4.0 or not _touches(picture, coarse):
            return None
        tracked = self._hand_rois.get(side)
        if tracked is not None:
            hand = self.hand(picture, tracked)
            if _believed(hand, wrist, max(coarse.side, tracked.side)):
                return hand
        hand = self.hand(picture, self.hand.refine_roi(picture, coarse))
        if _believed(hand, wrist, coarse.side):
            return hand
        if self._hand_misses[side] % _PALM_EVERY:
            return None
        return self._hand_by_palm(picture, coarse, wrist, side)

    def _hand_by_palm(self, picture: Picture, coarse: Roi, wrist: np.ndarray, side: str) -> HandResult | None:
        region = Roi(coarse.x, coarse.y, coarse.side * 2.0)
        palms = self.palms.find(picture, region)
        if not palms:
            return None
        nearest = min(palms, key=lambda f: float(np.hypot(*(f.points_px[0] - wrist))))
        hand = self.hand(picture, hand_roi_of_palm(nearest))
        believed = _believed(hand, wrist, max(coarse.side, 2.6 * nearest.side_px)) and _side_score(hand, side) > 0.5
        return hand if believed else None


def face_of_detection(picture: Picture, face: FaceNet, found: Found) -> FaceResult | None:
    """The face mesh on a detected face without a body; None when refused."""
    settled = settled_face(picture, face, face_roi_of_face(found))
    return settled if settled.presence >= MIN_PRESENCE else None


def settled_face(picture: Picture, face: FaceNet, roi: Roi) -> FaceResult:
    """The face mesh after letting its region settle, or the surest on the way where the settled one is refused.

    A detector's box is a fifth too large. On it the mesh of a head turned by 60 degrees looked up to 30 degrees too far
    to the front, or was refused (presence 0.02) where the settled one is right and sure (0.99). Where nothing speaks
    for a face the first run is the last.
    """
    runs = [face(picture, roi, MIN_PRESENCE)]
    while len(runs) <= _SETTLE_RUNS and runs[-1].presence >= _HOPELESS:
        last = runs[-1].next_roi
        runs.append(face(picture, last, MIN_PRESENCE))
        if last.overlap(runs[-1].next_roi) > _SETTLED:
            break
    return runs[-1] if runs[-1].presence >= MIN_PRESENCE else max(runs, key=lambda run: run.presence)


def expected_face(body: BodyResult) -> Roi:
    """Where the body network saw the face: a square about the size of the face, upright by the eyes.

    The side is the larger of the box of the face points and 2.2 times the distance eyes -> mouth, which stays when the
    head turns to profile and the box gets narrow. Source: our choice.
    """
    at = body.points_px
    right, left = at[BODY_AT["right_eye"]], at[BODY_AT["left_eye"]]
    eyes, mouth = (right + left) / 2, (at[BODY_AT["mouth_left"]] + at[BODY_AT["mouth_right"]]) / 2
    down = mouth - eyes
    angle = wrap_angle(np.arctan2(down[1], down[0]) - np.pi / 2)
    box = roi_from_points(at[FACE_POINTS].astype(np.float64), angle, 1.0)
    side = max(box.side, 2.2 * float(np.hypot(*down)))
    middle = (eyes + mouth) / 2
    return Roi(float(middle[0]), float(middle[1]), max(side, 2.0), angle)


def _near(roi: Roi, expected: Roi) -> bool:
    return _near_point(np.array([roi.x, roi.y]), expected, 0.8) and 0.4 < roi.side / (1.5 * expected.side) < 2.5


def _near_point(point_px: np.ndarray, expected: Roi, share: float) -> bool:
    return float(np.hypot(point_px[0] - expected.x, point_px[1] - expected.y)) < share * expected.side


def _plausible_face(face: FaceResult, expected: Roi) -> bool:
    """The mesh lies where the body has its face and has about its size."""
    found = face.next_roi.scaled(1 / 1.5)
    return _near_point(np.array([found.x, found.y]), expected, 0.7) and 0.45 < found.side / expected.side < 2.5


def _touches(picture: Picture, roi: Roi) -> bool:
    """The centre of the region is in the frame."""
    height, width = picture.size
    return -0.5 <= roi.x <= width - 0.5 and -0.5 <= roi.y <= height - 0.5


def _believed(hand: HandResult, wrist: np.ndarray, side_px: float) -> bool:
    return hand.presence >= MIN_PRESENCE and float(np.hypot(*(hand.points_px[0] - wrist))) < _HAND_REACH * side_px


def _side_score(hand: HandResult, side: str) -> float:
    return hand.left if side == "left" else 1.0 - hand.left


def _settle(hands: dict[str, HandResult], body: BodyResult) -> dict[str, HandResult]:
    """When both results are one and the same hand, it belongs to the side the network names, or to the nearer wrist."""
    if len(hands) < 2:
        return hands
    left, right = hands["left"], hands["right"]
    size = min(left.next_roi.side, right.next_roi.side)
    if np.linalg.norm(left.points_px - right.points_px, axis=1).mean() > 0.25 * size:
        return hands
    if _side_score(left, "left") > _SURE_SIDE and _side_score(right, "right") > _SURE_SIDE:
        return hands  # pressed together, each seen as itself
    named = (left.left + right.left) / 2
    if named > _WRONG_SIDE:
        return {"left": left}
    if named < 1 - _WRONG_SIDE:
        return {"right": right}
    gaps = {s: float(np.hypot(*(h.points_px[0] - body.points_px[BODY_AT[f"{s}_wrist"]]))) for s, h in hands.items()}
    keep = min(HANDS, key=lambda side: gaps[side])
    return {keep: hands[keep]}
