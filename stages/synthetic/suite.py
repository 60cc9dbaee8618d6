"""Fixed, hashed sets of test clips by name: what every method is measured on.

A suite is a literal list of clips of the test split and the settings of `synth` they are made with, so its bundles are
those of `dreamactor synth` with these settings, byte for byte. Every clip is there twice: NAME.zarr, and
NAME_cross.zarr with the same motion, camera, light and background on another person. That gives these kinds of cases:

    self    the reference is another moment of NAME, its own motion drives, the truth is NAME
    cross   the same reference; the person of NAME_cross drives; the truth is NAME: that motion on its own person
    cross-aligned   the same, and the driver's film begins with the moment of the reference, so that nobody has to guess
            where the person stands (stages.benchmark.cases)

`suites/NAME.tsv` beside this file holds the sha256 of the truth of every bundle (stages.synthetic.manifest): of the
arrays, not of the film, whose bytes depend on the encoder's build. What is promised: the same bytes on the kind of
processor the list was made on, with the pinned packages, whatever the order and the number of workers. The renderer
uses fast arithmetic, so that another kind may round some pixels differently; `synth --suite v1 --verify` says which.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stages.core.errors import CheckFailed, UsageError
from stages.synthetic.seeds import GENERATOR_VERSION, bundle_name, parse_bundle_name

KINDS = ("self", "cross", "cross-aligned")
_OPEN = frozenset(("suite", "out", "clips", "workers", "verify", "overwrite"))
APART_S = 0.25  # a reference this far in time from the film counts as another moment
_MADE_ON = "# made on: "
_LISTS = Path(__file__).parent / "suites"


@dataclass(frozen=True)
class Suite:
    """One suite. Nothing of a published one may change; a better one gets another name.

    generator   GENERATOR_VERSION its list was made with
    framings    framing -> number of its first clip in the split
    clips       of each framing
    frames, size (px, square), fps, look, references, style, split, assets   as in stages.synth.Params
    """

    name: str
    generator: int
    framings: tuple[tuple[str, int], ...]
    clips: int
    frames: int
    size: int
    fps: float
    look: str
    references: int
    style: str = ""
    split: str = "test"
    assets: str = "full"

    def numbers(self, clips: int | None = None) -> dict[int, str]:
        """Number of a clip in the split -> its framing, of the first `clips` of each framing (None: all).

        Framings take turns, so that what is made first is a smaller suite. errors  UsageError: more than there are
        """
        count = self.clips if clips is None else clips
        if not 1 <= count <= self.clips:
            raise UsageError(f"--clips: found {clips}, suite {self.name} has 1..{self.clips} of each framing")
        return {first + index: framing for index in range(count) for framing, first in self.framings}

    def bundles(self, clips: int | None = None) -> tuple[str, ...]:
        """Bundle names in the order they are made. errors  UsageError as in `numbers`"""
        return tuple(bundle_name(self.split, n, cross) for n in self.numbers(clips) for cross in (False, True))

    def settings(self, bundle: str) -> dict[str, object]:
        """The settings of synth, by name, that make one of the bundles. errors  UsageError: not of this suite"""
        split, number, _ = parse_bundle_name(bundle)
        framing = self.numbers().get(number) if split == self.split else None
        if framing is None:
            raise UsageError(f"{bundle}: not of suite {self.name}")
        return {"framing": framing, **self.common()}

    def common(self) -> dict[str, object]:
        """The settings of synth that all bundles share."""
        names = ("frames", "size", "fps", "look", "references", "style", "split", "assets")
        return {**{name: getattr(self, name) for name in names}, "cross_identity": True}

    def definition(self) -> str:
        """The literal definition as one line: what the sha256 of the list covers besides the clips."""
        framings = ", ".join(f"{framing} {first}..{first + self.clips - 1}" for framing, first in self.framings)
        return (
            f"suite {self.name}: generator {self.generator}, split {self.split}, {framings}, {self.frames} frames, "
            f"{self.size} px, {self.fps:g} fps, look {self.look}, {self.references} references, assets {self.assets}"
            + (f", style {self.style}" if self.style else "")
        )


_V1 = Suite(
    name="v1",
    generator=2,
    framings=(("portrait", 10_000), ("half", 20_000), ("full", 30_000)),
    clips=48,
    frames=33,
    size=128,
    fps=24.0,
    look="drawn",
    references=5,
)
SUITES = {
    "v1": _V1,
    "v1-256": replace(_V1, name="v1-256", size=256),  # the clips of v1 on pictures of twice the side
    "v1.1": Suite(  # heads and bodies that turn from profile to profile: where one photo cannot know
        name="v1.1",
        generator=2,
        framings=(("portrait", 110_000), ("half", 120_000), ("full", 130_000)),
        clips=8,
        frames=33,
        size=128,
        fps=24.0,
        look="drawn",
        references=9,
        style="turn-around",
    ),
}


def suite_named(name: str) -> Suite:
    """The suite of a name. errors  UsageError: unknown"""
    if name not in SUITES:
        raise UsageError(f"--suite: found {name!r}, expected one of {', '.join(SUITES)}")
    return SUITES[name]


def expected(suite: Suite) -> dict[str, str]:
    """Bundle name -> sha256 of its truth, as published."""
    return dict(line.split("\t") for line in _list_lines(suite) if not line.startswith("#"))


def made_on(suite: Suite) -> str:
    """The kind of processor, as `processor` names it, on which the published list was made."""
    return next(line.removeprefix(_MADE_ON) for line in _list_lines(suite) if line.startswith(_MADE_ON))


def processor() -> str:
    """The kind of processor as the renderer's compiler sees it, and a digest of how numpy multiplies matrices there.

    Such as "x86_64 znver5, products 1a2b3c4d": the same library has other kernels for other processors, and takes the
    ones that an environment variable names.
    """
    import hashlib
    import platform

    import numpy as np
    from llvmlite.binding import get_host_cpu_name

    numbers = np.sin(np.arange(1.0, 401.0)).reshape(20, 20)
    sizes = (3, 4, 20)
    products = b"".join(np.ascontiguousarray(numbers[:n, :n] @ numbers[:n, -n:]).tobytes() for n in sizes)
    return f"{platform.machine()} {get_host_cpu_name()}, products {hashlib.sha256(products).hexdigest()[:8]}"


def _list_lines(suite: Suite) -> list[str]:
    return (_LISTS / f"{suite.name}.tsv").read_text(encoding="utf-8").splitlines()


def check_settings(suite: Suite, given: Mapping[str, object], usual: Mapping[str, object]) -> None:
    """Check the settings of synth (given: name -> value, usual: the defaults) against a suite.

    Open are the folder, how many clips, the workers and what is done with bundles that are there. A suite of another
    size would be another suite, with another name.
    errors  UsageError: a setting that the suite decides; a suite of another generator version
    """
    if suite.generator != GENERATOR_VERSION:
        raise UsageError(
            f"--suite {suite.name}: is of generator version {suite.generator}, this is {GENERATOR_VERSION}. Make it "
            "with the release it came with, or take a newer suite"
        )
    own = suite.common()
    for name in sorted(set(given) - _OPEN):
        if given[name] not in (usual[name], own.get(name, usual[name])):
            raise UsageError(
                f"--{name.replace('_', '-')}: found {given[name]!r}, suite {suite.name} is made with "
                f"{own.get(name, usual[name])!r}. Leave it out, or leave --suite out"
            )


def check_bundle(suite: Suite, path: str | os.PathLike[str]) -> str:
    """sha256 of a bundle's truth, which is the published one; every array is read.

    errors  InputError: no such bundle. CheckFailed: it is damaged, or other bytes than published
    """
    from stages.bundle import open_bundle, validate
    from stages.synthetic.manifest import bundle_sha256

    found, published = bundle_sha256(open_bundle(path)), expected(suite).get(Path(path).name, "no such bundle")
    if damage := validate(path):
        raise CheckFailed(f"{damage[0]}. --overwrite makes the bundle again")
    if found != published:
        raise CheckFailed(
            f"{path}: truth {found[:12]}, suite {suite.name} has {published[:12]}, made on {made_on(suite)}; this is "
            f"{processor()}. Another kind of processor or version of a package rounds pixels differently"
        )
    return found


def total_sha256(suite: Suite, bundles: Mapping[str, str]) -> str:
    """sha256 hex over the definition and all (bundle name, sha256 of its truth), sorted by name."""
    lines = [suite.definition(), *(f"{name} {digest}" for name, digest in sorted(bundles.items()))]
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def list_text(suite: Suite, bundles: Mapping[str, str], kind: str) -> str:
    """The text of a list file. bundles: name -> sha256 of its truth, all of the suite; kind: see `processor`"""
    head = [f"# {suite.definition()}", f"# sha256 of all: {total_sha256(suite, bundles)}", f"{_MADE_ON}{kind}"]
    return "".join(f"{line}\n" for line in [*head, *(f"{name}\t{sha}" for name, sha in sorted(bundles.items()))])


def differing(suite: Suite, found: Mapping[str, str]) -> list[str]:
    """Names of those found (name -> sha256 of its truth) that are not as published, sorted."""
    published = expected(suite)
    return sorted(name for name, digest in found.items() if published.get(name) != digest)


def reference_order(times_s: np.ndarray, ref_times_s: np.ndarray, ref_R_cam_head: np.ndarray) -> list[int]:
    """Numbers of the references in the order in which a case takes them.

    times_s f64 [T] of the film; ref_times_s f64 [R]; ref_R_cam_head float [R, 3, 3]. Those of another moment (at least
    a quarter of a second before or after the film) come first, and among them the face that looks most to the camera:
    the photo a user would choose.
    """
    apart = np.maximum(times_s[0] - ref_times_s, ref_times_s - times_s[-1])
    keys: Iterable[tuple[bool, float]] = zip(apart < APART_S, -ref_R_cam_head[:, 2, 2].astype(np.float64), strict=True)
    return [index for _, index in sorted((key, index) for index, key in enumerate(keys))]
