"""Head tracking on exact landmarks: project the template from a known pose, then find the pose again."""

import numpy as np
import pytest

from stages.core.geometry import (
    default_K_px,
    euler_yaw_pitch_roll_rad,
    project_px,
    rotation_angle_deg,
    yaw_pitch_roll_to_matrix,
)
from stages.core.headpose import HEAD_POINTS_M
from stages.core.skeleton import BODY_INDEX, BODY_JOINTS
from stages.head.face_fit import fit_face, head_in_picture
from stages.head.template import body_points_m, face_template
from stages.head.track import SOURCE_BODY, SOURCE_FACE, SOURCE_NONE, track_head, turned_on

K_PX = default_K_px(720, 1280)
RADIUS_M = 0.12
LANDMARKS = {"mediapipe478": 478, "ibug68": 68}


def head_path(frames):
    """A head that turns, nods and drifts: R [T, 3, 3], centre in the camera frame [T, 3] in metres."""
    time = np.linspace(0, 1, frames)
    angles = np.stack([0.9 * np.sin(5 * time), 0.4 * np.sin(9 * time + 1), 0.3 * np.cos(7 * time)], -1)
    center_m = np.stack([0.3 * np.sin(3 * time), -0.1 + 0.1 * time, 1.2 + 0.4 * time], -1)
    return yaw_pitch_roll_to_matrix(angles), center_m


def face_of(R, center_m, layout, *, depth=True):
    index, points, _ = face_template(layout)
    cam = center_m[:, None] + RADIUS_M * np.einsum("tij,pj->tpi", R, points)
    face = np.full((len(R), LANDMARKS[layout], 3), np.nan, np.float32)
    scale = K_PX[0, 0] / center_m[:, 2]
    face[:, index, :2] = project_px(cam, K_PX)
    if depth:
        face[:, index, 2] = (cam[..., 2] - center_m[:, None, 2]) * scale[:, None] + 13.0
    return face


def flattened(R):
    """Heads whose turn beyond 30 degrees is smaller, as the mesh network sees them: what `turned_on` makes good."""
    angles = euler_yaw_pitch_roll_rad(R)
    start = np.radians(30.0)
    beyond = np.maximum(np.abs(angles[:, 0]) - start, 0.0)
    angles[:, 0] -= np.sign(angles[:, 0]) * beyond * (1.0 - 1.0 / 1.35)
    return yaw_pitch_roll_to_matrix(angles)


def pose_of(R, center_m, layout="mediapipe478", pitch_bias=0.0):
    """A pose layer whose face and joints lie exactly where the networks of a layout see them."""
    frames = len(R)
    joints = np.full((frames, 25, 3), np.nan)
    bias = yaw_pitch_roll_to_matrix(np.array([0.0, pitch_bias, 0.0]))
    for name, place in body_points_m(layout).items():
        joints[:, BODY_INDEX[name]] = center_m + np.einsum("tij,jk,k->ti", R, bias, np.array(place))
    pelvis_m = center_m + [0.0, 0.7, 0.05]
    joints[:, BODY_INDEX["pelvis"]] = pelvis_m
    return {
        "joints_px": project_px(joints, K_PX).astype(np.float32),
        "joints_m": (joints - pelvis_m[:, None]).astype(np.float32),
        "joint_score": np.where(np.isfinite(joints[..., 0]), 0.9, 0.0).astype(np.float32),
        "transl_m": pelvis_m.astype(np.float32),
        "face_px": face_of(flattened(R) if layout == "mediapipe478" else R, center_m, layout),
        "face_score": np.full(frames, 0.95, np.float32),
        "face_valid": np.ones(frames, bool),
        "present": np.ones(frames, bool),
    }


@pytest.mark.parametrize(("layout", "depth"), [("mediapipe478", True), ("mediapipe478", False), ("ibug68", False)])
def test_exact_landmarks_give_the_exact_pose(layout, depth):
    R, center_m = head_path(40)
    found_R, center_radii, residual = fit_face(face_of(R, center_m, layout, depth=depth), layout, K_PX)
    angle = rotation_angle_deg(found_R, R)
    center_px, radius_px = head_in_picture(center_radii, K_PX)
    expected_px, expected_radius = project_px(center_m, K_PX), K_PX[0, 0] * RADIUS_M / center_m[:, 2]
    off = np.linalg.norm(center_px - expected_px, axis=1) / expected_radius
    size = np.abs(radius_px / expected_radius - 1)
    tolerance = (0.5, 0.01, 0.01) if not depth else (1.0, 0.02, 0.02)  # with depth: the network's depth is orthographic
    for name, error, most in zip(("degrees", "centre", "radius"), (angle, off, size), tolerance, strict=True):
        assert error.max() < most, f"{name}: max {error.max():.4f}, mean {error.mean():.4f}, tolerance {most}"
    assert residual.max() < 0.02


def test_a_tenth_of_wrong_landmarks_hardly_moves_the_head():
    R, center_m = head_path(30)
    face = face_of(R, center_m, "mediapipe478")
    index, _, _ = face_template("mediapipe478")
    rng = np.random.default_rng(0)
    for frame in range(len(face)):
        wrong = rng.choice(index, len(index) // 10, replace=False)
        face[frame, wrong, :2] += rng.normal(0, 60, (len(wrong), 2)).astype(np.float32)
    angle = rotation_angle_deg(fit_face(face, "mediapipe478", K_PX)[0], R)
    assert angle.max() < 3.0, f"max {angle.max():.2f}, mean {angle.mean():.2f}, tolerance 3 degrees"


def test_too_few_landmarks_give_nan():
    face = np.full((2, 478, 3), np.nan, np.float32)
    R, center_radii, residual = fit_face(face, "mediapipe478", K_PX)
    assert np.isnan(R).all() and np.isnan(center_radii).all() and np.isnan(residual).all()
    assert fit_face(face[:0], "mediapipe478", K_PX)[0].shape == (0, 3, 3)


def test_body_takes_over_without_a_jump_and_keeps_the_face_calibration():
    R, center_m = head_path(80)
    pose = pose_of(R, center_m, pitch_bias=0.25)  # this body sees the ears too low, by 14 degrees of pitch
    pose["face_valid"][30:50] = False
    head = track_head(pose, K_PX, "mediapipe478")
    assert head.valid.all() and head.R_cam_head.dtype == np.float32
    assert (head.source[30:50] == SOURCE_BODY).all() and (head.source[:25] == SOURCE_FACE).all()
    angle = rotation_angle_deg(head.R_cam_head, R)
    assert angle.max() < 3.0, f"max {angle.max():.2f}, mean {angle.mean():.2f}, tolerance 3 degrees"
    expected_radius = K_PX[0, 0] * RADIUS_M / center_m[:, 2]
    off = np.linalg.norm(head.center_px - project_px(center_m, K_PX), axis=1) / expected_radius
    assert off.max() < 0.1, f"centre: max {off.max():.3f}, tolerance 0.1 radius"
    assert np.abs(head.radius_px / expected_radius - 1).max() < 0.05
    assert abs(head.radius_m / RADIUS_M - 1) < 0.03
    steps = rotation_angle_deg(head.R_cam_head[1:], head.R_cam_head[:-1])
    true_steps = rotation_angle_deg(R[1:], R[:-1])
    assert (steps - true_steps).max() < 1.5, f"largest extra step {(steps - true_steps).max():.2f} degrees"


def test_a_frontal_face_found_on_the_back_of_a_head_is_not_believed():
    R, center_m = head_path(40)
    pose = pose_of(R, center_m)
    turned = np.array(pose_of(R @ yaw_pitch_roll_to_matrix(np.array([2.6, 0.0, 0.0])), center_m)["joints_m"])
    head_joints = [BODY_INDEX[name] for name in HEAD_POINTS_M]
    pose["joints_m"][10:20, head_joints] = turned[10:20, head_joints]
    head = track_head(pose, K_PX, "mediapipe478")
    assert (head.source[10:20] == SOURCE_BODY).all()


def test_absent_frames_and_clips_without_any_face():
    R, center_m = head_path(12)
    pose = pose_of(R, center_m, "ibug68")
    pose["present"][5:8] = False
    head = track_head(pose, K_PX, "ibug68")
    assert not head.valid[5:8].any() and (head.source[5:8] == SOURCE_NONE).all()
    assert np.isnan(head.center_px[5:8]).all() and np.isnan(head.R_cam_head[5:8]).all()
    pose["face_px"] = np.zeros((12, 0, 3), np.float32)
    head = track_head(pose, K_PX, "none")
    assert (head.source[head.valid] == SOURCE_BODY).all() and head.valid.sum() == 9
    assert rotation_angle_deg(head.R_cam_head[head.valid], R[head.valid]).max() < 1.0
    assert len(BODY_JOINTS) == pose["joints_m"].shape[1]


def turning_away(frames, from_deg, to_deg):
    yaw = np.radians(np.linspace(from_deg, to_deg, frames))
    return yaw_pitch_roll_to_matrix(np.stack([yaw, 0 * yaw, 0 * yaw], -1)), np.tile([0.0, 0.0, 1.2], (frames, 1))


def drawn_to_the_front(R, center_m, degrees):
    """The landmarks of a face that the network draws `degrees` less turned than it is, to the person's left."""
    return face_of(R @ yaw_pitch_roll_to_matrix(np.radians([-degrees, 0.0, 0.0])), center_m, "mediapipe478")


def test_a_face_near_profile_is_corrected_by_the_body():
    R, center_m = turning_away(30, 70, 80)
    pose = pose_of(R, center_m)
    pose["face_px"] = drawn_to_the_front(R, center_m, 10.0)
    head = track_head(pose, K_PX, "mediapipe478")
    assert (head.source == SOURCE_FACE).all()
    angle = rotation_angle_deg(head.R_cam_head, R)
    assert angle.max() < 7.5, f"max {angle.max():.2f}, mean {angle.mean():.2f}, tolerance 7.5; the face is off by 10"


def test_a_frontal_face_hardly_follows_a_wrong_body():
    R, center_m = turning_away(30, -15, 15)
    head = track_head(pose_of(R, center_m, pitch_bias=0.2), K_PX, "mediapipe478")
    angle = rotation_angle_deg(head.R_cam_head, R)
    assert angle.max() < 1.5, f"max {angle.max():.2f}, mean {angle.mean():.2f}, tolerance 1.5; the body is off by 11"


def test_a_wrong_face_near_profile_does_not_turn_the_body_of_the_whole_clip():
    R, center_m = turning_away(40, 65, 150)
    pose = pose_of(R, center_m)
    pose["face_px"] = drawn_to_the_front(R, center_m, 15.0)
    pose["face_valid"][12:] = False
    head = track_head(pose, K_PX, "mediapipe478")
    assert (head.source[15:] == SOURCE_BODY).all()
    angle = rotation_angle_deg(head.R_cam_head[15:], R[15:])
    assert angle.max() < 1.0, f"max {angle.max():.2f}, mean {angle.mean():.2f}, tolerance 1 degree"


def test_joints_are_looked_for_where_the_network_of_the_layout_puts_them():
    R, center_m = head_path(12)
    for layout in LANDMARKS:
        pose = pose_of(R, center_m, layout)
        pose["face_valid"][:] = False
        head = track_head(pose, K_PX, layout)
        angle = rotation_angle_deg(head.R_cam_head, R)
        assert angle.max() < 1.0, f"{layout}: max {angle.max():.2f}, mean {angle.mean():.2f}, tolerance 1 degree"


def test_a_head_that_the_network_flattens_is_read_from_the_picture():
    R, center_m = head_path(12)
    pose = pose_of(R, center_m)
    joints = [BODY_INDEX[name] for name in HEAD_POINTS_M]
    middle = pose["joints_m"][:, joints, 2].mean(1, keepdims=True)
    pose["joints_m"][:, joints, 2] = middle + 0.5 * (pose["joints_m"][:, joints, 2] - middle)
    pose["face_valid"][:] = False
    angle = rotation_angle_deg(track_head(pose, K_PX, "mediapipe478").R_cam_head, R)
    assert angle.max() < 1.0, f"max {angle.max():.2f}, mean {angle.mean():.2f}, tolerance 1 degree"


def test_a_turned_face_that_the_mesh_flattens_is_turned_on():
    found = yaw_pitch_roll_to_matrix(np.radians([[0, 5, 3], [29, 0, 0], [50, 4, 2], [-60, 0, 0]]))
    yaw = np.degrees(euler_yaw_pitch_roll_rad(turned_on(found))[:, 0])
    np.testing.assert_allclose(yaw, [0, 29, 57, -70.5], atol=0.5)
    np.testing.assert_allclose(turned_on(found)[:2], found[:2], atol=1e-12)


def test_a_body_that_faces_elsewhere_all_along_does_not_turn_its_offset_into_every_frame():
    """A false first mesh once pulled a good body by 35 degrees for as long as no face was seen."""
    R, center_m = head_path(30)
    pose = pose_of(R, center_m)
    wrong = R[:10] @ yaw_pitch_roll_to_matrix(np.radians([[45.0, 0, 0]]))
    pose["face_px"][:10] = face_of(wrong, center_m[:10], "mediapipe478")
    pose["face_valid"][10:] = False
    head = track_head(pose, K_PX, "mediapipe478")
    error = rotation_angle_deg(R[15:], head.R_cam_head[15:])
    assert error.max() < 3.0, error.max()
