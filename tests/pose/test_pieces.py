"""A long video is measured in pieces: bounded memory, one person, and the same track as in one go."""

import numpy as np
import pytest

from stages.pose.layer import CONTEXT_S, finish_pieces, finish_track
from stages.pose.mediapipe.record import Recorder
from stages.pose.track import PoseTrack, cut_track, empty_arrays, join_tracks

FPS, FRAMES = 10.0, 400


def wandering(frames=FRAMES, seed=0):
    """A noisy person who walks about, with gaps and a frame without anybody."""
    rng = np.random.default_rng(seed)
    arrays = empty_arrays(frames, "ibug68")
    time = np.arange(frames) / FPS
    place = np.stack([np.sin(0.7 * time), 0.3 * np.cos(0.4 * time)], -1)
    body = rng.normal(0, 0.3, (25, 3))
    arrays["joints_m"][:] = body + 0.01 * rng.standard_normal((frames, 25, 3))
    shown = (body[:, :2] + place[:, None]) * 200 + 320
    arrays["joints_px"][:] = shown + rng.standard_normal((frames, 25, 2))
    arrays["face_px"][:, :, :2] = (place[:, None] + rng.normal(0, 0.1, (68, 2))) * 200 + 320
    arrays["face_px"] += rng.standard_normal(arrays["face_px"].shape).astype(np.float32)
    for name in ("joint_score", "face_score"):
        arrays[name][:] = 0.9
    for name in ("joint_valid", "face_valid", "present"):
        arrays[name][:] = True
    arrays["joint_valid"][20:22, 3] = False
    arrays["person_id"][:] = 0
    arrays["present"][frames // 2], arrays["person_id"][frames // 2] = False, -1
    arrays["box_px"][:] = np.concatenate([shown.min(1), shown.max(1)], -1)
    return PoseTrack(**arrays, face_layout="ibug68", backend="test", size=(640, 640), fps=FPS)


def pieces_of(track, length):
    return [cut_track(track, slice(start, start + length)) for start in range(0, len(track), length)]


@pytest.mark.parametrize("length", [7, 90, 150, 399, 400])
def test_pieces_give_the_track_of_one_go(length):
    track = wandering()
    whole = finish_track(track)
    made = list(finish_pieces(pieces_of(track, length)))
    assert sum(len(raw) for raw, _ in made) == FRAMES
    for name, expected in whole.items():
        joined = made[0][1][name] if name == "K_px" else np.concatenate([arrays[name] for _, arrays in made])
        assert joined.dtype == expected.dtype and np.array_equal(np.isnan(joined), np.isnan(expected)), name
        off = np.nanmax(np.abs(joined.astype(np.float64) - expected.astype(np.float64)), initial=0.0)
        assert off < (0.02 if name.endswith("_px") else 2e-3), f"{name}: {off}"


def test_one_piece_is_exactly_the_whole():
    track = wandering(50)
    ((raw, arrays),) = finish_pieces([track])
    assert all(np.array_equal(arrays[name], value, equal_nan=True) for name, value in finish_track(track).items())
    assert np.array_equal(raw.joints_px, track.joints_px, equal_nan=True)


def test_no_piece_is_held_longer_than_its_context():
    """At most two pieces and the context on both sides are in hand at a time."""
    track, given, most = wandering(), 0, 0

    def counted():
        nonlocal given
        for piece in pieces_of(track, 60):
            given += len(piece)
            yield piece

    done = 0
    for raw, _ in finish_pieces(counted()):
        most = max(most, given - done)
        done += len(raw)
    assert done == FRAMES and most <= 2 * 60 + CONTEXT_S * FPS + 60


def test_joining_undoes_cutting():
    track = wandering(30)
    again = join_tracks(cut_track(track, slice(0, 11)), cut_track(track, slice(11, None)))
    assert np.array_equal(again.face_px, track.face_px, equal_nan=True) and len(again) == 30 and again.fps == FPS


def test_the_person_of_the_first_piece_stays_the_chosen_one(monkeypatch):
    box = {0: np.float32([0, 0, 10, 10]), 1: np.float32([0, 0, 50, 50])}
    monkeypatch.setattr("stages.pose.mediapipe.record.to_arrays", lambda sight, size: {"box_px": box[sight]})
    recorder = Recorder((64, 64))
    for numbers in ([], [0], [0]):
        recorder.add({n: n for n in numbers})
    first = recorder.track("largest", fps=FPS)
    for numbers in ([0, 1], [1], [0, 1]):
        recorder.add({n: n for n in numbers})
    second = recorder.track("largest", fps=FPS)
    assert first.person_id.tolist() == [-1, 0, 0] and second.person_id.tolist() == [0, -1, 0]
    assert recorder.people() == {0: 4, 1: 3} and recorder.frames == []
