"""Picks are complete: what is written comes back, cropped and scaled pictures keep their people in place."""

import numpy as np
import pytest

from stages.body.place import own_performance
from stages.bundle import open_bundle, validate
from stages.core.errors import InputError
from stages.references.digests import named_references
from stages.references.layer import MOST_SIDE, Pick, read_picks, stored, write_picks
from stages.references.subject import Subject, check_size, person_of
from tests.body.actor import FPS, SIZE, make_pose


def subject(frame=0, side=SIZE[0], frames=4):
    pose, _ = make_pose(frames)
    person = person_of(pose, "none", FPS)[0].frame(frame)
    picture = np.random.default_rng(frame).integers(0, 255, (side, side, 3), np.uint8)
    return Subject("clip:0", picture, person, "", False, np.full(128, np.nan, np.float32))


def write(path, picks):
    return write_picks(path, picks, key="a" * 64, attrs={"seen": []}, provenance={}, overwrite=False)


def test_what_is_written_comes_back(tmp_path):
    subjects = [stored(subject(0)), stored(subject(2), (60, 40, 400, 420))]
    picks = [Pick(s, f"why {n}", "clip.zarr", "k", n, 0.5) for n, s in enumerate(subjects)]
    assert write(tmp_path / "p.zarr", picks) == "written" and validate(tmp_path / "p.zarr") == []
    back = read_picks(open_bundle(tmp_path / "p.zarr"))
    assert [p.why for p in back] == ["why 0", "why 1"] and [p.frame for p in back] == [0, 1]
    for before, after in zip(subjects, back, strict=True):
        assert np.array_equal(before.picture_u8, after.subject.picture_u8)
        assert before.digest == after.subject.digest and before.zoomed == after.subject.zoomed
        one, other = (own_performance(s.person) for s in (before, after.subject))
        assert np.allclose(one.joints_px, other.joints_px, equal_nan=True) and np.array_equal(one.drawn, other.drawn)
    assert named_references([str(tmp_path / "p.zarr")])[0][0] == "picks"


def test_a_crop_and_a_smaller_picture_keep_the_person_in_place():
    whole = subject(1)
    before = own_performance(whole.person)
    cropped = stored(whole, (60, 40, 400, 420))
    after = own_performance(cropped.person)
    assert cropped.picture_u8.shape == (380, 340, 3) and cropped.zoomed
    assert np.allclose(after.joints_px, before.joints_px - [60, 40], equal_nan=True, atol=1e-6)
    assert np.allclose(after.hands_px, before.hands_px - [60, 40], equal_nan=True, atol=1e-6)
    large = stored(subject(1, side=2 * MOST_SIDE))
    small = own_performance(large.person)
    assert large.picture_u8.shape == (MOST_SIDE, MOST_SIDE, 3)
    assert np.allclose(small.joints_px, 0.5 * before.joints_px - 0.25, equal_nan=True, atol=1e-6)
    assert np.allclose(small.head_radius_px, 0.5 * before.head_radius_px)


def test_too_small_a_face_is_one_line():
    tiny = make_pose(1, place_m=(0.0, 0.0, 60.0))[0]
    with pytest.raises(InputError, match="a.png: a head of .* px radius, expected one of 5 px or more"):
        check_size("a.png", person_of(tiny, "none", FPS)[0])


@pytest.mark.parametrize("kind", ["nothing", "empty folder", "bundle without picks"])
def test_what_is_no_reference_is_one_line(tmp_path, kind):
    path = tmp_path / "refs"
    if kind == "empty folder":
        path.mkdir()
    if kind == "bundle without picks":
        from tests.render_spheres.test_render_spheres import write_bundle

        path = write_bundle(tmp_path / "clip.zarr", make_pose(2)[0])
    expected = {
        "nothing": "no such photo",
        "empty folder": "no photo in the folder",
        "bundle without picks": "pick-refs",
    }
    with pytest.raises(InputError, match=expected[kind]) as caught:
        named_references([str(path)])
    assert "\n" not in str(caught.value)
