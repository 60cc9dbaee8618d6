"""Missing chunk, flipped byte, newer schema: one clear line and the right exit code, never silent wrong numbers."""

import json
import random
import shutil

import numpy as np
import pytest

from stages.bundle import ArraySpec, LayerWriter, layer_key, make_provenance, open_bundle, plan_layer, validate
from stages.bundle.meta import with_digest
from stages.core.errors import InputError, StageError

KEY = layer_key("damage", 1, {}, {})


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "clip.zarr"
    rng = np.random.default_rng(0)
    with LayerWriter(path, "pose", key=KEY, attrs={}, provenance=make_provenance("damage", 1, {}, {})) as writer:
        frames = rng.integers(0, 255, (20, 80, 80, 3), dtype=np.uint8)
        frames[5] = 0  # a frame of nothing but the fill value must be stored too
        writer.put("frames", frames, ArraySpec("u8", ("T", "H", "W", "rgb")))
        writer.put(
            "points", rng.uniform(0, 80, (20, 25, 2)).astype(np.float32), ArraySpec("f32", ("T", "J", "xy"), "px")
        )
        writer.put("radius", np.float32(0.1), ArraySpec("f32", (), "m"))
        writer.commit()
    return path


@pytest.fixture
def bundle(sound, tmp_path):
    path = tmp_path / "clip.zarr"
    shutil.copytree(sound, path)
    return path


def files(path):
    return sorted(p for p in path.rglob("*") if p.is_file())


def read_all(path):
    bundle = open_bundle(path)
    return {name: bundle.read("pose", name) for name in bundle.array_names("pose")}


def assert_one_line(error: StageError, path) -> None:
    text = str(error)
    assert "\n" not in text and str(path) in text and error.exit_code == 3


def test_every_single_missing_file_is_noticed(bundle):
    for file in files(bundle):
        content = file.read_bytes()
        file.unlink()
        with pytest.raises(InputError) as caught:
            read_all(bundle)
        assert_one_line(caught.value, bundle)
        if file != bundle / "zarr.json":
            assert validate(bundle) != [], file
            with pytest.raises(InputError):
                plan_layer(bundle, "pose", KEY)
            assert plan_layer(bundle, "pose", KEY, overwrite=True).action == "replace"
        file.write_bytes(content)
    assert validate(bundle) == [] and plan_layer(bundle, "pose", KEY).action == "skip"


def test_a_missing_chunk_is_noticed_by_partial_reads_only_where_it_lies(bundle):
    (bundle / "pose/frames/c/1/0/0/0").unlink()
    assert open_bundle(bundle).read("pose", "frames", frames=slice(0, 16)).shape[0] == 16
    with pytest.raises(InputError, match="chunk c/1/0/0/0 is missing"):
        open_bundle(bundle).read("pose", "frames", frames=slice(10, 18))
    with pytest.raises(InputError, match="is missing"):
        list(open_bundle(bundle).iter_frames("pose", "frames"))


def test_a_flipped_bit_anywhere_is_noticed(bundle, sound):
    truth = read_all(sound)
    dice = random.Random(1)
    noticed = 0
    for file in files(bundle):
        content = file.read_bytes()
        for _ in range(12):
            place, bit = dice.randrange(len(content)), 1 << dice.randrange(8)
            file.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
            try:
                found = read_all(bundle)
            except InputError as error:
                assert_one_line(error, bundle)
                noticed += 1
            else:  # a flip that changes no value (white space, an unused attribute) may pass; a wrong number may not
                assert all(np.array_equal(found[name], truth[name]) for name in truth), f"{file} byte {place}"
        file.write_bytes(content)
    assert noticed > 20


@pytest.mark.parametrize("cut", [0, 1, 100])
def test_a_truncated_chunk_is_noticed(bundle, cut):
    file = bundle / "pose/frames/c/0/0/0/0"
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(InputError):
        open_bundle(bundle).read("pose", "frames")
    assert len(validate(bundle)) == 1


def test_a_newer_schema_is_refused_with_the_remedy(bundle):
    set_schema(bundle, "2.0")
    for action in (open_bundle, validate, lambda path: plan_layer(path, "pose", KEY, overwrite=True)):
        with pytest.raises(InputError, match=r"found bundle schema 2.0, expected 1.x. Update dreamactor"):
            action(bundle)
    with pytest.raises(InputError, match="schema 2.0"), LayerWriter(bundle, "body", key=KEY, attrs={}, provenance={}):
        pass
    set_schema(bundle, "1.7")
    assert open_bundle(bundle).layers() == ["pose"]


def test_strange_entries_are_reported(bundle):
    (bundle / "notes.txt").write_text("x")
    (bundle / "pose" / "extra").mkdir()
    problems = validate(bundle)
    assert len(problems) == 2 and "notes.txt" in problems[0] and "extra" in problems[1]


def test_an_edited_value_is_noticed(bundle):
    """Somebody changes an attribute by hand: the digest says so."""
    file = bundle / "pose/zarr.json"
    document = json.loads(file.read_text())
    document["attributes"]["dreamactor"]["attrs"] = {"fps": "30/1"}
    file.write_text(json.dumps(document))
    with pytest.raises(InputError, match="does not match its digest"):
        open_bundle(bundle).attrs("pose")


def test_exit_codes_on_the_command_line(bundle, dreamactor):
    next((bundle / "pose/points/c").rglob("0/0/0")).unlink()
    checked = dreamactor("bundle", "validate", str(bundle))
    assert checked.returncode == 8 and "is missing" in checked.stderr and checked.stdout == ""
    used = dreamactor("encode-face", str(bundle))
    assert used.returncode == 3 and len(used.stderr.strip().splitlines()) == 1
    set_schema(bundle, "2.0")
    for words in (["bundle", "validate"], ["bundle", "show"], ["encode-face"]):
        done = dreamactor(*words, str(bundle))
        assert done.returncode == 3 and "Update dreamactor" in done.stderr, words
        assert len(done.stderr.strip().splitlines()) == 1


def set_schema(path, schema: str) -> None:
    file = path / "zarr.json"
    document = json.loads(file.read_text())
    document["attributes"]["dreamactor"] = with_digest({**document["attributes"]["dreamactor"], "schema": schema})
    file.write_text(json.dumps(document))
