"""Hands: named finger poses, and the finger joints' rotations for them."""

from __future__ import annotations

import numpy as np

from stages.synthetic.character import Character
from stages.synthetic.rotation import about, unit

# degrees; thumb: across the palm, away from it, two bends; index, middle, ring, little: knuckle and outer bend; spread
FINGER_POSES: dict[str, tuple[float, ...]] = {
    "relaxed": (8, 0, 10, 14, 14, 20, 18, 24, 22, 28, 26, 32, 2),
    "open": (0, 12, 2, 4, 2, 6, 2, 8, 4, 8, 6, 10, 6),
    "flat": (6, 0, 4, 6, 0, 2, 0, 2, 0, 2, 0, 4, 0),
    "cup": (14, 4, 8, 10, 26, 22, 28, 24, 30, 26, 32, 28, 3),
    "fist": (34, -6, 34, 42, 72, 88, 76, 92, 78, 92, 80, 90, 0),
    "point": (30, -4, 32, 36, 2, 4, 70, 90, 74, 92, 78, 90, 0),
    "spread": (-4, 26, 0, 2, -2, 2, -2, 2, -2, 2, 0, 4, 13),
    "pinch": (30, 0, 22, 24, 46, 44, 30, 34, 26, 32, 24, 30, 4),
    "thumbs up": (-6, 34, -6, -4, 74, 90, 76, 92, 78, 92, 80, 90, 0),
    "peace": (36, -6, 36, 40, 0, 2, -2, 2, 74, 90, 78, 88, 9),
}
_FOLLOWS = 0.62  # the last joint of a finger bends this share of its middle one


def finger_turns(character: Character, side: str, values_deg: np.ndarray) -> dict[str, np.ndarray]:
    """Rotations [T, 3, 3] of the 15 finger bones of one hand. values_deg f64 [T, 13] as in FINGER_POSES."""
    j = character.joint
    palm, towards_index = palm_axes(character, side)
    values = np.asarray(values_deg, float)
    out = {}
    for finger in range(1, 6):
        bases = [j(f"finger{finger}-{knuckle}.{side}") for knuckle in (1, 2, 3)]
        along = unit(bases[2] - bases[0])
        if finger == 1:
            inward = unit(np.cross(along, palm))
            outward = unit(np.cross(along, towards_index))
            bend = unit(np.cross(along, unit(0.6 * palm - towards_index)))
            out[f"finger1-1.{side}"] = about(inward, values[:, 0]) @ about(outward, values[:, 1])
            out[f"finger1-2.{side}"], out[f"finger1-3.{side}"] = about(bend, values[:, 2]), about(bend, values[:, 3])
            continue
        column = 4 + 2 * (finger - 2)
        axis = unit(np.cross(along, palm))
        fan = (3.4 - finger) * values[:, 12]  # towards the index side for the index, away for the little finger
        sideways = unit(np.cross(along, towards_index))
        out[f"finger{finger}-1.{side}"] = about(axis, values[:, column]) @ about(sideways, 0.6 * fan)
        out[f"finger{finger}-2.{side}"] = about(axis, values[:, column + 1])
        out[f"finger{finger}-3.{side}"] = about(axis, _FOLLOWS * values[:, column + 1])
    return out


def palm_axes(character: Character, side: str) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors at rest, f64 [3] each: out of the palm, and across it towards the index finger."""
    wrist = character.joint("wrist." + side)
    little, index = character.joint("finger5-1." + side) - wrist, character.joint("finger2-1." + side) - wrist
    palm = unit(np.cross(little, index)) * (1 if side == "L" else -1)
    across = index - little
    return palm, unit(across - palm * float(across @ palm))
