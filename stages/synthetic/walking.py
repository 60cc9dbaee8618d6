"""Walking that travels, and turning on the spot: a path for the hips, feet that step under it, arms that swing."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from stages.synthetic.footsteps import follow
from stages.synthetic.gestures import lay_hand
from stages.synthetic.holdout import choose_motion
from stages.synthetic.plan import Plan
from stages.synthetic.tracks import RATE_HZ, keyed

BOUNDS = 2.2  # leg lengths from the origin that paths turn round at
PATH_SHARES = {"towards": 3.0, "away": 2.0, "diagonal": 2.0, "arc": 2.0, "circle": 1.0, "wander": 2.0, "across": 1.5,
               "figure eight": 1.0}  # fmt: skip
TURN_RATE_DEG_S = 170.0


def walk(plan: Plan, rng: np.random.Generator, split: str) -> None:
    """Walk along a random path inside BOUNDS, turning round at its ends; sometimes with a stop or from standing."""
    kind = choose_motion(rng, "path", PATH_SHARES, split)
    speed = rng.uniform(0.65, 1.35)  # leg lengths a second
    step_s = float(np.clip(0.62 - 0.13 * (speed - 0.7) + rng.normal(0, 0.025), 0.44, 0.68))
    pace = _pace(rng, plan.time_s)
    _travel(plan, rng, _waypoints(rng, kind), speed * pace)
    phase = rng.random()
    follow(plan, phase, step_s, width=rng.uniform(0.05, 0.085), toe_out_deg=rng.uniform(2, 12), height=0.075)
    moving = gaussian_filter1d(np.linalg.norm(np.gradient(plan.hip_xz, 1 / RATE_HZ, axis=0), axis=1), 12)
    _gait(plan, rng, phase, step_s, np.clip(moving / 1.0, 0, 1.3))


def turn_round(plan: Plan, rng: np.random.Generator) -> None:
    """Turn all the way round in steps, once or with a pause, left or right, slower or faster."""
    times = plan.time_s
    whole_s, way = rng.uniform(1.9, 3.9), rng.choice([-1.0, 1.0])
    parts = int(rng.choice([1, 1, 2, 3]))
    arrive, value = [times[0]], [0.0]
    moment = rng.uniform(-0.8, 0.3)
    while moment < times[-1] + whole_s:
        moment += whole_s / parts
        arrive.append(moment)
        value.append(value[-1] + way * 360 / parts)
        moment += rng.uniform(0.1, 0.5) if parts > 1 else rng.uniform(0.0, 0.9)
        if len(value) % parts == 1 % parts and rng.random() < 0.25:  # only after a whole turn
            way = -way
    plan.heading_deg += keyed(times, np.array(arrive), np.full(len(arrive), whole_s / parts), np.array(value))
    step_s, phase = rng.uniform(0.36, 0.5), rng.random()
    follow(plan, phase, step_s, width=rng.uniform(0.09, 0.12), toe_out_deg=rng.uniform(3, 9), height=0.06)
    rate = np.abs(np.gradient(plan.heading_deg, 1 / RATE_HZ))
    _gait(plan, rng, phase, step_s, 0.45 * np.clip(gaussian_filter1d(rate, 10) / 120, 0, 1))


def turn_around(plan: Plan, rng: np.random.Generator) -> None:
    """Show oneself from both sides: head, chest and hips swing from one profile to the other and back, feet planted."""
    times = plan.time_s
    half_s, way = rng.uniform(1.05, 1.45), rng.choice([-1.0, 1.0])  # half a swing lasts about as long as a suite's film
    reach = rng.uniform([24.0, 10.0, 38.0], [32.0, 16.0, 50.0])  # pelvis, chest on top, head on top: 72 to 98 degrees
    arrive = times[0] - rng.uniform(0, half_s) + half_s * np.arange(int(np.ptp(times) / half_s) + 3)
    swing = keyed(times, arrive, np.full(len(arrive), half_s), way * (-1.0) ** np.arange(len(arrive)))
    late = np.interp(times - 0.06, times, swing)  # the eyes lead, the hips follow
    plan.pelvis_deg[:, 1] += reach[0] * late
    plan.spine_deg[:, 1] += reach[1] * swing
    plan.head_deg[:, 1] += reach[2] * swing
    plan.head_deg[:, 0] += rng.normal(0, 5) + rng.normal(0, 4) * swing
    names = [str(rng.choice(["side", "side", "hip", "belly"])) for _ in (0, 1)]
    for index in (0, 1):
        lay_hand(plan, rng, index, times[:1], [names[index]], 0.5)


def _gait(plan: Plan, rng: np.random.Generator, phase: float, step_s: float, strength: np.ndarray) -> None:
    """Sway, pelvis and chest rotation and arm swing of a gait whose feet follow(phase, step_s) has laid."""
    times = plan.time_s
    left_strike = times[0] - (1 + phase) * step_s
    cycle = np.pi * (times - left_strike) / step_s
    ahead, over = np.cos(cycle) * strength, np.sin(cycle) * strength  # left leg ahead; weight on the left leg
    sway = rng.uniform(0.014, 0.028)
    heading = np.radians(plan.heading_deg)
    plan.hip_xz += (over * sway)[:, None] * np.stack([np.cos(heading), -np.sin(heading)], axis=-1)
    plan.drop += strength * (0.01 + 0.006 * np.cos(2 * cycle))
    yaw, roll = rng.uniform(3, 7), rng.uniform(2, 4.5)
    plan.pelvis_deg += np.stack([rng.uniform(1, 4) * strength, -yaw * ahead, roll * over], axis=-1)
    plan.spine_deg += np.stack([rng.uniform(0, 3) * strength, 2.0 * yaw * ahead, -1.2 * roll * over], axis=-1)
    plan.head_deg += np.stack([-2.0 * strength, -yaw * ahead, 0.0 * over], axis=-1)
    arms, bent = np.radians(rng.uniform(17, 34)), rng.uniform(0.0, 0.05)
    for index, sign in ((0, -1.0), (1, 1.0)):
        lay_hand(plan, rng, index, np.array([times[0]]), ["side"], 0.5, still=True)
        late = np.cos(cycle - 0.25) * strength
        swing = sign * arms * late + 0.05 * strength
        length = 0.995 - bent - (0.06 + bent) * np.clip(sign * late, 0, 1) * strength
        plan.reach[:, index, 1] = -length * np.cos(swing)
        plan.reach[:, index, 2] = 0.04 + length * np.sin(swing) + 0.05 * strength
        plan.reach[:, index, 0] = 0.1 - 0.07 * np.clip(sign * late, 0, 1)
        plan.elbow_out_deg[:, index] = 15.0


def _pace(rng: np.random.Generator, times: np.ndarray) -> np.ndarray:
    """Share of the full speed over time, f64 [T]: mostly 1; sometimes from standing, or with a stop."""
    kind, moment = rng.random(), rng.uniform(0.4, 2.6)
    if kind < 0.15:
        return keyed(times, np.array([times[0], moment]), np.array([0.1, 0.9]), np.array([0.0, 1.0]))
    if kind < 0.3:
        arrive = np.array([times[0], moment, moment + rng.uniform(1.6, 2.6)])
        return keyed(times, arrive, np.array([0.1, 0.8, 0.9]), np.array([1.0, 0.0, 1.0]))
    return np.ones(len(times))


def _waypoints(rng: np.random.Generator, kind: str) -> np.ndarray:
    """Points that the path goes through in turn and again, leg lengths, f64 [K, 2]; the walk starts at the first."""
    far, side = BOUNDS * rng.uniform(0.8, 1.0), rng.normal(0, 0.25)
    if kind == "towards":
        return np.array([[side, -far], [-side * 0.5, far]])
    if kind == "away":
        return np.array([[side, far], [-side * 0.5, -far]])
    if kind in ("across", "diagonal"):
        angle = np.radians(rng.uniform(75, 105) if kind == "across" else rng.uniform(25, 65)) * rng.choice([-1, 1])
        end = far * np.array([np.sin(angle), np.cos(angle)]) * rng.choice([-1, 1])
        return np.stack([-end, end])
    turns = rng.choice([-1, 1]) * np.linspace(0, 2 * np.pi, 12, endpoint=False) + rng.uniform(0, 2 * np.pi)
    if kind == "circle":
        return rng.uniform(0.7, 1.3) * np.stack([np.sin(turns), np.cos(turns)], axis=-1)
    if kind == "arc":
        half = turns[:6]
        points = np.stack([1.7 * np.sin(half), 1.2 * np.cos(half)], axis=-1)
        return np.concatenate([points, points[-2:0:-1]])
    if kind == "figure eight":
        return np.stack([0.8 * np.sin(2 * turns), 1.5 * np.cos(turns)], axis=-1)
    angle, radius = rng.uniform(0, 2 * np.pi, 6), 1.7 * np.sqrt(rng.uniform(0.15, 1, 6))
    return radius[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=-1)


def _travel(plan: Plan, rng: np.random.Generator, points: np.ndarray, speed: np.ndarray) -> None:
    """Steer from point to point at a speed f64 [T]: slower and tighter where the way turns sharply."""
    start = points[0] + (points[1] - points[0]) * rng.uniform(0, 0.35)
    (x, z), goal = (float(value) for value in start), 1
    heading = float(np.degrees(np.arctan2(*(points[1] - start))))
    rate, slow = 0.0, 1.0
    rows, angles = np.empty((len(speed), 2)), np.empty(len(speed))
    step = 1 / RATE_HZ
    for at, full in enumerate(speed.tolist()):
        dx, dz = points[goal][0] - x, points[goal][1] - z
        if dx * dx + dz * dz < 0.3**2:
            goal = (goal + 1) % len(points)
            dx, dz = points[goal][0] - x, points[goal][1] - z
        off = (np.degrees(np.arctan2(dx, dz)) - heading + 180) % 360 - 180
        limit = TURN_RATE_DEG_S * min(1.0, 0.25 + full)
        rate += (min(max(3.2 * off, -limit), limit) - rate) * 0.12
        slow += (max(0.12, 1 - abs(off) / 75) - slow) * 0.09
        heading += rate * step
        angle = np.radians(heading)
        x, z = x + np.sin(angle) * full * slow * step, z + np.cos(angle) * full * slow * step
        rows[at], angles[at] = (x, z), heading
    plan.hip_xz[:] = gaussian_filter1d(rows, 5, axis=0)
    plan.heading_deg[:] = gaussian_filter1d(angles, 5)
