"""What a composed film is judged by: each term sees what it is there for, and the truth is best."""

import numpy as np
import pytest
import torch

from stages.training.picture_loss import LossWeights, head_mask, heads_cut_out, picture_loss, ssim

NONE = LossWeights(structure=0, detail=0, head=0, change=0, stir=0, perceptual=0, perceptual_head=0)


def film(frames=4, side=32, seed=0):
    """Smooth random films float [N, 3, side, side] that move by a pixel a frame."""
    generator = torch.Generator().manual_seed(seed)
    wide = torch.rand((1, 3, 6, 6), generator=generator)
    wide = torch.nn.functional.interpolate(wide, size=(side, side + frames), mode="bicubic") * 1.6 - 0.8
    return torch.cat([wide[..., n : n + side] for n in range(frames)])


def planes(count=4, side=32):
    """(state, maps) without figure and head."""
    return torch.zeros(count, 2, side, side), torch.zeros(count, 6, side, side)


def test_similarity_is_that_of_the_library():
    from skimage.metrics import structural_similarity

    rng = np.random.default_rng(0)
    a = rng.uniform(-1, 1, (40, 48, 3))
    b = np.clip(a + rng.normal(0, 0.3, a.shape), -1, 1)
    _, full = structural_similarity(a, b, channel_axis=2, data_range=2, full=True, use_sample_covariance=False)
    ours = ssim(*(torch.from_numpy(x).permute(2, 0, 1)[None] for x in (a, b)))
    assert np.abs(ours[0].permute(1, 2, 0).numpy() - full[3:-3, 3:-3]).max() < 1e-6


def test_the_truth_costs_nothing_and_the_figure_and_the_head_count_more():
    truth, (state, maps) = film(), planes()
    assert picture_loss(truth, truth, state, maps, frames=4).abs() < 1e-5
    state[:, 0, :, :8], maps[:, 4, :, 16:20] = 1.0, 0.5

    def at(column):
        wrong = truth.clone()
        wrong[..., column : column + 2] += 0.2
        return picture_loss(wrong, truth, state, maps).item()

    assert at(17) > at(3) > at(27) > 0


def test_mouth_and_eyes_count_more():
    truth, (state, maps) = film(), planes()
    features = torch.zeros(4, 1, 32, 32)
    features[..., 16:20] = 1.0

    def at(column, features):
        wrong = truth.clone()
        wrong[..., column : column + 2] += 0.2
        return picture_loss(wrong, truth, state, maps, features_01=features).item()

    assert at(17, features) > 1.5 * at(17, None) and at(6, features) < at(6, None)
    assert at(17, 0 * features) == pytest.approx(at(17, None))


def test_on_a_large_canvas_heads_are_cut_out_as_large():
    pictures, head = torch.rand(3, 6, 96, 96), torch.zeros(3, 1, 96, 96)
    head[:2, :, 20:50, 30:60] = 1.0
    assert heads_cut_out(pictures, head).shape == (2, 6, 64, 64)
    assert heads_cut_out(pictures, head, 128).shape == (2, 6, 128, 128)


def test_a_frozen_and_a_flickering_film_both_cost_more():
    """Errors of the same size in every frame: standing ones are no fault over time, changing ones are."""
    truth, (state, maps) = film(), planes()
    stuck, wild = truth[:1].expand(4, -1, -1, -1), truth.clone()
    wild[1::2] += 0.1
    shifted = truth + 0.1

    def cost(made, **weights):
        return picture_loss(made, truth, state, maps, frames=4, weights=LossWeights(**{**vars(NONE), **weights})) \
            - picture_loss(made, truth, state, maps, weights=NONE)  # fmt: skip

    for name in ("change", "stir"):
        assert cost(shifted, **{name: 1.0}) < 1e-5
        assert cost(stuck, **{name: 1.0}) > 0.01 and cost(wild, **{name: 1.0}) > 0.01, name


def test_heads_are_cut_out_where_the_sphere_is():
    maps = torch.zeros(3, 6, 128, 96)
    rows, columns = torch.meshgrid(torch.arange(128), torch.arange(96), indexing="ij")
    maps[0, 3:] = ((rows - 40) ** 2 + (columns - 60) ** 2 <= 12**2).float() * 0.5
    maps[2, 5] = ((rows - 90) ** 2 + (columns - 30) ** 2 <= 5**2).float()
    maps[:, :3] = 1.0  # the skeleton is no head
    head = head_mask(maps)
    assert head.sum((1, 2, 3)).tolist() == [(maps[0, 3] > 0).sum(), 0, (maps[2, 5] > 0).sum()]
    where = torch.stack([columns, rows]).float().expand(3, 2, 128, 96)
    cut = heads_cut_out(where, head)
    assert cut.shape == (2, 2, 64, 64)
    for got, (x, y), diameter in zip(cut, ((60, 40), (30, 90)), (25, 11), strict=True):
        middle = got[:, 31:33, 31:33].mean((1, 2))
        assert (middle - torch.tensor([x, y])).abs().max() < 0.1, middle
        assert abs(float(got[0, 32, -1] - got[0, 32, 0]) - 1.4 * diameter * 63 / 64) < 0.2
    assert heads_cut_out(where[:1], torch.zeros(1, 1, 128, 96)).shape == (0, 2, 64, 64)


def test_the_perceptual_terms_see_whole_frames_and_heads():
    truth, (state, maps) = film(), planes()
    maps[:2, 3, 10:20, 10:20] = 1.0
    seen = []

    def perceptual(made, given):
        seen.append((made.shape, given.shape))
        return (made - given).abs().mean((1, 2, 3))

    weights = LossWeights(**{**vars(NONE), "perceptual": 1.0, "perceptual_head": 1.0})
    loss = picture_loss(truth + 0.1, truth, state, maps, weights=weights, perceptual=perceptual, cut_px=(1, 3))
    plain = picture_loss(truth + 0.1, truth, state, maps, weights=NONE)
    assert seen == [((4, 3, 31, 29),) * 2, ((2, 3, 64, 64),) * 2]
    assert (loss - plain).item() == pytest.approx(0.1 + 0.5 * 0.1, abs=1e-4), "heads of half of the frames count half"


@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_the_perceptual_loss_is_the_metric_and_has_gradients(net):
    from stages.metrics.nets.perceptual import load_perceptual
    from stages.training.perceptual import PerceptualLoss
    from stages.weights import is_here

    if not is_here(f"lpips_{net}"):
        pytest.skip(f"the weights of lpips_{net} are not in the cache")
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (64, 64, 3), np.uint8) for _ in range(2)]
    a, b = (torch.from_numpy(x).permute(2, 0, 1)[None].float() / 127.5 - 1.0 for x in pictures)
    loss = PerceptualLoss(net)
    a.requires_grad_()
    value = loss(a, b)
    assert value.item() == pytest.approx(load_perceptual(net).distance(*pictures), abs=1e-5)
    value.sum().backward()
    assert torch.isfinite(a.grad).all() and a.grad.abs().max() > 0
    flat = torch.zeros(1, 3, 64, 64, requires_grad=True)  # dead features: the gradient stays finite
    loss(flat, flat.detach()).sum().backward()
    assert torch.isfinite(flat.grad).all()
