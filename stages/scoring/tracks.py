"""People found again with our own stages in both videos: joints, head, expression, mouth, lids, hands, bones.

Against the real video, or, where only a driving video of another person is given, against that one: then the arrays
that compare places and features are NaN, and those relative to each person's own build are left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.bundle import ArraySpec
from stages.core.errors import UsageError
from stages.metrics.interface import ALIGNMENTS, Block, ClipContext
from stages.pose.mediapipe.backend import MediaPipeBackend, MediaPipeParams, PoseStream
from stages.pose.mediapipe.networks import NETWORKS
from stages.scoring.face_following import eye_closure, following, mouth_opening
from stages.scoring.track_errors import (
    bone_steadiness,
    expression_errors,
    hand_errors,
    head_errors_deg,
    joint_error,
    person_of_track,
    relative_joint_error,
)
from stages.weights import SOURCES

NEEDS = frozenset({"driving"})  # the real video stands in for it
HEIGHT_TORSOS = 3.65  # a person's height in distances of neck and pelvis: 64 synthetic people, spread 4%
_MOST_ENLARGED = 8


@dataclass(frozen=True)
class Options:
    """Settings.

    align   how generated frames get the real size, where there is a real video
    person  whom to follow in the real or driving video: largest, center, left, right or a number; in the generated
            video it is who covers the same place, or the same word without a real video
    enlarge  frames are enlarged so many times (bicubic) before anybody is looked for
    mouth_least, eye_least  how much the other video's mouth opening (% of the eyes' distance) and eye closure (0..1)
            must vary, from the 5th to the 95th percentile, for a correlation to say anything
    """

    align: str = "lanczos"
    person: str = "largest"
    enlarge: int = 1
    mouth_least: float = 4.0
    eye_least: float = 0.1

    def __post_init__(self) -> None:
        if self.align not in ALIGNMENTS:
            raise UsageError(f"tracks: align is {self.align!r}, expected one of {', '.join(ALIGNMENTS)}")
        if not 1 <= self.enlarge <= _MOST_ENLARGED:
            raise UsageError(f"tracks: enlarge is {self.enlarge}, expected 1 to {_MOST_ENLARGED}")


def signature(options: Options) -> str:
    """Every choice that decides the number."""
    nets = ",".join(SOURCES[name].identity[:8] for name in NETWORKS)
    return (
        f"mediapipe@{nets}|align:{options.align}|enlarge:{options.enlarge},bicubic"
        f"|person:{options.person},generated=same-place|unfilled,unsmoothed"
        f"|joints:23,%torso3d,height={HEIGHT_TORSOS}torso|head:face+body,deg|face:51pt,head-aligned,%outer-eyes"
        f"|mouth:inner-lips>={options.mouth_least:g},eyes:1-ear>={options.eye_least:g},pearson"
        f"|hands:21pt,%palm|bones:13,cv|v:2"
    )


def weights(options: Options) -> tuple[str, ...]:
    """The networks of the default pose backend."""
    return tuple(NETWORKS)


def arrays(options: Options) -> dict[str, ArraySpec]:
    """Errors float64, NaN = not measured; `X_expected`: the frames in which the other video shows X."""
    t = ("T",)

    def error(unit: str, meaning: str) -> ArraySpec:
        return ArraySpec("float64", t, unit, meaning=meaning)

    def flag(meaning: str) -> ArraySpec:
        return ArraySpec("bool", t, meaning=meaning)

    return {
        "joint_error": error("%", "mean distance of body joints, % of the torso"),
        "joint_error_height": error("%", "the same, % of the person's height"),
        "joint_error_relative": error("%", "the same with the other person's bone lengths, neck on neck"),
        "joint_missing": error("01", "share of the other video's joints that are not found (MKR)"),
        "head_rotation_deg": error("deg", "angle between the heads"),
        "head_yaw_deg": error("deg", "|difference| of yaw"),
        "head_pitch_deg": error("deg", "|difference| of pitch"),
        "head_roll_deg": error("deg", "|difference| of roll"),
        "aed_expression": error("%", "mean distance of inner face points in head axes, % of the outer eye corners'"),
        "aed_expression_rest": error("%", "the same, each face less its own rest face"),
        "mouth_opening": error("%", "gap of the inner lips in the generated frame, % of the outer eye corners'"),
        "mouth_opening_other": error("%", "the same in the other video"),
        "mouth_following": ArraySpec("float64", (), "", meaning="correlation of the two; NaN = the other hardly moves"),
        "mouth_expected": ArraySpec("bool", (), "", meaning="the other video's mouth moves enough to be followed"),
        "eye_closure": error("01", "1 - eye aspect ratio, mean of both eyes, in the generated frame"),
        "eye_closure_other": error("01", "the same in the other video"),
        "eye_following": ArraySpec("float64", (), "", meaning="correlation of the two; NaN = the other does not blink"),
        "eye_expected": ArraySpec("bool", (), "", meaning="the other video's lids move enough to be followed"),
        "hand_error": error("%", "mean distance of hand points from the wrist on, % of the palm"),
        "hand_missing": error("01", "share of the other video's hands that are not found"),
        "person_found": flag("somebody is found in the generated frame"),
        "joint_expected": flag("the other video shows joints"),
        "head_expected": flag("the other video's head is known"),
        "head_found": flag("the generated head is known"),
        "head_by_face": flag("both heads are told by their faces; by the body's joints a head is known to 10 degrees"),
        "face_expected": flag("the other video shows a face"),
        "face_found": flag("the generated frame shows a face"),
        "hand_expected": flag("the other video shows a hand"),
        "bone_cv": ArraySpec("float64", ("bone",), "", meaning="spread / mean of each bone's length in metres"),
        "bone_cv_real": ArraySpec("float64", ("bone",), "", meaning="the same of the other video"),
        "bone_ratio": ArraySpec("float64", (), "", meaning="mean bone_cv / mean bone_cv_real over bones seen in both"),
    }


class _Collector:
    def __init__(self, options: Options, context: ClipContext) -> None:
        backend = MediaPipeBackend(MediaPipeParams(person=options.person, threads=1))
        self._options, self._paired = options, context.real_size is not None
        self._generated: PoseStream = backend.stream(float(context.fps))
        self._other: PoseStream | None = None
        self._start = lambda: backend.stream(float(context.fps))

    def add(self, block: Block) -> None:
        others = block.real_u8 if self._paired else block.driving_u8
        generated = block.aligned(self._options.align) if self._paired else block.generated_u8
        if others is not None and self._other is None:
            self._other = self._start()
        for frame in generated:
            self._generated.add(self._enlarged(frame))
        for frame in others if others is not None else ():
            self._other.add(self._enlarged(frame))

    def finish(self) -> dict[str, np.ndarray]:
        frames = self._generated.waiting
        empty = {"float64": np.full(frames, np.nan), "bool": np.zeros(frames, bool)}
        out = {name: empty[spec.dtype] for name, spec in arrays(self._options).items() if spec.axes == ("T",)}
        if self._other is None:
            found, wanted = person_of_track(self._generated.track()), None
        else:
            other = self._other.track()
            who = self._generated.nearest(other.box_px) if self._paired else None
            found, wanted = person_of_track(self._generated.track(who)), person_of_track(other)
            out |= self._errors(found, wanted)
        out["person_found"] = found.joints_found.any(1) | found.face_found
        out["head_found"], out["face_found"] = found.head_found, found.face_found
        out |= self._following(found, wanted)
        own, others = bone_steadiness(found, wanted)
        both = np.isfinite(own) & np.isfinite(others)
        ratio = own[both].mean() / others[both].mean() if both.any() and others[both].mean() > 0 else np.nan
        return out | {"bone_cv": own, "bone_cv_real": others, "bone_ratio": np.float64(ratio)}

    def _enlarged(self, frame_u8: np.ndarray) -> np.ndarray:
        """The frame at the size at which people are looked for."""
        if self._options.enlarge == 1:
            return frame_u8
        import cv2

        size = tuple(self._options.enlarge * side for side in frame_u8.shape[1::-1])
        return cv2.resize(frame_u8, size, interpolation=cv2.INTER_CUBIC)

    def _following(self, found, wanted) -> dict[str, np.ndarray]:
        """Mouth and lids of both people, and how the one follows the other."""
        out = {"mouth_opening": mouth_opening(found.face), "eye_closure": eye_closure(found.face)}
        for name, signal, least in (
            ("mouth", "mouth_opening", self._options.mouth_least),
            ("eye", "eye_closure", self._options.eye_least),
        ):
            leader = np.full(len(out[signal]), np.nan)
            if wanted is not None:
                leader = {"mouth": mouth_opening, "eye": eye_closure}[name](wanted.face)
            found_following = following(out[signal], leader, least)
            out[f"{signal}_other"] = leader
            out[f"{name}_following"] = np.float64(found_following.correlation)
            out[f"{name}_expected"] = np.bool_(found_following.asked)
        return out

    def _errors(self, found, wanted) -> dict[str, np.ndarray]:
        """The arrays that compare two people."""
        place, missing = joint_error(found, wanted)
        rotation, angles = head_errors_deg(found, wanted)
        expression, from_rest = expression_errors(found, wanted)
        hand, hand_missing = hand_errors(found, wanted)
        nothing = np.full(len(place), np.nan)
        return {
            "joint_error": place if self._paired else nothing,
            "joint_error_height": place / HEIGHT_TORSOS if self._paired else nothing,
            "joint_error_relative": relative_joint_error(found, wanted),
            "joint_missing": missing,
            "head_rotation_deg": rotation,
            "head_yaw_deg": angles[:, 0],
            "head_pitch_deg": angles[:, 1],
            "head_roll_deg": angles[:, 2],
            "aed_expression": expression if self._paired else nothing,
            "aed_expression_rest": from_rest,
            "hand_error": hand,
            "hand_missing": hand_missing,
            "joint_expected": wanted.joints_found.any(1),
            "head_expected": wanted.head_found,
            "head_by_face": found.by_face & wanted.by_face,
            "face_expected": wanted.face_found,
            "hand_expected": wanted.hands_found.any(1),
        }


def collector(options: Options, context: ClipContext) -> _Collector:
    """Collects the arrays; holds people's points, no frames. errors  WeightsError: a network is missing"""
    return _Collector(options, context)
