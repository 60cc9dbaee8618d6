"""What a pixel of the carried reference is (stages.body.warp makes it, the networks read it)."""

import numpy as np

from stages.core.pictures import averaged

HIDDEN_BACKGROUND, SEEN_BACKGROUND, DOUBTFUL_FIGURE, SEEN_FIGURE = range(4)


def state_planes(kind_u8) -> np.ndarray:
    """Return bool [2, ...] of kinds uint8 [...]: the pixel shows the figure; it was seen in the reference."""
    return np.stack([kind_u8 >= DOUBTFUL_FIGURE, (kind_u8 == SEEN_BACKGROUND) | (kind_u8 == SEEN_FIGURE)])


def averaged_kind(kind_u8, times: int) -> np.ndarray:
    """Kinds uint8 [..., H/k, W/k] of a smaller canvas: the figure, and seen, where at least half of a square is."""
    if times == 1:
        return kind_u8
    planes = (
        averaged(200 * plane[..., None].astype(np.uint8), times)[..., 0] >= 100 for plane in state_planes(kind_u8)
    )
    figure, seen = planes
    return (DOUBTFUL_FIGURE * figure + seen).astype(np.uint8)
