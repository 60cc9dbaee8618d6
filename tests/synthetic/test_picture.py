"""Backgrounds, shadows, looks and props: what is drawn agrees with the geometry that the truth is read from."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from stages.core.errors import InputError, UsageError
from stages.core.rng import numpy_rng
from stages.synthetic.background import KIND_SHARES, Background, draw_background, draw_kind
from stages.synthetic.camera import look_at, perspective
from stages.synthetic.far_images import open_photos
from stages.synthetic.flow import Behind
from stages.synthetic.light import draw_light, place_light
from stages.synthetic.look import PLAIN, choose_look, draw_look, motion_blurred
from stages.synthetic.panoramas import read_archive, tone_mapped
from stages.synthetic.renderer import View
from stages.synthetic.shadows import ShadowMap, shadowed

SIZE = 64
KEY = np.array([0.6, 0.6, 0.53])


class StillCamera:
    """Just enough of a camera for draw_background."""

    def view(self, time_s: float) -> View:
        return view_from([0.0, 2.0, 30.0])


def view_from(eye, target=(0.0, 1.0, 0.0), roll_rad: float = 0.0) -> View:
    eye, target = np.array(eye), np.array(target)
    roll = np.eye(4)
    roll[:2, :2] = [[np.cos(roll_rad), -np.sin(roll_rad)], [np.sin(roll_rad), np.cos(roll_rad)]]
    return View(eye, roll @ look_at(eye, target), perspective(30.0, 10.0, 60.0), 10.0, 60.0)


def background(kind: str, seed: int = 3, **options) -> Background:
    rng = np.random.default_rng(seed)
    return draw_background(rng, kind, SIZE, StillCamera(), -8.0, key=KEY, **options)


@pytest.mark.parametrize("kind", ["room", "studio", "outdoors", "bokeh"])
def test_a_background_moves_as_its_own_points_say(kind):
    """The picture from a moved, turned and rolled camera equals the first one warped by their flow."""
    first, then = view_from([0.0, 2.0, 30.0]), view_from([0.35, 2.1, 29.8], (0.1, 1.05, 0.0), 0.01)
    errors = []
    for seed in range(4):
        place = background(kind, seed)
        shift = Behind(first, SIZE, place.distance(first)).shift_px(then)
        row, column = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
        smooth = [cv2.GaussianBlur(place.picture(view), (0, 0), 1.0) for view in (first, then)]
        fetched = cv2.remap(smooth[1], column + shift[..., 0], row + shift[..., 1], cv2.INTER_LINEAR)
        inside = slice(8, -8)
        assert np.abs(shift[inside, inside]).max() > 0.2
        errors.append(np.abs(fetched.astype(float) - smooth[0])[inside, inside].mean())
    unwarped = np.abs(smooth[1].astype(float) - smooth[0])[inside, inside].mean()
    assert np.mean(errors) < 3.0, f"{kind}: mean {np.mean(errors):.2f} grey levels ({unwarped:.2f} unwarped), 3.0"


def test_points_lie_where_the_distance_says():
    place, view = background("room"), view_from([0.0, 2.0, 30.0])
    points = place.points(view)
    away = np.linalg.norm(points - view.eye_dm, axis=-1)
    assert np.abs(away - place.distance(view)).max() < 1e-3
    assert points[..., 1].min() > -8.01, "nothing of a room lies below its floor"
    assert (points[-1, :, 1] < -7.9).any() or (points[..., 2] < 0).all()


def test_far_pictures_do_not_follow_the_eye_and_gradients_nothing():
    turned = view_from([3.0, 2.0, 30.0], (3.0, 1.0, 0.0))
    bokeh, gradient = background("bokeh"), background("gradient")
    assert np.array_equal(bokeh.picture(view_from([0.0, 2.0, 30.0])), bokeh.picture(turned))
    assert gradient.fixed_to_screen and not gradient.moves


def test_a_room_leaves_the_room_that_a_person_needs():
    """With reach_dm nothing but floor and ceiling lies within that radius."""
    for seed in range(12):
        place = background("room", seed, reach_dm=15.0)
        points = place.points(view_from([0.0, 6.0, 60.0])).reshape(-1, 3)
        above = points[(points[:, 1] > -7.9) & (points[:, 1] < 14)]
        assert np.hypot(above[:, 0], above[:, 2]).min() > 13.0, seed


def test_every_kind_can_be_drawn_and_is_drawn():
    kinds = [draw_kind(np.random.default_rng(seed), "portrait") for seed in range(300)]
    assert set(kinds) == set(KIND_SHARES)
    for kind in KIND_SHARES:
        picture = background(kind).picture(view_from([0.0, 2.0, 30.0]))
        assert picture.shape == (SIZE, SIZE, 3) and picture.dtype == np.uint8


def test_shadows_fall_away_from_the_light():
    """A ball 3 dm over the floor: its shadow's middle is where the ray from the light through the ball ends."""
    place, view = background("studio"), view_from([0.0, 25.0, 30.0], (0.0, -8.0, 0.0))
    seen = place.seen(view)
    for azimuth in (-60.0, 60.0):
        key = np.array([np.sin(np.radians(azimuth)) * 0.8, 0.6, np.cos(np.radians(azimuth)) * 0.8])
        draw = replace(draw_light(np.random.default_rng(0), outside=True), key=key, spread_rad=0.05, ambient=0.2)
        light = place_light(draw, seen.rgb_u8, np.array([0.0, -4.0, 0.0]), 10.0)
        side = 256
        half = np.array([0.0, 0.0, 0.0, 0.5])
        matrix = light.view_projection
        to_map = np.stack([(matrix[0] * 0.5 + half) * side, (half - matrix[1] * 0.5) * side, matrix[2]])
        ball = np.array([0.0, -5.0, 0.0, 1.0])
        x, y, depth = to_map @ ball
        column, row = np.meshgrid(np.arange(side), np.arange(side))
        buffer = np.where((column - x) ** 2 + (row - y) ** 2 < 15**2, depth, 2.0).astype(np.float32)
        shaded = shadowed(seen, view, light, ShadowMap(buffer, to_map), np.empty((0, 4)), 1.0)
        dark = seen.rgb_u8.astype(int).sum(2) - shaded.astype(int).sum(2)
        where = place.points(view)[dark > dark.max() / 2].mean(0)
        expected = ball[:3] - key * (3.0 / key[1])
        error = np.linalg.norm(where - expected)
        assert error < 0.5, f"shadow {error:.2f} dm from where the ray ends, tolerance 0.5"


def test_feet_darken_the_floor_where_they_stand():
    place, view = background("studio"), view_from([0.0, 25.0, 30.0], (0.0, -8.0, 0.0))
    seen = place.seen(view)
    light = place_light(draw_light(np.random.default_rng(0), outside=False), seen.rgb_u8, np.zeros(3), 10.0)
    empty = ShadowMap(np.full((64, 64), 2.0, np.float32), np.zeros((3, 4)))
    shaded = shadowed(seen, view, light, empty, np.array([[1.0, -7.6, 2.0, 0.5]]), 1.0)
    dark = (seen.rgb_u8.astype(int) - shaded).sum(2)
    darkest = place.points(view)[np.unravel_index(dark.argmax(), dark.shape)]
    assert np.linalg.norm(darkest[[0, 2]] - [1.0, 2.0]) < 0.7 and dark[:8].max() <= 3


def _canvas(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (2 * SIZE, 2 * SIZE, 3)).astype(np.uint8)


def test_plain_changes_nothing():
    canvas, depth = _canvas(), np.full((2 * SIZE, 2 * SIZE), np.inf, np.float32)
    part = np.zeros(depth.shape, np.uint8)
    assert choose_look("plain", np.random.default_rng(0), "full") is PLAIN
    assert np.array_equal(PLAIN.apply(canvas, depth, part, None, focus_m=1.0, step=2), canvas)
    assert np.array_equal(PLAIN.finish(canvas, 4), canvas)
    assert np.array_equal(PLAIN.defocused(canvas, depth, 20.0), canvas)
    with pytest.raises(UsageError):
        choose_look("fancy", np.random.default_rng(0), "full")


@pytest.mark.parametrize("style", ["photo", "toon", "painted", "sketch", "grey"])
def test_a_look_depends_on_seed_and_frame_only(style):
    look = replace(draw_look(numpy_rng(5, "synthetic", "test", "look"), "portrait"), style=style, noise=3.0, jpeg=80)
    canvas, depth = _canvas(), np.ones((2 * SIZE, 2 * SIZE), np.float32)
    part = np.ones(depth.shape, np.uint8)
    before = canvas.copy()
    first = look.apply(canvas, depth, part, None, focus_m=1.0, step=2)
    assert np.array_equal(canvas, before), "apply changed its input"
    assert np.array_equal(first, look.apply(canvas, depth, part, None, focus_m=1.0, step=2))
    assert np.array_equal(look.finish(first, 7), look.finish(first, 7))
    assert not np.array_equal(look.finish(first, 7), look.finish(first, 8)), "noise must differ from frame to frame"


def test_motion_blur_spreads_along_the_flow():
    """A bright dot that moves 8 px to the right becomes a level streak; without flow nothing changes."""
    canvas = np.zeros((2 * SIZE, 2 * SIZE, 3), np.uint8)
    canvas[60:68, 60:68] = 250
    flow = np.zeros((SIZE, SIZE, 2), np.float32)
    assert np.array_equal(motion_blurred(canvas, flow, 0.5, 2), canvas)
    flow[28:36, 28:36, 0] = 8.0
    blurred = motion_blurred(canvas, flow, 0.5, 2).astype(int)[..., 0]
    columns, rows = np.flatnonzero(blurred.max(0) > 20), np.flatnonzero(blurred.max(1) > 20)
    assert np.ptp(rows) == 7 and 11 <= np.ptp(columns) <= 15, (np.ptp(rows), np.ptp(columns))


def test_defocus_keeps_what_stands_at_the_focus_sharp():
    picture = _canvas()[:SIZE, :SIZE]
    distance = np.full((SIZE, SIZE), 20.0, np.float32)
    distance[:, SIZE // 2 :] = np.inf
    blurred = replace(PLAIN, defocus_px=8.0).defocused(picture, distance, 20.0)
    assert np.array_equal(blurred[:, : SIZE // 2], picture[:, : SIZE // 2])
    assert blurred[:, SIZE // 2 :].std() < picture.std() / 2


def test_a_folder_without_photos_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        open_photos(str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="no pictures"):
        open_photos(str(tmp_path))
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    with pytest.raises(InputError, match="cannot be read"):
        open_photos(str(tmp_path)).picture(0)


def test_photos_hang_upright_behind_the_person(tmp_path):
    """A photo with a red left half and a bright upper half is seen so; the folder's hash names its content."""
    photo = np.full((120, 160, 3), 90, np.uint8)
    photo[:, :80, 2] = 250  # red, in the order that cv2 writes
    photo[:60, :, :2] += 100
    cv2.imwrite(str(tmp_path / "a.png"), photo)
    photos = open_photos(str(tmp_path))
    seen = background("photo", photos=photos).picture(view_from([0.0, 2.0, 30.0])).astype(int)
    left, right = seen[:, :20].mean((0, 1)), seen[:, -20:].mean((0, 1))
    assert left[0] > right[0] + 50 and seen[:20].mean() > seen[-20:].mean() + 30
    cv2.imwrite(str(tmp_path / "a.png"), photo[::-1])
    assert open_photos(str(tmp_path)).sha256 != photos.sha256


def test_panoramas_come_out_of_their_archive(tmp_path, monkeypatch):
    """A tiny archive with one float picture as FFmpeg writes it."""
    import base64
    import io
    import tarfile

    from stages.media.ffmpeg import command, run_ffmpeg

    linear = np.zeros((32, 64, 3), np.float32)
    linear[..., 0], linear[16:, :, 2] = 0.5, 0.25
    planes, picture = tmp_path / "planes", tmp_path / "yard.exr"
    np.ascontiguousarray(np.moveaxis(linear[..., (1, 2, 0)], -1, 0)).tofile(planes)
    shape = ("-f", "rawvideo", "-pix_fmt", "gbrpf32le", "-s", "64x32")
    assert run_ffmpeg(command(*shape, "-i", str(planes), str(picture))).code == 0
    data = picture.read_bytes()
    text = b'export default "data:image/exr;base64,' + base64.b64encode(data) + b'";'
    archive = tmp_path / "tiny.tgz"
    with tarfile.open(archive, "w:gz") as opened:
        entry = tarfile.TarInfo("package/hdri/yard.exr.js")
        entry.size = len(text)
        opened.addfile(entry, io.BytesIO(text))
    images = read_archive(archive)
    assert list(images) == ["yard"] and images["yard"].shape == (32, 64, 3)
    assert np.array_equal(images["yard"], tone_mapped(linear))


def test_props_hide_what_is_behind_them(studio, monkeypatch):
    """With a table before the person the hips are no longer seen; what is in front of it still is."""
    from stages.core.skeleton import BODY_INDEX
    from stages.synthetic import props
    from stages.synthetic.parts import MASK_ID

    monkeypatch.setattr(props, "OCCLUDER_SHARE", 0.0)
    monkeypatch.setattr(props, "HELD_SHARE", 0.0)
    free = studio.clip(600_071, frames=1, framing="half", style="idle", look="plain")
    monkeypatch.setattr(props, "OCCLUDER_SHARE", 1.0)
    monkeypatch.setattr(props, "OCCLUDERS", {"half": ("railing",)})
    behind = studio.clip(600_071, frames=1, framing="half", style="idle", look="plain")
    assert np.array_equal(free.joints_px, behind.joints_px)
    covered = behind.mask[0] == MASK_ID["occluder"]
    assert 0.01 < covered.mean() < 0.6 and not (free.mask == MASK_ID["occluder"]).any()
    column, row = np.round(free.joints_px[0]).astype(int).T
    inside = (column >= 0) & (column < 96) & (row >= 0) & (row < 96)
    hidden = np.zeros(len(column), bool)
    hidden[inside] = covered[row[inside], column[inside]]
    assert not behind.joint_visible[0, hidden].any()
    assert np.array_equal(behind.joint_visible[0, ~hidden], free.joint_visible[0, ~hidden])
    assert behind.joint_visible[0, BODY_INDEX["nose"]] == free.joint_visible[0, BODY_INDEX["nose"]]


def test_a_held_thing_stays_in_the_palm(studio):
    """The thing's middle is within a hand's breadth of the knuckles at rest, on the palm's side, for both hands."""
    from stages.synthetic.identity import identity
    from stages.synthetic.props import HELD, held_thing

    person = identity(studio.assets, 600_003)
    for side in ("L", "R"):
        palm = person.joint(f"finger3-1.{side}")
        for kind in HELD:
            held = held_thing(person, kind, side, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2), 1.0)
            points = np.concatenate([part.offset for part in held.parts])
            assert np.linalg.norm(points.mean(0) - palm) < 1.2, (kind, side)
            assert len(held.grip) == 15


def test_more_parts_leave_the_person_as_it_was(studio):
    """Parts that cover nothing are added without tucking the skin in again, and change no point of the person."""
    from stages.synthetic.identity import identity
    from stages.synthetic.props import held_thing

    person = identity(studio.assets, 600_003)
    extra = held_thing(person, "mug", "L", (0.5, 0.5, 0.5), (0.2, 0.2, 0.2), 1.0).parts
    more = person.with_parts(extra)
    for character in (person, more):
        character.pose({}, {}, np.zeros(3))
    count = len(person.position)
    assert np.array_equal(more.position[:count], person.position)
    assert [len(t) for t in more.part_triangles[: len(person.parts)]] == [len(t) for t in person.part_triangles]
