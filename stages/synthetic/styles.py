"""The styles of procedural motion: each fills a plan from random numbers, a face and the split."""

from __future__ import annotations

import numpy as np

from stages.synthetic import gestures
from stages.synthetic.dancing import dance, exercise
from stages.synthetic.face_motion import FaceMotion
from stages.synthetic.footsteps import follow
from stages.synthetic.holdout import choose_motion
from stages.synthetic.plan import Plan, Seat, standing, turned_xz
from stages.synthetic.tracks import ease, key_times, keyed, noise, wander
from stages.synthetic.walking import turn_around, turn_round, walk

STYLE_CHOICES: dict[str, tuple[str, ...]] = {
    "portrait": ("talk", "talk", "talk", "idle", "idle", "look", "think", "wave", "sit"),
    "half": ("talk", "talk", "idle", "look", "wave", "point", "think", "clap", "cross arms", "dance", "exercise",
             "walk", "turn", "sit"),
    "full": ("talk", "idle", "look", "wave", "point", "think", "clap", "cross arms", "dance", "dance", "exercise",
             "exercise", "walk", "walk", "walk", "turn", "turn", "sit", "sit"),
}  # fmt: skip
TURN_AROUND = "turn-around"
ORDERED = (TURN_AROUND,)  # only made when they are asked for by name: a draw never gives them
STYLES = tuple(dict.fromkeys(STYLE_CHOICES["full"])) + ORDERED
IDLE_HANDS = {
    ("side", "side"): 5.0, ("clasp", "clasp"): 2.0, ("hip", "side"): 1.5, ("hip", "hip"): 1.0, ("belly", "side"): 0.7,
    ("crossed", "crossed in front"): 1.0, ("lap", "lap"): 0.0,
}  # fmt: skip
TALK_HANDS = (("side", "side"), ("clasp", "clasp"), ("side", "belly"), ("belly", "belly"), ("hip", "side"))
SEATED_HANDS = (("thigh", "thigh"), ("lap", "lap"), ("thigh", "lap"))
TURNED_SHARE, SHIFTING_SHARE, STEPPING_SHARE = 0.25, 0.6, 0.25
_FACING_MOST_DEG = 12.0  # where a turn-around has its middle


def make_plan(
    rng: np.random.Generator, duration_s: float, style: str, face: FaceMotion, *, split: str, framing: str
) -> Plan:
    """The plan of one style. The draws do not depend on any body."""
    turned = rng.random() < (0.4 if framing == "portrait" else 1.0) * TURNED_SHARE
    facing = rng.normal(0, 45 if turned else 13)
    if style == TURN_AROUND:
        facing = np.clip(facing, -_FACING_MOST_DEG, _FACING_MOST_DEG)
    plan = standing(duration_s, rng.uniform(0.085, 0.16), rng.uniform(2, 14), float(facing))
    calm = 0.6 if framing == "portrait" else 1.0
    if style == "walk":
        walk(plan, rng, split)
    elif style == "turn":
        turn_round(plan, rng)
    elif style == TURN_AROUND:
        turn_around(plan, rng)
    elif style == "dance":
        dance(plan, rng, split)
    elif style == "exercise":
        exercise(plan, rng, split)
    elif style == "sit":
        _sit(plan, rng, face, split)
    else:
        _stand(plan, rng, calm)
        HANDS[style](plan, rng, face, split)
    _alive(plan, rng, calm * (0.5 if style in ("walk", "turn", "dance", "exercise", TURN_AROUND) else 1.0))
    plan.head_deg += face.head_deg
    plan.head_deg[:, 0] -= 0.5 * plan.spine_deg[:, 0]
    plan.head_deg[:, 2] -= 0.4 * (plan.spine_deg[:, 2] + plan.pelvis_deg[:, 2])
    plan.head_deg = np.clip(plan.head_deg, [-50, -72, -32], [45, 72, 32])
    return plan


def _alive(plan: Plan, rng: np.random.Generator, size: float) -> None:
    """Breath and small sway of trunk and collars."""
    breath = np.sin(2 * np.pi * rng.uniform(0.2, 0.35) * plan.time_s + rng.uniform(0, 6))
    plan.spine_deg += noise(rng, plan.time_s, 3, np.array([1.2, 1.8, 1.1]) * size, 0.3)
    plan.spine_deg[:, 0] -= 0.7 * breath
    plan.shrug_deg += (1.0 * breath)[:, None] + noise(rng, plan.time_s, 2, 1.2 * size, 0.4)
    plan.pelvis_deg += noise(rng, plan.time_s, 3, np.array([0.5, 0.9, 0.4]) * size, 0.25)
    plan.hip_xz += noise(rng, plan.time_s, 2, 0.004 * size, 0.3)


def _stand(plan: Plan, rng: np.random.Generator, calm: float) -> None:
    """Standing: weight on one leg, then on the other; posture changes; some step and turn a little."""
    times = plan.time_s
    if rng.random() < STEPPING_SHARE:
        plan.heading_deg += wander(rng, times, lambda count: rng.normal(0, 26, count), 1.5, 4.0, 0.9)
        plan.hip_xz += wander(rng, times, lambda count: rng.normal(0, 0.06, (count, 2)), 1.5, 4.0, 0.9)
        follow(plan, rng.random(), rng.uniform(0.42, 0.55), width=rng.uniform(0.09, 0.14), toe_out_deg=8, height=0.05)
    across = turned_xz(np.array([1.0, 0.0]), plan.heading_deg)
    weight = np.zeros(len(times))
    if rng.random() < SHIFTING_SHARE:
        weight = wander(
            rng, times, lambda count: rng.choice([-1.0, 0.0, 1.0], count) * rng.uniform(0.5, 1, count), 1.5, 4.0
        )
    plan.hip_xz += (0.075 * weight)[:, None] * across
    plan.drop += 0.004 * np.abs(weight)
    plan.pelvis_deg[:, 2] += 5.5 * weight
    plan.spine_deg[:, 2] -= 6.5 * weight
    plan.pelvis_deg[:, 1] += -4 * weight
    plan.spine_deg += wander(rng, times, lambda count: rng.normal(0, [3.0, 6.0, 2.0], (count, 3)), 1.0, 3.0, 1.0) * calm
    lean = rng.normal(0, 2.0)
    plan.spine_deg[:, 0] += lean


def _idle(plan: Plan, rng: np.random.Generator, face: FaceMotion, split: str) -> None:
    gestures.rest(plan, rng, IDLE_HANDS)


def _look(plan: Plan, rng: np.random.Generator, face: FaceMotion, split: str) -> None:
    """Looking around with the whole upper body."""
    gestures.rest(plan, rng, {("side", "side"): 3.0, ("hip", "hip"): 1.0, ("clasp", "clasp"): 1.0})
    yaw = wander(rng, plan.time_s, lambda count: rng.normal(0, 26, count), 0.8, 2.2, 0.7)
    plan.head_deg[:, 1] += yaw
    plan.spine_deg[:, 1] += 0.45 * yaw
    plan.head_deg[:, 0] += wander(rng, plan.time_s, lambda count: rng.normal(-2, 9, count), 0.8, 2.2, 0.7)


def _talk(plan: Plan, rng: np.random.Generator, face: FaceMotion, split: str) -> None:
    phrases = list(face.speech.phrases) or [(float(t), float(t) + 1.0) for t in key_times(rng, plan.time_s, 2.0, 4.0)]
    stress = face.speech.stress_s
    gestures.talk(plan, rng, phrases, stress, split, TALK_HANDS, rng.uniform(0.6, 1.0))


def _wave(plan: Plan, rng: np.random.Generator, face: FaceMotion, split: str) -> None:
    """Waving with one hand, rarely with both."""
    times = plan.time_s
    start, hz = rng.uniform(-0.4, 0.8), rng.uniform(1.6, 2.7)
    arrive = [times[0] - 1, start]
    while arrive[-1] < times[-1]:
        arrive.append(arrive[-1] + rng.uniform(1.4, 2.8))
    moments = np.array(arrive)
    names = ["wave" if at % 2 else "side" for at in range(len(moments))]
    waving = keyed(times, moments, np.full(len(moments), 0.3), np.array([float(name == "wave") for name in names]))
    first, both, wide = int(rng.integers(2)), rng.random() < 0.12, rng.uniform(0.04, 0.14)
    for index in (0, 1):
        mine = index == first or both
        other = str(rng.choice(["side", "side", "hip", "belly"]))
        gestures.lay_hand(plan, rng, index, moments, names if mine else [other] * len(names), 0.6)
        if mine:
            gestures.oscillate(plan, index, waving, hz, np.array([wide, 0.0, 0.0]), rng.uniform(8, 22))


def _point(plan: Plan, rng: np.random.Generator, face: FaceMotion, split: str) -> None:
    """Pointing with one hand; the head follows it."""
    shares = {"point front": 2.0, "point up": 1.0, "point side": 1.0}
    moments = key_times(rng, plan.time_s, 0.9, 1.9)
    one = int(rng.integers(2))
    names = [choose_motion(rng, "gesture", shares, split) if at % 2 else "side" for at in range(len(moments))]
    gestures.lay_hand(plan, rng, one, moments, names, 0.6)
    gestures.lay_hand(plan, rng, 1 - one, moments[:1], [str(rng.choice(["side", "hip", "side"]))], 0.6)
    turned = [(1 if one == 0 else -1) * (24.0 if name == "point side" else 5.0) * (name != "side") for name in names]
    plan.head_deg[:, 1] += keyed(plan.time_s, moments, np.full(len(moments), 0.5), np.array(turned))
    plan.spine_deg[:, 1] += 0.3 * keyed(plan.time_s, moments, np.full(len(moments), 0.6), np.array(turned))


def _think(plan: Plan, rng: np.random.Generator, face: FaceMotion, split: str) -> None:
    """A hand at the chin, the other arm under its elbow or hanging."""
    one = int(rng.integers(2))
    moments = key_times(rng, plan.time_s, 1.2, 3.5)
    names = [str(rng.choice(["chin", "chin fist", "cheek", "belly"], p=[0.4, 0.25, 0.2, 0.15])) for _ in moments]
    gestures.lay_hand(plan, rng, one, moments, names, 0.8)
    other = str(rng.choice(["support", "support", "side", "hip"]))
    gestures.lay_hand(plan, rng, 1 - one, moments[:1], [other], 0.8)
    plan.head_deg += np.array([4.0, rng.normal(0, 8), rng.normal(0, 6)])


def _clap(plan: Plan, rng: np.random.Generator, face: FaceMotion, split: str) -> None:
    moments = key_times(rng, plan.time_s, 1.3, 2.6)
    names = [str(rng.choice(["clap", "clap", "clasp"])) for _ in moments]
    clapping = keyed(plan.time_s, moments, np.full(len(moments), 0.3), np.array([float(n == "clap") for n in names]))
    hz, wide = rng.uniform(1.8, 3.6), rng.uniform(0.04, 0.12)
    for index in (0, 1):
        gestures.lay_hand(plan, rng, index, moments, names, 0.5)
        open_ = clapping * (0.5 - 0.5 * np.cos(2 * np.pi * hz * plan.time_s)) * wide
        plan.reach[:, index, 0] += open_ - 0.05 * clapping


def _cross(plan: Plan, rng: np.random.Generator, face: FaceMotion, split: str) -> None:
    """Arms crossed most of the time."""
    gestures.rest(plan, rng, {("crossed", "crossed in front"): 5.0, ("side", "side"): 0.7, ("clasp", "clasp"): 0.5})


HANDS = {
    "idle": _idle, "look": _look, "talk": _talk, "wave": _wave, "point": _point, "think": _think, "clap": _clap,
    "cross arms": _cross,
}  # fmt: skip


def _sit(plan: Plan, rng: np.random.Generator, face: FaceMotion, split: str) -> None:
    """Sitting on a stool or a chair, talking or resting; some sit down first or stand up later."""
    times, heading = plan.time_s, float(plan.heading_deg[0])
    back = bool(rng.random() < 0.6)
    low = rng.uniform(0.46, 0.56)  # hips over the ankles
    plan.seat = Seat(low, heading, (0.0, 0.0), back, bool(rng.random() < 0.5))
    seated = np.ones(len(times))
    kind, moment = rng.random(), rng.uniform(0.6, 2.4)
    if kind < 0.2:
        seated = ease((times - moment) / rng.uniform(1.1, 1.7))
    elif kind < 0.35:
        seated = 1 - ease((times - moment) / rng.uniform(1.0, 1.5))
    feet = rng.uniform(0.44, 0.52)
    ahead = turned_xz(np.array([0.0, 1.0]), heading)
    width, crossed = rng.uniform(0.09, 0.19), kind >= 0.35 and rng.random() < 0.25
    where = np.array([[width, feet], [-width, feet]])
    if crossed:
        where = np.array([[-0.05, feet + 0.2], [0.05, feet + 0.06]])[:: rng.choice([-1, 1])]
        where[:, 0] = np.array([-0.05, 0.05])
        plan.knees_out = 0.55
    plan.foot_xz[:] = turned_xz(where, heading)
    plan.hip_xz += (1 - seated)[:, None] * (feet - 0.02) * ahead
    plan.drop += (0.995 - low) * seated
    bow = 4 * seated * (1 - seated)
    plan.pelvis_deg[:, 0] += 34 * bow - rng.uniform(4, 14) * seated
    plan.spine_deg[:, 0] += 18 * bow + rng.uniform(0, 10) * seated
    plan.head_deg[:, 0] -= 22 * bow
    lean = wander(rng, times, lambda count: rng.normal(0, [7.0, 6.0, 4.0], (count, 3)), 1.2, 3.5, 1.1)
    lean[:, 0] = np.clip(lean[:, 0], -5 if back else -3, 25)
    plan.spine_deg += lean * seated[:, None]
    if rng.random() < 0.6:
        _talk_seated(plan, rng, face, split)
    else:
        gestures.rest(plan, rng, {pair: 1.0 for pair in (*SEATED_HANDS, ("crossed", "crossed in front"))})


def _talk_seated(plan: Plan, rng: np.random.Generator, face: FaceMotion, split: str) -> None:
    phrases = list(face.speech.phrases) or [(float(t), float(t) + 1.0) for t in key_times(rng, plan.time_s, 2.0, 4.0)]
    gestures.talk(plan, rng, phrases, face.speech.stress_s, split, SEATED_HANDS, rng.uniform(0.4, 0.9))
