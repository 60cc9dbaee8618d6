"""A whole track with its gaps filled and its jitter removed; which filter for which part of the body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.pose.filtering import MAX_GAP_S, OneEuro, fill_gaps, smooth
from stages.pose.track import PoseTrack

_FILLED_WEIGHT = 0.25
_POINTS_AT_ONCE = 32


@dataclass(frozen=True)
class FilterParams:
    """What `clean_track` does. The values are our choice, set on real clips (see tests/pose/test_filtering.py)."""

    max_gap_s: float = MAX_GAP_S
    body: OneEuro = OneEuro(min_cutoff_hz=2.0, beta=40.0, d_cutoff_hz=3.0)
    hands: OneEuro = OneEuro(min_cutoff_hz=2.5, beta=40.0, d_cutoff_hz=3.0)
    face: OneEuro = OneEuro(min_cutoff_hz=4.0, beta=80.0, d_cutoff_hz=5.0)
    smooth: bool = True


def clean_track(track: PoseTrack, params: FilterParams | None = None) -> PoseTrack:
    """The track with short gaps filled and jitter removed; the caller keeps the raw one beside it.

    Scores and validity stay as measured: a filled joint has a position and `joint_valid` False. Positions that a
    backend guessed (finite, not valid) keep their guess unless a short gap is bridged over them; they are smoothed with
    the weight of their score. A frame with nobody in it keeps `present` False.
    """
    params = params or FilterParams()
    segment = person_segments(track.person_id)
    scale = np.asarray(px_per_metre(track), np.float64)
    hand_seen = np.broadcast_to(track.hand_valid[..., None], track.hands_px.shape[:-1])
    hand_score = np.broadcast_to(track.hand_score[..., None], track.hands_px.shape[:-1])
    face_seen = np.broadcast_to(track.face_valid[:, None], track.face_px.shape[:-1])
    face_score = np.broadcast_to(track.face_score[:, None], track.face_px.shape[:-1])
    jobs = {
        "joints_px": (track.joint_valid, track.joint_score, params.body, scale),
        "joints_m": (track.joint_valid, track.joint_score, params.body, 1.0),
        "hands_px": (hand_seen, hand_score, params.hands, scale),
        "hands_m": (hand_seen, hand_score, params.hands, 1.0),
        "face_px": (face_seen, face_score, params.face, scale),
        "face_depth": (face_seen, face_score, params.face, scale),
    }
    # x, y and depth of the face apart: a 2D backend leaves its depth NaN
    raw = {name: getattr(track, name) for name in jobs if name != "face_depth"}
    raw["face_depth"], raw["face_px"] = track.face_px[..., 2:], track.face_px[..., :2]
    arrays = {}
    for name, (valid, score, one_euro, unit_per_m) in jobs.items():
        arrays[name] = np.empty_like(raw[name])
        # a few points at a time: the filter's copies in double precision of 478 face points would need 85 kB a frame
        for start in range(0, raw[name].shape[1], _POINTS_AT_ONCE):
            part = slice(start, start + _POINTS_AT_ONCE)
            values, filled = fill_gaps(raw[name][:, part], valid[:, part], track.fps, params.max_gap_s, segment)
            if params.smooth and values.size:
                weight = np.where(filled, _FILLED_WEIGHT, score[:, part])
                values = smooth(values, track.fps, one_euro, unit_per_m=unit_per_m, weight=weight, segment=segment)
            arrays[name][:, part] = values
    arrays["face_px"] = np.concatenate([arrays["face_px"], arrays.pop("face_depth")], axis=-1)
    return track.with_arrays(**arrays)


def px_per_metre(track: PoseTrack) -> np.ndarray:
    """How many pixels a metre is at the person, per frame: float64 [T], NaN where it cannot be told.

    Weak perspective: the spread of the seen joints in the picture against their spread in metres, the median over one
    second. Without joints in metres the longer side of the box stands for 1.7 m. Source: our choice.
    """
    seen = track.joint_valid & np.isfinite(track.joints_px).all(-1) & np.isfinite(track.joints_m).all(-1)
    count = seen.sum(1)
    share = np.where(seen, 1.0, 0.0)[..., None] / np.maximum(count, 1)[:, None, None]
    spread = []
    for points in (track.joints_px, track.joints_m[..., :2]):
        points = np.where(seen[..., None], points, 0.0).astype(np.float64)
        centred = points - (points * share).sum(1, keepdims=True)
        spread.append((centred**2 * share).sum((1, 2)))
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.sqrt(spread[0] / spread[1])
    scale = np.where((count >= 3) & np.isfinite(scale) & (scale > 0), scale, np.nan)
    side = np.maximum(track.box_px[:, 2] - track.box_px[:, 0], track.box_px[:, 3] - track.box_px[:, 1]) / 1.7
    scale = np.where(np.isnan(scale), side, scale)
    if not len(scale):
        return scale
    reach = max(1, round(track.fps / 2))
    padded = np.pad(scale, reach, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    some = np.isfinite(windows).any(1)
    out = np.full(len(scale), np.nan)
    out[some] = np.nanmedian(windows[some], axis=1)
    return out


def person_segments(person_id: np.ndarray) -> np.ndarray:
    """Numbers of the runs of one person: int64 [T]; a frame with nobody (-1) belongs to the run before it."""
    shown = np.where(person_id >= 0, np.arange(len(person_id)), -1)
    last = np.maximum.accumulate(shown)
    held = np.where(last >= 0, person_id[np.maximum(last, 0)], -1)
    return np.concatenate([[0], np.cumsum(held[1:] != held[:-1])]) if len(held) else np.zeros(0, np.int64)
