"""What the shader reads at each corner of a triangle, f32 [F, 3, 4]; the meaning depends on the part's kind.

cloth   s and t in dm around and along the limb or trunk it covers (laid out as sewn pieces: sleeves, trunk, legs, so
        that patterns neither stretch on the flanks nor fail on sleeves), strength of cross folds, of hanging folds
hair    s and t in dm around and along the strands from the crown, distance from the root 0..1, unused
skin    hair roots on the scalp, beard, lips, freckles: strengths 0..1 painted on the base mesh
"""

from __future__ import annotations

import numpy as np

from stages.synthetic import raster
from stages.synthetic.landmarks import Landmarks
from stages.synthetic.parts import Part

LIMB_OFFSET_DM = 20.0  # keeps the s of limbs apart from that of the trunk, so that a print on the chest stays there
ARM_RADIUS_DM, TRUNK_RADIUS_DM, LEG_RADIUS_DM, HEAD_RADIUS_DM = 0.5, 1.35, 0.75, 0.9


def part_surface(part: Part, rest: np.ndarray, points: np.ndarray, marks: Landmarks) -> np.ndarray:
    """The channels of one part.

    rest    f32 [P, 3] its points at rest;  points  i32 [F, 3] point of each corner of each triangle
    """
    corners = rest[points].astype(np.float64)
    kind = part.material.kind
    if kind == raster.SKIN and part.paint is not None:
        return part.paint[points].astype(np.float32)
    if kind == raster.HAIR or (kind == raster.CUT_CLOTH and part.material.mask == "accessories"):
        return _around_head(corners, marks).astype(np.float32)
    if kind in (raster.CUT_CLOTH, raster.TEXTURED_CLOTH):
        return _sewn(corners, marks, hangs(part, rest, marks)).astype(np.float32)
    return np.zeros((len(points), 3, 4), np.float32)


def hangs(part: Part, rest: np.ndarray, marks: Landmarks) -> bool:
    """True for skirts, dresses and coats: cloth between the legs, well below the hip."""
    if part.material.mask != "cloth":
        return False
    low = rest[rest[:, 1] < marks.hip - 1.4]
    return bool(len(low) and (np.abs(low[:, 0]) < 0.25).mean() > 0.02)


def looseness(part: Part, rest: np.ndarray, marks: Landmarks) -> np.ndarray:
    """How far each point lags behind the body, f32 [P] 0..0.6: hair below the chin, hems below the hips."""
    y = rest[:, 1]
    if part.material.mask == "hair":
        length = np.clip((marks.chin - y) / 2.2, 0, 1)
        return (0.6 * length**0.8).astype(np.float32)
    if hangs(part, rest, marks):
        return (0.45 * np.clip((marks.hip - 0.5 - y) / 5.0, 0, 1)).astype(np.float32)
    return np.zeros(len(rest), np.float32)


def _bump(place: np.ndarray, centre: float, width: float) -> np.ndarray:
    return np.exp(-(((place - centre) / width) ** 2))


def _unwrapped(angle: np.ndarray) -> np.ndarray:
    """Angles f64 [F, 3] of a triangle's corners, on the same turn as the first corner."""
    return angle + 2 * np.pi * np.round((angle[:, :1] - angle) / (2 * np.pi))


def _around_head(corners: np.ndarray, marks: Landmarks) -> np.ndarray:
    centre = np.array([0.0, marks.eye[1] + 0.25, marks.head[2] + 0.25])
    out = corners - centre
    angle = _unwrapped(np.arctan2(out[..., 0], out[..., 2]))  # the seam is behind
    radius = np.linalg.norm(out, axis=-1)
    from_crown = np.arccos(np.clip(np.maximum(out[..., 1], 0) / (radius + 1e-9), -1, 1)) * HEAD_RADIUS_DM
    down = np.maximum(-out[..., 1], 0)
    root = np.clip((down + 0.5 * from_crown) / 2.5, 0, 1)
    return np.stack([angle * HEAD_RADIUS_DM, from_crown + down, root, np.zeros_like(root)], -1)


def _sewn(corners: np.ndarray, marks: Landmarks, hanging: bool) -> np.ndarray:
    """Cloth coordinates and folds, f64 [F, 3, 4]."""
    middle = corners.mean(1)
    side = np.where(middle[:, 0] >= 0, 1.0, -1.0)[:, None]
    place = corners * np.stack([side, np.ones_like(side), np.ones_like(side)], -1)  # as if on the left
    centre = place.mean(1)
    arm, leg = _arm(place, marks), _leg(place, marks)
    beside = centre[:, 0] - marks.shoulder[0]
    on_arm = (beside > 0) & (marks.shoulder[1] - centre[:, 1] < 1.2 * beside + 1.0)
    on_leg = (centre[:, 1] < marks.hip - 0.55) & ~on_arm & (not hanging)
    out = np.where(on_arm[:, None, None], arm, _trunk(corners, marks, hanging))
    out = np.where(on_leg[:, None, None], leg, out)
    seam = np.abs(np.abs(corners[..., 0]) - marks.shoulder[0]) / 0.4
    smooth = np.where(corners[..., 1] > marks.shoulder[1] - 2.0, np.clip(seam - 0.15, 0, 1), 1.0)
    out[..., 2:] *= smooth[..., None]  # folds would break at the seam of the sleeve
    limb = (on_arm | on_leg)[:, None]
    out[..., 0] = np.where(limb, out[..., 0] * side + LIMB_OFFSET_DM, out[..., 0])
    return out


def _trunk(corners: np.ndarray, marks: Landmarks, hanging: bool) -> np.ndarray:
    x, y, z = np.moveaxis(corners, -1, 0)
    angle = _unwrapped(np.arctan2(x, z - marks.trunk_z))
    below = np.clip((marks.hip + 0.6 - y) / 1.5, 0, 1)
    cross = 0.12 + 0.7 * _bump(y, marks.waist - 0.1, 0.75) * np.where(z > marks.trunk_z, 1.0, 0.8)
    armpit = _bump(np.abs(x), marks.shoulder[0] * 0.95, 0.6) * _bump(y, marks.shoulder[1] - 0.9, 0.9)
    cross = cross + 0.6 * armpit
    drape = 0.06 + 0.1 * _bump(y, marks.chest - 0.9, 0.9)
    if hanging:
        cross, drape = cross * (1 - 0.85 * below), drape + 0.9 * below
    return np.stack([angle * TRUNK_RADIUS_DM, y, cross, drape], -1)


def _arm(place: np.ndarray, marks: Landmarks) -> np.ndarray:
    """Along the upper arm, then along the forearm, so that the coordinates follow a bent arm."""
    upper, lower = marks.elbow - marks.shoulder, marks.wrist - marks.elbow
    length = np.linalg.norm(upper)
    beyond = ((place.mean(1) - marks.elbow) @ (upper / length + lower / np.linalg.norm(lower)) > 0)[:, None]
    axis = np.where(beyond, lower / np.linalg.norm(lower), upper / length)
    start = np.where(beyond, marks.elbow, marks.shoulder)
    front = np.cross(axis, np.array([0.0, 1.0, 0.0]))
    front /= np.linalg.norm(front, axis=1, keepdims=True)
    above = np.cross(front, axis)
    out = place - start[:, None]
    angle = _unwrapped(np.arctan2((out * front[:, None]).sum(-1), (out * above[:, None]).sum(-1)))
    along = (out * axis[:, None]).sum(-1) + np.where(beyond, length, 0.0)
    reach = length + np.linalg.norm(lower)
    cross = 0.2 + 0.9 * _bump(along, length, 0.75) + 0.45 * _bump(along, 0.1, 0.7) + 0.5 * _bump(along, reach, 0.5)
    return np.stack([angle * ARM_RADIUS_DM, marks.shoulder[1] - along, cross, np.full_like(cross, 0.12)], -1)


def _leg(place: np.ndarray, marks: Landmarks) -> np.ndarray:
    share = np.clip((marks.hip - place[..., 1]) / (marks.hip - marks.ankle), 0, 1)
    x0 = marks.thigh[0] + share * (marks.foot[0] - marks.thigh[0])
    z0 = marks.thigh[2] + share * (marks.foot[2] - marks.thigh[2])
    angle = _unwrapped(np.arctan2(place[..., 0] - x0, place[..., 2] - z0))
    y = place[..., 1]
    cross = 0.2 + 0.8 * _bump(y, marks.knee, 0.8) + 0.6 * _bump(y, marks.hip - 0.6, 0.8)
    cross = cross + 0.7 * _bump(y, marks.ankle + 0.3, 0.8)
    return np.stack([angle * LEG_RADIUS_DM, y, cross, np.full_like(y, 0.15)], -1)
