"""Every kind of clip comes out upright, even in time, and with the frames it had."""

from fractions import Fraction
from importlib import import_module

import numpy as np
import pytest

from stages.core.errors import UsageError
from stages.media import VideoReader, normalise, probe
from tests.media.make import clip, ffmpeg

QUADRANTS = (
    "color=c=red:size=64x48:rate=25,drawbox=x=32:y=0:w=32:h=24:c=blue:t=fill,drawbox=x=0:y=24:w=32:h=24:c=lime:t=fill"
)


def frames_of(path):
    with VideoReader(path) as reader:
        frames = np.stack(list(reader))
        assert len(reader) == len(frames)
        return frames, reader.fps


@pytest.mark.parametrize(
    ("name", "rate", "extra"),
    [
        ("h264.mp4", "30000/1001", ()),
        ("hevc.mp4", "24", ("-c:v", "libx265", "-x265-params", "log-level=error")),
        ("vp9.webm", "25", ("-c:v", "libvpx-vp9", "-cpu-used", "8")),
        ("av1.mkv", "10", ("-c:v", "libsvtav1", "-preset", "12", "-pix_fmt", "yuv420p")),
        ("ten_bit.mkv", "50", ("-pix_fmt", "yuv420p10le")),
        ("mpeg4.avi", "24", ("-c:v", "mpeg4")),
        ("transport.ts", "25", ()),
        ("moving.gif", "10", ()),
        ("moving.webp", "10", ("-c:v", "libwebp_anim")),
        ("moving.png", "12", ("-f", "apng")),
        ("lossless.mkv", "60", ("-c:v", "ffv1", "-pix_fmt", "gbrp")),
        ("hd444.mov", "24", ("-c:v", "prores_ks", "-profile:v", "4444")),
    ],
)
def test_every_codec_keeps_every_frame(tmp_path, name, rate, extra):
    source = clip(tmp_path / name, size="66x50", rate=rate, frames=13, extra=extra)
    info = normalise(source, tmp_path / "n.mp4")
    frames, fps = frames_of(tmp_path / "n.mp4")
    assert frames.shape == (13, 50, 66, 3) and frames.dtype == np.uint8
    assert info.frame_count == 13 and info.fps == fps == Fraction(rate) and not info.variable_fps
    assert info.warnings == ()
    assert len({frame.tobytes() for frame in frames}) > 1


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_rotation_is_applied(tmp_path, turn):
    ffmpeg("-f", "lavfi", "-i", QUADRANTS, "-frames:v", 3, tmp_path / "a.mp4")
    ffmpeg("-display_rotation", turn, "-i", tmp_path / "a.mp4", "-c", "copy", tmp_path / "r.mp4")
    normalise(tmp_path / "a.mp4", tmp_path / "plain.mp4")
    normalise(tmp_path / "r.mp4", tmp_path / "turned.mp4")
    plain, turned = frames_of(tmp_path / "plain.mp4")[0][0], frames_of(tmp_path / "turned.mp4")[0][0]
    expected = np.rot90(plain, turn // 90)  # the display matrix turns counter-clockwise
    difference = np.abs(turned.astype(int) - expected)
    assert turned.shape == expected.shape and np.median(difference) <= 2, difference.max()


def test_variable_rate_becomes_an_even_grid_in_step_with_time(tmp_path):
    # 60 pictures at 30 a second, of which every third was never stored.
    clip(tmp_path / "even.mkv", rate="30", frames=60, extra=("-c:v", "ffv1"))
    ffmpeg(
        "-i", tmp_path / "even.mkv", "-vf", "select='not(eq(mod(n,3),2))'", "-fps_mode", "vfr", "-c:v", "ffv1",
        tmp_path / "vfr.mkv",
    )  # fmt: skip
    assert probe(tmp_path / "vfr.mkv").variable_fps
    info = normalise(tmp_path / "vfr.mkv", tmp_path / "n.mp4")
    assert info.variable_fps and info.fps == 30
    normalise(tmp_path / "even.mkv", tmp_path / "e.mp4")
    found, even = frames_of(tmp_path / "n.mp4")[0], frames_of(tmp_path / "e.mp4")[0]
    assert len(found) in (59, 60)
    for n in (0, 1, 3, 4, 30, 31, 57, 58):  # the stored ones stand at their own times
        assert np.abs(found[n].astype(int) - even[n]).mean() < 2, n
    assert np.abs(found[2].astype(int) - even[1]).mean() < 2  # the missing one repeats its neighbour


def test_a_late_hole_is_found_although_the_start_was_even(tmp_path, monkeypatch):
    # By import_module: in the package the name `probe` is the function, not the file.
    monkeypatch.setattr(import_module("stages.media.probe"), "_SCANNED_PACKETS", 50)
    clip(tmp_path / "even.mkv", size="32x32", rate="30", frames=150, extra=("-c:v", "mpeg4"))
    ffmpeg(
        "-i", tmp_path / "even.mkv", "-vf", "select='lt(n,100)+gt(n,120)'", "-fps_mode", "vfr", "-c:v", "mpeg4",
        tmp_path / "hole.mkv",
    )  # fmt: skip
    assert not probe(tmp_path / "hole.mkv").variable_fps
    info = normalise(tmp_path / "hole.mkv", tmp_path / "n.mp4")
    assert info.variable_fps and info.frame_count == 150


def test_odd_and_large_sizes(tmp_path):
    source = clip(tmp_path / "odd.gif", size="321x241", rate="10", frames=2)
    assert normalise(source, tmp_path / "n.mp4").width == 320
    frames, _ = frames_of(tmp_path / "n.mp4")
    assert frames.shape[1:] == (240, 320, 3)
    info = normalise(source, tmp_path / "small.mp4", max_side=101)
    assert (info.width, info.height) == (100, 76)
    assert frames_of(tmp_path / "small.mp4")[0].shape[1:] == (76, 100, 3)


def test_pixel_aspect_becomes_square(tmp_path):
    clip(tmp_path / "a.mkv", size="60x48", extra=("-vf", "setsar=16/15"))
    info = normalise(tmp_path / "a.mkv", tmp_path / "n.mp4")
    assert (info.width, info.height) == (64, 48)


@pytest.mark.parametrize(
    ("name", "extra"),
    [("vp9.webm", ("-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p")), ("qt.mov", ("-c:v", "qtrle", "-pix_fmt", "argb"))],
)
def test_transparency_lies_on_white(tmp_path, name, extra):
    ffmpeg(
        "-f", "lavfi", "-i", "color=c=black@0.0:size=64x48:rate=10,format=rgba", "-frames:v", 3, *extra, tmp_path / name
    )
    normalise(tmp_path / name, tmp_path / "n.mp4")
    assert frames_of(tmp_path / "n.mp4")[0].min() > 245


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m", "bt2020nc"])
def test_colours_survive_whatever_the_matrix(tmp_path, matrix):
    ffmpeg(
        "-f", "lavfi", "-i", "color=c=0xC87828:size=64x64:rate=10,format=gbrp", "-frames:v", 2, "-vf",
        f"scale=out_color_matrix={matrix},format=yuv444p10le", "-colorspace", matrix, "-c:v", "ffv1",
        tmp_path / "a.mkv",
    )  # fmt: skip
    normalise(tmp_path / "a.mkv", tmp_path / "n.mp4")
    found = frames_of(tmp_path / "n.mp4")[0][0][32, 32]
    assert np.abs(found.astype(int) - (200, 120, 40)).max() <= 4, found


def test_cut_and_rate(tmp_path):
    source = clip(tmp_path / "a.mp4", rate="30", frames=90, sound=True)
    info = normalise(source, tmp_path / "n.mp4", start_s=1.0, duration_s=1.0)
    assert info.frame_count == 30 and info.has_audio
    info = normalise(source, tmp_path / "n.mp4", fps=Fraction(10))
    assert info.fps == 10 and info.frame_count == 30
    with pytest.raises(UsageError, match="fps"):
        normalise(source, tmp_path / "n.mp4", fps=Fraction(0))


def test_sound_is_kept_even_when_it_must_be_coded_again(tmp_path):
    for name, codec in (("aac.mp4", "aac"), ("pcm.mkv", "pcm_s16le"), ("opus.webm", "libopus")):
        video = ("-c:v", "libvpx-vp9", "-cpu-used", "8") if name.endswith("webm") else ()
        source = clip(tmp_path / name, frames=25, sound=True, extra=("-c:a", codec, *video))
        assert normalise(source, tmp_path / "n.mp4").has_audio
        info = probe(tmp_path / "n.mp4")
        assert info.has_audio and info.audio_codec.startswith("aac")
        assert info.duration_s == pytest.approx(1.0, abs=0.1)


@pytest.mark.assets
@pytest.mark.parametrize(
    ("name", "frames", "rate"),
    [
        ("videos/face_green_screen.mp4", 78, 25), ("videos/d3.mp4", 354, 30),
        ("videos/face_talking_speech.mp4", 200, 25), ("videos/full_ballet_turn.mp4", 187, 60),
        ("videos/full_dance_odd_size.mp4", 229, 24),
    ],
)  # fmt: skip
def test_real_clips_keep_their_exact_frame_count(assets, tmp_path, name, frames, rate):
    info = normalise(assets / name, tmp_path / "n.mp4", max_side=160)
    assert (info.frame_count, info.fps, info.variable_fps) == (frames, rate, False)
    with VideoReader(tmp_path / "n.mp4") as reader:
        assert len(reader) == frames
