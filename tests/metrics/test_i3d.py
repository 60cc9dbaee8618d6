"""I3D logits: the published FVDs, every resizing against the code it is named after, windows that add up."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from stages.core.errors import InputError, UsageError
from stages.metrics import i3d
from stages.metrics.frechet_distance import frechet_distance
from stages.metrics.interface import ClipContext
from stages.metrics.nets.i3d import load_i3d, same_padding
from tests.metrics.collecting import collect, panned, texture
from tests.metrics.known import answers, assert_blocks_and_cores_change_no_bit, assert_close
from tests.metrics.people import need


@pytest.fixture(scope="module", autouse=True)
def networks():
    need("i3d_kinetics400")


@pytest.mark.parametrize(
    "frames", [10, 16, pytest.param(13, marks=pytest.mark.slow), pytest.param(21, marks=pytest.mark.slow)]
)
def test_zeros_against_ones(frames, assets):
    _zeros_against_ones(frames, assets)


def test_zeros_against_ones_of_30_frames_is_tensorflows_number(assets):
    found = _zeros_against_ones(30, assets)
    assert_close(found, answers(assets, "fvd")["fvd-zeros-ones-T30"], "published_tensorflow")


def _zeros_against_ones(frames, assets):
    entry = answers(assets, "fvd")[f"fvd-zeros-ones-T{frames}"]
    zeros = np.zeros((frames, 64, 64, 3), np.uint8)
    arrays = collect(i3d, i3d.Options(length=0), zeros, zeros + 255)
    found = frechet_distance(arrays["generated"], arrays["real"], single="mean-term")
    assert_close(found, entry)
    assert_close(found, entry, "published")
    return found


def test_the_logits_of_known_noise(assets):
    """universome/fvd-comparison: RandomState(1).rand, values left in 0..1; its features are kept."""
    known = np.load(assets / "metrics" / "fvdcmp_feats_seed1.npy")
    found = load_i3d().logits(np.random.RandomState(1).rand(16, 224, 224, 3).astype(np.float32))
    off = np.abs(found - known[0]).max()
    assert found.dtype == np.float32 and off < 1e-4, f"off by {off}, allowed 1e-4 of {np.abs(known[0]).max()}"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_fvd_of_128_clips_of_noise(assets):
    entry, net = answers(assets, "fvd")["fvd-random-clips"], load_i3d()
    sides = []
    for seed in (1, 2):
        rng = np.random.RandomState(seed)
        sides.append(np.stack([net.logits(rng.rand(16, 224, 224, 3).astype(np.float32)) for _ in range(128)]))
    found = frechet_distance(*sides)
    assert_close(found, entry)
    assert_close(found, entry, "published")


SIZES = [(120, 90), (90, 160), (224, 224), (64, 64), (300, 401)]


@pytest.mark.parametrize("size", SIZES)
def test_crop_is_what_common_metrics_and_stylegan_v_do(size):
    frame = texture(*size, seed=1)
    expected = _torch_crop(frame / np.float32(255), 224) * 2 - 1
    off = np.abs(i3d.prepare(frame, i3d.Options()) - expected).max()
    assert expected.shape == (224, 224, 3) and off < 1e-6, f"off by {off}, allowed 1e-6"


@pytest.mark.parametrize("size", SIZES)
def test_antialias_128_is_what_cd_fvd_does(size):
    frame = texture(*size, seed=2)
    stored = (_torch_crop(frame / np.float32(255), 128, antialias=True) * 255).astype(np.uint8)
    expected = _torch_crop(stored / np.float32(255), 224) * 2 - 1
    off = np.abs(i3d.prepare(frame, i3d.Options(first="crop-antialias-128")) - expected).max()
    assert off < 2e-6, f"off by {off}, allowed 2e-6"


@pytest.mark.parametrize("size", SIZES)
def test_bicubic_squash_is_pillows_on_floats_and_goes_beyond_the_range(size):
    frame = texture(*size, seed=3)
    frame[:, : size[1] // 2] = 0
    frame[:, size[1] // 2 :] = 255
    planes = [
        Image.fromarray(frame[..., c].astype(np.float32)).resize((224, 224), Image.Resampling.BICUBIC) for c in range(3)
    ]
    expected = np.stack([np.asarray(plane) for plane in planes], -1) / 127.5 - 1
    found = i3d.prepare(frame, i3d.Options(resize="bicubic-squash"))
    assert np.abs(found - expected).max() < 1e-6
    assert size == (224, 224) or found.max() > 1.01


def test_lanczos_256_is_a_rounded_picture_first():
    frame = texture(300, 420, seed=4)
    stored = Image.fromarray(frame).resize((358, 256), Image.Resampling.LANCZOS).crop((51, 0, 307, 256))
    expected = _torch_crop(np.asarray(stored) / np.float32(255), 224) * 2 - 1
    assert np.abs(i3d.prepare(frame, i3d.Options(first="crop-lanczos-256")) - expected).max() < 1e-6


def test_squashes_keep_the_whole_frame():
    frame = texture(120, 90, seed=5)
    tensor = torch.from_numpy(frame).permute(2, 0, 1)[None].float()
    tensor = torch.nn.functional.interpolate(tensor, size=(224, 224), mode="bilinear", align_corners=False)
    expected = tensor[0].permute(1, 2, 0).numpy() / 127.5 - 1
    assert np.abs(i3d.prepare(frame, i3d.Options(resize="bilinear-squash")) - expected).max() < 1e-6
    tensorflow = i3d.prepare(frame, i3d.Options(resize="tf-squash"))
    assert np.allclose(tensorflow[0, 0], frame[0, 0] / 127.5 - 1)  # its grid begins on the corner's pixel ...
    places = np.arange(224) * 90 / 224
    row = np.stack([np.interp(places, np.arange(90), frame[0, :, c]) for c in range(3)], -1)
    assert np.abs(tensorflow[0] - (row / 127.5 - 1)).max() < 1e-5  # ... and ends short of the far one


def test_range_01_is_left_where_it_is():
    frame = texture(224, 224, seed=6)
    assert np.allclose(i3d.prepare(frame, i3d.Options(range="01")), frame / 255, atol=1e-6)


def test_codes_that_cut_floats_back_to_8_bit_lose_nothing():
    """Why there is no option for it: x/255*255 in float32 gives every level back."""
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal((levels.float().div(255) * 255).to(torch.uint8), levels)


def _torch_crop(frame, side, antialias=False):
    """Short side to `side`, middle square, by torch; float32 [side, side, 3]."""
    height, width = frame.shape[:2]
    scale = side / min(height, width)
    size = (side, math.ceil(width * scale)) if height < width else (math.ceil(height * scale), side)
    tensor = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None]
    small = torch.nn.functional.interpolate(
        tensor, size=size, mode="bilinear", align_corners=False, antialias=antialias
    )
    top, left = (small.shape[2] - side) // 2, (small.shape[3] - side) // 2
    return small[0, :, top : top + side, left : left + side].permute(1, 2, 0).contiguous().numpy()


def test_windows_are_the_clips_that_their_frames_are():
    video = panned(16, 64, 96, 3)
    options = i3d.Options(length=10, stride=3, offset=1)
    arrays = collect(i3d, options, video, video[::-1].copy(), block=4)
    assert arrays["start"].tolist() == [1, 4] and arrays["generated"].shape == (2, 400)
    for row, start in enumerate(arrays["start"]):
        alone = collect(i3d, i3d.Options(length=0), video[start : start + 10], video[:10])
        assert np.array_equal(alone["generated"][0], arrays["generated"][row])


def test_blocks_and_cores_change_no_bit():
    video = panned(11, 64, 64, 2)
    options = i3d.Options(length=9, stride=2)
    assert_blocks_and_cores_change_no_bit(i3d, options, video, video[:, ::-1].copy(), block=5)


def test_short_clips_and_wrong_words_are_refused():
    def context(frames):
        return ClipContext("brief", frames, Fraction(25), (64, 64), (64, 64))

    with pytest.raises(
        InputError, match="clip brief: found 15 frames, FVD needs at least 16 for a window of 16 frames"
    ):
        i3d.check(i3d.Options(), context(15))
    with pytest.raises(InputError, match="found 20 frames, FVD needs at least 21 .* from frame 5 on"):
        i3d.collector(i3d.Options(offset=5), context(20))
    with pytest.raises(InputError, match="found 5 frames, FVD needs at least 9"):
        i3d.check(i3d.Options(length=0), context(5))
    i3d.check(i3d.Options(), context(16))
    for wrong in (
        {"resize": "squash"},
        {"first": "128"},
        {"range": "u8"},
        {"length": 8},
        {"stride": -1},
        {"offset": -1},
        {"epsilon": 0.0},
    ):
        with pytest.raises(UsageError, match="expected"):
            i3d.Options(**wrong)


def test_every_choice_shows_in_the_signature():
    base = i3d.Options()
    changes = (
        {"first": "crop-antialias-128"},
        {"resize": "tf-squash"},
        {"range": "01"},
        {"length": 0},
        {"stride": 1},
        {"offset": 2},
        {"epsilon": 1e-5},
        {"against": "driving"},
    )
    found = {i3d.signature(base)} | {i3d.signature(i3d.Options(**change)) for change in changes}
    assert len(found) == len(changes) + 1


def test_padding_is_tensorflows_same():
    assert [same_padding(n, 7, 2) for n in (16, 224, 9)] == [(2, 3), (2, 3), (3, 3)]
    assert [same_padding(n, 3, 2) for n in (112, 15)] == [(0, 1), (1, 1)] and same_padding(4, 2, 2) == (0, 0)
