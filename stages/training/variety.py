"""Variety that rendering does not bring: other aspects and scales, pictures of the person from elsewhere as further
references, and joints that a tracker would not have found. All of it is drawn once for each clip, from its name.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.body.framing import Window, content_box, cut, window_around, window_like
from stages.core.skeleton import BODY_INDEX, HANDS
from stages.training.pool import LENGTHS, POINTS, REFERENCE_FRAMES

SIDE_STRIDE = 16  # canvas sides are multiples of this: latent cells of 8 px, tokens of 2 x 2 cells
_LIMBS = tuple(
    tuple(f"{side}_{part}" for part in parts)
    for parts in (("elbow", "wrist"), ("knee", "ankle"))
    for side in ("left", "right")
)
_HEAD_ROOM = 2.4  # head radii that the smaller side of a reframed canvas holds at least


@dataclass(frozen=True)
class Variety:
    """Shares are of clips; our choices.

    reframed    are cut out of their take with another aspect or scale
    sides       (height, width) of a reframed canvas, as shares of the side of the square that was rendered
    enlarged    at most this much
    hiding      lack joints: each `hidden` joint in all frames, each `limb_hidden` limb for a while, and where a joint
                is behind something or out of the picture it is lacking with the chance `unseen_hidden`
    half_body   full-body clips get a half-body crop of another moment as a further reference (the paper's rule)
    """

    reframed: float = 0.35
    sides: tuple[tuple[float, float], ...] = ((1.0, 1.0), (1.0, 0.75), (0.75, 1.0), (1.0, 0.625), (0.625, 1.0))
    enlarged: float = 1.35
    hiding: float = 0.5
    hidden: float = 0.04
    limb_hidden: float = 0.12
    unseen_hidden: float = 0.5
    half_body: bool = True


PLAIN = Variety(reframed=0.0, hiding=0.0, half_body=False)  # everything as it was rendered


def choose_window(truth: dict[str, np.ndarray], size: int, rng: np.random.Generator, variety: Variety) -> Window | None:
    """The Window of a clip's pictures [size, size] that is trained on; None: all of it.

    The head stays about where it was in the picture, and whole; the window never reaches beyond the picture.
    """
    if rng.random() >= variety.reframed:
        return None
    shares = variety.sides[rng.integers(len(variety.sides))]
    height, width = (max(SIDE_STRIDE, round(size * share / SIDE_STRIDE) * SIDE_STRIDE) for share in shares)
    most = min(height, width) / (_HEAD_ROOM * float(np.max(truth["head_radius_px"])))
    if max(height, width) / size > most:
        return None  # too large a head for so slim a canvas
    least = max(height, width) / size
    scale = float(np.exp(rng.uniform(np.log(least), np.log(max(least, min(most, variety.enlarged))))))
    head = np.asarray(truth["head_center_px"], np.float64)[:-REFERENCE_FRAMES].mean(0)
    place_01 = np.clip((head + 0.5) / size + rng.uniform(-0.1, 0.1, 2), 0.15, 0.85)
    return window_like(scale, place_01 * [width, height] - 0.5, head, (height, width), (size, size))


def reframed(frames_u8: np.ndarray, truth: dict[str, np.ndarray], window: Window) -> tuple[np.ndarray, dict]:
    """Pictures [N, H, W, 3] and truth of them as the window shows them."""
    moved = dict(truth)
    for name in set(POINTS) & set(truth):
        moved[name] = window.points(truth[name])
    for name in LENGTHS:
        moved[name] = truth[name] * window.scale
    return np.stack([cut(picture, window) for picture in frames_u8]), moved


def fine_window(window: Window, times: int) -> Window:
    """The same window between pictures and canvas that both have k times the side."""
    shift = (times * at + (1.0 - window.scale) * (times - 1) / 2 for at in window.shift_px)
    return Window(window.scale, tuple(shift), window.height * times, window.width * times)


def views_of(truth: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The truth of the views by the names of a clip's."""
    return {name.removeprefix("view_"): array for name, array in truth.items() if name.startswith("view_")}


def view_window(truth: dict[str, np.ndarray], index: int, side: int, canvas_size: tuple[int, int]) -> Window:
    """The Window of one view [side, side] on a canvas of any aspect, about the head."""
    head = np.asarray(truth["head_center_px"][index], np.float64)
    place = (head + 0.5) / side * [canvas_size[1], canvas_size[0]] - 0.5
    return window_like(max(canvas_size) / side, place, head, canvas_size, (side, side))


def half_body_window(truth: dict[str, np.ndarray], index: int, canvas_size: tuple[int, int]) -> Window | None:
    """The Window that shows one frame's person down to the hips; None where there is nothing to show."""
    one = slice(index, index + 1)
    joints, hands = truth["joints_px"][one], truth["hands_px"][one]
    drawn = np.isfinite(joints).all(-1)
    box = content_box(
        "half", joints, drawn, hands, np.isfinite(hands).all((-1, -2)), truth["head_center_px"][one],
        truth["head_radius_px"][one],
    )  # fmt: skip
    return window_around(box, "half", canvas_size, canvas_size) if np.isfinite(box).all() else None


def hide_joints(truth: dict[str, np.ndarray], rng: np.random.Generator, variety: Variety) -> dict[str, np.ndarray]:
    """The truth with joints_drawn bool [N, 25] and hands_drawn bool [N, 2]: what a tracker might have found of it."""
    count = len(truth["joints_px"])
    drawn, hands = np.ones((count, len(BODY_INDEX)), bool), np.ones((count, len(HANDS)), bool)
    if rng.random() < variety.hiding:
        drawn[:, rng.random(drawn.shape[1]) < variety.hidden] = False
        hands[:, rng.random(len(HANDS)) < 2 * variety.hidden] = False
        for limb in _LIMBS:
            if rng.random() < variety.limb_hidden:
                length = count - REFERENCE_FRAMES
                first, last = np.sort(rng.integers(0, length + 1, 2))
                drawn[first : last + 1, [BODY_INDEX[name] for name in limb]] = False
        if "joint_visible" in truth:
            lacking = rng.random(drawn.shape[1]) < variety.unseen_hidden
            drawn &= truth["joint_visible"].astype(bool) | ~lacking
        for number, side in enumerate(HANDS):  # no hand is measured without its wrist
            hands[:, number] &= drawn[:, BODY_INDEX[f"{side}_wrist"]]
    return {**truth, "joints_drawn": drawn, "hands_drawn": hands}


def drawn_flags(truth: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """joints_drawn and hands_drawn; everything where nothing was hidden."""
    count = len(truth["joints_px"])
    every = np.ones((count, len(BODY_INDEX)), bool), np.ones((count, len(HANDS)), bool)
    return truth.get("joints_drawn", every[0]), truth.get("hands_drawn", every[1])
