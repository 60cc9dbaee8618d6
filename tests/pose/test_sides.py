"""Left and right exchanged by the body network are exchanged back: on bodies whose sides are known."""

import numpy as np
import pytest

from stages.core.skeleton import BODY_INDEX, BODY_JOINTS
from stages.pose.mediapipe.face import OUTER_EYE_IMAGE_LEFT, OUTER_EYE_IMAGE_RIGHT
from stages.pose.sides import mend_sides
from stages.pose.track import PoseTrack, empty_arrays

FPS = 24.0
MIRROR = [BODY_INDEX[n.replace("left", "#").replace("right", "left").replace("#", "right")] for n in BODY_JOINTS]
REST_M = {
    "nose": (0, -0.65, -0.1), "left_eye": (0.03, -0.7, -0.08), "left_ear": (0.07, -0.68, 0.02), "neck": (0, -0.5, 0),
    "left_shoulder": (0.18, -0.5, 0), "left_elbow": (0.25, -0.25, 0.02), "left_wrist": (0.3, 0, -0.1),
    "left_hip": (0.1, 0, 0), "left_knee": (0.1, 0.4, -0.05), "left_ankle": (0.1, 0.8, 0.05), "pelvis": (0, 0, 0),
}  # fmt: skip


def body(yaw_deg, face=None):
    """A PoseTrack of a person turned by yaw [T] degrees; face: turn of a face mesh in each frame, NaN = none."""
    frames = len(yaw_deg)
    arrays = empty_arrays(frames)
    rest = np.full((25, 3), np.nan)
    for name, place in REST_M.items():
        rest[BODY_INDEX[name]] = place
        if name.startswith("left"):
            rest[BODY_INDEX[name.replace("left", "right")]] = np.array(place) * [-1, 1, 1]
    angle = np.radians(np.asarray(yaw_deg, float))
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, y, z = rest.T
    points = np.stack([cos * x - sin * z, y + 0 * cos, sin * x + cos * z], -1)
    arrays["joints_m"][:] = points
    arrays["joints_px"][:] = 300 + 200 * points[..., :2]
    arrays["joint_valid"][:] = np.isfinite(points).all(-1)
    arrays["joint_score"][:] = arrays["joint_valid"] * np.linspace(0.5, 0.9, 25)
    arrays["hands_px"][:, 0], arrays["hands_px"][:, 1] = 1.0, 2.0
    arrays["hand_valid"][:] = True
    arrays["present"][:], arrays["person_id"][:] = True, 0
    if face is not None:
        turn = np.radians(np.asarray(face, float))
        eye = 40 * np.stack([np.cos(turn), 0 * turn, np.sin(turn)], -1)
        arrays["face_px"][:, OUTER_EYE_IMAGE_LEFT], arrays["face_px"][:, OUTER_EYE_IMAGE_RIGHT] = 300 - eye, 300 + eye
        arrays["face_valid"][:] = np.isfinite(turn)
        arrays["face_score"][:] = np.isfinite(turn) * 0.9
    return PoseTrack(**arrays, size=(600, 600), fps=FPS, backend="mediapipe")


def exchanged(track, rows):
    """What the network says when it takes the front for the back in some frames."""
    arrays = {n: getattr(track, n).copy() for n in ("joints_px", "joints_m", "joint_score", "joint_valid")}
    for array in arrays.values():
        array[rows] = array[rows][:, MIRROR]
    arrays["joints_m"][rows, :, 2] *= -1
    for name in ("hands_px", "hand_valid"):
        arrays[name] = getattr(track, name).copy()
        arrays[name][rows] = arrays[name][rows][:, ::-1]
    return track.with_arrays(**arrays)


def assert_same(one, other):
    for name in ("joints_px", "joints_m", "joint_score", "joint_valid", "hands_px"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


@pytest.mark.parametrize("rows", [[7], [0], [29], [3, 4, 5, 7], list(range(24, 30))])
def test_a_body_that_turns_round_for_a_few_frames_is_turned_back(rows):
    right = body(np.linspace(-25, 20, 30))
    assert_same(mend_sides(exchanged(right, rows)), right)


def test_a_front_taken_for_a_back_all_along_is_believed_to_the_face():
    faces = np.where(np.arange(30) % 4 == 0, 5.0, np.nan)
    right = body(np.linspace(-25, 20, 30), faces)
    assert_same(mend_sides(exchanged(right, slice(None))), right)


def test_one_false_face_on_the_back_of_a_head_turns_nobody_round():
    faces = np.where(np.arange(60) == 30, 5.0, np.nan)
    behind = body(np.linspace(165, 195, 60), faces)
    assert mend_sides(behind) is behind


@pytest.mark.parametrize("turns_per_s", [0.5, 2.0, -2.0])
def test_a_pirouette_stays_as_it_was_measured(turns_per_s):
    spin = body(20 + 360 * turns_per_s * np.arange(48) / FPS)
    assert mend_sides(spin) is spin


def test_a_look_over_the_shoulder_does_not_exchange_the_sides():
    looks = body(np.full(30, 120.0), np.full(30, 40.0))
    assert mend_sides(looks) is looks


def test_another_person_may_face_another_way():
    both = body(np.r_[np.zeros(10), np.full(10, 180.0)])
    ids = both.person_id.copy()
    ids[10:] = 1
    both = both.with_arrays(person_id=ids)
    assert mend_sides(both) is both


def test_nobody_and_a_person_without_shoulders_pass():
    right = body(np.zeros(4))
    valid = right.joint_valid.copy()
    valid[:, BODY_INDEX["left_shoulder"]] = False
    hidden = right.with_arrays(joint_valid=valid)
    assert mend_sides(hidden) is hidden
    assert len(mend_sides(PoseTrack(**empty_arrays(0), fps=FPS))) == 0
