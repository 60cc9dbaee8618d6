"""Names: what is one clip, and which clips belong together."""

from pathlib import Path

import pytest

from stages.core.errors import InputError
from stages.scoring.inputs import find_clips
from stages.scoring.pairs import frame_of, make_pairs
from stages.scoring.require import check_requirements, parse_requirements


def touch(*paths):
    for path in map(Path, paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_stem_is_the_name_whatever_the_kind():
    touch("d/talk.mp4", "d/walk.npy", "d/.hidden.mp4", "d/notes.txt", "e/sing/0.png")
    Path("d/run.zarr").mkdir()
    assert [name for name, _ in find_clips(["d", "e"], "generated")] == ["run", "sing", "talk", "walk"]
    assert find_clips(["e/sing"], "real") == [("sing", "e/sing")]
    assert find_clips(["d/run.zarr/"], "real") == [("run", "d/run.zarr/")]


def test_contact_sheets_beside_films_are_no_clips():
    """animate writes NAME.png beside NAME.mp4."""
    touch("d/talk.mp4", "d/talk.png")
    assert find_clips(["d"], "generated") == [("talk", "d/talk.mp4")]


def test_a_list_may_name_its_clips_and_lies_beside_them(tmp_path):
    touch("d/x1.mp4", "d/x2.mp4")
    Path("d/list.csv").write_text("path,name\nx1.mp4,one\nx2.mp4,two\n")
    assert find_clips(["d/list.csv"], "real") == [("one", "d/x1.mp4"), ("two", "d/x2.mp4")]
    Path("d/list.txt").write_text("x3.mp4\n")
    with pytest.raises(InputError, match=r"x3\.mp4"):
        find_clips(["d/list.txt"], "real")
    touch("outer/inner/deep/0.png")
    with pytest.raises(InputError, match="no pictures"):
        find_clips(["outer"], "real")


def test_photos_serve_by_name_and_one_serves_all():
    touch("gen/a.mp4", "gen/b.mp4", "photos/a.jpg", "photos/b.png", "photos/c.png", "one.png")
    pairs = make_pairs(["gen"], "", "photos", "", "")
    assert [pair.reference for pair in pairs] == ["photos/a.jpg", "photos/b.png"]
    assert {pair.reference for pair in make_pairs(["gen"], "", "one.png", "", "")} == {"one.png"}
    assert {pair.reference for pair in make_pairs(["gen"], "", "first", "", "")} == {"frame:0"}
    assert (frame_of("frame:12"), frame_of("first"), frame_of("frame.png"), frame_of("")) == (12, 0, -1, -1)


def test_requirements_read_as_written():
    from stages.metrics.protocol import load_protocol

    protocol = load_protocol("dreamactor-v1")
    found = parse_requirements([" psnr >= 20", "dreamactor-v1:psnr<1e2"], [protocol])
    assert [(r.metric, r.comparison, r.limit) for r in found] == [("psnr", ">=", 20.0), ("psnr", "<", 100.0)]
    check_requirements((), ())
