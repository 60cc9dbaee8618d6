"""PSNR, SSIM and L1: closed forms, scikit-image in float64, DisCo's habits written out, known answers, blocks."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

from stages.core.errors import InputError, UsageError
from stages.metrics import l1, psnr, ssim
from stages.metrics.interface import Block, ClipContext
from tests.metrics.calibration import NAMES, calibration_pairs


@pytest.fixture(scope="module")
def pair():
    """Two pictures uint8 [61, 83, 3] with structure: a scene of gradients and edges, and a noisy, darker one."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[:61, :83]
    scene = np.stack([127 + 100 * np.sin(x / 7), 4 * y, np.where((x // 9 + y // 9) % 2, 220, 30)], axis=-1)
    noisy = 0.8 * scene + generator.normal(0, 25, scene.shape)
    return tuple(np.clip(picture, 0, 255).astype(np.uint8) for picture in (noisy, scene))


def _by_scikit_image(a, b, options, channel_axis=None):
    from skimage.metrics import structural_similarity

    window = {"gaussian_weights": True, "sigma": 1.5} if options.window == "gaussian" else {}
    sample = options.covariance == "sample"
    return structural_similarity(
        a, b, data_range=options.data_range, use_sample_covariance=sample, channel_axis=channel_axis, **window
    )


@pytest.mark.parametrize("window", ssim.WINDOWS)
@pytest.mark.parametrize("covariance", ssim.COVARIANCES)
@pytest.mark.parametrize("colour", ssim.COLOURS)
def test_ssim_equals_scikit_image(pair, window, covariance, colour):
    import cv2

    options = ssim.Options(window=window, covariance=covariance, colour=colour)
    if colour == "rgb":
        expected = _by_scikit_image(*pair, options, channel_axis=2)
    elif colour == "cv2-gray":  # DisCo reads BGR and takes BGR2GRAY
        expected = _by_scikit_image(*(cv2.cvtColor(p[..., ::-1], cv2.COLOR_BGR2GRAY) for p in pair), options)
    else:
        luma = [0.299 * p[..., 0] + 0.587 * p[..., 1] + 0.114 * p[..., 2] for p in pair]
        luma = [np.rint(y) if colour == "luma-rounded" else y for y in luma]
        expected = _by_scikit_image(*luma, options)
    found = ssim.ssim(*pair, options)
    assert abs(found - expected) < 1e-10, (found, expected)


def test_ssim_of_disco_is_scikit_image_with_its_defaults(pair):
    import cv2
    from skimage.metrics import structural_similarity

    gray = [cv2.cvtColor(np.ascontiguousarray(p[..., ::-1]), cv2.COLOR_BGR2GRAY) for p in pair]
    expected = structural_similarity(*gray, full=True)[0]
    options = ssim.Options(window="uniform", colour="cv2-gray", covariance="sample")
    assert ssim.ssim(*pair, options) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("window", ssim.WINDOWS)
def test_ssim_with_mirrored_edges_equals_filters_over_the_whole_picture(pair, window):
    """As torchmetrics: every pixel has its window, the picture is mirrored without repeating its edge."""
    from scipy.ndimage import correlate1d

    taps = np.array(ssim.window_taps(window))
    c1, c2 = 2.55**2, 7.65**2

    def mean(values):
        return correlate1d(correlate1d(values, taps, 0, mode="mirror"), taps, 1, mode="mirror")

    values = []
    for x, y in zip(*(picture.astype(float).transpose(2, 0, 1) for picture in pair), strict=True):
        mx, my = mean(x), mean(y)
        variances = mean(x * x) - mx**2 + mean(y * y) - my**2
        covariance = mean(x * y) - mx * my
        values.append((2 * mx * my + c1) * (2 * covariance + c2) / ((mx**2 + my**2 + c1) * (variances + c2)))
    options = ssim.Options(colour="rgb", window=window, border="reflect")
    assert ssim.ssim(*pair, options) == pytest.approx(np.mean(values), abs=1e-12)
    assert ssim.ssim(*pair, options) != ssim.ssim(*pair, ssim.Options(colour="rgb", window=window))


def test_ssim_closed_forms(pair):
    options = ssim.Options(colour="rgb")
    black, white = np.zeros((20, 24, 3), np.uint8), np.full((20, 24, 3), 255, np.uint8)
    c1 = (0.01 * 255) ** 2
    assert ssim.ssim(black, white, options) == pytest.approx(c1 / (255.0**2 + c1), rel=1e-12)  # 9.999e-05
    for colour in ssim.COLOURS:
        assert ssim.ssim(pair[0], pair[0], ssim.Options(colour=colour)) == pytest.approx(1.0, abs=1e-14)
    flat = ssim.ssim(black + 50, black + 90, options)
    assert flat == pytest.approx((2 * 50 * 90 + c1) / (50**2 + 90**2 + c1), rel=1e-10)
    assert ssim.ssim(*pair, options) == ssim.ssim(*pair[::-1], options)


def test_ssim_of_one_window_by_hand():
    """An 11x11 picture has one gaussian window, a 7x7 one uniform window."""
    generator = np.random.default_rng(1)
    for window, size in (("gaussian", 11), ("uniform", 7)):
        a, b = generator.integers(0, 256, (2, size, size, 3), dtype=np.uint8)
        taps = np.array(ssim.window_taps(window))
        w = taps[:, None] * taps
        values = []
        for x, y in zip(a.astype(float).transpose(2, 0, 1), b.astype(float).transpose(2, 0, 1), strict=True):
            mx, my = (w * x).sum(), (w * y).sum()
            vx, vy, vxy = (w * (x - mx) ** 2).sum(), (w * (y - my) ** 2).sum(), (w * (x - mx) * (y - my)).sum()
            c1, c2 = 2.55**2, 7.65**2
            values.append((2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
        assert ssim.ssim(a, b, ssim.Options(window=window, colour="rgb")) == pytest.approx(np.mean(values), rel=1e-10)


def test_ssim_refuses_what_is_too_small_or_unknown():
    small = np.zeros((10, 30, 3), np.uint8)
    with pytest.raises(InputError, match="frames are 10x30, expected at least 11x11"):
        ssim.ssim(small, small, ssim.Options())
    for wrong in ({"window": "box"}, {"colour": "gray"}, {"covariance": "n"}, {"border": "zero"}, {"data_range": 0}):
        with pytest.raises(UsageError, match=r"^ssim: "):
            ssim.Options(**wrong)
    signatures = {ssim.signature(ssim.Options(window=w, colour=c)) for w in ssim.WINDOWS for c in ssim.COLOURS}
    assert len(signatures) == 8


def test_psnr_equals_scikit_image(pair):
    from skimage.metrics import peak_signal_noise_ratio

    found = psnr.psnr(*pair, psnr.Options())
    assert found == pytest.approx(peak_signal_noise_ratio(pair[1], pair[0]), abs=1e-10)


def test_psnr_closed_forms():
    a = np.full((8, 9, 3), 100, np.uint8)
    b = a + np.uint8(16)
    assert psnr.psnr(a, b, psnr.Options()) == pytest.approx(20 * np.log10(255 / 16), rel=1e-14)
    assert psnr.psnr(a, a, psnr.Options()) == 100.0
    # DisCo's uint8: 100 - 116 wraps to 240, whose square wraps to 0: "identical"; one grey level less gives 15^2 = 225.
    assert psnr.psnr(b, a, psnr.Options(overflow=True)) == 100.0
    assert psnr.psnr(a + np.uint8(15), a, psnr.Options(overflow=True)) == pytest.approx(10 * np.log10(255**2 / 225))
    assert psnr.psnr(a, a + np.uint8(20), psnr.Options(overflow=True)) == pytest.approx(10 * np.log10(255**2 / 144))


def test_psnr_overflow_is_numpy_on_uint8(pair):
    generated, real = pair
    mse = np.mean((real - generated) ** 2)
    found = psnr.psnr(generated, real, psnr.Options(overflow=True))
    assert found == pytest.approx(10 * np.log10(255.0**2 / mse), rel=1e-13)
    assert found > psnr.psnr(generated, real, psnr.Options()) + 3  # the overflow flatters


def test_squares_stay_exact_in_large_pictures():
    black, white = np.zeros((2160, 3840, 3), np.uint8), np.full((2160, 3840, 3), 255, np.uint8)
    white[0, 0, 0] = 254
    exact = (255**2 * (white.size - 1) + 254**2) / white.size
    assert psnr.psnr(black, white, psnr.Options()) == 10 * np.log10(255.0**2 / exact)


def test_l1(pair):
    difference = np.abs(pair[0].astype(float) - pair[1])
    assert l1.l1(*pair, l1.Options()) == pytest.approx(difference.mean(), rel=1e-14)
    assert l1.l1(*pair, l1.Options(peak=1.0)) == pytest.approx(difference.mean() / 255, rel=1e-14)
    disco = (difference / (61 * 83)).mean()
    assert l1.l1(*pair, l1.Options(over_pixels=True)) == pytest.approx(disco, rel=1e-13)
    with pytest.raises(UsageError, match="peak is 2"):
        l1.Options(peak=2.0)


@pytest.mark.parametrize("module", [psnr, ssim, l1])
def test_blocks_of_any_length_give_the_same_bits(module):
    generator = np.random.default_rng(2)
    generated = generator.integers(0, 256, (7, 24, 30, 3), dtype=np.uint8)
    real = generator.integers(0, 256, (7, 24, 30, 3), dtype=np.uint8)
    generated[3] = real[3]
    context = ClipContext("a", 7, Fraction(25), (24, 30), (24, 30))
    results = []
    for cuts in ([0, 7], [0, 1, 2, 3, 4, 5, 6, 7], [0, 3, 7]):
        taker = module.collector(module.Options(), context)
        for first, last in zip(cuts, cuts[1:], strict=False):
            taker.add(Block(first, generated[first:last], real[first:last]))
        results.append(taker.finish())
    specs = module.arrays(module.Options())
    for result in results:
        assert set(result) == set(specs)
        for name, spec in specs.items():
            assert result[name].dtype == spec.dtype and result[name].shape == (7,)
            assert result[name].tobytes() == results[0][name].tobytes()
    if module is psnr:
        assert results[0]["identical_frames"].tolist() == [False] * 3 + [True] + [False] * 3
        assert results[0]["value"][3] == 100.0


@pytest.mark.parametrize("module", [psnr, ssim, l1])
def test_sizes_must_agree_unless_alignment_is_asked_for(module):
    block = Block(0, np.zeros((1, 20, 30, 3), np.uint8), np.zeros((1, 40, 60, 3), np.uint8))
    context = ClipContext("a", 1, Fraction(25), (20, 30), (40, 60))
    with pytest.raises(InputError, match="20x30, real ones 40x60"):
        module.collector(module.Options(align="none"), context).add(block)
    for align in ("lanczos", "cv2-bilinear", "torch-bilinear"):
        taker = module.collector(module.Options(align=align), context)
        taker.add(block)
        assert taker.finish()["value"].shape == (1,)


@pytest.mark.assets
def test_known_answers(assets):
    from PIL import Image

    folder = assets / "metrics"
    entries = {entry["id"]: entry for entry in json.loads((folder / "expected.json").read_text())["psnr_ssim"]}
    measured = {
        "psnr-ex": lambda a, b: psnr.psnr(a, b, psnr.Options()),
        "ssim-rgb-ex": lambda a, b: ssim.ssim(a, b, ssim.Options(colour="rgb")),
        "ssim-luma-rounded-ex": lambda a, b: ssim.ssim(a, b, ssim.Options(colour="luma-rounded")),
    }
    pictures = {name: np.asarray(Image.open(folder / f"ex_{name}.png").convert("RGB")) for name in ("ref", "p0", "p1")}
    for name, metric in measured.items():
        for other in ("p0", "p1"):
            entry = entries[f"{name}-{other}"]
            found = metric(pictures[other], pictures["ref"])
            assert found == pytest.approx(entry["measured"], **entry["tolerance"]), entry["id"]
    black, white = np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 255, np.uint8)
    entry = entries["ssim-zeros-ones"]
    assert ssim.ssim(black, white, ssim.Options(colour="rgb")) == pytest.approx(entry["measured"], **entry["tolerance"])
    assert psnr.psnr(black, white, psnr.Options()) == entries["psnr-zeros-ones"]["measured"]


def test_published_values_of_the_calibration_pictures():
    """Wang's Matlab SSIM (published to four digits) and scikit-image's PSNR (to two); DisCo's forms as run on them."""
    pairs = calibration_pairs()
    columns = {
        "Matlab SSIM": (ssim.ssim, ssim.Options(colour="luma-rounded"), (0.6993, 0.9978, 0.9989, 0.9669, 0.6519), 1e-4),
        "PSNR": (psnr.psnr, psnr.Options(), (21.1136, 20.9872, 27.0139, 23.3002, 21.6186), 6e-5),
        "DisCo's SSIM": (
            ssim.ssim,
            ssim.Options(window="uniform", colour="cv2-gray", covariance="sample"),
            (0.66522, 0.99786, 0.99891, 0.96785, 0.65042),
            6e-6,
        ),
        "SSIM of the channels": (
            ssim.ssim,
            ssim.Options(colour="rgb"),
            (0.67317, 0.93252, 0.98963, 0.96743, 0.63073),
            6e-6,
        ),
        "DisCo's PSNR": (psnr.psnr, psnr.Options(overflow=True), (28.99, 28.39, 30.89, 42.98, 28.95), 6e-3),
    }
    for name, (metric, options, expected, tolerance) in columns.items():
        deviation = np.abs([metric(*pairs[picture], options) for picture in NAMES] - np.array(expected))
        assert deviation.max() < tolerance, f"{name}: off by {deviation} > {tolerance}"
