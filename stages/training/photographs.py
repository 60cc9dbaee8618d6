"""Real photographs for the VAE's decoder: the few colour and grey ones that the package scikit-image carries.

All of them are free of rights as far as is known (CC0, public domain, "no known copyright restrictions": their
docstrings in `skimage.data`): NASA's astronaut, a cat, a cup of coffee, a rocket, a photographer, coins, and brick,
grass and gravel. Shrunk by a random factor, cut, turned, mirrored and recoloured they give sharp edges and materials
that procedural pictures do not have.
"""

from functools import lru_cache

import cv2
import numpy as np

from stages.core.errors import WeightsError
from stages.training.natural import ROOM, drifting

_COLOURED = ("astronaut", "chelsea", "coffee", "rocket")
_GREY = ("camera", "coins", "brick", "grass", "gravel")
_SMALLEST = 0.2  # of the photograph's own side


@lru_cache(maxsize=1)
def photographs() -> tuple[np.ndarray, ...]:
    """uint8 [H, W, 3] each, 303 px or more on the shorter side. errors  WeightsError: no scikit-image"""
    try:
        from skimage import data
    except ImportError as error:
        raise WeightsError(
            "scikit-image: not installed, and the VAE's decoder learns on the photographs in it; install it "
            "(pip install 'dreamactor[train]') and run the same command again"
        ) from error
    coloured = [getattr(data, name)()[..., :3] for name in _COLOURED]
    grey = [np.repeat(getattr(data, name)()[..., None], 3, -1) for name in _GREY]
    return tuple(np.ascontiguousarray(photo) for photo in coloured + grey)


def film(rng: np.random.Generator, frames: int, side: int) -> np.ndarray:
    """uint8 [frames, side, side, 3]: a part of one photograph, slowly drifting; with one frame, a picture."""
    photo = photographs()[rng.integers(len(photographs()))]
    wide = int(side * ROOM) if frames > 1 else side
    factor = max(np.exp(rng.uniform(np.log(_SMALLEST), 0.0)), (wide + 1) / min(photo.shape[:2]))
    if factor < 1:
        photo = cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    y, x = (rng.integers(length - wide + 1) for length in photo.shape[:2])
    part = np.rot90(photo[y : y + wide, x : x + wide], rng.integers(4))
    part = part[:, :: 1 if rng.random() < 0.5 else -1, rng.permutation(3) if rng.random() < 0.3 else slice(None)]
    changed = part * rng.uniform(0.6, 1.3, 3 if rng.random() < 0.3 else 1) + rng.normal(0, 15, 3)
    return drifting(rng, np.clip(np.rint(changed), 0, 255).astype(np.uint8), frames, side)
