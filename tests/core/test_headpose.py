"""Rigid fits and the head's rotation from body joints."""

import numpy as np
import pytest

from stages.core.geometry import rotation_angle_deg, rotvec_to_matrix, yaw_pitch_roll_to_matrix
from stages.core.headpose import HEAD_POINTS_M, face_forward_deg, head_from_body, head_from_picture, kabsch
from stages.core.skeleton import BODY_INDEX


def random_rotations(count, seed=0):
    axis = np.random.default_rng(seed).normal(size=(count, 3))
    angle = np.random.default_rng(seed + 1).uniform(0, np.pi, (count, 1))
    return rotvec_to_matrix(axis / np.linalg.norm(axis, axis=1, keepdims=True) * angle)


def heads(rotations, scale=1.0, place=(0.1, -0.6, 0.05)):
    joints = np.full((len(rotations), 25, 3), np.nan)
    for name, point in HEAD_POINTS_M.items():
        joints[:, BODY_INDEX[name]] = scale * rotations @ np.array(point) + np.array(place)
    return joints


def test_kabsch_recovers_rotation_scale_and_shift():
    rng = np.random.default_rng(0)
    points, rotations = rng.normal(size=(7, 3)), random_rotations(50)
    target = 1.7 * np.einsum("tij,nj->tni", rotations, points) + np.array([1.0, -2.0, 3.0])
    target[:, 6] = np.nan
    R, scale, shift, residual = kabsch(points, target)
    assert rotation_angle_deg(R, rotations).max() < 1e-6
    np.testing.assert_allclose(scale, 1.7)
    np.testing.assert_allclose(shift, [[1.0, -2.0, 3.0]] * 50, atol=1e-9)
    assert residual.max() < 1e-9


def test_kabsch_never_mirrors_and_refuses_what_it_cannot_know():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(6, 3))
    R, *_ = kabsch(points, (points * [-1, 1, 1])[None])
    assert np.linalg.det(R[0]) == pytest.approx(1.0)
    line = np.linspace(0, 1, 6)[:, None] * np.ones(3)
    two = np.where(np.arange(6)[:, None] < 2, points, np.nan)
    R, scale, shift, residual = kabsch(points, np.stack([line, two]))
    assert np.isnan(R).all() and np.isnan(scale).all() and np.isnan(shift).all() and np.isnan(residual).all()


def test_identity_is_a_head_that_faces_the_camera():
    R, center = head_from_body(heads(np.eye(3)[None]))
    assert rotation_angle_deg(R, np.eye(3))[0] < 1e-6
    np.testing.assert_allclose(center[0], [0.1, -0.6, 0.05], atol=1e-9)
    left = heads(yaw_pitch_roll_to_matrix(np.array([[np.pi / 2, 0, 0]])))  # turned to the image right
    assert left[0, BODY_INDEX["nose"], 0] > left[0, BODY_INDEX["left_ear"], 0]


def test_head_from_body_at_any_angle_size_and_with_missing_points():
    rotations = random_rotations(200)
    joints = heads(rotations, scale=1.15)
    joints[50:100, BODY_INDEX["left_eye"]] = np.nan
    joints[100:150, BODY_INDEX["right_ear"]] = np.nan
    joints[100:150, BODY_INDEX["right_eye"]] = np.nan
    error = rotation_angle_deg(head_from_body(joints)[0], rotations)
    assert error.max() < 1e-5, f"largest error {error.max()} degrees"
    joints[150:, BODY_INDEX["nose"]] = np.nan
    joints[150:, BODY_INDEX["left_ear"]] = np.nan
    weight = np.ones(joints.shape[:2])
    weight[150:, BODY_INDEX["right_eye"]] = 0
    assert np.isnan(head_from_body(joints, weight)[0][150:]).all()


def test_noise_of_five_millimetres_costs_a_few_degrees():
    rotations = random_rotations(500, seed=3)
    noisy = heads(rotations) + np.random.default_rng(4).normal(0, 0.005, (500, 25, 3))
    error = rotation_angle_deg(head_from_body(noisy)[0], rotations)
    assert np.median(error) < 6, f"median {np.median(error):.1f} degrees"


def test_the_neck_only_nudges():
    joints = heads(np.eye(3)[None])
    joints[0, BODY_INDEX["neck"]] = [0.25, -0.4, 0.1]  # a shrug to the side
    error = rotation_angle_deg(head_from_body(joints)[0], np.eye(3))[0]
    assert error < 12, f"{error:.1f} degrees"


def test_face_forward_deg():
    yaw = np.radians([0, 45, 90, 135, 180])
    R = yaw_pitch_roll_to_matrix(np.stack([yaw, 0 * yaw, 0 * yaw], -1))
    np.testing.assert_allclose(face_forward_deg(R), [0, 45, 90, 135, 180], atol=1e-6)


def pictures(rotations, scale=300.0, place=(400, 200)):
    joints = heads(rotations)
    return joints[..., :2] * scale + np.array(place)


def test_head_from_picture_is_exact_seen_from_far():
    yaw = np.radians(np.linspace(-80, 80, 33))
    pitch, roll = 0.3 * np.sin(3 * yaw), 0.4 * np.cos(2 * yaw)
    rotations = yaw_pitch_roll_to_matrix(np.stack([yaw, pitch, roll], -1))
    error = rotation_angle_deg(head_from_picture(pictures(rotations)), rotations)
    assert error.max() < 1e-3, f"largest error {error.max()} degrees"
    four = pictures(rotations)
    four[:, BODY_INDEX["left_ear"]] = np.nan
    near = yaw_pitch_roll_to_matrix(np.stack([yaw, pitch, roll], -1) + 0.1)
    error = rotation_angle_deg(head_from_picture(four, start=near), rotations)
    assert error.max() < 1.0, f"largest error with four points {error.max()} degrees"
    four[:, BODY_INDEX["nose"]] = np.nan
    assert np.isnan(head_from_picture(four)).all()


def test_head_from_picture_at_arms_length_is_off_by_perspective_only():
    rotations = yaw_pitch_roll_to_matrix(np.radians([[0.0, 0, 0], [30, 10, 5], [-60, -10, 0]]))
    joints = heads(rotations, place=(0, 0, 1.0))
    px = joints[..., :2] / joints[..., 2:] * 800
    error = rotation_angle_deg(head_from_picture(px), rotations)
    assert error.max() < 8, f"{error} degrees"


def test_head_from_picture_with_the_camera_knows_perspective():
    rotations = yaw_pitch_roll_to_matrix(np.radians([[0.0, 0, 0], [30, 10, 5], [-60, -10, 0]]))
    K_px = np.array([[800.0, 0, 0], [0, 800, 0], [0, 0, 1]])
    px = heads(rotations, place=(0.1, -0.2, 0.6))
    px = px[..., :2] / px[..., 2:] * 800
    error = rotation_angle_deg(head_from_picture(px, K_px=K_px), rotations)
    assert error.max() < 0.5, f"{error} degrees, tolerance 0.5"


def test_head_from_picture_with_the_camera_knows_that_the_head_is_off_axis():
    rotations = yaw_pitch_roll_to_matrix(np.radians([[0.0, 0, 0], [30, 10, 5], [-60, -10, 0]]))
    K_px = np.array([[900.0, 0, 400], [0, 900, 300], [0, 0, 1]])
    joints = heads(rotations, place=(1.0, -0.8, 4.0))
    px = joints[..., :2] / joints[..., 2:] * 900 + [400, 300]
    error = rotation_angle_deg(head_from_picture(px, K_px=K_px), rotations)
    blind = rotation_angle_deg(head_from_picture(px), rotations)
    assert error.max() < 2.5 and blind.min() > 8, f"{error} degrees with the camera, {blind} without"


def test_pixels_decide_the_rotation_where_the_3d_joints_are_flat():
    rotations = yaw_pitch_roll_to_matrix(np.radians([[25.0, 5, 0], [-40, 0, 10]]))
    joints = heads(rotations)
    joints[..., 2] *= 0.4  # what body networks do to a head
    flat = rotation_angle_deg(head_from_body(joints)[0], rotations)
    R, center = head_from_body(joints, joints_px=pictures(rotations))
    fixed = rotation_angle_deg(R, rotations)
    assert flat.min() > 5 and fixed.max() < 1, f"{flat} degrees before, {fixed} with pixels"
    assert np.isfinite(center).all()


def test_which_way_a_head_faces_is_for_the_3d_joints_to_say():
    front, back = (yaw_pitch_roll_to_matrix(np.radians([[yaw, 0.0, 0.0]])) for yaw in (10.0, 160.0))
    R, _ = head_from_body(heads(back), joints_px=pictures(front))
    error = rotation_angle_deg(R, back)
    assert error.max() < 1e-3, f"{error} degrees from the joints in metres"
    near = yaw_pitch_roll_to_matrix(np.radians([[40.0, 0.0, 0.0]]))
    error = rotation_angle_deg(head_from_body(heads(near), joints_px=pictures(front))[0], front)
    assert error.max() < 1e-3, f"{error} degrees from the joints in pixels"
