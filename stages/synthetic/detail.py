"""Small tileable maps that the shader reads: folds of cloth, streaks of hair, grain of skin, and shapes to print.

All are made here from fixed seeds; nothing is loaded.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

SIDE = 256  # the shader wraps with a bit mask: a power of two
FOLD_PERIOD_DM = 6.4
GLYPH_SIDE = 64
GLYPHS = (
    *("ring", "star", "heart", "sun", "peaks", "waves", "bolt", "leaf", "diamond", "bars", "disc", "grid"),
    *("07", "23", "88", "5"),
)


class Detail(NamedTuple):
    """folds f32 [S,S,6]: slope along s, slope along t, height of cross folds, then of hanging folds; rows are t.

    grain f32 [S,S,4], about -1..1: streaks (fast along columns), fine grain, spots 0..1, blotches
    glyphs f32 [G,64,64] 0..1, upright
    """

    folds: np.ndarray
    grain: np.ndarray
    glyphs: np.ndarray


def make_detail() -> Detail:
    """The maps; the same on every call."""
    rng = np.random.Generator(np.random.PCG64(20))
    across = [_banded(rng, turns_s, turns_t, 2.0) for turns_s, turns_t in ((4.0, 7.0), (-4.5, 6.0), (1.0, 4.5))]
    hanging = [_banded(rng, turns_s, turns_t, 2.0) for turns_s, turns_t in ((8.0, 0.8), (6.0, -1.2), (11.0, 1.0))]
    folds = np.concatenate([_slopes(_creased(across)), _slopes(_creased(hanging))], -1)
    return Detail(folds.astype(np.float32), _grain(rng).astype(np.float32), _draw_glyphs())


def _frequencies() -> tuple[np.ndarray, np.ndarray]:
    turns = np.fft.fftfreq(SIDE) * SIDE
    return np.meshgrid(turns, turns)  # along columns (s), along rows (t)


def _filtered(rng: np.random.Generator, gain: np.ndarray) -> np.ndarray:
    """White noise through a filter in turns per side, unit variance; wraps around."""
    noise = np.fft.ifft2(np.fft.fft2(rng.normal(size=(SIDE, SIDE))) * gain).real
    return noise / noise.std()


def _banded(rng: np.random.Generator, turns_s: float, turns_t: float, spread: float) -> np.ndarray:
    """Noise whose waves run along one direction."""
    ks, kt = _frequencies()
    lobes = [np.exp(-((ks - sign * turns_s) ** 2 + (kt - sign * turns_t) ** 2) / (2 * spread**2)) for sign in (1, -1)]
    return _filtered(rng, lobes[0] + lobes[1])


def _creased(fields: list[np.ndarray]) -> np.ndarray:
    """Rounded ridges with sharp valleys, as cloth folds: f64 [S, S], about -1..1."""
    ridged = sum(np.sqrt(field**2 + 0.05) for field in fields) / len(fields)
    height = ridged + 0.35 * fields[0]
    height -= height.mean()
    return height / (np.abs(height).max() * 0.6)


def _slopes(height: np.ndarray) -> np.ndarray:
    """Slope along s and t (height 1 = 0.12 dm) and the height itself, f64 [S, S, 3]."""
    step = 0.12 * SIDE / FOLD_PERIOD_DM
    slope_s = (np.roll(height, -1, 1) - np.roll(height, 1, 1)) / 2 * step
    slope_t = (np.roll(height, -1, 0) - np.roll(height, 1, 0)) / 2 * step
    return np.stack([slope_s, slope_t, height], -1)


def _grain(rng: np.random.Generator) -> np.ndarray:
    ks, kt = _frequencies()
    radius = np.hypot(ks, kt)
    streaks = _filtered(rng, np.exp(-((kt / 3.0) ** 2)) * np.clip(np.abs(ks) / 20, 0.1, 1) / (1 + (ks / 60) ** 2))
    fine = _filtered(rng, np.clip(radius / 30, 0, 1) / (1 + (radius / 50) ** 2))
    spots = np.clip((_filtered(rng, np.exp(-((radius / 26) ** 2))) - 1.5) * 1.6, 0, 1)
    blotches = _filtered(rng, np.exp(-((radius / 7) ** 2)))
    return np.stack([np.clip(streaks / 2, -1, 1), np.clip(fine / 2, -1, 1), spots, np.clip(blotches / 2, -1, 1)], -1)


def _draw_glyphs() -> np.ndarray:
    """Plain shapes and digits of our own drawing, f32 [G, 64, 64]."""
    import cv2

    return np.stack(
        [
            cv2.resize(_glyph(name), (GLYPH_SIDE, GLYPH_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
            for name in GLYPHS
        ]
    )


def _glyph(name: str) -> np.ndarray:
    import cv2

    image = np.zeros((256, 256), np.uint8)
    angles = np.radians(np.arange(360))
    if name.isdigit():
        scale = 6.5 if len(name) == 2 else 9.0
        (width, height), _ = cv2.getTextSize(name, cv2.FONT_HERSHEY_DUPLEX, scale, 28)
        cv2.putText(
            image, name, ((256 - width) // 2, (256 + height) // 2), cv2.FONT_HERSHEY_DUPLEX, scale * 0.9, 255, 26
        )
    elif name == "ring":
        cv2.circle(image, (128, 128), 92, 255, 34)
    elif name == "disc":
        cv2.circle(image, (128, 128), 104, 255, -1)
        cv2.rectangle(image, (0, 150), (255, 168), 0, -1)
        cv2.rectangle(image, (0, 190), (255, 204), 0, -1)
    elif name == "sun":
        cv2.circle(image, (128, 128), 58, 255, -1)
        for angle in np.radians(np.arange(0, 360, 30)):
            ray = [(128 + int(r * np.cos(angle)), 128 + int(r * np.sin(angle))) for r in (78, 118)]
            cv2.line(image, ray[0], ray[1], 255, 16)
    elif name == "waves":
        for row in (70, 128, 186):
            x = np.arange(12, 245)
            points = np.stack([x, row + 22 * np.sin(x / 19.0)], -1).astype(np.int32)
            cv2.polylines(image, [points], False, 255, 20)
    elif name == "bars":
        for row, reach in ((50, 60), (105, 110), (160, 85), (215, 40)):
            cv2.rectangle(image, (128 - reach, row - 16), (128 + reach, row + 16), 255, -1)
    elif name == "grid":
        for row in range(3):
            for column in range(3):
                cv2.rectangle(image, (28 + 70 * column, 28 + 70 * row), (82 + 70 * column, 82 + 70 * row), 255, -1)
    else:
        cv2.fillPoly(image, [np.round(_outline(name, angles)).astype(np.int32)], 255)
    return image


def _outline(name: str, angles: np.ndarray) -> np.ndarray:
    """Corners of a filled shape in a square of 256, f64 [N, 2]."""
    if name == "star":
        turn = np.radians(np.arange(10) * 36 - 90)
        reach = np.where(np.arange(10) % 2 == 0, 118, 48)
        return 128 + np.stack([reach * np.cos(turn), reach * np.sin(turn)], -1)
    if name == "heart":
        x = 16 * np.sin(angles) ** 3
        y = 13 * np.cos(angles) - 5 * np.cos(2 * angles) - 2 * np.cos(3 * angles) - np.cos(4 * angles)
        return 128 + 6.8 * np.stack([x, -y], -1)
    if name == "leaf":
        reach = 112 * np.abs(np.cos(1.5 * angles)) ** 0.6
        return 128 + np.stack([reach * np.sin(angles), -reach * np.cos(angles)], -1)
    shapes = {
        "peaks": ((10, 210), (84, 70), (122, 140), (160, 90), (246, 210)),
        "bolt": ((150, 10), (60, 145), (122, 145), (96, 246), (196, 100), (134, 100)),
        "diamond": ((128, 8), (220, 128), (128, 248), (36, 128)),
    }
    return np.array(shapes[name], float)


def strand_alpha(name: str, detail: Detail) -> np.ndarray:
    """Where strands reach a shell of hair, uint8 [S, S]. name: made/strands_N or made/curls_N, N% of their length."""
    kind, _, percent = name.removeprefix("made/").partition("_")
    field = detail.grain[..., 1] + (0.9 * detail.grain[..., 3] if kind == "curls" else 0.0)
    rank = np.empty(field.size)
    rank[np.argsort(field.ravel(), kind="stable")] = np.linspace(0, 1, field.size)
    longer = rank.reshape(field.shape) - (0.75 if kind == "curls" else 0.65) * int(percent) / 100
    return (255 * np.clip(longer * 4 + 0.5, 0, 1)).astype(np.uint8)
