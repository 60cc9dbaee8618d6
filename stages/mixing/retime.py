"""A driver's signals at the moments of another clip: places on its own clock, and values between two frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.core.geometry import matrix_to_rotvec, rotvec_to_matrix

BEYOND = ("hold", "loop", "cut")
_EXACT = 1e-6  # frames; nearer than this to a frame is that frame, so that an unchanged clock copies exactly


@dataclass(frozen=True)
class Clock:
    """When a driver does what the clip shows.

    offset_s  second of the driver that stands at the clip's beginning; may be negative (it then begins later)
    speed     seconds of the driver for each of the clip's; more than 0
    beyond    where the driver has ended or not begun: hold its last or first frame, loop, or cut (there is nothing)
    """

    offset_s: float = 0.0
    speed: float = 1.0
    beyond: str = "hold"

    def places(self, frames: int, fps: float, driver_frames: int, driver_fps: float) -> np.ndarray:
        """Places float64 [frames] on the driver's frames 0 .. driver_frames - 1; NaN where there is nothing."""
        place = (self.offset_s + self.speed * np.arange(frames) / fps) * driver_fps
        near = np.rint(place)
        place = np.where(np.abs(place - near) < _EXACT, near, place)
        last = driver_frames - 1
        if self.beyond == "loop":
            # the last frame lasts as long as any other, then comes the first: in between the last is held
            return np.minimum(np.mod(place, driver_frames), last)
        if self.beyond == "cut":
            return np.where((place >= 0) & (place < driver_frames), np.minimum(place, last), np.nan)
        return np.clip(place, 0, last)


def blend(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Values float [N, ...] at places float [T], linear between frames; NaN where the place is, or either frame."""
    low, high, share = _between(places, len(values))
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    first, second = values[low], values[high]
    out = np.where(share == 0, first, first + share * (second - first))
    out[~np.isfinite(places)] = np.nan
    return out.astype(values.dtype)


def blend_turns(R: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Rotations float [N, 3, 3] at places [T], along the shortest turn; frames without one are bridged, or held at the
    ends. float64 [T, 3, 3], NaN where the place is, or everywhere without any rotation."""
    known = np.flatnonzero(np.isfinite(R).all((1, 2)))
    out = np.full((len(places), 3, 3), np.nan)
    asked = np.isfinite(places)
    if not len(known):
        return out
    # places among the known frames only: what lies between two of them is bridged
    low, high, share = _between(np.interp(places[asked], known, np.arange(len(known))), len(known))
    start, end = np.asarray(R, np.float64)[known[low]], np.asarray(R, np.float64)[known[high]]
    turn = matrix_to_rotvec(np.swapaxes(start, 1, 2) @ end)
    out[asked] = np.where((share == 0)[:, None, None], start, start @ rotvec_to_matrix(turn * share[:, None]))
    return out


def nearest(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Values [N, ...] of the frame nearest to each place [T]; the first frame's where the place is NaN."""
    return values[np.rint(np.nan_to_num(places)).astype(int)]


def _between(places: np.ndarray, count: int):
    """(frame before, frame behind, share of the second) of places; a NaN place is frame 0."""
    places = np.nan_to_num(places)
    low = np.clip(np.floor(places).astype(int), 0, count - 1)
    return low, np.minimum(low + 1, count - 1), places - low
