"""Prepared clips hold what data.py promises."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from stages.core.errors import InputError
from stages.head.sphere import recover_rotation
from stages.training.data import PreparedClips, same_squares
from stages.training.drawn import control_maps, face_valid
from stages.training.objective import figure_cells, head_cells
from stages.training.pool import REFERENCE_FRAMES
from stages.training.prepare import prepare_clips, video_pm1
from stages.training.variety import PLAIN
from tests.training.fake_people import After, FakePeople, never


@torch.no_grad()
def test_latents_are_those_of_the_frames(pool, vae, prepared):
    clip = pool.clips[1]
    frames = pool.frames(clip)
    latents, video = np.load(prepared / clip.name / "latents.npy"), np.load(prepared / clip.name / "clip.npy")
    assert latents.shape == (9 + REFERENCE_FRAMES, 16, 8, 8) and video.shape == (3, 16, 8, 8)
    assert latents.dtype == video.dtype == np.float16
    photo = vae.encode(video_pm1(frames[12:13]))[0, :, 0].numpy()
    assert np.abs(latents[12] - photo).max() < 5e-3 * np.abs(photo).max()
    whole = vae.encode(video_pm1(frames[:9]))[0].numpy().transpose(1, 0, 2, 3)
    assert np.abs(video - whole).max() < 5e-3 * np.abs(whole).max()
    assert np.array_equal(latents[0], video[0])  # a clip starts with a photo


def test_maps_and_labels(pool, prepared):
    clip = pool.clips[0]
    truth = pool.truth(clip)
    maps, labels = np.load(prepared / clip.name / "maps.npy"), np.load(prepared / clip.name / "labels.npz")
    assert maps.shape == (14, 64, 64, 6) and maps.dtype == np.uint8
    assert np.array_equal(maps, control_maps(truth, 64, 64))
    for frame in (0, 5, 13):
        assert np.abs(recover_rotation(maps[frame, ..., 3:]) - truth["R_cam_head"][frame]).max() < 0.05
    assert (maps[..., :3].reshape(14, -1).max(1) > 100).all()
    yaw = np.arctan2(-truth["R_cam_head"][:, 0, 2], truth["R_cam_head"][:, 2, 2])
    assert np.allclose(labels["yaw_rad"], yaw) and labels["yaw_rad"].std() > 0.05
    assert np.array_equal(labels["expressions"], truth["expressions"])


def test_a_turned_head_has_no_face():
    from stages.core.geometry import rotvec_to_matrix

    yaw = np.radians([0.0, 60.0, 75.0, 180.0, -65.0, -80.0])
    turns = rotvec_to_matrix(np.stack([0 * yaw, yaw, 0 * yaw], 1))
    assert face_valid(turns).tolist() == [True, True, False, False, True, False]


def test_preparing_goes_on_where_it_stopped(pool, vae, prepared, tmp_path):
    assert not prepare_clips(pool, vae, tmp_path, stop=After(2), autocast=nullcontext, variety=PLAIN)
    assert len(list(tmp_path.iterdir())) == 2
    assert prepare_clips(pool, vae, tmp_path, stop=After(2), autocast=nullcontext, variety=PLAIN)
    for clip in pool.clips:
        for name in ("latents", "clip", "maps", "frames", "faces"):
            assert (tmp_path / clip.name / f"{name}.npy").read_bytes() == (
                prepared / clip.name / f"{name}.npy"
            ).read_bytes()


def test_workers_prepare_the_same_files(pool, vae, prepared, tmp_path):
    done, threads = [], torch.get_num_threads()
    assert prepare_clips(
        pool, vae, tmp_path, stop=never, autocast=nullcontext, variety=PLAIN, workers=2,
        progress=lambda at, of: done.append((at, of)),
    )  # fmt: skip
    assert done == [(number, 4) for number in range(1, 5)] and torch.get_num_threads() == threads
    assert sorted(path.name for path in tmp_path.iterdir()) == [clip.name for clip in pool.clips]
    for clip in pool.clips:
        kept = {path.name: path.read_bytes() for path in (prepared / clip.name).glob("*.npy")}
        assert len(kept) > 8 and {n: (tmp_path / clip.name / n).read_bytes() for n in kept} == kept
        assert len(list((tmp_path / clip.name).iterdir())) == len(list((prepared / clip.name).iterdir()))


@pytest.mark.parametrize(("frames", "references"), [(1, 1), (5, 3), (9, 2)])
def test_batches_have_references_of_other_frames(prepared, frames, references):
    clips = PreparedClips(prepared)
    made = clips.batch(np.random.default_rng(0), 6, frames, references)
    t = (frames - 1) // 4 + 1
    assert made.data.shape == (6, 16, t, 8, 8) and made.maps.shape == (6, 6, frames, 64, 64)
    assert made.ref_latents.shape == (6, references, 16, 8, 8)
    assert made.faces.shape == (6, frames, 64, 64, 3) and made.expressions.shape == (6, frames, 54)
    assert 0 <= made.maps.min() and made.maps.max() <= 1
    if frames == 1:
        same = (made.data[:, :, 0, None] - made.ref_latents.transpose(1, 2)).abs().flatten(1).amax(1)
        assert (same > 0).all()
    again = clips.batch(np.random.default_rng(0), 6, frames, references)
    assert torch.equal(made.data, again.data) and torch.equal(made.ref_maps, again.ref_maps)


def test_no_clips_is_a_clear_line(tmp_path):
    with pytest.raises(InputError, match="no prepared clips"):
        PreparedClips(tmp_path)


def test_squares_are_the_same_until_one_of_their_pixels_moves():
    reference = np.full((8, 8, 3), 100, np.uint8)
    frames = np.stack([reference, reference, reference])
    frames[1, 3, 5, 2] += 9  # one channel of one pixel, in square (1, 2)
    frames[2] -= 8
    same = same_squares(frames, reference)
    assert same.shape == (3, 4, 4) and same.dtype == bool and same[0].all() and same[2].all()
    assert np.argwhere(~same[1]).tolist() == [[1, 2]]
    assert not same_squares(reference[None], np.zeros_like(reference)).any()  # and unsigned numbers do not wrap


def test_figure_cells_cover_what_is_drawn():
    maps = torch.zeros(1, 6, 5, 64, 64)
    maps[0, 2, 0, 8:16, 8:16] = 1.0  # cell (1, 1) of the first latent
    maps[0, 4, 3, 40, 40] = 1.0  # cell (5, 5) of the second
    cells = figure_cells(maps)
    assert cells.shape == (1, 1, 2, 8, 8)
    assert cells[0, 0, 0].sum() == 16 and cells[0, 0, 0, :4, :4].all()  # and two cells around, cut by the border
    assert cells[0, 0, 1].sum() == 25 and cells[0, 0, 1, 3:8, 3:8].all()


def test_head_cells_are_the_share_that_the_sphere_covers():
    maps = torch.zeros(1, 6, 5, 64, 64)
    maps[0, 0, :, 32:, :] = 1.0  # a skeleton is no head
    maps[0, 4, 0, 8:16, 8:12] = 1.0  # half of cell (1, 1) of the first latent
    maps[0, 5, 2, 40:44, 40:48] = 1.0  # the halves of cell (5, 5) in two frames of the second
    maps[0, 3, 4, 44:48, 40:48] = 1.0
    cells = head_cells(maps)
    assert cells.shape == (1, 1, 2, 8, 8)
    assert cells[0, 0, 0, 1, 1] == 0.5 and cells[0, 0, 0].sum() == 0.5
    assert cells[0, 0, 1, 5, 5] == 1.0 and cells[0, 0, 1].sum() == 1.0
    assert head_cells(maps[:, :, :1]).shape == (1, 1, 1, 8, 8)


def test_fake_people_are_the_same_every_time():
    first, second = FakePeople().clip(3), FakePeople().clip(3)
    assert all(np.array_equal(first[name], second[name]) for name in first)
