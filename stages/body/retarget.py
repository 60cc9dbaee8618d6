"""The driver's motion on the reference's bones: same directions, other lengths, feet where they stood."""

from dataclasses import dataclass

import numpy as np

from stages.body.lengths import CHILDREN, PARENTS
from stages.core.skeleton import BODY_INDEX, BONES

ROOT = BODY_INDEX["pelvis"]
NECK = BODY_INDEX["neck"]
_FEET = (("left_ankle", "left_heel", "left_big_toe"), ("right_ankle", "right_heel", "right_big_toe"))


@dataclass(frozen=True)
class GroundParams:
    """When a foot counts as planted. All values are our choice.

    height_m   above the floor, measured from the driver
    speed_m_s  slower than this
    smooth_s   the correction of the root changes no faster than a Gaussian of this width
    """

    height_m: float = 0.06
    speed_m_s: float = 0.6
    smooth_s: float = 0.08


def steady_skeleton(points_m, length_m):
    """Return the joints float64 [T, 25, 3] moved along their lines of sight until every bone has its one length.

    points_m  float [T, 25, 3]  camera frame (camera at the origin), metres; NaN = not measured
    length_m  float [24]        one length a bone for the whole clip; NaN leaves the bone as it is
    A joint stays on its pixel: of the two places at the right distance from its parent the one nearer to the measured
    depth is taken; a bone seen longer than its length is shortened in its direction. Source: our choice, because the
    depth of a network is far less certain than the pixel.
    """
    points = np.array(points_m, np.float64)
    measured = points.copy()
    for bone in _tree_order():
        parent, child, length = PARENTS[bone], CHILDREN[bone], length_m[bone]
        base, ray = points[:, parent], measured[:, child]
        ray = ray / np.linalg.norm(ray, axis=-1, keepdims=True)
        along = np.einsum("ti,ti->t", ray, base)
        gap2 = length**2 - (np.einsum("ti,ti->t", base, base) - along**2)
        half = np.sqrt(np.maximum(gap2, 0.0))
        wanted = np.einsum("ti,ti->t", ray, measured[:, child])
        nearer = np.abs(along - half - wanted) < np.abs(along + half - wanted)
        place = (along + np.where(nearer, -half, half))[:, None] * ray
        step = place - base
        place = base + step * (length / np.maximum(np.linalg.norm(step, axis=-1), 1e-9))[:, None]
        usable = np.isfinite(place).all(-1)
        points[:, child] = np.where(usable[:, None], place, measured[:, child])
    return points


def retarget_skeleton(points_m, target_m, fallback_ratio=1.0):
    """Return the joints float64 [T, 25, 3] with every bone of the target's length and the driver's direction.

    points_m        float [T, 25, 3]  driver, metres, any origin; NaN = not measured
    target_m        float [24]        wanted lengths; NaN keeps the driver's length times fallback_ratio
    fallback_ratio  float             also used from the nearest measured ancestor on where a parent is not measured
    The pelvis stays; where it is not measured, the neck. Bones with both ends measured get their length exactly.
    """
    points = np.asarray(points_m, np.float64)
    out = np.full_like(points, np.nan)
    seen = np.isfinite(points).all(-1)
    for start in (ROOT, NECK):
        free = seen[:, start] & ~(seen[:, ROOT] & (start == NECK))
        out[free, start] = points[free, start]
    frames = np.arange(len(points))
    parent_of = dict(zip(CHILDREN.tolist(), PARENTS.tolist(), strict=True))
    for bone in _tree_order():
        parent, child = PARENTS[bone], CHILDREN[bone]
        above = _nearest_placed(out, parent_of, parent)
        todo = seen[:, child] & (above >= 0) & np.isnan(out[:, child]).all(-1)
        step = points[:, child] - points[frames, np.maximum(above, 0)]
        length = np.linalg.norm(step, axis=-1)
        scale = np.full(len(points), float(fallback_ratio))
        if np.isfinite(target_m[bone]):
            exact = (above == parent) & (length > 1e-9)
            scale = np.where(exact, target_m[bone] / np.where(exact, length, 1.0), scale)
        placed = out[frames, np.maximum(above, 0)] + step * scale[:, None]
        out[todo, child] = placed[todo]
    return out


def ground_contact(points_m, fps, params=None):
    """Return how firmly each foot stands, float64 [T, 2] 0..1 (left, right); 0 where it is not measured.

    points_m  float [T, 25, 3]  driver, camera frame, metres, y down; pass NaN for joints that are not seen
    The floor is a line y = a + b z through the lowest feet of the clip (the camera may look down on it).
    """
    params = params or GroundParams()
    foot = np.stack([_foot(points_m, names) for names in _FEET], axis=1)
    contact = np.zeros(foot.shape[:2])
    seen = np.isfinite(foot).all(-1)
    if len(points_m) < 3 or not seen.any():
        return contact
    floor = _floor(foot[seen])
    height = floor[0] + floor[1] * foot[..., 2] - foot[..., 1]
    speed = np.stack([_speed(foot[:, side], fps) for side in (0, 1)], axis=1)
    low = np.clip(1.5 - np.nan_to_num(height, nan=9.0) / params.height_m, 0.0, 1.0)
    slow = np.clip(1.5 - np.nan_to_num(speed, nan=99.0) / params.speed_m_s, 0.0, 1.0)
    return np.where(seen, low * slow, 0.0)


def plant_feet(driver_m, moved_m, scale, contact, fps, params=None):
    """Return the shift float64 [T, 3] of the retargeted body that puts planted feet where the scaled driver's stand.

    driver_m  float [T, 25, 3]  the driver;  moved_m  float [T, 25, 3]  retargeted, its pelvis at scale * the driver's
    scale     float             of the driver's path (the legs' ratio)
    contact   float [T, 2]      from `ground_contact`
    Between contacts the shift is interpolated; without any contact it is 0.
    """
    params = params or GroundParams()
    shifts = np.zeros((len(driver_m), 3))
    gap = np.stack([scale * _foot(driver_m, names) - _foot(moved_m, names) for names in _FEET], axis=1)
    weight = np.where(np.isfinite(gap).all(-1), contact, 0.0)
    total = weight.sum(1)
    firm = total > 0.3
    if not firm.any():
        return shifts
    mean = (np.nan_to_num(gap) * weight[..., None]).sum(1) / np.where(total > 0, total, 1.0)[:, None]
    frames = np.arange(len(driver_m))
    for axis in range(3):
        shifts[:, axis] = np.interp(frames, frames[firm], mean[firm, axis])
    return _gaussian(shifts, params.smooth_s * fps)


def _tree_order():
    """Bones, parents first; BONES is in that order already (a test checks it)."""
    return range(len(BONES))


def _nearest_placed(out, parent_of, joint):
    """For each frame the nearest joint above `joint` (it included) that has a place, -1 if none. int [T]"""
    found = np.full(len(out), -1)
    while joint is not None:
        found = np.where((found < 0) & np.isfinite(out[:, joint]).all(-1), joint, found)
        joint = parent_of.get(joint)
    return found


def _foot(points_m, names):
    """Middle of the measured points of one foot, [T, 3]; NaN without any."""
    points = np.asarray(points_m, np.float64)[:, [BODY_INDEX[name] for name in names]]
    seen = np.isfinite(points).all(-1)
    total = seen.sum(1)
    return np.where(seen[..., None], points, 0.0).sum(1) / np.where(total > 0, total, np.nan)[:, None]


def _floor(feet_m):
    """The line y = a + b z under feet [N, 3]: a fit to the lower envelope, by asymmetric weights."""
    design = np.c_[np.ones(len(feet_m)), feet_m[:, 2] - feet_m[:, 2].mean()]
    level, slope = float(np.quantile(feet_m[:, 1], 0.9)), 0.0
    for _ in range(12):
        above = level + slope * design[:, 1] - feet_m[:, 1]  # > 0 where the foot is over the line
        weight = np.where(above < 0.02, 1.0, 0.02 / (1.0 + (above / 0.05) ** 2))
        normal = (design * weight[:, None]).T @ design
        normal[1, 1] += 0.05 * weight.sum()  # a level floor unless depth says otherwise
        level, slope = np.linalg.solve(normal, (design * weight[:, None]).T @ feet_m[:, 1])
    return level - slope * feet_m[:, 2].mean(), slope


def _speed(path_m, fps):
    """Speed over two frames, m/s, [T]."""
    speed = np.full(len(path_m), np.nan)
    speed[1:-1] = np.linalg.norm(path_m[2:] - path_m[:-2], axis=-1) * fps / 2.0
    speed[0], speed[-1] = speed[1], speed[-2]
    return speed


def _gaussian(values, sigma):
    """Values [T, D] smoothed along time; the ends are repeated."""
    if sigma < 0.3:
        return values
    reach = int(np.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    return np.stack([np.convolve(padded[:, axis], kernel, mode="valid") for axis in range(values.shape[1])], axis=1)
