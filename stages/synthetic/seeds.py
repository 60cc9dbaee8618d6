"""Which seeds belong to which split, and the separate seeds of one clip."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from stages.core.errors import UsageError
from stages.core.rng import seed_for

GENERATOR_VERSION = 2  # bump when the same seed gives other bytes
SPLITS: dict[str, tuple[int, int]] = {"train": (0, 500_000), "val": (500_000, 600_000), "test": (600_000, 1_000_000)}
_BUNDLE = re.compile(r"(train|val|test)_(\d{6})(_cross)?\.zarr")


@dataclass(frozen=True)
class ClipSeeds:
    """One seed for each purpose, so that one can be changed and the rest held."""

    identity: int
    motion: int
    camera: int
    light: int
    background: int

    @classmethod
    def of(cls, seed: int) -> ClipSeeds:
        """All purposes from one clip seed. errors  UsageError outside every split"""
        split_of(seed)
        return cls(seed, seed, seed, seed, seed)

    def with_identity(self, identity_seed: int) -> ClipSeeds:
        """The same motion, camera, light and background on another person."""
        return replace(self, identity=identity_seed)

    def of_view(self, number: int) -> ClipSeeds:
        """The same person with motion, camera, light and background of other seeds of the split."""

        def other(purpose: str) -> int:
            seed = getattr(self, purpose)
            first, end = SPLITS[split_of(seed)]
            return first + seed_for(seed, "synthetic", f"view {number}", purpose) % (end - first)

        return ClipSeeds(self.identity, *(other(name) for name in ("motion", "camera", "light", "background")))


def split_of(seed: int) -> str:
    """The split a clip or identity seed belongs to. errors  UsageError outside every split"""
    for name, (first, end) in SPLITS.items():
        if first <= seed < end:
            return name
    raise UsageError(f"seed {seed}: outside every split, expected 0..{max(end for _, end in SPLITS.values()) - 1}")


def clip_seed(split: str, index: int) -> int:
    """The seed of clip number `index` of a split. errors  UsageError: unknown split, index beyond its end"""
    if split not in SPLITS:
        raise UsageError(f"split: found {split!r}, expected one of {', '.join(SPLITS)}")
    first, end = SPLITS[split]
    if not 0 <= index < end - first:
        raise UsageError(f"{split} clip {index}: outside the split, expected 0..{end - first - 1}")
    return first + index


def partner_seed(seed: int) -> int:
    """Another identity of the same split, for cross-identity pairs; fixed for each seed."""
    first, end = SPLITS[split_of(seed)]
    step = 1 + seed_for(seed, "synthetic", "partner", "identity") % (end - first - 1)
    return first + (seed - first + step) % (end - first)


def bundle_name(split: str, number: int, cross: bool) -> str:
    """Name of the bundle of clip `number` of a split; cross: on another person. errors  UsageError as in clip_seed"""
    clip_seed(split, number)
    return f"{split}_{number:06d}{'_cross' if cross else ''}.zarr"


def parse_bundle_name(name: str) -> tuple[str, int, bool]:
    """Split, number and cross-identity of a bundle name. errors  UsageError: not such a name"""
    match = _BUNDLE.fullmatch(name)
    if match is None:
        raise UsageError(f"{name}: not a name synth gives, expected SPLIT_NUMBER.zarr such as train_000000.zarr")
    return match[1], int(match[2]), match[3] is not None


def pair_names(name: str) -> dict[str, str]:
    """Bundle names of a clip and of its cross-identity partner, where that is made: {"own", "cross"}."""
    split, number, _ = parse_bundle_name(name)
    return {"own": bundle_name(split, number, cross=False), "cross": bundle_name(split, number, cross=True)}


def seeds_of(name: str, clips_per_person: int = 1) -> ClipSeeds:
    """The seeds of a bundle name; of a cross-identity bundle with the partner's identity.

    clips_per_person  clips number 0..K - 1 of a split show the person of the first, and so on: the same person in the
                      first of them whatever K is, and never one of another split
    """
    split, number, cross = parse_bundle_name(name)
    person = clip_seed(split, number - number % clips_per_person)
    seeds = ClipSeeds.of(clip_seed(split, number))
    return seeds.with_identity(partner_seed(person) if cross else person)
