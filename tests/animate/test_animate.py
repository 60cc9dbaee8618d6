"""The shipped model animates a clip: frames, sound, mark, sheet, seeds, resume, and what is refused.

The control layers are drawn from a made-up waving figure, so that nothing has to be fetched.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from stages import animate
from stages.animate import Params
from stages.body.draw import draw_skeleton
from stages.body.layer import body_specs
from stages.body.place import Performance
from stages.body.warp import ReferenceWarp
from stages.bundle import ArraySpec, LayerWriter, open_bundle, validate
from stages.core.errors import ConflictError, InputError, UsageError, WeightsError
from stages.core.skeleton import BODY_INDEX
from stages.face.encoder import load_face_encoder
from stages.head.layer import head_specs
from stages.head.sphere import draw_sphere
from stages.media import normalise, probe, read_mark, read_photo
from tests.process import ROOT

SAMPLES = ROOT / "examples" / "samples"
SIZE, FRAMES = 128, 19  # not 4k+1 and more than one segment: the end is filled up, the hand-over happens
KEYS = {layer: hashlib.sha256(layer.encode()).hexdigest() for layer in ("clip", "body", "head", "face")}
TURN = np.deg2rad(25.0)


def figure(angle_rad):
    """Skeleton and sphere maps of a half body that raises its left arm, with the head turned by the same angle."""
    joints = np.full((25, 2), np.nan)
    places = {"neck": (64, 52), "left_shoulder": (80, 54), "right_shoulder": (48, 54), "pelvis": (64, 112),
              "left_hip": (72, 112), "right_hip": (56, 112),
              "right_elbow": (42, 76), "right_wrist": (46, 98)}  # fmt: skip
    for name, place in places.items():
        joints[BODY_INDEX[name]] = place
    shoulder, arm = np.array(places["left_shoulder"]), np.array([np.sin(angle_rad), np.cos(angle_rad)])
    joints[BODY_INDEX["left_elbow"]] = shoulder + 24 * arm
    joints[BODY_INDEX["left_wrist"]] = shoulder + 46 * arm
    valid = np.isfinite(joints).all(1)
    body = draw_skeleton(joints, valid, np.full((2, 21, 2), np.nan), np.zeros(2, bool), SIZE, SIZE)
    yaw = TURN * np.sin(angle_rad)
    rotation = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    return body, draw_sphere(np.array([64.0, 28.0]), 14.0, rotation, SIZE, SIZE), performance(joints, valid), rotation


def performance(joints, valid):
    hands, none = np.full((1, 2, 21, 2), np.nan), np.zeros((1, 2), bool)
    head = np.array([[64.0, 28.0]]), np.array([14.0])
    return Performance(joints[None], np.zeros((1, 25, 3)), valid[None], hands, none, *head, np.eye(3), np.ones(24), -1)


def write_layer(path, layer, arrays, specs, attrs):
    with LayerWriter(path, layer, key=KEYS[layer], attrs=attrs, provenance={"stage": "test"}) as writer:
        for name, array in arrays.items():
            writer.put(name, array, specs[name])
        writer.commit()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A bundle with clip, body, head and face layers; tests copy it."""
    import cv2

    folder = tmp_path_factory.mktemp("animate")
    info = normalise(SAMPLES / "driving.mp4", folder / "media.mp4")
    media = np.frombuffer((folder / "media.mp4").read_bytes(), np.uint8)
    path = folder / "clip.zarr"
    clip_specs = {"media": ArraySpec("uint8", ("byte",))}
    write_layer(path, "clip", {"media": media}, clip_specs, {"fps": str(Fraction(info.fps)), "has_audio": True})
    maps = [figure(angle) for angle in np.linspace(0.3, 2.4, FRAMES)]
    reference = cv2.resize(read_photo(SAMPLES / "reference.jpg"), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    ref_body, ref_head, still, turn = figure(0.3)
    carrier = ReferenceWarp(reference, still, turn)
    warps = [carrier.to_pose(act, 0, rotation) for _, _, act, rotation in maps]
    body = {"map": np.stack([m[0] for m in maps]), "ref_frame": reference[None], "ref_map": ref_body[None],
            "warp": np.stack([w[0] for w in warps]), "warp_kind": np.stack([w[1] for w in warps])}  # fmt: skip
    write_layer(path, "body", body, body_specs(), {"ref": None, "canvas": {"size": [SIZE, SIZE]}})
    places = {"center_px": np.float32([64.0, 28.0]), "radius_px": np.float32(14.0)}
    head = {"map": np.stack([m[1] for m in maps]), "ref_map": ref_head[None],
            "R_cam_head": np.stack([m[3] for m in maps]).astype(np.float32), "ref_R_cam_head": turn.astype(np.float32),
            **{name: np.repeat(place[None], FRAMES, 0) for name, place in places.items()},
            **{f"ref_{name}": place for name, place in places.items()}}  # fmt: skip
    write_layer(path, "head", head, head_specs(), {"size": [SIZE, SIZE]})
    encoder = load_face_encoder()
    tokens = encoder.tokens(np.random.default_rng(0).integers(0, 255, (FRAMES, 64, 64, 3), dtype=np.uint8))
    valid = np.arange(FRAMES) % 5 != 0
    tokens[~valid] = np.nan
    face_specs = {"tokens": ArraySpec("float32", ("T", "N", "C")), "valid": ArraySpec("bool", ("T",))}
    write_layer(
        path,
        "face",
        {"tokens": tokens, "valid": valid},
        face_specs,
        {"encoder": {"name": encoder.name, "sha256": encoder.sha256}},
    )
    return path


@pytest.fixture
def bundle(made, tmp_path):
    import shutil

    return shutil.copytree(made, tmp_path / "clip.zarr")


@pytest.fixture(scope="module")
def animated(made, tmp_path_factory):
    """The finished clip of the default settings, made once: (bundle, record)."""
    import shutil

    path = shutil.copytree(made, tmp_path_factory.mktemp("done") / "clip.zarr")
    return path, animate.run(path, Params())


def frames_of(path):
    from stages.media import VideoReader

    with VideoReader(path) as reader:
        return np.stack(list(reader))


def test_the_shipped_model_makes_the_clip_with_sound_mark_and_sheet(animated):
    path, record = animated
    assert record.status == "written" and Path(record.path) == path.with_suffix(".mp4")
    info = probe(record.path)
    assert (info.width, info.height, info.fps, info.has_audio, info.codec) == (SIZE, SIZE, 24, True, "h264")
    assert len(frames_of(record.path)) == FRAMES
    for file in (record.path, record.data["sheet"]):
        mark = read_mark(file)
        assert mark["ai_generated"] is True and mark["seed"] == 0
    assert validate(path) == []
    assert open_bundle(path).read("video", "latents").shape == ((FRAMES - 1 + 3) // 4 + 1, 16, 16, 16)


def test_the_result_shows_the_reference_and_moves_where_the_controls_move(animated):
    """Not a picture of noise: near the reference at the first frame, changing most where arm and head move."""
    path, record = animated
    frames = frames_of(record.path).astype(np.float64)
    reference = open_bundle(path).read("body", "ref_frame")[0].astype(np.float64)
    error = np.abs(frames[0] - reference).mean()
    other = np.abs(frames[0] - reference[::-1, ::-1]).mean()
    assert error < 0.6 * other, f"first frame is {error:.1f} grey levels from the reference, {other:.1f} from it turned"
    change = np.abs(frames - frames[0]).mean((0, 3))
    controls = open_bundle(path).read("body", "map").astype(np.float64)
    moving = np.abs(controls - controls[0]).max((0, 3)) > 30
    still = np.ones_like(moving)
    still[:, 24:110] = False
    assert change[moving].mean() > 2.0 * change[still].mean(), (change[moving].mean(), change[still].mean())


def test_a_second_run_skips_and_other_settings_are_refused_before_any_work(animated):
    path, _ = animated
    started = time.process_time()
    assert animate.run(path, Params()).status == "skipped"
    assert time.process_time() - started < 2.0
    with pytest.raises(ConflictError, match="--overwrite"):
        animate.plan(path, Params(seed=1))


def test_a_skip_loads_no_torch(animated, environment):
    program = (
        "import sys; from stages import animate; record = animate.run(sys.argv[1], animate.Params()); "
        "print(record.status, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(animated[0])], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["skipped", "False"]


def test_a_run_killed_before_its_layer_takes_its_own_film_back(animated, tmp_path):
    """The film is written before the layer: a kill in between must not block the rerun; a stranger's film must."""
    import shutil

    path = shutil.copytree(animated[0], tmp_path / "clip.zarr")
    shutil.rmtree(path / "video")
    shutil.copy(animated[1].path, tmp_path / "clip.mp4")
    assert animate.plan(path, Params()).action == "write"
    shutil.copy(SAMPLES / "driving.mp4", tmp_path / "clip.mp4")
    with pytest.raises(ConflictError, match="--overwrite"):
        animate.plan(path, Params())


def test_a_missing_video_is_made_again_from_the_same_seed(animated, tmp_path):
    import shutil

    path = shutil.copytree(animated[0], tmp_path / "clip.zarr")
    assert animate.run(path, Params(sheet=False)).status == "replaced"
    np.testing.assert_array_equal(frames_of(tmp_path / "clip.mp4"), frames_of(animated[1].path))


def test_a_killed_run_goes_on_with_the_segments_it_has(bundle, animated, environment):
    """kill -9 after the first segment: nothing is lost, the rerun takes it and the film is the same."""
    program = "import sys; from stages import animate; animate.run(sys.argv[1], animate.Params())"
    child = subprocess.Popen([sys.executable, "-c", program, str(bundle)], env=environment)
    waiting = bundle.parent
    deadline = time.monotonic() + 90
    while not list(waiting.glob(".clip.zarr.segments.*/*.safetensors")):
        assert child.poll() is None and time.monotonic() < deadline, "no segment was written"
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert validate(bundle) == [] and not (waiting / "clip.mp4").exists()
    seen = []
    record = animate.run(bundle, Params(), lambda done, total, note: seen.append((done, total)))
    assert seen[0][0] >= 1, "the finished segment was not taken"
    assert record.status == "written" and not list(waiting.glob(".clip.zarr.segments.*"))
    np.testing.assert_array_equal(frames_of(record.path), frames_of(animated[1].path))


def test_another_photo_than_the_one_on_the_canvas_is_refused(bundle, tmp_path):
    photo = tmp_path / "other.png"
    photo.write_bytes(b"not looked into")
    with pytest.raises(InputError, match="render-spheres"):
        animate.plan(bundle, Params(ref=str(photo)))


@pytest.mark.parametrize(
    "bad", [{"steps": 0}, {"segment": 6}, {"solver": "magic"}, {"cfg_ref": -1}, {"output": "a.avi"}]
)
def test_bad_settings_are_refused_in_one_line(bundle, bad):
    with pytest.raises(UsageError) as caught:
        animate.plan(bundle, Params(**bad))
    assert "\n" not in str(caught.value)


def test_a_model_that_is_not_there_names_what_is(bundle):
    with pytest.raises(WeightsError, match="default"):
        animate.plan(bundle, Params(model="no-such-model"))


def test_a_missing_layer_names_the_command(bundle):
    import shutil

    shutil.rmtree(bundle / "face")
    with pytest.raises(InputError, match="dreamactor encode-face"):
        animate.plan(bundle, Params())


def test_the_record_is_one_line_of_json(animated):
    assert json.loads(animated[1].to_json())["data"]["frames"] == FRAMES


def test_controls_of_an_earlier_version_say_what_to_run(bundle, tmp_path):
    """A body layer without the carried photo, as versions before it wrote."""
    import shutil

    body = open_bundle(bundle)
    arrays = {name: body.read("body", name) for name in ("map", "ref_frame", "ref_map")}
    attrs = body.attrs("body")
    shutil.rmtree(bundle / "body")
    write_layer(bundle, "body", arrays, body_specs(), attrs)
    with pytest.raises(InputError, match="no carried photo.*render-spheres"):
        animate.run(bundle, Params())


def test_signals_read_in_blocks_are_those_of_the_whole_clip(made):
    """Behind the end stands the last frame; with an encoder the photo's face is moved as for the whole clip at once."""
    from stages.animation.signals import BundleSignals
    from stages.face.carry import express

    bundle, encoder = open_bundle(made), load_face_encoder()
    whole = {name: bundle.read("body", name) for name in ("map", "warp", "warp_kind")}
    plain, moved = BundleSignals(bundle), BundleSignals(bundle, encoder)
    index = np.minimum(np.arange(13, FRAMES + 4), FRAMES - 1)
    part = plain.cut(13, FRAMES + 4)
    np.testing.assert_array_equal(part.maps[..., :3], whole["map"][index])
    np.testing.assert_array_equal(part.warp_frames, whole["warp"][index])
    np.testing.assert_array_equal(part.face_valid, bundle.read("face", "valid")[index])
    head, ref_head = (
        [bundle.read("head", who + name) for name in ("center_px", "radius_px", "R_cam_head")] for who in ("", "ref_")
    )
    carried = whole["warp"], whole["warp_kind"]
    references = plain.ref_frames, [ref_head], np.ones((len(whole["warp"]), 1))
    expected, _ = express(encoder, *carried, head, references, bundle.read("face", "tokens"))
    np.testing.assert_array_equal(moved.cut(13, FRAMES + 4).warp_frames, expected[index])
    assert len(plain) == FRAMES and plain.size == (SIZE, SIZE)


def test_the_strength_of_a_face_is_about_the_photos_expression(made):
    from stages.animation.signals import BundleSignals
    from stages.face.carry import reference_weights

    bundle, encoder = open_bundle(made), load_face_encoder()
    ref_head = [bundle.read("head", f"ref_{name}") for name in ("center_px", "radius_px", "R_cam_head")]
    about = reference_weights(encoder, bundle.read("body", "ref_frame")[0], *ref_head)
    assert np.isfinite(about).all(), "the photo's face cannot be read"
    driver = encoder.expressions_of(bundle.read("face", "tokens"))
    for strength in (0.0, 0.5, 1.5):
        part = BundleSignals(bundle, encoder, face_strength=strength).cut(0, FRAMES)
        found, expected = encoder.expressions_of(part.face_tokens), about + strength * (driver - about)
        off = np.nanmax(np.abs(found - expected))
        assert off < 1e-3, f"strength {strength}: {off:.5f} off"
        np.testing.assert_array_equal(np.isnan(found), np.isnan(driver))
    locked = BundleSignals(bundle, encoder, face_strength=0.0).cut(0, FRAMES).warp_frames
    most = np.abs(locked.astype(int) - bundle.read("body", "warp")).max()
    assert most <= 1, f"a locked face moves: {most} grey levels"


@pytest.mark.slow
def test_a_clip_four_times_as_long_takes_no_more_memory(bundle, environment):
    """The layers of the clip repeated: the peak of the process may not grow with them."""
    import shutil

    program = (
        "import resource, sys; from stages import animate; "
        "animate.run(sys.argv[1], animate.Params(steps=1, threads=1, sheet=False)); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    peaks = {}
    for times in (5, 20):
        path = bundle.with_name(f"long{times}.zarr")
        shutil.copytree(bundle, path)
        for layer in ("body", "head", "face"):
            source = open_bundle(bundle)
            arrays = {name: source.read(layer, name) for name in source.array_names(layer)}
            specs = {"body": body_specs(), "head": head_specs()}.get(
                layer, {"tokens": ArraySpec("float32", ("T", "N", "C")), "valid": ArraySpec("bool", ("T",))}
            )
            arrays = {name: np.concatenate([a] * times) if specs[name].axes[:1] == ("T",) and len(a) == FRAMES else a
                      for name, a in arrays.items()}  # fmt: skip
            shutil.rmtree(path / layer)
            write_layer(path, layer, arrays, specs, source.attrs(layer))
        done = subprocess.run(
            [sys.executable, "-c", program, str(path)], env=environment, capture_output=True, text=True, check=True
        )
        peaks[times] = float(done.stdout)
    assert peaks[20] < 1.05 * peaks[5], (
        f"peak {peaks[5]:.0f} MB of {5 * FRAMES} frames, {peaks[20]:.0f} of {20 * FRAMES}"
    )
