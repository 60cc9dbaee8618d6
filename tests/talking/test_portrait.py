"""A held photo as a film: every picture, and the sound where it belongs at the end as at the start."""

from fractions import Fraction

import numpy as np
import pytest

from stages.audio.network import UNITS
from stages.audio.predict import Heard, frame_count
from stages.bundle import make_provenance, open_bundle
from stages.face.encoder import load_face_encoder
from stages.media import clip_frames, clip_media
from stages.media.sound import sound_blocks
from stages.pose.layer import RAW_OF
from stages.pose.track import empty_arrays
from stages.talking.performance import Manner, Performance
from stages.talking.portrait import write_held_clip, write_held_pose
from stages.talking.sitter import Sitter
from tests.audio2face.conftest import RATE, write_sound

SECONDS = 10


def clicks() -> np.ndarray:
    """A knock every half second, the first after 0.25 s."""
    sound = np.zeros(SECONDS * RATE, np.int16)
    for at in range(RATE // 4, len(sound), RATE // 2):
        sound[at : at + 80] = 20_000
    return sound


def knocks_s(sound: np.ndarray) -> np.ndarray:
    loud = np.abs(sound.astype(float)) > 6000
    starts = np.flatnonzero(loud & ~np.concatenate([[False], loud[:-1]]))
    return starts[np.concatenate([[True], np.diff(starts) > RATE // 10])] / RATE


@pytest.fixture
def performance() -> Performance:
    arrays = empty_arrays(1)
    arrays["present"][:] = arrays["face_valid"][:] = True
    arrays |= {raw: arrays[name].copy() for name, raw in RAW_OF.items()}
    arrays |= {"K_px": np.eye(3), "transl_m": np.zeros((1, 3), np.float32)}
    attrs = {"backend": "mediapipe", "weights": {}, "face_layout": "mediapipe478"}
    picture = np.full((48, 64, 3), 120, np.uint8)
    units = np.zeros((SECONDS * 50 + 1, len(UNITS)), np.float32)
    heard = Heard(units, np.full(len(units), -20, np.float32), SECONDS * RATE)
    sitter = Sitter(picture, arrays, attrs, np.zeros(54))
    return Performance(heard, Fraction(30000, 1001), Manner(), load_face_encoder(), sitter, "item")


def test_sound_and_picture_stay_together_to_the_end(tmp_path, performance):
    sound = write_sound(tmp_path / "clicks.wav", clicks())
    frames = frame_count(SECONDS * RATE, performance.fps)
    options = {"key": "0" * 64, "provenance": make_provenance("audio2face", 1, {}, {}), "overwrite": False}
    path = tmp_path / "talk.zarr"
    source = {"path": "a", "sha256": "0" * 64, "kind": "portrait"}
    assert write_held_clip(path, performance, frames, sound, source, options) == "written"
    bundle = open_bundle(path)
    with clip_frames(bundle) as reader:
        assert len(reader) == frames == 300 and reader.fps == performance.fps
        assert np.abs(reader.frame(299).astype(int) - 120).max() < 6
    with clip_media(bundle) as film:
        heard = np.concatenate(list(sound_blocks(film)))
    late_ms = 1000 * (knocks_s(heard) - knocks_s(clicks()))
    assert len(late_ms) == 2 * SECONDS
    assert np.abs(late_ms).max() < 10 and abs(late_ms[-1] - late_ms[0]) < 2, late_ms


def test_a_held_pose_has_every_frame(tmp_path, performance):
    options = {"key": "0" * 64, "provenance": make_provenance("audio2face", 1, {}, {}), "overwrite": False}
    path = tmp_path / "talk.zarr"
    write_held_pose(path, performance, 1500, options)  # more than a block
    bundle = open_bundle(path)
    assert bundle.read("pose", "face_px").shape == (1500, 478, 3)
    assert bundle.read("pose", "present").all() and bundle.attrs("pose")["face_layout"] == "mediapipe478"
