"""A pool in memory: clips stream from worker processes straight into training, and nothing touches the disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from stages.core.errors import UsageError
from stages.synthetic.clip_data import SyntheticClip
from stages.training.pool import PICTURES, pool_arrays


@dataclass(frozen=True, eq=False)
class HeldClip:
    """The arrays of one clip by the names of a pool's files. name: number of its seed."""

    name: str
    arrays: dict[str, np.ndarray]


class StreamedPool:
    """Stands in for a Pool: `watched` clips stay, of the `trained` the oldest makes room for the next of the stream.

    clips    of the training split with references, such as stages.synthetic.stream.stream_clips("train", ...)
    held     clips kept to draw from, which bounds the memory;  watched  the first so many, never trained on
    uses     draws from the pool before the next clip is taken from the stream; waits for it, so that runs repeat
    errors   UsageError: a number below 1. When the stream ends the clips that are held stay
    """

    def __init__(self, clips: Iterable[SyntheticClip], *, held: int = 64, watched: int = 2, uses: int = 16) -> None:
        if min(held, watched, uses) < 1:
            raise UsageError(f"held {held}, watched {watched}, uses {uses}: expected at least 1 each")
        self._stream: Iterator[SyntheticClip] = iter(clips)
        self._uses, self._drawn = uses, 0
        self.watched = [clip for clip in (self._next() for _ in range(watched)) if clip]
        self.trained = [clip for clip in (self._next() for _ in range(held)) if clip]
        if not self.trained:
            raise UsageError(f"the stream ended after {len(self.watched)} clips: expected more than are watched")

    @property
    def clips(self) -> list[HeldClip]:
        """All clips that are held."""
        return [*self.trained, *self.watched]

    def draw(self, rng: np.random.Generator) -> HeldClip:
        """A random clip to train on."""
        self._drawn += 1
        if self._drawn % self._uses == 0 and (fresh := self._next()):
            self.trained = [*self.trained[1:], fresh]
        return self.trained[rng.integers(len(self.trained))]

    @staticmethod
    def frames(clip: HeldClip) -> np.ndarray:
        """uint8 [N, S, S, 3]."""
        return clip.arrays["frames"]

    @staticmethod
    def faces(clip: HeldClip) -> np.ndarray:
        """uint8 [N, 64, 64, 3]."""
        return clip.arrays["faces"]

    @staticmethod
    def views(clip: HeldClip) -> np.ndarray | None:
        """uint8 [V, S, S, 3] by other cameras; None where none were rendered."""
        return clip.arrays.get("views")

    @staticmethod
    def truth(clip: HeldClip) -> dict[str, np.ndarray]:
        """The arrays of a pool's truth.npz."""
        return {name: array for name, array in clip.arrays.items() if name not in PICTURES}

    def _next(self) -> HeldClip | None:
        made = next(self._stream, None)
        return None if made is None else HeldClip(f"{made.seeds.motion:07d}", pool_arrays(made))
