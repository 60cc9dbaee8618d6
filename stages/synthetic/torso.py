"""Trunk and head of one person as simple solids that hands and elbows are kept out of."""

from __future__ import annotations

import numpy as np

from stages.synthetic.character import BODY_VERTICES, Character
from stages.synthetic.hands import palm_axes
from stages.synthetic.plan import SIDES

TRUNK_BONES = (
    "root",
    "spine05",
    "spine04",
    "spine03",
    "spine02",
    "spine01",
    "pelvis.L",
    "pelvis.R",
    "breast.L",
    "breast.R",
)
HAND_POINTS = ((0.0, 0.5), (0.5, 0.5), (1.0, 0.7))  # of the hand's length from the wrist; margin in decimetres


class Torso:
    """Ellipses of the trunk by height, and an ellipsoid of the head, in the axes of the rest pose. Constant.

    palm  side -> unit normal out of the palm at rest;  hand_dm: wrist to the tip of the middle finger
    """

    def __init__(self, character: Character) -> None:
        assets = character.assets
        body = character.rest_dm[:BODY_VERTICES].astype(np.float64)
        bones = [assets.bone_index[name] for name in TRUNK_BONES]
        trunk = body[np.isin(assets.weight[:BODY_VERTICES].argmax(1), bones)]
        low, high = character.joint("upperleg01.L")[1] - 0.6, character.joint("upperarm01.L")[1] + 0.3
        self.height = np.linspace(low, high, 12)
        step = (high - low) / 11
        rows = [trunk[np.abs(trunk[:, 1] - y) < step] for y in self.height]
        self.half_width = np.array([np.ptp(row[:, 0]) / 2 for row in rows])
        self.half_depth = np.array([np.ptp(row[:, 2]) / 2 for row in rows])
        self.middle = np.array([(row[:, 2].min() + row[:, 2].max()) / 2 for row in rows])
        head = body[
            np.isin(assets.weight[:BODY_VERTICES].argmax(1), [assets.bone_index["head"], assets.bone_index["jaw"]])
        ]
        self.head_middle = (head.min(0) + head.max(0)) / 2
        self.head_radii = np.ptp(head, axis=0) / 2 * 0.93
        self.palm = {side: palm_axes(character, side)[0] for side, _ in SIDES}
        tip = character.tail_dm[assets.bone_index["finger3-3.L"]]
        self.hand_dm = float(np.linalg.norm(tip - character.joint("wrist.L")))

    def depth(self, points: np.ndarray, margin_dm: float) -> np.ndarray:
        """How deep points [T, 3] lie in the trunk, as a share of its thickness, 0..1; 0 outside."""
        return np.clip(1 - self._level(points, margin_dm)[0], 0, 1)

    def push_out(self, wrist: np.ndarray, along: np.ndarray, sign: int, head_middle: np.ndarray) -> np.ndarray:
        """Wrists [T, 3] moved so that the hand lies outside trunk and head.

        along        [T, 3] unit vectors of the forearm;  sign: 1 for the left
        head_middle  [T, 3] where the middle of the head is, in the chest's rest axes
        """
        out = wrist.copy()
        prefer = np.array([0.45 * sign, 0.0, 0.55])
        for _ in range(3):
            for share, margin_dm in HAND_POINTS:
                point = out + along * (share * self.hand_dm)
                level, radial, size = self._level(point, margin_dm)
                gap = np.clip(1 - level, 0, 0.8)
                away = radial + prefer * np.clip(1.2 - level, 0, 1)[:, None]
                away /= np.linalg.norm(away, axis=-1, keepdims=True) + 1e-9
                out += away * (gap * size)[:, None]
                radii = self.head_radii + 0.25
                scaled = (point - head_middle) / radii
                level = np.linalg.norm(scaled, axis=-1)
                away = scaled * radii + np.array([0.15 * sign, 0.0, 0.25])
                away /= np.linalg.norm(away, axis=-1, keepdims=True) + 1e-9
                out += away * (np.clip(1 - level, 0, 1) * radii.mean())[:, None]
        return out

    def _level(self, points: np.ndarray, margin_dm: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """1 on the surface, less inside; the outward direction [T, 3]; the radius there."""
        y = points[:, 1]
        a = np.interp(y, self.height, self.half_width) + margin_dm
        b = np.interp(y, self.height, self.half_depth) + margin_dm
        x, z = points[:, 0], points[:, 2] - np.interp(y, self.height, self.middle)
        beyond = np.clip((y - self.height[-1]) / 0.5, 0, None) + np.clip((self.height[0] - y) / 0.8, 0, None)
        level = np.sqrt((x / a) ** 2 + (z / b) ** 2) + beyond
        radial = np.stack([x / a, np.zeros_like(x), z / b], axis=-1)
        radial /= np.linalg.norm(radial, axis=-1, keepdims=True) + 1e-9
        return level, radial, (a + b) / 2
