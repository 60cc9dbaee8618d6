"""The translation in front of the camera, against joints that were projected with a known one."""

import numpy as np
import pytest

from stages.core.geometry import default_K_px, project_px
from stages.core.skeleton import BODY_INDEX
from stages.pose.camera import fit_camera, solve_translation
from stages.pose.track import PoseTrack, empty_arrays, empty_track

SIZE = (720, 1280)
K_PX = default_K_px(*SIZE)


def person(frames=40, seed=0):
    """Random but body-sized joints that move a little, and a path in front of the camera."""
    rng = np.random.default_rng(seed)
    rest = rng.uniform([-0.4, -0.7, -0.2], [0.4, 0.9, 0.2], (25, 3))
    t = np.arange(frames) / 25
    sway = 0.1 * np.sin(2 * np.pi * (t[:, None, None] * rng.uniform(0.2, 0.8, (1, 25, 3)) + rng.random((1, 25, 3))))
    joints_m = rest + sway
    joints_m[:, BODY_INDEX["pelvis"]] = 0
    path = np.stack([0.3 * np.sin(t), 0.1 * np.cos(t), 4.0 + 0.5 * t], -1)
    return joints_m, path


def as_track(joints_m, joints_px, score=0.9) -> PoseTrack:
    arrays = empty_arrays(len(joints_m), "none")
    arrays["joints_m"][:], arrays["joints_px"][:] = joints_m, joints_px
    arrays["joint_score"][:], arrays["joint_valid"][:] = score, True
    arrays["present"][:], arrays["person_id"][:] = True, 0
    return PoseTrack(**arrays, face_layout="none", size=SIZE, fps=25.0)


def test_exact_projection_is_recovered_exactly():
    joints_m, path = person()
    px = project_px(joints_m + path[:, None], K_PX)
    found = solve_translation(joints_m, px, np.ones(px.shape[:2]), K_PX)
    worst = np.abs(found - path).max()
    assert worst < 1e-9, f"largest error {worst} m, tolerance 1e-9"


def test_known_depth_leaves_x_and_y_exact():
    joints_m, path = person()
    px = project_px(joints_m + path[:, None], K_PX)
    found = solve_translation(joints_m, px, np.ones(px.shape[:2]), K_PX, depth_m=path[:, 2])
    np.testing.assert_allclose(found, path, atol=1e-9)


def test_gross_outliers_and_ignored_joints_do_not_matter():
    joints_m, path = person()
    px = project_px(joints_m + path[:, None], K_PX)
    weight = np.ones(px.shape[:2])
    px[:, 3] += 400  # wrong and trusted: the robust part has to see it
    px[:, 7], weight[:, 7] = -5000, 0.0
    px[:, 9] = np.nan
    found = solve_translation(joints_m, px, weight, K_PX)
    worst = np.linalg.norm(found - path, axis=1).max()
    assert worst < 0.12, f"largest error {worst:.3f} m of a depth of 4 to 5 m, tolerance 0.12"


def test_upper_body_only():
    joints_m, path = person()
    px = project_px(joints_m + path[:, None], K_PX)
    weight = np.zeros(px.shape[:2])
    for name in ("nose", "left_eye", "right_eye", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow"):
        weight[:, BODY_INDEX[name]] = 0.8
    found = solve_translation(joints_m, px, weight, K_PX)
    np.testing.assert_allclose(found, path, atol=1e-8)


def test_too_little_to_tell_is_nan():
    joints_m, path = person(frames=4)
    px = project_px(joints_m + path[:, None], K_PX)
    weight = np.ones(px.shape[:2])
    weight[0] = 0
    weight[1, 3:] = 0
    joints_m[2] = joints_m[2] * 0.001  # all in one spot
    found = solve_translation(joints_m, px, weight, K_PX)
    assert np.isnan(found[:3]).all() and np.isfinite(found[3]).all()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_smoothing_steadies_the_depth_and_keeps_the_projection(seed):
    joints_m, path = person(frames=100, seed=seed)
    clean_px = project_px(joints_m + path[:, None], K_PX)
    rng = np.random.default_rng(seed)
    noisy_px = clean_px + rng.normal(0, 4.0, clean_px.shape)
    alone = solve_translation(joints_m, noisy_px, np.ones(noisy_px.shape[:2]), K_PX)
    fit = fit_camera(as_track(joints_m, noisy_px))
    assert fit.transl_m.dtype == np.float32 and fit.transl_m.shape == (100, 3)
    before, after = np.abs(alone[:, 2] - path[:, 2]), np.abs(fit.transl_m[:, 2] - path[:, 2])
    assert after.mean() < 0.65 * before.mean(), f"mean depth error {before.mean():.4f} before, {after.mean():.4f} after"
    assert np.abs(np.diff(fit.transl_m[:, 2], 2)).mean() < 0.2 * np.abs(np.diff(alone[:, 2], 2)).mean()
    error = np.linalg.norm(project_px(joints_m + fit.transl_m[:, None], K_PX) - clean_px, axis=-1)
    assert error.mean() < 3.0, f"mean projection error {error.mean():.2f} px with 4 px of noise"
    assert np.nanmax(fit.residual_px) < 12


def test_frames_without_the_person_stay_nan_and_do_not_disturb_the_others():
    joints_m, path = person()
    track = as_track(joints_m, project_px(joints_m + path[:, None], K_PX))
    valid = track.joint_valid.copy()
    valid[15:18] = False
    fit = fit_camera(track.with_arrays(joint_valid=valid))
    gone = np.isnan(fit.transl_m).all(1)
    assert gone[15:18].all() and gone.sum() == 3 and np.isnan(fit.residual_px[15:18]).all()
    np.testing.assert_allclose(fit.transl_m[~gone], path[~gone], atol=0.05)
    nobody = fit_camera(empty_track(3, "none", size=SIZE, fps=25.0))
    assert np.isnan(nobody.transl_m).all() and nobody.K_px.shape == (3, 3)


def test_frames_that_show_only_a_face_keep_the_depth_of_their_neighbours():
    joints_m, path = person()
    track = as_track(joints_m, project_px(joints_m + path[:, None], K_PX))
    valid = track.joint_valid.copy()
    for part in (slice(0, 5), slice(20, 30), slice(37, 40)):
        valid[part, 2:] = False
    fit = fit_camera(track.with_arrays(joint_valid=valid))
    assert np.isfinite(fit.transl_m).all()
    np.testing.assert_allclose(fit.transl_m[20:30], path[20:30], atol=0.1)
    worst = fit.residual_px.max()
    assert worst < 12, f"{worst:.1f} px of a body of 700 px"
    np.testing.assert_allclose(fit.transl_m[:5, 2], path[5, 2], atol=0.15)


def test_wrong_field_of_view_hardly_changes_the_projection():
    joints_m, path = person()
    px = project_px(joints_m + path[:, None], default_K_px(*SIZE, fov_deg=50.0))
    fit = fit_camera(as_track(joints_m, px))
    assert np.nanmax(fit.residual_px) < 0.02 * np.ptp(px[..., 1]), f"residual {np.nanmax(fit.residual_px):.2f} px"
