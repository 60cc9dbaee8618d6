"""What hands do: named places of a hand, sequences of them, and strokes, waves and claps on top."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.synthetic.hands import FINGER_POSES
from stages.synthetic.holdout import choose_motion
from stages.synthetic.plan import ANCHOR, Plan
from stages.synthetic.tracks import bumps, key_times, keyed, noise


@dataclass(frozen=True)
class HandPlace:
    """reach: outward, up, forward of the anchor in arm lengths; palm: where it faces, same axes; spread: of `reach`."""

    reach: tuple[float, float, float]
    palm: tuple[float, float, float]
    fingers: str = "relaxed"
    anchor: str = "shoulder"
    elbow_out_deg: float = 35.0
    spread: float = 0.05
    flex_deg: float = 0.0


PLACES: dict[str, HandPlace] = {
    "side": HandPlace((0.13, -0.99, 0.05), (-1, 0, -0.15), spread=0.012),
    "belly": HandPlace((-0.16, -0.6, 0.5), (-0.6, 0.1, -0.7), "cup"),
    "clasp": HandPlace((0.1, -0.68, 0.42), (-0.4, 0.5, -0.8), "cup", "sternum", 40, 0.01),
    "chest": HandPlace((-0.1, -0.4, 0.56), (-0.8, 0.3, -0.2), "open", spread=0.07),
    "offer": HandPlace((0.05, -0.5, 0.62), (-0.25, 1, 0.1), "open", spread=0.07),
    "open": HandPlace((0.34, -0.48, 0.5), (-0.3, 0.8, 0.45), "open", spread=0.08),
    "both low": HandPlace((0.22, -0.72, 0.42), (-0.5, 0.5, 0.3), "open", spread=0.06),
    "stop": HandPlace((0.08, -0.12, 0.66), (0, 0.1, 1), "flat", elbow_out_deg=30, flex_deg=-50),
    "small": HandPlace((0.08, -0.22, 0.46), (-0.8, -0.2, 0.5), "pinch", elbow_out_deg=20, spread=0.05),
    "count": HandPlace((0.12, -0.04, 0.42), (-0.2, 0.1, 1), "peace", elbow_out_deg=25, spread=0.04),
    "grip": HandPlace((0.0, -0.35, 0.58), (-1, 0.2, 0), "fist", spread=0.05),
    "heart": HandPlace((-0.02, -0.2, 0.3), (-0.3, 0, -1), "flat", "sternum", 50, 0.02),
    "steeple": HandPlace((0.19, -0.38, 0.5), (-1, 0.1, 0), "spread", "sternum", 45, 0.01),
    "thumbs up": HandPlace((0.05, -0.35, 0.6), (-1, 0, 0), "thumbs up", spread=0.05),
    "wave": HandPlace((0.28, 0.14, 0.38), (0, 0.05, 1), "open", elbow_out_deg=35, spread=0.06),
    "out": HandPlace((0.9, -0.02, 0.25), (0, -1, 0.2), "open", elbow_out_deg=75, spread=0.06),
    "up": HandPlace((0.16, 0.94, 0.12), (-0.6, 0, 0.8), "open", elbow_out_deg=80, spread=0.04),
    "hip": HandPlace((0.16, 0.06, 0.1), (-0.7, -0.7, 0), "cup", "hip", 85, 0.01, 20),
    "forward": HandPlace((-0.02, -0.1, 0.95), (-0.2, -1, 0), "flat", spread=0.05),
    "point front": HandPlace((-0.05, -0.03, 0.9), (-0.7, -0.7, 0), "point", spread=0.06),
    "point side": HandPlace((0.75, 0.12, 0.5), (-0.3, -0.9, 0), "point", elbow_out_deg=60, spread=0.06),
    "point up": HandPlace((0.15, 0.16, 0.36), (-0.4, 0, 0.9), "point", elbow_out_deg=25, spread=0.04),
    "chin": HandPlace((0.02, -0.24, 0.06), (-0.4, 0.6, -0.7), "point", "chin", 20, 0.01, 15),
    "chin fist": HandPlace((0.03, -0.19, 0.09), (-0.3, 0.5, -0.8), "fist", "chin", 15, 0.01),
    "cheek": HandPlace((0.15, -0.13, 0.02), (-0.9, 0.3, -0.3), "cup", "chin", 30, 0.01),
    "support": HandPlace((-0.14, -0.55, 0.36), (-0.3, 0.2, -0.9), "relaxed", "sternum", 40, 0.01),
    "crossed": HandPlace((-0.1, -0.36, 0.26), (0.1, 0.0, -1), "cup", "sternum", 40, 0.01),
    "crossed in front": HandPlace((-0.08, -0.42, 0.36), (0.1, 0.0, -1), "cup", "sternum", 45, 0.01),
    "clap": HandPlace((0.26, -0.22, 0.48), (-1, 0.1, 0), "flat", "sternum", 45, 0.01),
    "thigh": HandPlace((0.0, -0.02, 0.0), (-0.2, 0.1, -1), "relaxed", "thigh", 30, 0.012, -58),
    "lap": HandPlace((-0.14, 0.08, -0.12), (-0.5, 0.5, -0.6), "cup", "thigh", 35, 0.01),
    "fists up": HandPlace((-0.04, -0.05, 0.48), (-0.8, 0, -0.5), "fist", elbow_out_deg=20, spread=0.04),
    "behind head": HandPlace((0.38, 0.42, 0.1), (-0.6, 0, 0.8), "cup", elbow_out_deg=85, spread=0.01),
    "pump": HandPlace((0.12, -0.55, 0.35), (-1, 0, 0), "fist", elbow_out_deg=15, spread=0.03),
}
MIRRORED = ("clasp", "steeple", "clap", "lap", "behind head", "heart")  # with both hands only


def lay_hand(
    plan: Plan, rng: np.random.Generator, index: int, arrive: np.ndarray, names: list[str], move_s: float, **exact
) -> None:
    """Write one hand's curves: at `arrive[k]` the hand has come to place `names[k]` and stays until the next move."""
    places = [PLACES[name] for name in names]
    count = len(places)
    reach = np.array([p.reach for p in places])
    spread = np.array([p.spread for p in places])[:, None]
    reach = reach + rng.normal(0, 1, (count, 3)) * spread * (0.0 if exact.get("still") else 1.0)
    anchor = np.zeros((count, len(ANCHOR)))
    anchor[np.arange(count), [ANCHOR[p.anchor] for p in places]] = 1
    curl = np.array([FINGER_POSES[p.fingers] for p in places], float)
    curl = curl * rng.uniform(0.75, 1.25, (count, 1)) + rng.normal(0, 3, curl.shape)
    move = move_s * rng.uniform(0.8, 1.4, count)
    values = np.concatenate(
        [
            reach,
            anchor,
            np.array([p.palm for p in places], float) + rng.normal(0, 0.12, (count, 3)),
            np.array([[p.elbow_out_deg, p.flex_deg, 0.0] for p in places]) + rng.normal(0, [6, 5, 4], (count, 3)),
        ],
        axis=1,
    )
    curve = keyed(plan.time_s, arrive, move, values)
    plan.reach[:, index], plan.anchor[:, index], plan.palm[:, index] = curve[:, :3], curve[:, 3:8], curve[:, 8:11]
    plan.elbow_out_deg[:, index], plan.wrist_deg[:, index] = curve[:, 11], curve[:, 12:]
    plan.fingers[:, index] = keyed(plan.time_s, arrive - 0.1 * move, 0.7 * move, curl)
    plan.reach[:, index] += noise(rng, plan.time_s, 3, 0.008, 0.5)
    plan.fingers[:, index] += noise(rng, plan.time_s, plan.fingers.shape[-1], 1.5, 0.5)


def rest(plan: Plan, rng: np.random.Generator, pairs: dict[tuple[str, str], float], *, long_s: float = 3.5) -> None:
    """Both hands in pairs of resting places (left, right), changed now and then; a pair may come mirrored."""
    names, weight = list(pairs), np.array(list(pairs.values()))
    arrive = key_times(rng, plan.time_s, 0.5 * long_s, 2 * long_s)
    chosen = [names[at] for at in rng.choice(len(names), len(arrive), p=weight / weight.sum())]
    swapped = rng.random(len(arrive)) < 0.5
    pairs_at = [(b, a) if swap else (a, b) for (a, b), swap in zip(chosen, swapped, strict=True)]
    for index in (0, 1):
        lay_hand(plan, rng, index, arrive + rng.uniform(0, 0.15), [pair[index] for pair in pairs_at], 0.8)


TALK_GESTURES = {
    "chest": 2.0, "offer": 3.0, "open": 3.0, "both low": 2.0, "small": 1.0, "grip": 0.7, "belly": 1.0, "stop": 0.5,
    "count": 0.4, "heart": 0.6, "point up": 0.5, "point front": 0.3, "steeple": 1.0, "thumbs up": 1.0,
    "point side": 0.5,
}  # fmt: skip


def talk(
    plan: Plan,
    rng: np.random.Generator,
    phrases: list[tuple[float, float]],
    stress_s: np.ndarray,
    split: str,
    resting: tuple[tuple[str, str], ...],
    liveliness: float,
) -> None:
    """Gestures while phrases last, rest in between, small strokes on stressed syllables."""
    pair = resting[int(rng.integers(len(resting)))]
    arrive, left, right = [plan.time_s[0] - 1.0], [pair[0]], [pair[1]]
    for start, end in phrases:
        if rng.random() > liveliness:
            continue
        moment = start + rng.uniform(-0.2, 0.5)
        while moment < end:
            name = choose_motion(rng, "gesture", TALK_GESTURES, split)
            both = name in MIRRORED or rng.random() < 0.55
            one = int(rng.integers(2))
            arrive.append(max(moment, arrive[-1] + 0.5))
            left.append(name if both or one == 0 else pair[0])
            right.append(name if both or one == 1 else pair[1])
            moment = arrive[-1] + rng.uniform(0.7, 1.8)
        arrive.append(max(end + rng.uniform(0.1, 0.6), arrive[-1] + 0.5))
        left.append(pair[0])
        right.append(pair[1])
    moments = np.array(arrive)
    for index, names in enumerate((left, right)):
        lay_hand(plan, rng, index, moments + rng.uniform(0, 0.1), names, 0.55)
        gesturing = keyed(
            plan.time_s, moments, np.full(len(moments), 0.4), np.array([float(n not in pair) for n in names])
        )
        stroke = bumps(plan.time_s, stress_s + rng.normal(0, 0.03, len(stress_s)), 0.14, 0.28)
        size = gesturing * stroke * rng.uniform(0.5, 1.3)
        plan.reach[:, index] += size[:, None] * np.array([0.03, -0.08, 0.05])
        plan.wrist_deg[:, index, 0] += 14 * size


def oscillate(plan: Plan, index: int, when: np.ndarray, hz: float, amount: np.ndarray, wrist_deg: float = 0.0) -> None:
    """A to and fro of one hand. when f64 [T] 0..1 scales it; amount f64 [3] arm lengths outward, up, forward."""
    swing = when * np.sin(2 * np.pi * hz * plan.time_s)
    plan.reach[:, index] += swing[:, None] * amount
    plan.wrist_deg[:, index, 1] += wrist_deg * swing
