"""Retrieval and identity probe on features whose answers are known."""

import numpy as np
import pytest
import torch

from stages.training.face_measures import SameFace, identity_probe, linear_reader, retrieval_top1

PEOPLE, FACES, SIZE = 8, 40, 24


@pytest.fixture
def faces():
    """Independent faces, the same for everyone, float [1, E, D]."""
    return np.random.default_rng(0).normal(size=(1, FACES, SIZE))


@pytest.fixture
def person():
    """Independent people, the same in every face, float [P, 1, D]."""
    return np.random.default_rng(1).normal(size=(PEOPLE, 1, SIZE))


def noise(size=1.0):
    return size * np.random.default_rng(2).normal(size=(PEOPLE, FACES, SIZE))


def test_features_of_the_face_alone_find_the_face_and_not_the_person(faces):
    features = faces + noise(0.1)
    assert retrieval_top1(features) == 1.0
    assert identity_probe(features) < 2.0 / PEOPLE


def test_features_of_the_person_alone_find_the_person_and_not_the_face(person):
    features = person + noise(0.1)
    assert retrieval_top1(features) < 3.0 / FACES
    assert identity_probe(features) > 0.99


def test_pure_noise_is_at_chance():
    assert retrieval_top1(noise()) == pytest.approx(1 / FACES, abs=0.02)
    assert identity_probe(noise()) == pytest.approx(1 / PEOPLE, abs=0.08)


def test_neither_counts_what_scale_and_shift_do(faces, person):
    features = faces + 0.5 * person + noise(0.5)
    moved = 7.0 * features + 3.0
    assert retrieval_top1(moved) == retrieval_top1(features)
    assert identity_probe(moved) == pytest.approx(identity_probe(features), abs=0.01)
    assert 2.0 / PEOPLE < identity_probe(features)  # a lean of half the noise is read in 24 channels


def test_the_probe_also_works_where_no_gradient_is_wanted(person):
    features = person + noise(0.5)
    with torch.no_grad():
        without = identity_probe(features)
    assert without == identity_probe(features)


def test_retrieval_needs_another_person(faces):
    with pytest.raises(ValueError, match="found 1 people"):
        retrieval_top1(faces)


def test_reader_finds_a_known_direction():
    rng = np.random.default_rng(3)
    features, direction = rng.normal(size=(400, SIZE)) + 5.0, rng.normal(size=SIZE)
    found, offset = linear_reader(features, features @ direction + 2.0, decay=1e-9)
    assert np.abs(found - direction).max() < 1e-6 and offset == pytest.approx(2.0, abs=1e-4)


@pytest.fixture
def others():
    """(features [n, D], labels [n, L]) of other people: labels in six directions, noise that differs by direction."""
    rng = np.random.default_rng(4)
    labels, spread = rng.normal(size=(4000, 6)), np.linspace(0.2, 3.0, SIZE)
    return labels @ loading() + spread * rng.normal(size=(4000, SIZE)), labels


def loading():
    return np.random.default_rng(5).normal(size=(6, SIZE))


def test_faces_are_found_better_where_it_is_known_what_varies_without_them(others):
    made = np.random.default_rng(6).normal(size=(1, FACES, 6)) @ loading()
    features = made + np.linspace(0.2, 3.0, SIZE) * noise()
    plain, fitted = retrieval_top1(features), retrieval_top1(features, distances=SameFace.fitted(*others))
    assert fitted > plain + 0.15, (plain, fitted)


def test_the_distance_is_the_ratio_of_two_likelihoods(others):
    from scipy.stats import multivariate_normal

    told = SameFace.fitted(*others)
    at = (others[0][:5] - told.mean) @ told.turned
    wanted = np.zeros((5, 5))
    for one in range(5):
        for two in range(5):
            for size, a, b in zip(told.between, at[one], at[two], strict=True):
                same = multivariate_normal(cov=[[size + 1, size], [size, size + 1]]).logpdf([a, b])
                alone = multivariate_normal(cov=size + 1)
                wanted[one, two] += alone.logpdf(a) + alone.logpdf(b) - same
    found = told(others[0][:5])
    np.testing.assert_allclose(found - found[0, 0], wanted - wanted[0, 0], atol=1e-9)


def test_numbers_that_never_change_are_passed_over(others):
    features, labels = others
    padded = np.concatenate([features, np.full((len(features), 2), 3.0)], 1)
    once, again = SameFace.fitted(features, labels), SameFace.fitted(padded, labels)
    np.testing.assert_allclose(once(features[:9]), again(padded[:9]), atol=1e-6)
