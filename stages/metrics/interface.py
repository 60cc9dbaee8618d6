"""What a measurement of one clip looks like: frames go in block by block, named arrays come out.

A *measurement* (one module of `MEASURES`) maps one clip to arrays that are kept on disk; a *reduction* (one module of
`REDUCTIONS`) turns the arrays of many clips into one number. So every clip can be measured on another machine, and
merging is exact. A measurement module has

    NEEDS       frozenset of "real", "reference", "driving": what must be there besides the generated frames; where no
                driver's film is given, the real one is the driver's
                (`needs`, Options -> frozenset, stands in its place where the options decide it)
    Options     frozen dataclass, the table of the protocol file; unknown or wrong values raise UsageError
    signature   Options -> str, every choice that decides the number, "key:value" joined by "|"
    weights     Options -> tuple of registered network names that take part, () for none
    arrays      Options -> {array name: stages.bundle ArraySpec}
    collector   (Options, ClipContext) -> Collector
and may have
    needs       Options -> frozenset, where NEEDS depends on the options
    check       (Options, ClipContext) -> None; InputError when this clip cannot be measured (too few frames, ...);
                asked for every clip before any network runs
    of_real     Options -> names of arrays that hang on the real frames alone; the collector takes them from
                ClipContext.known instead of making them again
    OPTIONAL    True: where its network cannot be had, the number is "not measured" instead of an error
A reduction module has Options, signature (Options -> str) and summarise (Options, clips -> Summary), and may have
    halves_of_real  (Options, clips) -> Summary, the distance of one half of the real films from the other
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

from stages.core.errors import InputError, UsageError

if TYPE_CHECKING:
    import numpy as np

ALIGNMENTS = ("none", "lanczos", "cv2-bilinear", "torch-bilinear")


@dataclass(frozen=True)
class ClipContext:
    """What is known of a clip before its first frame.

    name             str, the pair's name
    frames           int, number of frames of the pair
    fps              Fraction
    size             (H, W) px of the generated frames
    real_size        (H, W) px of the real frames; None without a real video
    reference_u8     uint8 [H, W, 3], the photo the person was made from; None when not given
    reference_frame  int, the frame of the real video that served as the reference; -1 = none
    device           torch device that computes
    sources          "generated", "real", "driving" -> path, for measurements that track people on their own
    known            arrays named by the module's `of_real` that were measured before on the same real frames
    """

    name: str
    frames: int
    fps: Fraction
    size: tuple[int, int]
    real_size: tuple[int, int] | None = None
    reference_u8: np.ndarray | None = None
    reference_frame: int = -1
    device: str = "cpu"
    sources: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, np.ndarray] = field(default_factory=dict)


class Block:
    """Consecutive frames of a pair.

    first         int, index of the first frame
    generated_u8  uint8 [n, Hg, Wg, 3] RGB
    real_u8       uint8 [n, H, W, 3] RGB; None without a real video
    driving_u8    uint8 [n, Hd, Wd, 3] RGB of the driver; None when it is not given apart from the real video
    """

    def __init__(
        self,
        first: int,
        generated_u8: np.ndarray,
        real_u8: np.ndarray | None = None,
        driving_u8: np.ndarray | None = None,
    ) -> None:
        self.first, self.generated_u8, self.real_u8, self.driving_u8 = first, generated_u8, real_u8, driving_u8
        self._aligned: dict[str, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.generated_u8)

    def aligned(self, how: str) -> np.ndarray:
        """uint8 [n, H, W, 3]: the generated frames at the real frames' size; kept, so that measurements share it.

        how     one of ALIGNMENTS; "none" insists on equal sizes
        errors  InputError: no real frames, or sizes differ under "none". UsageError: unknown `how`
        """
        if how not in ALIGNMENTS:
            raise UsageError(f"align: found {how!r}, expected one of {', '.join(ALIGNMENTS)}")
        if self.real_u8 is None:
            raise InputError("a paired metric was asked for, found no real video. Give --real")
        size = self.real_u8.shape[1:3]
        if self.generated_u8.shape[1:3] == size:
            return self.generated_u8
        if how == "none":
            found = "x".join(map(str, self.generated_u8.shape[1:3]))
            raise InputError(f"generated frames are {found}, real ones {size[0]}x{size[1]}, expected equal sizes")
        if how not in self._aligned:
            from stages.metrics.resize import resize_u8

            self._aligned[how] = resize_u8(self.generated_u8, size, how)
        return self._aligned[how]


class Collector(Protocol):
    """Takes the blocks of one clip in order and gives its arrays; holds one block and the results, never the clip."""

    def add(self, block: Block) -> None:
        """Measure the next block."""

    def finish(self) -> dict[str, np.ndarray]:
        """The arrays named by the module's `arrays`; floats are NaN where nothing could be measured."""


@dataclass(frozen=True)
class ClipArrays:
    """What a measurement kept of one clip.

    name             str, the pair's name; reductions work in the order they are given (sorted by name)
    reference_frame  int, -1 = none
    arrays           name -> array
    """

    name: str
    reference_frame: int
    arrays: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Summary:
    """One number of a table with what is needed to trust it.

    value      float; NaN = nothing could be measured
    per_clip   float per clip in the order given, NaN = not measured; None for numbers of the whole set (FID, FVD)
    n_clips    int, clips that took part
    n_samples  int, frames, windows or clips that took part
    interval   (low, high) of 95%; None = none can be given
    method     str, how the interval was made, for example "bootstrap over 12 clips, 2000 draws, seed 0, percentile"
    coverage   share 0..1 of samples that could be measured
    imputed    value with every missing sample set to the protocol's worst case; None = no worst case named
    extra      further numbers: "extrapolated", "jackknife_se", "identical_frames", ...
    """

    value: float
    per_clip: tuple[float, ...] | None
    n_clips: int
    n_samples: int
    interval: tuple[float, float] | None = None
    method: str = ""
    coverage: float = 1.0
    imputed: float | None = None
    extra: Mapping[str, float] = field(default_factory=dict)
