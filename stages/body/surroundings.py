"""A canvas that is wider than the photo: what lies beyond is made of what the photo shows, not of a blur."""

import numpy as np

from stages.body.plate import with_rim
from stages.body.regrow import regrown
from stages.body.smooth import spread

_SOMEBODY = 0.1  # of the matte
_PERSON, _SOFT = 0.5, 0.3  # share of the person at the photo's lower edge from which the blur stays, and how softly


def surrounded(canvas_u8: np.ndarray, unseen: np.ndarray, matte_01: np.ndarray) -> np.ndarray:
    """The canvas uint8 [H, W, 3] of `stages.body.framing.cut`, its background gone on with over bool [H, W] `unseen`.

    matte_01  float [H, W] of the canvas; below a body that goes on below the photo the blur of `cut` stays, because a
              body on nothing looks cut off
    """
    if not unseen.any() or unseen.all():
        return canvas_u8
    person = with_rim(matte_01 > _SOMEBODY)
    made = regrown(canvas_u8, unseen | person)
    touched = spread(np.repeat(person.astype(np.float32)[..., None], 3, -1), ~unseen)
    below = np.logical_and.accumulate(unseen[::-1])[::-1] & ~unseen.all(0)
    share = np.where(below[..., None], np.clip((_PERSON - touched) / _SOFT, 0.0, 1.0), 1.0)
    mixed = share * made + (1.0 - share) * canvas_u8
    return np.where(unseen[..., None], np.rint(mixed), canvas_u8).astype(np.uint8)
