"""The page holds all it needs, says what is AI-made, and runs nothing that a name smuggles in."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser

import numpy as np
import pytest

from stages import report as stage
from stages.core.errors import ConflictError, UsageError
from stages.media import probe, read_mark, write_png, write_video
from stages.metrics.results import read_run, write_run
from stages.report import Params
from stages.reporting import svg
from stages.reporting.curves import Series, curve_of, read_series
from stages.reporting.previews import Store
from tests.media.make import ffmpeg
from tests.reporting.fake import FPS, FRAMES, fake_run, picture, write_fake_runs

NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


class Tags(HTMLParser):
    """Tags, their attributes, and whether every one that opens is closed."""

    VOID = {"meta", "input", "img", "br", "link", "line", "circle", "polygon", "polyline"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.found, self.wrong = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """(text, path) of a page with films of two clips."""
    folder = tmp_path_factory.mktemp("page")
    runs = write_fake_runs(folder / "runs", films=2)
    path = folder / "page.html"
    stage.run(runs, Params(output=(str(path),), baseline="still", published=("examples/published.csv",), title="T"))
    return path.read_text("utf-8"), path


def data_of(text: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_the_page_is_one_file_that_asks_for_nothing(page):
    text, path = page
    tags = Tags(text)
    assert not tags.wrong and not tags.open, (tags.wrong, tags.open)
    for tag, attributes in tags.found:
        for name in ("src", "href", "poster", "action", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:")), (tag, name, value)
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert "style" not in attributes
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert [p.name for p in path.parent.iterdir() if p.name.startswith("page")] == ["page.html"]
    policy = next(a["content"] for t, a in tags.found if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy


def test_the_page_has_headings_in_order_labels_and_names(page):
    tags = Tags(page[0])
    levels = [int(tag[1]) for tag, _ in tags.found if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and all(b <= a + 1 for a, b in zip(levels, levels[1:], strict=False)), levels
    ids = [attributes["id"] for _, attributes in tags.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all("aria-label" in a for tag, a in tags.found if tag == "svg" and a.get("role") == "img")
    assert all(a["href"][1:] in ids for tag, a in tags.found if tag == "a")


def test_the_page_shows_what_the_tables_show(page):
    text = page[0]
    for words in ("25.74", "[24.91, 26.58]", "N=24, 12 clips", "75 % covered", "at worst 0.526", "bug-compatible",
                  "Reported elsewhere, not comparable", "122.0", "real, own codec round trip",
                  "psnr|uint8-overflow|v:1", "89.8"):  # fmt: skip
        assert words in text, words
    data = data_of(text)
    assert data["methods"] == ["ours", "warp", "still"] and len(data["clips"]) == 12
    clip = data["clips"][0]
    assert [tile["title"] for tile in clip["tiles"]] == ["Reference", "Real", "ours", "warp", "still"]
    assert [tile["ai"] for tile in clip["tiles"]] == [False, False, True, True, True]
    assert (clip["fps"], clip["frames"]) == (FPS, FRAMES)
    assert data["clips"][0]["values"]["dreamactor-v1/csim"]["1"] is None  # no face was found there
    assert len(clip["series"]["dreamactor-v1/psnr"]["0"]) == FRAMES
    assert "fvd" not in {column["id"].split("/")[1] for column in data["columns"]}


def test_films_in_the_page_are_whole_and_marked(page, tmp_path):
    text = page[0]
    films = re.findall(r'<script type="text/plain" id="(film-\d+)">data:video/mp4;base64,([^<]+)</script>', text)
    assert len(films) == 2 * 4  # real and three methods
    ai = {tile["film"]: tile["ai"] for clip in data_of(text)["clips"] for tile in clip["tiles"] if tile["film"]}
    for name, content in films:
        (tmp_path / "film.mp4").write_bytes(base64.b64decode(content, validate=True))
        assert bool((read_mark(tmp_path / "film.mp4") or {}).get("ai_generated")) == ai[name]


def test_names_run_nothing(tmp_path):
    run = fake_run("ours", 1.0)
    renamed = {NASTY if name == "clip_00" else name: value for name, value in run.scores[0].per_clip.items()}
    score = replace(run.scores[0], per_clip=renamed, signature=NASTY, label=NASTY, unit=NASTY)
    clips = ({"name": NASTY, "generated": f"{NASTY}.mp4", "frames": 3, "fps": "12/1"},)
    run = replace(run, name=NASTY, scores=(score,), floors=(), clips=clips, command=(NASTY,), env={NASTY: NASTY})
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_run(replace(run, name=f"{name} {NASTY}"), tmp_path / name / "scores.json")
    csv = tmp_path / "p.csv"
    quoted = '"' + NASTY.replace('"', '""') + '"'
    csv.write_text(f"method,protocol,metric,value,source\n{quoted},{quoted},{quoted},1,{quoted}\n")
    path = tmp_path / "p.html"
    params = Params(output=(str(path),), title=NASTY, published=(str(csv),), baseline=f"a {NASTY}")
    stage.run([tmp_path / "a", tmp_path / "b"], params)
    text = path.read_text("utf-8")
    tags = Tags(text)
    assert not tags.wrong and not tags.open
    scripts = [attributes for tag, attributes in tags.found if tag == "script"]
    assert len(scripts) == 2 and scripts[0] == {"type": "application/json", "id": "data"} and scripts[1] == {}
    assert not [tag for tag, attributes in tags.found if tag == "img" or "onerror" in attributes]
    tile = data_of(text)["clips"][0]["tiles"]
    assert not tile or "no such file" in tile[0]["why"]


def test_previews_of_everything_that_can_be_scored(tmp_path):
    frames = [picture(0, n, 0) for n in range(8)]
    write_video(tmp_path / "plain.mp4", frames, Fraction(12))
    ffmpeg("-i", tmp_path / "plain.mp4", "-c:v", "ffv1", tmp_path / "ffv1.mkv")
    ffmpeg("-i", tmp_path / "plain.mp4", "-c:v", "mjpeg", "-q:v", "2", tmp_path / "old.avi")
    np.save(tmp_path / "array.npy", np.stack(frames))
    (tmp_path / "pictures").mkdir()
    for number, frame in enumerate(frames):
        write_png(tmp_path / "pictures" / f"{number}.png", frame)
    store = Store(tmp_path / "page.html", 10_000_000)
    for name in ("plain.mp4", "ffv1.mkv", "old.avi", "array.npy", "pictures"):
        preview = store.film(str(tmp_path / name), Fraction(12), ai=True, what="test")
        assert preview.why == "" and preview.ai and not preview.exact, (name, preview.why)  # unmarked: encoded again
        film = tmp_path / "out.mp4"
        film.write_bytes(base64.b64decode(preview.href.partition(",")[2]))
        assert read_mark(film)["ai_generated"] is True
        from stages.media import VideoReader

        with VideoReader(film) as reader:
            assert len(reader) == 8 and float(reader.fps) == 12.0
            assert np.abs(reader.frame(5).astype(int) - frames[5]).mean() < 4, name
    assert store.film(str(tmp_path / "plain.mp4"), Fraction(12), ai=False, what="real").why == ""
    bad = store.film(str(tmp_path / "gone.mp4"), Fraction(12), ai=True, what="test")
    assert bad.href == "" and "no such file" in bad.why
    still = store.photo("frame:3", str(tmp_path / "plain.mp4"), Fraction(12))
    assert still.still and still.href.startswith("data:image/jpeg")


def test_sound_comes_along(tmp_path):
    write_video(tmp_path / "a.mp4", [picture(0, n, 0) for n in range(12)], Fraction(12))
    ffmpeg("-i", tmp_path / "a.mp4", "-f", "lavfi", "-i", "sine=440", "-t", 1, "-c:v", "ffv1", "-c:a", "pcm_s16le",
           tmp_path / "b.mkv")  # fmt: skip
    store = Store(tmp_path / "p.html", 10**7)
    assert not store.film(str(tmp_path / "a.mp4"), Fraction(12), ai=True, what="x").sound
    preview = store.film(str(tmp_path / "b.mkv"), Fraction(12), ai=True, what="x")
    (tmp_path / "out.mp4").write_bytes(base64.b64decode(preview.href.partition(",")[2]))
    assert preview.sound and probe(tmp_path / "out.mp4").has_audio


def test_a_real_film_that_plays_is_shown_as_it_is(tmp_path):
    write_video(tmp_path / "a.mp4", [picture(0, n, 0) for n in range(4)], Fraction(12))
    preview = Store(tmp_path / "p.html", 10**7).film(str(tmp_path / "a.mp4"), Fraction(12), ai=False, what="real")
    assert preview.exact and base64.b64decode(preview.href.partition(",")[2]) == (tmp_path / "a.mp4").read_bytes()


def test_films_beyond_the_limit_lie_beside_the_page(tmp_path):
    runs = write_fake_runs(tmp_path / "runs", films=1)
    path = tmp_path / "a b.html"
    stage.run(runs, Params(output=(str(path),), embed_mb=0))
    tiles = data_of(path.read_text("utf-8"))["clips"][0]["tiles"]
    films = [tile for tile in tiles if not tile["still"]]
    assert all(tile["film"] == "" and tile["href"].startswith("a%20b_files/") for tile in films)
    assert all((tmp_path / "a b_files" / tile["href"].partition("/")[2]).is_file() for tile in films)
    assert all(tile["poster"].startswith("data:image/jpeg") for tile in tiles)


def test_a_page_is_made_once_and_never_over_something_else(tmp_path):
    runs = write_fake_runs(tmp_path / "runs")
    path = tmp_path / "p.html"
    params = Params(output=(str(path),))
    assert [record.status for record in stage.run(runs, params)] == ["written"]
    before = path.read_bytes()
    assert [record.status for record in stage.run(runs, params)] == ["skipped"]
    with pytest.raises(ConflictError):
        stage.run(runs, replace(params, title="other"))
    assert path.read_bytes() == before
    path.unlink()
    stage.run(runs, params)
    assert path.read_bytes() == before  # the same runs give the same bytes
    run = read_run(runs[0])
    write_run(replace(run, generated={"sha256": "0" * 64}), runs[0] / "scores.json")
    with pytest.raises(ConflictError):  # other frames make another page, also where no number changed
        stage.run(runs, params)
    with pytest.raises(UsageError, match="--embed-mb"):
        stage.run(runs, replace(params, embed_mb=-1))


def test_mixed_runs_are_labelled_and_cannot_be_sorted(tmp_path):
    for name, test_set in (("a", "one"), ("b", "two")):
        (tmp_path / name).mkdir()
        write_run(fake_run(name, 1.0, test_set=test_set), tmp_path / name / "scores.json")
    path = tmp_path / "p.html"
    stage.run([tmp_path / "a", tmp_path / "b"], Params(output=(str(path),), allow_mixed=True))
    text = path.read_text("utf-8")
    assert "a (test set A)" in text and "b (test set B)" in text and "nothing is ranked" in text
    assert "sortable" not in text.partition("</style>")[2].partition("<script")[0] and "<strong>" not in text
    assert len(data_of(text)["clips"]) == 24  # clips of one name from two sets are two clips


def test_ticks_are_round_and_inside():
    assert svg.ticks(0.0, 0.9) == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8])
    for low, high in ((22.3, 26.9), (3.1e-5, 3.9e-5), (-0.4, 0.1), (88.0, 812.0)):
        found = svg.ticks(low, high)
        assert 2 <= len(found) <= 5 and all(low <= tick <= high for tick in found), (low, high, found)


def test_curves_are_means_over_clips_in_equal_parts_of_time(tmp_path):
    series = Series("frame", {"a": {n: float(n) for n in range(48)}, "b": {n: 10.0 + n for n in range(48)}})
    curve = curve_of([series])
    assert curve.x == pytest.approx([2 * n + 0.5 for n in range(24)])  # two frames a part
    assert curve.y == pytest.approx([2 * n + 0.5 + 5.0 for n in range(24)])
    assert curve_of([Series("frame", {"a": {0: 1.0}})]) is None
    file = tmp_path / "clips.csv"
    file.write_text("clip,frame,protocol,metric,value\na,,p,m,3\na,0,p,m,1\na,1,p,m,\nb,0,p,m,5\na,W:2,p,w,7\n")
    found = read_series(file)
    assert found["p", "m"] == Series("frame", {"a": {0: 1.0}, "b": {0: 5.0}})
    assert found["p", "w"] == Series("W", {"a": {2: 7.0}})
    assert read_series(tmp_path / "none.csv") == {}
