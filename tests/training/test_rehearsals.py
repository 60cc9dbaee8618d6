"""Carried references of training clips, rehearsals, and the compositor that learns from them."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from stages.core.carried import averaged_kind
from stages.core.errors import InputError
from stages.core.pictures import averaged
from stages.face.encoder import FaceEncoderConfig, FaceMotionNet
from stages.model.sampler import SamplerConfig
from stages.training.compositor_loop import FILM, Pictures, Rehearsals, train_compositor
from stages.training.course import Course
from stages.training.data import PreparedClips, like_squares
from stages.training.pool import REFERENCE_FRAMES, Pool, fill_pool
from stages.training.prepare import prepare_clips
from stages.training.recipe import CompositorRecipe
from stages.training.rehearse import rehearse
from stages.training.variety import PLAIN
from stages.training.warps import WARPS, Slips, carry_references, slipped, truth_performance
from tests.model.tiny import TINY, tiny_dit
from tests.training.fake_people import After, FakePeople, never


@pytest.fixture(scope="module")
def rehearsed(prepared, vae, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rehearsed")
    assert _rehearse(prepared, vae, folder, never)
    return folder


def _rehearse(prepared, vae, folder, stop):
    torch.manual_seed(0)
    face = FaceMotionNet(FaceEncoderConfig()).eval()
    options = {"stop": stop, "autocast": nullcontext, "sampler": SamplerConfig(2)}
    return rehearse(PreparedClips(prepared), tiny_dit(), face, vae, folder, 6, **options)


def test_references_are_other_moments_and_are_carried_to_every_frame(pool):
    clip = pool.clips[0]
    frames, truth = pool.frames(clip), pool.truth(clip)
    made = carry_references(frames, truth, np.random.default_rng(0), Slips(share=0.0))
    assert len(set(made["refs"])) == WARPS and (made["refs"] >= len(frames) - REFERENCE_FRAMES).all()
    assert made["frames"].shape == (WARPS, *frames.shape) and made["kind"].shape == (WARPS, *frames.shape[:3])
    for which, ref in enumerate(made["refs"]):  # the reference itself, carried to its own pose
        seen = made["kind"][which, ref] % 2 == 1
        off = np.abs(made["frames"][which, ref][seen].astype(int) - frames[ref][seen])
        assert seen.mean() > 0.4 and off.max() <= 1
    again = carry_references(frames, truth, np.random.default_rng(0), Slips(share=0.0))
    assert all(np.array_equal(made[name], again[name]) for name in made)


def test_slips_are_as_large_as_they_say(pool):
    exact, rotation = truth_performance(pool.truth(pool.clips[0]), slice(None))
    unit, slips = np.median(exact.head_radius_px), Slips(missing=0.3)
    rng = np.random.default_rng(0)
    moved, missing, turned = [], [], []
    for _ in range(60):
        wrong, turn = slipped(exact, rotation, rng, slips)
        moved.append((wrong.joints_px - exact.joints_px) / unit)
        missing.append(1 - wrong.drawn.all(0).mean())
        turned.append(np.arccos(np.clip((np.einsum("tij,tij->t", turn, rotation) - 1) / 2, -1, 1)))
        assert (wrong.drawn == wrong.drawn[:1]).all(), "the same joints in every frame"
    moved = np.array(moved)
    assert abs(moved.mean(1).std() - slips.joint) < 0.01
    assert abs((moved - moved.mean(1, keepdims=True)).std() - slips.joint_frame) < 0.005
    assert abs(np.mean(missing) - 0.3) < 0.03 and 0.08 < np.mean(turned) < 0.2


def test_squares_like_the_carried_picture():
    frames = np.full((1, 4, 4, 3), 100, np.uint8)
    carried = frames.copy()
    carried[0, :2, :2] = 112  # 12 off: still alike
    carried[0, 2:, 2:] = 113
    assert like_squares(frames, carried).tolist() == [[[True, True], [True, False]]]


def test_rehearsals_are_films_of_their_clips(rehearsed, prepared):
    names = sorted(path.name for path in rehearsed.iterdir())
    assert len(names) == 6 and len({name[:-2] for name in names}) == 4, "every clip once before any comes twice"
    for name in names:
        made, keep = (np.load(rehearsed / name / f"{part}.npy") for part in ("made", "keep"))
        assert made.shape == (9, 64, 64, 3) and keep.shape == (9, 2, 32, 32)
        assert made.dtype == keep.dtype == np.uint8 and made.std() > 1


def test_rehearsing_goes_on_where_it_stopped(rehearsed, prepared, vae, tmp_path):
    assert not _rehearse(prepared, vae, tmp_path, After(2))
    assert len(list(tmp_path.iterdir())) == 2 and _rehearse(prepared, vae, tmp_path, never)
    for path in rehearsed.glob("*/*.npy"):
        assert path.read_bytes() == (tmp_path / path.relative_to(rehearsed)).read_bytes()


def test_batches_show_the_frames_of_their_clip(rehearsed, prepared):
    rehearsals = Rehearsals(rehearsed, prepared)
    assert not set(rehearsals.watched) & set(rehearsals.trained)
    rehearsal = rehearsals.trained[0]
    clip = prepared / rehearsal.name[:-2]
    parts = Pictures(*rehearsals.frames(rehearsal, np.random.default_rng(0), 100))
    frames = np.load(clip / "frames.npy")
    ref = np.load(clip / "warp.npz")["refs"][int(rehearsal.name[-1])]
    assert np.array_equal(parts.truth, frames[:9]) and (parts.still == frames[ref]).all()
    assert np.array_equal(parts.maps, np.load(clip / "maps.npy")[:9])
    (pictures, state, keep, maps), truth = rehearsals.batch(np.random.default_rng(0), 8).tensors("cpu")
    assert pictures.shape == (8, 3, 3, 64, 64) and state.shape == (8, 2, 64, 64) and keep.shape == (8, 2, 32, 32)
    assert truth.shape == (8, 3, 64, 64) and -1 <= truth.min() < truth.max() <= 1
    assert maps.shape == (8, 6, 64, 64) and 0 <= maps.min() < maps.max() <= 1


def test_films_of_a_batch_are_neighbouring_frames(rehearsed, prepared):
    rehearsals, rng = Rehearsals(rehearsed, prepared), np.random.default_rng(0)
    starts = set()
    for _ in range(60):
        parts = Pictures(*rehearsals.frames(rehearsals.trained[0], rng, FILM))
        frames = np.load(prepared / rehearsals.trained[0].name[:-2] / "frames.npy")[:9]
        (start,) = [n for n in range(6) if np.array_equal(frames[n : n + FILM], parts.truth)]
        starts.add(start)
    assert starts == set(range(6))


def test_cut_squares_show_one_place_in_every_picture():
    """Every array holds its own place: cut and mirrored, they still tell of the same pixels."""
    rows, columns = np.meshgrid(np.arange(64), np.arange(48), indexing="ij")
    picture = np.stack([rows, columns, 0 * rows], -1).astype(np.uint8)[None].repeat(FILM, 0)
    maps = np.concatenate([picture, 0 * picture], -1)
    maps[:, 40:50, 30:40, 4] = 9  # the head
    keep = np.stack([rows[::2, ::2], columns[::2, ::2]])[None].astype(np.uint8).repeat(FILM, 0)
    whole = Pictures(
        picture,
        picture + 1,
        picture + 2,
        picture + 3,
        maps,
        picture[..., 0] + picture[..., 1],
        keep,
        4 + picture[..., 0],
        np.float32([[30, 44, 6]]).repeat(FILM, 0),  # the middle of its face: column, row, half a side
    )
    assert whole.times == 1
    near, faces, seen = 0, 0, set()
    for seed in range(100):
        part = whole.cut(np.random.default_rng(seed), 32)
        for film in (part, part.mirrored()):
            assert film.made.shape == (FILM, 32, 32, 3) and film.keep.shape == (FILM, 2, 16, 16)
            assert (film.still == film.made + 1).all() and (film.carried == film.made + 2).all()
            assert (film.truth == film.made + 3).all() and (film.maps[..., :3] == film.made).all()
            assert (film.kind == film.made[..., 0] + film.made[..., 1]).all()
            assert (film.features == 4 + film.made[..., 0]).all()
            if np.isfinite(film.face_px).all():
                at = np.clip(np.rint(film.face_px[0, :2]).astype(int), 0, 31)
                shown = film.made[0, at[1], at[0]].astype(int)
                assert np.abs(shown[:2] - (44, 30)).max() <= 4 and film.face_px[0, 2] == 6
                faces += 1
        assert (part.keep[:, 0] == part.made[:, ::2, ::2, 0]).all()
        assert (part.mirrored().keep[0, 1, 0] == part.keep[0, 1, 0, ::-1]).all()
        near += bool(part.maps[..., 3:].any())
        seen.add((int(part.made[0, 0, 0, 0]), int(part.made[0, 0, 0, 1])))
    assert near > 60 and faces > 80 and len(seen) > 30
    without = Pictures(**{**vars(whole), "maps": 0 * maps})
    assert without.cut(np.random.default_rng(0), 32).truth.shape == (FILM, 32, 32, 3)


@pytest.fixture(scope="module")
def finely(vae, tmp_path_factory):
    """Prepared clips with pictures of twice the side, and rehearsals of them."""
    folder = tmp_path_factory.mktemp("finely")
    assert fill_pool(folder / "pool", FakePeople(fine=2), 3, workers=1, stop=never)
    clips = Pool(folder / "pool", 3)
    assert prepare_clips(clips, vae, folder / "prepared", stop=never, autocast=nullcontext, variety=PLAIN)
    assert _rehearse(folder / "prepared", vae, folder / "rehearsed", never)
    return folder


def test_the_large_canvas_shows_the_same_film(finely):
    """Averaged, its pictures are those that the transformer saw; what was made is enlarged to it."""
    rehearsals = Rehearsals(finely / "rehearsed", finely / "prepared")
    for rehearsal in [*rehearsals.trained, *rehearsals.watched]:
        small, large = (
            Pictures(*rehearsals.frames(rehearsal, np.random.default_rng(0), 100, fine)) for fine in (False, True)
        )
        assert (small.times, large.times) == (1, 2) and large.truth.shape == (9, 128, 128, 3)
        for name in ("still", "carried", "truth"):
            assert np.array_equal(averaged(getattr(large, name), 2), getattr(small, name)), name
        off = np.abs(averaged(large.maps, 2).astype(int) - small.maps)
        assert off.mean() < 4.0 < np.abs(small.maps.astype(int) - small.maps[:, ::-1]).mean()
        assert np.abs(averaged(large.made, 2).astype(int) - small.made).mean() < 8
        assert np.array_equal(large.keep, small.keep)
        assert (averaged_kind(large.kind, 2) == small.kind).all()
        assert 0.5 < (large.features > 0).mean() / (small.features > 0).mean() < 1.5


def test_batches_of_the_large_canvas_are_cut_where_the_keep_maps_are(finely):
    rehearsals, sides = Rehearsals(finely / "rehearsed", finely / "prepared"), set()
    for seed in range(20):
        part = rehearsals.batch(np.random.default_rng(seed), 8, 32, fine_01=0.5)
        side = 48 if part.times == 2 else 32
        assert part.truth.shape == (8, side, side, 3) and part.keep.shape == (
            8,
            2,
            side // 2 // part.times,
            side // 2 // part.times,
        )
        (pictures, *_), truth = part.tensors("cpu")
        assert pictures.shape == (8, 3, 3, side, side) and truth.shape == (8, 3, side, side)
        sides.add(side)
    assert sides == {32, 48}
    assert rehearsals.batch(np.random.default_rng(0), 8, 0, fine_01=1.0).truth.shape == (4, 128, 128, 3)


def test_features_lie_on_mouth_and_eyes(rehearsed, prepared):
    rehearsals = Rehearsals(rehearsed, prepared)
    clip = prepared / rehearsals.trained[0].name[:-2]
    parts = Pictures(*rehearsals.frames(rehearsals.trained[0], np.random.default_rng(0), 100))
    face, valid = (np.load(clip / "labels.npz")[name][:9] for name in ("face_px", "face_valid"))
    assert valid.any()
    for mask, points, looks in zip(parts.features, face, valid, strict=True):
        assert (mask > 0).any() == looks
        if looks:
            columns, rows = np.rint(points[36:60]).astype(int).T
            assert (mask[rows, columns] == 255).mean() > 0.9


def test_one_rehearsal_is_not_enough(prepared, tmp_path):
    (tmp_path / "0000000-0").mkdir()
    with pytest.raises(InputError, match="expected at least 2"):
        Rehearsals(tmp_path, prepared)


def test_the_compositor_learns_and_a_stopped_run_gives_the_same_weights(rehearsed, prepared, tmp_path):
    recipe, lines = CompositorRecipe(rehearsals=6, steps=12, batch=4, perceptual="", crop_px=32), []

    def train(path, stop, say=None):
        return train_compositor(
            path, Rehearsals(rehearsed, prepared), TINY.compositor, recipe, Course(recipe.steps), stop, say=say
        )

    whole = train(tmp_path / "whole.safetensors", never, lambda **line: lines.append(line))
    assert lines[-1]["step"] == 12 and np.isfinite(lines[-1]["psnr_db"])
    stopped = tmp_path / "stopped.safetensors"
    assert train(stopped, After(5)) is None
    resumed = train(stopped, never)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
