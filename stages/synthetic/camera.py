"""Framing: where the camera stands for a portrait, half or full body, and its intrinsics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.synthetic.body_motion import Motion
from stages.synthetic.character import BODY_VERTICES, Character
from stages.synthetic.renderer import View

FRAMINGS = ("full", "half", "portrait")
FRAMING_SHARES = (0.25, 0.35, 0.40)
DRIFT_SHARE = 0.3
NEAREST_HAND = 0.36  # share of the camera's distance that a hand may come forward in a portrait


@dataclass(frozen=True)
class CameraDraw:
    """Random numbers of one camera, before a person stands in front of it. Shares are of the visible height."""

    framing: str
    fov_deg: float
    span: float
    azimuth_rad: float
    elevation_rad: float
    shift_share: np.ndarray
    rise_dm: float
    drift_share: np.ndarray

    def span_dm(self, character: Character) -> float:
        """Visible height at the person, decimetres."""
        top, bottom, hip = _marks(character)
        return {"portrait": 1.0, "half": top - hip, "full": top - bottom}[self.framing] * self.span

    def distance_dm(self, character: Character) -> float:
        """From the eye to the middle of the picture, decimetres."""
        return self.span_dm(character) / 2 / float(np.tan(np.radians(self.fov_deg) / 2))


@dataclass(frozen=True)
class Camera:
    """A placed camera. target_dm f64 [3]; eye at a time moves by drift; focal length in pixels for `size` pictures."""

    fov_deg: float
    target_dm: np.ndarray
    eye_dm: np.ndarray
    drift_dm: np.ndarray
    distance_dm: float
    duration_s: float

    @property
    def moves(self) -> bool:
        """True when the eye drifts."""
        return bool(np.abs(self.drift_dm).sum() > 0)

    def view(self, time_s: float) -> View:
        """The camera at a time."""
        eye = self.eye_dm + self.drift_dm * (time_s / self.duration_s - 0.5)
        near = self.distance_dm - 12 if self.distance_dm > 13 else 1.0
        far = self.distance_dm + 14
        return View(eye, look_at(eye, self.target_dm), perspective(self.fov_deg, near, far), near, far)

    def K_px(self, size: int) -> np.ndarray:
        """Intrinsics f64 [3, 3]; the centre of the top-left pixel is (0, 0)."""
        focal = size / 2 / np.tan(np.radians(self.fov_deg) / 2)
        return np.array([[focal, 0, (size - 1) / 2], [0, focal, (size - 1) / 2], [0, 0, 1.0]])


def draw_camera(rng: np.random.Generator, framing: str) -> CameraDraw:
    """Random camera numbers. framing: portrait, half, full, or mix for 40% / 35% / 25%."""
    drawn = str(rng.choice(FRAMINGS, p=FRAMING_SHARES))
    framing = drawn if framing == "mix" else framing
    fov = float(rng.uniform(18, 38))
    low, high = {"portrait": (3.4, 5.8), "half": (1.12, 1.5), "full": (1.06, 1.35)}[framing]
    span = float(rng.uniform(low, high))
    azimuth, elevation = np.radians(rng.normal(0, 18)), np.radians(rng.normal(3, 5))
    side = 0.04 if framing == "portrait" else 0.03
    rise = {"portrait": -0.15 + rng.normal(0, 0.12), "half": rng.normal(0, 0.15), "full": 0.0}[framing]
    shift = np.array([rng.normal(0, side), 0.0, 0.0])
    drift = rng.normal(0, 0.02, 3)
    drift = drift if rng.random() < DRIFT_SHARE else np.zeros(3)
    return CameraDraw(framing, fov, span, float(azimuth), float(elevation), shift, float(rise), drift)


def place_camera(draw: CameraDraw, character: Character, motion: Motion, duration_s: float) -> Camera:
    """The camera in front of a moving person: centred on the range of the head (portraits) or on the body.

    The head's range is taken at seven moments of the motion, so that the head stays in the picture.
    """
    top, bottom, hip = _marks(character)
    heads = np.stack([_head_place(character, motion, time) for time in np.linspace(0, duration_s, 7)])
    middle = (heads.min(0) + heads.max(0)) / 2
    span = draw.span_dm(character)
    if draw.framing == "portrait":
        target = middle + np.array([0, draw.rise_dm, 0])
    else:
        height = (hip + top) / 2 if draw.framing == "half" else (top + bottom) / 2
        strength = np.array([0.8, 0.4, 0.8]) if draw.framing == "half" else np.array([1.0, 0.25, 1.0])
        rest = 0.5 * (character.joint("head") + 0.5 * (character.joint("eye.L") + character.joint("eye.R")))
        target = np.array([0, height + draw.rise_dm, 0]) + strength * (middle - rest)
    target = target + draw.shift_share * span
    distance = draw.distance_dm(character)
    azimuth, elevation = draw.azimuth_rad, draw.elevation_rad
    towards = np.array([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])
    eye = target + distance * towards
    return Camera(draw.fov_deg, target, eye, draw.drift_share * span, distance, duration_s)


def perspective(fov_deg: float, near: float, far: float) -> np.ndarray:
    """Square OpenGL projection, f64 [4, 4]."""
    focal = 1 / np.tan(np.radians(fov_deg) / 2)
    return np.array(
        [
            [focal, 0, 0, 0],
            [0, focal, 0, 0],
            [0, 0, (far + near) / (near - far), 2 * far * near / (near - far)],
            [0, 0, -1, 0],
        ]
    )


def orthographic(extent: float, near: float, far: float) -> np.ndarray:
    """Square parallel projection of +-extent, f64 [4, 4]."""
    return np.array(
        [
            [1 / extent, 0, 0, 0],
            [0, 1 / extent, 0, 0],
            [0, 0, -2 / (far - near), -(far + near) / (far - near)],
            [0, 0, 0, 1.0],
        ]
    )


def look_at(eye: np.ndarray, target: np.ndarray) -> np.ndarray:
    """World to view with y up and the view looking along -z, f64 [4, 4]."""
    forward = target - eye
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, (0.0, 1.0, 0.0))
    right /= np.linalg.norm(right)
    rows = np.stack([right, np.cross(right, forward), -forward])
    matrix = np.eye(4)
    matrix[:3, :3] = rows
    matrix[:3, 3] = -rows @ eye
    return matrix


def _marks(character: Character) -> tuple[float, float, float]:
    """Crown, sole and hip heights at rest, decimetres."""
    body_y = character.rest_dm[:BODY_VERTICES, 1]
    return float(body_y.max()), float(body_y.min()), float(character.joint("upperleg01.L")[1])


def _head_place(character: Character, motion: Motion, time_s: float) -> np.ndarray:
    """Half-way between the skull's base and the eyes at a moment, world decimetres; no skinning needed."""
    frame = motion.frame(time_s)
    transforms = character.transforms(frame.rotations, frame.root_shift_dm)
    bones = character.assets.bone_index
    head, left, right = (
        transforms[bones[name], :, :3] @ character.joint(name) + transforms[bones[name], :, 3]
        for name in ("head", "eye.L", "eye.R")
    )
    return 0.5 * head + 0.25 * (left + right)
