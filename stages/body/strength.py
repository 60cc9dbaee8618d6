"""Motion made less or more than the driver's, about the reference: 0 = as in the photo, 1 = as the driver, 2 = twice.

Our own; the paper has no strengths. Bones turn about where the reference shows them, heads about the reference's head,
so that a strength of 0 is a lock: that part stands still as in the photo.
"""

from dataclasses import replace

import numpy as np

from stages.body.lengths import CHILDREN, PARENTS
from stages.body.place import Performance
from stages.core.geometry import matrix_to_rotvec, project_px, rotvec_to_matrix
from stages.core.skeleton import BODY_INDEX

_NECK, _PELVIS = BODY_INDEX["neck"], BODY_INDEX["pelvis"]
_WRISTS = (BODY_INDEX["left_wrist"], BODY_INDEX["right_wrist"])


def head_turns(R_cam_head, R_reference, strength: float):
    """Return rotations float [T, 3, 3] `strength` times as far from the reference's as they are, about the same axis.

    R_cam_head float [T, 3, 3], NaN stays NaN;  R_reference float [3, 3], NaN = not known: everything stays as it is
    """
    R_cam_head, R_reference = np.asarray(R_cam_head, np.float64), np.asarray(R_reference, np.float64)
    if strength == 1.0 or not np.isfinite(R_reference).all():
        return R_cam_head
    turn = matrix_to_rotvec(R_reference.T @ R_cam_head)
    return R_reference @ rotvec_to_matrix(strength * turn)


def body_motion(act: Performance, still: Performance, strength: float, head_strength: float = 1.0) -> Performance:
    """Return the performance with `strength` times the motion of body and hands away from the reference's pose.

    act    before the reference's camera, in px of its picture (`perform` with framing "reference", or the driver's own)
    still  the reference in the same px, one frame
    Bones: each turns `strength` times as far from the reference's direction as the driver's does, about the same axis;
    where the reference does not show a bone, from the driver's direction at the aligned frame. Lengths go from the
    reference's to the driver's between 0 and 1. The pelvis (without it the neck) goes `strength` times as far from the
    reference's place. Hands and the head's place on its neck are between both (0..1; the head by `head_strength`).
    At 0 body and hands are exactly the reference's. Feet that the driver plants may slide at other strengths than 1.
    """
    if strength == 1.0 and head_strength == 1.0:
        return act
    share = float(np.clip(strength, 0.0, 1.0))
    points = _points(act, still, strength) if strength != 1.0 else act.points_m
    joints_px = project_px(points, act.K_px)
    drawn = act.drawn & np.isfinite(joints_px).all(-1)
    hands_px, hands_drawn = _hands(act, still, joints_px, share)
    if strength == 0.0:
        frames, somebody = len(act.drawn), act.drawn.any(1, keepdims=True)
        points, joints_px, drawn, hands_px, hands_drawn = (
            np.repeat(array[:1], frames, 0)
            for array in (still.points_m, still.joints_px, still.drawn, still.hands_px, still.hands_drawn)
        )
        drawn, hands_drawn = drawn & somebody, hands_drawn & somebody  # who is away stays away
    head_px, radius_px = _head(act, still, points, joints_px, share, float(np.clip(head_strength, 0.0, 1.0)))
    return replace(
        act,
        points_m=points,
        joints_px=joints_px,
        drawn=drawn,
        hands_px=hands_px,
        hands_drawn=hands_drawn,
        head_px=head_px,
        head_radius_px=radius_px,
    )


def _points(act, still, strength):
    """Joints float64 [T, 25, 3] by bones from the anchor on; see `body_motion`."""
    points, rest, rest_known = act.points_m, still.points_m[0], still.drawn[0] & np.isfinite(still.points_m[0]).all(-1)
    aligned = points[max(act.frame, 0)]
    anchor = _PELVIS if rest_known[_PELVIS] and np.isfinite(points[:, _PELVIS]).all(-1).any() else _NECK
    placed = points[np.isfinite(points[:, anchor]).all(-1), anchor]
    if not len(placed):
        return points
    home = next((p for p in (rest[anchor], aligned[anchor]) if np.isfinite(p).all()), placed[0])
    out = np.full_like(points, np.nan)
    out[:, anchor] = home + strength * (points[:, anchor] - home)
    share = min(max(strength, 0.0), 1.0)
    ends = [(parent, child) for parent, child in zip(PARENTS.tolist(), CHILDREN.tolist(), strict=True)]
    if anchor == _NECK:  # the spine is gone along upwards
        ends = [(child, parent) if (parent, child) == (_PELVIS, _NECK) else (parent, child) for parent, child in ends]
    for parent, child in ends:
        bone = points[:, child] - points[:, parent]
        shown = rest_known[parent] and rest_known[child]
        home = rest[child] - rest[parent] if shown else aligned[child] - aligned[parent]
        if np.isfinite(home).all():
            length = np.linalg.norm(bone, axis=-1)
            length = (1 - share) * np.linalg.norm(home) + share * length if shown else length
            bone = _turned(home, bone, strength) * length[:, None]
        out[:, child] = out[:, parent] + bone
    # a joint above which the driver shows nothing goes with the anchor
    lost = ~np.isfinite(out) & np.isfinite(points)
    return np.where(lost, points + (out[:, anchor] - points[:, anchor])[:, None], out)


def _turned(home, bone, strength):
    """Unit vectors [T, 3] `strength` times as far from `home` [3] as `bone` [T, 3] is."""
    start = home / np.linalg.norm(home)
    end = bone / np.maximum(np.linalg.norm(bone, axis=-1, keepdims=True), 1e-9)
    axis = np.cross(start, end)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(sine[:, 0], end @ start)
    turn = axis / np.maximum(sine, 1e-9) * (np.clip(strength * angle, -np.pi, np.pi))[:, None]
    return np.einsum("tij,j->ti", rotvec_to_matrix(turn), start)


def _hands(act, still, joints_px, share):
    """Hands hung on the new wrists, between the reference's and the driver's."""
    out = np.full_like(act.hands_px, np.nan)
    for hand, wrist in enumerate(_WRISTS):
        offset = act.hands_px[:, hand] - act.joints_px[:, wrist, None]
        if still.hands_drawn[0, hand]:
            rest = still.hands_px[0, hand] - still.joints_px[0, wrist]
            offset = np.where(np.isfinite(rest), (1 - share) * rest + share * offset, offset)
        out[:, hand] = joints_px[:, wrist, None] + offset
    return out, act.hands_drawn & np.isfinite(out).all((2, 3))


def _head(act, still, points, joints_px, share, head_share):
    """Head's middle [T, 2] and radius [T] on the moved neck, as large as it is at that depth."""
    with np.errstate(invalid="ignore", divide="ignore"):
        zoom = act.points_m[:, _NECK, 2] / points[:, _NECK, 2]
        rest_zoom = still.points_m[0, _NECK, 2] / points[:, _NECK, 2]
    offset = (act.head_px - act.joints_px[:, _NECK]) * zoom[:, None]
    rest = (still.head_px[0] - still.joints_px[0, _NECK]) * rest_zoom[:, None]
    placed = joints_px[:, _NECK] + np.where(np.isfinite(rest), (1 - head_share) * rest + head_share * offset, offset)
    alone = still.head_px[0] + share * (act.head_px - still.head_px[0])  # no neck anywhere
    center = np.where(np.isfinite(placed), placed, np.where(np.isfinite(alone), alone, act.head_px))
    center[~np.isfinite(act.head_px).all(-1)] = np.nan
    size = np.log(act.head_radius_px * np.where(np.isfinite(zoom), zoom, 1.0))
    rest_size = np.log(still.head_radius_px[0] * np.where(np.isfinite(rest_zoom), rest_zoom, 1.0))
    return center, np.exp(np.where(np.isfinite(rest_size), (1 - share) * rest_size + share * size, size))
