"""Where and when feet step, so that a foot on the floor never moves: a list of steps, then curves through them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.synthetic.plan import Plan, turned_xz
from stages.synthetic.tracks import ease

LEAST_STEP, LEAST_TURN_DEG = 0.03, 5.0  # leg lengths; a foot that would move less stays
ROLL_S = 0.18  # longest time before lift-off in which the heel rises


@dataclass(frozen=True)
class Step:
    """One foot (0 left) leaves the floor at `lift_s` and stands at `xz` (leg lengths) with `yaw_deg` from `land_s` on.

    height: of the swing, leg lengths; roll: 1 = heel strike and toe-off of a full stride, 0 = flat
    """

    foot: int
    lift_s: float
    land_s: float
    xz: tuple[float, float]
    yaw_deg: float
    height: float = 0.06
    roll: float = 0.0


def follow(plan: Plan, phase: float, step_s: float, *, width: float, toe_out_deg: float, height: float = 0.07) -> None:
    """Feet that follow the hips: steps left and right every `step_s`, each to below where the hips will be.

    plan.hip_xz and heading_deg must be set. phase 0..1 shifts the beat. A foot that need not move stays.
    """
    times = plan.time_s
    swing_s = 0.76 * step_s
    steps: list[Step] = []
    first = times[0] - (1 + phase) * step_s
    where = [_under(plan, first, foot, width, toe_out_deg) for foot in (0, 1)]
    plan.foot_xz[:], plan.foot_yaw_deg[:] = [w[0] for w in where], [w[1] for w in where]
    for number in range(int((times[-1] - first) / step_s) + 2):
        foot, land = number % 2, first + number * step_s
        xz, yaw = _under(plan, land + 0.62 * step_s, foot, width, toe_out_deg)
        moved = float(np.hypot(*(xz - where[foot][0])))
        if moved < LEAST_STEP and abs(yaw - where[foot][1]) < LEAST_TURN_DEG:
            continue
        along = turned_xz((xz - where[foot][0])[None], -yaw)[0, 1]
        where[foot] = (xz, yaw)
        share = min(1.0, moved / 0.9)
        steps.append(
            Step(
                foot, land - swing_s, land, tuple(xz), yaw, height * (0.5 + 0.5 * share), np.clip(along / 0.9, -0.6, 1)
            )
        )
    lay(plan, steps)


def lay(plan: Plan, steps: list[Step]) -> None:
    """Write the feet's curves of the steps; before its first step a foot stands where plan.foot_xz starts."""
    times = plan.time_s
    for foot in (0, 1):
        xz, yaw = plan.foot_xz[0, foot].copy(), float(plan.foot_yaw_deg[0, foot])
        plan.foot_xz[:, foot], plan.foot_yaw_deg[:, foot] = xz, yaw
        own = sorted((step for step in steps if step.foot == foot), key=lambda step: step.lift_s)
        free = -np.inf
        for step in own:
            lift = max(step.lift_s, free)
            roll_s = min(ROLL_S, max(lift - free, 0.0))
            free = step.land_s
            share = ease((times - lift) / (step.land_s - lift))
            after = times >= lift
            target, turned = np.array(step.xz), step.yaw_deg
            plan.foot_xz[after, foot] = xz + (target - xz) * share[after, None]
            plan.foot_yaw_deg[after, foot] = yaw + (turned - yaw) * share[after]
            air = after & (times < step.land_s)
            plan.planted[air, foot] = False
            progress = np.clip((times - lift) / (step.land_s - lift), 0, 1)
            plan.lift[air, foot] = step.height * np.sin(np.pi * progress[air] ** 0.8) ** 1.5
            _roll(plan, foot, lift, step.land_s, roll_s, step.roll)
            xz, yaw = target, turned


def _roll(plan: Plan, foot: int, lift_s: float, land_s: float, roll_s: float, roll: float) -> None:
    """Pitch of the foot around one step: heel up before lift-off, toes up before landing, flat soon after."""
    times, pitch = plan.time_s, plan.foot_pitch_deg[:, foot]
    off_deg, strike_deg = (48.0 * roll, -18.0 * roll) if roll > 0 else (22.0 * -roll, 14.0 * -roll)
    off_deg, swing_s = off_deg + 10.0, land_s - lift_s
    rising = (times > lift_s - roll_s) & (times <= lift_s)
    pitch[rising] = off_deg * ease((times[rising] - lift_s + roll_s) / max(roll_s, 1e-6))
    air = (times > lift_s) & (times <= land_s)
    pitch[air] = off_deg + (strike_deg - off_deg) * ease((times[air] - lift_s) / (0.8 * swing_s))
    flat_s = 0.12
    landing = (times > land_s) & (times <= land_s + flat_s)
    pitch[landing] = strike_deg * (1 - ease((times[landing] - land_s) / flat_s))


def _under(plan: Plan, time_s: float, foot: int, width: float, toe_out_deg: float) -> tuple[np.ndarray, float]:
    """Place (leg lengths) and yaw of a foot under the hips of a moment."""
    sign = 1 if foot == 0 else -1
    x, z, heading = (np.interp(time_s, plan.time_s, curve) for curve in (*plan.hip_xz.T, plan.heading_deg))
    return np.array([x, z]) + turned_xz(np.array([sign * width, 0.0]), heading), float(heading + sign * toe_out_deg)
