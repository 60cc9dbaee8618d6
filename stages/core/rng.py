"""Seeds that depend on (seed, stage, item, purpose) and on nothing else: not on order, batch, worker or device."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch


def seed_for(seed: int, stage: str, item: str, purpose: str) -> int:
    """A seed of 63 bits for one purpose of one item.

    seed     the user's --seed
    stage    name of the stage; item: name or key of the thing worked on; purpose: "noise", "augment", ...
    returns  int in [0, 2**63)
    source: our choice (sha256 over the parts, each with its length so that ("ab","c") differs from ("a","bc"))
    """
    digest = hashlib.sha256()
    for part in (str(int(seed)), stage, item, purpose):
        data = part.encode("utf-8")
        digest.update(len(data).to_bytes(8, "little") + data)
    return int.from_bytes(digest.digest()[:8], "little") >> 1


def numpy_rng(seed: int, stage: str, item: str, purpose: str) -> np.random.Generator:
    """A numpy generator seeded by `seed_for`."""
    import numpy as np

    return np.random.Generator(np.random.PCG64(seed_for(seed, stage, item, purpose)))


def torch_generator(seed: int, stage: str, item: str, purpose: str) -> torch.Generator:
    """A torch generator on the CPU seeded by `seed_for`; draw there, then move, so that every device gets the same."""
    import torch

    return torch.Generator(device="cpu").manual_seed(seed_for(seed, stage, item, purpose))
