"""What a stage says before it works (Plan) and after (Record). Records are the lines of `--json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from stages.core.errors import InputError

STATUSES = ("written", "replaced", "skipped", "failed")


@dataclass(frozen=True)
class Plan:
    """What `run` would do. A blocked plan is not a Plan: it raises ConflictError.

    action  "write" nothing there yet, "skip" the same result is there, "replace" another result is there and may go
    key     sha256 hex of everything that decides the bytes
    output  path of the bundle or file
    inputs  name -> key of every input layer or file
    """

    action: Literal["write", "skip", "replace"]
    key: str
    output: str
    inputs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """The result of one stage on one item.

    stage    name of the stage, for example "extract-pose"
    path     finished bundle or file; for a failed item the input's path
    status   one of STATUSES
    key      key of what was made; empty for a failed item
    seconds  wall clock
    error    one line; empty unless failed
    exit     the exit code this item alone would give (0 unless failed)
    data     free JSON values a stage wants to report
    """

    stage: str
    path: str
    status: Literal["written", "replaced", "skipped", "failed"]
    key: str = ""
    seconds: float = 0.0
    error: str = ""
    exit: int = 0
    data: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"Record.status: found {self.status!r}, expected one of {STATUSES}")

    def to_json(self) -> str:
        """One line of JSON with every field, keys in the order of the class."""
        return json.dumps({f.name: getattr(self, f.name) for f in fields(self)}, ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> Record:
        """The record written by `to_json`; unknown fields are dropped, so newer writers stay readable.

        errors  InputError when the line is not a record
        """
        try:
            values = json.loads(line)
        except ValueError as error:
            raise InputError(f"record: found {line[:60]!r}, expected one JSON object per line ({error})") from None
        if not isinstance(values, Mapping):
            raise InputError(f"record: found a JSON {type(values).__name__}, expected an object")
        known = {f.name for f in fields(cls)}
        missing = [name for name in ("stage", "path", "status") if not isinstance(values.get(name), str)]
        if missing or values["status"] not in STATUSES:
            raise InputError(f"record: found {line[:60]!r}, expected text fields stage, path and a known status")
        return cls(**{name: value for name, value in values.items() if name in known})
