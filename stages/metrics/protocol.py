"""Protocols as files: which numbers a table holds and every choice behind them."""

from __future__ import annotations

import dataclasses
import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module, resources
from pathlib import Path
from types import ModuleType
from typing import Any

from stages.core.errors import UsageError
from stages.metrics.registry import MEASURES, REDUCTIONS

SHIPPED = (
    "dreamactor-v1",
    "disco-2024",
    "disco-2023-legacy",
    "common-metrics",
    "styleganv-fvd2048-16f",
    "tf-fvd",
    "cdfvd-i3d",
)


@dataclass(frozen=True)
class Measure:
    """One measurement with its options.

    kind     key of MEASURES
    options  the module's Options
    """

    kind: str
    options: Any

    @cached_property
    def module(self) -> ModuleType:
        return import_module(MEASURES[self.kind])

    @property
    def signature(self) -> str:
        """Every choice that decides the arrays."""
        return f"{self.kind}|{self.module.signature(self.options)}"

    @property
    def layer(self) -> str:
        """Name of the bundle layer that keeps the arrays: the same choices have the same name in every protocol."""
        digest = hashlib.sha256(self.signature.encode()).hexdigest()
        return f"score_{self.kind}_{digest[:10]}"


@dataclass(frozen=True)
class Metric:
    """One column: a reduction of one measurement.

    name       column key, unique within the protocol, for example "lpips_alex"
    label      heading, for example "LPIPS (alex)"
    unit       "dB", "deg", "%" or ""
    direction  "higher" or "lower" is better; "none" for a diagnosis
    """

    name: str
    label: str
    unit: str
    direction: str
    measure: Measure
    reduction: str
    options: Any

    @cached_property
    def module(self) -> ModuleType:
        return import_module(REDUCTIONS[self.reduction])

    @property
    def signature(self) -> str:
        return f"{self.measure.signature}|{self.reduction}:{self.module.signature(self.options)}"


@dataclass(frozen=True)
class Protocol:
    """A named set of columns.

    name      for example "dreamactor-v1"
    title     one line for the table's foot
    faithful  True: meant to be right; False: repeats another code's behaviour, mistakes included, and says so
    metrics   in the order of the table
    sha256    of the file
    """

    name: str
    title: str
    faithful: bool
    metrics: tuple[Metric, ...]
    sha256: str

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Each measurement once."""
        return tuple({metric.measure.layer: metric.measure for metric in self.metrics}.values())


def load_protocol(name: str) -> Protocol:
    """A shipped protocol by name, or the TOML file of a path.

    errors  UsageError: no such protocol or file, unknown key, kind or option, a metric without its measure
    """
    if name in SHIPPED:
        text = (resources.files("stages.metrics") / "protocols" / f"{name}.toml").read_text(encoding="utf-8")
    elif name.endswith(".toml") and Path(name).is_file():
        text = Path(name).read_text(encoding="utf-8")
    else:
        raise UsageError(f"--protocol: found {name!r}, expected {', '.join(SHIPPED)}, or a .toml file")
    try:
        return _parse(tomllib.loads(text), name, hashlib.sha256(text.encode()).hexdigest())
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"protocol {name}: not readable as TOML ({error})") from None


def _parse(table: dict[str, Any], where: str, sha256: str) -> Protocol:
    _only(table, {"name", "title", "faithful", "measure", "metric"}, f"protocol {where}")
    measures = {}
    for key, options in table.get("measure", {}).items():
        kind = options.pop("kind", key)
        if kind not in MEASURES:
            raise UsageError(
                f"protocol {where}: measure {key}: kind is {kind!r}, expected one of {', '.join(MEASURES)}"
            )
        measures[key] = Measure(kind, _options(MEASURES[kind], options, f"protocol {where}: measure {key}"))
    metrics = []
    for entry in table.get("metric", []):
        spot = f"protocol {where}: metric {entry.get('name', '?')}"
        name, measure, reduction = entry.pop("name"), entry.pop("measure"), entry.pop("reduce", "mean")
        if measure not in measures or reduction not in REDUCTIONS:
            raise UsageError(f"{spot}: measure is {measure!r} and reduce {reduction!r}, expected ones that exist")
        label, unit = entry.pop("label", name), entry.pop("unit", "")
        direction = entry.pop("direction", "none")
        options = _options(REDUCTIONS[reduction], entry, spot)
        metrics.append(Metric(name, label, unit, direction, measures[measure], reduction, options))
    if len({metric.name for metric in metrics}) != len(metrics) or not metrics:
        raise UsageError(f"protocol {where}: expected one or more metrics, each with its own name")
    return Protocol(table["name"], table.get("title", ""), bool(table.get("faithful", True)), tuple(metrics), sha256)


def _options(module: str, table: Mapping[str, Any], where: str):
    kind = import_module(module).Options
    _only(table, {field.name for field in dataclasses.fields(kind)}, where)
    return kind(**table)


def _only(table: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise UsageError(f"{where}: found {unknown[0]!r}, expected {', '.join(sorted(known))}")
