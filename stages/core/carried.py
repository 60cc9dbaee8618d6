"""What a pixel of the carried reference is (stages.body.warp makes it, the networks read it)."""

import numpy as np

HIDDEN_BACKGROUND, SEEN_BACKGROUND, DOUBTFUL_FIGURE, SEEN_FIGURE = range(4)


def state_planes(kind_u8) -> np.ndarray:
    """Return bool [2, ...] of kinds uint8 [...]: the pixel shows the figure; it was seen in the reference."""
    return np.stack([kind_u8 >= DOUBTFUL_FIGURE, (kind_u8 == SEEN_BACKGROUND) | (kind_u8 == SEEN_FIGURE)])
