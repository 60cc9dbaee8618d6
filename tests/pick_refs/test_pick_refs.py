"""pick-refs and animate --refs as commands: what is picked, skipped, grown, and refused in one line."""

import shutil

import numpy as np
import pytest

from stages import animate, encode_face, pick_refs, render_spheres, synth
from stages.bundle import open_bundle, validate
from stages.core.errors import InputError, UsageError
from stages.core.geometry import euler_yaw_pitch_roll_rad
from stages.media import write_png
from stages.pick_refs import Params
from tests.body.actor import make_pose
from tests.render_spheres.test_render_spheres import write_bundle

FRAMES = 13


@pytest.fixture
def faceless(tmp_path):
    """A bundle that shows a grey picture: joints and head, but no face."""
    return write_bundle(tmp_path / "clip.zarr", make_pose(1)[0])


@pytest.mark.parametrize(
    ("bad", "message"),
    [({"count": 0}, "--count"), ({"yaw_most": 1.0}, "--yaw-most"), ({"output": "a.zarr", "into": "b.zarr"}, "both")],
)
def test_bad_settings_are_one_line(faceless, bad, message):
    with pytest.raises(UsageError, match=message) as caught:
        pick_refs.plan(str(faceless), Params(**bad))
    assert "\n" not in str(caught.value)


def test_several_bundles_want_a_place_for_the_picks(faceless):
    with pytest.raises(UsageError, match="--output or --into"):
        pick_refs.plan([str(faceless)] * 2, Params())


def test_what_is_no_bundle_of_a_clip_is_one_line(faceless, tmp_path, dreamactor):
    text = tmp_path / "notes.zarr"
    text.write_text("not a bundle")
    assert dreamactor("pick-refs", str(text)).returncode == 3
    shutil.rmtree(faceless / "pose")
    done = dreamactor("pick-refs", str(faceless))
    assert done.returncode == 3 and "dreamactor extract-pose" in done.stderr and done.stderr.count("\n") <= 2


def test_a_clip_without_a_face_is_refused(faceless):
    with pytest.raises(InputError, match="no face can be read in 1 frames"):
        pick_refs.run(str(faceless), Params())


@pytest.mark.parametrize("refs", ["none.png", "folder"])
def test_animate_refuses_what_is_no_reference(faceless, tmp_path, refs):
    (tmp_path / "folder").mkdir()
    for layer, key in (("body", "2"), ("head", "3"), ("face", "4")):
        from stages.bundle import ArraySpec, LayerWriter

        attrs = {"encoder": {"name": "x", "sha256": "y"}}
        with LayerWriter(faceless, layer, key=key * 64, attrs=attrs, provenance={}) as writer:
            writer.put("valid", np.ones(1, bool), ArraySpec("bool", ("T",)))
            writer.commit()
    with pytest.raises(InputError, match="no such photo|no photo in the folder"):
        animate.plan(faceless, animate.Params(refs=(str(tmp_path / refs),)))
    with pytest.raises(UsageError, match="--pseudo-refs: found 9"):
        animate.plan(faceless, animate.Params(pseudo_refs=9))
    with pytest.raises(UsageError, match="expected a photo given to render-spheres"):
        animate.plan(faceless, animate.Params(pseudo_refs=2))


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """Two turning people: bundles of synth."""
    from stages.core.errors import WeightsError
    from stages.synthetic.assets import load_assets

    try:
        load_assets("full")
    except WeightsError as error:
        pytest.skip(f"assets cannot be had here: {error}")
    out = tmp_path_factory.mktemp("people")
    params = synth.Params(out=str(out), split="val", seed=700, frames=FRAMES, framing="portrait", style="turn-around",
                          references=3, cross_identity=True)  # fmt: skip
    assert [record.status for record in synth.run_all(params)] == ["written"] * 2
    return out / "val_000700.zarr", out / "val_000700_cross.zarr"


@pytest.mark.slow
def test_picks_are_of_one_person_and_reach_the_extremes(people, tmp_path):
    mine, other = (str(path) for path in people)
    record = pick_refs.run([mine, other], Params(output=str(tmp_path / "picks.zarr"), count=3))
    clips = {row["clip"] for row in record.data["picks"]}
    assert len(clips) == 1 and validate(tmp_path / "picks.zarr") == []
    exact = np.degrees(euler_yaw_pitch_roll_rad(open_bundle(clips.pop()).read("truth", "R_cam_head"))[:, 0])
    exact = exact[np.abs(exact) <= 100]
    picked = [row["yaw_deg"] for row in record.data["picks"]]
    assert exact.max() - max(picked) < 5 and min(picked) - exact.min() < 5
    assert pick_refs.run([mine, other], Params(output=str(tmp_path / "picks.zarr"), count=3)).status == "skipped"


@pytest.mark.slow
def test_an_atlas_grows_by_the_same_person_only(people, tmp_path):
    mine, other = (str(path) for path in people)
    atlas = str(tmp_path / "atlas.zarr")
    first = pick_refs.run(mine, Params(into=atlas, count=3))
    assert first.status == "written" and pick_refs.run(mine, Params(into=atlas, count=3)).status == "skipped"
    with pytest.raises(InputError, match="nobody is the person asked for"):
        pick_refs.run(other, Params(into=atlas, count=3))
    assert len(open_bundle(atlas).attrs("refs")["picks"]) == first.data["pictures"]


@pytest.mark.slow
def test_animate_takes_picks_photos_and_folders_of_one_person(people, tmp_path):
    mine, other = people
    bundle = open_bundle(mine)
    yaw = np.abs(euler_yaw_pitch_roll_rad(bundle.read("truth", "R_cam_head"))[:, 0])
    photo, clip = tmp_path / "hero.png", tmp_path / "clip.zarr"
    write_png(photo, bundle.read("truth", "frames")[int(np.argmin(yaw))])
    shutil.copytree(mine, clip)
    render_spheres.run(clip, render_spheres.Params(ref=str(photo)))
    encode_face.run(clip, encode_face.Params())
    picks = str(tmp_path / "picks.zarr")
    pick_refs.run(str(mine), Params(output=picks))
    shutil.rmtree(clip / "truth")
    options = {"threads": 1, "sheet": False, "overwrite": True}
    made = animate.run(clip, animate.Params(refs=(picks,), output=str(tmp_path / "several.mp4"), **options))
    assert made.status == "written" and animate.run(clip, animate.Params(refs=(picks,), output=made.path, **options))
    carried = open_bundle(clip)
    assert validate(clip) == [] and len(carried.read("carried", "ref_frames")) >= 3
    assert np.array_equal(carried.read("carried", "ref_frames")[0], carried.read("body", "ref_frame")[0])
    share = carried.read("carried", "head_share")
    assert np.allclose(share.sum(1), 1.0, atol=1e-5) and (share.max(0) > 0.5).sum() >= 2, "more than one is used"
    strangers = str(tmp_path / "strangers.zarr")
    pick_refs.run(str(other), Params(output=strangers))
    with pytest.raises(InputError, match="shows another person than"):
        animate.run(clip, animate.Params(refs=(strangers,), output=str(tmp_path / "x.mp4"), **options))
