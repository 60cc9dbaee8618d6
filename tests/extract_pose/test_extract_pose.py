"""extract-pose as a stage: layers, keys, skipping, and one clear line for every bad input."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from stages.bundle import open_bundle, validate
from stages.core.errors import ConflictError, InputError, UsageError, WeightsError
from stages.core.skeleton import BODY_JOINTS
from stages.extract_pose import LAYERS, Params, output_path, plan, run
from stages.media import clip_frames, write_video
from stages.pose.mediapipe.networks import NETWORKS
from stages.weights import resolve
from tests.process import ROOT

MOTION = Params(backend="openpose", fps="20")


@pytest.fixture
def points(tmp_path):
    """A folder of OpenPose files: a person of 25 points who walks to the right, 12 frames of 96x160."""
    folder = tmp_path / "walk"
    folder.mkdir()
    rng = np.random.default_rng(0)
    shape = rng.uniform([20, 10], [60, 90], (25, 2))
    for t in range(12):
        shaken = shape + [2 * t, 0] + rng.normal(0, 0.5, (25, 2))
        flat = np.column_stack([shaken, np.full(25, 0.9)]).ravel().tolist()
        frame = {"canvas_width": 160, "canvas_height": 96, "people": [{"pose_keypoints_2d": flat}]}
        (folder / f"{t:04d}_keypoints.json").write_text(json.dumps(frame))
    return folder


@pytest.fixture(scope="module")
def networks():
    try:
        return {name: resolve(name) for name in NETWORKS}
    except WeightsError as error:
        pytest.skip(f"the networks are not to be had here: {error}")


def test_points_alone_make_a_bundle_with_grey_frames(points, tmp_path):
    record = run(points, replace(MOTION, output=str(tmp_path / "out.zarr")))
    assert record.status == "written" and record.data["frames"] == record.data["present"] == 12
    bundle = open_bundle(record.path)
    assert set(bundle.layers()) == set(LAYERS) and validate(record.path) == []
    clip = bundle.attrs("clip")
    assert (clip["fps"], clip["size"], clip["frame_count"], clip["source"]["kind"]) == ("20/1", [96, 160], 12, "motion")
    assert np.allclose(bundle.read("clip", "times_s"), np.arange(12) / 20)
    with clip_frames(bundle) as reader:
        frames = list(reader)
    assert len(frames) == 12 and frames[0].shape == (96, 160, 3) and np.ptp(frames[5]) <= 2
    pose = bundle.attrs("pose")
    assert pose["backend"].startswith("openpose") and pose["person"] == "largest"
    assert bundle.read("pose", "joints_px").shape == (12, len(BODY_JOINTS), 2)
    raw, smooth = bundle.read("pose", "raw_joints_px"), bundle.read("pose", "joints_px")
    error = np.nanmax(np.abs(raw - smooth))
    assert 0 < error < 3, f"filtered differs from raw by up to {error:.2f} px"
    assert np.isfinite(bundle.read("pose", "K_px")).all() and bundle.read("pose", "transl_m").shape == (12, 3)


def test_again_is_skipped_other_settings_conflict_overwrite_replaces(points, tmp_path):
    params = replace(MOTION, output=str(tmp_path / "out.zarr"))
    first = run(points, params)
    assert plan(points, params).action == "skip" and run(points, params).status == "skipped"
    other = replace(params, smooth=False)
    with pytest.raises(ConflictError, match="--overwrite"):
        plan(points, other)
    clip = open_bundle(first.path).key("clip")
    record = run(points, replace(other, overwrite=True))
    assert record.status == "replaced" and record.key != first.key
    assert open_bundle(first.path).key("clip") == clip, "the clip layer is the same and stays"


def test_a_lost_pose_layer_is_made_again_from_the_stored_clip(points, tmp_path):
    import shutil

    video = tmp_path / "v.mp4"
    write_video(video, iter(np.full((12, 96, 160, 3), 50, np.uint8)), Fraction(20))
    params = replace(MOTION, points=str(points), output=str(tmp_path / "out.zarr"), fps="")
    first = run(video, params)
    before = open_bundle(first.path).read("pose", "joints_px")
    shutil.rmtree(tmp_path / "out.zarr" / "pose")
    again = run(video, params)
    assert again.status == "written" and again.key == first.key
    assert np.array_equal(open_bundle(first.path).read("pose", "joints_px"), before, equal_nan=True)


def test_points_of_another_length_than_the_video_are_refused(points, tmp_path):
    video = tmp_path / "v.mp4"
    write_video(video, iter(np.full((7, 96, 160, 3), 50, np.uint8)), Fraction(20))
    with pytest.raises(InputError, match="12 frames.*7"):
        run(video, replace(MOTION, points=str(points), output=str(tmp_path / "out.zarr")))
    assert not (tmp_path / "out.zarr").exists()


def test_the_bundle_lies_beside_the_input_unless_named():
    assert str(output_path("a/b.mp4", Params())) == "a/b.zarr"
    assert str(output_path("a/b.mp4", Params(output="c.zarr"))) == "c.zarr"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"backend": "magic"}, "--backend"),
        ({"person": "tallest"}, "--person"),
        ({"max_side": 8}, "--max-side"),
        ({"fps": "fast"}, "--fps"),
        ({"fps": "0"}, "--fps"),
        ({"start": -1.0}, "--start"),
        ({"threads": 0}, "--threads"),
        ({"points": "x"}, "--points"),
    ],
)
def test_bad_settings_are_usage_errors_before_any_file_is_read(changes, says):
    with pytest.raises(UsageError, match=says):
        plan("nothing.mp4", Params(**changes))


def test_missing_text_and_empty_files_are_one_line(tmp_path):
    text, empty = tmp_path / "text.mp4", tmp_path / "empty.mp4"
    text.write_text("not a film")
    empty.touch()
    for path in (tmp_path / "nothing.mp4", empty):
        with pytest.raises(InputError) as caught:
            plan(path, Params())
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(WeightsError, match="--smplx-model"):
        plan(text, Params(backend="smplx"))


def test_bad_media_leave_nothing_behind(networks, tmp_path):
    text, photo = tmp_path / "text.mp4", tmp_path / "photo.png"
    text.write_text("not a film")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8)).save(photo)
    with pytest.raises(InputError, match="text.mp4"):
        run(text, Params())
    with pytest.raises(InputError, match="no person found in the photo"):
        run(photo, Params())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["photo.png", "text.mp4"]


def test_a_video_without_anybody_is_marked_not_invented(networks, tmp_path):
    video = tmp_path / "v.mp4"
    rng = np.random.default_rng(0)
    write_video(video, iter(rng.integers(90, 110, (6, 96, 160, 3), dtype=np.uint8)), Fraction(25))
    record = run(video, Params(threads=1))
    bundle = open_bundle(record.path)
    assert record.data["present"] == 0 and not bundle.read("pose", "present").any()
    assert np.isnan(bundle.read("pose", "joints_px")).all() and bundle.attrs("clip")["source"]["kind"] == "video"
    weights = bundle.attrs("pose")["weights"]
    assert set(weights) == set(NETWORKS) and weights["pose_landmark"]["licence"] == "Apache-2.0"


def test_no_person_on_the_end_card(networks, assets, tmp_path):
    """Real clip: a person up to frame 225, then darkness and a title card with a small picture of somebody."""
    params = Params(output=str(tmp_path / "out.zarr"), start=7.2, duration=1.2, max_side=640, threads=1)
    bundle = open_bundle(run(assets / "edge/ends_without_person.mp4", params).path)
    present, times = bundle.read("pose", "present"), bundle.read("clip", "times_s")
    assert present[times < 7.4].all(), "the person before the card"
    assert not present[times > 226 / 30 + 0.02].any(), f"someone at {times[present].max():.2f} s"


def test_a_photo_of_a_person(networks, assets, tmp_path):
    record = run(assets / "portraits/small_smile.png", Params(output=str(tmp_path / "p.zarr"), threads=1))
    bundle = open_bundle(record.path)
    assert bundle.read("clip", "frames").shape == (1, 256, 256, 3) and bundle.attrs("clip")["source"]["kind"] == "photo"
    assert bundle.read("pose", "face_valid").tolist() == [True] and validate(record.path) == []


@pytest.mark.parametrize("length", [20, 61])
def test_a_video_in_pieces_makes_the_bundle_of_one_go(networks, tmp_path, monkeypatch, length):
    """The 61 frames of our own sample in four pieces, and in one piece that ends with the video."""
    video = ROOT / "examples/samples/driving.mp4"
    whole = run(video, Params(output=str(tmp_path / "whole.zarr"), threads=1))
    monkeypatch.setattr("stages.extract_pose.PIECE_FRAMES", length)
    pieces = run(video, Params(output=str(tmp_path / "pieces.zarr"), threads=1))
    assert pieces.data == whole.data and pieces.data["frames"] == 61 and pieces.key == whole.key
    one, other = open_bundle(whole.path), open_bundle(pieces.path)
    assert validate(other.path) == [] and one.array_names("pose") == other.array_names("pose")
    for name in one.array_names("pose"):
        expected, made = one.read("pose", name), other.read("pose", name)
        assert np.array_equal(made, expected, equal_nan=expected.dtype.kind == "f"), name
