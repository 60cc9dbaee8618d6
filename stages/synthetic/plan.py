"""What a motion wants, before a body does it: every length in leg or arm lengths, so that all people move alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.synthetic.tracks import sample_times

ANCHORS = ("shoulder", "sternum", "chin", "thigh", "hip")
ANCHOR = {name: index for index, name in enumerate(ANCHORS)}
FINGER_VALUES = 13  # thumb: across, 2 bends; four fingers: knuckle and outer bend; spread; one spare of the thumb
SIDES = (("L", 1), ("R", -1))


@dataclass
class Plan:
    """The curves of one motion over T samples; side 0 is the left. State: filled step by step by a style.

    hip_xz     [T,2]   where the middle of the hips stands, leg lengths, world x and z
    drop       [T]     how far the hips sink below standing, leg lengths;  rise [T] how far a jump lifts them
    heading_deg [T]    where the pelvis faces, 0 = +z, positive to the person's left
    pelvis_deg [T,3]   pitch, yaw, roll of the pelvis on top;  spine_deg [T,3] chest against pelvis
    head_deg   [T,3]   head against chest;  shrug_deg [T,2] collars raised
    foot_xz    [T,2,2] ankles over the floor, leg lengths;  lift [T,2] of the foot, leg lengths
    foot_yaw_deg, foot_pitch_deg [T,2]  pitch > 0 stands on the ball, < 0 on the heel
    planted    [T,2]   True while the foot must not move over the floor
    anchor     [T,2,5] shares of ANCHORS that the wrist is placed from;  reach [T,2,3] from there, arm lengths:
               outward, up, forward;  palm [T,2,3] where the palm faces: outward, up, forward
    elbow_out_deg [T,2]  0: elbow down, 90: to the side;  wrist_deg [T,2,2] flexion, deviation
    fingers    [T,2,13]  degrees
    seat       what is sat on, or None;  knees_out: how far knees point outwards, 0 = ahead
    pelvis_turn, chest_turn [T,3,3], elbow_pole [T,2,3]  world; measured ones of motion capture in place of the above
    """

    time_s: np.ndarray
    hip_xz: np.ndarray
    drop: np.ndarray
    rise: np.ndarray
    heading_deg: np.ndarray
    pelvis_deg: np.ndarray
    spine_deg: np.ndarray
    head_deg: np.ndarray
    shrug_deg: np.ndarray
    foot_xz: np.ndarray
    lift: np.ndarray
    foot_yaw_deg: np.ndarray
    foot_pitch_deg: np.ndarray
    planted: np.ndarray
    anchor: np.ndarray
    reach: np.ndarray
    palm: np.ndarray
    elbow_out_deg: np.ndarray
    wrist_deg: np.ndarray
    fingers: np.ndarray
    seat: Seat | None = None
    knees_out: float = 0.0
    pelvis_turn: np.ndarray | None = None
    chest_turn: np.ndarray | None = None
    elbow_pole: np.ndarray | None = None


@dataclass(frozen=True)
class Seat:
    """A seat. height: of the hips over the ankles, leg lengths; back: has a back rest; round_top: a stool."""

    height: float
    heading_deg: float
    hip_xz: tuple[float, float]
    back: bool
    round_top: bool


def standing(duration_s: float, width: float = 0.12, toe_out_deg: float = 7.0, heading_deg: float = 0.0) -> Plan:
    """Someone who stands still with hanging arms. width: half the distance of the ankles, leg lengths."""
    times = sample_times(duration_s)
    T = len(times)
    out = turned_xz(np.array([[width, 0.0], [-width, 0.0]]), heading_deg)
    anchor = np.zeros((T, 2, len(ANCHORS)))
    anchor[:, :, ANCHOR["shoulder"]] = 1
    return Plan(
        time_s=times,
        hip_xz=np.zeros((T, 2)),
        drop=np.full(T, 0.001),
        rise=np.zeros(T),
        heading_deg=np.full(T, heading_deg),
        pelvis_deg=np.zeros((T, 3)),
        spine_deg=np.zeros((T, 3)),
        head_deg=np.zeros((T, 3)),
        shrug_deg=np.zeros((T, 2)),
        foot_xz=np.tile(out, (T, 1, 1)),
        lift=np.zeros((T, 2)),
        foot_yaw_deg=np.tile(heading_deg + np.array([toe_out_deg, -toe_out_deg]), (T, 1)),
        foot_pitch_deg=np.zeros((T, 2)),
        planted=np.ones((T, 2), bool),
        anchor=anchor,
        reach=np.tile([0.12, -0.975, 0.05], (T, 2, 1)),
        palm=np.tile([-1.0, 0.0, 0.0], (T, 2, 1)),
        elbow_out_deg=np.full((T, 2), 35.0),
        wrist_deg=np.zeros((T, 2, 2)),
        fingers=np.zeros((T, 2, FINGER_VALUES)),
    )


def turned_xz(offset: np.ndarray, heading_deg) -> np.ndarray:
    """Offsets (to the person's left, forward) [..., 2] turned into world x, z. heading_deg [...] or a number."""
    angle = np.radians(heading_deg)
    c, s = np.cos(angle), np.sin(angle)
    left, forward = offset[..., 0], offset[..., 1]
    return np.stack([c * left + s * forward, -s * left + c * forward], axis=-1)
