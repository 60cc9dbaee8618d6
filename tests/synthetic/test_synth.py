"""The stage: bundles that other stages read, the same whatever the order or the number of workers."""

import os
from dataclasses import replace

import numpy as np
import pytest

from stages import synth
from stages.bundle import open_bundle, validate
from stages.core.errors import ConflictError, InputError, UsageError
from stages.core.skeleton import BODY_INDEX, BODY_JOINTS, BONES
from stages.media import clip_frames
from stages.synthetic.manifest import manifest_path, read_manifest, update_manifest
from stages.synthetic.seeds import partner_seed, seeds_of

SMALL = synth.Params(
    clips=1, frames=3, size=32, references=2, split="test", seed=3, cross_identity=True, views=2, a_pose=True
)


@pytest.fixture(scope="module")
def made(full, tmp_path_factory):
    """A clip and its partner, made in order by one process."""
    params = replace(SMALL, out=str(tmp_path_factory.mktemp("made")), assets="full")
    return params, list(synth.run_all(params))


def contents(path):
    """Every array of a bundle but the encoded film."""
    bundle = open_bundle(path)
    return {
        (layer, name): bundle.read(layer, name)
        for layer in bundle.layers()
        for name in bundle.array_names(layer)
        if name != "media"
    }


def test_bundles_are_whole(made):
    params, records = made
    assert [record.status for record in records] == ["written"] * 2
    assert [record.path for record in records] == list(synth.items(params))
    for record in records:
        assert validate(record.path) == []
        assert open_bundle(record.path).layers() == ["clip", "pose", "truth"]


def test_the_film_shows_the_exact_frames(made):
    _, records = made
    bundle = open_bundle(records[0].path)
    exact = bundle.read("truth", "frames")
    with clip_frames(bundle) as reader:
        film = np.concatenate(list(reader.blocks(8)))
        assert float(reader.fps) == 24
    assert film.shape == exact.shape
    error = np.abs(film.astype(int) - exact).mean()
    assert error < 6, f"mean {error:.2f} grey levels, tolerance 6 (H.264, 4:2:0)"


def test_pose_layer_has_the_format_of_extract_pose(made):
    from stages.pose.track import array_shapes

    _, records = made
    bundle = open_bundle(records[0].path)
    assert bundle.attrs("pose")["backend"] == "synthetic"
    for name, (dtype, tail) in array_shapes("ibug68").items():
        array = bundle.read("pose", name)
        assert (array.dtype, array.shape) == (np.dtype(dtype), (3, *tail)), name
    assert bundle.read("pose", "joints_px").shape == (3, len(BODY_JOINTS), 2)


def test_cross_identity_shares_motion_and_not_the_person(made):
    _, records = made
    own, cross = (open_bundle(record.path) for record in records[:2])
    assert np.array_equal(own.read("truth", "expression"), cross.read("truth", "expression"))
    assert own.attrs("truth")["seeds"]["motion"] == cross.attrs("truth")["seeds"]["motion"]
    assert own.attrs("truth")["about"]["seed"] != cross.attrs("truth")["about"]["seed"]
    for bundle in (own, cross):
        pair = bundle.attrs("truth")["pair"]
        assert [pair["own"], pair["cross"]] == [os.path.basename(record.path) for record in records[:2]]
    lengths = [_bone_lengths(bundle.read("truth", "rest_joints_m")) for bundle in (own, cross)]
    assert np.abs(lengths[0] / lengths[1] - 1).max() > 0.02, "the partner has the same bones"
    assert own.attrs("truth")["split"] == cross.attrs("truth")["split"] == "test"


def _bone_lengths(joints_m):
    return np.array([np.linalg.norm(joints_m[BODY_INDEX[a]] - joints_m[BODY_INDEX[b]]) for _, a, b in BONES])


@pytest.mark.timeout(600)
def test_order_and_workers_do_not_matter(made, tmp_path):
    params, records = made
    reverse = replace(params, out=str(tmp_path / "reverse"))
    for item in reversed(synth.items(reverse)):
        synth.run(item, reverse)
    many = replace(params, out=str(tmp_path / "many"), workers=2)
    list(synth.run_all(many))
    assert read_manifest(many.out, "test") == read_manifest(params.out, "test")
    for record, backwards, parallel in zip(records, synth.items(reverse), synth.items(many), strict=True):
        expected = contents(record.path)
        for other in (contents(backwards), contents(parallel)):
            assert expected.keys() == other.keys()
            wrong = [key for key in expected if expected[key].tobytes() != other[key].tobytes()]
            assert not wrong, wrong


def test_a_second_run_skips_and_other_settings_conflict(made):
    params, _ = made
    assert {record.status for record in synth.run_all(params)} == {"skipped"}
    with pytest.raises(ConflictError):
        synth.plan(synth.items(params)[0], replace(params, fps=12.0))
    assert synth.plan(synth.items(params)[0], replace(params, fps=12.0, overwrite=True)).action == "replace"


def test_a_half_written_bundle_is_completed(made, tmp_path):
    import shutil

    params, records = made
    params = replace(params, out=str(tmp_path))
    item = synth.items(params)[0]
    shutil.copytree(records[0].path, item)
    shutil.rmtree(f"{item}/truth")
    assert synth.plan(item, params).action == "write"
    synth.run(item, params)
    assert validate(item) == []
    assert contents(item)[("truth", "frames")].tobytes() == contents(records[0].path)[("truth", "frames")].tobytes()


@pytest.mark.parametrize(
    "wrong",
    [
        {"clips": 0},
        {"frames": 0},
        {"size": 5},
        {"size": 65},
        {"framing": "close"},
        {"split": "dev"},
        {"workers": 0},
        {"fps": 0.0},
        {"seed": -1},
        {"views": -1},
        {"clips_per_person": 0},
        {"look": "odd"},
    ],
)
def test_wrong_settings_are_one_line(wrong):
    with pytest.raises(UsageError, match="expected"):
        synth.items(replace(SMALL, **wrong))


def test_the_manifest_holds_every_bundle_and_nothing_that_is_gone(made, tmp_path):
    import json
    import shutil

    params, records = made
    here = manifest_path(params.out, "test")
    first = json.loads(here.read_text())
    assert list(first["bundles"]) == sorted(os.path.basename(record.path) for record in records)
    assert all(first["bundles"][os.path.basename(r.path)]["sha256"] == r.data["sha256"] for r in records)
    copy = replace(params, out=str(tmp_path))
    shutil.copytree(params.out, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(records[1].path.replace(params.out, copy.out))
    assert update_manifest(tmp_path, "test", {}) != first["sha256"]
    assert list(read_manifest(tmp_path, "test")) == [os.path.basename(records[0].path)]
    list(synth.run_all(copy))
    assert json.loads(manifest_path(tmp_path, "test").read_text()) == first, "made again, the manifest is another"


def test_a_damaged_manifest_is_one_line(tmp_path):
    manifest_path(tmp_path, "val").write_text("[]")
    with pytest.raises(InputError, match="Delete it"):
        update_manifest(tmp_path, "val", {})


def test_verify_finds_a_changed_bundle(made, tmp_path):
    params, records = made
    check = replace(params, verify=True)
    assert [record.status for record in synth.run_all(check)] == ["skipped"] * 2
    other = replace(check, framing="portrait" if records[0].data["framing"] != "portrait" else "full")
    failed = list(synth.run_all(other))
    assert {(record.status, record.exit) for record in failed} == {("failed", 8)}


def test_clips_in_a_row_can_show_the_same_person():
    people = [seeds_of(f"test_{number:06d}.zarr", 4).identity for number in range(8)]
    assert people == [600_000] * 4 + [600_004] * 4
    assert seeds_of("test_000005.zarr", 4).motion == seeds_of("test_000005.zarr").motion == 600_005
    partners = {seeds_of(f"test_{number:06d}_cross.zarr", 4).identity for number in range(4)}
    assert partners == {partner_seed(600_000)}
