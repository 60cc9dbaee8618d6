"""VAE and face encoder learn, stop and go on exactly, and survive a kill in the middle of a save."""

import os
import random
import signal
import time

import numpy as np
import pytest
import torch

from stages.core.errors import InputError, WeightsError
from stages.face.encoder import FaceEncoderConfig, FaceMotionNet
from stages.model.config import PRESETS
from stages.model.vae import CausalVae
from stages.training.course import Course
from stages.training.face_augment import augment
from stages.training.face_loop import Faces, mirrored_people, slipped, train_face
from stages.training.face_objective import CROPS_OF_ONE, expression_loss, expression_weights
from stages.training.learner import Learner
from stages.training.recipe import RECIPES, Bite, FaceRecipe
from stages.training.vae_loop import (
    batch,
    calibrate,
    psnr_db,
    reconstruction_loss,
    shown_video,
    train_vae,
    watched_video,
)
from stages.weights.checkpoint import load_checkpoint
from tests.training.fake_people import After, never

TINY, RECIPE = PRESETS["tiny"], RECIPES["tiny"]


def run_vae(path, pool, stop=never, **options):
    return train_vae(path, pool, TINY.vae, RECIPE.vae, Course(4), stop, **options)


def run_face(path, pool, stop=never, **options):
    return train_face(path, pool, RECIPE.face, Course(4), stop, **options)


def run_close_ups(path, pool, stop=never, **options):
    return train_face(path, pool, RECIPE.face, Course(4), stop, close_ups=pool, **options)


def states_equal(first, second):
    (tensors, meta), (others, meta2) = load_checkpoint(first), load_checkpoint(second)
    assert set(tensors) == set(others) and any(name.startswith("opt.1.") for name in tensors)
    different = [name for name in tensors if not torch.equal(tensors[name], others[name])]
    assert not different, different
    for values in (meta, meta2):
        values["pace"].pop("spent_s")
    assert meta == meta2


@pytest.mark.parametrize("train", [run_vae, run_face, run_close_ups], ids=["vae", "face", "close-ups"])
def test_two_and_two_steps_equal_four(train, pool, tmp_path):
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    told = []
    at_once = train(whole, pool, say=lambda **values: told.append(values))
    assert train(parts, pool, After(2)) is None
    assert load_checkpoint(parts)[1]["pace"]["step"] == 2
    torch.rand(17)  # a global generator elsewhere must not matter
    resumed = train(parts, pool)
    states_equal(whole, parts)
    for name, value in at_once.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    assert told[-1]["step"] == told[-1]["of"] == 4
    assert torch.equal(  # a finished phase is not trained again
        next(train(whole, pool).parameters()), next(at_once.parameters())
    )
    other = train(tmp_path / "other.safetensors", pool, seed=1)
    assert not torch.equal(next(other.parameters()), next(at_once.parameters()))


def test_the_vae_learns_one_batch(pool):
    torch.manual_seed(0)
    vae = CausalVae(TINY.vae)
    video = batch(pool, Bite(0, 5, 2), np.random.default_rng(0))
    blocks = torch.randn(2000, 768) * 0.3
    vae.start_from_components(blocks)
    from stages.training.optim import build_optimisers

    optimisers = build_optimisers(vae, 2e-3, muon_lr=4e-3)
    losses = []
    for step in range(40):
        loss = reconstruction_loss(vae, video, 0.0, torch.Generator().manual_seed(step))
        losses.append(loss.item())
        for optimiser in optimisers:
            optimiser.zero_grad()
        loss.backward()
        for optimiser in optimisers:
            optimiser.step()
    assert losses[-1] < 0.6 * losses[0], losses[:: len(losses) // 8]


def test_batches_of_the_vae(pool):
    rng = np.random.default_rng(0)
    for bite in (Bite(32, 5, 3), Bite(0, 9, 1), Bite(64, 1, 2)):
        made = batch(pool, bite, rng)
        assert made.shape == (bite.batch, 3, bite.frames, bite.side or 64, bite.side or 64)
        assert made.abs().max() <= 1 and made.std() > 0.05
    same = [batch(pool, Bite(32, 5, 3), np.random.default_rng(7)) for _ in range(2)]
    assert torch.equal(*same)


@torch.no_grad()
def test_calibration_fixes_the_scale_and_changes_no_picture(pool):
    torch.manual_seed(0)
    vae = CausalVae(TINY.vae).eval()
    vae.start_from_components(torch.randn(2000, 768) * torch.linspace(0.1, 2, 768))
    for parameter in vae.parameters():
        parameter.add_(torch.randn(parameter.shape) * 0.02)
    video = shown_video(pool)
    before, quality = vae.decode(vae.encode(video)), psnr_db(vae, video)
    calibrate(vae, video)
    latents = vae.encode(video)
    std = latents.std((0, 2, 3, 4))
    assert (std - 1).abs().max() < 1e-3, std
    difference = (vae.decode(latents) - before).abs()
    assert difference.max() < 1e-3, f"max {difference.max()}, mean {difference.mean()}, tolerance 0.001"
    assert psnr_db(vae, video) == pytest.approx(quality, abs=0.01)
    weight = vae.latent_weight.flatten()
    assert weight.mean() == pytest.approx(1.0, abs=1e-5) and weight.std() > 1e-3
    # the weights are what they say: a channel with more weight moves the picture further
    moved = []
    for channel in range(16):
        shaken = latents.clone()
        shaken[:, channel] += 0.3
        moved.append((vae.decode(shaken) - vae.decode(latents)).square().mean().sqrt().item())
    assert np.corrcoef(moved, weight.numpy())[0, 1] > 0.8


def test_watched_clips_are_measured(pool):
    assert watched_video(pool).shape == (1, 3, 9, 64, 64) and shown_video(pool).shape == (3, 3, 9, 64, 64)


def test_psnr_of_a_known_error():
    class Off(torch.nn.Module):
        def encode(self, video):
            return video

        def decode(self, latents):
            return latents + 0.02

    assert psnr_db(Off(), torch.zeros(5, 3, 1, 8, 8)) == pytest.approx(40.0, abs=0.01)  # 0.02 of a range of 2


def test_the_face_encoder_learns_one_batch(pool):
    torch.manual_seed(0)
    network = FaceMotionNet(FaceEncoderConfig())
    faces = Faces(pool.trained)
    crops, labels, points = faces.take(np.arange(8))
    assert points.isnan().all()  # takes do not say where the points are in the crop
    from stages.training.optim import build_optimisers

    optimisers = build_optimisers(network, 2e-3, muon_lr=1e-2)
    losses = []
    for _ in range(25):
        code = network(crops.permute(0, 3, 1, 2).float() / 255)[1]
        loss = expression_loss(code, labels, expression_weights(faces.labels, network.head_tokens))
        losses.append(loss.item())
        for optimiser in optimisers:
            optimiser.zero_grad()
        loss.backward()
        for optimiser in optimisers:
            optimiser.step()
    assert losses[-1] < 0.3 * losses[0], losses[::5]


def test_faces_that_cannot_be_read_are_left_out(pool):
    faces = Faces(pool.trained)
    assert len(faces.where) == len(faces.labels) == 3 * 14
    with pytest.raises(InputError, match="no readable"):
        Faces([])


def test_crops_are_drawn_in_blocks_of_one_person(pool):
    faces = Faces(pool.trained)
    chosen = faces.draw(np.random.default_rng(0), 6)
    blocks = [[faces.where[index][0] for index in block] for block in chosen.reshape(6, CROPS_OF_ONE)]
    assert all(len(set(block)) == 1 for block in blocks) and len({block[0] for block in blocks}) > 1
    assert all(len(set(block)) == CROPS_OF_ONE for block in chosen.reshape(6, CROPS_OF_ONE).tolist())


def test_covered_faces_are_left_out(pool, monkeypatch):
    from stages.training.pool import Pool

    whole, truth = Faces(pool.trained), Pool.truth
    seen_01 = np.linspace(0, 1, 14)

    def covered(clip):
        return truth(clip) | {"seen_01": seen_01}

    monkeypatch.setattr(Pool, "truth", staticmethod(covered))
    some = Faces(pool.trained)
    assert len(some.where) == 3 * int((seen_01 >= 0.5).sum()) < len(whole.where)
    assert all(seen_01[frame] >= 0.5 for _, frame in some.where)


def test_training_on_keeps_the_format_of_the_tokens(pool, tmp_path):
    torch.manual_seed(5)
    start = {name: value.clone() for name, value in FaceMotionNet(FaceEncoderConfig()).state_dict().items()}
    recipe = FaceRecipe(steps=3, batch=8)
    network = train_face(tmp_path / "s.safetensors", pool, recipe, Course(3), never, start=start)
    after = network.state_dict()
    same = {name for name in start if torch.equal(start[name], after[name])}
    assert same == {name for name in start if name.startswith("head_tokens")}
    with pytest.raises(WeightsError, match="the face encoder to start from"):
        train_face(tmp_path / "t.safetensors", pool, recipe, Course(3), never, start={"a": torch.zeros(1)})


def test_half_of_the_people_are_seen_in_a_mirror():
    crops = torch.arange(40 * 2 * 2 * 3, dtype=torch.int64).reshape(40, 2, 2, 3).to(torch.uint8)
    labels = torch.rand(40, 54, generator=torch.Generator().manual_seed(0))
    points = torch.rand(40, 68, 2, generator=torch.Generator().manual_seed(1))
    made, said, placed = mirrored_people(crops, labels, points, np.random.default_rng(1))
    turned = (said != labels).any(1)
    assert set(turned.reshape(10, CROPS_OF_ONE).float().mean(1).tolist()) == {0.0, 1.0}  # whole people
    assert torch.equal(made, torch.where(turned[:, None, None, None], crops.flip(2), crops))
    assert torch.equal((placed != points).flatten(1).any(1), turned)


def test_augmentation_keeps_the_range_and_depends_on_its_generator_only():
    crops = torch.randint(0, 256, (16, 64, 64, 3), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    made = [augment(crops, np.random.default_rng(3)) for _ in range(2)]
    assert all(torch.equal(*both) for both in zip(*made, strict=True)) and made[0][0].shape == (16, 3, 64, 64)
    assert 0 <= made[0][0].min() and made[0][0].max() <= 1
    assert not torch.equal(made[0][0], augment(crops, np.random.default_rng(4))[0])


def test_face_points_go_where_their_pixels_go():
    crops, points = torch.zeros(64, 128, 128, 3, dtype=torch.uint8), torch.zeros(64, 68, 2)
    crops[:, 40:45, 80:85] = 255  # the middle of the spot: (82, 42) px
    points[:] = (torch.tensor([82.0, 42.0]) + 0.5) / 64 - 1
    seen, slips = augment(crops, np.random.default_rng(0))
    found = (slipped(points, slips)[:, 0] + 1) * 64 - 0.5
    bright = (seen.mean(1) - seen.mean(1).amin((1, 2), keepdim=True)).clamp(min=0)
    at = bright.flatten(1).argmax(1)
    miss = (torch.stack([at % 128, at // 128], 1) - found).abs().amax(1)
    assert miss.median() < 3 and not torch.equal(found[0], found[1]), miss  # px; some spots are covered or washed out


def test_a_loss_that_is_not_a_number_stops_the_training(tmp_path):
    network = torch.nn.Linear(32, 32)
    learner = Learner(tmp_path / "s.safetensors", network, lr=1e-3, muon_lr=1e-3, ema_decay=0.9)
    with pytest.raises(FloatingPointError, match="step 0"):
        learner.learn(lambda step, done: network.weight.sum() * float("nan"), Course(3), never)


def test_kill_in_the_middle_of_a_save_leaves_a_state_that_loads(tmp_path):
    """A child saves again and again, each state all of one number; it is killed at random moments."""
    path = tmp_path / "state.safetensors"
    network = torch.nn.Sequential(*(torch.nn.Linear(256, 256) for _ in range(8)))
    options = {"lr": 1e-3, "muon_lr": 1e-3, "ema_decay": 0.9}
    learner = Learner(path, network, **options)
    started = time.monotonic()
    learner.save()
    save_s = time.monotonic() - started
    rng = random.Random(0)
    last = 0
    for _ in range(12):
        child = os.fork()
        if child == 0:
            try:
                torch.set_num_threads(1)  # the threads of the parent did not come along: waiting for them is for ever
                number = last + 1
                while True:
                    for value in network.state_dict().values():
                        value.fill_(number)
                    learner.pace.step = number
                    learner.save()
                    number += 1
            finally:
                os._exit(1)
        time.sleep(0.05 + rng.uniform(1, 6) * save_s)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        loaded = Learner(path, torch.nn.Sequential(*(torch.nn.Linear(256, 256) for _ in range(8))), **options)
        if loaded.pace.step == 0:
            continue  # still the first save, of other numbers
        values = torch.cat([value.flatten() for value in loaded.network.state_dict().values()])
        assert values.min() == values.max() == loaded.pace.step >= last
        last = loaded.pace.step
    assert last > 0
