"""Figures and Markdown tables of extract-pose against exact truth, for bench_extraction.py."""

import numpy as np
from extraction_truth import head_turn_deg, mean_turn_deg

from stages.core.face68 import FACE68_GROUPS, OUTER_EYE_CORNERS
from stages.core.geometry import rotation_angle_deg, similarity_fit
from stages.core.skeleton import BODY_INDEX, BODY_JOINTS, HAND_JOINTS

VIEWS = {
    "front, 0-30": (0, 30),
    "three-quarter, 30-60": (30, 60),
    "side, 60-120": (60, 120),
    "back, 120-180": (120, 181),
}
HEAD_BINS = {"0-20": (0, 20), "20-45": (20, 45), "45-70": (45, 70), "over 70": (70, 181)}
FRONT_DEG, FRONTAL_FACE_DEG = 30, 45
_LEAST_ALIGNED = 6


def figures(pairs):
    """Every figure of the tables as nested dicts of numbers; None where nothing was there to measure."""
    framings = {name: pairs.take(pairs.framing == name) for name in dict.fromkeys(pairs.framing.tolist())}
    views = {
        name: pairs.take((pairs.torso_deg >= low) & (pairs.torso_deg < high)) for name, (low, high) in VIEWS.items()
    }
    turn = head_turn_deg(pairs.true_head_R)
    heads = {name: pairs.take((turn >= low) & (turn < high)) for name, (low, high) in HEAD_BINS.items()}
    result = {
        "frames": len(pairs), "size": sorted(set(pairs.size.tolist())),
        "framing": {name: _overview(part) for name, part in framings.items()},
        "view": {name: _overview(part) for name, part in views.items() if len(part)},
        "joint": {name: _joint(pairs, framings, at) for at, name in enumerate(BODY_JOINTS)},
        "head": {name: _head(part) for name, part in heads.items() if len(part)},
        "hand": {name: _hand_joint(pairs, at) for at, name in enumerate(HAND_JOINTS)},
        "hands": {name: _hands(part) for name, part in framings.items()},
    }  # fmt: skip
    if np.isfinite(pairs.true_face).any():
        result["face"] = {name: _face(part) for name, part in {**framings, **heads}.items() if len(part)}
    return result


def joint_error_percent(pairs):
    """2D error of every joint in percent of the person's height [N,25]; NaN where it was not measured."""
    return 100.0 * np.linalg.norm(pairs.found_joints - pairs.true_joints, axis=-1) / pairs.height_px[:, None]


def head_error_deg(pairs):
    """Angle between true and found rotation of the head [N]; NaN where none was found."""
    return rotation_angle_deg(pairs.true_head_R, pairs.found_head_R)


def joint_error_mm(pairs, *, aligned):
    """Mean 3D error of the seen joints of each frame, mm [N]: with the pelvis at 0, or after the best similarity."""
    out = np.full(len(pairs), np.nan)
    for row in range(len(pairs)):
        true, found = pairs.true_joints_m[row].astype(float), pairs.found_joints_m[row].astype(float)
        seen = pairs.visible[row] & pairs.found_joint_valid[row] & np.isfinite(found).all(-1)
        if seen.sum() < _LEAST_ALIGNED:
            continue
        if aligned:
            scale, rotation, shift = similarity_fit(found[seen], true[seen])
            found = scale * found @ rotation.T + shift
        out[row] = 1000.0 * np.linalg.norm(found - true, axis=-1)[seen].mean()
    return out


def _overview(pairs):
    error, seen = joint_error_percent(pairs), pairs.visible & pairs.found_joint_valid
    hidden = pairs.inside & ~pairs.visible
    px = error * pairs.height_px[:, None] / 100.0
    turned, radius = head_error_deg(pairs), pairs.true_head_radius
    off = np.linalg.norm(pairs.found_head_center - pairs.true_head_center, axis=-1) / radius
    return {
        "frames": len(pairs), "height_px": _median(pairs.height_px), "present": _share(pairs.present),
        "joints_found": _share(seen[pairs.visible]), "false_joints": _share(pairs.found_joint_valid[~pairs.inside]),
        "mean_percent": _mean(error[seen]), **_spread("percent", error[seen]), **_spread("px", px[seen]),
        **_spread("hidden_percent", error[hidden]), **_spread("pelvis_mm", joint_error_mm(pairs, aligned=False)),
        **_spread("aligned_mm", joint_error_mm(pairs, aligned=True)), **_spread("head_deg", turned),
        "heads": _share(np.isfinite(turned)), "faces": _share(pairs.face_valid),
        **_spread("center_percent", 100 * off),
        **_spread("radius_percent", 100 * np.abs(pairs.found_head_radius / radius - 1)),
        "radius_offset_percent": _median(100 * (pairs.found_head_radius / radius - 1)),
    }  # fmt: skip


def _joint(pairs, framings, at):
    """One body joint: errors where it is seen and where it is hidden; its constant offset on bodies seen in front."""
    result = {}
    for name, part in {**framings, "all": pairs}.items():
        error, visible = joint_error_percent(part)[:, at], part.visible[:, at]
        seen = visible & part.found_joint_valid[:, at]
        result[name] = {"frames": int(visible.sum()), "found": _share(seen[visible]), **_spread("percent", error[seen])}
    error = joint_error_percent(pairs)[:, at]
    seen = pairs.visible[:, at] & pairs.found_joint_valid[:, at]
    px = error * pairs.height_px / 100.0
    hidden = pairs.inside[:, at] & ~pairs.visible[:, at]
    outwards, down = _offset_percent(pairs.take(seen & (pairs.torso_deg < FRONT_DEG)), at)
    unseen = {"frames": int(hidden.sum()), **_spread("percent", error[hidden])}
    offset = {"outwards_percent": outwards, "down_percent": down}
    return {**result, **_spread("px", px[seen]), "hidden": unseen, **offset}


def _offset_percent(pairs, at):
    """Median offset of a joint away from the middle of the body, and down along it, percent of the height.

    Outwards is to the joint's own side (to the person's left for joints in the middle).
    """
    error = 100.0 * (pairs.found_joints[:, at] - pairs.true_joints[:, at]) / pairs.height_px[:, None]
    neck, pelvis = pairs.true_joints[:, BODY_INDEX["neck"]], pairs.true_joints[:, BODY_INDEX["pelvis"]]
    down = (pelvis - neck) / np.linalg.norm(pelvis - neck, axis=1, keepdims=True)
    left = np.stack([down[:, 1], -down[:, 0]], 1)
    side = -1.0 if BODY_JOINTS[at].startswith("right") else 1.0
    return _median(side * (error * left).sum(1)), _median((error * down).sum(1))


def _head(pairs):
    """Heads of one range of yaw: error, what was believed, and the constant turn between the two rotations."""
    turned = head_error_deg(pairs)
    offset = mean_turn_deg(np.swapaxes(pairs.true_head_R, 1, 2) @ pairs.found_head_R)
    sources = {name: _share(pairs.head_source == code) for code, name in ((1, "from_face"), (2, "from_body"))}
    off = np.linalg.norm(pairs.found_head_center - pairs.true_head_center, axis=-1) / pairs.true_head_radius
    return {
        "frames": len(pairs),
        "heads": _share(np.isfinite(turned)),
        **sources,
        **_spread("deg", turned),
        "offset_deg": [_number(value) for value in offset],
        **_spread("center_percent", 100 * off),
        **_spread("radius_percent", 100 * np.abs(pairs.found_head_radius / pairs.true_head_radius - 1)),
    }


def _hand_errors(pairs):
    """Errors of hand points in percent of the height [N,2,21], and which are seen and found."""
    off = np.linalg.norm(pairs.found_hands - pairs.true_hands, axis=-1)
    seen = pairs.hand_visible & pairs.found_hand_valid[..., None]
    return 100.0 * off / pairs.height_px[:, None, None], seen


def _hand_joint(pairs, at):
    error, seen = _hand_errors(pairs)
    return {"seen": int(seen[..., at].sum()), **_spread("percent", error[..., at][seen[..., at]])}


def _hands(pairs):
    """Hands of a framing: how many of those well seen were found, their error, and how many lie on the other hand."""
    error, seen = _hand_errors(pairs)
    shown = pairs.hand_visible.mean(-1) >= 0.5
    found = shown & pairs.found_hand_valid
    own = np.linalg.norm(pairs.found_hands - pairs.true_hands, axis=-1).mean(-1)
    other = np.linalg.norm(pairs.found_hands - pairs.true_hands[:, ::-1], axis=-1).mean(-1)
    swapped = pairs.found_hand_valid & (other < 0.5 * own)
    return {"shown": int(shown.sum()), "found": _share(found[shown]), **_spread("percent", error[seen]),
            "false": _share(pairs.found_hand_valid[pairs.hand_visible.sum(-1) == 0]),
            "swapped": _share(swapped[pairs.found_hand_valid])}  # fmt: skip


def _face(pairs):
    """Errors of the seen face points in percent of the head's radius, which a turned head keeps, and of the distance
    between the outer corners of the eyes, the usual unit, of faces turned by less than 45 degrees.
    """
    error = 100.0 * np.linalg.norm(pairs.found_face - pairs.true_face, axis=-1) / pairs.true_head_radius[:, None]
    corners = pairs.true_face[:, OUTER_EYE_CORNERS[0]] - pairs.true_face[:, OUTER_EYE_CORNERS[1]]
    across = np.linalg.norm(corners, axis=-1)
    result = {"frames": len(pairs), "found": _share(pairs.face_valid)}
    seen = pairs.face_visible & np.isfinite(error)
    for name, (first, end) in {"all": (0, 68), **FACE68_GROUPS}.items():
        group, part = error[:, first:end], seen[:, first:end]
        result[name] = _spread("percent", group[part])
    by_eyes = error * (pairs.true_head_radius / across)[:, None]
    frontal = head_turn_deg(pairs.true_head_R) < FRONTAL_FACE_DEG  # beyond, the corners close up and say nothing
    result["all"] |= _spread("eyes_percent", by_eyes[seen & frontal[:, None]])
    return result


def _spread(name, values):
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if not len(values):
        return {f"{name}_median": None, f"{name}_p90": None}
    return {f"{name}_median": float(np.median(values)), f"{name}_p90": float(np.percentile(values, 90))}


def _number(value):
    return float(value) if np.isfinite(value) else None


def _median(values):
    values = np.asarray(values, float)
    return float(np.nanmedian(values)) if np.isfinite(values).any() else None


def _mean(values):
    return float(np.nanmean(values)) if np.isfinite(values).any() else None


def _share(mask):
    return float(np.mean(mask)) if np.size(mask) else None
