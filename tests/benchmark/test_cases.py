"""Cases, films and numbers of a benchmark, on a suite of one small clip."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stages import synth
from stages.benchmark.cases import open_case
from stages.benchmark.films import FilmsPlan, make_films, pairs_path
from stages.benchmark.methods import BASELINES, ModelChoice, ModelFilms, baseline_film
from stages.benchmark.summary import summary, write_json
from stages.bundle import open_bundle
from stages.core.errors import UsageError, WeightsError
from stages.core.geometry import euler_yaw_pitch_roll_rad
from stages.media import read_photo
from stages.metrics.results import Run, Score, write_run
from stages.synthetic.suite import SUITES, reference_order

TINY = replace(SUITES["v1"], name="tiny", framings=(("half", 40_000),), clips=1, frames=5, size=64, references=3)
NUMBER = 40_000


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """The folder of the two bundles of TINY."""
    from stages.core.errors import WeightsError
    from stages.synthetic.assets import load_assets

    try:
        load_assets(TINY.assets)
    except WeightsError as error:
        pytest.skip(f"assets '{TINY.assets}' cannot be had here: {error}")
    folder = tmp_path_factory.mktemp("tiny")
    params = synth.Params(out=str(folder), seed=NUMBER, **{**TINY.common(), "framing": "half"})
    assert [record.status for record in synth.run_all(params)] == ["written"] * 2
    return str(folder)


@pytest.fixture(scope="module")
def cases(bundles):
    return {kind: open_case(bundles, TINY, NUMBER, kind, references=2) for kind in ("self", "cross")}


def test_self_is_the_clip_itself_from_another_moment(bundles, cases):
    case, own = cases["self"], open_bundle(f"{bundles}/test_{NUMBER:06d}.zarr")
    assert np.array_equal(case.truth_u8, own.read("truth", "frames"))
    order = reference_order(
        own.read("truth", "times_s"), own.read("truth", "ref_times_s"), own.read("truth", "ref_R_cam_head")
    )
    assert np.array_equal(case.ref_frames[0], own.read("truth", "ref_frames")[order[0]])
    yaw = np.abs(np.degrees([euler_yaw_pitch_roll_rad(head[2])[0] for head in case.ref_heads]))
    assert yaw[0] <= yaw[1] and not np.array_equal(case.ref_frames[0], case.ref_frames[1]), "the second shows a side"
    assert np.array_equal(case.crops_u8, own.read("truth", "face_crops"))
    assert case.name == "half-040000"
    assert case.maps.shape == (5, 64, 64, 6) and case.ref_maps.shape == (2, 64, 64, 6)
    skeleton, sphere = case.maps[..., :3].any(-1), case.maps[..., 3:].any(-1)
    person = np.isin(own.read("truth", "mask"), 0, invert=True)
    for drawn in (skeleton, sphere):
        assert drawn.any((1, 2)).all() and (drawn & person).sum() > 0.6 * drawn.sum()


def test_cross_is_driven_by_the_other_person(bundles, cases):
    case = cases["cross"]
    other = open_bundle(f"{bundles}/test_{NUMBER:06d}_cross.zarr")
    assert np.array_equal(case.crops_u8, other.read("truth", "face_crops"))
    assert not np.array_equal(case.crops_u8, cases["self"].crops_u8)
    assert case.truth_u8.shape == case.warp_frames.shape == (5, 64, 64, 3)
    assert not np.array_equal(case.maps, cases["self"].maps)


@pytest.mark.parametrize(("kind", "references"), [("other", 1), ("self", 0), ("self", 4)])
def test_wrong_cases_are_one_line(bundles, kind, references):
    with pytest.raises(UsageError, match="found"):
        open_case(bundles, TINY, NUMBER, kind, references=references)


def test_several_references_are_carried_as_one(cases):
    case = cases["self"]
    one, several = case.carried(1), case.carried(2)
    assert np.array_equal(one[0], case.warp_frames) and (one[2] == 1).all()
    assert several[0].shape == one[0].shape and several[1].max() <= 3 and several[2].shape == (5, 2)
    assert np.allclose(several[2].sum(1), 1.0)


def test_baselines_are_what_they_are_called(cases):
    case = cases["self"]
    copy, mean = baseline_film("copy", case), baseline_film("clip-mean", case)
    assert all(np.array_equal(frame, case.ref_frames[0]) for frame in copy)
    assert copy.shape == mean.shape == case.truth_u8.shape and copy.dtype == mean.dtype == np.uint8
    assert np.abs(mean[0] - case.truth_u8.astype(float).mean(0)).max() <= 0.5
    assert np.array_equal(baseline_film("warp", case), case.warp_frames)
    with pytest.raises(UsageError, match="found 'blur'"):
        baseline_film("blur", case)


def test_a_film_depends_on_the_seed_and_nothing_before_it(cases):
    choice = ModelChoice(steps=1)
    films = ModelFilms(choice, "cpu")
    first, _, again = (films.film(cases[kind]) for kind in ("self", "cross", "self"))
    assert first.shape == cases["self"].truth_u8.shape and first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, ModelFilms(replace(choice, seed=1), "cpu").film(cases["self"]))


def test_other_weights_and_settings_are_another_method(tmp_path):
    import shutil

    from stages.model.files import model_files

    labels = {ModelChoice().label(), ModelChoice(steps=8).label(), ModelChoice(seed=1).label()}
    assert len(labels) == 3 and all(label.startswith("default@") for label in labels)
    folder = tmp_path / "mine"
    folder.mkdir()
    for path in model_files("default").values():
        shutil.copy(path, folder)
    mine = ModelChoice(source=str(folder))
    assert mine.label() == ModelChoice().label().replace("default", "mine")
    shutil.copy(ModelChoice().encoder_file(), folder / "face.safetensors")
    assert mine.encoder_file() == folder / "face.safetensors"
    with pytest.raises(WeightsError, match="no such face encoder"):
        ModelChoice(encoder=str(tmp_path / "none.safetensors")).label()


def test_films_are_made_once(bundles, tmp_path):
    plan = FilmsPlan(TINY, bundles, str(tmp_path / "films"), ("self", "cross"))
    plan.check()
    assert set(make_films(plan, workers=1)) == {"truth", *BASELINES}
    before = {path: path.stat().st_mtime_ns for path in Path(plan.out).rglob("*.*")}
    assert make_films(plan, workers=1) == {}
    gone = plan.film("cross", "warp", NUMBER)
    gone.unlink()
    assert list(make_films(plan, workers=1)) == ["warp"]
    after = {path: path.stat().st_mtime_ns for path in Path(plan.out).rglob("*.*")}
    assert {path for path in before if before[path] != after[path]} == {gone}
    for kind in plan.kinds:
        row = next(csv.DictReader(pairs_path(plan, kind, "copy").open()))
        film, truth = np.load(row["generated"]), row["real"]
        assert np.array_equal(film[0], read_photo(row["reference"]))
        assert truth.endswith("test_040000.zarr") if kind == "self" else np.load(truth).shape == film.shape


@pytest.mark.parametrize("wrong", [{"kinds": ("self", "self")}, {"kinds": ()}, {"baselines": ("blur",)}, {"clips": 2}])
def test_wrong_plans_are_one_line(wrong):
    with pytest.raises(UsageError, match="found"):
        replace(FilmsPlan(TINY, "x", "y", ("self",)), **wrong).check()


def test_the_numbers_are_json_by_framing(tmp_path):
    v1 = SUITES["v1"]
    plan = FilmsPlan(v1, "x", str(tmp_path), ("self",), clips=1, baselines=("copy",))
    shared = {"protocol": "p", "unit": "", "direction": "higher", "signature": "s"}
    ssim = Score(
        name="ssim", label="SSIM", value=0.5, interval=(0.4, 0.6), n_clips=3,
        per_clip={"half-020000": 0.4, "full-030000": 0.6, "portrait-010000": None}, **shared,
    )  # fmt: skip
    fvd = Score(name="fvd", label="FVD", value=None, why="needs more clips", **shared)
    run = Run("copy", {"sha256": "ab"}, {"sha256": "cd"}, {}, (ssim, fvd), env={"machine": "m"})
    write_run(run, tmp_path / "scores.json")
    value = summary(plan, {("self", "copy"): str(tmp_path)}, {"test_010000.zarr": "0"}, [{"name": "films"}])
    write_json(value, tmp_path / "benchmark.json")
    read = json.loads((tmp_path / "benchmark.json").read_text())
    metrics = read["results"]["self"]["copy"]["metrics"]
    assert metrics["ssim"]["by_framing"] == {"full": {"mean": 0.6, "clips": 1}, "half": {"mean": 0.4, "clips": 1}}
    assert metrics["ssim"]["interval"] == [0.4, 0.6] and metrics["fvd"]["why"] == "needs more clips"
    assert read["suite"]["differing"] == ["test_010000.zarr"] and read["suite"]["bundles_as_published"] == 0
    assert read["suite"]["definition"] == v1.definition() and not read["suite"]["whole"]
