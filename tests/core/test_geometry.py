"""Rotations against scipy, the camera and the similarity fit against closed forms."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from stages.core import geometry


def assert_close(found, expected, tolerance):
    difference = np.abs(np.asarray(found) - np.asarray(expected))
    assert difference.max() <= tolerance, (
        f"max {difference.max():.3g}, mean {difference.mean():.3g}, tolerance {tolerance}"
    )


@pytest.fixture
def rotvecs():
    rng = np.random.default_rng(0)
    axis = rng.normal(size=(400, 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    angle = np.concatenate(
        [rng.uniform(0, np.pi, 300), 10.0 ** rng.uniform(-9, -3, 50), np.pi - 10.0 ** rng.uniform(-9, -3, 50)]
    )
    return axis * angle[:, None]


def test_rotvec_to_matrix_agrees_with_scipy(rotvecs):
    assert_close(geometry.rotvec_to_matrix(rotvecs), Rotation.from_rotvec(rotvecs).as_matrix(), 1e-12)


def test_matrix_to_rotvec_agrees_with_scipy(rotvecs):
    matrices = Rotation.from_rotvec(rotvecs).as_matrix()
    assert_close(geometry.matrix_to_rotvec(matrices), Rotation.from_matrix(matrices).as_rotvec(), 1e-7)


def test_matrix_to_rotvec_half_turn_and_identity():
    for axis in np.eye(3):
        found = geometry.matrix_to_rotvec(2 * np.outer(axis, axis) - np.eye(3))
        assert_close(np.abs(found), np.pi * axis, 1e-12)
    assert_close(geometry.matrix_to_rotvec(np.eye(3)), np.zeros(3), 0.0)


def test_missing_stays_missing():
    rotvec = np.array([[np.nan, 0, 0], [0.1, 0, 0]])
    matrix = geometry.rotvec_to_matrix(rotvec)
    assert np.isnan(matrix[0]).any() and np.isfinite(matrix[1]).all()
    back = geometry.matrix_to_rotvec(matrix)
    assert np.isnan(back[0]).all() and np.isfinite(back[1]).all()


def test_rotation_angle(rotvecs):
    turned = geometry.rotvec_to_matrix(rotvecs)
    base = geometry.rotvec_to_matrix(rotvecs[::-1])
    assert_close(geometry.rotation_angle_deg(base, base @ turned), np.degrees(np.linalg.norm(rotvecs, axis=1)), 1e-6)


def test_yaw_pitch_roll_say_what_they_mean():
    def looking(yaw, pitch, roll=0.0):
        return -geometry.yaw_pitch_roll_to_matrix(np.array([yaw, pitch, roll]))[:, 2]

    assert_close(looking(0, 0), [0, 0, -1], 1e-15)  # towards the camera
    assert looking(0.3, 0)[0] > 0.2  # to the image right
    assert looking(0, 0.3)[1] < -0.2  # up: y points down
    crown = -geometry.yaw_pitch_roll_to_matrix(np.array([0, 0, 0.3]))[:, 1]
    assert crown[0] > 0.2 and crown[1] < 0  # clockwise in the image: the crown goes right


def test_yaw_pitch_roll_round_trip():
    rng = np.random.default_rng(1)
    angles = rng.uniform([-3.1, -1.5, -3.1], [3.1, 1.5, 3.1], (500, 3))
    assert_close(geometry.euler_yaw_pitch_roll_rad(geometry.yaw_pitch_roll_to_matrix(angles)), angles, 1e-10)


def test_project_centre_behind_and_field_of_view():
    K_px = geometry.default_K_px(480, 640, fov_deg=40.0)
    assert_close(geometry.project_px(np.array([0.0, 0, 2]), K_px), [319.5, 239.5], 1e-12)
    edge = geometry.project_px(np.array([2 * np.tan(np.radians(20)), 0, 2]), K_px)
    assert_close(edge[0], 319.5 + 320, 1e-9)
    assert np.isnan(geometry.project_px(np.array([[0.1, 0, -1], [0, 0, 0]]), K_px)).all()


@pytest.mark.parametrize("dims", [2, 3])
def test_similarity_fit_recovers_what_was_applied(dims):
    rng = np.random.default_rng(dims)
    source = rng.normal(size=(30, dims))
    if dims == 3:
        R = geometry.rotvec_to_matrix(rng.normal(size=3))
    else:
        R = np.array([[0.8, -0.6], [0.6, 0.8]])
    target = 1.7 * source @ R.T + np.arange(dims)
    source[3] = np.nan
    weight = np.ones(30)
    weight[5], target[5] = 0.0, 99.0
    scale, rotation, shift = geometry.similarity_fit(source, target, weight)
    assert_close(scale, 1.7, 1e-12)
    assert_close(rotation, R, 1e-12)
    assert_close(shift, np.arange(dims), 1e-12)


def test_similarity_fit_never_mirrors():
    source = np.random.default_rng(0).normal(size=(20, 3))
    _, rotation, _ = geometry.similarity_fit(source, source * [-1, 1, 1])
    assert_close(np.linalg.det(rotation), 1.0, 1e-12)


def test_similarity_fit_with_too_few_points_is_nan():
    scale, rotation, shift = geometry.similarity_fit(np.full((4, 3), np.nan), np.zeros((4, 3)))
    assert np.isnan(scale) and np.isnan(rotation).all() and np.isnan(shift).all()
