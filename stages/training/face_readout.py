"""The last step of the face encoder, in closed form: what of its features says the face and not who makes it.

Jaw, lips before a closed jaw and lids are read by plain regression: they are read well and name hardly anybody. All
other units go through a few directions together, those in which features vary most with the face beside all that varies
without it: light, noise, and the person, who counts more than the rest. Each is read as far as these directions say it.
Every further direction would read more of the units, and more of the person (docs/LOG.md). Source: linear discriminant
analysis (Fisher 1936) and reduced rank regression, with labels that are numbers.
"""

import numpy as np
import torch
from torch import Tensor

from stages.core.rng import numpy_rng
from stages.face.encoder import OPEN, SUPERVISED, FaceMotionNet
from stages.training.face_augment import augment
from stages.training.face_objective import UNITS
from stages.training.recipe import FaceRecipe

PLAIN = tuple(UNITS.index(name) for name in ("jawOpen", "mouthClose", "eyeBlinkLeft", "eyeBlinkRight"))
_OTHERS = [unit for unit in range(SUPERVISED) if unit not in PLAIN]
_ALWAYS = 20.0  # before the sigmoid of a gate that is open for good
_RIDGE = 0.05  # times the mean variance of what a regression looks at, and times numbers over crops: 0.001 of 10,000
_NOTHING = 1e-12  # as much where nothing varies: its regression is zero
_LEAST = 1e-6  # of the largest variance: no direction has less
_PASS = 64  # crops in one go


@torch.no_grad()
def read_out(network: FaceMotionNet, faces, recipe: FaceRecipe, seed: int) -> None:
    """Fit the map from the neck to the code anew; the free codes become constants, what they are on average.

    faces   crops with labels (stages.training.face_loop.Faces); some of them are read, changed as in training
    recipe  how many, along how many directions, and how much the person counts against one
    """
    rng = numpy_rng(seed, "train", "face", "readout")
    order = rng.permutation(len(faces.where))[: recipe.readout_crops]
    necks, labels = [], []
    for chosen in np.array_split(order, -(-len(order) // _PASS)):
        crops_u8, wanted, _ = faces.take(chosen)
        necks.append(neck_of(network, augment(crops_u8, rng)[0]))
        labels.append(wanted)
    neck = torch.cat(necks)
    owner = np.empty(len(faces.where), int)
    for number, crops in enumerate(faces.people):
        owner[crops] = number
    known = neck.double().numpy(), torch.cat(labels).double().numpy(), owner[order]
    weight, bias = readout(*known, recipe.directions, recipe.person)
    head, gate = network.head_code, network.head_gate
    free = head(neck.to(head.weight)).mean(0)[SUPERVISED:]
    head.weight.zero_()
    head.weight[:SUPERVISED].copy_(torch.from_numpy(weight.T))
    head.bias.copy_(torch.cat([torch.from_numpy(bias).to(free), free]))
    gate.weight.zero_()
    gate.bias.fill_(_ALWAYS)


@torch.no_grad()
def reopen(network: FaceMotionNet) -> None:
    """Let gates that a readout has opened for good learn again; what the network says stays as it is."""
    head, gate = network.head_code, network.head_gate
    shut = gate.bias >= _ALWAYS
    gate.bias[shut] = OPEN
    times = torch.ones_like(head.bias)
    times[: len(shut)][shut] = 1.0 / torch.sigmoid(gate.bias[shut])
    head.weight.mul_(times[:, None])
    head.bias.mul_(times)


def neck_of(network: FaceMotionNet, crops_01: Tensor) -> Tensor:
    """Float [B, N] of crops float [B, 3, S, S] in 0..1, what the code is read from."""
    device = network.head_code.weight.device
    return network.neck(network.features(crops_01.to(device))).float().cpu()


def readout(
    neck: np.ndarray, labels: np.ndarray, people: np.ndarray, directions: int, person: float
) -> tuple[np.ndarray, np.ndarray]:
    """(weight [N, 54], bias [54]) that read labels [n, 54] from neck [n, N] of people [n], as the module says.

    person  how much what varies between people counts against a direction, 1 = as all else that varies
    """
    middle, level = neck.mean(0), labels.mean(0)
    centred, wanted = neck - middle, labels - level
    weight = np.zeros((neck.shape[1], SUPERVISED))
    weight[:, PLAIN] = regression(centred, wanted[:, PLAIN])
    if directions:
        more = (person - 1.0) * between_people(beside(centred, wanted[:, _OTHERS]), people)
        along, _ = telling_directions(centred, wanted[:, _OTHERS], directions, more)
        weight[:, _OTHERS] = along @ regression(centred @ along, wanted[:, _OTHERS])
    return weight, level - middle @ weight


def regression(known: np.ndarray, wanted: np.ndarray, decay: float | None = None) -> np.ndarray:
    """Ridge regression [D, L] or [D] of centred numbers [n, L] or [n] on centred ones [n, D].

    decay  times the mean variance of what is known; None: what so few crops need
    """
    spread = known.T @ known / len(known)
    return np.linalg.solve(spread + _ridge(spread, len(known), decay), known.T @ wanted / len(known))


def beside(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """float [n, D]: features [n, D] less what labels [n, L] say of them, both centred."""
    return features - labels @ regression(labels, features)


def between_people(features: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Covariance [D, D] of what is the same in all features [n, D] (centred) of one of the people [n].

    Products of different crops estimate it without bias, so it may have negative axes; zero where nobody has two.
    """
    order = np.argsort(people, kind="stable")
    _, first, counts = np.unique(people[order], return_index=True, return_counts=True)
    sums, pairs = np.add.reduceat(features[order], first), (counts * (counts - 1)).sum()
    return (sums.T @ sums - features.T @ features) / max(pairs, 1)


def telling_directions(features: np.ndarray, labels: np.ndarray, count: int, more=0.0) -> tuple[np.ndarray, np.ndarray]:
    """Directions [D, count] in which what labels say varies most over what varies beside them (which is 1 there), and
    that ratio [count], falling.

    features, labels  float [n, D] and [n, L], centred;  more  [D, D] to count as varying beside them
    """
    rest = beside(features, labels)
    said = features - rest
    noise = rest.T @ rest / len(rest) + more
    values, vectors = np.linalg.eigh(noise + _ridge(noise, len(rest)))
    white = vectors / np.sqrt(np.maximum(values, _LEAST * values[-1]))
    ratio, turned = np.linalg.eigh(white.T @ (said.T @ said / len(said)) @ white)
    return white @ turned[:, ::-1][:, :count], ratio[::-1][:count]


def _ridge(spread: np.ndarray, crops: int, decay: float | None = None) -> np.ndarray:
    decay = _RIDGE * len(spread) / crops if decay is None else decay
    return max(decay * np.trace(spread) / len(spread), _NOTHING) * np.eye(len(spread))
