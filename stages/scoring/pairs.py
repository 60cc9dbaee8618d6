"""Which generated film belongs to which real one."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.core.errors import InputError, UsageError
from stages.scoring.inputs import Named, find_clips, read_table, sorted_once

_FRAME = re.compile(r"(?:frame:(\d+)|(first))")
_ROLES = ("real", "reference", "driving")


@dataclass(frozen=True)
class Pair:
    """One clip to score.

    name       unique
    generated  path;  real, driving  paths, "" = not given
    reference  path of the photo the person was made from, "frame:N" of the real film, or ""
    """

    name: str
    generated: str
    real: str = ""
    reference: str = ""
    driving: str = ""


def make_pairs(generated: Sequence[str], real: str, reference: str, driving: str, pairs: str) -> list[Pair]:
    """The pairs sorted by name. Clips of one name belong together; one clip and one other do so whatever their names.

    generated  as in `find_clips`; must be empty with `pairs`, a CSV with the columns of Pair (paths relative to it)
    reference  also one photo for all, or "frame:N", "first"
    errors     UsageError: both or neither. InputError: a clip without its partner, a partner without its clip, doubles
    """
    if pairs:
        if generated or real or driving or reference:
            raise UsageError("--pairs: found together with other films, expected the table alone to name them")
        return _from_table(Path(pairs))
    if not generated:
        raise UsageError("score: found no films, expected GENERATED... or --pairs")
    clips = find_clips(generated, "generated")
    partners = {"real": _partners(clips, real, "real"), "driving": _partners(clips, driving, "driving")}
    partners["reference"] = _references(clips, reference)
    return [Pair(name, path, **{role: partners[role].get(name, "") for role in _ROLES}) for name, path in clips]


def frame_of(reference: str) -> int:
    """N of "frame:N", 0 of "first", -1 of anything else."""
    match = _FRAME.fullmatch(reference)
    return -1 if match is None else int(match[1] or 0)


def _partners(clips: list[Named], path: str, role: str) -> dict[str, str]:
    if not path:
        return {}
    found = find_clips([path], role)
    if len(clips) == len(found) == 1:
        return {clips[0][0]: found[0][1]}
    wanted, there = dict(clips), dict(found)
    missing, extra = sorted(set(wanted) - set(there)), sorted(set(there) - set(wanted))
    if missing:
        raise InputError(
            f"{path}: {_some(missing, len(clips))} without a partner (--{role}), expected one of the same name for each"
        )
    if extra:
        raise InputError(
            f"{path}: {_some(extra, len(found))} (--{role}) that nothing was generated for. Score the whole set, or "
            "name the part of it with --pairs"
        )
    return there


def _references(clips: list[Named], path: str) -> dict[str, str]:
    if not path:
        return {}
    if frame_of(path) >= 0:
        return {name: f"frame:{frame_of(path)}" for name, _ in clips}
    if not os.path.isdir(path) or path.rstrip("/").endswith(".zarr"):
        if Path(path).suffix.lower() not in (".csv", ".txt", ".jsonl"):
            return {name: path for name, _ in clips}
        return _partners(clips, path, "reference")
    photos = [(entry.stem, str(entry)) for entry in Path(path).iterdir() if not entry.name.startswith(".")]
    there = dict(sorted_once(photos, "reference"))
    missing = sorted({name for name, _ in clips} - set(there))
    if missing:
        raise InputError(f"{path}: {_some(missing, len(clips))} without a photo (--reference) of the same name")
    return {name: there[name] for name, _ in clips}  # one person's photo may serve fewer clips than lie there


def _from_table(file: Path) -> list[Pair]:
    if not file.is_file():
        raise InputError(f"{file}: no such file (--pairs)")
    rows = read_table(file, {"name", "generated"}, {"name", "generated", *_ROLES})
    sorted_once([(row["name"], row["generated"]) for row in rows], "pairs")
    result = []
    for row in sorted(rows, key=lambda row: row["name"]):
        paths = {role: _there(file, row, role) for role in ("generated", *_ROLES)}
        result.append(Pair(row["name"], **paths))
    for role in _ROLES:
        lacking = [pair.name for pair in result if not getattr(pair, role)]
        if lacking and len(lacking) < len(result):
            raise InputError(f"{file}: {_some(lacking, len(result))} without {role}, expected it for all or for none")
    return result


def _there(file: Path, row: dict[str, str], role: str) -> str:
    path = row.get(role, "")
    if role == "reference" and frame_of(path) >= 0:
        return f"frame:{frame_of(path)}"
    if not path and role != "generated":
        return ""
    there = path if os.path.isabs(path) else os.path.join(file.parent, path)
    if not path or not os.path.exists(there):
        raise InputError(f"{file}: clip {row['name']}: {role} is {path!r}, which is not there")
    return there


def _some(names: list[str], total: int) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"clip {names[0]!r}{more} of {total}"
