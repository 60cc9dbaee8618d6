"""A measurement of tests: the mean of each frame; its network, its needs and its shortest clip are set by the test."""

from dataclasses import dataclass

import numpy as np

from stages.bundle import ArraySpec
from stages.core.errors import InputError

NEEDS = frozenset()
OPTIONAL = False
WEIGHTS = ()
SEEN = []
CONTEXTS = []


@dataclass(frozen=True)
class Options:
    least: int = 1


def signature(options):
    return f"least:{options.least}|v:1"


def weights(options):
    return WEIGHTS


def arrays(options):
    return {"value": ArraySpec("float64", ("T",))}


def check(options, context):
    if context.frames < options.least:
        raise InputError(f"clip {context.name}: {context.frames} frames, expected {options.least} or more")


class _Collector:
    def __init__(self):
        self._values = []

    def add(self, block):
        SEEN.append((block.first, len(block), None if block.driving_u8 is None else int(block.driving_u8[0, 0, 0, 0])))
        self._values += [float(frame.mean()) for frame in block.generated_u8]

    def finish(self):
        return {"value": np.asarray(self._values, np.float64)}


def collector(options, context):
    CONTEXTS.append(context)
    return _Collector()
