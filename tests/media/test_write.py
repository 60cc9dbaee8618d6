"""Videos we write: exact length, exact sound, readable mark, all or nothing."""

import subprocess
from fractions import Fraction

import numpy as np
import pytest

from stages.core.errors import InputError
from stages.media import (
    VideoReader,
    ai_mark,
    contact_sheet,
    frames_from_bytes,
    normalise,
    probe,
    read_mark,
    write_label,
    write_video,
)  # fmt: skip
from stages.media.ffmpeg import ffmpeg_exe
from tests.media.make import clip, ffmpeg


def moving(count, height=48, width=64):
    for n in range(count):
        frame = np.full((height, width, 3), 30, np.uint8)
        frame[:, : 8 + n % 40] = (220, 120, 40)
        yield frame


def sound_of(path):
    """float [N] mono samples at 8000 Hz."""
    command = [ffmpeg_exe(), "-v", "error", "-i", path, "-f", "f32le", "-ac", "1", "-ar", "8000", "-"]
    return np.frombuffer(subprocess.run(command, capture_output=True).stdout, np.float32)


@pytest.mark.parametrize(("fps", "count"), [(Fraction(30000, 1001), 37), (Fraction(25), 1), (Fraction(12), 5)])
def test_frame_count_rate_and_pixels(tmp_path, fps, count):
    assert write_video(tmp_path / "v.mp4", moving(count), fps) == count
    with VideoReader(tmp_path / "v.mp4") as reader:
        assert (len(reader), reader.fps, reader.size) == (count, fps, (48, 64))
        assert np.allclose(reader.times_s, np.arange(count) / float(fps))
        for frame, truth in zip(reader, moving(count), strict=True):
            assert np.abs(frame.astype(int) - truth).mean() < 4
        with pytest.raises(InputError, match="frames 0 to"):
            reader.frame(count)


def test_odd_sizes_are_filled_up(tmp_path):
    write_video(tmp_path / "v.mp4", moving(3, 47, 63), Fraction(10))
    with VideoReader(tmp_path / "v.mp4") as reader:
        assert reader.size == (48, 64)
        last = reader.frame(2)
    assert np.abs(last[47].astype(int) - last[46]).mean() < 4


@pytest.mark.parametrize("sound_s", [0.4, 3.0])
def test_sound_is_cut_or_filled_to_the_picture(tmp_path, sound_s):
    ffmpeg("-f", "lavfi", "-i", "sine=frequency=440", "-t", sound_s, tmp_path / "tone.wav")
    write_video(tmp_path / "v.mp4", moving(25), Fraction(25), audio_from=tmp_path / "tone.wav")
    samples = sound_of(tmp_path / "v.mp4")
    assert abs(len(samples) / 8000 - 1.0) < 0.03
    loud_s = np.flatnonzero(np.abs(samples) > 0.02)[-1] / 8000
    assert loud_s == pytest.approx(min(sound_s, 1.0), abs=0.05)
    with VideoReader(tmp_path / "v.mp4") as reader:
        assert len(reader) == 25


def test_sound_from_bytes_and_from_a_silent_clip(tmp_path):
    loud = clip(tmp_path / "loud.mp4", frames=10, sound=True).read_bytes()
    silent = clip(tmp_path / "silent.mp4", frames=10)
    write_video(tmp_path / "v.mp4", moving(10), Fraction(25), audio_from=np.frombuffer(loud, np.uint8))
    assert probe(tmp_path / "v.mp4").has_audio
    write_video(tmp_path / "v.mp4", moving(10), Fraction(25), audio_from=silent)
    assert not probe(tmp_path / "v.mp4").has_audio


def test_mark_survives_special_signs_and_sound(tmp_path):
    tone = clip(tmp_path / "tone.mp4", sound=True)
    mark = ai_mark(model='grüße = ; # \\ "x"\n2', seed=3)
    write_video(tmp_path / "v.mp4", moving(5), Fraction(25), audio_from=tone, metadata=mark)
    assert read_mark(tmp_path / "v.mp4") == mark and mark["ai_generated"] is True
    shown = subprocess.run([ffmpeg_exe(), "-i", tmp_path / "v.mp4"], capture_output=True, text=True).stderr
    assert '"ai_generated": true' in shown
    assert read_mark(tone) is None


def test_index_stands_before_the_data(tmp_path):
    write_video(tmp_path / "v.mp4", moving(5), Fraction(25))
    data = (tmp_path / "v.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_a_failure_leaves_the_old_file(tmp_path):
    write_video(tmp_path / "v.mp4", moving(4), Fraction(25))
    before = (tmp_path / "v.mp4").read_bytes()

    def breaks():
        yield from moving(3)
        raise RuntimeError("the model stopped")

    with pytest.raises(RuntimeError, match="the model stopped"):
        write_video(tmp_path / "v.mp4", breaks(), Fraction(25))
    with pytest.raises(InputError, match="frame 1 is uint8"):
        write_video(tmp_path / "v.mp4", [*moving(1), *moving(1, 20, 20)], Fraction(25))
    with pytest.raises(InputError, match="no frames"):
        write_video(tmp_path / "v.mp4", [], Fraction(25))
    (tmp_path / "noise.wav").write_bytes(b"no sound at all" * 40)
    with pytest.raises(InputError, match=r"noise\.wav"):
        write_video(tmp_path / "v.mp4", moving(3), Fraction(25), audio_from=tmp_path / "noise.wav")
    assert (tmp_path / "v.mp4").read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["noise.wav", "v.mp4"]
    with pytest.raises(InputError, match="does not exist"):
        write_video(tmp_path / "nowhere" / "v.mp4", moving(3), Fraction(25))


def test_bytes_of_a_normalised_clip(tmp_path):
    normalise(clip(tmp_path / "a.mp4", frames=6), tmp_path / "n.mp4")
    with frames_from_bytes(np.fromfile(tmp_path / "n.mp4", np.uint8)) as reader:
        assert len(list(reader)) == 6
        assert [len(block) for block in reader.blocks(4)] == [4, 2]
        temporary = reader.path
    assert not temporary.exists()


def test_contact_sheet_places_every_picture():
    red, blue = np.zeros((40, 60, 3), np.uint8), np.zeros((20, 20, 3), np.uint8)
    red[:], blue[:] = (255, 0, 0), (0, 0, 255)
    sheet = contact_sheet([[red, blue], [None, red]], ["left", "right"], row_labels=["1", "2"], title="t")
    is_red, is_blue = (sheet == (255, 0, 0)).all(-1), (sheet == (0, 0, 255)).all(-1)
    assert is_red.sum() == 2 * 40 * 60 and is_blue.sum() == 40 * 40  # the blue one is scaled to the row's height
    rows, columns = np.nonzero(is_blue)
    assert rows.min() == np.nonzero(is_red)[0].min() and columns.min() > 60
    bare = contact_sheet([[red, blue], [None, red]])
    assert bare.shape[0] < sheet.shape[0] and bare.shape[1] < sheet.shape[1]


def test_label_stays_inside_and_marks_only_its_corner():
    image = np.full((60, 200, 3), 128, np.uint8)
    marked = write_label(image, "a very long label that cannot fit into the width of this picture", size_px=13)
    assert marked.shape == image.shape and (image == 128).all()
    assert (marked[:20] != 128).any() and (marked[30:] == 128).all()


@pytest.mark.parametrize("width", [16, 18, 24, 32, 48, 64, 80])
def test_narrow_videos_whose_rows_decord_pads(tmp_path, width):
    frames = [np.tile(np.arange(width, dtype=np.uint8)[None, :, None] * 3, (32, 1, 3)) for _ in range(3)]
    write_video(tmp_path / "v.mp4", frames, Fraction(10))
    with VideoReader(tmp_path / "v.mp4") as reader:
        found = np.stack(list(reader))
    assert found.shape == (3, 32, width, 3)
    assert np.abs(found.astype(int) - frames[0]).max() <= 8


def test_what_a_killed_writer_left_is_cleared_and_what_a_live_one_holds_is_not(tmp_path):
    import os

    from stages.media.ffmpeg import AtomicFile

    old = tmp_path / ".clip.abcdefgh.tmp.mp4"
    old.write_bytes(b"left by a kill")
    os.utime(old, (1, 1))
    with AtomicFile(tmp_path / "clip.mp4") as live:
        assert not old.exists()
        os.utime(live.path, (1, 1))
        with AtomicFile(tmp_path / "clip.mp4"):
            assert live.path.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_long_film_with_b_frames_is_read_whole(tmp_path):
    """Cut at its key frames every 250 pictures, its first part was said to have two pictures more than it has."""
    count = 510
    frames = (np.full((16, 16, 3), 20 + n % 200, np.uint8) for n in range(count))
    write_video(tmp_path / "long.mp4", frames, Fraction(25))
    with VideoReader(tmp_path / "long.mp4") as reader:
        shown = np.array([frame.mean() for frame in reader])
    assert len(shown) == count
    wrong = np.abs(shown - (20 + np.arange(count) % 200))
    assert wrong.max() < 4, f"frame {wrong.argmax()} is another one: {wrong.max():.1f} grey levels off"
