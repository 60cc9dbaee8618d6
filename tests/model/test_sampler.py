"""Flow and sampler identities in closed form."""

import pytest
import torch

from stages.model.flow import interpolate, sample_times, velocity
from stages.model.sampler import SOLVERS, SamplerConfig, guided, sample_segment, time_grid
from tests.model.tiny import conditions, noisy, tiny_dit


@pytest.fixture(scope="module")
def dit():
    return tiny_dit()


def test_velocity_is_data_minus_noise():
    data, noise = torch.randn(2, 3, 4, 2, 2), torch.randn(2, 3, 4, 2, 2)
    t = torch.tensor([[0.0, 0.3, 0.7, 0.95]]).expand(2, 4)
    z = interpolate(data, noise, t)
    difference = (velocity(data, z, t) - (data - noise)).abs()
    assert difference.max() < 1e-4, f"max {difference.max()}, mean {difference.mean()}, tolerance 1e-4"


def test_the_ends_of_the_flow_are_noise_and_data():
    data, noise = torch.randn(1, 3, 2, 2, 2), torch.randn(1, 3, 2, 2, 2)
    z = interpolate(data, noise, torch.tensor([[0.0, 1.0]]))
    assert torch.equal(z[:, :, 0], noise[:, :, 0]) and torch.equal(z[:, :, 1], data[:, :, 1])


def test_training_times():
    t = sample_times(4000, 3, torch.Generator().manual_seed(0), mean=-0.6, std=1.0, first_given=0.3)
    given = t[:, 0] == 1
    assert given.float().mean() == pytest.approx(0.3, abs=0.03)
    assert torch.equal(t[:, 1], t[:, 2]) and torch.equal(t[~given, 0], t[~given, 1])
    assert torch.logit(t[:, 1].double()).mean() == pytest.approx(-0.6, abs=0.06)
    photos = sample_times(500, 1, torch.Generator().manual_seed(0), mean=0.0, std=1.0, first_given=1.0)
    assert (photos < 1).all()  # a photo's only latent is never given


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("steps", [1, 2, 3, 5, 16])
def test_a_perfect_predictor_gives_the_data_exactly(solver, steps):
    data, noise = torch.randn(2, 4, 3, 2, 2), torch.randn(2, 4, 3, 2, 2)
    seen = []

    def predict(z, t):
        at = t[0, 0].item()
        difference = (z - ((1 - at) * noise + at * data)).abs().max()
        seen.append(difference.item())
        return data

    assert torch.equal(sample_segment(predict, noise, SamplerConfig(steps, solver)), data)
    assert len(seen) == steps and max(seen) < 1e-5  # and it walked the straight line there


@pytest.mark.parametrize("solver", SOLVERS)
def test_more_steps_come_closer_on_a_known_flow(solver):
    """Data of one Gaussian: the ideal prediction and the end of its flow are known in closed form."""
    mean, std = 2.0, 0.5
    noise = torch.randn(1, 1, 1, 64, 64, generator=torch.Generator().manual_seed(0))

    def predict(z, t):
        t = t[:, None, :, None, None]
        variance = (t * std) ** 2 + (1 - t) ** 2
        return mean + t * std**2 / variance * (z - t * mean)

    exact = mean + std * noise
    errors = [
        (sample_segment(predict, noise, SamplerConfig(steps, solver)) - exact).abs().mean().item()
        for steps in (4, 8, 16, 32)
    ]
    assert errors[0] > errors[1] > max(errors[2:]), errors
    assert errors[-1] < {"euler": 0.05, "dpm2m": 0.01}[solver], errors


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_given_first_latent_is_kept_and_shown_clean(solver):
    noise, first = torch.randn(2, 4, 3, 2, 2), torch.randn(2, 4, 1, 2, 2)

    def predict(z, t):
        assert torch.equal(z[:, :, :1], first) and (t[:, 0] == 1).all() and (t[:, 1:] < 1).all()
        return torch.zeros_like(z)

    out = sample_segment(predict, noise, SamplerConfig(4, solver), first=first)
    assert torch.equal(out[:, :, :1], first) and (out[:, :, 1:] == 0).all()


def test_the_grid_runs_from_noise_to_data():
    for steps in (1, 4, 9):
        grid = time_grid(steps)
        assert grid[0] == 0 and grid[-1] == 1 and grid == sorted(grid) and len(grid) == steps + 1


def test_sampler_settings_are_checked():
    with pytest.raises(ValueError, match="heun"):
        SamplerConfig(solver="heun")
    with pytest.raises(ValueError, match="steps 0"):
        SamplerConfig(steps=0)


@torch.no_grad()
def test_guidance_identities(dit):
    given, (z, t) = conditions(), noisy()
    zero = torch.zeros(2)
    full = dit(z, t, given)
    refs_only = dit(z, t, type(given)(**{**vars(given), "keep_motion": zero}))
    nothing = dit(z, t, type(given)(**{**vars(given), "keep_motion": zero, "keep_refs": zero}))

    def at(ref, motion):
        return guided(dit, z, t, given, SamplerConfig(cfg_ref=ref, cfg_motion=motion))

    assert torch.equal(at(1.0, 1.0), full)
    assert torch.equal(at(0.0, 0.0), nothing)  # no guidance towards either: as if neither was given
    for found, wanted in [
        (at(1.0, 0.0), refs_only),
        (at(2.0, 0.0), nothing + 2 * (refs_only - nothing)),
        (at(1.0, 2.5), refs_only + 2.5 * (full - refs_only)),
        (at(2.5, 1.0), nothing + 2.5 * (refs_only - nothing) + (full - refs_only)),
        (at(1.0 + 1e-6, 1.0), full),  # the short cut at 1 is the limit of the long way
    ]:
        difference = (found - wanted).abs().max()
        assert difference < 1e-4, difference
    assert (full - nothing).abs().max() > 1e-2
