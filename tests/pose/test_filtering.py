"""Gap filling and smoothing against closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.pose.cleaning import FilterParams, clean_track, person_segments, px_per_metre
from stages.pose.filtering import OneEuro, fill_gaps, jitter, smooth
from stages.pose.track import PoseTrack, empty_arrays, empty_track

FPS = 25.0
BODY = FilterParams().body


def lag_frames(clean, smoothed) -> float:
    """Delay of a periodic signal in frames from the phase of its strongest frequency."""
    a, b = np.fft.rfft(clean - clean.mean()), np.fft.rfft(smoothed - smoothed.mean())
    k = int(np.argmax(np.abs(a)))
    return float(np.angle(a[k] / b[k]) / (2 * np.pi * k / len(clean)))


def test_constant_and_ramp_come_out_unchanged():
    t = np.arange(60)[:, None, None]
    for signal in (np.full((60, 3, 2), 7.5), 0.031 * t * np.ones((1, 3, 2)) + 2.0):
        worst = np.abs(smooth(signal, FPS, BODY) - signal).max()
        assert worst < 1e-9, f"largest change {worst}, tolerance 1e-9"


@pytest.mark.parametrize("amplitude_m", [0.02, 0.2])
def test_sinusoid_has_no_lag_where_the_causal_filter_has_one(amplitude_m):
    t = np.arange(200) / FPS
    wave = amplitude_m * np.sin(2 * np.pi * 1.0 * t)
    out = smooth(wave[:, None, None], FPS, BODY)[:, 0, 0]
    assert abs(lag_frames(wave, out)) < 0.02
    causal = [wave[0]]
    alpha = 1 / (1 + FPS / (2 * np.pi * BODY.min_cutoff_hz))
    for value in wave[1:]:
        causal.append(causal[-1] + alpha * (value - causal[-1]))
    assert lag_frames(wave, np.array(causal)) > 1.0, "the probe itself must see a delay"


def test_time_reversed_in_gives_time_reversed_out():
    rng = np.random.default_rng(0)
    signal = np.cumsum(rng.normal(0, 0.02, (80, 4, 3)), 0)
    signal[20:23, 1] = np.nan
    weight = rng.uniform(0.1, 1, (80, 4))
    forward = smooth(signal, FPS, BODY, weight=weight)
    mirrored = smooth(signal[::-1], FPS, BODY, weight=weight[::-1])[::-1]
    np.testing.assert_allclose(forward, mirrored, atol=1e-12)


def test_step_settles_on_both_levels_and_is_symmetric():
    step = np.where(np.arange(100) < 50, 0.0, 1.0)[:, None, None]
    out = smooth(step, FPS, OneEuro(2.0, 0.0))[:, 0, 0]
    assert abs(out[30]) < 0.01 and abs(out[69] - 1) < 0.01
    np.testing.assert_allclose(out + out[::-1], 1.0, atol=1e-9)
    assert out.min() > -0.05 and out.max() < 1.05, f"overshoot {out.min()} {out.max()}"


def test_noise_is_reduced_and_fast_movement_kept():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.004, (300, 10, 2))
    still = smooth(noise, FPS, BODY)
    assert jitter(still) < 0.25 * jitter(noise), f"{jitter(still)} of {jitter(noise)}"
    t = np.arange(300) / FPS
    for amplitude_m, hz, least in ((0.3, 1.5, 0.97), (0.1, 2.0, 0.92), (0.05, 3.0, 0.75)):
        swing = amplitude_m * np.sin(2 * np.pi * hz * t)[:, None, None]
        kept = np.ptp(smooth(swing, FPS, BODY)[20:-20]) / (2 * amplitude_m)
        assert kept > least, f"{amplitude_m} m at {hz} Hz: {kept:.3f} of the movement kept, wanted {least}"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_nan_never_spreads(seed, frames):
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(frames, 3, 2)).astype(np.float32)
    signal[rng.random((frames, 3)) < 0.4] = np.nan
    out = smooth(signal, FPS, BODY)
    assert out.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(out), np.isnan(signal))
    bound = np.nanmax(np.abs(signal), initial=0) * 4 + 1
    assert np.nanmax(np.abs(out), initial=0) < bound


def test_low_score_outlier_moves_the_result_less():
    signal = np.zeros((41, 1, 1))
    signal[20] = 1.0
    weight = np.ones((41, 1))
    trusted = smooth(signal, FPS, BODY, weight=weight)[20, 0, 0]
    weight[20] = 0.1
    doubted = smooth(signal, FPS, BODY, weight=weight)[20, 0, 0]
    assert doubted < 0.5 * trusted, f"{doubted} against {trusted}"


def test_units_do_not_matter():
    rng = np.random.default_rng(2)
    metres = np.cumsum(rng.normal(0, 0.02, (60, 2, 2)), 0)
    np.testing.assert_allclose(smooth(metres * 340, FPS, BODY, unit_per_m=340.0), smooth(metres, FPS, BODY) * 340)


def test_segments_do_not_mix():
    signal = np.concatenate([np.zeros((20, 1, 1)), np.full((20, 1, 1), 5.0)])
    segment = np.repeat([0, 1], 20)
    np.testing.assert_array_equal(smooth(signal, FPS, BODY, segment=segment), signal)
    signal[18:22] = np.nan
    values, filled = fill_gaps(signal, np.ones((40, 1), bool), FPS, 0.25, segment)
    assert not filled.any() and np.isnan(values[18:22]).all()


def test_gaps_of_straight_movement_are_recovered_exactly_and_long_ones_stay():
    truth = (np.arange(60)[:, None, None] * np.array([[[2.0, -1.0]]])) + 3
    broken, valid = truth.copy(), np.ones((60, 1), bool)
    broken[10:16] = np.nan  # six frames at 25 fps: 0.24 s
    broken[30:37] = np.nan  # seven: 0.28 s
    broken[0:2] = broken[58:] = np.nan
    values, filled = fill_gaps(broken, valid, FPS)
    np.testing.assert_allclose(values[2:30], truth[2:30])
    assert filled[:, 0].nonzero()[0].tolist() == list(range(10, 16))
    assert np.isnan(values[30:37]).all() and np.isnan(values[:2]).all() and np.isnan(values[58:]).all()


def test_invalid_guess_in_a_short_gap_is_bridged():
    values, valid = np.zeros((10, 1, 2)), np.ones((10, 1), bool)
    values[4], valid[4] = 99.0, False
    out, filled = fill_gaps(values, valid, FPS)
    assert filled[4, 0] and out[4].max() == 0.0


def test_person_segments():
    ids = np.array([-1, 3, 3, -1, 3, 5, 5, -1], np.int32)
    segment = person_segments(ids)
    assert len(set(segment[1:5])) == 1 and segment[5] != segment[4] and segment[7] == segment[6]


def moving_track(frames=50, noise=0.0, seed=0) -> PoseTrack:
    rng = np.random.default_rng(seed)
    arrays = empty_arrays(frames, "ibug68")
    rest = rng.normal(0, 0.4, (25, 3)).astype(np.float32)
    arrays["joints_m"][:] = rest + rng.normal(0, noise, (frames, 25, 3))
    arrays["joints_px"][:] = arrays["joints_m"][..., :2] * 200 + 300
    arrays["joint_score"][:], arrays["joint_valid"][:] = 0.9, True
    arrays["present"][:], arrays["person_id"][:] = True, 0
    arrays["box_px"][:] = [100, 100, 400, 500]
    return PoseTrack(**arrays, face_layout="ibug68", size=(600, 600), fps=FPS)


def test_clean_track_fills_without_claiming_validity():
    track = moving_track(noise=0.003)
    assert px_per_metre(track) == pytest.approx(200, rel=0.01)
    px, valid = track.joints_px.copy(), track.joint_valid.copy()
    px[20:23, 4], valid[20:23, 4] = np.nan, False
    px[30:45, 5], valid[30:45, 5] = np.nan, False
    out = clean_track(track.with_arrays(joints_px=px, joint_valid=valid))
    assert np.isfinite(out.joints_px[20:23, 4]).all() and not out.joint_valid[20:23, 4].any()
    assert np.isnan(out.joints_px[30:45, 5]).all()
    assert jitter(out.joints_px[:20]) < 0.3 * jitter(track.joints_px[:20])
    assert np.isnan(out.hands_px).all() and np.isnan(out.face_px).all()
    assert out.joints_px.dtype == np.float32


def test_face_without_depth_is_smoothed_and_stays_without_depth():
    track = moving_track()
    face = track.face_px.copy()
    face[..., :2] = np.random.default_rng(3).normal(300, 1, face[..., :2].shape)
    out = clean_track(track.with_arrays(face_px=face, face_valid=np.ones(50, bool), face_score=np.ones(50, np.float32)))
    assert np.isnan(out.face_px[..., 2]).all() and jitter(out.face_px[..., :2]) < 0.6 * jitter(face[..., :2])


def test_clean_track_of_nobody_and_of_one_frame():
    nobody = clean_track(empty_track(5, "mediapipe478", size=(10, 10), fps=25.0))
    assert np.isnan(nobody.joints_px).all() and not nobody.present.any()
    photo = moving_track(frames=1)
    np.testing.assert_allclose(clean_track(photo).joints_px, photo.joints_px)
    assert len(clean_track(empty_track(0, "none", size=(1, 1), fps=25.0))) == 0
