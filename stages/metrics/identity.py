"""Whether the person stays the person: cosines of face embeddings, to the real frame, to the reference, over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.bundle import ArraySpec
from stages.core.errors import UsageError
from stages.metrics.faces import (
    DETECT_SIDE,
    EMBEDDING,
    NETWORKS,
    FaceEmbedder,
    FaceFinder,
    FaceFollower,
    distances,
    largest,
)
from stages.metrics.interface import ALIGNMENTS, Block, ClipContext
from stages.metrics.segments import segment_count, slope_per_100
from stages.weights import SOURCES

NEEDS = frozenset()  # without the real video the arrays that compare with it are NaN, without a photo nearly as many


@dataclass(frozen=True)
class Options:
    """Settings.

    align        how generated frames get the real size, where there is a real video
    score_least  0..1, faces the detector is less sure of are not there
    segment      frames of one segment of the drift
    """

    align: str = "lanczos"
    score_least: float = 0.6
    segment: int = 16

    def __post_init__(self) -> None:
        if self.align not in ALIGNMENTS:
            raise UsageError(f"identity: align is {self.align!r}, expected one of {', '.join(ALIGNMENTS)}")
        if not 0 < self.score_least < 1 or self.segment < 1:
            raise UsageError(
                f"identity: score_least is {self.score_least}, segment {self.segment}, expected 0..1 and 1 or more"
            )


def signature(options: Options) -> str:
    """Every choice that decides the number."""
    nets = ",".join(f"{name}@{SOURCES[name].identity[:8]}" for name in NETWORKS)
    return (
        f"{nets}|opencv-dnn|align:{options.align}|detect:{DETECT_SIDE}px,{options.score_least:g}"
        f"|face:real=most-like-photo-else-largest,then-followed;generated=nearest-to-real|reference:photo-else-real-frame|cosine"
        f"|segment:{options.segment},mean-embedding,rest-dropped|v:1"
    )


def weights(options: Options) -> tuple[str, ...]:
    """The detector and the embedder."""
    return NETWORKS


def arrays(options: Options) -> dict[str, ArraySpec]:
    """Cosines -1..1; NaN = no face, or nothing to compare with. `expected`: the frames that should show a face."""
    t, s, cosine = ("T",), ("segment",), (-1.001, 1.001)
    return {
        "embedding": ArraySpec("float32", ("T", "D"), "", cosine, meaning="of the generated face, length 1"),
        "embedding_real": ArraySpec("float32", ("T", "D"), "", cosine, meaning="of the real face, length 1"),
        "found": ArraySpec("bool", t, meaning="the generated frame shows a face"),
        "found_real": ArraySpec("bool", t, meaning="the real frame shows the followed face"),
        "expected": ArraySpec("bool", t, meaning="found_real; always, without a real video"),
        "to_real": ArraySpec("float64", t, "", cosine, meaning="generated face to the real face of the same frame"),
        "to_reference": ArraySpec("float64", t, "", cosine, meaning="generated face to the reference face"),
        "real_to_reference": ArraySpec("float64", t, "", cosine, meaning="real face to the reference face"),
        "drift_first": ArraySpec("float64", s, "", cosine, meaning="segment to the first one with a face"),
        "drift_reference": ArraySpec("float64", s, "", cosine, meaning="segment to the reference face"),
        "real_drift_first": ArraySpec("float64", s, "", cosine, meaning="drift_first of the real video"),
        "slope_first": ArraySpec("float64", (), "", meaning="change of drift_first in 100 frames"),
        "slope_reference": ArraySpec("float64", (), "", meaning="change of drift_reference in 100 frames"),
        "real_slope_first": ArraySpec("float64", (), "", meaning="change of real_drift_first in 100 frames"),
    }


class _Collector:
    def __init__(self, options: Options, context: ClipContext) -> None:
        self._options, self._context = options, context
        self._finder, self._embedder = FaceFinder(options.score_least), FaceEmbedder()
        self._real_follower, self._own_follower = FaceFollower(), FaceFollower()
        self._photo = self._of_photo(context.reference_u8)
        self._generated: list[np.ndarray | None] = []
        self._real: list[np.ndarray | None] = []

    def add(self, block: Block) -> None:
        paired = block.real_u8 is not None
        generated = block.aligned(self._options.align) if paired else block.generated_u8
        for at, frame in enumerate(generated):
            real_face = self._follow(self._real_follower, block.real_u8[at]) if paired else None
            self._real.append(None if real_face is None else self._embedder.embed(block.real_u8[at], real_face))
            face = self._follow(self._own_follower, frame, near=real_face)
            self._generated.append(None if face is None else self._embedder.embed(frame, face))

    def finish(self) -> dict[str, np.ndarray]:
        embedding, real = _stack(self._generated), _stack(self._real)
        found, found_real = np.isfinite(embedding[:, 0]), np.isfinite(real[:, 0])
        reference = self._reference(real)
        first, to_reference = _drift(embedding, reference, self._options.segment)
        real_first, _ = _drift(real, reference, self._options.segment)
        return {
            "embedding": embedding,
            "embedding_real": real,
            "found": found,
            "found_real": found_real,
            "expected": np.ones_like(found) if self._context.real_size is None else found_real,
            "to_real": _cosine(embedding, real),
            "to_reference": _cosine(embedding, reference),
            "real_to_reference": _cosine(real, reference),
            "drift_first": first,
            "drift_reference": to_reference,
            "real_drift_first": real_first,
            "slope_first": np.float64(slope_per_100(first, self._options.segment)),
            "slope_reference": np.float64(slope_per_100(to_reference, self._options.segment)),
            "real_slope_first": np.float64(slope_per_100(real_first, self._options.segment)),
        }

    def _of_photo(self, photo_u8: np.ndarray | None) -> np.ndarray | None:
        """Embedding of the largest face of the photo; NaN when it shows none, None without a photo."""
        if photo_u8 is None:
            return None
        faces = self._finder.find(photo_u8)
        return self._embedder.embed(photo_u8, faces[largest(faces)]) if len(faces) else np.full(EMBEDDING, np.nan)

    def _follow(self, follower: FaceFollower, frame_u8: np.ndarray, near: np.ndarray | None = None):
        """The face [15] of a frame, None when there is none: the one nearest to `near`, else the followed one."""
        faces = self._finder.find(frame_u8)
        if near is not None:
            return follower.keep(faces[np.argmin(distances(faces, near))] if len(faces) else None)
        start = None
        if follower.idle and len(faces) > 1 and self._photo is not None and np.isfinite(self._photo[0]):
            start = int(np.argmax([_cosine(self._embedder.embed(frame_u8, face), self._photo) for face in faces]))
        return follower.choose(faces, start)

    def _reference(self, real: np.ndarray) -> np.ndarray:
        """Embedding of the reference face: of the photo, else of the real video's reference frame; NaN = none."""
        if self._photo is not None:
            return self._photo
        at = self._context.reference_frame
        return real[at] if 0 <= at < len(real) else np.full(EMBEDDING, np.nan)


def _stack(embeddings: list[np.ndarray | None]) -> np.ndarray:
    """float32 [T, 128], NaN where there is none."""
    none = np.full(EMBEDDING, np.nan, np.float32)
    return np.stack([none if e is None else e for e in embeddings]) if embeddings else np.zeros((0, EMBEDDING), "f4")


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """float64 [...] of vectors of length 1 on the last axis."""
    return (np.asarray(a, np.float64) * np.asarray(b, np.float64)).sum(-1)


def _drift(embedding: np.ndarray, reference: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosine of each segment's mean embedding to the first segment's that has one, and to the reference; [S] each."""
    count = segment_count(len(embedding), length)
    means = np.full((count, EMBEDDING), np.nan)
    for segment in range(count):
        part = embedding[segment * length : (segment + 1) * length].astype(np.float64)
        part = part[np.isfinite(part[:, 0])]
        if len(part):
            mean = part.mean(0)
            means[segment] = mean / np.linalg.norm(mean)
    seen = np.nonzero(np.isfinite(means[:, 0]))[0]
    first = means[seen[0]] if len(seen) else np.full(EMBEDDING, np.nan)
    return _cosine(means, first), _cosine(means, reference)


def collector(options: Options, context: ClipContext) -> _Collector:
    """Collects the arrays; holds the embeddings only. errors  WeightsError: a network is not to be had"""
    return _Collector(options, context)
