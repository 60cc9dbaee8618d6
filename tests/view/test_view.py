"""Overlays: what is drawn where, and the stage around them."""

import numpy as np
import pytest

from stages import view
from stages.core.errors import ConflictError, InputError, UsageError
from stages.core.skeleton import BODY_INDEX
from stages.media import VideoReader, probe, read_mark, read_photo
from stages.overlay.draw import LEFT_U8, RIGHT_U8, blend_maps, draw_axes, draw_pose
from stages.overlay.panels import Scene, arrange, frame_panels
from stages.view import Params
from tests.view.small import small_bundle


def one_pose(**changes):
    """A frame with two wrists: the left filled in, the right measured; everything else is missing."""
    joints, valid = np.full((25, 2), np.nan), np.zeros(25, bool)
    joints[BODY_INDEX["left_wrist"]], joints[BODY_INDEX["right_wrist"]] = (140, 60), (60, 60)
    valid[BODY_INDEX["right_wrist"]] = True
    frame = {
        "joints_px": joints, "joint_valid": valid, "hands_px": np.full((2, 21, 2), np.nan),
        "hand_valid": np.zeros(2, bool), "face_px": np.full((68, 3), np.nan), "face_valid": False, "present": True,
        "box_px": np.full(4, np.nan), "person_id": 0,
    }  # fmt: skip
    return {**frame, **changes}


def test_measured_joints_are_discs_and_filled_ones_rings():
    image = np.full((800, 800, 3), 50, np.uint8)
    draw_pose(image, one_pose(), {})
    assert tuple(image[60, 60]) == RIGHT_U8
    assert tuple(image[60, 140]) == (50, 50, 50)  # hollow
    ring = np.abs(image[40:81, 120:161].astype(int) - LEFT_U8).sum(-1)
    assert (ring < 60).sum() > 8
    untouched = image.copy()
    untouched[40:81, 40:81] = untouched[40:81, 120:161] = 50
    assert (untouched == 50).all()  # joints without a position are not drawn


def test_absent_person_and_missing_head_leave_the_picture_alone():
    image = np.full((100, 200, 3), 50, np.uint8)
    draw_pose(image, one_pose(present=False), {})
    draw_axes(image, np.array([np.nan, 3.0]), 10.0, np.eye(3))
    assert (image == 50).all()
    far = one_pose()
    far["joints_px"] = far["joints_px"] + 1e7  # far outside: neither drawn nor an overflow
    draw_pose(image, far, {})
    assert (image == 50).all()


def test_axes_point_where_the_head_does():
    image = np.zeros((200, 200, 3), np.uint8)
    draw_axes(image, np.array([100.0, 100.0]), 40.0, np.eye(3))
    reds = np.argwhere((image[..., 0] > 200) & (image[..., 1] < 120))
    greens = np.argwhere((image[..., 1] > 200) & (image[..., 0] < 120))
    assert reds[:, 1].mean() > 115 and abs(reds[:, 0].mean() - 100) < 3  # the person's left is on the picture's right
    assert greens[:, 0].mean() > 115 and abs(greens[:, 1].mean() - 100) < 3


def test_panels_scale_points_by_pixel_centres():
    image = np.full((50, 100, 3), 50, np.uint8)
    pose = one_pose()
    pose["joints_px"] = pose["joints_px"] / 2
    panel = frame_panels(image, {"pose": pose}, Scene(("pose",), 8.0, {}))["pose"]
    assert panel.shape == (400, 800, 3)
    ys, xs = np.nonzero(np.abs(panel.astype(int) - RIGHT_U8).sum(-1) < 40)
    assert xs.mean() == pytest.approx((30 + 0.5) * 8 - 0.5, abs=0.6)
    assert ys.mean() == pytest.approx((30 + 0.5) * 8 - 0.5, abs=0.6)


def test_maps_lie_over_the_driver_by_its_affine():
    driver = np.zeros((96, 128, 3), np.uint8)
    driver[40:56, 60:76] = (0, 0, 250)
    maps = np.zeros((64, 64, 3), np.uint8)
    maps[28:36, 30:38] = (255, 0, 0)
    frame = {"body": {"map": maps}}
    scene = Scene(("body",), 1.0, {}, driver_affine=np.array([[0.5, 0, 0], [0, 0.5, 8.0]]))
    panels = frame_panels(driver, frame, scene)
    assert list(panels) == ["body: skeleton map", "maps over the driver"]
    assert tuple(panels["maps over the driver"][32, 34])[0] > 200  # both centres coincide
    plain = blend_maps(driver, [], dim=1.0)
    assert np.array_equal(plain, driver)


def test_arrange_shows_all_of_every_panel():
    panels = {f"p{n}": np.full((40, 30 + 20 * n, 3), 40 * (n + 1), np.uint8) for n in range(4)}
    sheet = arrange(panels)
    for n in range(4):
        assert (sheet == 40 * (n + 1)).all(-1).sum() == 40 * (30 + 20 * n)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return small_bundle(tmp_path_factory.mktemp("view") / "clip.zarr", controls=True, sound=True)


def test_video_has_every_frame_and_the_sound(bundle):
    record = view.run(bundle, Params(max_side=96))
    assert record.status == "written" and record.path == str(bundle.with_name("clip_view.mp4"))
    assert record.data == {"frames": 12, "layers": ["pose", "body", "head"]}
    with VideoReader(record.path) as reader:
        assert len(reader) == 12 and reader.fps == 12
    assert probe(record.path).has_audio
    assert read_mark(record.path)["ai_generated"] is False
    assert view.run(bundle, Params(max_side=96)).status == "skipped"


def test_single_frame_and_sheet(bundle, tmp_path):
    one = view.run(bundle, Params(frame=3, max_side=96, output=str(tmp_path / "one.png")))
    sheet = view.run(bundle, Params(max_side=96, output=str(tmp_path / "sheet.png")))
    assert read_photo(sheet.path).shape[0] > 6 * 64 > read_photo(one.path).shape[0] > 64
    only = view.run(bundle, Params(layer="body", frame=0, max_side=96, output=str(tmp_path / "body.png")))
    assert only.data["layers"] == ["body"]


def test_other_settings_and_foreign_files_are_not_overwritten(bundle, tmp_path):
    target = tmp_path / "x.png"
    target.write_bytes(b"somebody's file")
    with pytest.raises(ConflictError, match="--overwrite"):
        view.plan(bundle, Params(frame=0, output=str(target)))
    assert target.read_bytes() == b"somebody's file"
    assert view.run(bundle, Params(frame=0, max_side=96, output=str(target), overwrite=True)).status == "replaced"
    with pytest.raises(ConflictError):
        view.plan(bundle, Params(frame=1, max_side=96, output=str(target)))


def test_errors(bundle, tmp_path):
    for params, error, words in (
        (Params(layer="feet"), UsageError, "--layer"),
        (Params(layer="face"), InputError, "layer 'face' is missing"),
        (Params(max_side=1), UsageError, "--max-side"),
        (Params(output="x.gif"), UsageError, "--output"),
        (Params(frame=1, output="x.mp4"), UsageError, "--output"),
    ):
        with pytest.raises(error, match=words):
            view.plan(bundle, params)
    with pytest.raises(InputError, match="frames 0 to 11"):
        view.run(bundle, Params(frame=12, output=str(tmp_path / "x.png")))
    with pytest.raises(InputError):
        view.plan(small_bundle(tmp_path / "bare.zarr", pose=False), Params())
