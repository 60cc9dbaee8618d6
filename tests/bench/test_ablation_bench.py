"""The ablations' bench measures where it says and its page says no more than the intervals."""

import sys
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def beside(monkeypatch):
    """Benches import each other by name, as when they are run as scripts."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("ablation_", "bench_")):
            del sys.modules[name]


def case(side=64):
    """A face in the middle of two frames; the second turned away."""
    face = np.zeros((2, 68, 2))
    face[:, 36:42], face[:, 42:48], face[:, 48:68] = (24, 26), (40, 26), (32, 42)
    for first, end in ((36, 42), (42, 48), (48, 68)):
        angle = np.linspace(0, 2 * np.pi, end - first, endpoint=False)
        face[:, first:end] += 3.0 * np.stack([np.cos(angle), np.sin(angle)], 1)
    return {
        "truth": np.full((2, side, side, 3), 100, np.uint8), "face_px": face, "head_px": np.full((2, 2), 32.0),
        "head_radius_px": np.full(2, 20.0), "truth_facing": np.array([True, False]),
    }  # fmt: skip


def test_regions_are_where_the_face_is():
    from ablation_scores import face_regions, head_discs

    disc, region = head_discs(case()), face_regions(case())
    assert disc.sum((1, 2)) == pytest.approx(np.pi * 400, rel=0.02)
    assert disc[0, 32, 51] and not disc[0, 32, 53]
    assert region[0, 26, 24] and region[0, 26, 40] and region[0, 42, 32] and not region[0, 34, 32]
    assert not (region & ~disc).any()


def test_an_error_counts_only_in_its_region_and_only_where_the_face_is_seen(monkeypatch):
    import ablation_scores
    from ablation_scores import Judge

    judge = Judge.__new__(Judge)
    judge._lpips = type("Same", (), {"distance": lambda *_: 0.0})()
    monkeypatch.setattr(Judge, "_expressions", lambda self, frames, _: frames[:, :1, :52, 0].reshape(2, 52) / 100.0)
    given = case() | {"crop_affine": None}
    film = given["truth"].copy()
    exact = judge.measure(film, given)
    assert exact["psnr_db"] > 100 and exact["ssim"] == 1 and exact["face_error"] == exact["expression_error"] == 0
    film[ablation_scores.face_regions(given)] += 10
    film[1] += 40  # turned away: the face is not judged there
    made = judge.measure(film, given)
    assert made["face_error"] == pytest.approx(10) and made["expression_error"] == 0
    share = ablation_scores.face_regions(given)[0].sum() / ablation_scores.head_discs(given)[0].sum()
    assert made["head_error"] == pytest.approx(10 * share + 20, rel=1e-6)
    small = judge.measure(film, given | {"head_radius_px": np.full(2, 8.0)})
    assert small["face_error"] is None and small["expression_error"] is None


def test_crop_affine_undoes_the_window():
    from ablation_cases import _crop_affine

    from stages.body.framing import Window

    window = Window(1.7, (5.0, -9.0), 64, 64)
    affine = np.array([[[0.5, 0.0, 3.0], [0.0, 0.5, -4.0]]])
    point = np.array([31.0, 12.0])
    there = _crop_affine(affine, window)[0] @ np.append(window.points(point), 1.0)
    assert np.allclose(there, affine[0] @ np.append(point, 1.0))


def test_a_difference_is_paired_and_the_verdict_follows_the_interval():
    from ablation_page import _verdict, excludes_zero
    from ablation_scores import METRICS
    from bench_ablations import difference

    rng = np.random.default_rng(0)
    names = [f"self-{n}" for n in range(12)]
    base = {name: float(value) for name, value in zip(names, rng.normal(20, 5, 12), strict=True)}
    lower = {name: value - 1.0 + 0.1 * float(rng.normal()) for name, value in base.items()}
    lower["self-3"] = None
    found = difference(lower, base)
    assert found["n"] == 11 and found["mean"] == pytest.approx(-1, abs=0.1) and excludes_zero(found)
    nothing = difference({name: base[names[-1 - index]] for index, name in enumerate(names)}, base)
    assert not excludes_zero(nothing)
    table = {metric: nothing for metric in METRICS} | {"psnr_db": found}
    assert _verdict({"self": table}) == "Self-driven: PSNR dB worse; every other interval includes zero."
    assert "no difference is shown" in _verdict({"cross": {metric: nothing for metric in METRICS}})
    wide = {"self": {metric: found | {"low": -2.0, "high": 0.5} for metric in METRICS}}
    assert "PSNR dB different, but no more than another seed may be" in _verdict({"self": table}, wide)


def test_what_is_compared_with_what():
    from ablation_scores import variants

    made = {variant.name: variant for variant in variants(["base", "no-face"])}
    assert made["no-face"].against == "base" and made["base-three-references"].references == 3
    assert made["base-no-bones"].free_bones and made["shipped-no-bones"].against == "shipped"
    assert made["shipped-no-face-0"].shown_as == "no-face" and made["shipped-no-face-1"].plain_face
    assert {variant.run for variant in variants([])} == {"shipped", "held", "carried"}
    assert all(variant.against in made for variant in made.values() if variant.against)


def test_films_that_need_no_network():
    from ablation_scores import plain_film

    given = case() | {"refs": np.arange(3, dtype=np.uint8)[:, None, None, None] + np.zeros((3, 64, 64, 3), np.uint8)}
    given["warp"] = given["truth"] + np.uint8(1)
    assert (plain_film(given, "held") == 0).all() and plain_film(given, "held").shape == given["truth"].shape
    assert plain_film(given, "carried") is given["warp"]
