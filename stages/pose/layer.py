"""The `pose` layer from a raw track: gaps filled, jitter removed, camera fitted, raw values kept beside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from stages.bundle import ArraySpec
from stages.pose.camera import fit_camera
from stages.pose.cleaning import FilterParams, clean_track
from stages.pose.sides import mend_sides
from stages.pose.track import PoseTrack, array_names, cut_track, join_tracks

RAW_OF = {name: f"raw_{name}" for name in ("joints_px", "joints_m", "hands_px", "face_px")}
_MEANING = {
    "joints_px": ("float32", ("T", "J", "xy"), "px", None, "body joints; NaN = not measured"),
    "joints_m": ("float32", ("T", "J", "xyz"), "m", None, "body joints, camera axes, pelvis = 0; NaN = not measured"),
    "joint_score": ("float32", ("T", "J"), "01", (0, 1), "how sure the backend is; 0 = not measured"),
    "joint_valid": ("bool", ("T", "J"), "", None, "seen inside the picture"),
    "hands_px": ("float32", ("T", "side", "J", "xy"), "px", None, "hand joints, the person's left first"),
    "hands_m": ("float32", ("T", "side", "J", "xyz"), "m", None, "hand joints, camera axes, wrist = 0"),
    "hand_score": ("float32", ("T", "side"), "01", (0, 1), "how sure the backend is"),
    "hand_valid": ("bool", ("T", "side"), "", None, "the hand is seen"),
    "face_px": ("float32", ("T", "F", "xyz"), "px", None, "face points; depth relative, smaller = nearer"),
    "face_score": ("float32", ("T",), "01", (0, 1), "how sure the backend is"),
    "face_valid": ("bool", ("T",), "", None, "the face is seen"),
    "present": ("bool", ("T",), "", None, "the chosen person is in the frame"),
    "box_px": ("float32", ("T", "edge"), "px", None, "x0 y0 x1 y1 of the person; NaN = absent"),
    "person_id": ("int32", ("T",), "", None, "the tracker's number of the person; -1 = absent"),
    "K_px": ("float64", ("row", "col"), "px", None, "pinhole intrinsics"),
    "transl_m": ("float32", ("T", "xyz"), "m", None, "pelvis in the camera frame: joints_m + transl_m projects there"),
}


def pose_specs() -> dict[str, ArraySpec]:
    """ArraySpec of every array of the layer, the raw ones included."""
    specs = {}
    for name, (dtype, axes, unit, valid_range, meaning) in _MEANING.items():
        fill = {"fill": -1} if name == "person_id" else {}
        specs[name] = ArraySpec(dtype, axes, unit, valid_range, meaning=meaning, **fill)
        if name in RAW_OF:
            specs[RAW_OF[name]] = ArraySpec(dtype, axes, unit, valid_range, meaning=f"{meaning}; unfiltered")
    return specs


CONTEXT_S = 5.0  # seconds on both sides that a piece of a long track is filtered with; every filter forgets faster


def finish_pieces(
    pieces: Iterable[PoseTrack], *, smooth: bool = True, K_px: np.ndarray | None = None
) -> Iterator[tuple[PoseTrack, dict[str, np.ndarray]]]:
    """Yield (raw track, arrays of the layer) of the pieces of one track, in bounded memory; see `finish_track`.

    One piece gives just what `finish_track` does. Between pieces every frame is filtered with CONTEXT_S of frames on
    both sides; only a depth that cannot be measured for longer than that is held instead of bridged.
    """
    held, done = None, 0  # raw frames; the first `done` of them were given out before and serve as context
    for piece, is_last in _with_last(pieces):
        held = piece if held is None else join_tracks(held, piece)
        context = round(CONTEXT_S * held.fps)
        stop = len(held) if is_last else len(held) - context
        if stop <= done and not is_last:
            continue
        arrays = finish_track(held, smooth=smooth and len(held) > 1, K_px=K_px)
        part, keep = slice(done, stop), max(0, stop - context)
        yield cut_track(held, part), {name: a if name == "K_px" else a[part] for name, a in arrays.items()}
        held, done = cut_track(held, slice(keep, None)), stop - keep


def _with_last(items: Iterable[PoseTrack]) -> Iterator[tuple[PoseTrack, bool]]:
    """The items, and whether each is the last."""
    waiting = None
    for item in items:
        if waiting is not None:
            yield waiting, False
        waiting = item
    if waiting is not None:
        yield waiting, True


def finish_track(track: PoseTrack, *, smooth: bool = True, K_px: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """All arrays of the layer by name.

    track   raw, from a backend or an import
    smooth  remove jitter; gaps are filled either way
    K_px    float64 [3, 3] | None   the camera where it is known, else a guess
    """
    mended = mend_sides(track) if track.backend == "mediapipe" else track
    cleaned = clean_track(mended, FilterParams(smooth=smooth))
    arrays = {name: getattr(cleaned, name) for name in array_names()}
    arrays |= {raw: getattr(track, name) for name, raw in RAW_OF.items()}
    camera = fit_camera(cleaned, K_px)
    arrays["K_px"], arrays["transl_m"] = np.asarray(camera.K_px, np.float64), camera.transl_m
    return arrays
