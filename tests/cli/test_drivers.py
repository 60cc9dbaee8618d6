"""animate with other drivers: which flags make a new bundle, what they mean, and the three stages as one command."""

import json

import numpy as np
import pytest

from dreamactor_cli.drivers import Drivers, locked
from stages.animate import Params
from stages.core.errors import UsageError


def test_a_lock_is_a_strength_of_nothing():
    drivers, params = locked(Drivers(lock="head,face"), Params())
    assert (drivers.head_strength, drivers.body_strength, params.face_strength) == (0.0, 1.0, 0.0)
    assert drivers.lock == "" and drivers.asked()
    drivers, params = locked(Drivers(lock="face"), Params())
    assert not drivers.asked() and params.face_strength == 0.0  # no other bundle is needed for that
    assert not Drivers().asked() and Drivers(head_offset=1.0).asked()
    with pytest.raises(UsageError, match="--lock: found 'hands'"):
        locked(Drivers(lock="hands"), Params())


@pytest.mark.slow
def test_face_head_and_body_from_three_films(dreamactor, tmp_path):
    """The whole command on synthetic people: layers of the right drivers, a locked head, a second run that skips."""
    from stages.bundle import open_bundle, validate
    from stages.core.geometry import rotation_angle_deg

    small = ("--size", "64", "--frames", "9", "--framing", "half", "--split", "val")
    made = dreamactor("synth", "--out", "people", "--seed", "3", "--clips", "3", *small)
    assert made.returncode == 0, made.stderr
    a, b, c = (f"people/val_{number:06d}.zarr" for number in (3, 4, 5))
    for words in (("encode-face", a, c), ("render-spheres", c)):
        assert dreamactor(*words).returncode == 0
    three = dreamactor("animate", c, "--face", a, "--head", b, "-o", "three.mp4", "--steps", "1", "--json")
    assert three.returncode == 0, three.stderr
    assert json.loads(three.stdout)["path"] == "three.mp4" and validate(tmp_path / "three.zarr") == []
    mixed, driver = open_bundle(tmp_path / "three.zarr"), open_bundle(tmp_path / b)
    apart = rotation_angle_deg(mixed.read("head", "R_cam_head"), driver.read("truth", "R_cam_head"))
    assert np.nanmedian(apart) < 10, f"the head is {np.nanmedian(apart):.1f} degrees from its driver's"
    np.testing.assert_array_equal(mixed.read("face", "tokens"), open_bundle(tmp_path / a).read("face", "tokens"))

    words = ("animate", c, "--face", a, "--lock", "head", "-o", "locked.mp4", "--steps", "1", "--json")
    assert dreamactor(*words).returncode == 0
    head = open_bundle(tmp_path / "locked.zarr")
    still = rotation_angle_deg(head.read("head", "R_cam_head"), head.read("head", "ref_R_cam_head"))
    assert np.nanmax(still) < 0.1
    assert json.loads(dreamactor(*words).stdout)["status"] == "skipped"
    again = dreamactor("animate", c, "--face", b, "-o", "locked.mp4")  # b has no tokens yet
    assert again.returncode == 3 and "encode-face" in again.stderr
