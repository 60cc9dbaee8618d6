"""Segment after segment from noise to latents, each kept on disk until the clip is done, so that a run can go on."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import torch

from stages.core.memory import give_back_free_memory
from stages.core.rng import torch_generator
from stages.model.animator import filled_length, segment_spans
from stages.model.vae import TIME_STRIDE
from stages.weights.checkpoint import load_checkpoint, save_checkpoint

_SEGMENTS_HELD = 4


class SegmentStore:
    """The finished segments of one unfinished clip: latents [1, C+K, n, h, w] in files of one folder.

    A sequence of the segments that are there without a gap; `read` looks at the clip as one row of latents. At most
    a few segments are in memory.
    """

    def __init__(self, folder: Path, spans: list[tuple[int, int]], key: str) -> None:
        self.folder, self.spans, self._key = folder, spans, key
        self._held: dict[int, torch.Tensor] = {}
        self._count = 0
        while self._count < len(spans) and self._file(self._count).is_file():
            self._count += 1

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> torch.Tensor:
        if not 0 <= index < self._count:
            raise IndexError(index)
        if index not in self._held:
            while len(self._held) >= _SEGMENTS_HELD:
                self._held.pop(next(iter(self._held)))
            self._held[index] = load_checkpoint(self._file(index))[0]["latents"]
        return self._held[index]

    def add(self, latents: torch.Tensor) -> None:
        """Keep the next segment; it is there for the next run as soon as this returns."""
        save_checkpoint(self._file(self._count), {"latents": latents}, {"key": self._key})
        self._count += 1

    @property
    def latents(self) -> int:
        """Latents of the whole clip."""
        return (self.spans[-1][1] - 1) // TIME_STRIDE + 1

    def read(self, start: int, stop: int) -> torch.Tensor:
        """Latents `start` to before `stop` of the clip, both within it."""
        fresh = (self.spans[0][1] - 1) // TIME_STRIDE  # of every segment but the first, which has one more
        parts = []
        for index in range(max(0, start - 1) // fresh if fresh else 0, len(self)):
            low = index * fresh + (1 if index else 0)
            if low >= stop:
                break
            segment = self[index]
            parts.append(segment[:, :, max(start - low, 0) : stop - low])
        return torch.cat(parts, 2)

    def _file(self, index: int) -> Path:
        return self.folder / f"{index:05d}.safetensors"

    def remove(self) -> None:
        """Throw the segments away."""
        shutil.rmtree(self.folder, ignore_errors=True)


class _Noise:
    """One CPU generator a segment, made when it is asked for."""

    def __init__(self, seed: int, stage: str, key: str) -> None:
        self._words = seed, stage, key

    def __getitem__(self, index: int) -> torch.Generator:
        seed, stage, key = self._words
        return torch_generator(seed, stage, key, f"noise {index}")


def sample(animator, signals, sampler, folder: Path, *, key: str, seed: int, stage: str, segment_frames: int, progress):
    """(SegmentStore of the whole clip, seconds of sampling); goes on behind the segments that are in the folder.

    segment_frames  0 = what the model was trained on;  progress  called with (segments done, segments, stage) or None
    """
    spans = segment_spans(filled_length(len(signals)), segment_frames or animator.config.segment_frames)
    store = SegmentStore(folder, spans, key)
    started = time.monotonic()
    if progress is not None:
        progress(len(store), len(spans), stage)
    noise = _Noise(seed, stage, key)
    for latents in animator.segments(signals, sampler, noise, segment_frames=segment_frames or None, done=store):
        store.add(latents)
        give_back_free_memory()
        if progress is not None:
            progress(len(store), len(spans), stage)
    return store, time.monotonic() - started
