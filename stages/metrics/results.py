"""`scores.json`: the numbers of one run, what they were measured on and how."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stages.core.errors import InputError

SCHEMA = "dreamactor.scores/1"


@dataclass(frozen=True)
class Score:
    """One cell of a table.

    protocol, name, label, unit, direction   of the column (stages.metrics.protocol.Metric)
    value       float | None; None = not measured, then `why` says it
    interval    [low, high] of 95% or None; method: how it was made
    n_clips, n_samples, coverage, imputed, extra   as in stages.metrics.interface.Summary
    per_clip    clip name -> value (None = not measured in that clip); None for numbers of the whole set
    signature   every choice from decoding to statistics; equal signatures are comparable
    why         "" or why there is no value, for example "needs a real video, found none"
    """

    protocol: str
    name: str
    label: str
    unit: str
    direction: str
    signature: str
    value: float | None
    interval: tuple[float, float] | None = None
    method: str = ""
    n_clips: int = 0
    n_samples: int = 0
    coverage: float = 1.0
    imputed: float | None = None
    extra: Mapping[str, float] = field(default_factory=dict)
    per_clip: Mapping[str, float | None] | None = None
    why: str = ""


@dataclass(frozen=True)
class Row:
    """One method's line: a run, or one of its floors (then the name says in words how its films were made)."""

    name: str
    scores: tuple[Score, ...]


@dataclass(frozen=True)
class Run:
    """Everything one `dreamactor score` gives.

    name       the method's name in tables; seed: generation seed, runs of one name with several seeds are one method
    test_set   {"sha256": hash over names and frame hashes of the real (or driving) frames: equal = the same test set,
               "clips": int, "frames": int, "decode": str}
    generated  {"sha256": hash over names and frame hashes of the generated frames}
    protocols  name -> {"title", "faithful", "sha256"}
    scores     the run's own numbers; floors: rows made from the real frames
    clips      [{"name", "generated", "real", "reference", "driving", "frames", "fps", "size"}], paths relative to the
               folder of scores.json where possible
    key        hash of everything the file was made from but `env` and `command`
    env        versions, device, threads; command: the words that made it
    reported   True: numbers copied from a publication, never ranked
    """

    name: str
    test_set: Mapping[str, Any]
    generated: Mapping[str, Any]
    protocols: Mapping[str, Any]
    scores: tuple[Score, ...]
    floors: tuple[Row, ...] = ()
    clips: tuple[Mapping[str, Any], ...] = ()
    key: str = ""
    env: Mapping[str, Any] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    seed: int = 0
    reported: bool = False
    path: str = ""


def write_run(run: Run, path: str | os.PathLike[str]) -> None:
    """Write scores.json in one rename; the same run gives the same bytes but for `env` and `command`."""
    values = {"schema": SCHEMA, **asdict(run)}
    del values["path"]
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(plain(values), indent=1, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")
    os.replace(partial, path)


def read_run(path: str | os.PathLike[str]) -> Run:
    """The Run of a scores.json, or of the folder that holds one.

    errors  InputError: missing, not JSON, not of this schema
    """
    path = Path(path)
    path = path / "scores.json" if path.is_dir() else path
    if not path.is_file():
        raise InputError(f"{path}: no such file. Make it with: dreamactor score GENERATED --real REAL -o RUN")
    try:
        values = json.loads(path.read_text("utf-8"))
        if values.pop("schema") != SCHEMA:
            raise ValueError(f"schema is not {SCHEMA}")
        values["scores"] = tuple(_score(entry) for entry in values["scores"])
        values["floors"] = tuple(Row(row["name"], tuple(map(_score, row["scores"]))) for row in values["floors"])
        return Run(**{**values, "clips": tuple(values["clips"]), "command": tuple(values["command"])}, path=str(path))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not a scores file of dreamactor ({error})") from None


def _score(entry: dict[str, Any]) -> Score:
    interval = entry.pop("interval", None)
    return Score(**entry, interval=tuple(interval) if interval else None)


def plain(value: Any) -> Any:
    """The value with NaN as None, for JSON."""
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
