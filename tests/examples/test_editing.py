"""The editing scripts of examples/: each changes what it says and nothing else, and leaves a sound bundle."""

import subprocess
import sys

import numpy as np
import pytest

from stages.bundle import open_bundle, validate
from stages.core.arkit import ARKIT_NAMES
from stages.core.geometry import rotation_angle_deg
from stages.core.skeleton import BODY_INDEX
from stages.face.encoder import load_face_encoder
from tests.mixing.test_mix import write
from tests.process import ROOT

WRIST = BODY_INDEX["left_wrist"]


@pytest.fixture
def edit(tmp_path, environment):
    """Run a script on bundles: edit("smooth_joint", *words) -> the sound bundle it made."""

    def run(name, *words):
        out = tmp_path / "edited.zarr"
        script = ROOT / "examples" / "editing" / f"{name}.py"
        arguments = [str(word) for word in words]
        place = next((i for i, word in enumerate(arguments) if word.startswith("--")), len(arguments))
        done = subprocess.run(
            [sys.executable, str(script), *arguments[:place], str(out), *arguments[place:]],
            env=environment, capture_output=True, text=True, timeout=110,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == str(out) and validate(out) == []
        return open_bundle(out)

    return run


def test_one_joint_is_smoothed_and_the_others_stay(edit, tmp_path):
    path, _ = write(tmp_path / "clip.zarr", 1, 24)
    import zarr

    from stages.bundle import seal_layer

    array = zarr.open_array(path / "pose" / "joints_px", mode="r+")
    values = array[:]
    values[:, WRIST, 0] += np.where(np.arange(24) % 2, 4.0, -4.0)  # it jitters
    array[:] = values
    assert seal_layer(path, "pose") and validate(path) == []
    before = open_bundle(path)
    made = edit("smooth_joint", path, "--joint", "left_wrist").read("pose", "joints_px")
    old = before.read("pose", "joints_px")
    rest = [index for index in range(25) if index != WRIST]
    np.testing.assert_array_equal(made[:, rest], old[:, rest])
    jitter = [np.abs(np.diff(track[4:-4, WRIST, 0], n=2)).mean() for track in (old, made)]
    assert jitter[1] < 0.2 * jitter[0], f"second differences {jitter[0]:.2f} before, {jitter[1]:.2f} px after"


def test_a_frozen_head_no_longer_turns(edit, tmp_path):
    from stages.render_spheres import _person, _pose_of

    path, R = write(tmp_path / "clip.zarr", 1, 24)
    made = edit("freeze_head", path, "--frame", 5)
    _, head = _person(*_pose_of(made))
    apart = rotation_angle_deg(head.R_cam_head[5:], head.R_cam_head[5:6])
    assert np.nanmax(apart) < 3.0, f"turns by up to {np.nanmax(apart):.1f} degrees"
    assert rotation_angle_deg(R[5:], R[5:6]).max() > 20, "the driver's head does not turn"
    limbs = slice(5, 25)
    np.testing.assert_array_equal(
        made.read("pose", "joints_px")[:, limbs], open_bundle(path).read("pose", "joints_px")[:, limbs]
    )


@pytest.fixture
def faces(tmp_path):
    """A bundle whose tokens are the shipped encoder's, with a smile that comes and goes."""
    encoder = load_face_encoder()
    path, _ = write(tmp_path / "smiling.zarr", 4, 24, encoder=encoder)
    return path, encoder


def test_a_smile_is_made_stronger_and_the_rest_of_the_face_stays(edit, faces):
    path, encoder = faces
    before = encoder.expressions_of(open_bundle(path).read("face", "tokens"))
    after = encoder.expressions_of(edit("exaggerate_smile", path, "--times", 2).read("face", "tokens"))
    smile = ARKIT_NAMES.index("mouthSmileLeft")
    assert np.ptp(after[:, smile]) == pytest.approx(2 * np.ptp(before[:, smile]), rel=1e-3)
    others = [index for index, name in enumerate(ARKIT_NAMES) if not name.startswith("mouthSmile")]
    off = np.abs(after - before)[:, others].max()
    assert off < 1e-3, f"other expressions change by {off:.4f}"


def test_the_driver_of_the_face_is_swapped_and_goes_back_and_forth(edit, tmp_path):
    path, _ = write(tmp_path / "clip.zarr", 1, 24)
    other, _ = write(tmp_path / "other.zarr", 2, 12)
    made = edit("swap_driver", path, other)
    assert made.read("face", "tokens")[:14, 0, 0].tolist() == [2000 + i for i in [*range(12), 10, 9]]
    assert made.key("pose") == open_bundle(path).key("pose") and made.key("face") != open_bundle(path).key("face")


def test_two_clips_are_spliced_without_a_jump(edit, tmp_path):
    first, _ = write(tmp_path / "a.zarr", 1, 24)
    second, _ = write(tmp_path / "b.zarr", 2, 12)
    made = edit("splice_clips", first, second, "--at", 10, "--blend", 4)
    frames = 10 + 12 - 4
    assert len(made.read("pose", "present")) == len(made.read("face", "valid")) == frames
    joints, old = (bundle.read("pose", "joints_px") for bundle in (made, open_bundle(first)))
    np.testing.assert_array_equal(joints[:6], old[:6])
    np.testing.assert_array_equal(joints[10:], open_bundle(second).read("pose", "joints_px")[4:])
    step = np.linalg.norm(np.diff(joints[:, WRIST], axis=0), axis=-1)
    hard = np.linalg.norm(old[9, WRIST] - open_bundle(second).read("pose", "joints_px")[0, WRIST])
    assert step[6:10].max() < 0.6 * hard, f"steps {step[5:11]} px, a hard cut jumps {hard:.1f}"


def test_a_layer_that_nobody_edited_stays_as_it_is(tmp_path):
    from stages.bundle import seal_layer

    path, _ = write(tmp_path / "clip.zarr", 1, 24)
    key = open_bundle(path).key("pose")
    assert not seal_layer(path, "pose") and open_bundle(path).key("pose") == key
