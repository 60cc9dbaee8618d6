"""How well motion tokens tell expressions apart and how little they say about who it is.

Both are measured on people who make exactly the same faces (stages.training.face_people). Our choice of protocol; the
paper gives no numbers for its encoder.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from stages.training.face_readout import regression, telling_directions

_NEIGHBOUR_DRAWS = 8  # galleries drawn for one query
_PROBE_DECAYS = (1e-3, 1e-2, 1e-1)
_PROBE_STEPS = 60


_NULL = 1e-6  # of the largest spread of features, below which there is none


@dataclass(frozen=True)
class SameFace:
    """How unlikely two features are of one face rather than of two, from people who are not those it is asked about.

    mean float [D], turned [D, r], between [r]: of `telling_directions`. Source: probabilistic linear discriminant
    analysis (Ioffe 2006), the usual way to compare embeddings of voices, here with the face in the place of the speaker
    """

    mean: np.ndarray
    turned: np.ndarray
    between: np.ndarray

    @classmethod
    def fitted(cls, features: np.ndarray, labels: np.ndarray) -> "SameFace":
        """Of features float [n, D] of faces with labels float [n, L]."""
        mean, spread = features.mean(0), labels - labels.mean(0)
        _, sizes, axes = np.linalg.svd(features - mean, full_matrices=False)
        axes = axes[sizes > _NULL * sizes[0]].T
        turned, between = telling_directions((features - mean) @ axes, spread, axes.shape[1])
        return cls(mean, axes @ turned, np.maximum(between, 0.0))

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """float [n, n] of features [n, D]: minus the logarithm of how much likelier one face is than two, plus what is
        the same for all of them."""
        at, total = (features - self.mean) @ self.turned, self.between + 1.0
        both = total**2 - self.between**2
        alone = (at**2 * (total / both - 1.0 / total)).sum(1)
        return 0.5 * (alone[:, None] + alone[None]) - (at * (self.between / both)) @ at.T


def euclidean(features: np.ndarray) -> np.ndarray:
    """float [n, n] squared distances of features [n, D]."""
    squared = (features**2).sum(1)
    return squared[:, None] + squared[None] - 2 * features @ features.T


def retrieval_top1(features: np.ndarray, seed: int = 0, distances=euclidean) -> float:
    """Share of queries whose nearest neighbour makes the same face; chance is 1 / E.

    features   float [P, E, D] of P people making E faces
    distances  of features [n, D] to each other, [n, n]: euclidean, or a SameFace
    seed      of the galleries: for each query 8 times every face once, each of a random other person
    errors    ValueError: fewer than two people
    """
    people, faces, _ = features.shape
    if people < 2:
        raise ValueError(f"retrieval across people: found {people} people, expected 2 or more")
    flat = np.ascontiguousarray(features, np.float64).reshape(people * faces, -1)
    distance = distances(flat).reshape(people, faces, people, faces)
    rng, hits, columns = np.random.default_rng(seed), 0, np.arange(faces)
    for person in range(people):
        for face in range(faces):
            owner = rng.integers(people - 1, size=(_NEIGHBOUR_DRAWS, faces))
            owner += owner >= person
            hits += int((distance[person, face][owner, columns].argmin(1) == face).sum())
    return hits / (people * faces * _NEIGHBOUR_DRAWS)


def identity_probe(features: np.ndarray, seed: int = 0) -> float:
    """Share of crops whose person a linear probe names; chance is 1 / P.

    Multinomial logistic regression on half of the faces, tried on the other half, then the other way round; features
    are standardised, and of three weight decays the one that reads identity best counts: an upper bound.

    features  float [P, E, D] of P people making E faces
    seed      of the halves
    """
    people, faces, _ = features.shape
    order = np.random.default_rng(seed).permutation(faces)
    halves = order[: faces // 2], order[faces // 2 :]
    best = 0
    with torch.enable_grad():  # also where the caller is measuring and wants none
        for decay in _PROBE_DECAYS:
            best = max(best, sum(_probe_hits(features[:, a], features[:, b], decay) for a, b in (halves, halves[::-1])))
    return best / (people * faces)


def _probe_hits(trained: np.ndarray, tried: np.ndarray, decay: float) -> int:
    """Number of crops of `tried` [P, E', D] that a probe fitted on `trained` [P, E, D] gives to their person."""
    people = len(trained)
    x, x_new = (torch.from_numpy(part.reshape(-1, part.shape[-1]).astype(np.float32)) for part in (trained, tried))
    mean, std = x.mean(0), x.std(0).clamp(min=1e-6)
    x, x_new = (x - mean) / std, (x_new - mean) / std
    who, who_new = (torch.arange(people).repeat_interleave(part.shape[1]) for part in (trained, tried))
    weight = torch.zeros(x.shape[1], people, requires_grad=True)
    bias = torch.zeros(people, requires_grad=True)
    solver = torch.optim.LBFGS([weight, bias], max_iter=_PROBE_STEPS, line_search_fn="strong_wolfe")

    def closure():
        solver.zero_grad()
        loss = F.cross_entropy(x @ weight + bias, who) + 0.5 * decay * weight.square().sum()
        loss.backward()
        return loss

    solver.step(closure)
    with torch.no_grad():
        return int(((x_new @ weight + bias).argmax(1) == who_new).sum())


def linear_reader(features: np.ndarray, wanted: np.ndarray, decay: float = 1e-3) -> tuple[np.ndarray, float]:
    """(direction [D], offset) of the ridge regression of `wanted` [N] from features [N, D].

    decay  of the direction, times the mean variance of a feature
    """
    mean, level = features.mean(0), float(wanted.mean())
    direction = regression(features - mean, wanted - level, decay)
    return direction, level - float(mean @ direction)
