"""A person in a picture, measured and ready to be a reference: from a photo, a bundle's frame, or a layer of picks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from stages.body.person import Person, make_person
from stages.core.errors import InputError
from stages.core.geometry import euler_yaw_pitch_roll_rad
from stages.head.track import HeadTrack, track_head, turned_as_told

LEAST_HEAD_PX = 5.0  # radius below which a head says nothing about a face
_POSE = ("joints_px", "joints_m", "joint_score", "joint_valid", "hands_px", "hand_valid", "face_px", "face_score",
         "face_valid", "present", "K_px", "transl_m")  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """One picture of a person.

    name        where it comes from, for messages and tables
    picture_u8  uint8 [H, W, 3];  person  Person of one frame, in its pixels
    digest      sha256 hex of what it was made from
    zoomed      it is a crop made on purpose: shown as large as it is, not at the first reference's scale
    face        float32 [128] its face in numbers (stages.references.likeness); NaN = not readable
    """

    name: str
    picture_u8: np.ndarray
    person: Person
    digest: str
    zoomed: bool
    face: np.ndarray

    @property
    def rotation(self) -> np.ndarray:
        """R_cam_head float64 [3, 3]; NaN where no head was found."""
        return self.person.R_cam_head[0]

    @property
    def yaw_deg(self) -> float:
        """Yaw of the head; NaN where no head was found."""
        return float(np.degrees(euler_yaw_pitch_roll_rad(self.rotation)[0]))


def person_of(pose, face_layout: str, fps: float) -> tuple[Person, HeadTrack]:
    """The Person and the HeadTrack of the arrays of a pose layer."""
    head = turned_as_told(track_head(pose, pose["K_px"], face_layout), pose.get("R_cam_head"))
    placed = {"R_cam_head": head.R_cam_head, "center_px": head.center_px, "radius_px": head.radius_px}
    return make_person(pose, pose["K_px"], fps, placed | {"radius_m": head.radius_m}), head


def person_of_bundle(bundle) -> Person:
    """The Person of a bundle with the layers clip and pose. errors  InputError: one is missing"""
    bundle.require("clip", "pose")
    pose = {name: bundle.read("pose", name) for name in _POSE}
    if "R_cam_head" in bundle.array_names("pose"):  # said by hand, not to be measured
        pose["R_cam_head"] = bundle.read("pose", "R_cam_head")
    fps = float(Fraction(bundle.attrs("clip")["fps"]))
    return person_of(pose, bundle.attrs("pose")["face_layout"], fps)[0]


def subject_of_photo(path: str) -> Subject:
    """The Subject of a photo, its face not read yet.

    errors  InputError: not a picture, nobody in it, a head too small to be of use
    """
    from stages.body.compose import good_frame
    from stages.media import read_photo
    from stages.pose.photo import track_photo
    from stages.weights.checkpoint import file_sha256

    picture = read_photo(path)
    pose, attrs = track_photo(picture)
    person, _ = person_of(pose, attrs["face_layout"], attrs["fps"])
    if good_frame(person) < 0:
        raise InputError(f"{path}: no person found in the reference. Take a picture that shows the person")
    check_size(path, person)
    return Subject(path, picture, person, file_sha256(Path(path)), False, np.full(128, np.nan, np.float32))


def check_size(name: str, person: Person) -> None:
    """errors  InputError: no head, or one too small to be of use"""
    radius = float(person.head_radius_px[0])
    if not np.isfinite(radius) or radius < LEAST_HEAD_PX:
        found = f"a head of {radius:.1f} px radius" if np.isfinite(radius) else "no head"
        raise InputError(
            f"{name}: {found}, expected one of {LEAST_HEAD_PX:g} px or more. Take a picture with a larger face"
        )


def scaled(person: Person, scale: float, shift_px=(0.0, 0.0)) -> Person:
    """A Person in the pixels of a picture that was scaled and shifted: new px = scale * px + shift."""
    K_px = np.diag([scale, scale, 1.0]) @ person.K_px
    K_px[:2, 2] += shift_px
    hands = person.hands_px * scale + np.asarray(shift_px)
    return replace(person, K_px=K_px, hands_px=hands, head_radius_px=person.head_radius_px * scale)
