"""The Frechet distance: closed forms, other implementations, known answers, what must not matter, error, limit."""

from __future__ import annotations

import json

import numpy as np
import pytest

from stages.core.errors import InputError, UsageError
from stages.metrics.feature_sets import gather
from stages.metrics.frechet_distance import Options, extrapolated, frechet_distance, halves_of_real, summarise
from stages.metrics.interface import ClipArrays


def _clips(generator, count, rows, width, shift=0.0, scale=1.0):
    """Clips of `rows` float32 features; generated ones shifted and scaled."""
    return [
        ClipArrays(
            f"clip{index:03d}",
            -1,
            {
                "generated": (generator.standard_normal((rows, width)) * scale + shift).astype(np.float32),
                "real": generator.standard_normal((rows, width)).astype(np.float32),
            },
        )
        for index in range(count)
    ]


def _exactly(generator, rows, mean, covariance):
    """float64 [rows, D] whose sample mean and n-1 covariance are the ones given."""
    x = generator.standard_normal((rows, len(mean)))
    x -= x.mean(axis=0)
    white = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    return white @ np.linalg.cholesky(covariance).T + mean


def _textbook(a, b, ddof=1):
    """The formula with a matrix root, written independently."""
    from scipy.linalg import sqrtm

    ca, cb = np.cov(a, rowvar=False, ddof=ddof), np.cov(b, rowvar=False, ddof=ddof)
    root = sqrtm(ca @ cb).real
    return float(np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(ca) + np.trace(cb) - 2 * np.trace(root))


def test_two_gaussians_of_known_mean_and_covariance():
    generator = np.random.default_rng(0)
    a_sd, b_sd, shift = np.array([1.0, 2.0, 3.0, 0.5]), np.array([2.0, 2.0, 1.0, 0.1]), np.array([1.0, -2.0, 0.0, 0.5])
    turn = np.linalg.qr(generator.standard_normal((4, 4)))[0]  # one rotation for both: covariances commute
    a = _exactly(generator, 50, np.zeros(4), turn @ np.diag(a_sd**2) @ turn.T)
    b = _exactly(generator, 70, turn @ shift, turn @ np.diag(b_sd**2) @ turn.T)
    expected = np.sum(shift**2) + np.sum((a_sd - b_sd) ** 2)
    for root in ("auto", "singular"):
        assert frechet_distance(a, b, root=root) == pytest.approx(expected, rel=1e-11), root


@pytest.mark.parametrize(("n", "m", "width"), [(90, 70, 24), (10, 200, 24), (200, 10, 24), (12, 9, 64)])
@pytest.mark.parametrize("covariance", ["n-1", "n"])
def test_equals_the_formula_with_a_matrix_root(n, m, width, covariance):
    generator = np.random.default_rng(n + m)
    a, b = generator.standard_normal((n, width)), generator.standard_normal((m, width)) * 1.3 + 0.2
    tolerance = 1e-9 if min(n, m) > width else 1e-5  # the matrix root of a singular product is what is off
    expected = _textbook(a, b, ddof=int(covariance == "n-1"))
    for root in ("auto", "singular"):
        assert frechet_distance(a, b, covariance, root=root) == pytest.approx(expected, rel=tolerance), root


def test_one_direction_with_fewer_samples_than_dimensions_is_exact():
    """Two samples at +-x and two at +-y: rank-one covariances 2xx' and 2yy', tr of the root = 2 |x'y|."""
    generator = np.random.default_rng(3)
    x, y = generator.standard_normal((2, 300))
    expected = 2 * x @ x + 2 * y @ y - 4 * abs(x @ y)
    found = frechet_distance(np.stack([x, -x]), np.stack([y, -y]))
    assert found == pytest.approx(expected, rel=1e-13)


def test_copied_and_constant_features_take_the_exact_way():
    generator = np.random.default_rng(4)
    a, b = generator.standard_normal((80, 12)), generator.standard_normal((80, 12)) * 0.5
    expected = frechet_distance(a, b)
    copied = frechet_distance(np.hstack([a, a]) / np.sqrt(2), np.hstack([b, b]) / np.sqrt(2))
    constant = frechet_distance(np.hstack([a, np.full((80, 3), 7.0)]), np.hstack([b, np.full((80, 3), 7.0)]))
    assert copied == pytest.approx(expected, rel=1e-12)
    assert constant == pytest.approx(expected, rel=1e-12)


def test_the_same_set_has_distance_zero_and_a_shift_its_square():
    a = np.random.default_rng(5).standard_normal((40, 16))
    assert abs(frechet_distance(a, a)) < 1e-12
    assert frechet_distance(a + 3.0, a) == pytest.approx(16 * 9.0, rel=1e-12)
    assert frechet_distance(np.zeros((8, 4)), np.ones((8, 4))) == 4.0


def test_rows_in_blocks_equal_rows_at_once(monkeypatch):
    generator = np.random.default_rng(6)
    a, b = generator.standard_normal((300, 40)), generator.standard_normal((25, 40))
    whole = frechet_distance(a, b)
    monkeypatch.setattr("stages.metrics.frechet_distance._ROWS", 32)
    assert frechet_distance(a, b) == pytest.approx(whole, rel=1e-12)
    assert frechet_distance(a, a[:200]) == pytest.approx(frechet_distance(a, a[:200], root="singular"), rel=1e-12)


@pytest.mark.assets
def test_known_answers(assets):
    """FVD of 128 noise clips (published 10.13808536529541) and FID-64 of 100 noise pictures."""
    folder = assets / "metrics"
    entries = {entry["id"]: entry for entry in json.loads((folder / "expected.json").read_text())["frechet"]}
    i3d = [np.load(folder / name) for name in entries["frechet-i3d-random"]["inputs"]]
    with np.load(folder / "torchmetrics_fid64_feats.npz") as kept:
        inception = [kept["a"], kept["b"]]
    for name, pair, by_n in (("frechet-i3d-random", i3d, 10.062797), ("frechet-inception64", inception, 12.667966)):
        entry = entries[name]
        assert frechet_distance(*pair) == pytest.approx(entry["measured"], **entry["tolerance"]), name
        assert frechet_distance(*pair, covariance="n") == pytest.approx(by_n, rel=1e-7), name
    published = entries["frechet-i3d-random"]
    assert frechet_distance(*i3d) == pytest.approx(published["published"], **published["published_tolerance"])


@pytest.mark.parametrize("rows", [3, 12])
def test_order_of_clips_and_threads_change_no_bit(rows):
    import torch

    clips = _clips(np.random.default_rng(7), 12, rows, 30, 0.3)  # fewer and more samples than dimensions
    whole = summarise(Options(), clips)
    assert summarise(Options(), clips[7:] + clips[:7][::-1]) == whole
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert summarise(Options(), clips) == whole
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_error_of_the_jackknife_is_the_spread_over_new_samples():
    values, errors = [], []
    for seed in range(40):
        summary = summarise(Options(extrapolate=False), _clips(np.random.default_rng(seed), 20, 4, 5, 0.8))
        values.append(summary.value)
        errors.append(summary.extra["jackknife_se"])
        low, high = summary.interval
        assert low <= summary.value <= high
    assert np.mean(errors) == pytest.approx(np.std(values, ddof=1), rel=0.3)  # sd of 40 draws is itself good to 11%


def test_extrapolation_takes_the_bias_away_on_a_falling_spectrum():
    """Truth 0.2 of the total variance: a shift of the mean, spectrum 1/k, D = 64, N = 300."""
    spectrum = 1.0 / np.arange(1, 65)
    truth = 0.2 * spectrum.sum()
    values, limits = [], []
    for seed in range(6):
        clips = _clips(np.random.default_rng(seed), 60, 5, 64)
        shift = np.zeros(64)
        shift[-1] = np.sqrt(truth)
        scaled = [
            ClipArrays(c.name, -1, {n: a * np.sqrt(spectrum) + shift * (n == "real") for n, a in c.arrays.items()})
            for c in clips
        ]
        sets = gather(scaled, "generated", "real", False)
        values.append(frechet_distance(*sets.stacked()))
        limits.append(extrapolated(Options(), sets))
    assert np.mean(values) > 1.15 * truth
    assert np.mean(limits) == pytest.approx(truth, rel=0.03)


def test_few_samples_say_so():
    one = summarise(Options(), _clips(np.random.default_rng(8), 1, 1, 4))
    assert np.isnan(one.value) and one.interval is None and one.method == "needs 2 samples on each side, found 1 and 1"
    clips = _clips(np.random.default_rng(8), 1, 1, 4)
    difference = clips[0].arrays["generated"].astype(float) - clips[0].arrays["real"]
    assert summarise(Options(single="mean-term"), clips).value == pytest.approx(float(np.sum(difference**2)))
    two = summarise(Options(), _clips(np.random.default_rng(8), 2, 1, 4))
    assert (
        np.isfinite(two.value) and two.interval is None and "extrapolated" not in two.extra
    )  # one clip left: no covariance
    empty = summarise(Options(), [ClipArrays("a", -1, {"generated": np.zeros((0, 4)), "real": np.zeros((0, 4))})])
    assert np.isnan(empty.value) and empty.n_samples == 0
    assert np.isnan(summarise(Options(), []).value)


def test_wrong_features_are_one_line():
    clips = _clips(np.random.default_rng(9), 3, 4, 5)
    clips[1].arrays["real"][2, 3] = np.nan
    with pytest.raises(InputError, match=r"^clip001: features 'real' hold NaN"):
        summarise(Options(), clips)
    clips[1].arrays["real"] = np.zeros((4, 6), np.float32)
    with pytest.raises(InputError, match=r"^clip001: features 'real' are \(4, 6\), expected \[N, 5\]"):
        summarise(Options(), clips)
    with pytest.raises(InputError, match="no features 'pool'"):
        summarise(Options(real="pool"), clips)
    with pytest.raises(UsageError, match="covariance is 'n-2'"):
        Options(covariance="n-2")


def test_the_reference_frame_is_left_out_of_both_sides():
    clips = _clips(np.random.default_rng(10), 4, 6, 3)
    marked = [ClipArrays(clip.name, 2, clip.arrays) for clip in clips]
    cut = [ClipArrays(c.name, -1, {n: np.delete(a, 2, axis=0) for n, a in c.arrays.items()}) for c in clips]
    assert summarise(Options(exclude_reference=True), marked) == summarise(Options(), cut)
    assert summarise(Options(), marked) == summarise(Options(), clips)


def test_halves_of_the_real_clips():
    clips = _clips(np.random.default_rng(11), 10, 8, 3, shift=5.0)
    floor = halves_of_real(Options(), clips)
    assert floor.n_samples == 40 and 0.0 < floor.value < 1.0 and floor.extra["splits_sd"] > 0
    first = np.concatenate([clip.arrays["real"] for clip in clips[::2]])
    second = np.concatenate([clip.arrays["real"] for clip in clips[1::2]])
    assert halves_of_real(Options(), clips, splits=1).value == frechet_distance(first, second)
    assert halves_of_real(Options(), clips[::-1]) == floor
    assert np.isnan(halves_of_real(Options(), clips[:1]).value)
