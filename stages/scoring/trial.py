"""Measuring frames that are in memory: for the known answers of `score doctor` and the trials of `score audit`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from importlib import import_module
from typing import Any

import numpy as np

from stages.metrics.interface import Block, ClipArrays, ClipContext
from stages.metrics.protocol import Measure, Metric
from stages.metrics.registry import MEASURES, REDUCTIONS

_BLOCK = 8  # frames given at a time


def make_measure(kind: str, **options: Any) -> Measure:
    """A measurement outside a protocol. errors  UsageError: an option has another value than it may have"""
    return Measure(kind, import_module(MEASURES[kind]).Options(**options))


def make_metric(measure: Measure, reduce: str = "mean", **options: Any) -> Metric:
    """A column outside a protocol. errors  UsageError: an option has another value than it may have"""
    module = import_module(REDUCTIONS[reduce])
    return Metric(measure.kind, measure.kind, "", "none", measure, reduce, module.Options(**options))


def measure_frames(
    measure: Measure, generated_u8: np.ndarray, real_u8: np.ndarray, device: str = "cpu", name: str = "clip"
) -> ClipArrays:
    """The arrays of one clip, uint8 [T, H, W, 3] each; frames are given in blocks as `score` gives them.

    errors  WeightsError: a network is missing; those of the measurement
    """
    size, real_size = generated_u8.shape[1:3], real_u8.shape[1:3]
    context = ClipContext(name, len(real_u8), Fraction(25), size, real_size, device=device)
    collector = measure.module.collector(measure.options, context)
    for first in range(0, len(real_u8), _BLOCK):
        collector.add(Block(first, generated_u8[first : first + _BLOCK], real_u8[first : first + _BLOCK]))
    return ClipArrays(name, -1, collector.finish())


def value_of(metric: Metric, pairs: Mapping[str, Sequence[np.ndarray]], device: str = "cpu") -> float:
    """The metric's number over clips. pairs  name -> (generated uint8 [T, H, W, 3], real)"""
    clips = [measure_frames(metric.measure, *pair, device=device, name=name) for name, pair in sorted(pairs.items())]
    return metric.module.summarise(metric.options, clips).value
