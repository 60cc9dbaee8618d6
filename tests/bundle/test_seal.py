"""A layer edited by another program: sealed when it is sound, refused in one line when it is not."""

import json

import numpy as np
import pytest
import zarr

from stages.bundle import ArraySpec, LayerWriter, layer_key, make_provenance, open_bundle, seal_layer, validate
from stages.core.errors import InputError


@pytest.fixture
def bundle(tmp_path):
    """A bundle with the layer `pose`, of two arrays, and `body`, made from it."""
    path = tmp_path / "clip.zarr"
    specs = {"score": ArraySpec("f32", ("T",), "01", (0, 1)), "seen": ArraySpec("bool", ("T",))}
    inputs = {}
    for layer in ("pose", "body"):
        key = layer_key("test", 1, {"layer": layer}, inputs)
        provenance = make_provenance("test", 1, {}, inputs)
        with LayerWriter(path, layer, key=key, attrs={"kept": 1}, provenance=provenance) as writer:
            writer.put("score", np.linspace(0, 1, 6, dtype=np.float32), specs["score"])
            writer.put("seen", np.ones(6, bool), specs["seen"])
            writer.commit()
        inputs = {"pose": key}
    return path


def edit(path, name, values):
    zarr.open_array(path / "pose" / name, mode="r+")[:] = values


def test_an_edit_is_damage_until_it_is_sealed(bundle):
    before = open_bundle(bundle)
    key = before.key("pose")
    edit(bundle, "score", 0.25)
    with pytest.raises(InputError, match="sha256"):
        before.read("pose", "score")
    assert seal_layer(bundle, "pose", "made equal")
    after = open_bundle(bundle)
    assert validate(bundle) == [] and (after.read("pose", "score") == 0.25).all()
    assert after.key("pose") != key and after.attrs("pose") == {"kept": 1}
    decides = after.provenance("pose")["decides"]
    assert decides["params"] == {"what": "made equal"} and decides["inputs"] == {"edited": key}
    assert after.provenance("body")["decides"]["inputs"]["pose"] == key  # what was made from it is stale
    assert not seal_layer(bundle, "pose")


def test_the_same_edit_of_the_same_layer_gives_the_same_key(bundle, tmp_path):
    import shutil

    other = shutil.copytree(bundle, tmp_path / "other.zarr")
    for path in (bundle, other):
        edit(path, "score", 0.5)
        seal_layer(path, "pose")
    assert open_bundle(bundle).key("pose") == open_bundle(other).key("pose")


def test_a_longer_array_is_sealed(bundle):
    array = zarr.open_array(bundle / "pose" / "score", mode="r+")
    array.resize((9,))
    array[:] = 0.5
    assert seal_layer(bundle, "pose") and len(open_bundle(bundle).read("pose", "score")) == 9
    assert validate(bundle) == []


def test_what_is_not_sound_is_refused(bundle):
    edit(bundle, "score", 2.0)
    with pytest.raises(InputError, match="expected 0..1"):
        seal_layer(bundle, "pose")
    edit(bundle, "score", 0.5)
    edit(bundle, "seen", False)  # zarr leaves such a chunk out
    with pytest.raises(InputError, match="write_empty_chunks"):
        seal_layer(bundle, "pose")
    with pytest.raises(InputError, match="'face' is missing"):
        seal_layer(bundle, "face")


def test_a_seal_that_was_killed_half_way_is_finished(bundle):
    edit(bundle, "score", 0.5)
    file = bundle / "pose" / "score" / "zarr.json"
    old = file.read_text()
    seal_layer(bundle, "pose")
    key = open_bundle(bundle).key("pose")
    file.write_text(json.dumps(json.loads(old)))  # the array's own copy of the table had not been written
    with pytest.raises(InputError):
        open_bundle(bundle).read("pose", "score")
    assert seal_layer(bundle, "pose") and open_bundle(bundle).key("pose") == key and validate(bundle) == []
