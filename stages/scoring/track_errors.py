"""How far one tracked person is from another, frame by frame: joints, head, expression, hands, steadiness of bones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.core.face68 import OUTER_EYE_CORNERS, face68_of_mesh
from stages.core.geometry import euler_yaw_pitch_roll_rad, rotation_angle_deg
from stages.core.headpose import kabsch
from stages.core.skeleton import BODY_INDEX, BODY_JOINTS, BONES, HAND_INDEX
from stages.head.template import face_template
from stages.head.track import SOURCE_FACE, HeadParams, track_head
from stages.pose.cleaning import px_per_metre
from stages.pose.layer import finish_track
from stages.pose.sides import mend_sides
from stages.pose.track import PoseTrack

# `neck` and `pelvis` are middles of other joints: they would count those twice.
MEASURED = np.array([BODY_INDEX[name] for name in BODY_JOINTS if name not in ("neck", "pelvis")])
_INNER_FACE = slice(17, 68)  # brows, nose, eyes and mouth; the contour follows the outline of the head, not the muscles
_LIMBS = ("spine", "clavicle", "upper_arm", "forearm", "pelvis", "thigh", "shin")
_STEADY_BONES = tuple(
    (BODY_INDEX[parent], BODY_INDEX[child])
    for name, parent, child in BONES
    if name.removeprefix("left_").removeprefix("right_") in _LIMBS
)
STEADY_BONES = len(_STEADY_BONES)
_NOSE_TIP = {"mediapipe478": 1, "ibug68": 30}
# In outer eye distances, between the noses of face mesh and body. Measured on five real clips: 0.1 to 0.4 where the
# mesh lies on the face, 0.8 to 1.7 where it lies on hair or collar, as it does for a frame or two after a jump.
_NOSES_APART_MOST = 0.6
_WHOLE = [BODY_INDEX[name] for name in ("nose", "left_shoulder", "right_shoulder", "left_hip", "right_hip")]
_LEAST_FRAMES = 8  # below this a bone's steadiness is not measured


@dataclass(frozen=True)
class Person:
    """What is compared of one person in T frames; NaN where it was not measured, nothing filled in or smoothed.

    joints_px    float64 [T, 25, 2];  joints_m  float64 [T, 25, 3] camera axes, pelvis = 0
    torso_px     float64 [T]   length of the torso as it would look unforeshortened at the person's distance
    torso_m      float   median distance of neck and pelvis;  NaN = never seen
    R_cam_head   float64 [T, 3, 3];  by_face  bool [T] it was told by the face more than by the body's joints
    face         float64 [T, 51, 2]   inner face points in head axes (x, y), in distances of the outer eye corners
    hands_m      float64 [T, 2, 21, 3]   wrist = 0
    """

    joints_px: np.ndarray
    joints_m: np.ndarray
    torso_px: np.ndarray
    torso_m: float
    R_cam_head: np.ndarray
    by_face: np.ndarray
    face: np.ndarray
    hands_m: np.ndarray

    @property
    def joints_found(self) -> np.ndarray:
        """bool [T, 23]: joints of MEASURED seen inside the picture."""
        return np.isfinite(self.joints_px[:, MEASURED]).all(-1)

    @property
    def head_found(self) -> np.ndarray:
        """bool [T]"""
        return np.isfinite(self.R_cam_head).all((1, 2))

    @property
    def face_found(self) -> np.ndarray:
        """bool [T]"""
        return np.isfinite(self.face).all((1, 2))

    @property
    def hands_found(self) -> np.ndarray:
        """bool [T, 2]"""
        return np.isfinite(self.hands_m).all((2, 3))


def person_of_track(track: PoseTrack) -> Person:
    """The Person of a raw track: left and right mended, head and camera as `dreamactor` finds them."""
    mended = mend_sides(track)
    mended = mended.with_arrays(face_valid=mended.face_valid & mended.present & _on_the_face(mended))
    arrays = finish_track(mended, smooth=False)
    seen = mended.joint_valid & mended.present[:, None]
    joints_px = np.where(seen[..., None], mended.joints_px.astype(np.float64), np.nan)
    joints_m = np.where(mended.present[:, None, None], mended.joints_m.astype(np.float64), np.nan)
    torso = np.linalg.norm(joints_m[:, BODY_INDEX["neck"]] - joints_m[:, BODY_INDEX["pelvis"]], axis=-1)
    torso_m = _median(torso)
    head = track_head(arrays, arrays["K_px"], track.face_layout, HeadParams(blend_frames=0))  # a frame is its own
    face = np.where(mended.face_valid[:, None, None], mended.face_px.astype(np.float64), np.nan)
    hands = np.where(mended.hand_valid[..., None, None], mended.hands_m.astype(np.float64), np.nan)
    return Person(
        joints_px=joints_px,
        joints_m=joints_m,
        torso_px=px_per_metre(mended) * torso_m,
        torso_m=torso_m,
        R_cam_head=head.R_cam_head.astype(np.float64),
        by_face=head.source == SOURCE_FACE,
        face=_face_in_head(face, track.face_layout),
        hands_m=hands,
    )


def joint_error(found: Person, wanted: Person) -> tuple[np.ndarray, np.ndarray]:
    """(error [T], missing [T]) of joints in the picture.

    error    mean distance of the joints seen in both, % of the wanted person's torso; NaN = no joint is seen in both
    missing  share of the wanted person's joints that were not found; NaN = none is wanted
    source: AKD and MKR of Siarohin et al. 2019, the distance in parts of the body instead of pixels
    """
    both = found.joints_found & wanted.joints_found
    distance = np.linalg.norm(found.joints_px[:, MEASURED] - wanted.joints_px[:, MEASURED], axis=-1)
    return 100.0 * _mean(distance, both) / wanted.torso_px, 1.0 - _mean(both.astype(float), wanted.joints_found)


def relative_joint_error(found: Person, wanted: Person) -> np.ndarray:
    """[T]: the same for two people of other build and in other places, % of the torso.

    Both skeletons are put together again from the directions of their own bones and the wanted person's lengths
    (medians), from the neck on, and compared in the plane of the picture.
    """
    bones = [(BODY_INDEX[parent], BODY_INDEX[child]) for _, parent, child in BONES]
    lengths = [np.linalg.norm(wanted.joints_m[:, c] - wanted.joints_m[:, p], axis=-1) for p, c in bones]
    lengths = [_median(length) for length in lengths]
    rebuilt = []
    for person in (found, wanted):
        joints = np.full_like(person.joints_m, np.nan)
        joints[:, BODY_INDEX["pelvis"]] = 0.0
        for (parent, child), length in zip(bones, lengths, strict=True):
            bone = person.joints_m[:, child] - person.joints_m[:, parent]
            size = np.linalg.norm(bone, axis=-1, keepdims=True)
            joints[:, child] = joints[:, parent] + length * bone / np.where(size > 0, size, np.nan)
        rebuilt.append((joints - joints[:, [BODY_INDEX["neck"]]])[:, MEASURED, :2])
    distance = np.linalg.norm(rebuilt[0] - rebuilt[1], axis=-1)
    both = found.joints_found & wanted.joints_found & np.isfinite(distance)
    return 100.0 * _mean(distance, both) / wanted.torso_m


def head_errors_deg(found: Person, wanted: Person) -> tuple[np.ndarray, np.ndarray]:
    """(angle between the two heads [T], |difference| of yaw, pitch and roll [T, 3]), degrees."""
    angles = [np.degrees(euler_yaw_pitch_roll_rad(person.R_cam_head)) for person in (found, wanted)]
    apart = (angles[0] - angles[1] + 180.0) % 360.0 - 180.0
    return rotation_angle_deg(found.R_cam_head, wanted.R_cam_head), np.abs(apart)


def expression_errors(found: Person, wanted: Person) -> tuple[np.ndarray, np.ndarray]:
    """(as they are [T], each less its own rest face [T]): mean distance of inner face points, % of the eyes' distance.

    The rest face is the median over the frames that show both faces, so that another person's features cancel.
    """
    both = found.face_found & wanted.face_found
    if not both.any():
        return np.full(len(both), np.nan), np.full(len(both), np.nan)
    own, other = (person.face - np.median(person.face[both], axis=0) for person in (found, wanted))
    plain = np.linalg.norm(found.face - wanted.face, axis=-1).mean(-1)
    return 100.0 * plain, 100.0 * np.linalg.norm(own - other, axis=-1).mean(-1)


def hand_errors(found: Person, wanted: Person) -> tuple[np.ndarray, np.ndarray]:
    """(error [T], missing [T]): mean distance of the hands' points from the wrist on, % of the palm; share not found.

    Hands are measured in their own palms (wrist to middle knuckle, median over the hands that are seen in both).
    """
    both = found.hands_found & wanted.hands_found
    hands = [person.hands_m / _palm_m(person.hands_m[both]) for person in (found, wanted)]
    distance = np.linalg.norm(hands[0] - hands[1], axis=-1).mean(-1)
    return 100.0 * _mean(distance, both), 1.0 - _mean(both.astype(float), wanted.hands_found)


def bone_steadiness(found: Person, wanted: Person | None) -> tuple[np.ndarray, np.ndarray]:
    """(found [bone], wanted [bone]): standard deviation / mean of each bone's length in metres over time.

    Only frames in which both people show both ends count, so that the two values are of the same poses; NaN where
    there are fewer than eight.
    """
    out = np.full((2, STEADY_BONES), np.nan)
    people = [found] if wanted is None else [found, wanted]
    for bone, ends in enumerate(_STEADY_BONES):
        seen = np.ones(len(found.joints_px), bool)
        for person in people:
            seen &= np.isfinite(person.joints_px[:, list(ends)]).all((1, 2))
        if seen.sum() >= _LEAST_FRAMES:
            for row, person in enumerate(people):
                length = np.linalg.norm(person.joints_m[seen, ends[1]] - person.joints_m[seen, ends[0]], axis=-1)
                out[row, bone] = length.std() / length.mean()
    return out[0], out[1]


def _aligned(face_px: np.ndarray, layout: str) -> tuple[np.ndarray, np.ndarray]:
    """(the 68 points turned and scaled onto the head template float64 [T, 68, 3], its unit in px [T])."""
    index, points, weight = face_template(layout)
    R, scale, shift, _ = kabsch(points, face_px[:, index], weight)
    points68 = face68_of_mesh(face_px) if layout == "mediapipe478" else face_px
    return np.einsum("tij,tni->tnj", R, points68 - shift[:, None]) / scale[:, None, None], scale


def _eyes_apart(aligned: np.ndarray) -> np.ndarray:
    """float64 [T]: distance of the outer eye corners."""
    return np.linalg.norm(aligned[:, OUTER_EYE_CORNERS[1]] - aligned[:, OUTER_EYE_CORNERS[0]], axis=-1)


def _face_in_head(face_px: np.ndarray, layout: str) -> np.ndarray:
    """float64 [T, 51, 2]: inner face points turned and scaled onto the head template, see Person.face."""
    aligned, _ = _aligned(face_px, layout)
    return aligned[:, _INNER_FACE, :2] / _median(_eyes_apart(aligned))


def _on_the_face(track: PoseTrack) -> np.ndarray:
    """bool [T]: the face mesh lies where the body has its nose; True where nose, shoulders and hips are not all seen.

    In a close-up the mesh is right and the body network, which sees no body there, puts the nose on the brow.
    """
    aligned, scale = _aligned(track.face_px.astype(np.float64), track.face_layout)
    nose = BODY_INDEX["nose"]
    away = np.linalg.norm(track.face_px[:, _NOSE_TIP[track.face_layout], :2] - track.joints_px[:, nose], axis=-1)
    known = track.joint_valid[:, _WHOLE].all(1) & np.isfinite(away)
    return ~known | (away <= _NOSES_APART_MOST * scale * _eyes_apart(aligned))


def _palm_m(hands_m: np.ndarray) -> float:
    """Median length of the palm, metres; NaN when no hand was seen."""
    length = np.linalg.norm(hands_m[..., HAND_INDEX["middle1"], :] - hands_m[..., HAND_INDEX["wrist"], :], axis=-1)
    return _median(length)


def _mean(values: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Mean over the last axis of the values that are kept; NaN where none is."""
    count = keep.sum(-1)
    return np.where(keep, values, 0.0).sum(-1) / np.where(count > 0, count, np.nan)


def _median(values: np.ndarray) -> float:
    """Median of what was measured; NaN where nothing was."""
    seen = values[np.isfinite(values)]
    return float(np.median(seen)) if seen.size else float("nan")
