"""The driver's performance by the reference's body, before a camera: whose camera, where, and how large."""

from dataclasses import dataclass

import numpy as np

from stages.body.lengths import LEG_BONES, PARENTS, compare_bones, group_ratio
from stages.body.person import Person
from stages.body.retarget import ground_contact, plant_feet, retarget_skeleton, steady_skeleton
from stages.core.geometry import project_px, rotation_angle_deg
from stages.core.skeleton import BODY_INDEX

_SHOULDERS = [BODY_INDEX[name] for name in ("neck", "left_shoulder", "right_shoulder")]
_HIPS = [BODY_INDEX["pelvis"]]
_ANKLES = [BODY_INDEX[name] for name in ("left_ankle", "right_ankle")]
_LIKENESS = ("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip",
             "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "nose")  # fmt: skip
_ALIKE_DEG = 20.0  # heads turned less apart than this sit alike on their necks; our choice
_HEAD_RATIO_RANGE = (0.7, 1.4)  # our choice: beyond it the measurement is wrong, not the head


@dataclass(frozen=True)
class Performance:
    """What is to be drawn, in pixels of the camera it was placed before (`framing`: the reference's or the driver's).

    joints_px float64 [T, 25, 2], points_m float64 [T, 25, 3], drawn bool [T, 25]
    hands_px float64 [T, 2, 21, 2], hands_drawn bool [T, 2]
    head_px float64 [T, 2], head_radius_px float64 [T];  K_px float64 [3, 3] of that camera
    bone_ratio float64 [24] reference / driver;  frame int, the driver's frame laid on the reference (-1 = none)
    """

    joints_px: np.ndarray
    points_m: np.ndarray
    drawn: np.ndarray
    hands_px: np.ndarray
    hands_drawn: np.ndarray
    head_px: np.ndarray
    head_radius_px: np.ndarray
    K_px: np.ndarray
    bone_ratio: np.ndarray
    frame: int


def own_performance(driver: Person, frame: int = -1) -> Performance:
    """Return the driver as seen: nothing is moved and every ratio is exactly 1."""
    return Performance(
        project_px(driver.points_m, driver.K_px),
        driver.points_m,
        driver.drawn,
        driver.hands_px,
        driver.hands_drawn,
        project_px(driver.head_m, driver.K_px),
        driver.head_radius_px,
        driver.K_px,
        np.ones(len(PARENTS)),
        frame,
    )


def perform(driver: Person, reference: Person, *, framing: str, bone_ratio=None, retarget=True) -> Performance:
    """Return the driver's motion with the reference's bones, head and place.

    reference   Person of one frame
    framing     "reference": before the reference's camera, laid on the reference at the driver's most alike frame,
                motion relative to it kept.  "driver": at the driver's own place in the picture, as in the paper
    bone_ratio  (float [24], overall) measured elsewhere (A-pose images); None: measured here
    retarget    False keeps the driver's proportions (in the reference's framing at the reference's overall size)
    Source: paper section 3.4 for the adjustment; the placing is our choice.
    """
    lengths = driver.bones()
    ratio, overall = compare_bones(reference.bones(), lengths) if bone_ratio is None else bone_ratio
    if not retarget:
        overall = overall if framing == "reference" else 1.0
        ratio = np.full(len(PARENTS), overall)
    steady = steady_skeleton(driver.points_m, lengths.length_m)
    moved = retarget_skeleton(steady, lengths.length_m * ratio, overall)
    legs = group_ratio(ratio, lengths, LEG_BONES) if _legs_seen(driver) else overall
    path = legs if framing == "reference" else 1.0
    moved = _carry(moved, steady, path, whole=_legs_seen(driver))
    if _legs_seen(driver):
        seen = np.where(driver.drawn[..., None], steady, np.nan)
        moved = moved + plant_feet(seen, moved, path, ground_contact(seen, driver.fps), driver.fps)[:, None]
    head_size = _head_ratio(driver, reference) if retarget else overall
    neck = BODY_INDEX["neck"]
    neck_to_head = _neck_ratio(driver, reference, overall) if retarget else overall
    head = moved[:, neck] + neck_to_head * (driver.head_m - steady[:, neck])
    head = np.where(np.isfinite(head), head, path * driver.head_m)
    frame, shift = -1, np.zeros(3)
    K_px = driver.K_px
    radius_px = driver.head_radius_px * head_size
    if framing == "reference":
        frame = most_alike_frame(driver, reference)
        K_px = reference.K_px
        if frame >= 0:
            shift = _align(moved[frame], head[frame], driver, frame, reference)
            head = head + _head_gap(head[frame] + shift, driver, frame, reference)
            radius_px = _radius_like_reference(driver, reference, frame, radius_px)
    moved, head = moved + shift, head + shift
    joints_px = project_px(moved, K_px)
    hands_px = _carry_hands(driver, moved, joints_px, K_px, overall)
    return Performance(
        joints_px,
        moved,
        driver.drawn & np.isfinite(joints_px).all(-1),
        hands_px,
        driver.hands_drawn & np.isfinite(hands_px).all((2, 3)),
        project_px(head, K_px),
        radius_px,
        K_px,
        ratio,
        frame,
    )


def most_alike_frame(driver: Person, reference: Person) -> int:
    """Return the driver's frame whose posture and head turn are most like the reference's; -1 for none.

    Postures are compared around the neck in units of the shoulder width; joints not seen in both are ignored.
    """
    index = [BODY_INDEX[name] for name in _LIKENESS]
    ours, theirs = _posture(driver, index), _posture(reference, index)
    both = driver.seen[:, index] & reference.seen[:, index] & np.isfinite(ours - theirs).all(-1)
    gap = np.where(both, np.linalg.norm(np.nan_to_num(ours - theirs), axis=-1), 0.0).sum(1) / np.maximum(both.sum(1), 1)
    turn = np.einsum("tij,ij->t", driver.R_cam_head, reference.R_cam_head[0])
    head_gap = np.arccos(np.clip((turn - 1) / 2, -1, 1))
    head_seen = np.isfinite(driver.head_m).all(-1)
    cost = gap + 0.5 * np.nan_to_num(head_gap) + 4.0 * (both.sum(1) < 0.5 * both.sum(1).max()) + 8.0 * ~head_seen
    usable = (both.sum(1) >= 2) | head_seen
    return int(np.argmin(np.where(usable, cost, np.inf))) if usable.any() else -1


def _legs_seen(person):
    """True when knees and ankles may be drawn in at least half of the frames that show a body."""
    legs = person.drawn[:, [BODY_INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("knee", "ankle")]]
    body = person.drawn.any(1)
    return bool(body.any()) and float(legs[body].mean()) >= 0.5


def _carry(moved, steady, path, *, whole):
    """The moved skeleton with its anchor (pelvis with legs, else neck, which is surely seen) on the scaled path."""
    anchor = BODY_INDEX["pelvis" if whole else "neck"]
    return moved + (path * steady[:, anchor] - moved[:, anchor])[:, None]


def _align(points, head, driver, frame, reference):
    """The shift float64 [3] that lays one frame of the performance onto the reference.

    points [25, 3], head [3] of the frame; metres. Head, shoulders (neck and both) and hips count once each, where both
    pictures show them; the height is by the feet where both show those. What is only guessed (the hips below a
    portrait) does not count: on synthetic portraits it threw heads off by 5% of the picture. Where the head is not
    known and nothing is seen in both, guesses must do. Source: our choice.
    """
    for shown in (driver.seen[frame] & reference.seen[0], driver.drawn[frame] & reference.drawn[0]):
        gap = np.where(shown[:, None], reference.points_m[0] - points, np.nan)
        gaps = [gap[group][np.isfinite(gap[group]).all(1)] for group in (_SHOULDERS, _HIPS)]
        means = [group.mean(0) for group in gaps if len(group)]
        if np.isfinite(reference.head_m[0] - head).all():
            means.append(reference.head_m[0] - head)
        if means:
            shift = np.mean(means, axis=0)
            if shown[_ANKLES].all():  # both stand on the same ground
                shift[1] = reference.points_m[0, _ANKLES, 1].max() - points[_ANKLES, 1].max()
            return shift
    return np.zeros(3)


def _head_gap(head, driver, frame, reference):
    """What is left between a head [3] of the aligned frame and the reference's, as far as the two are turned alike.

    A photo shows where a head sits on its neck far better than ratios of lengths tell, but only for that turn of it.
    """
    gap = reference.head_m[0] - head
    apart = rotation_angle_deg(driver.R_cam_head[frame], reference.R_cam_head[0])
    share = np.exp(-((apart / _ALIKE_DEG) ** 2))
    return share * gap if np.isfinite(share * gap).all() else np.zeros(3)


def _radius_like_reference(driver, reference, frame, radius_px):
    """The reference's head size at the aligned frame, growing and shrinking as the driver's head does."""
    near = driver.head_radius_px[max(0, frame - 2) : frame + 3]
    near = near[np.isfinite(near)]
    if not len(near) or not np.isfinite(reference.head_radius_px[0]):
        return radius_px
    return driver.head_radius_px * reference.head_radius_px[0] / np.median(near)


def _head_ratio(driver, reference):
    """Reference's head size beside the driver's, each in the scale of its own body; 1 when one is not known."""
    ratio = reference.head_radius_m() / driver.head_radius_m()
    return float(np.clip(ratio, *_HEAD_RATIO_RANGE)) if np.isfinite(ratio) else 1.0


def _neck_ratio(driver, reference, overall):
    """Ratio of the distance from neck to head; half of what was measured beyond the overall ratio is believed."""
    neck = BODY_INDEX["neck"]
    spans = []
    for person in (reference, driver):
        span = np.linalg.norm(person.head_m - person.points_m[:, neck], axis=-1)[person.drawn[:, neck]]
        span = span[np.isfinite(span)]
        if not len(span):
            return overall
        spans.append(np.median(span))
    return overall * float(np.clip(spans[0] / spans[1] / overall, 0.75, 1.33)) ** 0.5


def _carry_hands(driver, moved, joints_px, K_px, overall):
    """Hands hung on the moved wrists, scaled with the body and with the new distance from the camera."""
    out = np.full_like(driver.hands_px, np.nan)
    for hand, name in enumerate(("left_wrist", "right_wrist")):
        wrist = BODY_INDEX[name]
        before_px = project_px(driver.points_m[:, wrist], driver.K_px)
        zoom = (K_px[0, 0] / moved[:, wrist, 2]) / (driver.K_px[0, 0] / driver.points_m[:, wrist, 2])
        offset = driver.hands_px[:, hand] - before_px[:, None]
        out[:, hand] = joints_px[:, wrist, None] + (overall * zoom)[:, None, None] * offset
    return out


def _posture(person, index):
    """Joints around the neck in shoulder widths, in the picture plane, [T, n, 2]."""
    neck = person.points_m[:, BODY_INDEX["neck"]]
    width = np.linalg.norm(
        person.points_m[:, BODY_INDEX["left_shoulder"]] - person.points_m[:, BODY_INDEX["right_shoulder"]], axis=-1
    )
    return ((person.points_m[:, index] - neck[:, None]) / width[:, None, None])[..., :2]
