"""The decoder goes on alone: it learns, goes on exactly after a stop, and nothing that makes latents changes."""

import sys
from contextlib import nullcontext

import numpy as np
import pytest
import torch

from stages.core.errors import WeightsError
from stages.model.vae import CausalVae
from stages.training import natural, photographs
from stages.training.course import Course
from stages.training.decoder_loop import decoder_loss, mixed, train_decoder
from stages.training.optim import build_optimisers
from stages.training.recipe import RECIPES, Bite
from tests.model.tiny import tiny_vae
from tests.training.fake_people import After, never

RECIPE = RECIPES["tiny"].vae.decoder


def run(path, pool, stop=never, **options) -> CausalVae | None:
    return train_decoder(path, tiny_vae(), pool, RECIPE, Course(4), stop, **options)


def test_two_and_two_steps_equal_four_and_the_encoder_stays(pool, tmp_path):
    told, before = [], tiny_vae()
    whole = run(tmp_path / "whole.safetensors", pool, say=lambda **values: told.append(values))
    assert run(tmp_path / "parts.safetensors", pool, After(2)) is None
    resumed = run(tmp_path / "parts.safetensors", pool)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
        changed = not torch.equal(value, before.state_dict()[name])
        assert changed == name.startswith("decoder."), name
    assert told[-1]["step"] == told[-1]["of"] == 4 and np.isfinite(told[-1]["psnr_db"])


def test_it_learns_one_batch(pool):
    vae, video = tiny_vae(), mixed(pool, Bite(32, 5, 4), 0.5, np.random.default_rng(0))
    optimisers, losses = build_optimisers(vae.decoder, 2e-3, muon_lr=4e-3), []
    asked = []

    def perceptual(made, truth):
        asked.append(made.shape)
        return (made - truth).abs().mean((1, 2, 3))

    for step in range(25):
        noise = torch.Generator().manual_seed(step)
        loss = decoder_loss(vae, video, 0.0, noise, nullcontext, perceptual, (1, 2))
        losses.append(loss.item())
        for optimiser in optimisers:
            optimiser.zero_grad()
        loss.backward()
        for optimiser in optimisers:
            optimiser.step()
    assert losses[-1] < 0.8 * losses[0], losses  # a logarithm of the error: 25 steps halve the error itself
    assert set(asked) == {(20, 3, 31, 30)} and all(p.grad is None for p in vae.encoder.parameters())


def test_films_of_people_and_of_procedural_pictures_are_mixed(pool):
    bite, people = Bite(32, 5, 40), mixed(pool, Bite(32, 5, 40), 0.0, np.random.default_rng(3))
    both = mixed(pool, bite, 0.5, np.random.default_rng(3))
    same = (both == people).flatten(1).all(1).float().mean().item()
    assert both.shape == (40, 3, 5, 32, 32) and 0.25 < same < 0.75 and both.abs().max() <= 1
    assert torch.equal(both, mixed(pool, bite, 0.5, np.random.default_rng(3)))


def test_procedural_pictures_have_the_spectrum_of_photos():
    """Photos: power falls with the square of the frequency, so by a factor of 4 an octave (Field 1987)."""
    side = 96
    power = np.zeros((side, side))
    for seed in range(12):
        grey = natural.picture(np.random.default_rng(seed), side).mean(-1)
        power += np.abs(np.fft.fft2(grey - grey.mean())) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side))) * side
    octaves = [power[(frequency >= low) & (frequency < 2 * low)].mean() for low in (2, 4, 8, 16)]
    slope = np.polyfit(range(4), np.log2(octaves), 1)[0]
    assert -2.8 < slope < -1.4, slope


@pytest.mark.parametrize("exponent", [0.5, 1.2])
def test_grain_falls_as_it_says(exponent):
    made = natural.grain(np.random.default_rng(0), 128, exponent)
    assert made.shape == (128, 128, 3) and made.std() == pytest.approx(1.0, abs=1e-3)
    power = (np.abs(np.fft.fft2(made[..., 1])) ** 2).ravel()
    frequency = (np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128))) * 128).ravel()
    used = (frequency > 1) & (frequency < 60)
    slope = np.polyfit(np.log(frequency[used]), np.log(power[used]), 1)[0]
    assert slope == pytest.approx(-2 * exponent, abs=0.15)


def test_a_procedural_film_moves_a_little_and_repeats():
    film = natural.film(np.random.default_rng(1), 9, 48)
    assert film.shape == (9, 48, 48, 3) and film.dtype == np.uint8
    change = np.abs(np.diff(film.astype(float), axis=0)).mean()
    assert 0.2 < change < 0.5 * film.std(), change
    assert np.array_equal(film, natural.film(np.random.default_rng(1), 9, 48))


def test_photographs_are_mixed_in_by_their_share(pool):
    bite = Bite(32, 1, 60)
    people = mixed(pool, bite, 0.0, np.random.default_rng(3))
    three = mixed(pool, bite, 0.3, np.random.default_rng(3), 0.4)
    same = (three == people).flatten(1).all(1).float().mean().item()
    assert 0.15 < same < 0.45, same  # 0.3 of them stay people


def test_parts_of_photographs_are_real_sharp_and_repeat():
    photos = photographs.photographs()
    assert len(photos) == 9 and all(photo.dtype == np.uint8 and photo.shape[2] == 3 for photo in photos)
    parts = [photographs.film(np.random.default_rng(seed), 1, 64) for seed in range(40)]
    assert all(part.shape == (1, 64, 64, 3) and part.dtype == np.uint8 for part in parts)
    assert np.array_equal(parts[7], photographs.film(np.random.default_rng(7), 1, 64))
    varied = np.mean([part.std() > 5 for part in parts])  # a night sky is nearly flat
    assert varied > 0.8, varied


def test_the_middle_of_a_film_is_the_picture_itself():
    wide = natural.picture(np.random.default_rng(2), 96)
    film = natural.drifting(np.random.default_rng(3), wide, 5, 64)
    assert np.array_equal(film[2], wide[16:80, 16:80]) and not np.array_equal(film[3], film[2])
    assert np.array_equal(natural.drifting(np.random.default_rng(3), wide, 1, 96)[0], wide)


def test_without_the_package_of_the_photographs_it_says_what_to_do(monkeypatch):
    photographs.photographs.cache_clear()
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(WeightsError, match=r"scikit-image: not installed.*dreamactor\[train\]"):
        photographs.photographs()
