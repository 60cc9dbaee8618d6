"""Features of many clips as two sets: gathered in sorted order, checked, cut into subsets of clips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stages.core.errors import InputError
from stages.metrics.interface import ClipArrays


@dataclass(frozen=True)
class FeatureSets:
    """The samples of both sides, clip by clip.

    names      tuple of str, sorted
    generated  per clip float [n, D]; a clip too short for one window has n = 0
    real       per clip float [m, D]
    """

    names: tuple[str, ...]
    generated: tuple[np.ndarray, ...]
    real: tuple[np.ndarray, ...]

    def sizes(self) -> tuple[int, int]:
        """Samples of all clips: generated, real."""
        return sum(map(len, self.generated)), sum(map(len, self.real))

    def stacked(self, keep: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Float [n, D] and [m, D] of the clips where `keep` (bool per clip) is true, in sorted order; None = all."""
        chosen = range(len(self.names)) if keep is None else np.flatnonzero(keep)
        return stack([self.generated[index] for index in chosen]), stack([self.real[index] for index in chosen])


def stack(parts: Sequence[np.ndarray]) -> np.ndarray:
    """The parts one after the other; [0, 0] for none."""
    return np.concatenate(parts) if len(parts) else np.zeros((0, 0), np.float32)


def gather(clips: Sequence[ClipArrays], generated: str, real: str, exclude_reference: bool) -> FeatureSets:
    """The FeatureSets of two arrays [N, D] of every clip, sorted by the clips' names.

    exclude_reference  leave the row of the reference frame out of both sides (features of frames, not of windows)
    errors             InputError: an array is missing, not [N, D], of another width, or not finite
    """
    ordered = sorted(clips, key=lambda clip: clip.name)
    width = None
    sides: dict[str, list[np.ndarray]] = {generated: [], real: []}
    for clip in ordered:
        for name, parts in sides.items():
            if name not in clip.arrays:
                raise InputError(f"{clip.name}: no features {name!r} were kept, found {', '.join(clip.arrays)}")
            features = np.asarray(clip.arrays[name])
            width = features.shape[-1] if width is None else width
            if features.ndim != 2 or features.shape[1] != width:
                raise InputError(f"{clip.name}: features {name!r} are {features.shape}, expected [N, {width}]")
            if not np.isfinite(features).all():
                raise InputError(
                    f"{clip.name}: features {name!r} hold NaN or infinity, expected finite numbers. Measure it again"
                )
            if exclude_reference and len(features) > 1 and 0 <= clip.reference_frame < len(features):
                features = np.delete(features, clip.reference_frame, axis=0)
            parts.append(features)
    return FeatureSets(tuple(clip.name for clip in ordered), tuple(sides[generated]), tuple(sides[real]))


def halves(parts: Sequence[np.ndarray], splits: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The clips of one side cut in two, `splits` times: first by parity of the sorted order, then at random."""
    generator = np.random.default_rng(seed)
    order = np.arange(len(parts))
    for split in range(splits):
        if split:
            order = generator.permutation(len(parts))
        yield stack([parts[index] for index in sorted(order[::2])]), stack([parts[i] for i in sorted(order[1::2])])
