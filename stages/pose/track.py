"""The result every pose backend returns: one frozen set of arrays, the same as the `pose` layer of a bundle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Protocol

import numpy as np

from stages.core.skeleton import BODY_JOINTS, HAND_JOINTS

FACE_LAYOUTS: dict[str, int] = {"mediapipe478": 478, "ibug68": 68, "none": 0}


@dataclass(frozen=True)
class PoseTrack:
    """One person through T frames, as a backend measured it (raw: no gap filling, no smoothing).

    joints_px    float32 [T, 25, 2]   x right, y down, centre of the top-left pixel = (0, 0); NaN = not measured
    joints_m     float32 [T, 25, 3]   camera axes (x right, y down, z forward), metres, pelvis = 0; NaN = not measured
    joint_score  float32 [T, 25]      0..1; 0 where not measured
    joint_valid  bool    [T, 25]      seen: inside the picture and score above the backend's threshold
    hands_px     float32 [T, 2, 21, 2]  hand 0 = the person's left; NaN = not measured
    hands_m      float32 [T, 2, 21, 3]  camera axes, metres, wrist = 0
    hand_score   float32 [T, 2]       0..1
    hand_valid   bool    [T, 2]
    face_px      float32 [T, F, 3]    x, y in px; relative depth in px, smaller = nearer; NaN = not measured
    face_score   float32 [T]          0..1
    face_valid   bool    [T]
    present      bool    [T]          the chosen person is in the frame
    box_px       float32 [T, 4]       x0 y0 x1 y1 of the person (may reach outside the picture); NaN = absent
    person_id    int32   [T]          id given by the tracker, -1 = absent
    face_layout  one of FACE_LAYOUTS; F follows from it
    backend      name of the backend;   weights  name -> {sha256, licence, package}
    size         (H, W) of the frames;  fps      frames per second
    """

    joints_px: np.ndarray
    joints_m: np.ndarray
    joint_score: np.ndarray
    joint_valid: np.ndarray
    hands_px: np.ndarray
    hands_m: np.ndarray
    hand_score: np.ndarray
    hand_valid: np.ndarray
    face_px: np.ndarray
    face_score: np.ndarray
    face_valid: np.ndarray
    present: np.ndarray
    box_px: np.ndarray
    person_id: np.ndarray
    face_layout: str = "mediapipe478"
    backend: str = ""
    weights: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    size: tuple[int, int] = (0, 0)
    fps: float = 0.0

    def __post_init__(self) -> None:
        frames = len(self.present)
        for name, (dtype, tail) in array_shapes(self.face_layout).items():
            array = getattr(self, name)
            if array.shape != (frames, *tail) or array.dtype != np.dtype(dtype):
                raise ValueError(f"PoseTrack.{name}: {array.dtype} {array.shape}, expected {dtype} {(frames, *tail)}")

    def __len__(self) -> int:
        return len(self.present)

    def with_arrays(self, **arrays: np.ndarray) -> PoseTrack:
        """A copy with some arrays exchanged; shapes and dtypes are checked again."""
        return replace(self, **arrays)


def cut_track(track: PoseTrack, part: slice) -> PoseTrack:
    """A copy of some frames of a track."""
    return track.with_arrays(**{name: getattr(track, name)[part].copy() for name in array_names()})


def join_tracks(first: PoseTrack, second: PoseTrack) -> PoseTrack:
    """Two tracks of the same backend and person, one behind the other."""
    return first.with_arrays(
        **{name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in array_names()}
    )


def array_shapes(face_layout: str) -> dict[str, tuple[str, tuple[int, ...]]]:
    """dtype and shape behind the frame axis of every array of a PoseTrack, by field name."""
    joints, hand, face = len(BODY_JOINTS), len(HAND_JOINTS), FACE_LAYOUTS[face_layout]
    return {
        "joints_px": ("float32", (joints, 2)),
        "joints_m": ("float32", (joints, 3)),
        "joint_score": ("float32", (joints,)),
        "joint_valid": ("bool", (joints,)),
        "hands_px": ("float32", (2, hand, 2)),
        "hands_m": ("float32", (2, hand, 3)),
        "hand_score": ("float32", (2,)),
        "hand_valid": ("bool", (2,)),
        "face_px": ("float32", (face, 3)),
        "face_score": ("float32", ()),
        "face_valid": ("bool", ()),
        "present": ("bool", ()),
        "box_px": ("float32", (4,)),
        "person_id": ("int32", ()),
    }


def empty_arrays(frames: int, face_layout: str = "mediapipe478") -> dict[str, np.ndarray]:
    """Writable arrays of a track with nobody in it: NaN, score 0, invalid, person -1."""
    arrays = {}
    for name, (dtype, tail) in array_shapes(face_layout).items():
        if name == "person_id":
            arrays[name] = np.full((frames, *tail), -1, dtype)
        elif dtype == "bool" or name.endswith("_score"):
            arrays[name] = np.zeros((frames, *tail), dtype)
        else:
            arrays[name] = np.full((frames, *tail), np.nan, dtype)
    return arrays


def empty_track(frames: int, face_layout: str = "mediapipe478", **attributes) -> PoseTrack:
    """A PoseTrack with nobody in it; attributes are backend, weights, size, fps."""
    return PoseTrack(**empty_arrays(frames, face_layout), face_layout=face_layout, **attributes)


def array_names() -> tuple[str, ...]:
    """Names of the array fields, in order."""
    return tuple(f.name for f in fields(PoseTrack) if f.name in array_shapes("none"))


class Backend(Protocol):
    """What turns frames into a track. One object is used for one video."""

    def process(self, frames: Iterable[np.ndarray], fps: float) -> PoseTrack:
        """The track of the chosen person; frames are uint8 [H, W, 3] RGB, all of one size, read once, in order."""
        ...
