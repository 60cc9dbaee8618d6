"""From what a user names - films, folders, lists, bundles, records - to clips with names."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from stages.core.errors import InputError
from stages.core.records import Record
from stages.media.exact import PICTURES, natural_key

FILMS = frozenset(".mp4 .mov .mkv .webm .avi .m4v .gif .mpg .mpeg .ts .flv .wmv .y4m .ogv .npy".split())
LISTS = frozenset({".txt", ".csv", ".jsonl"})

Named = tuple[str, str]  # name of the clip, path


def find_clips(paths: Sequence[str], role: str) -> list[Named]:
    """(name, path) of every clip, sorted by name.

    paths   a film, an array (.npy), a bundle (.zarr), a picture; a folder of those or of folders of numbered pictures;
            a folder of numbered pictures (one clip); a list: .txt (one path a line), .csv (columns name,path or path),
            .jsonl (records); paths in a list are relative to it
    role    "generated", "real", ... for errors
    A clip's name is its file's or folder's name without suffix: talk.mp4, talk.zarr, talk.npy and talk/ are all "talk".
    errors  InputError: not there, empty, films and loose pictures in one folder, two clips of one name
    """
    found: list[Named] = []
    for path in paths:
        found += _expand(path, role)
    return sorted_once(found, role)


def sorted_once(found: list[Named], role: str) -> list[Named]:
    """The clips sorted by name. errors  InputError: two of one name, a name that cannot be a file's"""
    by_name: dict[str, str] = {}
    for name, path in found:
        if not name or name.startswith(".") or "/" in name or "\0" in name:
            raise InputError(f"{path}: clip name {name!r}, expected one that can be a file's name. Rename it")
        if name in by_name:
            raise InputError(f"--{role}: two clips are named {name!r} ({by_name[name]} and {path}). Rename one of them")
        by_name[name] = path
    return sorted(by_name.items())


def _expand(path: str, role: str) -> Iterator[Named]:
    file = Path(path)
    suffix = file.suffix.lower()
    if not os.path.lexists(path):
        raise InputError(
            f"{path}: no such file or folder (--{role})" if role != "generated" else f"{path}: no such file"
        )
    if suffix == ".zarr" or file.is_file() and suffix not in LISTS:
        yield file.stem, path
    elif file.is_file():
        yield from _read_list(file)
    else:
        yield from _expand_folder(file, path)


def _expand_folder(folder: Path, shown: str) -> Iterator[Named]:
    entries = sorted((e for e in folder.iterdir() if not e.name.startswith(".")), key=lambda e: natural_key(e.name))
    films = [e for e in entries if e.suffix.lower() in FILMS and e.is_file() or e.suffix == ".zarr" and e.is_dir()]
    folders = [e for e in entries if e.is_dir() and e.suffix != ".zarr"]
    stems = {film.stem for film in films}
    pictures = [e for e in entries if e.is_file() and e.suffix.lower() in PICTURES and e.stem not in stems]
    if pictures and (films or folders):
        what = "films" if films else "folders"
        raise InputError(f"{shown}: found {what} and loose pictures ({pictures[0].name}), expected one kind")
    if pictures:
        yield folder.resolve().name, shown
        return
    for film in films:
        yield film.stem, os.path.join(shown, film.name)
    for sub in folders:
        if not any(e.suffix.lower() in PICTURES for e in sub.iterdir()):
            raise InputError(f"{sub}: found no pictures, expected a folder of numbered ones (inside {shown})")
        yield sub.name, os.path.join(shown, sub.name)
    if not films and not folders:
        raise InputError(f"{shown}: found no films, pictures or bundles in it")


def _read_list(file: Path) -> Iterator[Named]:
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: not readable as text ({error})") from None
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputError(f"{file}: the list is empty")
    if file.suffix.lower() == ".jsonl":
        records = [Record.from_json(line) for line in lines]
        failed = next((record for record in records if record.status == "failed"), None)
        if failed is not None:
            raise InputError(f"{file}: {failed.path} failed before, in {failed.stage}: {failed.error}")
        rows = [("", record.path) for record in records]
    elif file.suffix.lower() == ".csv":
        rows = [(row.get("name", ""), row["path"]) for row in read_table(file, {"path"}, {"name", "path"})]
    else:
        rows = [("", line.strip()) for line in lines]
    for name, path in rows:
        there = path if os.path.isabs(path) else os.path.join(file.parent, path)
        if not os.path.lexists(there):
            raise InputError(f"{file}: names {path}, which is not there")
        yield name or Path(path).stem, there


def read_table(file: Path, needed: set[str], known: set[str]) -> list[dict[str, str]]:
    """Rows of a CSV with a header. errors  InputError: a missing or unknown column, no rows, a row that is too long"""
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            rows = list(reader)
            columns = set(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file}: not readable as CSV ({error})") from None
    if not needed <= columns <= known:
        raise InputError(f"{file}: found columns {', '.join(sorted(columns))}, expected {', '.join(sorted(known))}")
    if not rows or any(None in row or None in row.values() for row in rows):
        raise InputError(f"{file}: found {'no rows' if not rows else 'rows of several lengths'}, expected full ones")
    return [{name: value.strip() for name, value in row.items()} for row in rows]
