"""Bone lengths of a clip or a photo, and how a reference's bones compare with the driver's."""

from dataclasses import dataclass

import numpy as np

from stages.core.skeleton import BODY_INDEX, BODY_JOINTS, BONES

BONE_NAMES: tuple[str, ...] = tuple(name for name, _, _ in BONES)
BONE_INDEX: dict[str, int] = {name: index for index, name in enumerate(BONE_NAMES)}
PARENTS = np.array([BODY_INDEX[parent] for _, parent, _ in BONES])
CHILDREN = np.array([BODY_INDEX[child] for _, _, child in BONES])
# Bones whose ratio tells how large one person is beside the other (eyes and ears are too short to tell).
SIZE_BONES = ("spine", "left_clavicle", "right_clavicle", "left_upper_arm", "right_upper_arm", "left_forearm",
              "right_forearm", "left_thigh", "right_thigh", "left_shin", "right_shin")  # fmt: skip
LEG_BONES = ("left_thigh", "right_thigh", "left_shin", "right_shin")

# Our choice, as natural logarithms: adults' proportions differ by 8 %; one photo measures a bone to 7 % when it is well
# seen; nobody's bone is more than a third off the proportions of another's.
_PROPORTION_SPREAD = 0.08
_PHOTO_SPREAD = 0.07
_MOST_OFF = 0.3
_LEAST_TRUST = 0.25


@dataclass(frozen=True)
class BoneLengths:
    """Lengths of the 24 bones of BONES, left and right averaged.

    length_m  float64 [24]   NaN where never seen
    trust_01  float64 [24]   0 = never seen, 1 = well seen
    """

    length_m: np.ndarray
    trust_01: np.ndarray


def lift_joints(joints_px, joints_m, transl_m, K_px):
    """Return the joints in the camera frame, projecting exactly onto what was seen: float64 [T, 25, 3], metres.

    joints_px float [T, 25, 2], joints_m float [T, 25, 3] pelvis-centred, transl_m float [T, 3], K_px float [3, 3]
    Depth comes from the 3D joints, position from the picture; NaN where either is missing or behind the camera.
    """
    K_px = np.asarray(K_px, np.float64)
    depth = np.asarray(joints_m, np.float64)[..., 2] + np.asarray(transl_m, np.float64)[:, None, 2]
    depth = np.where(depth > 0.05, depth, np.nan)
    across = (np.asarray(joints_px, np.float64) - K_px[:2, 2]) / [K_px[0, 0], K_px[1, 1]]
    return np.concatenate([across * depth[..., None], depth[..., None]], axis=-1)


def measure_bones(points_m, weight):
    """Return the BoneLengths of a clip: the weighted median over its frames, left and right averaged.

    points_m  float [T, 25, 3]   camera frame, metres; NaN = not measured
    weight    float [T, 25]      score, 0 = do not use
    A bone counts in a frame with the smaller score of its ends, less when it points along the line of sight, because
    depth is the least certain axis. Source: paper section 3.4 (proportions); the statistics are our choice.
    """
    points_m, weight = np.asarray(points_m, np.float64), np.nan_to_num(np.asarray(weight, np.float64))
    bone = points_m[:, CHILDREN] - points_m[:, PARENTS]
    length = np.linalg.norm(bone, axis=-1)
    flat = np.linalg.norm(bone[..., :2], axis=-1) ** 2 / np.maximum(length, 1e-9) ** 2
    frame_weight = np.minimum(weight[:, CHILDREN], weight[:, PARENTS]) * (0.2 + 0.8 * flat)
    frame_weight = np.where(np.isfinite(length) & (length > 1e-6), frame_weight, 0.0)
    total = frame_weight.sum(0)
    median = np.array([_weighted_median(length[:, b], frame_weight[:, b]) for b in range(len(BONES))])
    trust = np.clip(total / max(1, min(len(points_m), 8)), 0.0, 1.0)
    length_m, trust_01 = median.copy(), trust.copy()
    for index, name in enumerate(BONE_NAMES):
        twin = BONE_INDEX.get(_twin(name), index)
        pair_trust = trust[[index, twin]]
        if twin != index and pair_trust.sum() > 0:
            length_m[index] = np.nansum(median[[index, twin]] * pair_trust) / pair_trust.sum()
            trust_01[index] = pair_trust.max()
    return BoneLengths(length_m, trust_01)


def compare_bones(reference, driver, *, spread=_PHOTO_SPREAD):
    """Return ratio float64 [24] (reference / driver, bone by bone) and overall float (one person beside the other).

    reference, driver  BoneLengths
    spread             error of one well seen measurement, as a share; smaller follows the measurement more closely
    A bone that either side does not show takes the overall ratio; where no bone of both is seen everything is 1.
    Source: our choice. Each measured ratio is pulled towards the overall one as far as its own error asks for
    (Gaussian prior on proportions), because a single photo measures a bone only roughly.
    """
    trust = np.sqrt(reference.trust_01 * driver.trust_01)
    with np.errstate(invalid="ignore", divide="ignore"):
        log_ratio = np.log(reference.length_m / driver.length_m)
    usable = np.isfinite(log_ratio) & (trust >= _LEAST_TRUST)
    size = usable & np.isin(BONE_NAMES, SIZE_BONES)
    if not size.any():
        return np.ones(len(BONES)), 1.0
    overall = _weighted_median(log_ratio[size], (trust * driver.length_m)[size])
    error = spread / np.maximum(trust, 1e-6)
    keep = np.where(usable, _PROPORTION_SPREAD**2 / (_PROPORTION_SPREAD**2 + error**2), 0.0)
    off = np.clip(np.where(usable, log_ratio - overall, 0.0), -_MOST_OFF, _MOST_OFF)
    return np.exp(overall + keep * off), float(np.exp(overall))


def group_ratio(ratio, driver, names):
    """Return the ratio of the summed lengths of some bones (a leg, an arm), float; 1 when none was measured."""
    index = [BONE_INDEX[name] for name in names]
    length = np.nan_to_num(driver.length_m[index]) * (driver.trust_01[index] > 0)
    return float((ratio[index] * length).sum() / length.sum()) if length.sum() > 0 else 1.0


def flat_lengths(joints_px, joint_score):
    """Return the BoneLengths of a picture of an upright A-pose facing the camera; the unit is its own size, not metres.

    joints_px float [25, 2], joint_score float [25]
    Source: paper section 3.4: a 2D pose model measures proportions in standard A-poses. The unit is our choice: the
    mean of shoulder width, spine and upper arms.
    """
    points = np.concatenate([np.asarray(joints_px, np.float64), np.zeros((len(BODY_JOINTS), 1))], axis=-1)[None]
    found = measure_bones(points, np.asarray(joint_score, np.float64)[None])
    unit = np.array([found.length_m[BONE_INDEX[n]] for n in ("spine", "left_clavicle", "left_upper_arm")])
    if not np.isfinite(unit).any():
        return BoneLengths(np.full(len(BONES), np.nan), np.zeros(len(BONES)))
    return BoneLengths(found.length_m / np.nanmean(unit), found.trust_01)


def _twin(name):
    """left_x <-> right_x; other names stay."""
    side, _, rest = name.partition("_")
    return {"left": "right_" + rest, "right": "left_" + rest}.get(side, name)


def _weighted_median(values, weight):
    """The value at which half of the weight is reached; NaN without weight."""
    keep = (weight > 0) & np.isfinite(values)
    if not keep.any():
        return np.nan
    order = np.argsort(values[keep])
    share = np.cumsum(weight[keep][order])
    return float(values[keep][order][np.searchsorted(share, 0.5 * share[-1])])
