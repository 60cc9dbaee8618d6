"""Moving shapes as the frames on which our numbers and those of other people's code are compared."""

from __future__ import annotations

import numpy as np

FRAMES, HEIGHT, WIDTH = 20, 96, 128


def moving_shapes(seed: int, frames: int = FRAMES) -> tuple[np.ndarray, np.ndarray]:
    """A real clip and a worse copy of it, uint8 [T, 96, 128, 3] each; integers only, so equal on every machine.

    The copy lags by two frames, is drawn two pixels to the side, blurred by a 3x3 box, tinted and noisy.
    """
    rng = np.random.default_rng(seed)
    colours = rng.integers(40, 216, (4, 3))
    start, step = rng.integers(20, 70, (2, 2)), rng.integers(-2, 3, (2, 2))
    real = np.stack([_draw(t, colours, start, step, 0) for t in range(frames)])
    worse = np.stack([_draw(max(t - 2, 0), colours, start, step, 2) for t in range(frames)])
    padded = np.pad(worse, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    box = sum(padded[:, y : y + HEIGHT, x : x + WIDTH] for y in range(3) for x in range(3)) // 9
    noise = rng.integers(-12, 13, (frames, HEIGHT, WIDTH, 1))
    worse = np.clip(box + noise + np.array([6, 0, -5]), 0, 255)
    return real.astype(np.uint8), worse.astype(np.uint8)


def _draw(t: int, colours: np.ndarray, start: np.ndarray, step: np.ndarray, aside: int) -> np.ndarray:
    """One frame int64 [96, 128, 3]: a slope, a woven ground, a disc and a square that move."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    frame = (colours[0] * (y[..., None] + 32) + colours[1] * (WIDTH - x[..., None])) // 256
    frame[((x // 8 + y // 8 + t // 3) % 2).astype(bool)] += 14
    for number, radius in enumerate((17, 13)):
        cy, cx = (start[number] + t * step[number]) % (HEIGHT - 10) + 5
        dy, dx = np.abs(y - cy), np.abs(x - cx - aside)
        inside = dy * dy + dx * dx < radius * radius if number == 0 else (dy < radius) & (dx < radius)
        frame[inside] = colours[2 + number] + (((x + y + 2 * t) % 16) * 2)[inside, None]
    return np.clip(frame, 0, 255)


def clips(count: int = 3, frames: int = FRAMES) -> list[tuple[np.ndarray, np.ndarray]]:
    """`count` pairs (real, generated)."""
    return [moving_shapes(seed, frames) for seed in range(1, count + 1)]
