"""Every wrong input is one clear line and exit 3 before anything is measured; the set that is scored never changes."""

import numpy as np
import pytest

from stages.media import write_png
from stages.metrics import registry
from tests.media.make import clip
from tests.score import fake_measure
from tests.score.films import film_set, frames, score, write_protocols


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(film_set(tmp_path))
    write_protocols(tmp_path)
    return tmp_path


def refused(capfd, here, *words, code=3, protocol="tiny.toml", lines=1):
    """The error lines of a call that must fail, leave no scores and measure nothing."""
    done = score(capfd, *words, "-o", "run", "--protocol", protocol)
    assert (done.code, done.out) == (code, ""), done.err
    assert len(done.lines()) == lines, done.err
    assert "Traceback" not in done.err and not (here / "run/scores.json").exists()
    assert not list((here / "run").glob("clips/*.zarr"))
    return " ".join(done.lines())


def test_different_frame_counts(here, capfd):
    np.save("real/b.npy", frames(1, 9))
    text = refused(capfd, here, "gen", "--real", "real")
    assert "clip b" in text and "7 generated frames, 9 real" in text


def test_every_broken_clip_has_its_line(here, capfd):
    np.save("real/b.npy", frames(1, 9))
    (here / "gen/c.npy").write_bytes(b"no array")
    assert "c.npy" in refused(capfd, here, "gen", "--real", "real", lines=2)


def test_different_sizes(here, capfd):
    np.save("gen/b.npy", frames(1, 7, (12, 16)))
    assert "12x16" in refused(capfd, here, "gen", "--real", "real")  # tiny.toml aligns nothing
    assert score(capfd, "gen", "--real", "real", "-o", "ok", "--protocol", "plain.toml").code == 0
    np.save("gen/b.npy", frames(1, 7, (24, 24)))
    text = refused(capfd, here, "gen", "--real", "real", protocol="plain.toml")
    assert "24x24" in text and "24x32" in text and "one shape" in text


def test_different_rates(here, capfd):
    clip(here / "a25.mp4", frames=5, rate="25")
    clip(here / "a30.mp4", frames=5, rate="30")
    clip(here / "a2997.mp4", frames=5, rate="30000/1001")
    text = refused(capfd, here, "a30.mp4", "--real", "a25.mp4")
    assert "30 generated frames a second, 25 real" in text
    assert "--fps 24" in refused(capfd, here, "a30.mp4", "--real", "a30.mp4", "--fps", "24")
    refused(capfd, here, "a30.mp4", "--real", "a30.mp4", "--fps", "0", code=2)
    assert score(capfd, "a30.mp4", "--real", "a2997.mp4", "-o", "ok", "--protocol", "tiny.toml").code == 0


def test_missing_double_and_extra_clips(here, capfd):
    (here / "real/b.npy").rename(here / "b.npy")
    assert "'b'" in refused(capfd, here, "gen", "--real", "real")
    (here / "b.npy").rename(here / "real/b.npy")
    np.save("real/d.npy", frames(3, 5))
    text = refused(capfd, here, "gen", "--real", "real")
    assert "'d'" in text and "nothing was generated" in text
    clip(here / "gen/a.mp4")
    assert "two clips are named 'a'" in refused(capfd, here, "gen", "--real", "real")


def test_unreadable_and_cut_films(here, capfd):
    clip(here / "fine.mp4", frames=6, size="32x24")
    (here / "bad.mp4").write_bytes(b"this is no film")
    assert "bad.mp4" in refused(capfd, here, "bad.mp4", "--real", "fine.mp4")
    whole = clip(here / "long.mkv", frames=60, size="32x24").read_bytes()
    (here / "cut.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    assert "cut short" in refused(capfd, here, "cut.mkv", "--real", "cut.mkv")
    (here / "nothing").mkdir()
    assert "no films" in refused(capfd, here, "nothing", "--real", "real")
    assert "no such file" in refused(capfd, here, "gone.mp4", "--real", "fine.mp4")
    (here / "empty.mp4").touch()
    assert "empty" in refused(capfd, here, "empty.mp4", "--real", "fine.mp4")


def test_a_film_that_breaks_while_it_is_measured(here, capfd):
    """Bytes that only the decoder can find wrong: the other clips are kept, but there is no table without this one."""
    for folder in ("g", "r"):
        (here / folder).mkdir()
    for name in "ab":
        for side in "rg":
            clip(here / side / f"{name}.mp4", frames=100, size="320x240", extra=("-bf", "0"))
    sick = bytearray((here / "g/b.mp4").read_bytes())
    middle = sick.find(b"moov") // 2  # within the pictures, and too few bytes to lose the next one's beginning
    sick[middle : middle + 30] = bytes(byte ^ 0x5A for byte in sick[middle : middle + 30])
    (here / "g/b.mp4").write_bytes(sick)
    done = score(capfd, "g", "--real", "r", "-o", "run", "--protocol", "tiny.toml")
    assert (done.code, done.out, len(done.lines())) == (3, "", 1) and "g/b.mp4: damaged" in done.err
    assert (here / "run/clips/a.zarr").exists() and not (here / "run/scores.json").exists()
    part = score(capfd, "g", "--real", "r", "-o", "run", "--protocol", "tiny.toml", "--features-only")
    assert (part.code, part.out) == (5, "run/clips/a.zarr\n")


def test_arrays_with_nan_or_of_floats(here, capfd):
    np.save("gen/b.npy", np.full((7, 24, 32, 3), np.nan, np.float32))
    assert "NaN" in refused(capfd, here, "gen", "--real", "real")
    np.save("gen/b.npy", frames(1, 7).astype(np.float16) / 255)
    assert "float16" in refused(capfd, here, "gen", "--real", "real")


def test_clips_that_are_too_short_for_a_measurement(here, capfd, monkeypatch):
    monkeypatch.setitem(registry.MEASURES, "fake", "tests.score.fake_measure")
    monkeypatch.setattr(fake_measure, "SEEN", [])
    table = 'name = "fake"\n[measure.fake]\nleast = 8\n[[metric]]\nname = "mean"\nmeasure = "fake"\n'
    (here / "fake.toml").write_text(table)
    text = refused(capfd, here, "gen", "--real", "real", protocol="fake.toml", lines=2)
    assert "clip a: 6 frames, expected 8" in text and "clip b: 7 frames" in text and not fake_measure.SEEN


def test_pictures_of_several_sizes_and_mixed_folders(here, capfd):
    (here / "seq").mkdir()
    for index, frame in enumerate(frames(0, 6)):
        write_png(here / "seq" / f"{index}.png", frame if index != 4 else frame[:20])
    assert "4.png" in refused(capfd, here, "seq", "--real", "real/a.npy")
    write_png(here / "gen/loose.png", frames(0, 1)[0])
    assert "loose pictures" in refused(capfd, here, "gen", "--real", "real")


def test_references(here, capfd):
    assert "frames 0 to 5" in refused(capfd, here, "gen", "--real", "real", "--reference", "frame:6")
    (here / "photos").mkdir()
    write_png(here / "photos/a.png", frames(0, 1)[0])
    assert "without a photo" in refused(capfd, here, "gen", "--real", "real", "--reference", "photos")
    refused(capfd, here, "gen", "--reference", "first", lines=3)
    (here / "bad.png").write_bytes(b"no picture")
    refused(capfd, here, "gen", "--real", "real", "--reference", "bad.png", lines=3)


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ("name,generated\na,gen/a.npy\na,gen/b.npy\n", "two clips are named"),
        ("name,made\na,gen/a.npy\n", "found columns made, name"),
        ("name,generated\n", "no rows"),
        ("name,generated,real\na,gen/a.npy,gone.npy\n", "not there"),
        ("name,generated,real\na,gen/a.npy,real/a.npy\nb,gen/b.npy,\n", "for all or for none"),
        ("name,generated\nx/y,gen/a.npy\n", "file's name"),
        ("name,generated,real\na,gen/a.npy\n", "several lengths"),
    ],
)
def test_tables_of_pairs(here, capfd, table, found):
    (here / "p.csv").write_text(table)
    assert found in refused(capfd, here, "--pairs", "p.csv")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("gen", "--pairs", "p.csv"),
        ("gen", "--real", "real", "--shard", "0/2", "--features-only"),
        ("gen", "--real", "real", "--shard", "1/2"),
        ("gen", "--real", "real", "--workers", "0"),
        ("gen", "--real", "real", "--floors", "ceiling"),
        ("gen", "--real", "real", "--device", "toaster"),
    ],
)
def test_usage(here, capfd, words):
    refused(capfd, here, *words, code=2)


def test_protocols(here, capfd):
    refused(capfd, here, "gen", "--real", "real", code=2, protocol="fvd")
    refused(capfd, here, "gen", "--real", "real", code=2, protocol="tiny.toml,tiny.toml")


def test_half_precision_is_refused(here, capfd, monkeypatch):
    torch = pytest.importorskip("torch")
    torch.set_default_dtype(torch.float64)
    try:
        assert score(capfd, "gen", "--real", "real", "-o", "run", "--protocol", "tiny.toml").code == 3
    finally:
        torch.set_default_dtype(torch.float32)
