"""Errors of people whose places are known exactly: no network takes part."""

import numpy as np
import pytest

from stages.core.geometry import yaw_pitch_roll_to_matrix
from stages.core.skeleton import BODY_INDEX, BONES
from stages.scoring.track_errors import (
    MEASURED,
    Person,
    bone_steadiness,
    expression_errors,
    hand_errors,
    head_errors_deg,
    joint_error,
    relative_joint_error,
)

FRAMES = 12


def person(seed: int = 0, **changes) -> Person:
    """Somebody who moves at random; every value is measured. Bone lengths never change."""
    rng = np.random.default_rng(seed)
    joints = np.zeros((FRAMES, 25, 3))
    for number, (_, parent, child) in enumerate(BONES):
        way = rng.normal(size=(FRAMES, 3))
        joints[:, BODY_INDEX[child]] = joints[:, BODY_INDEX[parent]] + (0.2 + 0.01 * number) * way / np.linalg.norm(
            way, axis=1, keepdims=True
        )
    values = {
        "joints_px": 100 * joints[..., :2] + 200,
        "joints_m": joints,
        "torso_px": np.full(FRAMES, 20.0),
        "torso_m": 0.2,
        "R_cam_head": yaw_pitch_roll_to_matrix(rng.uniform(-0.5, 0.5, (FRAMES, 3))),
        "by_face": np.ones(FRAMES, bool),
        "face": rng.normal(size=(FRAMES, 51, 2)),
        "hands_m": rng.normal(size=(FRAMES, 2, 21, 3)),
    }
    values["hands_m"][:, :, 0] = 0
    return Person(**(values | changes))


def test_a_person_against_itself_is_zero():
    one = person()
    place, missing = joint_error(one, one)
    assert place.max() == 0 and missing.max() == 0
    assert relative_joint_error(one, one).max() == 0
    assert head_errors_deg(one, one)[0].max() < 1e-6
    assert expression_errors(one, one)[0].max() == 0 and hand_errors(one, one)[0].max() == 0


def test_a_shift_of_five_pixels_is_a_quarter_of_a_torso_of_twenty():
    one = person()
    place, _ = joint_error(person(joints_px=one.joints_px + [3.0, 4.0]), one)
    assert np.abs(place - 25.0).max() < 1e-9
    assert np.abs(relative_joint_error(person(joints_px=one.joints_px + [3.0, 4.0]), one)).max() == 0


def test_joints_that_are_not_found_are_counted_and_left_out():
    one = person()
    px = one.joints_px + [3.0, 4.0]
    px[2, MEASURED[:5]] = np.nan
    px[4] = np.nan
    place, missing = joint_error(person(joints_px=px), one)
    assert missing[2] == pytest.approx(5 / len(MEASURED)) and missing[4] == 1 and missing[0] == 0
    assert np.isnan(place[4]) and place[2] == pytest.approx(25.0)
    unseen = person(joints_px=np.full_like(px, np.nan))
    assert np.isnan(joint_error(one, unseen)[1]).all()  # nothing wanted is not a miss


def test_other_bone_lengths_in_the_same_pose_are_no_error_but_another_pose_is():
    one = person()
    longer = np.zeros_like(one.joints_m)
    for number, (_, parent, child) in enumerate(BONES):
        bone = one.joints_m[:, BODY_INDEX[child]] - one.joints_m[:, BODY_INDEX[parent]]
        longer[:, BODY_INDEX[child]] = longer[:, BODY_INDEX[parent]] + (1.1 + 0.05 * number) * bone
    assert relative_joint_error(person(joints_m=longer), one).max() < 1e-9
    assert relative_joint_error(person(1), one).min() > 10


def test_one_bent_forearm_by_its_length_in_the_picture():
    """The forearm of an upright person turned from down to the right moves the wrist by its length times root 2."""
    one = person()
    joints = one.joints_m.copy()
    elbow, wrist = BODY_INDEX["left_elbow"], BODY_INDEX["left_wrist"]
    length = np.linalg.norm(one.joints_m[0, wrist] - one.joints_m[0, elbow])
    joints[:, wrist] = joints[:, elbow] + length * np.array([0.0, 1.0, 0.0])
    bent = joints.copy()
    bent[:, wrist] = joints[:, elbow] + length * np.array([1.0, 0.0, 0.0])
    error = relative_joint_error(person(joints_m=bent), person(joints_m=joints))
    assert np.abs(error - 100 * np.sqrt(2) * length / 0.2 / len(MEASURED)).max() < 1e-9


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_head_turned_by_known_degrees(axis):
    turned = np.zeros((FRAMES, 3))
    turned[:, axis] = np.radians(17.0)
    heads = [person(R_cam_head=yaw_pitch_roll_to_matrix(angles)) for angles in (turned, 0 * turned)]
    rotation, angles = head_errors_deg(*heads)
    assert np.abs(rotation - 17).max() < 1e-9
    assert np.abs(angles - np.where(np.arange(3) == axis, 17.0, 0.0)).max() < 1e-9


def test_yaw_across_the_back_of_the_head_takes_the_short_way():
    angles = [np.tile(np.radians([yaw, 0, 0]), (FRAMES, 1)) for yaw in (178.0, -177.0)]
    heads = [person(R_cam_head=yaw_pitch_roll_to_matrix(each)) for each in angles]
    assert np.abs(head_errors_deg(*heads)[1][:, 0] - 5).max() < 1e-9


def test_features_cancel_against_the_rest_face_and_expressions_do_not():
    one = person()
    features = np.random.default_rng(5).normal(size=(1, 51, 2))
    plain, from_rest = expression_errors(person(face=one.face + features), one)
    expected = 100 * np.linalg.norm(features, axis=-1).mean()
    assert np.abs(plain - expected).max() < 1e-9 and from_rest.max() < 1e-9
    moved = one.face.copy()
    moved[3] += [0.03, 0.04]
    assert expression_errors(person(face=moved), one)[0][3] == pytest.approx(5.0)
    hidden = one.face.copy()
    hidden[7] = np.nan
    plain, from_rest = expression_errors(person(face=hidden), one)
    assert np.isnan(plain[7]) and np.isnan(from_rest[7]) and np.isfinite(plain[:7]).all()


def test_a_larger_hand_in_the_same_gesture_is_no_error_and_a_missing_one_is_counted():
    one = person()
    hands = 1.5 * one.hands_m
    hands[2, 1] = np.nan
    hands[3] = np.nan
    error, missing = hand_errors(person(hands_m=hands), one)
    assert np.nanmax(error) < 1e-9 and np.isnan(error[3]) and np.isfinite(error[2])
    assert missing[2] == 0.5 and missing[3] == 1 and missing[0] == 0


def test_bones_that_breathe_have_their_known_spread():
    """Lengths 0.9 and 1.1 in turn: spread / mean = 0.1, where the other's bones stay as they are."""
    one = person()
    breathing = one.joints_m * np.where(np.arange(FRAMES) % 2, 0.9, 1.1)[:, None, None]
    own, other = bone_steadiness(person(joints_m=breathing), one)
    assert np.abs(own - 0.1).max() < 1e-9 and other.max() < 1e-9
    few = one.joints_px.copy()
    few[: FRAMES - 7, BODY_INDEX["left_wrist"]] = np.nan
    own, _ = bone_steadiness(person(joints_px=few), one)
    assert np.isnan(own).sum() == 1  # seven frames of the left forearm are too few
    alone, nobody = bone_steadiness(one, None)
    assert np.isfinite(alone).all() and np.isnan(nobody).all()
