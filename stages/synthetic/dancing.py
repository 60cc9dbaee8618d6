"""Dance and exercise: hips, steps and arms on a beat; jumps that are real ones."""

from __future__ import annotations

import numpy as np

from stages.synthetic.footsteps import Step, follow, lay
from stages.synthetic.gestures import lay_hand, oscillate
from stages.synthetic.holdout import choose_motion
from stages.synthetic.plan import Plan, turned_xz
from stages.synthetic.tracks import bumps, ease, keyed

DANCE_SHARES = {"bounce": 2.0, "sway": 2.0, "side steps": 2.0, "twist": 1.5, "march": 1.0, "spin": 1.5,
                "step touch": 1.5, "robot": 1.0}  # fmt: skip
EXERCISE_SHARES = {"squats": 2.0, "jumping jacks": 2.0, "arm circles": 1.5, "knee raises": 1.5, "jumps": 1.0,
                   "punches": 1.0, "lunges": 1.5, "side bends": 1.5}  # fmt: skip
DANCE_PLACES = (
    "up",
    "out",
    "chest",
    "fists up",
    "pump",
    "wave",
    "forward",
    "open",
    "hip",
    "side",
    "both low",
    "point up",
)
LEG_M = 0.87  # of a typical person, for how long a jump lasts
GRAVITY = 9.81 / LEG_M  # leg lengths per square second


def dance(plan: Plan, rng: np.random.Generator, split: str) -> None:
    """One pattern on a beat of 92 to 150 a minute; arms change on every first, second or fourth beat."""
    kind = choose_motion(rng, "dance", DANCE_SHARES, split)
    beat = 60 / rng.uniform(92, 150)
    beats = _beats(rng, plan, beat)
    phase = np.pi * (plan.time_s - beats[0]) / beat  # one swing to and fro in two beats
    swing, dip = np.sin(phase), 0.5 - 0.5 * np.cos(2 * phase)
    size = rng.uniform(0.6, 1.3)
    if kind in ("side steps", "step touch"):
        _side_steps(plan, beats, beat, rng.uniform(0.22, 0.4), touch=kind == "step touch")
    elif kind == "spin":
        _spin(plan, rng, beats, beat)
    elif kind == "march":
        lay(plan, _marching(plan, beats, beat, rng.uniform(0.16, 0.3)))
        plan.hip_xz += 0.05 * swing[:, None] * turned_xz(np.array([1.0, 0.0]), plan.heading_deg)
    else:
        lateral = {"bounce": 0.025, "sway": 0.075, "twist": 0.03, "robot": 0.0}[kind] * size
        plan.hip_xz += lateral * swing[:, None] * turned_xz(np.array([1.0, 0.0]), plan.heading_deg)
    plan.drop += {"bounce": 0.09, "robot": 0.0}.get(kind, 0.05) * size * dip + 0.015
    if kind == "robot":
        snap = keyed(plan.time_s, beats, np.full(len(beats), 0.2), rng.normal(0, 1, (len(beats), 4)))
        plan.spine_deg += snap[:, :3] * [4, 12, 7]
        plan.head_deg[:, 1] += snap[:, 3] * 18
    else:
        yaw = {"twist": 20.0}.get(kind, 6.0) * size
        plan.pelvis_deg += np.stack([2 * dip, yaw * swing, 4.5 * size * swing], axis=-1)
        plan.spine_deg += np.stack([5 * size * dip, -1.5 * yaw * swing, -6 * size * swing], axis=-1)
        plan.head_deg += np.stack([6 * size * (dip - 0.5), 0.4 * yaw * swing, 3 * swing], axis=-1)
    _dancing_arms(plan, rng, beats, beat, snap=kind == "robot")


def exercise(plan: Plan, rng: np.random.Generator, split: str) -> None:
    """One exercise, repeated."""
    kind = choose_motion(rng, "exercise", EXERCISE_SHARES, split)
    period = {"jumping jacks": rng.uniform(0.95, 1.25), "punches": rng.uniform(0.7, 1.1), "arm circles": 1.1}.get(
        kind, rng.uniform(1.3, 2.2)
    )
    beats = _beats(rng, plan, period)
    {
        "squats": _squats, "jumping jacks": _jacks, "arm circles": _arm_circles, "knee raises": _knee_raises,
        "jumps": _jumps, "punches": _punches, "lunges": _lunges, "side bends": _side_bends,
    }[kind](plan, rng, beats, period)  # fmt: skip


def _beats(rng: np.random.Generator, plan: Plan, period: float) -> np.ndarray:
    times = plan.time_s
    return times[0] - rng.random() * period + np.arange(int((times[-1] - times[0]) / period) + 3) * period


def _dancing_arms(plan: Plan, rng: np.random.Generator, beats: np.ndarray, beat: float, *, snap: bool) -> None:
    every = int(rng.choice([1, 2, 2, 4]))
    arrive = beats[::every]
    count = int(rng.integers(2, 5))
    figure = [str(name) for name in rng.choice(DANCE_PLACES, count)]
    manner = rng.random()
    left = [figure[at % count] for at in range(len(arrive))]
    right = left if manner < 0.5 else [figure[(at + 1) % count] for at in range(len(arrive))]
    for index, names in enumerate((left, right)):
        lay_hand(plan, rng, index, arrive, names, 0.24 if snap else min(0.75 * beat * every, 0.7))
        if not snap:
            amount = np.array([0.03, rng.uniform(0.03, 0.1), 0.02])
            oscillate(plan, index, np.ones(len(plan.time_s)), 1 / beat, amount)


def _side_steps(plan: Plan, beats: np.ndarray, beat: float, width: float, *, touch: bool) -> None:
    """Step to the left, close, step to the right, close; touch: the closing foot only taps and goes back."""
    xz, steps = plan.foot_xz[0].copy(), []
    across = turned_xz(np.array([width, 0.0]), plan.heading_deg[0])
    yaw, middle = plan.foot_yaw_deg[0], [0.0]
    for number, moment in enumerate(beats):
        way, closing = (1 if number % 4 < 2 else -1), number % 2 == 1
        foot = (0 if way > 0 else 1) if not closing else (1 if way > 0 else 0)
        place = xz[foot] + across * (0.5 if way > 0 else -0.5)
        if touch and closing:
            place = place - 0.4 * across * way
        steps.append(Step(foot, moment - 0.62 * beat, moment, tuple(place), float(yaw[foot]), 0.07))
        middle.append(0.5 * way)
    hips = keyed(plan.time_s, np.r_[beats[0] - beat, beats], np.full(len(beats) + 1, 0.9 * beat), np.array(middle))
    plan.hip_xz += hips[:, None] * across * 0.8
    lay(plan, steps)


def _marching(plan: Plan, beats: np.ndarray, beat: float, height: float) -> list[Step]:
    yaw, xz = plan.foot_yaw_deg[0], plan.foot_xz[0]
    return [
        Step(at % 2, moment - 0.85 * beat, moment, tuple(xz[at % 2]), float(yaw[at % 2]), height, 0.1)
        for at, moment in enumerate(beats)
    ]


def _spin(plan: Plan, rng: np.random.Generator, beats: np.ndarray, beat: float) -> None:
    """A turn all the way round now and then, in steps on the beat."""
    value, way = [0.0], rng.choice([-1.0, 1.0])
    arrive = beats[::4]
    for _ in arrive[1:]:
        value.append(value[-1] + (way * 360.0 if rng.random() < 0.6 else 0.0))
    plan.heading_deg += keyed(plan.time_s, arrive, np.full(len(arrive), 3.6 * beat), np.array(value))
    follow(plan, (plan.time_s[0] - beats[0]) / beat % 1.0, beat, width=0.11, toe_out_deg=8, height=0.06)


def _squats(plan: Plan, rng: np.random.Generator, beats: np.ndarray, period: float) -> None:
    depth = bumps(plan.time_s, beats, 0.48 * period, 0.48 * period)
    low = rng.uniform(0.25, 0.5)
    _stand_wide(plan, 0.17)
    plan.knees_out = 0.35
    plan.drop += low * depth
    plan.hip_xz += (-0.36 * low * depth)[:, None] * turned_xz(np.array([0.0, 1.0]), plan.heading_deg)
    plan.pelvis_deg[:, 0] += 62 * low * depth
    plan.spine_deg[:, 0] += 26 * low * depth
    plan.head_deg[:, 0] -= 60 * low * depth
    down = str(rng.choice(["forward", "grip", "hip", "behind head"]))
    _arms_between(plan, rng, "side" if down in ("forward", "grip") else down, down, depth)


def _jumps(plan: Plan, rng: np.random.Generator, beats: np.ndarray, period: float) -> None:
    _leap(plan, beats, rng.uniform(0.08, 0.22), None)
    _arms_between(plan, rng, "side", str(rng.choice(["up", "fists up"])), bumps(plan.time_s, beats, 0.3, 0.35))


def _jacks(plan: Plan, rng: np.random.Generator, beats: np.ndarray, period: float) -> None:
    """Jumps that open and close: wide with hands up on every second landing."""
    half = np.sort(np.concatenate([beats, beats + period / 2]))
    wide = rng.uniform(0.28, 0.4)
    _leap(plan, half, rng.uniform(0.045, 0.075), wide)
    open_ = bumps(plan.time_s, beats + 0.12, 0.42 * period, 0.42 * period)
    for index in (0, 1):
        lay_hand(plan, rng, index, plan.time_s[:1], ["up"], 0.5, still=True)
        angle = np.radians(12 + 150 * open_)  # up through the side
        plan.reach[:, index] = 0.94 * np.stack([np.sin(angle), -np.cos(angle), 0.12 + 0 * angle], axis=-1)
        plan.palm[:, index] = [-0.3, 0.0, 1.0]
        plan.elbow_out_deg[:, index] = 85.0


def _leap(plan: Plan, moments: np.ndarray, height: float, wide: float | None) -> None:
    """Both feet jump so that they are highest at each moment. height: leg lengths; wide: feet open and close."""
    air_s = 2 * np.sqrt(2 * height / GRAVITY)
    times, steps = plan.time_s, []
    xz, yaw = plan.foot_xz[0].copy(), plan.foot_yaw_deg[0].copy()
    out = turned_xz(np.array([1.0, 0.0]), plan.heading_deg[0])
    for number, moment in enumerate(moments):
        lift, land = moment - air_s / 2, moment + air_s / 2
        share = np.clip((times - lift) / air_s, 0, 1)
        plan.rise += 4 * height * share * (1 - share)
        plan.drop += 0.09 * (
            bumps(times, np.array([lift - 0.1]), 0.18, 0.12) + 1.1 * bumps(times, [land + 0.07], 0.1, 0.2)
        )
        for foot, sign in ((0, 1), (1, -1)):
            place = xz[foot] + (sign * wide * out if wide is not None and number % 2 == 0 else 0.0)
            steps.append(Step(foot, lift, land, tuple(place), float(yaw[foot]), 0.9 * height, 0.35))
    lay(plan, steps)
    for foot in (0, 1):
        air = ~plan.planted[:, foot]
        plan.lift[air, foot] = 0.92 * plan.rise[air]
        plan.foot_pitch_deg[air, foot] = np.maximum(plan.foot_pitch_deg[air, foot], 0)


def _knee_raises(plan: Plan, rng: np.random.Generator, beats: np.ndarray, period: float) -> None:
    beat = period / 2
    halves = beats[0] + np.arange(2 * len(beats)) * beat
    lay(plan, _marching(plan, halves, beat, rng.uniform(0.3, 0.45)))
    side = np.sin(np.pi * (plan.time_s - halves[0]) / beat + np.pi / 2)
    plan.hip_xz += 0.06 * side[:, None] * turned_xz(np.array([1.0, 0.0]), plan.heading_deg)
    for index, sign in ((0, 1), (1, -1)):
        lay_hand(plan, rng, index, plan.time_s[:1], ["grip"], 0.5)
        plan.reach[:, index, 1] += 0.16 * sign * side


def _lunges(plan: Plan, rng: np.random.Generator, beats: np.ndarray, period: float) -> None:
    xz, yaw, steps = plan.foot_xz[0].copy(), plan.foot_yaw_deg[0], []
    ahead = turned_xz(np.array([0.0, 1.0]), plan.heading_deg[0])
    far = rng.uniform(0.65, 0.9)
    for at, moment in enumerate(beats):
        foot = at % 2
        steps.append(
            Step(
                foot, moment - 0.46 * period, moment - 0.14 * period, tuple(xz[foot] + far * ahead), yaw[foot], 0.1, 0.4
            )
        )
        steps.append(Step(foot, moment + 0.18 * period, moment + 0.48 * period, tuple(xz[foot]), yaw[foot], 0.1, -0.3))
        other = plan.time_s
        heel = ease((other - moment + 0.3 * period) / (0.25 * period)) * (
            1 - ease((other - moment - 0.1 * period) / (0.25 * period))
        )
        plan.foot_pitch_deg[:, 1 - foot] += 42 * heel
    down = bumps(plan.time_s, beats, 0.4 * period, 0.4 * period)
    plan.hip_xz += (0.5 * far * down)[:, None] * ahead
    plan.drop += rng.uniform(0.18, 0.34) * down
    pitch = plan.foot_pitch_deg.copy()
    plan.foot_pitch_deg[:] = 0
    lay(plan, steps)
    plan.foot_pitch_deg[:] = np.where(np.abs(plan.foot_pitch_deg) > np.abs(pitch), plan.foot_pitch_deg, pitch)
    _arms_between(plan, rng, "hip", "hip", down)


def _side_bends(plan: Plan, rng: np.random.Generator, beats: np.ndarray, period: float) -> None:
    _stand_wide(plan, 0.2)
    lean = np.sin(np.pi * (plan.time_s - beats[0]) / period)
    plan.spine_deg[:, 2] += rng.uniform(18, 30) * lean
    plan.pelvis_deg[:, 2] += 5 * lean
    plan.hip_xz += (0.06 * lean)[:, None] * turned_xz(np.array([1.0, 0.0]), plan.heading_deg)
    if rng.random() < 0.5:
        _arms_between(plan, rng, "hip", "hip", lean * 0)
        return
    for index, sign in ((0, 1), (1, -1)):
        names = [
            "up" if np.sin(np.pi * (beat + 0.5 * period - beats[0]) / period) * sign < 0 else "hip" for beat in beats
        ]
        lay_hand(plan, rng, index, beats + 0.35 * period, names, 0.6 * period)


def _arm_circles(plan: Plan, rng: np.random.Generator, beats: np.ndarray, period: float) -> None:
    angle = 2 * np.pi * (plan.time_s - beats[0]) / period * rng.choice([-1, 1])
    size = rng.uniform(0.12, 0.45)
    for index in (0, 1):
        lay_hand(plan, rng, index, plan.time_s[:1], ["out"], 0.5, still=True)
        plan.reach[:, index] += size * np.stack([-0.3 * size + 0 * angle, np.sin(angle), np.cos(angle)], axis=-1)


def _punches(plan: Plan, rng: np.random.Generator, beats: np.ndarray, period: float) -> None:
    """Boxing at the air: left and right in turn, with the trunk behind it."""
    for index, sign, start in ((0, 1, beats), (1, -1, beats + period / 2)):
        lay_hand(plan, rng, index, plan.time_s[:1], ["fists up"], 0.5)
        hit = bumps(plan.time_s, start, 0.22 * period, 0.3 * period)
        plan.reach[:, index] += hit[:, None] * (np.array([-0.1, 0.02, 0.92]) - plan.reach[:, index])
        plan.spine_deg[:, 1] -= sign * 18 * hit
        plan.pelvis_deg[:, 1] -= sign * 7 * hit
    plan.drop += 0.03 + 0.015 * np.sin(4 * np.pi * (plan.time_s - beats[0]) / period)


def _stand_wide(plan: Plan, width: float) -> None:
    plan.foot_xz[:] = turned_xz(np.array([[width, 0.0], [-width, 0.0]]), plan.heading_deg[0])
    plan.foot_yaw_deg[:] = plan.heading_deg[0] + np.array([18.0, -18.0])


def _arms_between(plan: Plan, rng: np.random.Generator, low: str, high: str, share: np.ndarray) -> None:
    """Both hands at place `low`, and at `high` where share f64 [T] is 1."""
    for index in (0, 1):
        lay_hand(plan, rng, index, plan.time_s[:1], [low], 0.5, still=True)
        kept = [array[:, index].copy() for array in (plan.reach, plan.palm, plan.anchor, plan.fingers)]
        lay_hand(plan, rng, index, plan.time_s[:1], [high], 0.5, still=True)
        for array, first in zip((plan.reach, plan.palm, plan.anchor, plan.fingers), kept, strict=True):
            array[:, index] = first + (array[:, index] - first) * share[:, None]
