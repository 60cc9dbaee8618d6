"""How well motion tokens tell expressions apart and how little they say about who it is.

Both are measured on people who make exactly the same faces (stages.training.face_people). Our choice of protocol; the
paper gives no numbers for its encoder.
"""

import numpy as np
import torch
import torch.nn.functional as F

_NEIGHBOUR_DRAWS = 8  # galleries drawn for one query
_PROBE_DECAYS = (1e-3, 1e-2, 1e-1)
_PROBE_STEPS = 60


def retrieval_top1(features: np.ndarray, seed: int = 0) -> float:
    """Share of queries whose nearest neighbour makes the same face; chance is 1 / E.

    features  float [P, E, D] of P people making E faces; distance is Euclidean
    seed      of the galleries: for each query 8 times every face once, each of a random other person
    errors    ValueError: fewer than two people
    """
    people, faces, _ = features.shape
    if people < 2:
        raise ValueError(f"retrieval across people: found {people} people, expected 2 or more")
    flat = np.ascontiguousarray(features, np.float64).reshape(people * faces, -1)
    squared = (flat**2).sum(1)
    distance = squared[:, None] + squared[None] - 2 * flat @ flat.T  # [P * E, P * E]
    distance = distance.reshape(people, faces, people, faces)
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
    centred = features - mean
    spread = centred.T @ centred / len(features)
    ridge = decay * np.trace(spread) / len(spread) * np.eye(len(spread))
    direction = np.linalg.solve(spread + ridge, centred.T @ (wanted - level) / len(features))
    return direction, level - float(mean @ direction)
