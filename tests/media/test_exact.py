"""Exact decoding: the frames a file holds, all of them, in their order, and nothing else."""

import numpy as np
import pytest

from stages.core.errors import InputError
from stages.media import write_png
from stages.media.exact import natural_key, open_film
from tests.media.make import clip, ffmpeg


def noise(frames=5, height=24, width=32, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def encode(path, frames_u8, *codec, rate="25"):
    """A film of these frames with the codec's options."""
    raw = path.with_suffix(".raw")
    raw.write_bytes(frames_u8.tobytes())
    size = f"{frames_u8.shape[2]}x{frames_u8.shape[1]}"
    ffmpeg("-f", "rawvideo", "-pix_fmt", "rgb24", "-video_size", size, "-framerate", rate, "-i", raw, *codec, path)
    return path


def frames_of(path, block=2):
    return np.concatenate(list(open_film(path).blocks(block)))


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mkv", ("-c:v", "ffv1", "-pix_fmt", "gbrp")), ("a.mp4", ("-c:v", "libx264rgb", "-qp", "0"))],
)
def test_lossless_films_give_the_very_bytes(tmp_path, name, codec):
    frames = noise(width=33, height=25)  # odd sides
    film = open_film(encode(tmp_path / name, frames, *codec))
    assert (film.frames, film.size, film.kind) == (5, (25, 33), "video")
    assert np.array_equal(frames_of(tmp_path / name), frames)
    assert np.array_equal(film.frame(3), frames[3]) and np.array_equal(film.first(), frames[0])


def test_block_size_changes_nothing(tmp_path):
    clip(tmp_path / "a.mp4", frames=7)
    blocks = [frames_of(tmp_path / "a.mp4", block) for block in (1, 3, 100)]
    assert all(np.array_equal(blocks[0], other) for other in blocks[1:])


@pytest.mark.parametrize(("height", "matrix"), [(64, "smpte170m"), (64, "bt709"), (720, "bt709")])
def test_colours_follow_the_tag_and_else_the_size(tmp_path, height, matrix):
    """Flat colours survive 4:2:0; read with the wrong matrix, green moves by 20 levels and more."""
    colours = np.array([[200, 40, 30], [30, 180, 60], [20, 60, 190]], np.uint8)
    frames = np.broadcast_to(colours[:, None, None], (3, height, height, 3))
    tag = () if height == 720 or matrix == "smpte170m" else ("-colorspace", matrix)
    encode(
        tmp_path / "a.mp4", np.ascontiguousarray(frames), "-vf", f"scale=out_color_matrix={matrix}:out_range=tv",
        "-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "1", *tag,
    )  # fmt: skip
    found = frames_of(tmp_path / "a.mp4").astype(int)
    difference = np.abs(found - frames)
    assert difference.max() <= 4, f"largest {difference.max()}, mean {difference.mean():.2f}, tolerance 4"


def test_a_turned_film_stands_upright(tmp_path):
    clip(tmp_path / "a.mp4", size="64x48", frames=3)
    ffmpeg("-display_rotation", "90", "-i", tmp_path / "a.mp4", "-c", "copy", tmp_path / "turned.mp4")
    assert open_film(tmp_path / "turned.mp4").size == (64, 48)
    straight, turned = frames_of(tmp_path / "a.mp4").astype(int), frames_of(tmp_path / "turned.mp4").astype(int)
    difference = min(np.abs(np.rot90(straight, k, (1, 2)) - turned).mean() for k in (1, 3))
    assert difference < 8, f"mean difference {difference} (chroma is scaled before or after the turn), tolerance 8"


def test_every_picture_of_an_uneven_film_comes_once(tmp_path):
    clip(tmp_path / "a.mkv", frames=10)
    ffmpeg("-i", tmp_path / "a.mkv", "-vf", "setpts='if(lt(N,5),N,N*3)/25/TB'", "-fps_mode", "vfr", tmp_path / "b.mkv")
    film = open_film(tmp_path / "b.mkv")
    assert film.uneven and film.frames == 10 == len(frames_of(tmp_path / "b.mkv"))


def test_a_broken_film_is_refused_not_shortened(tmp_path):
    whole = clip(tmp_path / "a.mkv", frames=200, size="160x120").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cut short"):
        open_film(tmp_path / "cut.mkv")
    sick = bytearray(clip(tmp_path / "a.mp4", frames=60, size="160x120").read_bytes())
    middle = len(sick) // 3
    sick[middle : middle + 300] = bytes(byte ^ 0x5A for byte in sick[middle : middle + 300])
    (tmp_path / "sick.mp4").write_bytes(sick)
    with pytest.raises(InputError, match="damaged"):
        frames_of(tmp_path / "sick.mp4")


def test_numbered_pictures_come_in_the_order_of_their_numbers(tmp_path):
    assert sorted(["f10.png", "f2.png", "f1.png", "f02.png"], key=natural_key) == [
        "f1.png",
        "f02.png",
        "f2.png",
        "f10.png",
    ]
    frames = noise(12)
    (tmp_path / "seq").mkdir()
    for index, frame in enumerate(frames):
        write_png(tmp_path / "seq" / f"{index}.png", frame)
    film = open_film(tmp_path / "seq")
    assert (film.frames, film.fps, film.codec) == (12, None, "png")
    assert np.array_equal(frames_of(tmp_path / "seq", 5), frames)
    write_png(tmp_path / "seq" / "3.png", frames[3][:20])
    with pytest.raises(InputError, match=r"3\.png.*20x32.*24x32"):
        open_film(tmp_path / "seq")


def test_arrays_are_8_bit_rgb_or_refused(tmp_path):
    frames = noise()
    np.save(tmp_path / "a.npy", frames)
    assert np.array_equal(frames_of(tmp_path / "a.npy"), frames)
    for name, array, found in (
        ("float", frames / 255, "float64"),
        ("nan", np.full((2, 24, 32, 3), np.nan, np.float32), "NaN"),
        ("grey", frames[..., 0], "uint8 [5, 24, 32]"),
        ("empty", frames[:0], "[0, 24, 32, 3]"),
    ):
        np.save(tmp_path / f"{name}.npy", array)
        with pytest.raises(InputError) as error:
            open_film(tmp_path / f"{name}.npy")
        assert found in str(error.value)
    whole = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "cut.npy").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError):
        frames_of(tmp_path / "cut.npy")


def test_transparent_pixels_lie_on_white(tmp_path):
    frames = np.zeros((2, 16, 16, 4), np.uint8)
    frames[:, :8] = (255, 0, 0, 255)
    raw = tmp_path / "a.raw"
    raw.write_bytes(frames.tobytes())
    size = ("-f", "rawvideo", "-pix_fmt", "rgba", "-video_size", "16x16", "-framerate", "5", "-i", raw)
    ffmpeg(*size, "-c:v", "png", "-f", "matroska", tmp_path / "a.mkv")
    found = frames_of(tmp_path / "a.mkv")
    assert (found[:, :8] == (255, 0, 0)).all() and (found[:, 8:] == 255).all()
