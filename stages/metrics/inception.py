"""Inception features of every frame: what FID and KID are computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.bundle import ArraySpec
from stages.core.errors import InputError, UsageError
from stages.metrics.interface import Block, ClipContext

NEEDS = frozenset({"real"})
RESIZES = ("legacy", "clean", "torchmetrics")
LAYERS = (2048, 64)
AGAINST = ("real", "driving")


@dataclass(frozen=True)
class Options:
    """Settings.

    resize   to 299x299: "legacy" as pytorch-fid (bilinear without antialiasing, pixels 2x-1);
             "clean" as clean-fid (Pillow's antialiased bicubic on floats, pixels (x-128)/128);
             "torchmetrics" as torchmetrics and torch-fidelity (TensorFlow 1's resize_bilinear, pixels (x-128)/128)
    layer    2048 pooled features, or the 64 of the first pooling
    against  "real"; "driving" takes the driver's frames for the real ones, which compares two people
    """

    resize: str = "clean"
    layer: int = 2048
    against: str = "real"

    def __post_init__(self) -> None:
        for name, allowed in (("resize", RESIZES), ("layer", LAYERS), ("against", AGAINST)):
            if getattr(self, name) not in allowed:
                expected = ", ".join(map(str, allowed))
                raise UsageError(f"inception: {name} is {getattr(self, name)!r}, expected one of {expected}")


def needs(options: Options) -> frozenset[str]:
    """What must be there under these options."""
    return frozenset({options.against})


def signature(options: Options) -> str:
    """Every choice that decides the numbers."""
    from stages.weights import describe

    network = describe("inception_fid")["sha256"][:8]
    return f"inception-2015-12-05@{network}|resize:{options.resize}|d{options.layer}|{options.against}|fp32|v:1"


def weights(options: Options) -> tuple[str, ...]:
    """The network that takes part."""
    return ("inception_fid",)


def arrays(options: Options) -> dict[str, ArraySpec]:
    """`generated` and `real` float32 [T, D]."""
    return {
        name: ArraySpec("float32", ("T", "D"), "", meaning=f"Inception features of each {name} frame")
        for name in ("generated", "real")
    }


def of_real(options: Options) -> tuple[str, ...]:
    """Names of the arrays that hang on the real frames alone."""
    return ("real",) if options.against == "real" else ()


def prepare(frame_u8: np.ndarray, resize: str) -> np.ndarray:
    """float32 [299, 299, 3]: the network's input from uint8 [H, W, 3], see Options.resize."""
    from stages.metrics.nets.sampling import bilinear, pillow_bicubic

    size = (299, 299)
    if resize == "legacy":
        return bilinear(frame_u8, size) * np.float32(1 / 127.5) - np.float32(1)
    if resize == "clean":
        pixels = pillow_bicubic(frame_u8, size).clip(0, 255)
    else:
        pixels = bilinear(frame_u8, size, half_pixel=False)
    return (pixels - np.float32(128)) * np.float32(1 / 128)


class _Collector:
    def __init__(self, options: Options, context: ClipContext) -> None:
        from stages.metrics.nets.inception import load_inception

        self._options, self._device, self._net = options, context.device, load_inception(context.device)
        self._features: dict[str, list[np.ndarray]] = {"generated": [], "real": []}
        self._known = context.known.get("real")

    def add(self, block: Block) -> None:
        """One frame at a time: its features depend neither on the block nor on the cores."""
        from stages.metrics.nets.threads import each

        def features(frame_u8: np.ndarray) -> np.ndarray:
            return self._net.features(prepare(frame_u8, self._options.resize), self._options.layer)

        real = against(block, self._options.against) if self._known is None else []
        found = each(features, [*block.generated_u8, *real], device=self._device)
        self._features["generated"] += found[: len(block)]
        self._features["real"] += found[len(block) :]

    def finish(self) -> dict[str, np.ndarray]:
        shape = (-1, self._options.layer)
        arrays = {name: np.asarray(rows, np.float32).reshape(shape) for name, rows in self._features.items()}
        return arrays if self._known is None else {**arrays, "real": np.asarray(self._known)}


def against(block: Block, which: str) -> np.ndarray:
    """The frames the generated ones are compared with as a set; InputError where they are not given."""
    frames = block.real_u8 if which == "real" or block.driving_u8 is None else block.driving_u8
    if frames is None:
        raise InputError(f"a distance between sets was asked for, found no {which} video. Give --{which}")
    return frames


def collector(options: Options, context: ClipContext) -> _Collector:
    """Collects `generated` and `real`."""
    return _Collector(options, context)
