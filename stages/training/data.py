"""Prepared clips: what the transformer is trained on, read from disk by memory map.

A prepared clip is a folder with
  latents.npy   float16 [N, C, h, w]      each of its N frames alone, normalised latents
  clip.npy      float16 [t, C, h, w]      its first 4(t-1)+1 frames as one video, normalised latents
  maps.npy      uint8   [N, H, W, 6]      skeleton and sphere map of each frame
  frames.npy    uint8   [N, H, W, 3]      the pictures themselves, to see what stays the same
  faces.npy     uint8   [N, 64, 64, 3]    face crops (what 224-pixel crops become inside the encoder)
  warp_frames.npy  uint8 [2, N, H, W, 3]   two of the frames behind (`warp_refs`) carried to the pose of every frame
  warp_kind.npy    uint8 [2, N, H, W]      what their pixels are (stages.body.warp)
  warp_latents.npy, warp_clip.npy          their latents, as of the pictures: float16 [2, ...]
  extra_latents.npy, extra_maps.npy        float16 [K, C, h, w], uint8 [K, H, W, 6]: further pictures of the person, by
                other cameras before other backgrounds or as a half-body crop; may lack (older clips have none)
  fine_frames.npy, fine_warp_frames.npy, fine_warp_kind.npy, fine_maps.npz   pictures with k times the side for the
                compositor: all N, and carried references and maps of the contiguous ones; may lack
  labels.npz    expressions f32 [N, 54], face_valid bool [N], yaw_rad f32 [N], face_px f32 [N, 68, 2] on
                these pictures (older clips lack it);  warp.npz  refs int [2]
The first frames are contiguous; those behind them come from other moments of the same take and serve as references.
H and W may differ from clip to clip; a batch is of clips of one size.
"""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stages.core.carried import state_planes
from stages.core.errors import InputError

TIME_STRIDE, SPACE_STRIDE = 4, 8
_MAPS = "maps.npy"
GROUP = 4  # single frames of one clip in a row, where a batch of single frames can be split so
HEAD = 0  # "frames" of single ones that are cut to HEAD_CELLS x HEAD_CELLS cells about the head
HEAD_CELLS = 8
EXTRA_SHARE = 0.5  # of the references behind the first, where a clip has extra ones; our choice


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
    warp_latents: Tensor  # [B, C, t, h, w]
    warp_state: Tensor  # [B, 2, T, H, W] 0..1
    same: Tensor  # [B, T, H/2, W/2] bool: this square of 2x2 pixels is still the first reference's
    same_warp: Tensor  # [B, T, H/2, W/2] bool: this square is as the carried reference shows it

    @property
    def weighing_maps(self) -> Tensor:
        """[B, 6, T, H, W]: the maps that say where the loss counts more."""
        return self.maps


@dataclass
class MarkedBatch(TrainingBatch):
    """A batch whose maps are others than `maps.npy`; the loss is weighed by those all the same."""

    plain_maps: Tensor  # [B, 6, T, H, W] 0..1

    @property
    def weighing_maps(self) -> Tensor:
        """[B, 6, T, H, W]: the maps that say where the loss counts more."""
        return self.plain_maps


class PreparedClips:
    """All prepared clips below one folder.

    maps  file of the control maps, to train on others than `maps.npy`; heads are found and the loss weighed by
    `maps.npy` all the same
    """

    def __init__(self, folder: str | Path, maps: str = _MAPS):
        self.folder, self.maps = Path(folder), maps
        self.refresh()
        if not self.clips:
            raise InputError(f"{folder}: no prepared clips (folders with warp.npz); let `dreamactor train` make them")

    def refresh(self) -> None:
        """Look again: clips may still be arriving."""
        self.clips = sorted(path.parent for path in self.folder.glob("*/warp.npz"))
        self._sizes = [np.load(clip / "maps.npy", mmap_mode="r").shape[1:3] for clip in self.clips]

    def batch(self, rng: np.random.Generator, size: int, frames: int, references: int) -> TrainingBatch:
        """Return `size` random clips of `frames` (4k+1) frames with `references` reference frames each.

        The first is any clip, the others are any of its picture size. Single frames come as `group_of` says: those of
        one clip have the same references, so that what differs between them is motion and expression. `frames` HEAD:
        single frames cut to the cells about the head, for a quarter of the price.
        """
        first = int(rng.integers(len(self.clips)))
        alike = np.array([number for number, found in enumerate(self._sizes) if found == self._sizes[first]])
        group = group_of(frames, size)
        chosen = [first, *rng.choice(alike, size // group - 1)]
        if group == 1:
            return _stacked([self._item(self.clips[number], rng, frames, references) for number in chosen])
        return _stacked(
            [item for number in chosen for item in self._group(self.clips[number], rng, frames, references)]
        )

    def whole(self, clip: Path, which: int, rng: np.random.Generator, references: int) -> TrainingBatch:
        """Return all contiguous frames of one clip, with its carried reference number `which`, as a batch of one."""
        frames = TIME_STRIDE * (len(np.load(clip / "clip.npy", mmap_mode="r")) - 1) + 1
        return _stacked([self._item(clip, rng, frames, references, which)])

    def _group(self, clip: Path, rng: np.random.Generator, frames: int, references: int) -> list[tuple]:
        """GROUP single frames of one clip with the same references, half of them of other moments."""
        which = int(rng.integers(len(np.load(clip / "warp_latents.npy", mmap_mode="r"))))
        first_ref = int(np.load(clip / "warp.npz")["refs"][which])
        yaw_rad = np.load(clip / "labels.npz")["yaw_rad"]
        maps = np.load(clip / _MAPS, mmap_mode="r")
        contiguous = TIME_STRIDE * (len(np.load(clip / "clip.npy", mmap_mode="r")) - 1) + 1
        free = np.setdiff1d(np.arange(len(yaw_rad)), first_ref)
        halves = free[free >= contiguous], free[free < contiguous]
        picked = np.concatenate([rng.choice(half, GROUP // 2, replace=len(half) < GROUP // 2) for half in halves])
        others = self._references(rng, yaw_rad, np.setdiff1d(free, picked), references)
        refs = np.append(first_ref, others[1:])
        seed = int(rng.integers(1 << 62))  # extras are drawn alike for all
        items = [
            self._item(clip, np.random.default_rng(seed), 1, references, which, (np.array([frame]), refs))
            for frame in picked
        ]
        if frames != HEAD:
            return items
        corner = _head_cell(maps[picked[0]], rng)
        return [_cut(item, *corner) for item in items]

    def _item(
        self, clip: Path, rng: np.random.Generator, frames: int, references: int, which: int | None = None,
        given: tuple[np.ndarray, np.ndarray] | None = None,
    ):  # fmt: skip
        """One row of a batch. given: numbers of its frame and of its references, instead of random ones"""
        latents, maps = np.load(clip / "latents.npy", mmap_mode="r"), np.load(clip / self.maps, mmap_mode="r")
        faces, labels = np.load(clip / "faces.npy", mmap_mode="r"), np.load(clip / "labels.npz")
        frames_u8 = np.load(clip / "frames.npy", mmap_mode="r")
        warp = {
            name: np.load(clip / f"warp_{name}.npy", mmap_mode="r") for name in ("frames", "kind", "latents", "clip")
        }
        count = len(latents)
        if which is None:
            which = int(rng.integers(len(warp["latents"])))
        first_ref = int(np.load(clip / "warp.npz")["refs"][which])
        if frames == 1:
            chosen = np.array([rng.choice(np.setdiff1d(np.arange(count), first_ref))]) if given is None else given[0]
            carried = np.asarray(warp["latents"][which][chosen])
            data = np.asarray(latents[chosen]).astype(np.float32).transpose(1, 0, 2, 3)
        else:
            video = np.load(clip / "clip.npy", mmap_mode="r")
            needed = (frames - 1) // TIME_STRIDE + 1
            first = int(
                rng.integers(len(video) - needed + 1)
            )  # > 0: a window that goes on from a latent of four frames
            chosen = first * TIME_STRIDE + np.arange(frames)
            data = np.asarray(video[first : first + needed]).astype(np.float32).transpose(1, 0, 2, 3)
            carried = np.asarray(warp["clip"][which][first : first + needed])
        free = np.setdiff1d(np.arange(count), np.append(chosen, first_ref))
        others = np.append(first_ref, self._references(rng, labels["yaw_rad"], free, references)[1:])
        others = others if given is None else given[1]
        ref_latents, ref_maps = np.asarray(latents[others]).astype(np.float32), _channels_first(maps[others])
        _put_extras(clip, rng, ref_latents, ref_maps)
        kind, truth_u8 = np.asarray(warp["kind"][which][chosen]), np.asarray(frames_u8[chosen])
        plain = []
        if self.maps != _MAPS:
            plain = [_channels_first(np.load(clip / _MAPS, mmap_mode="r")[chosen]).transpose(1, 0, 2, 3)]
        return (
            data,
            _channels_first(maps[chosen]).transpose(1, 0, 2, 3),
            ref_latents,
            ref_maps,
            np.asarray(faces[chosen]),
            labels["face_valid"][chosen],
            labels["expressions"][chosen].astype(np.float32),
            carried.astype(np.float32).transpose(1, 0, 2, 3),
            state_planes(kind).astype(np.float32),
            same_squares(truth_u8, np.asarray(frames_u8[others[0]])),
            like_squares(truth_u8, np.asarray(warp["frames"][which][chosen])),
            *plain,
        )

    @staticmethod
    def _references(rng, yaw_rad, free, references: int) -> np.ndarray:
        """The paper's rule for three (yaw maximum, minimum, median) in half of the cases, random frames otherwise."""
        if references == 3 and rng.random() < 0.5:
            by_yaw = free[np.argsort(yaw_rad[free])]
            return by_yaw[[-1, 0, len(by_yaw) // 2]]
        return rng.choice(free, references, replace=False)


def group_of(frames: int, size: int) -> int:
    """How many rows in a row are of one clip in a batch of `size` rows of `frames` frames."""
    return GROUP if frames <= 1 and size % GROUP == 0 else 1


def _head_cell(map_u8: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
    """(row, column) of the first cell of a window about the head of a frame with maps uint8 [H, W, 6]; anywhere
    where there is no head."""
    sides = [side // SPACE_STRIDE - HEAD_CELLS for side in map_u8.shape[:2]]
    drawn = np.argwhere(np.asarray(map_u8[..., 3:]).max(-1) > 12)
    if not len(drawn):
        return tuple(int(rng.integers(side + 1)) for side in sides)
    middle = drawn.mean(0) / SPACE_STRIDE - HEAD_CELLS / 2 + rng.uniform(-1.5, 1.5, 2)
    return tuple(int(np.clip(round(at), 0, side)) for at, side in zip(middle, sides, strict=True))


def _cut(item: tuple, row: int, column: int) -> tuple:
    """A row of a batch cut to HEAD_CELLS x HEAD_CELLS cells."""
    data, maps, refs, ref_maps, faces, valid, expressions, warp, state, same, same_warp, *plain = item

    def window(array, a_cell: int):
        rows, columns = (slice(at * a_cell, (at + HEAD_CELLS) * a_cell) for at in (row, column))
        return array[..., rows, columns]

    return (
        window(data, 1), window(maps, SPACE_STRIDE), window(refs, 1), window(ref_maps, SPACE_STRIDE), faces, valid,
        expressions, window(warp, 1), window(state, SPACE_STRIDE), window(same, SPACE_STRIDE // 2),
        window(same_warp, SPACE_STRIDE // 2), *(window(one, SPACE_STRIDE) for one in plain),
    )  # fmt: skip


def _put_extras(clip: Path, rng: np.random.Generator, ref_latents: np.ndarray, ref_maps: np.ndarray) -> None:
    """Put extra references, each once, in the place of some behind the first, which shows the background to keep."""
    if len(ref_latents) < 2 or not (clip / "extra_latents.npy").is_file():
        return
    extra = np.load(clip / "extra_latents.npy", mmap_mode="r")
    places = 1 + np.flatnonzero(rng.random(len(ref_latents) - 1) < EXTRA_SHARE)
    taken = rng.permutation(len(extra))[: len(places)]
    places = places[: len(taken)]
    ref_latents[places] = extra[taken]
    ref_maps[places] = _channels_first(np.load(clip / "extra_maps.npy", mmap_mode="r")[taken])


def _stacked(items) -> TrainingBatch:
    columns = [torch.from_numpy(np.stack(column)) for column in zip(*items, strict=True)]
    return MarkedBatch(*columns) if len(columns) > len(fields(TrainingBatch)) else TrainingBatch(*columns)


def same_squares(frames_u8, reference_u8) -> np.ndarray:
    """Return bool [T, H/2, W/2]: no channel of the 2x2 pixels is more than 8 grey levels off the reference picture."""
    off = np.abs(frames_u8.astype(np.int16) - reference_u8.astype(np.int16)).max(-1)  # [T, H, W]
    time, height, width = off.shape
    return off.reshape(time, height // 2, 2, width // 2, 2).max((2, 4)) <= 8


def like_squares(frames_u8, carried_u8) -> np.ndarray:
    """Return bool [T, H/2, W/2]: the 2x2 pixels are on average at most 12 grey levels off the carried reference."""
    off = np.abs(frames_u8.astype(np.int16) - carried_u8.astype(np.int16)).mean(-1, dtype=np.float32)  # [T, H, W]
    time, height, width = off.shape
    return off.reshape(time, height // 2, 2, width // 2, 2).mean((2, 4)) <= 12.0


def _channels_first(maps_u8) -> np.ndarray:
    """uint8 [n, H, W, 6] -> float32 [n, 6, H, W] in 0..1"""
    return np.ascontiguousarray(maps_u8).transpose(0, 3, 1, 2).astype(np.float32) / 255.0
