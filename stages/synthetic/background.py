"""Backgrounds made of nothing: rooms with patterned walls and floor, and soft gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stages.synthetic.camera import Camera
from stages.synthetic.wardrobe import random_colour

ROOM_SHARE = 2 / 3
BLUR_CHOICES_PX = (0.0, 0.0, 1.0, 2.0, 4.0)  # at 256 px; scaled with the picture


@dataclass(frozen=True)
class Background:
    """kind: room or gradient. picture(eye_dm) -> uint8 [S, S, 3]. moves: the picture depends on the eye."""

    kind: str
    picture: Callable[[np.ndarray], np.ndarray]
    moves: bool


def draw_background(rng: np.random.Generator, size: int, camera: Camera, floor_dm: float) -> Background:
    """A random background for a camera. floor_dm: y of the soles."""
    blur_px = float(rng.choice(BLUR_CHOICES_PX)) * size / 256
    if rng.random() < ROOM_SHARE:
        room = Room(rng, floor_dm)
        return Background("room", lambda eye: _blurred(room.picture(size, camera, eye), blur_px * 0.7), True)
    gradient = _gradient(rng, size)
    return Background("gradient", lambda eye: gradient, False)


class Room:
    """A floor, a back wall with panels, two side walls; turned a little. Constant once drawn."""

    def __init__(self, rng: np.random.Generator, floor_dm: float) -> None:
        self.floor = floor_dm
        self.back = -rng.uniform(5, 30)
        self.side = rng.uniform(10, 40)
        self.panels = [
            (
                rng.uniform(-14, 14),
                rng.uniform(3, 14),
                rng.uniform(1.5, 5),
                rng.uniform(1.5, 6),
                random_colour(rng, 0.1, 1.0),
            )
            for _ in range(rng.integers(0, 5))
        ]
        turn = np.radians(rng.normal(0, 18))
        self.turn = np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]])
        self.brightness = rng.uniform(0.7, 1.1)
        self.patterns = [Pattern(rng) for _ in range(3)]

    def picture(self, size: int, camera: Camera, eye_dm: np.ndarray) -> np.ndarray:
        """The room from an eye, uint8 [S, S, 3]."""
        rays = view_rays(size, camera.fov_deg, eye_dm, camera.target_dm) @ self.turn.T.astype(np.float32)
        eye = (self.turn @ eye_dm).astype(np.float32)
        to_floor = _hit(rays[..., 1], self.floor - eye[1])
        to_back = _hit(rays[..., 2], self.back - eye[2])
        to_side = np.where(
            np.abs(rays[..., 0]) > 1e-3,
            (np.sign(rays[..., 0]) * self.side - eye[0]) / np.where(np.abs(rays[..., 0]) > 1e-3, rays[..., 0], 1.0),
            1e9,
        )
        to_side = np.where(to_side < 0, 1e9, to_side)
        distance = np.minimum(np.minimum(to_floor, to_back), to_side)
        place = eye + rays * distance[..., None]
        x, y, z = place[..., 0], place[..., 1], place[..., 2]
        floor, back, side = self.patterns
        on_floor = distance == to_floor
        on_back = (distance == to_back) & ~on_floor
        on_side = ~(on_floor | on_back)
        image = np.empty_like(place)
        image[on_floor] = floor.colour(x[on_floor], z[on_floor])
        image[on_back] = back.colour(x[on_back], y[on_back])
        image[on_side] = side.colour(z[on_side], y[on_side]) * 0.85
        for centre, height, half_width, half_height, colour in self.panels:
            across, along = np.abs(x - centre) / half_width, np.abs(y - self.floor - height) / half_height
            image = np.where((on_back & (across < 1) & (along < 1))[..., None], 0.25, image)
            image = np.where((on_back & (across < 0.9) & (along < 0.9))[..., None], np.array(colour), image)
        to_edge = np.minimum(np.minimum(np.abs(y - self.floor), np.abs(z - self.back)), np.abs(np.abs(x) - self.side))
        corner_shade = 1 - 0.35 * np.exp(-to_edge * 0.8)
        fall_off = 0.75 + 0.25 * np.exp(-np.abs(x) * 0.05)
        shaded = image * self.brightness * (corner_shade * fall_off)[..., None]
        return (np.clip(shaded, 0, 1) * 255).astype(np.uint8)


class Pattern:
    """Two colours in one of seven patterns over a plane, with soft dirt. Constant once drawn."""

    def __init__(self, rng: np.random.Generator) -> None:
        import cv2

        first, second = np.array(random_colour(rng, 0.35, 1.0)), np.array(random_colour(rng, 0.25, 1.0))
        kinds = ("plain", "checks", "stripes", "bricks", "planks", "clouds", "bands")
        self.kind = str(rng.choice(kinds, p=[0.3, 0.1, 0.1, 0.15, 0.2, 0.1, 0.05]))
        self.scale = float(rng.uniform(0.2, 1.5))
        if rng.random() < 0.75:
            first = first.mean() * 0.75 + first * 0.25
            second = first * 0.6 + second * 0.4
        coarse = rng.random((24, 24)).astype(np.float32)
        self.dirt = cv2.resize(coarse, (256, 256), interpolation=cv2.INTER_CUBIC)
        if rng.random() < 0.4:
            second = first * rng.uniform(0.6, 0.95)
        self.first, self.second = first.astype(np.float32), second.astype(np.float32)

    def colour(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Colour 0..1.2 at plane coordinates in decimetres, float [..., 3]."""
        dirt = self.dirt[np.abs(v * 17).astype(int) % 256, np.abs(u * 17).astype(int) % 256]
        share = self._share(u * self.scale, v * self.scale, dirt).astype(np.float32)[..., None]
        mixed = self.first * (1 - share) + self.second * share
        return np.clip(mixed * (0.88 + 0.24 * dirt[..., None]), 0, 1.2)

    def _share(self, u: np.ndarray, v: np.ndarray, dirt: np.ndarray) -> np.ndarray:
        if self.kind == "checks":
            return (np.floor(u) + np.floor(v)) % 2
        if self.kind == "stripes":
            return (np.mod(u, 1) < 0.5).astype(float)
        if self.kind == "bricks":
            shifted = u + 0.5 * np.mod(np.floor(v * 2), 2)
            return ((np.mod(shifted, 1) < 0.06) | (np.mod(v * 2, 1) < 0.1)).astype(float)
        if self.kind == "planks":
            plank = np.floor(u * 1.5)
            return np.mod(np.sin(plank * 91.7) * 43758.5, 1) * 0.5 + (np.mod(u * 1.5, 1) < 0.04) * 0.5
        if self.kind == "clouds":
            return dirt.astype(float)
        if self.kind == "bands":
            return (np.mod(v, 1) < 0.5).astype(float)
        return np.zeros_like(u)


def view_rays(size: int, fov_deg: float, eye_dm: np.ndarray, target_dm: np.ndarray) -> np.ndarray:
    """Unit directions through the pixel centres of a square picture, world axes, float32 [S, S, 3]."""
    forward = target_dm - eye_dm
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, (0.0, 1.0, 0.0))
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    offset = ((np.arange(size) + 0.5) / size * 2 - 1) * np.tan(np.radians(fov_deg) / 2)
    rays = (forward + offset[None, :, None] * right + offset[:, None, None] * down).astype(np.float32)
    return rays / np.linalg.norm(rays, axis=-1, keepdims=True)


def _hit(component: np.ndarray, gap: float) -> np.ndarray:
    """Distance along rays to a plane that lies in the negative direction of one axis; 1e9 where it is not met."""
    towards = component < -1e-3
    return np.where(towards, gap / np.where(towards, component, -1e-3), 1e9)


def _gradient(rng: np.random.Generator, size: int) -> np.ndarray:
    """Two colours blended from top to bottom, from the middle outwards, or in soft clouds; uint8 [S, S, 3]."""
    import cv2

    kind = rng.integers(3)
    first, second = np.array(random_colour(rng, 0.3, 1.0)) * 255, np.array(random_colour(rng, 0.3, 1.0)) * 255
    row, column = np.mgrid[0:size, 0:size] / size
    if kind == 0:
        share = row
    elif kind == 1:
        share = np.clip(np.hypot(column - 0.5, row - 0.45) * 1.3, 0, 1)
    else:
        coarse = rng.random((6, 6)).astype(np.float32)
        share = np.clip(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), 0, 1)
    image = first * (1 - share[..., None]) + second * share[..., None] + rng.normal(0, 2, (size, size, 3))
    return np.clip(image, 0, 255).astype(np.uint8)


def _blurred(image_u8: np.ndarray, sigma_px: float) -> np.ndarray:
    import cv2

    return cv2.GaussianBlur(image_u8, (0, 0), sigma_px) if sigma_px > 0 else image_u8
