"""Smooth random curves over time, and the face's curves: emotion, speech, blinks, gaze."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stages.synthetic.expressions import EMOTION_SHARES, EMOTIONS, VISEME_NAMES, VISEMES

LEAD_S = 1.5  # curves reach this far beyond both ends of a clip


class Track:
    """A curve through random values at random times; it holds still between some of them.

    draw        returns one random value, float or float64 [N]
    low_s, high_s  bounds of the time between values; hold_share: chance that a value is kept
    """

    def __init__(
        self,
        rng: np.random.Generator,
        duration_s: float,
        draw: Callable[[], np.ndarray | float],
        low_s: float = 0.35,
        high_s: float = 1.1,
        hold_share: float = 0.3,
    ) -> None:
        from scipy.interpolate import PchipInterpolator

        times, values = [-1.0], [draw()]
        while times[-1] < duration_s + LEAD_S:
            times.append(times[-1] + rng.uniform(low_s, high_s))
            values.append(values[-1] if rng.random() < hold_share else draw())
        self._curve = PchipInterpolator(np.array(times), np.array(values, float), axis=0)

    def __call__(self, time_s: float) -> np.ndarray:
        """Value at a time, float64 [N] or scalar array."""
        return self._curve(time_s)


@dataclass(frozen=True)
class FaceState:
    """expression f64 [52] 0..1 without gaze; viseme f64 [15] 0..1, already in it; gaze_deg f64 [2] yaw, pitch."""

    expression: np.ndarray
    viseme: np.ndarray
    gaze_deg: np.ndarray


class FaceMotion:
    """Curves of one face. talking None: decided at random (60%)."""

    def __init__(
        self, rng: np.random.Generator, duration_s: float, arkit_names: tuple[str, ...], *, talking: bool | None = None
    ) -> None:
        self._index = {name: at for at, name in enumerate(arkit_names)}
        self._emotion = Track(rng, duration_s, lambda: self._draw_emotion(rng), 0.6, 1.6, 0.4)
        drawn = rng.random() < 0.6
        self._viseme = _viseme_curve(rng, duration_s, drawn if talking is None else talking)
        self._blinks = _blink_times(rng, duration_s)
        self._gaze = Track(rng, duration_s, lambda: rng.normal(0, [9, 5]), 0.3, 1.0, 0.5)

    def __call__(self, time_s: float) -> FaceState:
        """The face at a time."""
        expression = np.clip(self._emotion(time_s), 0, 1)
        viseme = np.clip(self._viseme(time_s), 0, 1)
        for name, weight in zip(VISEME_NAMES, viseme, strict=True):
            for unit, amount in VISEMES[name].items():
                at = self._index[unit]
                expression[at] = min(1.0, expression[at] * (1 - 0.3 * weight) + amount * weight)
        blink = max((float(np.exp(-(((time_s - moment) / 0.06) ** 2))) for moment in self._blinks), default=0.0)
        for unit in ("eyeBlinkLeft", "eyeBlinkRight"):
            expression[self._index[unit]] = max(expression[self._index[unit]], blink * 0.95)
        return FaceState(expression, viseme, self._gaze(time_s))

    def _draw_emotion(self, rng: np.random.Generator) -> np.ndarray:
        """One emotion at a random strength, and three random units a little."""
        weights = np.zeros(len(self._index))
        shares = np.array(list(EMOTION_SHARES.values()), float)
        emotion = str(rng.choice(list(EMOTION_SHARES), p=shares / shares.sum()))
        strength = rng.uniform(0.3, 1.0)
        for unit, amount in EMOTIONS[emotion].items():
            weights[self._index[unit]] += strength * amount
        for unit in rng.choice(list(self._index), 3):
            amount = rng.uniform(0, 0.35)
            if not unit.startswith("eyeLook") and unit not in ("tongueOut", "jawOpen"):
                weights[self._index[str(unit)]] += amount
        return weights


def _viseme_curve(rng: np.random.Generator, duration_s: float, talking: bool) -> Callable[[float], np.ndarray]:
    """A curve of viseme weights f64 [15] through 6 to 14 random visemes a second; silence only, unless talking."""
    from scipy.interpolate import PchipInterpolator

    times, rows = [-1.0], []
    while times[-1] < duration_s + LEAD_S:
        times.append(times[-1] + rng.uniform(0.07, 0.16))
        row = np.zeros(len(VISEME_NAMES))
        silent = rng.random() < 0.15
        at, weight = int(rng.integers(1, len(VISEME_NAMES))), rng.uniform(0.6, 1.0)
        if silent or not talking:
            at, weight = 0, 1.0
        row[at] = weight
        rows.append(row)
    return PchipInterpolator(np.array(times[:-1]), np.array(rows), axis=0)


def _blink_times(rng: np.random.Generator, duration_s: float) -> list[float]:
    times = []
    moment = rng.uniform(0, 2)
    while moment < duration_s + 1:
        times.append(float(moment))
        moment += rng.uniform(1.2, 4)
    return times
