"""Motion made less or more about the reference: 0 is the photo, 1 the driver, in between half the angle."""

import numpy as np
import pytest

from stages.body.compose import compose
from stages.body.place import own_performance, perform
from stages.body.strength import body_motion, head_turns
from stages.core.geometry import project_px, rotation_angle_deg, yaw_pitch_roll_to_matrix
from stages.core.skeleton import BODY_INDEX
from tests.body.actor import SIZE, make_pose
from tests.body.test_place import person_of

SHOULDER, ELBOW = BODY_INDEX["left_shoulder"], BODY_INDEX["left_elbow"]


def angle_deg(first, second):
    cosine = (first * second).sum(-1) / np.linalg.norm(first, axis=-1) / np.linalg.norm(second, axis=-1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


@pytest.fixture(scope="module")
def scene():
    """(performance, the reference's, driver): the reference is the same figure elsewhere, with its arm down."""
    pose, R = make_pose()
    other, R_other = make_pose(place_m=(0.2, -0.1, 3.6), wave=0.0)
    driver, reference = person_of(pose, R), person_of(other, R_other).frame(0)
    return perform(driver, reference, framing="reference"), own_performance(reference), driver


def test_one_changes_nothing(scene):
    act, still, _ = scene
    assert body_motion(act, still, 1.0) is act


def test_nothing_is_the_reference_itself(scene):
    act, still, _ = scene
    locked = body_motion(act, still, 0.0)
    assert np.abs(locked.joints_px - still.joints_px).max() < 1e-9 and (locked.drawn == still.drawn).all()
    assert np.abs(locked.hands_px - still.hands_px).max() < 1e-9
    assert np.ptp(locked.head_radius_px) / still.head_radius_px[0] < 0.02


@pytest.mark.parametrize("strength", [0.5, 1.4])
def test_bones_turn_by_so_much_of_the_angle_and_keep_their_length(scene, strength):
    act, still, _ = scene
    made = body_motion(act, still, strength)
    home = still.points_m[0, ELBOW] - still.points_m[0, SHOULDER]
    arm = [who.points_m[:, ELBOW] - who.points_m[:, SHOULDER] for who in (act, made)]
    driver_deg, made_deg = angle_deg(arm[0], home), angle_deg(arm[1], home)
    assert driver_deg.max() > 60, "the figure does not wave"
    assert np.abs(made_deg - strength * driver_deg).max() < 0.1
    assert np.abs(np.linalg.norm(arm[1], axis=-1) / np.linalg.norm(home) - 1).max() < 0.02
    assert np.abs(made.joints_px - project_px(made.points_m, act.K_px))[made.drawn].max() < 1e-6


def test_the_place_moves_by_so_much_and_the_head_stays_on_its_neck(scene):
    act, still, _ = scene
    made, pelvis, neck = body_motion(act, still, 0.5), BODY_INDEX["pelvis"], BODY_INDEX["neck"]
    gone = [who.points_m[:, pelvis] - still.points_m[0, pelvis] for who in (act, made)]
    assert np.abs(gone[1] - 0.5 * gone[0]).max() < 1e-9
    apart = [np.linalg.norm(who.head_px - who.joints_px[:, neck], axis=-1) for who in (act, made)]
    assert np.abs(apart[1] / apart[0] - 1).max() < 0.05


def test_a_reference_without_legs_leaves_them_to_the_driver():
    pose, R = make_pose()
    other, R_other = make_pose(wave=0.0)
    driver, reference = person_of(pose, R), person_of(other, R_other).frame(0)
    lower = [BODY_INDEX[f"{side}_{name}"] for side in ("left", "right") for name in ("knee", "ankle")]
    reference.points_m[:, lower], reference.drawn[:, lower], reference.seen[:, lower] = np.nan, False, False
    act = perform(driver, reference, framing="reference")
    made = body_motion(act, own_performance(reference), 0.5)
    assert np.isfinite(made.points_m[:, lower]).all() and made.drawn[:, lower].all()


def test_heads_turn_about_the_references(scene):
    angles = np.stack([np.linspace(-0.8, 0.8, 9), np.full(9, 0.1), np.zeros(9)], -1)
    R, home = yaw_pitch_roll_to_matrix(angles), yaw_pitch_roll_to_matrix(np.array([0.3, 0.0, 0.1]))
    full = rotation_angle_deg(R, home[None])
    for strength in (0.0, 0.5, 1.5):
        made = rotation_angle_deg(head_turns(R, home, strength), home[None])
        assert np.abs(made - strength * full).max() < 1e-6, f"strength {strength}: {made} of {full}"
    assert head_turns(R, np.full((3, 3), np.nan), 0.5) is not None  # no head in the photo: as the driver
    assert np.array_equal(head_turns(R, np.full((3, 3), np.nan), 0.5), R)


def test_a_locked_body_is_drawn_as_the_photo_through_the_whole_clip(scene):
    _, _, driver = scene
    other, R_other = make_pose(place_m=(0.2, -0.1, 3.6), wave=0.0)
    made = compose(driver, driver.seen, person_of(other, R_other).frame(0), SIZE, (128, 128), framing="reference",
                   strengths=(0.0, 1.0))  # fmt: skip
    assert np.abs(made.act.joints_px - made.still.joints_px).max() < 1e-6
    assert np.isfinite(made.act.head_px).all() and np.ptp(made.act.head_px, axis=0).max() < 0.1
