"""LPIPS: the numbers its authors and users publish, what it must not depend on, and its wrong uses by name."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from stages.core.errors import InputError, UsageError
from stages.metrics import lpips
from stages.metrics.interface import ClipContext
from stages.metrics.nets import layers, perceptual
from stages.metrics.nets.perceptual import load_perceptual
from tests.metrics.calibration import calibration_stack
from tests.metrics.collecting import collect, panned, texture
from tests.metrics.known import answers, assert_blocks_and_cores_change_no_bit, assert_close, read_u8
from tests.metrics.people import need

NETS = ("alex", "vgg")


@pytest.fixture(scope="module", autouse=True)
def networks():
    need("lpips_alex", "lpips_vgg")


@pytest.fixture(scope="module")
def noise():
    """Frames of 96x80 with noise and without, uint8 [4, 96, 80, 3]."""
    real = panned(4, 96, 80, 2)
    rng = np.random.default_rng(0)
    return np.clip(real + rng.normal(0, 20, real.shape), 0, 255).astype(np.uint8), real


@pytest.mark.parametrize("net", NETS)
def test_the_authors_example_pictures(net, assets):
    known = answers(assets, "lpips")
    reference, *others = (read_u8(assets / "metrics" / f"ex_{name}.png") for name in ("ref", "p0", "p1"))
    for name, picture in zip(("p0", "p1"), others, strict=True):
        assert_close(load_perceptual(net).distance(picture, reference), known[f"lpips-{net}-ex-{name}"])
    assert load_perceptual(net).distance(reference, reference) == 0


def test_zeros_against_ones(assets):
    known = answers(assets, "lpips")
    zeros = np.zeros((64, 64, 3), np.uint8)
    alex, vgg = (load_perceptual(net) for net in NETS)
    assert_close(alex.distance(zeros, zeros + 255), known["lpips-alex-zeros-ones-plain"])
    assert_close(alex.distance(zeros, zeros + 255, spatial=True), known["lpips-alex-zeros-ones-spatial"])
    assert_close(alex.distance(zeros, zeros + 255, spatial=True), known["lpips-alex-zeros-ones-spatial"], "published")
    assert_close(vgg.distance(zeros, zeros + 255), known["lpips-vgg-zeros-ones-plain"])


def test_torchmetrics_doctests():
    """0.3493 and 0.3566 stand in docstrings of torchmetrics (image/lpip.py): noise of seed 123, net vgg, pixels as
    -1..1 and as 0..1. Its network is made between seed and noise, which draws one number for each of its weights."""
    torch.manual_seed(123)
    weights = 14_714_688 + 123_642_856 + 1_472  # convolutions and classifier of VGG16, linear heads
    for first in range(0, weights, 1 << 22):
        torch.rand(min(1 << 22, weights - first))
    a, b = (torch.rand(10, 3, 100, 100).permute(0, 2, 3, 1).numpy() for _ in range(2))
    net = load_perceptual("vgg")
    right = np.mean([net.distance(x * 2 - 1, y * 2 - 1) for x, y in zip(a, b, strict=True)])
    wrong = np.mean([net.distance(x, y) for x, y in zip(a, b, strict=True)])
    assert abs(right - 0.349326) < 1e-6 and abs(wrong - 0.356572) < 1e-6, (right, wrong)


def test_the_five_published_calibration_values():
    """pyiqa's calibration table for LPIPS alex on TID2013 I03 I04 I06 I08 I19."""
    distorted, reference = calibration_stack()
    found = collect(lpips, lpips.Options(), distorted, reference)["value"]
    published = [0.7237, 0.2572, 0.0508, 0.0521, 0.4253]
    measured = [0.72370, 0.25716, 0.05079, 0.05205, 0.42532]
    assert np.abs(found - published).max() < 6e-5 and np.abs(found - measured).max() < 1e-5, found


@pytest.mark.parametrize("net", NETS)
def test_the_plain_formula_gives_the_same(net, noise):
    """All at once in float64 by torch's own layers, straight from the paper's equation 1."""
    module = load_perceptual(net)
    a, b = (torch.from_numpy(video[0].copy()).permute(2, 0, 1)[None].double() / 127.5 - 1 for video in noise)
    shift, scale = (torch.tensor(v).double().view(1, 3, 1, 1) for v in (perceptual.SHIFT, perceptual.SCALE))
    a, b, total = (a - shift) / scale, (b - shift) / scale, 0.0
    for number, stage in enumerate(module.stages):
        for convolution in stage.convolutions:
            weights = convolution.weight.double(), convolution.bias.double(), convolution.stride, convolution.padding
            a, b = (torch.relu(torch.conv2d(x, *weights)) for x in (a, b))
        unit = [x / (x.norm(dim=1, keepdim=True) + 1e-10) for x in (a, b)]
        weight = getattr(module, f"linear{number}").double().view(1, -1, 1, 1)
        total += float(((unit[0] - unit[1]) ** 2 * weight).sum(1).mean())
        if stage.pool:
            a, b = (torch.max_pool2d(x, *stage.pool) for x in (a, b))
    found = module.distance(noise[0][0], noise[1][0])
    assert abs(found - total) < 1e-6 * total, (found, total)


@pytest.mark.parametrize("size", [(64, 64), (97, 131), (16, 40), (33, 18), (130, 70)])
def test_strips_of_any_height_give_the_whole_picture(size, monkeypatch):
    a, b = texture(*size, seed=1), texture(*size, seed=2)
    net = load_perceptual("vgg")
    whole = net.maps(a, b)
    for floats in (20_000, 60_000):
        monkeypatch.setattr(perceptual, "STRIP_FLOATS", floats)
        parts = net.maps(a, b)
        assert [p.shape for p in parts] == [w.shape for w in whole]
        off = max(np.abs(p - w).max() for p, w in zip(parts, whole, strict=True))
        assert off < 1e-6, f"strips of {floats} floats: off by {off}, allowed 1e-6"


def test_no_activation_is_larger_than_a_strip_and_its_halo(monkeypatch):
    """Of a 1080p picture the first one would have half a gigabyte."""
    seen, forward = [], layers.ConvRelu.forward

    def counted(module, x):
        y = forward(module, x)
        seen.append((y.numel(), y.shape[1] * y.shape[3]))
        return y

    monkeypatch.setattr(layers.ConvRelu, "forward", counted)
    monkeypatch.setattr(perceptual, "STRIP_FLOATS", 30_000)
    load_perceptual("vgg").maps(texture(160, 48, seed=1), texture(160, 48, seed=2))
    assert all(floats <= 30_000 + 7 * row for floats, row in seen), max(seen)
    assert max(seen)[0] < 160 * 48 * 64 / 8


@pytest.mark.parametrize("net", NETS)
def test_blocks_and_cores_change_no_bit(net, noise):
    options = lpips.Options(net=net)
    arrays = assert_blocks_and_cores_change_no_bit(lpips, options, *noise, block=3)
    assert arrays["value"].dtype == np.float64 and np.array_equal(
        collect(lpips, options, *noise)["value"], arrays["value"]
    )


def test_equal_frames_have_no_distance_and_sides_do_not_matter(noise):
    noise = [video[:2] for video in noise]
    for net in NETS:
        options = lpips.Options(net=net)
        assert not collect(lpips, options, noise[1], noise[1])["value"].any()
        ahead, back = (collect(lpips, options, *pair)["value"] for pair in (noise, noise[::-1]))
        assert ahead.min() > 0.01 and np.array_equal(ahead, back)


def test_the_wrong_range_is_another_number_with_another_signature(noise):
    noise = [video[:2] for video in noise]
    right, wrong = (lpips.Options(net="vgg", range=name) for name in lpips.RANGES)
    ratio = collect(lpips, wrong, *noise)["value"] / collect(lpips, right, *noise)["value"]
    assert (ratio < 0.98).all(), ratio
    assert lpips.signature(right) != lpips.signature(wrong) and "range:01" in lpips.signature(wrong)
    spatial = lpips.Options(spatial=True)
    assert len({lpips.signature(o) for o in (lpips.Options(), spatial, right, lpips.Options(align="none"))}) == 4


def test_only_float32_takes_part():
    net = load_perceptual("alex")
    assert {p.dtype for p in net.parameters()} | {b.dtype for b in net.buffers()} == {torch.float32}
    torch.backends.cuda.matmul.allow_tf32 = True
    perceptual.Perceptual("alex", perceptual.load_tensors("lpips_alex"))
    assert not torch.backends.cuda.matmul.allow_tf32 and not torch.backends.cudnn.allow_tf32


def test_small_frames_and_wrong_words_are_refused():
    context = ClipContext("tiny", 3, Fraction(25), (30, 90), (30, 90))
    with pytest.raises(InputError, match="clip tiny: frames are 30x90, LPIPS .alex. needs 31 pixels"):
        lpips.check(lpips.Options(), context)
    lpips.check(lpips.Options(net="vgg"), context)
    for wrong in ({"net": "squeeze"}, {"range": "u8"}, {"align": "nearest"}):
        with pytest.raises(UsageError, match="expected one of"):
            lpips.Options(**wrong)
