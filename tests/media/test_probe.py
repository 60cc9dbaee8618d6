"""What `probe` and the rate rule say about files and times that were made with known values."""

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from stages.core.errors import InputError
from stages.media import probe
from stages.media.probe import rate_of
from tests.media.make import clip, ffmpeg


def test_header_of_a_plain_video(tmp_path):
    info = probe(clip(tmp_path / "a.mp4", size="96x64", rate="30000/1001", frames=30, sound=True))
    assert (info.kind, info.width, info.height, info.rotation_deg) == ("video", 96, 64, 0)
    assert info.fps == Fraction(30000, 1001)
    assert info.has_audio and not info.variable_fps and info.codec == "h264"
    assert info.duration_s == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(("stored", "upright_turn"), [(90, 270), (-90, 90), (180, 180)])
def test_rotation_is_reported_clockwise(tmp_path, stored, upright_turn):
    source = clip(tmp_path / "a.mp4", size="96x64")
    ffmpeg("-display_rotation", stored, "-i", source, "-c", "copy", tmp_path / "r.mp4")
    info = probe(tmp_path / "r.mp4")
    assert info.rotation_deg == upright_turn
    assert (info.width, info.height) == ((96, 64) if stored == 180 else (64, 96))


def test_photo(tmp_path):
    image = Image.new("RGB", (40, 30))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "p.jpg", exif=exif)
    info = probe(tmp_path / "p.jpg")
    assert (info.kind, info.width, info.height, info.rotation_deg) == ("photo", 30, 40, 90)
    assert info.fps == 0 and not info.has_audio


def test_animation_is_a_video_and_a_still_gif_is_a_photo(tmp_path):
    Image.new("RGB", (40, 30)).save(tmp_path / "still.gif")
    assert probe(tmp_path / "still.gif").kind == "photo"
    assert probe(clip(tmp_path / "moving.gif", rate="10")).kind == "video"


@pytest.mark.parametrize(
    "rate", [Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(60), Fraction(240)]
)
def test_rate_survives_times_rounded_to_milliseconds(rate):
    times = [round(float(n / rate), 3) + 0.021 for n in range(400)]
    variable, found, first = rate_of(times, [])
    assert (variable, found) == (False, rate)
    assert first == pytest.approx(0.021)


def test_a_hole_or_a_change_of_pace_is_variable():
    even = [n / 30 for n in range(60)]
    assert rate_of(even[:20] + even[24:], [Fraction(30)])[:2] == (True, Fraction(30))
    slower = even + [even[-1] + n / 15 for n in range(1, 20)]
    assert rate_of(slower, [])[:2] == (True, Fraction(30))


def test_jitter_of_a_phone_stays_constant():
    rng = np.random.default_rng(0)
    times = np.sort(np.arange(200) / 30 + rng.uniform(-0.003, 0.003, 200))
    assert rate_of(times.tolist(), [Fraction(30)])[:2] == (False, Fraction(30))


def test_sound_without_pictures_is_refused(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "sine=frequency=440", "-t", 1, tmp_path / "a.m4a")
    with pytest.raises(InputError, match="sound only"):
        probe(tmp_path / "a.m4a")
