"""The trackers on synthetic people: what they say of pictures whose difference is known."""

import cv2
import numpy as np
import pytest

from stages.core.errors import UsageError
from stages.core.geometry import rotation_angle_deg
from stages.metrics import mean
from stages.metrics.interface import ClipArrays
from stages.scoring import tracks
from stages.scoring.track_errors import MEASURED
from tests.metrics.collecting import assert_blocks_change_nothing, assert_fits_specs, collect
from tests.metrics.people import SIZE, need, person_clip

OPTIONS = tracks.Options()


@pytest.fixture(scope="module", autouse=True)
def networks():
    need(*tracks.NETWORKS)


@pytest.fixture(scope="module")
def half():
    return person_clip(600_071, "half", 8)


@pytest.fixture(scope="module")
def portrait():
    return person_clip(600_012, "portrait").frames_u8


@pytest.fixture(scope="module")
def late(half):
    """The person two frames ahead against the person."""
    return collect(tracks, OPTIONS, np.roll(half.frames_u8, -2, axis=0), half.frames_u8)


def test_the_real_video_against_itself_is_zero(half):
    arrays = collect(tracks, OPTIONS, half.frames_u8, half.frames_u8)
    assert_fits_specs(tracks, OPTIONS, arrays)
    for name in ("joint_error", "joint_error_relative", "joint_missing", "head_rotation_deg", "aed_expression"):
        assert np.abs(arrays[name]).max() < 1e-6, name
    assert arrays["bone_ratio"] == pytest.approx(1)
    assert all(arrays[name].all() for name in ("person_found", "head_found", "face_found", "face_expected"))


def test_mouth_and_lids_of_the_same_film_are_followed_wherever_they_move(half):
    options = tracks.Options(mouth_least=0.5, eye_least=0.01)
    arrays = collect(tracks, options, half.frames_u8, half.frames_u8)
    assert arrays["mouth_expected"] and arrays["mouth_following"] == pytest.approx(1)
    assert arrays["eye_expected"] and arrays["eye_following"] == pytest.approx(1)
    strict = collect(tracks, tracks.Options(mouth_least=99, eye_least=0.9), half.frames_u8, half.frames_u8)
    assert not strict["mouth_expected"] and np.isnan(strict["mouth_following"])
    assert not strict["eye_expected"] and np.isnan(strict["eye_following"])


def test_small_frames_are_enlarged_before_anybody_is_looked_for(half):
    small = np.stack([cv2.resize(frame, (96, 96), interpolation=cv2.INTER_AREA) for frame in half.frames_u8[:2]])
    arrays = collect(tracks, tracks.Options(enlarge=2), small, small)
    assert arrays["joint_error_height"].max() < 1e-6 and arrays["person_found"].all()
    assert tracks.signature(tracks.Options(enlarge=2)) != tracks.signature(OPTIONS)
    with pytest.raises(UsageError, match="enlarge is 9"):
        tracks.Options(enlarge=9)


def test_a_head_turned_in_the_picture_is_found_turned(portrait):
    turn = cv2.getRotationMatrix2D((SIZE / 2, 80), 12, 1)
    turned = np.stack([cv2.warpAffine(f, turn, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE) for f in portrait])
    arrays = collect(tracks, OPTIONS, turned, portrait)
    assert np.abs(arrays["head_rotation_deg"] - 12).max() < 2, arrays["head_rotation_deg"]
    assert np.abs(arrays["head_roll_deg"] - 12).max() < 2, arrays["head_roll_deg"]
    assert arrays["aed_expression"].max() < 1.5, arrays["aed_expression"]  # the face itself is the same


def test_another_moment_is_as_far_as_the_exact_joints_and_heads_say(half, late):
    """The measured error follows the renderer's truth: within the trackers' own errors."""
    later = np.roll(np.arange(8), -2)
    truth_deg = rotation_angle_deg(half.R_cam_head[later], half.R_cam_head)
    assert np.abs(late["head_rotation_deg"] - truth_deg).max() < 6, (late["head_rotation_deg"], truth_deg)
    inside = ((half.joints_px >= 0) & (half.joints_px <= SIZE - 1)).all(-1)[:, MEASURED]
    seen = inside[later] & inside
    moved = np.linalg.norm(half.joints_px[later] - half.joints_px, axis=-1)[:, MEASURED]
    torso = np.linalg.norm(half.joints_px[:, 23] - half.joints_px[:, 24], axis=-1)
    truth = 100 * np.where(seen, moved, 0).sum(1) / seen.sum(1) / torso
    height = truth * torso / (half.height_m * half.K_px[0, 0] / half.transl_m[:, 2])
    assert np.abs(late["joint_error_height"] / late["joint_error"] - 1 / tracks.HEIGHT_TORSOS).max() < 1e-9
    assert np.abs(late["joint_error_height"].mean() / height.mean() - 1) < 0.5, (late["joint_error_height"], height)
    assert np.corrcoef(late["joint_error"], truth)[0, 1] > 0.8, (late["joint_error"], truth)


def test_a_frozen_video_does_not_win(half):
    frozen = np.repeat(half.frames_u8[:1], 8, axis=0)
    arrays = collect(tracks, OPTIONS, frozen, half.frames_u8)
    assert arrays["joint_error"][1:].mean() > 3 and arrays["bone_ratio"] < 0.5  # why the ratio alone is no score


def test_empty_frames_are_missing_and_cost_in_the_worst_case(half):
    blank = half.frames_u8.copy()
    blank[3:5] = 90
    arrays = collect(tracks, OPTIONS, blank, half.frames_u8)
    assert arrays["joint_missing"][3:5].tolist() == [1, 1] and arrays["joint_missing"][:3].max() == 0
    for name, among, worst in (
        ("joint_error", "joint_expected", 100.0),
        ("head_rotation_deg", "head_expected", 180.0),
        ("aed_expression", "face_expected", 100.0),
    ):
        assert np.isnan(arrays[name][3:5]).all() and np.isfinite(arrays[name][:3]).all(), name
        options = mean.Options(array=name, among=among, worst=worst)
        summary = mean.summarise(options, [ClipArrays("clip", -1, arrays)])
        assert summary.coverage == 6 / 8, name
        assert summary.imputed == pytest.approx((6 * summary.value + 2 * worst) / 8), name


def test_the_one_in_the_same_place_is_followed_not_the_largest(half, portrait):
    """The generated frames show a larger stranger beside the person."""
    real = np.concatenate([half.frames_u8[:4], np.full((4, SIZE, SIZE, 3), 90, np.uint8)], axis=2)
    generated = real.copy()
    generated[:, :, SIZE:] = portrait[:4]
    arrays = collect(tracks, OPTIONS, generated, real)
    assert arrays["joint_missing"].max() < 0.2 and arrays["joint_error"].max() < 5, arrays["joint_error"]


def test_against_a_driver_only_what_is_relative_is_measured(half, portrait):
    arrays = collect(tracks, OPTIONS, portrait, driving_u8=half.frames_u8[:6])
    assert np.isnan(arrays["joint_error"]).all() and np.isnan(arrays["aed_expression"]).all()
    for name in ("joint_error_relative", "aed_expression_rest", "head_rotation_deg"):
        assert np.isfinite(arrays[name]).all(), name
    assert arrays["joint_missing"].min() > 0.2  # arms that a portrait does not show
    alone = collect(tracks, OPTIONS, portrait)
    assert np.isnan(alone["joint_missing"]).all() and not alone["joint_expected"].any() and alone["face_found"].all()


@pytest.mark.parametrize(
    "length", [pytest.param(1, marks=pytest.mark.slow), 3, pytest.param(4, marks=pytest.mark.slow)]
)
def test_blocks_change_nothing(half, length):
    generated, real = half.frames_u8[2:7], half.frames_u8[:5]
    assert_blocks_change_nothing(tracks, OPTIONS, generated, real, lengths=(length,))


def test_unknown_option_is_refused_in_one_line():
    with pytest.raises(UsageError, match="align is 'nearest', expected one of"):
        tracks.Options(align="nearest")
