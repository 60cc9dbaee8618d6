"""What is written is read back, keyed, described and checked."""

import gc
import json
import os
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from stages.bundle import ArraySpec, LayerWriter, layer_key, make_provenance, open_bundle, plan_layer, validate
from stages.core.errors import ConflictError, InputError

SPEC = ArraySpec("f32", ("T", "J", "xy"), "px", (-1000, 1000), meaning="test joints")
FRAMES = ArraySpec("u8", ("T", "H", "W", "rgb"), "u8")


def write(path, layer="pose", seed=0, overwrite=False, extra=None, key=None):
    params = {"seed": seed}
    key = key or layer_key("test", 1, params, {})
    provenance = make_provenance("test", 1, params, {}, item="a.mp4")
    with LayerWriter(path, layer, key=key, attrs={"seed": seed}, provenance=provenance, overwrite=overwrite) as writer:
        writer.put("joints_px", np.random.default_rng(seed).uniform(0, 99, (7, 25, 2)).astype(np.float32), SPEC)
        if extra:
            extra(writer)
        return writer.commit()


def hidden(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.startswith(".")]


@pytest.mark.parametrize("dtype", ["f16", "f32", "f64", "u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "bool"])
@pytest.mark.parametrize("shape", [(), (0,), (5,), (3, 0, 2), (2, 3, 4)])
def test_every_dtype_and_shape_comes_back(tmp_path, dtype, shape):
    spec = ArraySpec(dtype, tuple("abc"[: len(shape)]))
    values = (
        np.random.default_rng(0).uniform(0, 100, shape) > 50
        if dtype == "bool"
        else np.random.default_rng(0).uniform(0, 100, shape)
    )
    values = np.asarray(values).astype(spec.dtype)
    path = tmp_path / "a.zarr"
    assert write(path, extra=lambda w: w.put("values", values, spec)) == "written"
    found = open_bundle(path).read("pose", "values")
    assert found.dtype == np.dtype(spec.dtype) and found.shape == shape
    assert np.array_equal(found, values)
    assert validate(path) == []
    assert hidden(tmp_path) == []


@pytest.mark.parametrize(
    ("frames", "length"), [(0, None), (1, None), (15, None), (16, 16), (33, None), (33, 33), (48, None)]
)
@pytest.mark.parametrize("block", [1, 7, 64])
def test_streams_do_not_depend_on_how_they_are_fed(tmp_path, frames, length, block):
    values = np.random.default_rng(1).integers(0, 255, (frames, 96, 80, 3), dtype=np.uint8)

    def feed(writer):
        stream = writer.stream("frames", (96, 80, 3), FRAMES, length=length)
        small = writer.stream("small", (2,), ArraySpec("f32", ("T", "c")), chunk=(4, 2))
        for start in range(0, frames, block):
            stream.append(values[start : start + block])
            small.append(values[start : start + block, 0, :2, 0].astype(np.float32))

    path = tmp_path / "a.zarr"
    write(path, extra=feed)
    bundle = open_bundle(path)
    assert np.array_equal(bundle.read("pose", "frames"), values)
    assert np.array_equal(bundle.read("pose", "small"), values[:, 0, :2, 0])
    assert np.array_equal(np.concatenate([values[:0], *bundle.iter_frames("pose", "frames", block=5)]), values)
    assert np.array_equal(bundle.read("pose", "frames", frames=slice(3, 21)), values[3:21])
    shards = len(list((path / "pose/frames/c").rglob("0"))) if frames else 0
    assert validate(path) == [] and (frames == 0 or shards)
    assert len([f for f in (path / "pose/frames").rglob("*") if f.is_file()]) == 1 + -(-frames // 16)


def test_one_frame_without_its_axis_is_a_block(tmp_path):
    path = tmp_path / "a.zarr"
    write(path, extra=lambda w: [w.stream("frames", (4, 4, 3), FRAMES).append(np.full((4, 4, 3), 9, np.uint8))])
    assert open_bundle(path).read("pose", "frames").shape == (1, 4, 4, 3)


def test_writer_refuses_what_the_spec_forbids(tmp_path):
    def refused(match, action):
        with pytest.raises(ValueError, match=match):
            write(tmp_path / "a.zarr", extra=action)
        assert not (tmp_path / "a.zarr").exists() and hidden(tmp_path) == []

    nan = np.full((2, 3), np.nan)
    refused("999999", lambda w: w.put("x", np.full((2, 1, 2), 999999.0), SPEC))
    refused("infinite", lambda w: w.put("x", np.full((2, 1, 2), np.inf), SPEC))
    refused("dtype", lambda w: w.put("x", nan, ArraySpec("u8", ("T", "c"))))
    refused("axes", lambda w: w.put("x", nan, SPEC))
    refused("shape", lambda w: w.stream("x", (4, 4, 3), FRAMES).append(np.zeros((2, 4, 5, 3), np.uint8)))
    refused("expected 3", lambda w: w.stream("x", (4, 4, 3), FRAMES, length=3).append(np.zeros((2, 4, 4, 3), np.uint8)))
    refused("expected 1", lambda w: w.stream("x", (4, 4, 3), FRAMES, length=1).append(np.zeros((2, 4, 4, 3), np.uint8)))
    refused("new name", lambda w: w.put("joints_px", np.zeros((1, 1, 2)), SPEC))
    refused("new name", lambda w: w.put("../x", np.zeros((1, 1, 2)), SPEC))
    with pytest.raises(ValueError, match="NaN"):
        ArraySpec("f32", ("T",), fill=0.0)


def test_layers_do_not_touch_each_other(tmp_path):
    path = tmp_path / "a.zarr"
    write(path)
    before = {f: f.read_bytes() for f in path.rglob("*") if f.is_file()}
    inodes = {f: f.stat().st_ino for f in before}
    assert write(path, layer="body", seed=3) == "written"
    assert all(f.read_bytes() == content and f.stat().st_ino == inodes[f] for f, content in before.items())
    assert open_bundle(path).layers() == ["body", "pose"]


def test_without_commit_nothing_is_left(tmp_path):
    path = tmp_path / "a.zarr"
    with LayerWriter(path, "pose", key="0" * 64, attrs={}, provenance={}) as writer:
        writer.put("joints_px", np.zeros((1, 2, 2), np.float32), SPEC)
        assert len(hidden(tmp_path)) == 1
    assert os.listdir(tmp_path) == []


def test_plan_write_skip_conflict_replace(tmp_path):
    path = tmp_path / "a.zarr"
    key, other = layer_key("test", 1, {"seed": 0}, {}), layer_key("test", 1, {"seed": 1}, {})
    assert plan_layer(path, "pose", key).action == "write"
    write(path)
    assert plan_layer(path, "pose", key).action == "skip"
    assert plan_layer(path, "body", key).action == "write"
    assert plan_layer(path, "pose", key, overwrite=True).action == "skip"
    with pytest.raises(ConflictError, match="--overwrite"):
        plan_layer(path, "pose", other)
    assert plan_layer(path, "pose", other, overwrite=True).action == "replace"
    assert write(path, seed=1, overwrite=True) == "replaced"
    assert open_bundle(path).attrs("pose") == {"seed": 1} and validate(path) == [] and hidden(tmp_path) == []


def test_a_late_writer_finds_the_same_key_or_a_conflict(tmp_path):
    path = tmp_path / "a.zarr"
    status = []

    def while_open(writer):
        if not status:
            status.append("inner")
            status.append(write(path))

    assert write(path, extra=while_open) == "skipped"
    assert status == ["inner", "written"]
    with pytest.raises(ConflictError):
        write(path, seed=1)
    assert open_bundle(path).attrs("pose") == {"seed": 0} and validate(path) == []


def test_replacing_works_where_the_file_system_cannot_swap(tmp_path, monkeypatch):
    monkeypatch.setattr("stages.bundle.commit._exchange", lambda a, b: False)
    path = tmp_path / "a.zarr"
    write(path)
    assert write(path, seed=1, overwrite=True) == "replaced"
    assert open_bundle(path).attrs("pose") == {"seed": 1} and validate(path) == [] and hidden(tmp_path) == []


def test_a_strange_directory_or_file_is_never_touched(tmp_path):
    folder, file = tmp_path / "mine.zarr", tmp_path / "file.zarr"
    folder.mkdir()
    (folder / "precious.txt").write_text("x")
    file.write_text("y")
    for path in (folder, file):
        with pytest.raises(InputError, match="no bundle"):
            write(path, overwrite=True)
        with pytest.raises(InputError, match="no bundle"):
            plan_layer(path, "pose", "0" * 64, overwrite=True)
    assert (folder / "precious.txt").read_text() == "x" and file.read_text() == "y" and hidden(tmp_path) == []


def test_missing_things_name_their_maker(tmp_path):
    path = tmp_path / "a.zarr"
    with pytest.raises(InputError, match="dreamactor extract-pose VIDEO -o"):
        open_bundle(path)
    write(path, layer="clip")
    bundle = open_bundle(path)
    with pytest.raises(InputError, match="layer 'pose' is missing. Make it with: dreamactor extract-pose VIDEO -o"):
        bundle.require("clip", "pose")
    with pytest.raises(InputError, match="has no array 'frames'"):
        bundle.read("clip", "frames")


def test_keys_depend_on_content_only():
    base = layer_key("s", 1, {"a": 1, "b": [1, 2]}, {"clip": "k"}, {"w": "h"})
    assert base == layer_key("s", 1, {"b": (1, 2), "a": 1}, {"clip": "k"}, {"w": "h"})
    assert base == layer_key("s", 1, {"b": np.array([1, 2]), "a": np.int64(1)}, {"clip": "k"}, {"w": "h"})
    changed = [
        layer_key("t", 1, {"a": 1, "b": [1, 2]}, {"clip": "k"}, {"w": "h"}),
        layer_key("s", 2, {"a": 1, "b": [1, 2]}, {"clip": "k"}, {"w": "h"}),
        layer_key("s", 1, {"a": 2, "b": [1, 2]}, {"clip": "k"}, {"w": "h"}),
        layer_key("s", 1, {"a": 1, "b": [1, 2]}, {"clip": "l"}, {"w": "h"}),
        layer_key("s", 1, {"a": 1, "b": [1, 2]}, {"clip": "k"}, {"w": "i"}),
    ]
    assert len({base, *changed}) == 6
    assert layer_key("s", 1, {"p": Path("x"), "f": Fraction(30000, 1001)}, {}) == layer_key(
        "s", 1, {"p": "x", "f": "30000/1001"}, {}
    )
    with pytest.raises(TypeError):
        layer_key("s", 1, {"a": object()}, {})
    with pytest.raises(ValueError):
        layer_key("s", 1, {"a": float("nan")}, {})


def test_provenance_separates_what_decides_from_what_ran(tmp_path):
    path = tmp_path / "a.zarr"
    write(path)
    provenance = open_bundle(path).provenance("pose")
    assert provenance["decides"]["params"] == {"seed": 0} and provenance["item"] == "a.mp4"
    assert {"at", "python", "packages"} <= set(provenance["ran"])
    assert layer_key(**provenance["decides"]) == open_bundle(path).key("pose")


def test_schema_and_writer_agree(tmp_path):
    path = tmp_path / "a.zarr"
    write(path, extra=lambda w: w.put("r", np.float32(0.1), ArraySpec("f32", (), "m", (0, 1))))
    document = json.loads((path / "pose/r/zarr.json").read_text())
    assert document["attributes"]["dreamactor"] == open_bundle(path).array_info("pose", "r")
    assert document["fill_value"] == "NaN"
    assert json.loads((path / "pose/joints_px/zarr.json").read_text())["dimension_names"] == ["T", "J", "xy"]
    codecs = [codec["name"] for codec in json.loads((path / "pose/joints_px/zarr.json").read_text())["codecs"]]
    assert codecs == ["bytes", "zstd", "crc32c"]


def test_planning_and_reading_metadata_import_neither_numpy_nor_zarr(tmp_path, repository):
    import subprocess
    import sys

    path = tmp_path / "a.zarr"
    write(path)
    program = (
        "import sys; from stages.bundle import open_bundle, plan_layer; b = open_bundle(sys.argv[1]); "
        "print(plan_layer(sys.argv[1], 'pose', b.key('pose')).action, b.attrs('pose'), "
        "[m for m in ('numpy', 'zarr', 'torch') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, cwd=repository, check=True
    )
    assert done.stdout.strip() == "skip {'seed': 0} []"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # one line is in a __del__
def test_a_signal_at_any_line_while_the_build_directory_is_made_leaves_nothing(tmp_path):
    """Bug: SIGTERM between mkdir and the caller's first line left a hidden directory, or the lock file, behind."""
    from stages.bundle import commit

    def lines_run(interrupted_at: int = 0) -> int:
        """Lines of commit.py that ran; before line number `interrupted_at` a signal handler raised."""
        lines = 0

        def trace(frame, event, _):
            nonlocal lines
            if frame.f_code.co_filename != commit.__file__:
                return None
            if event == "line":
                lines += 1
                if lines == interrupted_at:
                    raise KeyboardInterrupt
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            made = commit.BuildDirectory(tmp_path / "a.zarr", "toy")
        except KeyboardInterrupt:
            made = None
        finally:
            sys.settrace(before)
        if made is not None:
            made.close()
        return lines

    whole = lines_run()
    assert whole > 20 and os.listdir(tmp_path) == []
    for at in range(1, whole + 1):
        assert lines_run(interrupted_at=at) >= at
        if os.listdir(tmp_path):
            gc.collect()  # what the exception's frames still hold
        assert os.listdir(tmp_path) == [], f"interrupted at line {at}"
