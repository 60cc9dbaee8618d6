"""Learned perceptual distance of each frame to the real one (LPIPS, Zhang et al. 2018, weights v0.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.bundle import ArraySpec
from stages.core.errors import InputError, UsageError
from stages.metrics.interface import ALIGNMENTS, Block, ClipContext

NEEDS = frozenset({"real"})
NETS = {"alex": 31, "vgg": 16}  # smallest side in pixels
RANGES = ("pm1", "01")


@dataclass(frozen=True)
class Options:
    """Settings.

    net      trunk: "alex" (the authors' choice for measuring) or "vgg"
    range    "pm1": pixels as -1..1, as the networks were trained; "01": left at 0..1, as DisCo feeds them (wrong)
    spatial  mean of the distance map at the frame's size, as common_metrics; else the sum of each layer's own mean
    align    how generated frames get the real size
    """

    net: str = "alex"
    range: str = "pm1"
    spatial: bool = False
    align: str = "lanczos"

    def __post_init__(self) -> None:
        for name, allowed in (("net", tuple(NETS)), ("range", RANGES), ("align", ALIGNMENTS)):
            if getattr(self, name) not in allowed:
                raise UsageError(f"lpips: {name} is {getattr(self, name)!r}, expected one of {', '.join(allowed)}")


def signature(options: Options) -> str:
    """Every choice that decides the number."""
    from stages.weights import describe

    network = describe(f"lpips_{options.net}")["sha256"][:8]
    pooling = "map-mean" if options.spatial else "layer-means"
    return f"align:{options.align}|{options.net}-v0.1@{network}|range:{options.range}|{pooling}|fp32|v:1"


def weights(options: Options) -> tuple[str, ...]:
    """The network that takes part."""
    return (f"lpips_{options.net}",)


def arrays(options: Options) -> dict[str, ArraySpec]:
    """`value` float64 [T], 0 = equal."""
    return {"value": ArraySpec("float64", ("T",), "", meaning="LPIPS of each frame, 0 for equal frames")}


def check(options: Options, context: ClipContext) -> None:
    """InputError where the frames are too small for the network."""
    size, least = context.real_size or context.size, NETS[options.net]
    if min(size) < least:
        raise InputError(
            f"clip {context.name}: frames are {size[0]}x{size[1]}, LPIPS ({options.net}) needs {least} pixels per side"
        )


class _Collector:
    def __init__(self, options: Options, context: ClipContext) -> None:
        from stages.metrics.nets.perceptual import load_perceptual

        check(options, context)
        self._options, self._net = options, load_perceptual(options.net, context.device)
        self._device = context.device
        self._values: list[float] = []

    def add(self, block: Block) -> None:
        """One pair of frames at a time: the number of a frame depends neither on its block nor on the cores."""
        from stages.metrics.nets.threads import each

        def distance(ours: np.ndarray, real: np.ndarray) -> float:
            return self._net.distance(ours, real, self._options.range, self._options.spatial)

        generated = block.aligned(self._options.align)
        self._values += each(distance, generated, block.real_u8, device=self._device)

    def finish(self) -> dict[str, np.ndarray]:
        return {"value": np.asarray(self._values, np.float64)}


def collector(options: Options, context: ClipContext) -> _Collector:
    """Collects `value`."""
    return _Collector(options, context)
