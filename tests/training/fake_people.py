"""Clips of people that are a coloured square with a round head: no assets needed, made in milliseconds, picklable."""

from dataclasses import asdict, dataclass, replace

import numpy as np

from stages.core.geometry import rotvec_to_matrix
from stages.training.pool import REFERENCE_FRAMES, with_fine

POSE = ("joints_px", "joint_visible", "joints_z_m", "hands_px", "R_cam_head", "head_center_px", "head_radius_px")


@dataclass(frozen=True)
class FakePeople:
    size: int = 64
    frames: int = 9
    kind: str = "fake"
    framing: str = "portrait"
    views: int = 0
    fine: int = 1

    def describe(self) -> dict:
        return asdict(self)

    def clip(self, seed: int) -> dict[str, np.ndarray]:
        if self.fine > 1:
            return with_fine(replace(self, size=self.size * self.fine, fine=1).clip(seed), self.fine)
        rng = np.random.default_rng(seed)
        count, size = self.frames + REFERENCE_FRAMES, self.size
        behind, body, head = rng.integers(0, 256, (3, 3))
        phase = rng.uniform(0, 6) + np.r_[np.arange(self.frames) * 0.2, rng.uniform(0, 6, REFERENCE_FRAMES)]
        middle = size / 2 + np.stack([np.sin(phase), 0.5 * np.cos(phase)], 1) * size / 8
        radius = size / 8
        y, x = np.mgrid[:size, :size]
        frames = np.empty((count, size, size, 3), np.uint8)
        for index, (cx, cy) in enumerate(middle):
            frames[index] = behind
            frames[index][(abs(x - cx) < size / 6) & (y > cy)] = body
            frames[index][(x - cx) ** 2 + (y - cy) ** 2 < radius**2] = head
        smile = (0.5 + 0.5 * np.sin(phase * 2)).astype(np.float32)
        faces = np.zeros((count, 64, 64, 3), np.uint8) + head.astype(np.uint8)
        for index, amount in enumerate(smile):
            faces[index, 40 : 42 + int(14 * amount), 20:44] = 255 - head  # an open mouth
        joints = middle[:, None] + rng.normal(0, size / 10, (1, 25, 2))
        angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
        ring = radius / 2 * np.stack([np.cos(angle), np.sin(angle)], 1)
        expressions = np.zeros((count, 54))
        expressions[:, 24] = smile
        made = {
            "frames": frames,
            "faces": faces,
            "joints_px": joints,
            "joints_z_m": np.full((count, 25), 2.0),
            "joint_visible": np.ones((count, 25), bool),
            "hands_px": joints[:, None, 9:11].swapaxes(1, 2) + rng.normal(0, 2, (1, 1, 21, 2)),
            "R_cam_head": rotvec_to_matrix(np.stack([0 * phase, 0.3 * np.sin(phase), 0 * phase], 1)),
            "head_center_px": middle,
            "head_radius_px": np.full(count, radius),
            "face_px": middle[:, None] + ring,
            "expressions": expressions,
            "framing": np.array(self.framing),
        }
        if self.views:
            other = replace(self, views=0).clip(seed + 1000)
            made |= {f"view_{name}": other[name][: self.views] for name in POSE}
            made["views"] = other["frames"][: self.views]
        return made


class BrokenPeople(FakePeople):
    """Fails at clip 2, like a renderer with a bug."""

    def clip(self, seed: int) -> dict[str, np.ndarray]:
        if seed == 2:
            raise RuntimeError("cannot draw clip 2")
        return super().clip(seed)


def never() -> bool:
    return False


class After:
    """A stop that says yes from call number `calls` on."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0
