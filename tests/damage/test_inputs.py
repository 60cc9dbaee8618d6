"""Wrong and damaged inputs: each gives one clear line, and nothing is written or lost."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from stages.core.errors import InputError
from stages.media import VideoReader, normalise, probe, read_photo
from tests.media.make import clip, ffmpeg


def one_line(caught, *words):
    text = str(caught.value)
    assert "\n" not in text and 20 < len(text) < 400, text
    for word in words:
        assert word in text, text
    assert caught.value.exit_code == 3


@pytest.fixture
def out(tmp_path):
    """A folder in which nothing may appear."""
    folder = tmp_path / "out"
    folder.mkdir()
    yield folder / "n.mp4"
    assert list(folder.iterdir()) == []


def refused(path, out, *words):
    for call in (lambda: probe(path), lambda: normalise(path, out)):
        with pytest.raises(InputError) as caught:
            call()
        one_line(caught, *words)


def test_missing_empty_and_directory(tmp_path, out):
    refused(tmp_path / "nothing.mp4", out, "nothing.mp4", "no such file")
    (tmp_path / "empty.mp4").touch()
    refused(tmp_path / "empty.mp4", out, "empty.mp4", "0 bytes")
    refused(tmp_path, out, "directory")
    with pytest.raises(InputError) as caught:
        read_photo(tmp_path / "nothing.png")
    one_line(caught, "no such file")


@pytest.mark.parametrize("url", ["https://example.org/a.mp4", "rtmp://host/live", "concat://a|b"])
def test_urls_are_never_fetched(out, url):
    refused(url, out, "URL", "network")
    with pytest.raises(InputError) as caught:
        read_photo(url)
    one_line(caught, "URL")


def test_names_that_look_like_options_or_protocols_are_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clip(tmp_path / "a.mp4", frames=4)
    for name in ("-i.mp4", "pipe:0", "http:x.mp4", "a%03d.mp4", "with space ü.mp4", "concat:a.mp4|b.mp4"):
        (tmp_path / name).write_bytes((tmp_path / "a.mp4").read_bytes())
        assert normalise(name, tmp_path / "n.mp4").frame_count == 4, name


def test_text_called_mp4(tmp_path, out):
    (tmp_path / "text.mp4").write_text("hello, this is no film\n" * 200)
    refused(tmp_path / "text.mp4", out, "text.mp4", "expected")
    (tmp_path / "notes.txt").write_text("hello, this is no film\n" * 200)
    refused(tmp_path / "notes.txt", out, "notes.txt", "expected")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.mp4", "ffconcat version 1.0\nfile 'a.mp4'\n"),
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.mp4\n#EXT-X-ENDLIST\n"),
        ("picture.svg", "<svg xmlns='http://www.w3.org/2000/svg' width='40' height='40'/>\n"),
    ],
)
def test_lists_of_other_files_are_refused(tmp_path, out, name, text):
    clip(tmp_path / "a.mp4", frames=4)
    (tmp_path / name).write_text(text)
    refused(tmp_path / name, out, name, "expected")


def test_mp4_cut_before_its_index(tmp_path, out):
    whole = clip(tmp_path / "a.mp4", frames=30).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / "cut.mp4", out, "cut.mp4", "moov")


@pytest.mark.parametrize(("name", "extra"), [("a.mp4", ("-movflags", "+faststart")), ("a.ts", ()), ("a.mkv", ())])
def test_video_that_breaks_off_gives_what_is_there_and_a_warning(tmp_path, name, extra):
    fine = ("-g", "5", "-b:v", "2M", *extra)
    whole = clip(tmp_path / name, size="320x240", frames=60, extra=fine).read_bytes()
    cut = tmp_path / f"cut_{name}"
    cut.write_bytes(whole[: int(len(whole) * 0.5)])  # over a second is gone, also where the cut falls between frames
    info = normalise(cut, tmp_path / "n.mp4")
    assert 15 < info.frame_count < 60
    with VideoReader(tmp_path / "n.mp4") as reader:
        assert len(list(reader)) == info.frame_count
    if name != "a.ts":  # a transport stream promises no length, so nothing is missing from it
        assert len(info.warnings) == 1 and f"{info.frame_count} frames" in info.warnings[0], info.warnings


def test_zero_frames(tmp_path, out):
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x48:rate=25", "-frames:v", 0, "-f", "mp4", tmp_path / "zero.mp4")
    refused(tmp_path / "zero.mp4", out, "zero.mp4")


def test_packets_of_noise(tmp_path, out):
    source = clip(tmp_path / "a.avi", frames=20, extra=("-c:v", "mjpeg"))
    data = bytearray(source.read_bytes())
    start, end = data.index(b"movi") + 4, data.index(b"idx1")
    data[start:end] = np.random.default_rng(0).integers(0, 256, end - start, np.uint8).tobytes()
    source.write_bytes(data)
    with pytest.raises(InputError) as caught:
        normalise(source, out)
    one_line(caught, "a.avi", "no picture")


def test_too_small_and_too_large_pictures(tmp_path, out):
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    Image.new("RGB", (20_000, 20)).save(tmp_path / "wide.png")
    for name, word in (("dot.png", "too small"), ("wide.png", "too large")):
        refused(tmp_path / name, out, name, word)
        with pytest.raises(InputError) as caught:
            read_photo(tmp_path / name)
        one_line(caught, name, word)
    ffmpeg("-f", "lavfi", "-i", "color=size=20000x32:rate=5", "-frames:v", 1, "-c:v", "ffv1", tmp_path / "wide.mkv")
    refused(tmp_path / "wide.mkv", out, "too large")
    ffmpeg("-f", "lavfi", "-i", "color=size=4000x20:rate=5", "-frames:v", 1, "-c:v", "ffv1", tmp_path / "strip.mkv")
    with pytest.raises(InputError) as caught:
        normalise(tmp_path / "strip.mkv", out)
    one_line(caught, "too narrow")


def test_decompression_bomb_is_not_decoded(tmp_path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    for side in (12_000, 60_000):  # 144 and 3600 megapixels in a few bytes
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        bomb = (
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", header)
            + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
            + chunk(b"IEND", b"")
        )
        (tmp_path / "bomb.png").write_bytes(bomb)
        with pytest.raises(InputError) as caught:
            read_photo(tmp_path / "bomb.png")
        one_line(caught, "bomb.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_photo_cut_short(tmp_path, kind):
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, kind)
    path = tmp_path / f"cut.{kind.lower()}"
    path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    with pytest.raises(InputError) as caught:
        read_photo(path)
    one_line(caught, path.name)


def test_a_video_is_no_photo_and_a_photo_no_video(tmp_path, out):
    with pytest.raises(InputError) as caught:
        read_photo(clip(tmp_path / "a.mp4", frames=5))
    one_line(caught, "expected a photo")
    Image.new("RGB", (40, 40)).save(tmp_path / "p.png")
    with pytest.raises(InputError) as caught:
        normalise(tmp_path / "p.png", out)
    one_line(caught, "expected a video")


def test_sound_that_cannot_be_decoded_costs_the_sound_only(tmp_path):
    source = clip(tmp_path / "a.mkv", frames=25, sound=True, extra=("-c:a", "flac"))
    data = source.read_bytes()
    assert b"A_FLAC" in data
    source.write_bytes(data.replace(b"A_FLAC", b"A_NONE"))
    info = normalise(source, tmp_path / "n.mp4")
    assert info.frame_count == 25 and not info.has_audio
    assert any("sound" in warning for warning in info.warnings), info.warnings
