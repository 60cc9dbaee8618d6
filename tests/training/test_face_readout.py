"""The readout on features whose answers are known, and on a network."""

import numpy as np
import pytest
import torch

from stages.face.encoder import FaceEncoderConfig, FaceMotionNet
from stages.training.face_readout import PLAIN, between_people, neck_of, read_out, readout, reopen, telling_directions
from stages.training.recipe import FaceRecipe

PEOPLE, CROPS, NECK = 300, 20, 96
OTHERS = [unit for unit in range(54) if unit not in PLAIN]


@pytest.fixture
def known():
    """(features, labels, people): every label adds its own direction, loud or faint; a person adds a lean in the
    directions of the faint ones."""
    rng = np.random.default_rng(0)
    labels = rng.random((PEOPLE * CROPS, 54))
    loud = np.full(54, 0.05)
    loud[[*PLAIN, *OTHERS[:2]]] = 1.0
    axes = np.linalg.qr(rng.normal(size=(NECK, 54)))[0].T
    people = np.repeat(np.arange(PEOPLE), CROPS)
    lean = 0.5 * rng.normal(size=(PEOPLE, 48))[people] @ axes[OTHERS[2:]]
    return labels @ (loud[:, None] * axes) + lean + 0.1 * rng.normal(size=(len(labels), NECK)), labels, people


def share_of_people(code, people):
    """Of the variance of code [n, D], what lies between people."""
    means = np.stack([code[people == person].mean(0) for person in range(PEOPLE)])
    return means.var(0).sum() / code.var(0).sum()


def test_what_is_told_well_is_read_and_the_person_is_not(known):
    features, labels, people = known
    weight, bias = readout(features, labels, people, 2, 1.0)
    code = features @ weight + bias
    read = [np.corrcoef(code[:, unit], labels[:, unit])[0, 1] for unit in (*PLAIN, *OTHERS[:2])]
    assert min(read) > 0.93, read
    assert np.linalg.matrix_rank(weight, tol=1e-6 * np.linalg.norm(weight)) == len(PLAIN) + 2
    np.testing.assert_allclose(code.mean(0), labels.mean(0), atol=1e-9)
    many, more = readout(features, labels, people, 40, 1.0)
    few_people, many_people = (share_of_people(made, people) for made in (code, features @ many + more))
    assert few_people < 1.2 / CROPS and many_people > 2.0 / CROPS, (few_people, many_people)  # 1 / CROPS: by chance


def test_without_directions_only_jaw_lips_and_lids_are_read(known):
    weight, bias = readout(*known, 0, 1.0)
    assert not weight[:, OTHERS].any() and weight[:, PLAIN].any(0).all()
    np.testing.assert_allclose(bias[OTHERS], known[1].mean(0)[OTHERS])


def test_a_direction_that_names_people_is_given_up_where_the_person_counts_more():
    """Two labels: one loud beside a lean of the person, one fainter without."""
    rng = np.random.default_rng(7)
    labels, people = rng.normal(size=(PEOPLE * CROPS, 54)), np.repeat(np.arange(PEOPLE), CROPS)
    features = 0.3 * rng.normal(size=(len(labels), 8))
    features[:, 0] += labels[:, OTHERS[0]] + 0.5 * rng.normal(size=PEOPLE)[people]
    features[:, 1] += 0.5 * labels[:, OTHERS[1]]
    chosen = []
    for person in (1.0, 20.0):
        weight, _ = readout(features, labels, people, 1, person)
        chosen.append(int(np.abs(weight[:, OTHERS]).max(0).argmax()))
    assert chosen == [0, 1]


def test_what_people_have_in_common_is_found():
    rng = np.random.default_rng(8)
    people = np.repeat(np.arange(PEOPLE), CROPS)[rng.permutation(PEOPLE * CROPS)]
    lean = rng.normal(size=(PEOPLE, 3)) * [2.0, 1.0, 0.0]
    features = lean[people] + rng.normal(size=(len(people), 3))
    np.testing.assert_allclose(between_people(features, people), np.diag([4.0, 1.0, 0.0]), atol=0.5)
    assert not between_people(features[:3], np.arange(3)).any()


def test_labels_that_never_change_are_said_and_nothing_is_read():
    weight, bias = readout(np.random.default_rng(9).normal(size=(40, 8)), np.full((40, 54), 0.3), np.arange(40), 2, 6.0)
    np.testing.assert_allclose(weight, 0.0, atol=1e-9)
    np.testing.assert_allclose(bias, 0.3)


def test_directions_are_white_without_the_face_and_fall_with_it(known):
    features, labels = known[0] - known[0].mean(0), known[1] - known[1].mean(0)
    along, ratio = telling_directions(features, labels, 10)
    assert (np.diff(ratio) <= 0).all()
    said = labels @ np.linalg.lstsq(labels, features, rcond=None)[0]
    beside = (features - said) @ along
    np.testing.assert_allclose(beside.T @ beside / len(beside), np.eye(10), atol=0.15)
    np.testing.assert_allclose((said @ along).var(0), ratio, rtol=0.1)


class _Crops:
    """Random crops; how bright they are is how far the jaw is open, the other labels are drawn."""

    def __init__(self, count: int) -> None:
        self.where, self.people = list(range(count)), np.arange(count).reshape(-1, 4)

    def take(self, chosen):
        rng = np.random.default_rng(int(chosen[0]))
        level = rng.integers(30, 226, len(chosen))
        crops = np.clip(level[:, None, None, None] + rng.normal(0, 4, (len(chosen), 128, 128, 3)), 0, 255)
        labels = rng.random((len(chosen), 54)).astype(np.float32)
        labels[:, PLAIN[0]] = level / 255.0
        return torch.from_numpy(crops.astype(np.uint8)), torch.from_numpy(labels), None


def test_a_network_reads_along_few_directions_and_keeps_its_tokens():
    torch.manual_seed(0)
    network = FaceMotionNet(FaceEncoderConfig()).eval()
    format_before = [value.clone() for value in network.head_tokens.parameters()]
    read_out(network, _Crops(300), FaceRecipe(steps=1, directions=2), seed=0)
    crops = torch.rand(5, 3, 128, 128) * torch.linspace(0.2, 1.0, 5)[:, None, None, None]
    with torch.no_grad():
        code = network.code_of(network.features(crops))
        plain = torch.nn.functional.linear(neck_of(network, crops), network.head_code.weight, network.head_code.bias)
    assert all(torch.equal(*pair) for pair in zip(format_before, network.head_tokens.parameters(), strict=True))
    torch.testing.assert_close(code, plain, atol=1e-6, rtol=1e-6)  # gates are open
    assert torch.equal(code[:, 54:], code[:1, 54:].expand(5, -1))  # free codes are constants
    assert torch.linalg.matrix_rank(network.head_code.weight, rtol=1e-5) == len(PLAIN) + 2
    assert code[:, PLAIN[0]].std() > 0.01
    reopen(network)  # and can go on learning from there
    with torch.no_grad():
        torch.testing.assert_close(network.code_of(network.features(crops)), code, atol=1e-5, rtol=1e-5)
    assert torch.equal(network.head_gate.bias, torch.full((52,), 2.0))
