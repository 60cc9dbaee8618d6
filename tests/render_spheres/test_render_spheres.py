"""The whole stage on exact bundles: what is drawn, what is written, what is skipped, what is refused."""

import shutil

import numpy as np
import pytest

from stages.bundle import ArraySpec, LayerWriter, open_bundle, validate
from stages.core.errors import ConflictError, InputError, UsageError
from stages.core.geometry import rotation_angle_deg
from stages.core.skeleton import BODY_INDEX
from stages.head.sphere import recover_sphere
from stages.render_spheres import Params, canvas_size, plan, run
from tests.body.actor import SIZE, make_pose


def write_bundle(path, pose, *, grey=120):
    """A bundle with a one-frame picture and a pose layer of any length."""
    picture = np.full((1, *SIZE, 3), grey, np.uint8)
    picture[:, 200:280, 200:280] = 255
    clip = {"fps": "24/1", "size": list(SIZE), "frame_count": len(pose["present"]), "has_audio": False}
    with LayerWriter(path, "clip", key="0" * 64, attrs=clip, provenance={}) as writer:
        writer.put("frames", picture, ArraySpec("uint8", ("T", "H", "W", "rgb"), "u8"))
        writer.commit()
    attrs = {"face_layout": "none", "backend": "exact"}
    with LayerWriter(path, "pose", key="1" * 64, attrs=attrs, provenance={}) as writer:
        for name, array in pose.items():
            writer.put(name, array, ArraySpec(str(array.dtype), tuple(f"axis{i}" for i in range(array.ndim))))
        writer.commit()
    return path


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """(bundle, pose, R) of a driver who is away in frames 9 and 10."""
    pose, R = make_pose(16)
    pose["present"][9:11] = False
    return write_bundle(tmp_path_factory.mktemp("driver") / "clip.zarr", pose), pose, R


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """A taller person who stands farther away, as a bundle of one frame."""
    pose, _ = make_pose(1, tall=1.2, place_m=(0.2, 0.0, 5.0))
    return write_bundle(tmp_path_factory.mktemp("reference") / "ref.zarr", pose)


@pytest.fixture(scope="module")
def made(driver, reference):
    record = run(driver[0], Params(ref=str(reference), size="160x128", overwrite=True))
    assert record.status in ("written", "replaced")
    return open_bundle(driver[0])


def test_the_sphere_on_the_canvas_says_where_and_how_the_head_is(made, driver):
    maps, center, radius = (made.read("head", name) for name in ("map", "center_px", "radius_px"))
    for frame in (0, 4, 8, 13):
        found_center, found_radius, R = recover_sphere(maps[frame])
        assert rotation_angle_deg(R, driver[2][frame]) < 4.0
        assert np.abs(found_center - center[frame]).max() < 0.3
        assert abs(found_radius / radius[frame] - 1) < 0.03


def test_the_reference_decides_size_and_place(made, reference):
    attrs = made.attrs("body")
    frame = attrs["canvas"]["aligned_frame"]
    assert attrs["canvas"]["size"] == [160, 128] and attrs["canvas"]["kind"] == "full"
    assert attrs["ref"]["path"] == str(reference)
    neck = BODY_INDEX["neck"]
    there, here = made.read("body", "ref_joints_px")[0, neck], made.read("body", "joints_px")[frame, neck]
    assert np.linalg.norm(there - here) < 1.0, f"off by {np.linalg.norm(there - here):.2f} px, tolerance 1"
    assert abs(made.read("head", "radius_px")[frame] / made.read("head", "ref_radius_px") - 1) < 0.03
    ratio = dict(zip(attrs["bones"], made.read("body", "bone_ratio"), strict=True))
    assert abs(ratio["left_thigh"] - 1.2) < 1e-3 and abs(ratio["right_forearm"] - 1.2) < 1e-3


def test_everything_has_its_shape_and_the_bundle_is_whole(made):
    frames = 16
    expected = {
        "map": (frames, 160, 128, 3), "joints_px": (frames, 25, 2), "joints_m": (frames, 25, 3),
        "joints_valid": (frames, 25), "hands_px": (frames, 2, 21, 2), "hands_valid": (frames, 2), "valid": (frames,),
        "bone_ratio": (24,), "ref_frame": (1, 160, 128, 3), "ref_known": (1, 160, 128), "ref_matte": (1, 160, 128),
        "ref_map": (1, 160, 128, 3), "ref_joints_px": (1, 25, 2), "ref_joints_m": (1, 25, 3),
        "ref_joints_valid": (1, 25), "ref_hands_px": (1, 2, 21, 2), "ref_hands_valid": (1, 2),
        "warp": (frames, 160, 128, 3), "warp_kind": (frames, 160, 128), "camera_affine": (frames, 2, 3),
    }  # fmt: skip
    assert {name: made.read("body", name).shape for name in made.array_names("body")} == expected
    assert made.read("body", "map").dtype == np.uint8 and made.read("body", "joints_px").dtype == np.float32
    assert made.read("head", "source").dtype == np.uint8 and made.read("head", "radius_m").shape == ()
    assert validate(made.path) == []


def test_frames_without_a_person_are_empty_and_marked(made):
    for layer in ("body", "head"):
        valid, maps = made.read(layer, "valid"), made.read(layer, "map")
        assert not valid[9:11].any() and not maps[9:11].any()
        assert valid[[8, 11]].all() and maps[8].any() and maps[11].any()
    assert np.isnan(made.read("head", "center_px")[9:11]).all()
    assert (made.read("body", "warp")[9:11] == made.read("body", "ref_frame")).all(), "nobody to carry: the photo"


def test_the_reference_is_carried_to_the_pose(made):
    warp, kind = made.read("body", "warp"), made.read("body", "warp_kind")
    frame, picture = made.attrs("body")["canvas"]["aligned_frame"], made.read("body", "ref_frame")[0]
    background = kind[frame] == 1
    assert background.mean() > 0.3 and np.array_equal(warp[frame][background], picture[background])
    drawn = made.read("body", "map")[frame].any(-1)
    assert (kind[frame][drawn] >= 2).mean() > 0.95, "the skeleton lies on the figure"


def test_the_same_again_is_skipped_and_other_settings_are_refused(made, driver, reference):
    params = Params(ref=str(reference), size="160x128")
    assert plan(driver[0], params).action == "skip"
    assert run(driver[0], params).status == "skipped"
    with pytest.raises(ConflictError):
        plan(driver[0], Params(ref=str(reference), size="128"))
    assert plan(driver[0], Params(ref=str(reference), size="128", overwrite=True)).action == "replace"


def test_without_a_reference_the_driver_drives_himself(tmp_path):
    pose, R = make_pose(6)
    path = write_bundle(tmp_path / "self.zarr", pose)
    run(path, Params())
    bundle = open_bundle(path)
    assert (bundle.read("body", "bone_ratio") == 1.0).all() and bundle.attrs("body")["ref"] is None
    affine = np.array(bundle.attrs("body")["canvas"]["driver_affine"])
    on_canvas = pose["joints_px"] @ affine[:, :2].T + affine[:, 2]
    drawn = bundle.read("body", "joints_valid")
    off = np.abs(bundle.read("body", "joints_px") - on_canvas)[drawn]
    assert drawn.any() and off.max() < 1e-3, f"max {off.max():.2e} px, tolerance 1e-3"
    assert np.array_equal(bundle.read("body", "map")[0], bundle.read("body", "ref_map")[0])
    assert np.array_equal(bundle.read("head", "map")[0], bundle.read("head", "ref_map")[0])


def test_a_run_killed_between_the_two_layers_goes_on(tmp_path):
    path = write_bundle(tmp_path / "half.zarr", make_pose(4)[0])
    run(path, Params())
    before = open_bundle(path).read("body", "map")
    shutil.rmtree(path / "head")
    assert plan(path, Params()).action == "write"
    stamp = (path / "body").stat().st_mtime_ns
    assert run(path, Params()).status == "written"
    assert (path / "body").stat().st_mtime_ns == stamp, "the finished layer is left alone"
    assert np.array_equal(open_bundle(path).read("body", "map"), before) and validate(path) == []


def test_sizes():
    assert canvas_size("128") == (128, 128) and canvas_size("192x128") == (192, 128)
    for wrong in ("130", "0", "128x", "x", "-16", "99999", "128x130"):
        with pytest.raises(UsageError):
            canvas_size(wrong)


def test_wrong_parameters_and_inputs_are_refused_in_one_line(driver, tmp_path):
    with pytest.raises(UsageError):
        plan(driver[0], Params(framing="sideways"))
    with pytest.raises(UsageError):
        plan(driver[0], Params(canonical=("a.png", "b.png")))
    with pytest.raises(InputError, match="no such file"):
        plan(driver[0], Params(ref=str(tmp_path / "nothing.png")))
    with pytest.raises(InputError):
        plan(tmp_path / "no.zarr", Params())
    nobody, _ = make_pose(3)
    nobody["present"][:] = False
    empty = write_bundle(tmp_path / "empty.zarr", nobody)
    with pytest.raises(InputError, match="no person"):
        run(driver[0], Params(ref=str(empty), overwrite=True))


def test_a_driver_without_anybody_gives_empty_maps(tmp_path):
    nobody, _ = make_pose(3)
    nobody["present"][:] = False
    nobody["joints_px"][:], nobody["transl_m"][:] = np.nan, np.nan
    path = write_bundle(tmp_path / "empty.zarr", nobody)
    record = run(path, Params())
    bundle = open_bundle(path)
    assert record.data["heads"] == 0 and record.data["bodies"] == 0
    assert not bundle.read("body", "map").any() and not bundle.read("head", "map").any()
    assert not bundle.read("body", "valid").any() and not bundle.read("head", "valid").any()


def test_locked_parts_stand_as_in_the_photo_and_who_is_away_stays_away(tmp_path, reference):
    pose, _ = make_pose(12)
    pose["present"][9:11] = False
    path = write_bundle(tmp_path / "clip.zarr", pose)
    run(path, Params(ref=str(reference), head_strength=0.0, body_strength=0.0))
    made = open_bundle(path)
    there = np.flatnonzero(made.read("head", "valid"))
    assert 0 < len(there) < 12 and not set(there) & {9, 10}
    angle = rotation_angle_deg(made.read("head", "R_cam_head")[there], made.read("head", "ref_R_cam_head"))
    assert angle.max() < 0.1, f"the head turns by {angle.max():.2f} degrees"
    off = np.abs(made.read("body", "joints_px")[there] - made.read("body", "ref_joints_px"))
    assert np.nanmax(off) < 0.01, f"the body moves by {np.nanmax(off):.3f} px"
    assert not made.read("body", "map")[9:11].any() and made.read("body", "map")[there[0]].any()
    np.testing.assert_array_equal(made.read("body", "map")[there[0]], made.read("body", "ref_map")[0])


def test_a_turn_that_the_pose_says_itself_is_drawn(tmp_path, reference):
    """As `mix` writes it; NaN leaves the head as measured."""
    pose, R = make_pose(6)
    told = np.stack([np.eye(3, dtype=np.float32)] * 6)
    told[4:] = np.nan
    path = write_bundle(tmp_path / "clip.zarr", pose | {"R_cam_head": told})
    run(path, Params(ref=str(reference)))
    found = open_bundle(path).read("head", "R_cam_head")
    assert np.abs(found[:4] - np.eye(3)).max() < 1e-6
    assert rotation_angle_deg(found[4:], R[4:]).max() < 4.0


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"head_strength": -0.1}, "--head-strength"),
        ({"body_strength": 3.5}, "--body-strength"),
        ({"body_strength": 0.5, "framing": "driver"}, "--framing driver"),
        ({"ref_person": "left"}, "--ref-person"),
    ],
)
def test_wrong_strengths_and_persons_are_refused(driver, bad, words):
    with pytest.raises(UsageError, match=words):
        plan(driver[0], Params(**bad))


@pytest.fixture
def panned(tmp_path, monkeypatch):
    """A driver whose camera pans by 2 px a frame over a room without anybody; the pose is drawn up."""
    import cv2
    import imageio_ffmpeg

    monkeypatch.setattr("stages.body.camera.figure_matte", lambda picture: np.zeros(picture.shape[:2], np.float32))
    rng = np.random.default_rng(0)
    room = cv2.resize(rng.integers(0, 255, (24, 24, 3), np.uint8), (600, 600), interpolation=cv2.INTER_CUBIC)
    writer = imageio_ffmpeg.write_frames(str(tmp_path / "room.mp4"), SIZE[::-1], fps=24, quality=9, macro_block_size=1)
    writer.send(None)
    for frame in range(8):
        writer.send(np.ascontiguousarray(room[:480, 2 * frame : 2 * frame + 480]))
    writer.close()
    path = write_bundle(tmp_path / "panned.zarr", make_pose(8)[0])
    clip = {"fps": "24/1", "size": list(SIZE), "frame_count": 8, "has_audio": False}
    with LayerWriter(path, "clip", key="2" * 64, attrs=clip, provenance={}, overwrite=True) as layer:
        media = np.frombuffer((tmp_path / "room.mp4").read_bytes(), np.uint8)
        layer.put("media", media, ArraySpec("uint8", ("byte",)))
        layer.commit()
    return path


def test_the_background_goes_with_the_drivers_camera_unless_it_is_to_stand(panned, reference):
    record = run(panned, Params(ref=str(reference)))
    made = open_bundle(panned)
    canvas, moves = made.attrs("body")["canvas"], made.read("body", "camera_affine")
    scale = canvas["driver_affine"][0][0]
    shift = np.arange(8) - canvas["aligned_frame"]
    assert record.data["camera_moves"] and canvas["camera"] == "driver"
    assert np.abs(moves[:, 0, 2] + moves[:, 0, :2] @ [64, 64] - 64 - 2 * scale * shift).max() < 0.25
    assert np.abs(moves[:, 1, 2] + moves[:, 1, :2] @ [64, 64] - 64).max() < 0.25
    followed = made.read("body", "warp")
    for still in ({"camera": "still"}, {"body_strength": 0.5}):
        record = run(panned, Params(ref=str(reference), overwrite=True, **still))
        made = open_bundle(panned)
        assert not record.data["camera_moves"] and made.attrs("body")["canvas"]["camera"] == "still"
        assert (made.read("body", "camera_affine") == np.eye(2, 3)).all()
        assert not np.array_equal(made.read("body", "warp")[-1], followed[-1])


def test_a_film_shorter_than_its_pose_is_refused_and_a_wrong_camera_too(panned, reference):
    pose, _ = make_pose(9)
    with LayerWriter(
        panned, "pose", key="3" * 64, attrs={"face_layout": "none"}, provenance={}, overwrite=True
    ) as layer:
        for name, array in pose.items():
            layer.put(name, array, ArraySpec(str(array.dtype), tuple(f"axis{i}" for i in range(array.ndim))))
        layer.commit()
    with pytest.raises(InputError, match="frame 8: not among the clip's 8"):
        run(panned, Params(ref=str(reference)))
    with pytest.raises(UsageError, match="--camera: found 'film', expected one of driver, still"):
        plan(panned, Params(camera="film"))
