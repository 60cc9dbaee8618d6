"""Networks that no package carries: the user names the file, and its checksum goes into every record."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from stages.core.errors import WeightsError


@dataclass(frozen=True)
class Given:
    """A network file only the user can have.

    variable  environment variable that holds its path
    licence   SPDX identifier stated by its authors
    note      what it is and who gives it out
    """

    variable: str
    licence: str
    note: str


GIVEN: dict[str, Given] = {
    "syncnet_v2": Given("DREAMACTOR_SYNCNET", "MIT", "your syncnet_v2.model of joonson/syncnet_python"),
}


def given_path(name: str, path: str | Path | None = None) -> Path:
    """The user's file of a network of GIVEN. errors  WeightsError: none was named, or there is none"""
    given = GIVEN[name]
    named = str(path or os.environ.get(given.variable, ""))
    if not named:
        raise WeightsError(
            f"{name}: weights not at hand, no package carries them. Set {given.variable} to {given.note}"
        )
    if not Path(named).expanduser().is_file():
        raise WeightsError(f"{name}: {named} is not a file. Set {given.variable} to {given.note}")
    return Path(named).expanduser()


def describe_given(name: str) -> dict[str, str]:
    """As stages.weights.describe; the sha256 is "absent" while the file is not at hand."""
    try:
        path = given_path(name)
        stamp = path.stat()
        digest = _digest(str(path), stamp.st_mtime_ns, stamp.st_size)
    except (WeightsError, OSError):
        path, digest = Path(""), "absent"
    return {"sha256": digest, "licence": GIVEN[name].licence, "package": "given by the user", "member": path.name}


@lru_cache(maxsize=8)
def _digest(path: str, _modified_ns: int, _size: int) -> str:
    """sha256 of a file, read again only when it has changed."""
    from stages.weights.checkpoint import file_sha256

    return file_sha256(path)
