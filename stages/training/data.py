"""Prepared clips: what the transformer is trained on, read from disk by memory map.

A prepared clip is a folder with
  latents.npy   float16 [N, C, h, w]      each of its N frames alone, normalised latents
  clip.npy      float16 [t, C, h, w]      its first 4(t-1)+1 frames as one video, normalised latents
  maps.npy      uint8   [N, H, W, 6]      skeleton and sphere map of each frame
  frames.npy    uint8   [N, H, W, 3]      the pictures themselves, to see what stays the same
  faces.npy     uint8   [N, 64, 64, 3]    face crops (what 224-pixel crops become inside the encoder)
  labels.npz    expressions f32 [N, 54], face_valid bool [N], yaw_rad f32 [N]
The first frames are contiguous; those behind them come from other moments of the same take and serve as references.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stages.core.errors import InputError

TIME_STRIDE = 4


@dataclass
class TrainingBatch:
    """Tensors as `stages.model.dit.Conditions` wants them, plus the data and the face crops."""

    data: Tensor  # [B, C, t, h, w]
    maps: Tensor  # [B, 6, T, H, W] 0..1
    ref_latents: Tensor  # [B, R, C, h, w]
    ref_maps: Tensor  # [B, R, 6, H, W] 0..1
    faces: Tensor  # [B, T, 64, 64, 3] uint8
    face_valid: Tensor  # [B, T] bool
    expressions: Tensor  # [B, T, 54]
    same: Tensor  # [B, T, H/2, W/2] bool: this square of 2x2 pixels is still the first reference's


class PreparedClips:
    """All prepared clips below one folder."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.refresh()
        if not self.clips:
            raise InputError(f"{folder}: no prepared clips (folders with labels.npz); let `dreamactor train` make them")

    def refresh(self) -> None:
        """Look again: clips may still be arriving."""
        self.clips = sorted(path.parent for path in self.folder.glob("*/labels.npz"))

    def batch(self, rng: np.random.Generator, size: int, frames: int, references: int) -> TrainingBatch:
        """Return `size` random clips of `frames` (4k+1) frames with `references` reference frames each."""
        items = [self._item(rng, frames, references) for _ in range(size)]
        return TrainingBatch(*(torch.from_numpy(np.stack(column)) for column in zip(*items, strict=True)))

    def _item(self, rng: np.random.Generator, frames: int, references: int):
        clip = self.clips[rng.integers(len(self.clips))]
        latents, maps = np.load(clip / "latents.npy", mmap_mode="r"), np.load(clip / "maps.npy", mmap_mode="r")
        faces, labels = np.load(clip / "faces.npy", mmap_mode="r"), np.load(clip / "labels.npz")
        frames_u8 = np.load(clip / "frames.npy", mmap_mode="r")
        count = len(latents)
        if frames == 1:
            chosen = np.array([rng.integers(count)])
            data = np.asarray(latents[chosen]).astype(np.float32).transpose(1, 0, 2, 3)
        else:
            video = np.load(clip / "clip.npy", mmap_mode="r")
            needed = (frames - 1) // TIME_STRIDE + 1
            first = int(
                rng.integers(len(video) - needed + 1)
            )  # > 0: a window that goes on from a latent of four frames
            chosen = first * TIME_STRIDE + np.arange(frames)
            data = np.asarray(video[first : first + needed]).astype(np.float32).transpose(1, 0, 2, 3)
        others = self._references(rng, labels["yaw_rad"], np.setdiff1d(np.arange(count), chosen), references)
        return (
            data,
            _channels_first(maps[chosen]).transpose(1, 0, 2, 3),
            np.asarray(latents[others]).astype(np.float32),
            _channels_first(maps[others]),
            np.asarray(faces[chosen]),
            labels["face_valid"][chosen],
            labels["expressions"][chosen].astype(np.float32),
            same_squares(np.asarray(frames_u8[chosen]), np.asarray(frames_u8[others[0]])),
        )

    @staticmethod
    def _references(rng, yaw_rad, free, references: int) -> np.ndarray:
        """The paper's rule for three (yaw maximum, minimum, median) in half of the cases, random frames otherwise."""
        if references == 3 and rng.random() < 0.5:
            by_yaw = free[np.argsort(yaw_rad[free])]
            return by_yaw[[-1, 0, len(by_yaw) // 2]]
        return rng.choice(free, references, replace=False)


def same_squares(frames_u8, reference_u8) -> np.ndarray:
    """Return bool [T, H/2, W/2]: no channel of the 2x2 pixels is more than 8 grey levels off the reference picture."""
    off = np.abs(frames_u8.astype(np.int16) - reference_u8.astype(np.int16)).max(-1)  # [T, H, W]
    time, height, width = off.shape
    return off.reshape(time, height // 2, 2, width // 2, 2).max((2, 4)) <= 8


def _channels_first(maps_u8) -> np.ndarray:
    """uint8 [n, H, W, 6] -> float32 [n, 6, H, W] in 0..1"""
    return np.ascontiguousarray(maps_u8).transpose(0, 3, 1, 2).astype(np.float32) / 255.0
