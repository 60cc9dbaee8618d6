"""Pictures with the statistics of natural ones, drawn from nothing: for a VAE that has to show more than our people.

Dead leaves (overlapping shapes whose sizes follow a power law, Lee, Mumford & Huang 2001) have the edges, the other
textures and the 1/f spectrum of photos; networks trained on them do well on real ones (Achddou, Gousseau & Ladjal
2021). Leaves are plain, shaded, striped or grained; strokes like writing lie on top.
"""

import cv2
import numpy as np

ROOM = 1.5  # side of the drawn canvas over that of the film, so that it can move
_SMALLEST_PX = 1.5


def film(rng: np.random.Generator, frames: int, side: int) -> np.ndarray:
    """uint8 [frames, side, side, 3]: one picture, slowly drifting, turning and growing; with one frame, a picture."""
    return drifting(rng, picture(rng, int(side * ROOM)), frames, side)


def drifting(rng: np.random.Generator, wide: np.ndarray, frames: int, side: int) -> np.ndarray:
    """uint8 [frames, side, side, 3] out of a picture [S, S, 3] at least as large; the middle frame as it is there.

    Any other is moved by parts of a pixel, which costs sharpness.
    """
    drift, turn, growth = rng.normal(0, 0.6, 2), rng.normal(0, 0.6), np.exp(rng.normal(0, 0.006))
    shown = []
    for frame in range(frames):
        away = frame - frames // 2
        matrix = cv2.getRotationMatrix2D((wide.shape[1] / 2, wide.shape[0] / 2), turn * away, growth**away)
        matrix[:, 2] += drift * away + (side - wide.shape[0]) // 2
        options = {"flags": cv2.INTER_CUBIC, "borderMode": cv2.BORDER_REFLECT}
        shown.append(cv2.warpAffine(wide, matrix, (side, side), **options))
    return np.stack(shown)


def picture(rng: np.random.Generator, side: int) -> np.ndarray:
    """uint8 [side, side, 3]"""
    colours = _palette(rng)
    canvas = grain(rng, side, rng.uniform(0.8, 1.4)) * rng.uniform(10, 40) + colours[0]
    count = int(rng.uniform(60, 240))
    for radius in np.append(rng.uniform(side / 8, side / 2, 8), _radii(rng, count, side / 3)):
        _leaf(canvas, rng, radius, colours)
    for _ in range(rng.integers(0, 6)):
        _writing(canvas, rng)
    canvas += rng.uniform(0, 5) * rng.standard_normal(canvas.shape)
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def grain(rng: np.random.Generator, side: int, exponent: float) -> np.ndarray:
    """float32 [side, side, 3], variance 1, amplitude falling as frequency^-exponent, mostly alike in all colours."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]) * side
    fall = np.maximum(frequency, 1.0) ** -exponent
    fall[0, 0] = 0.0
    common = rng.standard_normal((side, side))
    noise = [0.9 * common + 0.4 * rng.standard_normal((side, side)) for _ in range(3)]
    made = np.stack([np.fft.irfft2(np.fft.rfft2(x) * fall, s=(side, side)) for x in noise], -1)
    return (made / made.std()).astype(np.float32)


def _radii(rng: np.random.Generator, count: int, largest: float) -> np.ndarray:
    """Radii in px with density r^-3 from the smallest to the largest: what makes pictures look alike at any scale."""
    share = rng.random(count)
    return (_SMALLEST_PX**-2 + share * (largest**-2 - _SMALLEST_PX**-2)) ** -0.5


def _palette(rng: np.random.Generator) -> np.ndarray:
    """A few colours [n, 3] that the leaves of one picture share, most of them nearly grey."""
    colours = rng.uniform(5, 250, (rng.integers(4, 12), 3))
    grey = colours.mean(1, keepdims=True)
    return grey + rng.uniform(0.05, 0.8, (len(colours), 1)) * (colours - grey)


def _leaf(canvas: np.ndarray, rng: np.random.Generator, radius: float, colours: np.ndarray) -> None:
    """Paint one ellipse or polygon with its own texture over the canvas, its edge one pixel soft."""
    side = canvas.shape[0]
    x, y = rng.uniform(0, side, 2)
    left, top = (max(0, int(at - 2 * radius - 2)) for at in (x, y))
    right, bottom = (min(side, int(at + 2 * radius + 3)) for at in (x, y))
    columns, rows = np.meshgrid(np.arange(left, right) - x, np.arange(top, bottom) - y)
    angle, long = rng.uniform(0, np.pi), np.exp(rng.normal(0, 0.3))
    along = (np.cos(angle) * columns + np.sin(angle) * rows) / long
    across = (np.cos(angle) * rows - np.sin(angle) * columns) * long
    away = np.hypot(along, across)
    if rng.random() < 0.5:  # a polygon instead: the farthest of its sides
        turns = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(rng.integers(3, 7)) / 4.5
        away = np.max([np.cos(turn) * along + np.sin(turn) * across for turn in turns], 0)
    cover = np.clip(radius - away + 0.5, 0, 1)[..., None].astype(np.float32)
    paint = np.broadcast_to(colours[rng.integers(len(colours))] + rng.normal(0, 12, 3), (*away.shape, 3)).copy()
    kind = rng.integers(4)
    if kind == 1:  # shaded
        paint += (rng.uniform(-60, 60) * along / radius)[..., None]
    elif kind == 2:  # striped or checked
        waves = np.sin(along * rng.uniform(0.4, 2.5))
        waves = waves * np.sin(across * rng.uniform(0.4, 2.5)) if rng.random() < 0.5 else waves
        paint += np.sign(waves)[..., None] * rng.uniform(10, 60, 3)
    elif kind == 3:  # grained
        longest = max(away.shape)
        paint += rng.uniform(8, 35) * grain(rng, longest, rng.uniform(0.3, 1.2))[: away.shape[0], : away.shape[1]]
    canvas[top:bottom, left:right] += cover * (paint - canvas[top:bottom, left:right])


def _writing(canvas: np.ndarray, rng: np.random.Generator) -> None:
    """A row of short thin strokes of one colour."""
    side = canvas.shape[0]
    height = rng.uniform(3, side / 8)
    x, y = rng.uniform(0, side, 2)
    colour, thick = rng.uniform(0, 255, 3), 1 if height < 8 else int(rng.integers(1, 4))
    for _ in range(rng.integers(4, 16)):
        points = np.rint([x, y] + rng.uniform(0, height, (rng.integers(2, 5), 2))).astype(np.int32)
        cv2.polylines(canvas, [points[:, None]], bool(rng.random() < 0.3), colour.tolist(), thick, cv2.LINE_AA)
        x += height
