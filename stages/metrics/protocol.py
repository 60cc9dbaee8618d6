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
DIRECTIONS = ("higher", "lower", "none")
_ARRAY_FIELDS = ("array", "among", "count", "generated", "real")  # options of reductions that name an array
_WORDS = {str: "text", bool: "true or false", int: "a whole number", float: "a number", dict: "a table", list: "a list"}


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

    errors  UsageError: no such protocol or file; an unknown, missing or doubled name, key, kind or option; a value of
            another type; a metric without its measure or its array, a measure without a metric
    """
    if name in SHIPPED:
        text = (resources.files("stages.metrics") / "protocols" / f"{name}.toml").read_bytes()
    elif name.endswith(".toml") and Path(name).is_file():
        text = Path(name).read_bytes()
    else:
        raise UsageError(f"--protocol: found {name!r}, expected {', '.join(SHIPPED)}, or a .toml file")
    try:
        return _parse(tomllib.loads(text.decode()), name, hashlib.sha256(text).hexdigest())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"protocol {name}: not readable as TOML ({error})") from None


def _parse(table: dict[str, Any], where: str, sha256: str) -> Protocol:
    _only(table, {"name", "title", "faithful", "measure", "metric"}, f"protocol {where}")
    spot = f"protocol {where}"
    name, title = _take(table, "name", str, None, spot), _take(table, "title", str, "", spot)
    faithful = _take(table, "faithful", bool, True, spot)
    measures = {
        key: _measure(key, _typed(options, dict, f"{spot}: measure {key}"), f"{spot}: measure {key}")
        for key, options in _take(table, "measure", dict, {}, spot).items()
    }
    entries = _take(table, "metric", list, [], spot)
    metrics = tuple(_metric(_typed(entry, dict, f"{spot}: metric"), measures, f"{spot}: metric") for entry in entries)
    names = [metric.name for metric in metrics]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled or not metrics:
        found = f"{doubled[0]!r} twice" if doubled else "none"
        raise UsageError(f"protocol {where}: found metric {found}, expected one or more, each with its own name")
    used = {id(metric.measure) for metric in metrics}
    idle = sorted(key for key, measure in measures.items() if id(measure) not in used)
    if idle:
        raise UsageError(f"protocol {where}: measure {idle[0]!r} serves no metric, expected each to serve one")
    return Protocol(name, title, faithful, metrics, sha256)


def _measure(key: str, options: dict[str, Any], where: str) -> Measure:
    kind = options.pop("kind", key)
    if kind not in MEASURES:
        raise UsageError(f"{where}: kind is {kind!r}, expected one of {', '.join(MEASURES)}")
    return Measure(kind, _options(MEASURES[kind], options, where))


def _metric(entry: dict[str, Any], measures: Mapping[str, Measure], where: str) -> Metric:
    name = _take(entry, "name", str, None, where)
    where = f"{where} {name}"
    measure, reduction = _take(entry, "measure", str, None, where), _take(entry, "reduce", str, "mean", where)
    if measure not in measures:
        raise UsageError(f"{where}: measure is {measure!r}, expected one of {', '.join(measures) or 'this file'}")
    if reduction not in REDUCTIONS:
        raise UsageError(f"{where}: reduce is {reduction!r}, expected one of {', '.join(REDUCTIONS)}")
    label, unit = _take(entry, "label", str, name, where), _take(entry, "unit", str, "", where)
    direction = _take(entry, "direction", str, "none", where)
    if direction not in DIRECTIONS:
        raise UsageError(f"{where}: direction is {direction!r}, expected one of {', '.join(DIRECTIONS)}")
    options = _options(REDUCTIONS[reduction], entry, where)
    there = measures[measure].module.arrays(measures[measure].options)
    for field in _ARRAY_FIELDS:
        array = getattr(options, field, "")
        if array and array not in there:
            raise UsageError(f"{where}: {field} is {array!r}, expected one of {', '.join(there)}")
    return Metric(name, label, unit, direction, measures[measure], reduction, options)


def _options(module: str, table: Mapping[str, Any], where: str):
    """The module's Options from a table. errors  UsageError: unknown option, or a value of another type"""
    kind = import_module(module).Options
    defaults = {field.name: field.default for field in dataclasses.fields(kind)}
    _only(table, set(defaults), where)
    values = {name: _typed(value, type(defaults[name]), f"{where}: {name}") for name, value in table.items()}
    try:
        return kind(**values)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None


def _take(table: dict[str, Any], key: str, kind: type, default: Any, where: str) -> Any:
    """Remove and give a value; default None = it must be there."""
    if key not in table and default is None:
        raise UsageError(f"{where}: found no {key!r}, expected it")
    return _typed(table.pop(key, default), kind, f"{where}: {key}")


def _typed(value: Any, kind: type, where: str) -> Any:
    whole = kind is float and isinstance(value, int) and not isinstance(value, bool)
    if not whole and type(value) is not kind:
        raise UsageError(f"{where}: found {value!r}, expected {_WORDS.get(kind, kind.__name__)}")
    return float(value) if whole else value


def _only(table: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise UsageError(f"{where}: found {unknown[0]!r}, expected {', '.join(sorted(known))}")
