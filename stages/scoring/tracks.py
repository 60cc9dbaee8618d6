"""People found again with our own stages in both videos: joints, head, expression, hands, steadiness of bones.

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


@dataclass(frozen=True)
class Options:
    """Settings.

    align   how generated frames get the real size, where there is a real video
    person  whom to follow in the real or driving video: largest, center, left, right or a number; in the generated
            video it is who covers the same place, or the same word without a real video
    """

    align: str = "lanczos"
    person: str = "largest"

    def __post_init__(self) -> None:
        if self.align not in ALIGNMENTS:
            raise UsageError(f"tracks: align is {self.align!r}, expected one of {', '.join(ALIGNMENTS)}")


def signature(options: Options) -> str:
    """Every choice that decides the number."""
    nets = ",".join(SOURCES[name].identity[:8] for name in NETWORKS)
    return (
        f"mediapipe@{nets}|align:{options.align}|person:{options.person},generated=same-place|unfilled,unsmoothed"
        f"|joints:23,%torso3d|head:face+body,deg|face:51pt,head-aligned,%outer-eyes|hands:21pt,%palm|bones:13,cv|v:1"
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
        "joint_error_relative": error("%", "the same with the other person's bone lengths, neck on neck"),
        "joint_missing": error("01", "share of the other video's joints that are not found (MKR)"),
        "head_rotation_deg": error("deg", "angle between the heads"),
        "head_yaw_deg": error("deg", "|difference| of yaw"),
        "head_pitch_deg": error("deg", "|difference| of pitch"),
        "head_roll_deg": error("deg", "|difference| of roll"),
        "aed_expression": error("%", "mean distance of inner face points in head axes, % of the outer eye corners'"),
        "aed_expression_rest": error("%", "the same, each face less its own rest face"),
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
            self._generated.add(frame)
        for frame in others if others is not None else ():
            self._other.add(frame)

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
        own, others = bone_steadiness(found, wanted)
        both = np.isfinite(own) & np.isfinite(others)
        ratio = own[both].mean() / others[both].mean() if both.any() and others[both].mean() > 0 else np.nan
        return out | {"bone_cv": own, "bone_cv_real": others, "bone_ratio": np.float64(ratio)}

    def _errors(self, found, wanted) -> dict[str, np.ndarray]:
        """The arrays that compare two people."""
        place, missing = joint_error(found, wanted)
        rotation, angles = head_errors_deg(found, wanted)
        expression, from_rest = expression_errors(found, wanted)
        hand, hand_missing = hand_errors(found, wanted)
        nothing = np.full(len(place), np.nan)
        return {
            "joint_error": place if self._paired else nothing,
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
