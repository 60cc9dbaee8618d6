"""The face over time: what it feels, says and looks at; blinks; and the small turns of the head that go with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.synthetic.expressions import EMOTION_SHARES, EMOTIONS, LOWER_FACE, VISEME_NAMES, VISEMES
from stages.synthetic.phonemes import Speech, Timeline, draw_speech, given_speech, viseme_curves
from stages.synthetic.tracks import bumps, ease, noise, rows_at, sample_times

TALKING_SHARE = 0.6
EXTREME_SHARE = 0.2  # of the episodes that are strong; the others are mild
LIVELY_SHARE = 0.1  # of the faces grimace all the time
ONE_SIDED_SHARE = 0.15
BLINK_PER_MIN = (12.0, 20.0)
CLOSE_S, CLOSED_S, OPEN_S = 0.075, 0.02, 0.15
EYE_MOST_DEG = np.array([30.0, 22.0])  # yaw, pitch
EYES_AT_EASE_DEG = 13.0  # how far eyes stay turned against the head once it has followed
GAZE_UNIT_DEG = 30.0  # an eyeLook weight of 1
WIDE_LOOK_SHARE = 0.3


@dataclass(frozen=True)
class FaceState:
    """expression f64 [52] 0..1 without gaze; viseme f64 [15] 0..1, already in it; gaze_deg f64 [2] yaw, pitch."""

    expression: np.ndarray
    viseme: np.ndarray
    gaze_deg: np.ndarray


class FaceMotion:
    """Curves of one face, constant once made.

    head_share how much the head turns with gaze and speech, 1 = fully; the eyes do the rest
    talking    None: decided at random (60%);  timeline: phonemes made elsewhere, (start_s, end_s, ARPAbet name)
    phonemes   what is said, rows (start_s, end_s, phoneme); empty when silent.  stress_s, phrases: see Speech
    head_deg   f64 [T, 3] pitch, yaw, roll of the head against the chest, at tracks.sample_times; blink_s f64 [K]
    errors     InputError: a timeline with unknown phonemes or times that run backwards
    """

    def __init__(
        self,
        rng: np.random.Generator,
        duration_s: float,
        arkit_names: tuple[str, ...],
        *,
        talking: bool | None = None,
        timeline: Timeline | None = None,
        head_share: float = 1.0,
    ) -> None:
        times = sample_times(duration_s)
        feel, speak, look, blink = rng.spawn(4)
        drawn = rng.random() < TALKING_SHARE
        self.talking = timeline is not None or (drawn if talking is None else talking)
        silent = Speech((), np.empty(0), ())
        spoken = draw_speech(speak, times[0], times[-1])
        self.speech = given_speech(timeline) if timeline is not None else (spoken if self.talking else silent)
        self._viseme = viseme_curves(times, self.speech.phonemes)
        index = {name: at for at, name in enumerate(arkit_names)}
        emotion = _emotions(feel, times, index)
        _brows_on_stress(feel, times, self.speech, emotion, index)
        self.head_deg, self._gaze, shifts = _looks(look, times, self.speech, head_share)
        self.blink_s = _blink_moments(blink, times, shifts)
        self._expression = spoken_expression(emotion, self._viseme, index)
        _close_lids(self._expression, times, self.blink_s, blink, index)

    @property
    def phonemes(self) -> Timeline:
        """Rows (start_s, end_s, phoneme) in the clip's time; they begin before 0 and end after the clip."""
        return self.speech.phonemes

    def __call__(self, time_s: float) -> FaceState:
        """The face at a time."""
        return FaceState(rows_at(self._expression, time_s), rows_at(self._viseme, time_s), rows_at(self._gaze, time_s))


def with_gaze(rotations: dict[str, np.ndarray], face: FaceState, names: tuple[str, ...]) -> dict[str, float]:
    """Turn the eyes in `rotations`, and return the expression with the eyeLook weights of that gaze.

    Both eyes look the same way; an eyeLook weight of 1 is 30 degrees. In and Out of an eye exclude each other, as do
    Up and Down; the lids follow.
    """
    from stages.synthetic.rotation import turn

    yaw, pitch = (float(angle) for angle in face.gaze_deg)
    rotations["eye.L"] = rotations["eye.R"] = turn(pitch, yaw, 0.0)
    expression = dict(zip(names, face.expression.tolist(), strict=True))
    towards = {"Up": -pitch, "Down": pitch, "OutLeft": yaw, "InRight": yaw, "InLeft": -yaw, "OutRight": -yaw}
    for name in names:
        if name.startswith("eyeLook"):
            word = name.removeprefix("eyeLook")
            angle = towards[word] if word in towards else towards[word.removesuffix("Left").removesuffix("Right")]
            expression[name] = min(max(angle / GAZE_UNIT_DEG, 0.0), 1.0)
    return expression


def _emotions(rng: np.random.Generator, times: np.ndarray, index: dict[str, int]) -> np.ndarray:
    """Episodes with onset, apex and offset over a resting face, f64 [T, 52]; mostly mild, often uneven."""
    out = np.zeros((len(times), len(index)))
    lively = rng.random() < LIVELY_SHARE
    rest = rng.beta(1.2, 7)
    for unit, amount in EMOTIONS["closed smile"].items():
        out[:, index[unit]] += rest * amount * (rng.random() < 0.6)
    names = list(EMOTIONS)
    shares = np.cumsum([EMOTION_SHARES[name] for name in names])
    moment = times[0] - rng.uniform(0, 3)
    while moment < times[-1]:
        name = names[int(np.searchsorted(shares, rng.random() * shares[-1], side="right"))]
        strong = lively or rng.random() < EXTREME_SHARE
        strength = rng.beta(5, 1.6) if strong else rng.beta(1.6, 3.4)
        onset, apex, offset = rng.uniform(0.2, 0.6), rng.uniform(0.2, 2.5), rng.uniform(0.4, 1.2)
        gap = times - moment
        shape = ease(gap / onset) * (1 - ease((gap - onset - apex) / offset))
        uneven = np.clip(1 - np.abs(rng.normal(0, 0.14, 2)), 0.2, 1.0)
        if rng.random() < ONE_SIDED_SHARE:
            uneven[rng.integers(2)] *= rng.uniform(0.1, 0.6)
        mirrored = rng.random() < 0.5
        for unit, amount in EMOTIONS[name].items():
            unit = _other_side(unit) if mirrored else unit
            side = 0 if unit.endswith("Left") else 1
            gain = uneven[side] if unit.endswith(("Left", "Right")) else 1.0
            jitter = float(np.exp(rng.normal(0, 0.15)))
            column = index[unit]
            out[:, column] = np.maximum(out[:, column], strength * amount * gain * jitter * shape)
        moment += onset + apex * rng.uniform(0.6, 1.0) + rng.exponential(0.5 if lively else 1.6)
    _small_moves(rng, times, out, index)
    return np.clip(out, 0, 1)


def _small_moves(rng: np.random.Generator, times: np.ndarray, out: np.ndarray, index: dict[str, int]) -> None:
    """Single units that twitch, mostly a little; and a tremor below what one sees as an expression."""
    units = [name for name in index if not name.startswith("eyeLook") and name not in ("tongueOut", "jawOpen")]
    for _ in range(int(rng.poisson(0.9 * (times[-1] - times[0])))):
        unit = units[int(rng.integers(len(units)))]
        size = rng.beta(1.2, 5) * (0.4 if unit.startswith(("eyeBlink", "mouthClose")) else 1.0)
        start, length = rng.uniform(times[0], times[-1]), rng.uniform(0.4, 1.6)
        rise = min(0.35, 0.4 * length)
        gap = times - start
        shape = size * ease(gap / rise) * (1 - ease((gap - length + rise) / rise))
        both = rng.random() < 0.5
        for name in {unit, _other_side(unit) if both else unit}:
            out[:, index[name]] = np.maximum(out[:, index[name]], shape * (1 if name == unit else rng.uniform(0.6, 1)))
    tremor = noise(rng, times, 8, 0.012, 0.7)
    for at, name in enumerate(("browInnerUp", "browDownLeft", "browDownRight", "mouthSmileLeft", "mouthSmileRight",
                               "mouthPressLeft", "mouthPressRight", "eyeSquintLeft")):  # fmt: skip
        out[:, index[name]] += np.maximum(tremor[:, at], 0)


def spoken_expression(emotion: np.ndarray, viseme: np.ndarray, index: dict[str, int]) -> np.ndarray:
    """Emotion and speech in one face, f64 [T, 52]: while someone speaks, the emotion keeps a part of the mouth."""
    table = np.zeros((len(VISEME_NAMES), len(index)))
    for row, name in enumerate(VISEME_NAMES):
        for unit, amount in VISEMES[name].items():
            table[row, index[unit]] = amount
    speaking = 1 - viseme[:, VISEME_NAMES.index("sil"), None]
    out = emotion.copy()
    lower = np.array([name.startswith(LOWER_FACE) for name in index])
    friendly = np.array([name.startswith(("mouthSmile", "mouthFrown", "mouthDimple")) for name in index])
    out[:, lower & ~friendly] *= 1 - 0.85 * speaking
    out[:, friendly] *= 1 - 0.45 * speaking
    out = out + viseme @ table * (1 - 0.35 * out)
    closed = viseme[:, VISEME_NAMES.index("PP")]
    for name in ("mouthUpperUpLeft", "mouthUpperUpRight", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthFunnel",
                 "mouthStretchLeft", "mouthStretchRight"):  # fmt: skip
        out[:, index[name]] *= 1 - closed
    out[:, index["jawOpen"]] *= 1 - 0.8 * closed
    out[:, index["mouthClose"]] = np.maximum(
        np.minimum(out[:, index["mouthClose"]], out[:, index["jawOpen"]]), closed * out[:, index["jawOpen"]]
    )
    return np.clip(out, 0, 1)


def _brows_on_stress(rng, times: np.ndarray, speech: Speech, out: np.ndarray, index: dict[str, int]) -> None:
    """Brows go up a little with some stressed syllables."""
    chosen = speech.stress_s[rng.random(len(speech.stress_s)) < 0.35]
    if len(chosen):
        rise = bumps(times, chosen, 0.15, 0.35) * rng.uniform(0.1, 0.35)
        for name in ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"):
            out[:, index[name]] = np.maximum(out[:, index[name]], rise)


def _looks(
    rng: np.random.Generator, times: np.ndarray, speech: Speech, head_share: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Head turn [T, 3], gaze against the head [T, 2] yaw and pitch, and the moments of large shifts [K].

    Fixations joined by saccades; the head follows large ones later and slower, and the eyes make up for every move of
    the head, nods and tremor too.
    """
    towards = rng.normal(0, [9, 3])  # the one spoken to
    wide = 2.0 if rng.random() < WIDE_LOOK_SHARE else 1.0
    moments, targets, away = [times[0] - 1.0], [towards], False
    while moments[-1] < times[-1]:
        away = rng.random() < (0.22 if not away else 0.4)
        spread = np.array([20.0, 8.0]) * wide if away else np.array([3.0, 2.0])
        moments.append(moments[-1] + (rng.uniform(0.4, 1.8) if away else rng.uniform(0.25, 1.6)))
        targets.append(towards + rng.normal(0, 1, 2) * spread)
    moments, targets = np.array(moments), np.clip(targets, [-75, -30], [75, 35])
    size = np.linalg.norm(np.diff(targets, axis=0), axis=1)
    gaze = np.empty((len(times), 2))
    saccade = np.concatenate([[0.03], np.clip(0.021 + 0.0022 * size, 0.025, 0.08)])
    position = np.searchsorted(moments, times, side="right") - 1
    before = np.maximum(position - 1, 0)
    share = ease((times - moments[position]) / saccade[position])[:, None]
    gaze = targets[before] + (targets[position] - targets[before]) * share
    far = np.linalg.norm(targets - towards, axis=1, keepdims=True)
    goal = targets * np.clip(0.3 + (far - 4) / 45, 0.25, 0.8)
    goal = targets + np.clip(goal - targets, -EYES_AT_EASE_DEG, EYES_AT_EASE_DEG)
    lag, move = rng.uniform(0.03, 0.12, len(moments)), rng.uniform(0.35, 0.7, len(moments))
    head = np.tile(goal[0], (len(times), 1))
    for at in range(1, len(moments)):
        head += (goal[at] - goal[at - 1]) * ease((times - moments[at] - lag[at]) / move[at])[:, None]
    nod = bumps(times, speech.stress_s, 0.13, 0.3) * rng.uniform(1.0, 4.5) if len(speech.stress_s) else 0.0
    tremor = noise(rng, times, 3, np.array([1.1, 1.3, 1.2]) * (1.6 if len(speech.stress_s) else 1.0), 0.6)
    tilt = noise(rng, times, 1, 3.5, 0.25)[:, 0] + rng.normal(0, 2.5)
    turned = np.stack([head[:, 1] + nod, head[:, 0], tilt], axis=-1) * head_share + tremor
    eyes = np.clip(gaze - turned[:, [1, 0]], -EYE_MOST_DEG, EYE_MOST_DEG)
    return turned, eyes, moments[1:][size > 18]


def _blink_moments(rng: np.random.Generator, times: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """When the lids begin to close, seconds: 12 to 20 a minute, some double, some with large gaze shifts."""
    pause_s = 60 / rng.uniform(*BLINK_PER_MIN)
    moment, out = times[0] + rng.uniform(0, pause_s), []
    while moment < times[-1]:
        out.append(moment)
        if rng.random() < 0.07:
            out.append(moment + rng.uniform(0.3, 0.4))
        moment += 0.6 + rng.gamma(2.5, (pause_s * 1.55 - 0.6) / 2.5)
    out.extend(shifts[rng.random(len(shifts)) < 0.25])
    kept: list[float] = []
    for moment in sorted(out):
        if not kept or moment - kept[-1] > 0.28:
            kept.append(float(moment))
    return np.array(kept)


def _close_lids(out: np.ndarray, times: np.ndarray, blink_s: np.ndarray, rng, index: dict[str, int]) -> None:
    """Blinks: lids close fast, stay for a moment, and open slower."""
    lids = np.zeros(len(times))
    for moment in blink_s:
        pace, depth = rng.uniform(0.85, 1.2), rng.uniform(0.85, 1.0)
        gap = (times - moment) / pace
        lids = np.maximum(lids, depth * ease(gap / CLOSE_S) * (1 - ease((gap - CLOSE_S - CLOSED_S) / OPEN_S)))
    for side in ("Left", "Right"):
        column = index["eyeBlink" + side]
        out[:, column] = np.maximum(out[:, column], lids)
        out[:, index["eyeWide" + side]] *= 1 - out[:, column]


def _other_side(name: str) -> str:
    """The same unit on the other side; the name itself where there is only one."""
    return name.replace("Left", "Right") if name.endswith("Left") else name.replace("Right", "Left")
