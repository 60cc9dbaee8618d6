"""Inception features: the published FIDs, every resizing against the code it is named after."""

import numpy as np
import pytest
import torch
from PIL import Image

from stages.core.errors import InputError, UsageError
from stages.metrics import inception
from stages.metrics.frechet_distance import frechet_distance
from stages.metrics.interface import Block
from stages.metrics.kernel_distance import kernel_distance
from stages.metrics.nets.inception import load_inception
from tests.metrics.calibration import calibration_stack
from tests.metrics.collecting import collect, panned, texture
from tests.metrics.known import answers, assert_blocks_and_cores_change_no_bit
from tests.metrics.people import need

SIZES = [(384, 512), (100, 80), (299, 299), (301, 97)]


@pytest.fixture(scope="module", autouse=True)
def networks():
    need("inception_fid")


def random_pictures(count):
    """The pictures of torchmetrics' FID doctest with seed 42, as the network takes them."""
    torch.manual_seed(42)
    draws = [torch.randint(low, high, (100, 3, 299, 299), dtype=torch.uint8) for low, high in ((0, 200), (100, 255))]
    return [[(x.permute(1, 2, 0).numpy() - np.float32(128)) / np.float32(128) for x in d[:count]] for d in draws]


def test_the_first_layers_features_of_known_noise(assets):
    known = np.load(assets / "metrics" / "torchmetrics_fid64_feats.npz")
    net = load_inception()
    for name, pictures in zip("ab", random_pictures(5), strict=True):
        found = np.stack([net.features(picture, 64) for picture in pictures])
        off = np.abs(found - known[name][:5]).max()
        assert off < 1e-5, f"{name}: off by {off}, allowed 1e-5 of {np.abs(found).max()}"


@pytest.mark.slow
def test_fid_and_kid_of_noise_lie_in_the_published_bands(assets):
    known = answers(assets, "fid_kid")
    net, (a, b) = load_inception(), random_pictures(100)
    fid = frechet_distance(*(np.stack([net.features(x, 64) for x in side]) for side in (a, b)))
    assert abs(fid - 12.668) < 1e-3 and abs(fid - known["fid64-random"]["published"]) < 0.15, fid
    kid = kernel_distance(*(np.stack([net.features(x) for x in side]) for side in (a, b)))
    entry = known["kid2048-random"]
    assert abs(kid - entry["published"]) < entry["tolerance"]["abs"], kid


@pytest.mark.parametrize("resize, published, allowed", [("legacy", 225.36789, 5e-4), ("clean", 220.58199, 5e-4)])
def test_fid_of_the_calibration_pictures(resize, published, allowed):
    """pyiqa's table: FID 225.3678 of pytorch-fid and 220.5819 of clean-fid for five TID2013 pairs."""
    arrays = collect(inception, inception.Options(resize=resize), *calibration_stack())
    found = frechet_distance(arrays["generated"], arrays["real"])
    assert abs(found - published) < allowed, f"{found}, published {published}, allowed {allowed}"


@pytest.mark.parametrize("size", SIZES)
def test_legacy_resizing_is_torchs(size):
    frame = texture(*size, seed=3)
    tensor = torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255
    tensor = torch.nn.functional.interpolate(tensor, size=(299, 299), mode="bilinear", align_corners=False)
    expected = (2 * tensor - 1)[0].permute(1, 2, 0).numpy()
    off = np.abs(inception.prepare(frame, "legacy") - expected).max()
    assert off < 1e-6, f"off by {off}, allowed 1e-6"


@pytest.mark.parametrize("size", SIZES)
def test_clean_resizing_is_pillows(size):
    frame = texture(*size, seed=4)
    planes = [
        Image.fromarray(frame[..., c].astype(np.float32)).resize((299, 299), Image.Resampling.BICUBIC) for c in range(3)
    ]
    expected = (np.stack([np.asarray(p).clip(0, 255) for p in planes], -1) - 128) / 128
    assert np.abs(inception.prepare(frame, "clean") - expected).max() < 1e-6


@pytest.mark.parametrize("size", [(384, 512), (100, 80)])
def test_torchmetrics_resizing_is_tensorflow_ones(size):
    """Pixel by pixel: the grid starts at the corner, place = index * in / out, no half pixels."""
    frame = texture(*size, seed=5)
    height, width = size
    expected = np.empty((299, 299, 3))
    for y in range(299):
        for x in range(299):
            v, u = y * height / 299, x * width / 299
            top, left = int(v), int(u)
            bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
            upper = frame[top, left] * (1 - (u - left)) + frame[top, right] * (u - left)
            lower = frame[bottom, left] * (1 - (u - left)) + frame[bottom, right] * (u - left)
            expected[y, x] = upper * (1 - (v - top)) + lower * (v - top)
    off = np.abs(inception.prepare(frame, "torchmetrics") - (expected - 128) / 128).max()
    assert off < 1e-4, f"off by {off}, allowed 1e-4 (float32 places)"


def test_the_network_is_the_original_graph_in_float64():
    """The folded network against its unfolded convolutions and batch norms, the first layers by torch's own code."""
    from stages.weights import load_tensors

    tensors = {name: torch.from_numpy(value).double() for name, value in load_tensors("inception_fid").items()}
    picture = texture(299, 299, seed=6).astype(np.float32) / 127.5 - 1
    x = torch.from_numpy(picture).double().permute(2, 0, 1)[None]
    for number, (stride, padding) in enumerate([(2, 0), (1, 0), (1, 1)]):
        name = f"conv.{number:02d}"
        x = torch.conv2d(x, tensors[f"{name}.weight"], None, stride, padding)
        norm = tensors[f"{name}.mean"], tensors[f"{name}.var"], None, tensors[f"{name}.beta"]
        x = torch.relu(torch.nn.functional.batch_norm(x, *norm, training=False, eps=1e-3))
    expected = torch.max_pool2d(x, 3, 2)[0].mean((1, 2)).numpy()
    found = load_inception().features(picture, 64)
    assert np.abs(found - expected).max() < 2e-6, np.abs(found - expected).max()


def test_blocks_and_cores_change_no_bit():
    real = panned(3, 70, 90, 3)
    generated = real[::-1].copy()
    options = inception.Options()
    arrays = assert_blocks_and_cores_change_no_bit(inception, options, generated, real, block=2)
    assert np.array_equal(arrays["generated"][::-1], arrays["real"]) and arrays["real"].shape == (3, 2048)


def test_without_a_real_film_only_the_drivers_may_stand_in():
    frames = panned(2, 64, 64, 2)
    driving = inception.Options(layer=64, against="driving")
    assert inception.needs(driving) == {"driving"} and inception.needs(inception.Options()) == {"real"}
    arrays = collect(inception, driving, frames, driving_u8=frames)
    assert np.array_equal(arrays["generated"], arrays["real"]) and "driving" in inception.signature(driving)
    with pytest.raises(InputError, match="found no real video"):
        inception.against(Block(0, frames, None, frames), "real")
    for wrong in ({"resize": "lanczos"}, {"layer": 768}, {"against": "nothing"}):
        with pytest.raises(UsageError, match="expected one of"):
            inception.Options(**wrong)
