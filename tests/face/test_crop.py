"""Face crops: where they lie for heads of known place, size and turn, and what the pixels are."""

import numpy as np
import pytest

from stages.core.geometry import yaw_pitch_roll_to_matrix
from stages.face.crop import (
    _LAYOUT_POINTS,
    _RIGID_RADII,
    CROP_PX,
    FACE_MIDDLE_RADII,
    HALF_SIDE_RADII,
    crop_affine,
    fit_head,
    track_crops,
    warp_crop,
)  # fmt: skip

LAYOUTS = {"mediapipe478": 478, "ibug68": 68}


def head(layout, center_px, radius_px, R, *, depth=True):
    """Landmarks float [F, 3] of a head seen from far away; the points the crop does not use are noise."""
    face = np.random.default_rng(0).normal(center_px[0], 40, (LAYOUTS[layout], 3))
    for name, index in _LAYOUT_POINTS[layout].items():
        face[index] = R @ np.array(_RIGID_RADII[name]) * radius_px
        face[index, :2] += center_px
    if not depth:
        face[:, 2] = np.nan
    return face


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("depth", [True, False])
@pytest.mark.parametrize("angles_deg", [(0, 0, 0), (40, 0, 0), (-60, 10, 20), (0, 25, -30), (15, -20, 5)])
def test_head_is_found_at_any_turn(layout, depth, angles_deg):
    R = yaw_pitch_roll_to_matrix(np.radians(angles_deg))
    face = head(layout, (310.0, 205.0), 80.0, R, depth=depth)
    center, radius, roll = fit_head(face[None], layout)
    middle = np.array((310.0, 205.0)) + (R @ np.array(FACE_MIDDLE_RADII))[:2] * 80.0
    slack = 0.01 if depth else 2.5  # without depth the turn is found by iteration
    assert np.linalg.norm(center[0] - middle) < slack
    assert radius[0] == pytest.approx(80.0, rel=1e-4 if depth else 0.03)
    assert roll[0] == pytest.approx(np.arctan2(-R[0, 1], R[1, 1]), abs=0.01 if depth else 0.06)


def test_square_is_2_3_head_radii_wide_and_axis_aligned():
    face = head("mediapipe478", (310.0, 205.0), 80.0, yaw_pitch_roll_to_matrix(np.radians((0, 0, 25))))
    affine, valid = track_crops(face[None], np.array([True]), "mediapipe478", 30.0)
    assert affine.dtype == np.float32 and valid.tolist() == [True]
    scale = CROP_PX / (2 * HALF_SIDE_RADII * 80.0)
    assert np.allclose(affine[0, :, :2], np.eye(2) * scale, rtol=1e-4, atol=1e-6)
    upright, _ = track_crops(face[None], np.array([True]), "mediapipe478", 30.0, upright=True)
    eyes = face[[226, 446], :2] @ upright[0, :, :2].T + upright[0, :, 2]
    assert abs(eyes[0, 1] - eyes[1, 1]) < 0.05 and abs(affine[0, 1, :2] @ (face[446, :2] - face[226, :2])) > 10


def test_centre_lands_in_the_middle_and_corners_at_the_corners():
    affine = crop_affine(np.array([50.0, 40.0]), 23.0)
    assert np.allclose(affine[:, :2] @ (50, 40) + affine[:, 2], 111.5)
    left = affine[:, :2] @ (50 - 23, 40 - 23) + affine[:, 2]
    assert np.allclose(left, -0.5, atol=1e-4)  # the outer edge of the first pixel


def test_crop_does_not_jitter_and_does_not_lag():
    rng = np.random.default_rng(1)
    truth = np.stack([200 + 3.0 * np.arange(60), np.full(60, 150.0)], -1)
    faces = np.stack([head("mediapipe478", center, 60.0, np.eye(3)) for center in truth])
    faces += rng.normal(0, 1.5, faces.shape)
    affine, _ = track_crops(faces, np.ones(60, bool), "mediapipe478", 30.0)
    center = (111.5 - affine[:, :, 2]) / affine[:, [0, 1], [0, 1]]
    raw = fit_head(faces, "mediapipe478")[0]
    middle = truth + np.array(FACE_MIDDLE_RADII)[:2] * 60.0

    def shake(path):
        return np.abs(np.diff(path, 2, axis=0)).mean()

    assert shake(center) < 0.35 * shake(raw), (shake(center), shake(raw))
    assert np.abs(center - middle).max() < 1.5  # also at both ends of a steady move
    side = 224 / affine[:, 0, 0]
    assert side.std() / side.mean() < 0.01 and side.mean() == pytest.approx(2.3 * 60, rel=0.02)


def test_frames_without_a_face_get_no_crop_and_cuts_are_not_smoothed_over():
    here = np.stack([head("ibug68", (100, 100), 40.0, np.eye(3))] * 10)
    there = np.stack([head("ibug68", (400, 200), 80.0, np.eye(3))] * 10)
    faces = np.concatenate([here, there])
    seen = np.ones(20, bool)
    seen[4:6] = False
    faces[4:6] = np.nan
    affine, valid = track_crops(faces, seen, "ibug68", 30.0)
    assert valid.tolist() == seen.tolist() and np.isnan(affine[4:6]).all()
    alone, _ = track_crops(there, np.ones(10, bool), "ibug68", 30.0)
    assert np.allclose(affine[10:], alone, atol=1e-4)
    assert (warp_crop(np.full((300, 500, 3), 200, np.uint8), affine[4]) == 0).all()


def test_nothing_to_crop():
    for layout, points in (("none", 0), ("mediapipe478", 478)):
        affine, valid = track_crops(np.full((3, points, 3), np.nan), np.zeros(3, bool), layout, 30.0)
        assert affine.shape == (3, 2, 3) and not valid.any() and np.isnan(affine).all()
    lying = np.full((2, 478, 3), np.nan)  # a backend that says "valid" and gives no points
    assert not track_crops(lying, np.ones(2, bool), "mediapipe478", 30.0)[1].any()


@pytest.mark.parametrize("half_side", [56.0, 112.0, 400.0])
def test_pixels_are_those_of_the_square(half_side):
    height, width = 900, 1000
    y, x = np.mgrid[:height, :width]
    image = np.stack([x * 255.0 / width, y * 255.0 / height, np.zeros_like(x)], -1).round().astype(np.uint8)
    affine = crop_affine(np.array([500.0, 450.0]), half_side)
    crop = warp_crop(image, affine)
    assert crop.shape == (CROP_PX, CROP_PX, 3) and crop.dtype == np.uint8
    u = (np.arange(CROP_PX) - 111.5) * 2 * half_side / CROP_PX
    assert np.abs(crop[112, :, 0] - (500 + u) * 255 / width).max() <= 1.5
    assert np.abs(crop[:, 112, 1] - (450 + u) * 255 / height).max() <= 1.5


def test_shrinking_takes_means_so_fine_stripes_turn_grey():
    stripes = np.zeros((1200, 1200, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = warp_crop(stripes, crop_affine(np.array([600.0, 600.0]), 448.0))
    assert np.abs(crop[20:-20, 20:-20].astype(int) - 127).max() <= 3
