"""Procedural motion of a whole person: styles with arm gestures, spine, head, planted feet, fingers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.synthetic.character import Character
from stages.synthetic.rotation import about, between, turn, two_bone
from stages.synthetic.tracks import FaceMotion, FaceState, Track

Places = tuple[tuple[float, float, float], float]
ARM_PLACES: dict[str, Places] = {  # a hand from its shoulder in arm lengths (outward, up, forward), and spread
    "side": ((-0.02, -0.98, 0.05), 0.04),
    "belly": ((-0.35, -0.62, 0.55), 0.08),
    "chest": ((-0.4, -0.25, 0.65), 0.1),
    "face": ((-0.35, 0.12, 0.55), 0.08),
    "wave": ((0.35, 0.45, 0.35), 0.12),
    "out": ((0.85, -0.05, 0.15), 0.15),
    "up": ((0.2, 0.9, 0.1), 0.1),
    "hip": ((0.12, -0.68, 0.12), 0.03),
    "forward": ((-0.05, -0.1, 0.9), 0.15),
    "low": ((0.25, -0.75, 0.4), 0.1),
    "cross": ((-0.75, -0.35, 0.5), 0.06),
}
STYLES: dict[str, dict[str, float]] = {
    "talk": {"side": 0.15, "belly": 0.3, "chest": 0.25, "low": 0.15, "face": 0.05, "out": 0.05, "hip": 0.05},
    "idle": {"side": 0.75, "hip": 0.15, "belly": 0.1},
    "dance": {"up": 0.2, "out": 0.2, "chest": 0.15, "face": 0.1, "wave": 0.15, "forward": 0.1, "cross": 0.1},
    "walk": {"side": 1.0},
    "exercise": {"up": 0.3, "out": 0.25, "forward": 0.2, "side": 0.15, "hip": 0.1},
    "wave": {"wave": 0.6, "side": 0.2, "chest": 0.2},
}
STYLE_CHOICES = {
    "portrait": ("talk", "idle", "wave", "talk"),
    "half": tuple(STYLES),
    "full": tuple(STYLES),
}
SPINE = ("spine05", "spine04", "spine03", "spine02", "spine01")
NECK_SHARES = (("neck01", 0.2), ("neck02", 0.2), ("neck03", 0.15), ("head", 0.45))
SIDES = (("L", 1), ("R", -1))
PRONATION_DEG = 75.0
FINGER_CURL_SIGN = -1.0
TURNED_SHARE, TURNED_SPREAD_DEG = 0.2, 45.0


@dataclass(frozen=True)
class MotionFrame:
    """rotations: bone -> f64 [3,3]; expression: ARKit name -> weight, with gaze; root_shift_dm f64 [3]; face."""

    rotations: dict[str, np.ndarray]
    expression: dict[str, float]
    root_shift_dm: np.ndarray
    face: FaceState


class Motion:
    """Random motion of one style for one body. The draws do not depend on the body, so another body moves alike.

    max_forward_dm  hands stay nearer to the shoulder than this towards the camera (portraits: else they hide the face)
    talking         None: at random
    """

    def __init__(
        self,
        character: Character,
        rng: np.random.Generator,
        duration_s: float,
        style: str,
        *,
        framing: str = "full",
        max_forward_dm: float = np.inf,
        talking: bool | None = None,
    ) -> None:
        self.character = character
        self.style = style
        self.max_forward_dm = max_forward_dm
        amplitude = (1.6 if style in ("dance", "exercise") else 1.0) * (0.55 if framing == "portrait" else 1.0)
        self.tracks = body_tracks(rng, duration_s, style, amplitude)
        self.face = FaceMotion(rng, duration_s, character.assets.arkit_names, talking=talking)
        self.facing_deg = rng.normal(0, 13)
        self.phase = rng.uniform(0, 2 * np.pi)
        self.stride = rng.uniform(0.5, 1.0)
        self.steps_hz = rng.uniform(0.8, 1.15)
        self.stance_width = rng.uniform(0.9, 1.5)
        self.stance_shift = rng.normal(0, 0.2)
        self.lengths = {
            name: float(np.linalg.norm(character.joint(end) - character.joint(start)))
            for name, start, end in (
                ("upper_arm", "upperarm01.L", "lowerarm01.L"),
                ("forearm", "lowerarm01.L", "wrist.L"),
                ("thigh", "upperleg01.L", "lowerleg01.L"),
                ("shin", "lowerleg01.L", "foot.L"),
            )
        }
        self.palm_normal = {side: _palm_normal(character, side) for side, _ in SIDES}

    def frame(self, time_s: float) -> MotionFrame:
        """The pose at a time in seconds."""
        tracks = self.tracks
        walking = self.style == "walk"
        cycle = 2 * np.pi * self.steps_hz * time_s + self.phase
        rotations = {"root": turn(0, self.facing_deg + float(tracks["turn"](time_s)), 0)}
        spine = tracks["spine"](time_s)
        root_shift = tracks["root"](time_s).copy()
        if walking:
            spine = spine * 0.4 + np.array([2, 9 * np.sin(cycle), 0])
            root_shift = root_shift * 0.3 + np.array([0, -0.12 + 0.1 * np.cos(2 * cycle), 0])
        bend = turn(*(spine / 5))
        rotations.update({bone: bend for bone in SPINE})
        head = tracks["head"](time_s)
        rotations.update({bone: turn(*(head * share)) for bone, share in NECK_SHARES})
        shrug = tracks["shrug"](time_s)
        rotations["clavicle.L"], rotations["clavicle.R"] = turn(0, 0, shrug[0]), turn(0, 0, -shrug[1])
        for side, sign in SIDES:
            swing = -0.9 * sign * np.sin(cycle) if walking else None
            self._arm(rotations, side, sign, time_s, swing)
            self._fingers(rotations, side, sign, tracks["curl" + side](time_s))
            self._leg(rotations, side, sign, root_shift, cycle if walking else None)
        face = self.face(time_s)
        return MotionFrame(rotations, with_gaze(rotations, face, self.character.assets.arkit_names), root_shift, face)

    def _arm(self, rotations: dict, side: str, sign: int, time_s: float, swing: float | None) -> None:
        """Shoulder, elbow and wrist by two-bone reach; in front of the belly, hands are kept out of the torso."""
        joint = self.character.joint
        base = rotations["clavicle." + side]
        shoulder = joint("upperarm01." + side)
        reach = self.lengths["upper_arm"] + self.lengths["forearm"]
        wanted = self.tracks["arm" + side](time_s) if swing is None else np.array([0.06, -0.97, 0.35 * swing])
        target = wanted * np.array([sign, 1, 1]) * reach
        hand = shoulder + target
        beside = hand[2] < 0.9 + shoulder[2] and target[2] < 0.3 * reach
        if hand[1] < shoulder[1] + 0.3 * reach and beside and abs(hand[0]) < 1.1 * abs(shoulder[0]):
            target[0] = sign * (max(abs(hand[0]), 1.05 * abs(shoulder[0]) + 0.12 * reach) - abs(shoulder[0]))
        target[2] = min(target[2], self.max_forward_dm)
        high = target[1] >= 0.4 * reach
        pole = np.array([0.9 * sign, -0.2, -0.4]) if high else np.array([0.55 * sign, -0.75, -0.6])
        upper, lower = two_bone(target, self.lengths["upper_arm"], self.lengths["forearm"], pole)
        rotations["upperarm01." + side] = base.T @ between(joint("lowerarm01." + side) - shoulder, upper)
        forearm = joint("wrist." + side) - joint("lowerarm01." + side)
        so_far = base @ rotations["upperarm01." + side]
        rotations["lowerarm01." + side] = between(forearm, so_far.T @ lower)
        axis = forearm / np.linalg.norm(forearm)
        half_twist = about(axis, (PRONATION_DEG + float(self.tracks["twist" + side](time_s))) * sign * 0.5)
        flex_axis = np.cross(self.palm_normal[side], axis)
        rotations["lowerarm02." + side] = half_twist
        rotations["wrist." + side] = half_twist @ about(flex_axis, self.tracks["wrist" + side](time_s)[0])

    def _fingers(self, rotations: dict, side: str, sign: int, curl_deg: np.ndarray) -> None:
        """Every finger joint bent about the axis across its finger; the thumb a third as much."""
        joint = self.character.joint
        for finger in range(1, 6):
            along = joint(f"finger{finger}-3.{side}") - joint(f"finger{finger}-1.{side}")
            axis = np.cross(self.palm_normal[side], along) * sign
            axis /= np.linalg.norm(axis)
            share = 0.35 if finger == 1 else 1.0
            for knuckle, bend in ((1, 0.9), (2, 0.9), (3, 0.6)):
                angle = FINGER_CURL_SIGN * curl_deg[finger - 1] * share * bend
                rotations[f"finger{finger}-{knuckle}.{side}"] = about(axis, angle)

    def _leg(self, rotations: dict, side: str, sign: int, root_shift: np.ndarray, cycle: float | None) -> None:
        """Hip, knee and ankle so that the foot stays planted, or steps when walking on the spot."""
        joint = self.character.joint
        hip, ankle = joint("upperleg01." + side), joint("foot." + side)
        foot = ankle * np.array([self.stance_width, 1, 1]) + np.array([0, 0, self.stance_shift * sign])
        pitch_deg = 0.0
        if cycle is not None:
            step = cycle + (0 if sign > 0 else np.pi)
            foot[0] = ankle[0] * 0.8
            foot[1] = ankle[1] + max(0.0, np.cos(step)) * 0.7 * self.stride
            foot[2] = ankle[2] + self.stride * 1.6 * np.sin(step)
            pitch_deg = float(np.clip(-20 * np.sin(step), -25, 25)) * 0.8
        target = foot - rotations["root"].T @ root_shift - hip
        upper, lower = two_bone(target, self.lengths["thigh"], self.lengths["shin"], np.array([0.12 * sign, 0, 1.0]))
        thigh = between(joint("lowerleg01." + side) - hip, upper)
        shin = between(ankle - joint("lowerleg01." + side), thigh.T @ lower)
        rotations["upperleg01." + side], rotations["lowerleg01." + side] = thigh, shin
        rotations["foot." + side] = (thigh @ shin).T @ turn(pitch_deg, 0, 0)


def with_gaze(rotations: dict[str, np.ndarray], face: FaceState, names: tuple[str, ...]) -> dict[str, float]:
    """Turn the eyes in `rotations`, and return the expression whose lids follow them."""
    yaw, pitch = (float(angle) for angle in face.gaze_deg)
    for side, _ in SIDES:
        rotations["eye." + side] = turn(pitch, yaw, 0)
    expression = dict(zip(names, face.expression.tolist(), strict=True))
    for name in names:
        if name.startswith("eyeLook"):
            vertical = {"Up": -pitch, "Down": pitch}
            kind = next((word for word in vertical if name.startswith("eyeLook" + word)), None)
            expression[name] = float(np.clip(vertical[kind] / 30, 0, 1)) if kind else 0.0
    return expression


def body_tracks(rng: np.random.Generator, duration_s: float, style: str, amplitude: float) -> dict[str, Track]:
    """The curves of one motion: arms, forearm twist, finger curl, wrists, spine, head, root, turn, shrug."""
    places = STYLES[style]
    names, shares = list(places), np.array(list(places.values()))

    def hand_place() -> np.ndarray:
        mean, spread = ARM_PLACES[str(rng.choice(names, p=shares / shares.sum()))]
        return np.array(mean) + rng.normal(0, spread, 3)

    def finger_curl() -> np.ndarray:
        curl = np.clip(rng.normal([18] * 5, [14, 18, 18, 18, 20]), -5, 85)
        return curl * (1.0 if rng.random() < 0.8 else 3.0)

    def root_shift() -> np.ndarray:
        sink = abs(rng.normal(0, 0.25 if style in ("dance", "exercise") else 0.05))
        return rng.normal(0, [0.2, 0.1, 0.15]) * amplitude - np.array([0, sink, 0])

    tracks = {}
    for side, _ in SIDES:
        tracks["arm" + side] = Track(rng, duration_s, hand_place, 0.4, 1.1, 0.25)
        tracks["twist" + side] = Track(rng, duration_s, lambda: rng.normal(0, 28), 0.4, 1.0)
        tracks["curl" + side] = Track(rng, duration_s, finger_curl, 0.4, 1.2)
        tracks["wrist" + side] = Track(rng, duration_s, lambda: rng.normal(0, [14, 10]), 0.4, 1.0)
    tracks["spine"] = Track(rng, duration_s, lambda: rng.normal(0, [5, 9, 5]) * amplitude, 0.5, 1.3)
    tracks["head"] = Track(rng, duration_s, lambda: np.clip(rng.normal(0, [8, 17, 7]), -45, 45), 0.4, 1.1, 0.25)
    tracks["root"] = Track(rng, duration_s, root_shift, 0.5, 1.2)
    tracks["shrug"] = Track(rng, duration_s, lambda: np.clip(rng.normal(2, 5, 2), -6, 16), 0.5, 1.2)
    slow = Track(rng, duration_s, lambda: rng.normal(0, 14), 0.7, 1.6, 0.5)
    wide = Track(rng, duration_s, lambda: rng.normal(0, TURNED_SPREAD_DEG), 0.5, 1.2, 0.3)
    tracks["turn"] = wide if rng.random() < TURNED_SHARE else slow
    return tracks


def _palm_normal(character: Character, side: str) -> np.ndarray:
    wrist = character.joint("wrist." + side)
    little, index = character.joint("finger5-1." + side) - wrist, character.joint("finger2-1." + side) - wrist
    normal = np.cross(little, index)
    return normal / np.linalg.norm(normal)
