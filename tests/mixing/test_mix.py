"""Three drivers become one bundle: whose joints, whose head, whose face, and when."""

import hashlib

import numpy as np
import pytest

from stages import mix
from stages.bundle import ArraySpec, LayerWriter, open_bundle, validate
from stages.core.arkit import ARKIT_NAMES
from stages.core.errors import ConflictError, InputError, UsageError
from stages.core.geometry import rotation_angle_deg
from stages.mix import Params
from stages.pose.layer import RAW_OF, pose_specs
from tests.body.actor import K_PX, make_pose

FPS = 25


def write(path, seed, frames, *, wave=0.6, flip=1.0, faces=True, rate=FPS, encoder=None):
    """A bundle with clip, pose and face of the figure; its face tokens are its number and its frame's, or with a
    FaceEncoder those of a smile that comes and goes."""
    pose, R = make_pose(frames, wave=wave)
    if flip < 0:
        pose, R = {name: array[::-1].copy() for name, array in pose.items() if name != "K_px"}, R[::-1].copy()
    pose |= {"K_px": K_PX, "box_px": np.zeros((frames, 4)), "person_id": np.zeros(frames, np.int32)}
    pose = {name: np.asarray(array) for name, array in pose.items() if name in pose_specs()}
    pose |= {raw: pose[name] for name, raw in RAW_OF.items() if name in pose}

    def layer(name, arrays, specs, attrs):
        key = hashlib.sha256(f"{seed} {name}".encode()).hexdigest()
        with LayerWriter(
            path,
            name,
            key=key,
            attrs=attrs,
            provenance={
                "decides": {"stage": "test", "version": 1, "params": {}, "inputs": {}, "weights": {}},
                "item": "",
            },
        ) as writer:
            for array, values in arrays.items():
                writer.put(array, np.asarray(values, specs[array].dtype), specs[array])
            writer.commit()

    layer("clip", {"times_s": np.arange(frames) / rate}, {"times_s": ArraySpec("f64", ("T",), "s")},
          {"fps": f"{rate}/1", "frame_count": frames, "has_audio": False})  # fmt: skip
    layer("pose", pose, pose_specs(), {"face_layout": "none", "backend": "test"})
    tokens = np.zeros((frames, 2, 3), np.float32) + np.arange(frames)[:, None, None] + 1000 * seed
    name, sha256 = "test", "0" * 64
    if encoder is not None:
        name, sha256 = encoder.name, encoder.sha256
        weights = np.zeros((frames, 54), np.float32)
        weights[:, ARKIT_NAMES.index("mouthSmileLeft")] = 0.3 + 0.3 * np.sin(np.linspace(0, 6, frames))
        tokens = encoder.with_expressions(encoder.tokens(np.zeros((frames, 64, 64, 3), np.uint8)), weights)
    valid = np.full(frames, faces)
    specs = {"tokens": ArraySpec("f32", ("T", "N", "C")), "valid": ArraySpec("bool", ("T",))}
    layer("face", {"tokens": np.where(faces, tokens, np.nan), "valid": valid}, specs,
          {"encoder": {"name": name, "sha256": sha256}, "crop_px": 224})  # fmt: skip
    return path, R


@pytest.fixture
def drivers(tmp_path):
    return {
        "body": write(tmp_path / "c.zarr", 3, 24),
        "head": write(tmp_path / "b.zarr", 2, 24, wave=0.0, flip=-1.0),
        "face": write(tmp_path / "a.zarr", 1, 12),
    }


def test_body_head_and_face_come_from_three_bundles(drivers, tmp_path):
    out = tmp_path / "out.zarr"
    settings = Params(output=str(out), head=str(drivers["head"][0]), face=str(drivers["face"][0]))
    record = mix.run(drivers["body"][0], settings)
    assert record.status == "written" and record.path == str(out) and validate(out) == []
    made, body = open_bundle(out), open_bundle(drivers["body"][0])
    limbs = slice(5, 25)  # behind nose, eyes and ears
    for name in ("joints_px", "joints_m"):
        assert np.array_equal(made.read("pose", name)[:, limbs], body.read("pose", name)[:, limbs])
    told = made.read("pose", "R_cam_head")
    apart = rotation_angle_deg(told, drivers["head"][1])
    assert np.nanmax(apart) < 3.0, f"the head is up to {np.nanmax(apart):.1f} degrees off its driver's"
    assert np.nanmax(rotation_angle_deg(told, drivers["body"][1])) > 20, "both drivers' heads turn alike"
    face = made.read("face", "tokens")
    assert np.array_equal(face[:12, 0, 0], 1000 + np.arange(12)) and (face[12:] == 1011).all()  # held at its end
    assert made.key("clip") == body.key("clip") and "crop_affine" not in made.array_names("face")
    assert mix.run(drivers["body"][0], settings).status == "skipped"


def test_the_turned_points_say_the_turn_themselves(drivers, tmp_path):
    """Nose, eyes and ears of the new pose, tracked anew, face as told."""
    from stages.head.track import track_head

    out = tmp_path / "out.zarr"
    mix.run(drivers["body"][0], Params(output=str(out), head=str(drivers["head"][0])))
    made = open_bundle(out)
    pose = {name: made.read("pose", name) for name in made.array_names("pose")}
    apart = rotation_angle_deg(track_head(pose, pose["K_px"], "none").R_cam_head, pose["R_cam_head"])
    assert np.median(apart) < 3.0, f"median {np.median(apart):.1f}, max {apart.max():.1f} degrees"


def test_cut_ends_with_the_shortest_driver_and_speed_goes_faster_through_it(drivers, tmp_path):
    out = tmp_path / "out.zarr"
    face = str(drivers["face"][0])
    mix.run(drivers["body"][0], Params(output=str(out), face=face, face_speed=2.0, beyond="cut"))
    made = open_bundle(out)
    assert made.read("face", "tokens")[:, 0, 0].tolist() == [1000, 1002, 1004, 1006, 1008, 1010]
    assert len(made.read("pose", "present")) == 6 and made.attrs("clip")["frame_count"] == 6
    with pytest.raises(InputError, match="cut leaves no frame"):
        mix.plan(drivers["body"][0], Params(output=str(tmp_path / "no.zarr"), face=face, face_offset=9, beyond="cut"))


def test_the_heads_own_bundle_leaves_the_pose_as_it_is(drivers, tmp_path):
    out = tmp_path / "out.zarr"
    mix.run(drivers["body"][0], Params(output=str(out), face=str(drivers["face"][0])))
    made, body = open_bundle(out), open_bundle(drivers["body"][0])
    assert made.array_names("pose") == body.array_names("pose")
    for name in body.array_names("pose"):
        np.testing.assert_array_equal(made.read("pose", name), body.read("pose", name))


def test_a_face_that_is_missing_stays_missing(drivers, tmp_path):
    path, _ = write(tmp_path / "none.zarr", 7, 24, faces=False)
    record = mix.run(drivers["body"][0], Params(output=str(tmp_path / "out.zarr"), face=str(path)))
    assert record.data["faces"] == 0


def test_what_is_refused(drivers, tmp_path):
    body, out = drivers["body"][0], str(tmp_path / "out.zarr")
    for bad, words in [
        ({"output": str(body)}, "one of the drivers"), ({"output": out, "beyond": "stop"}, "--beyond"),
        ({"output": out, "head_speed": 0.0}, "--head-speed"),
    ]:  # fmt: skip
        with pytest.raises(UsageError, match=words):
            mix.plan(body, Params(**bad))
    with pytest.raises(InputError, match="no such|nothing|not a bundle"):
        mix.plan(body, Params(output=out, head=str(tmp_path / "gone.zarr")))
    mix.run(body, Params(output=out, face=str(drivers["face"][0])))
    with pytest.raises(ConflictError, match="--overwrite"):
        mix.plan(body, Params(output=out, head=str(drivers["head"][0])))


def test_another_face_leaves_the_pose_as_it_is(drivers, tmp_path):
    body, out = drivers["body"][0], str(tmp_path / "out.zarr")
    mix.run(body, Params(output=out))
    before = open_bundle(out).key("pose"), open_bundle(out).key("face")
    assert mix.run(body, Params(output=out, face=str(drivers["face"][0]), overwrite=True)).status == "replaced"
    assert open_bundle(out).key("pose") == before[0] and open_bundle(out).key("face") != before[1]
