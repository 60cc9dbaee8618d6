"""From a name to a verified file on this machine."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stages.core.errors import WeightsError
from stages.weights.given import GIVEN, describe_given, given_path
from stages.weights.package import extract_members, obtain, place
from stages.weights.registry import SOURCES, Source
from stages.weights.tensors import convert, read_tensors, tensors_sha256

if TYPE_CHECKING:
    import numpy as np


def cache_dir() -> Path:
    """$DREAMACTOR_CACHE, or ~/.cache/dreamactor (not made yet)."""
    named = os.environ.get("DREAMACTOR_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "dreamactor"


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file, read in blocks."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def resolve(name: str, *, path: str | Path | None = None) -> Path:
    """The verified local file of a registered network.

    name    key of SOURCES
    path    the user's own copy instead; it must have the registered checksum
    returns path of the file, in the cache unless `path` was given; it is fetched with pip when the cache lacks it.
            Networks with a layout are converted once: then it is the safetensors file of their named arrays
    errors  WeightsError: unknown name, no package to be had, wrong checksum
    """
    if name in GIVEN:
        return given_path(name, path)
    source = _source(name)
    if path is not None:
        return adopt(name, [Path(path)]) if source.layout else _user_file(name, Path(path), source.sha256)
    target = _target(name, source)
    if _is_sound(target, source):
        return target
    with _lock(f"{source.archive.package}-{source.archive.version}"):
        if not _is_sound(target, source):  # another process may have made it while we waited
            _fill_from_package(source)
    if not _is_sound(target, source):
        raise WeightsError(f"{target}: sha256 is not the registered one after extraction. Delete it and run again")
    return target


def load_tensors(name: str) -> dict[str, np.ndarray]:
    """The named float32 arrays of a registered network with a layout, checked; fetched when the cache lacks them.

    errors  WeightsError as `resolve`
    """
    return read_tensors(resolve(name))


def adopt(name: str, paths: Sequence[Path]) -> Path:
    """Put the user's own files of a registered network in the cache, and give the path there.

    paths   one file, or for networks with a layout the files that together hold it (trunk and heads)
    errors  WeightsError: unknown name, missing file, other numbers than the registered ones
    """
    source = _source(name)
    target = _target(name, source)
    for path in paths:
        _user_file(name, path, None)
    try:
        if source.layout:
            convert(paths, source.layout, source.tensors, target)
        elif len(paths) != 1:
            raise WeightsError(f"weights '{name}': found {len(paths)} files, expected one")
        else:
            place(_user_file(name, paths[0], source.sha256).read_bytes(), paths[0].name, target, source.sha256)
    except OSError as error:
        raise _unwritable(error) from error
    return target


def resolve_spec(spec: str, *, sha256: str | None = None, allow_hub: bool = False) -> Path:
    """The local file a user's weights option means.

    spec       a registered name, a path, or `hub:owner/name[@revision]/file` (a model hub, only with allow_hub)
    sha256     expected checksum of a path or hub file; None = not checked
    allow_hub  permission to ask a hub over the network
    errors     WeightsError with the remedy
    """
    if spec in SOURCES:
        return resolve(spec)
    if spec.startswith("hub:"):
        return _from_hub(spec, sha256, allow_hub)
    return _user_file(spec, Path(spec).expanduser(), sha256)


def is_here(name: str) -> bool:
    """True when the cache holds the registered network with the registered checksum; nothing is fetched."""
    if name in GIVEN:
        return describe_given(name)["sha256"] != "absent"
    source = _source(name)
    return _is_sound(_target(name, source), source)


def describe(name: str) -> dict[str, str]:
    """Where a registered network comes from, for records and layer attributes: sha256, licence, package, member.

    The sha256 is that of the tensors where they have a layout, else that of the file.
    """
    if name in GIVEN:
        return describe_given(name)
    source = _source(name)
    return {
        "sha256": source.identity,
        "licence": source.archive.licence,
        "package": source.archive.requirement,
        "member": source.member,
    }


def _source(name: str) -> Source:
    if name not in SOURCES:
        raise WeightsError(f"weights '{name}': not registered, expected one of {', '.join(sorted(SOURCES))}")
    return SOURCES[name]


def _target(name: str, source: Source) -> Path:
    return (
        cache_dir() / "weights" / source.identity[:16] / (f"{name}.safetensors" if source.layout else source.filename)
    )


def _is_sound(target: Path, source: Source) -> bool:
    if not target.is_file():
        return False
    if not source.layout:
        return sha256_of(target) == source.sha256
    try:
        return tensors_sha256(read_tensors(target)) == source.tensors
    except WeightsError:
        return False


def _fill_from_package(wanted: Source) -> None:
    """Fetch the package once and put every registered network of it in the cache."""
    sources = {name: source for name, source in SOURCES.items() if source.archive == wanted.archive}
    root = cache_dir()
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=root) as folder:
            scratch = Path(folder)
            raw = {name: scratch / "raw" / name for name, source in sources.items() if source.layout}
            places = {s.member: (raw.get(n) or _target(n, s), s.sha256) for n, s in sources.items()}
            extract_members(obtain(wanted.archive, scratch), places)
            for name, file in raw.items():
                convert([file], sources[name].layout, sources[name].tensors, _target(name, sources[name]))
    except OSError as error:
        raise _unwritable(error) from error


def _unwritable(error: OSError) -> WeightsError:
    return WeightsError(
        f"{cache_dir()}: cannot fill the weights cache ({error}). Set DREAMACTOR_CACHE to a writable folder"
    )


def _user_file(name: str, path: Path, sha256: str | None) -> Path:
    if not path.is_file():
        raise WeightsError(f"weights '{name}': {path} is not a file. Give an existing file or leave the option away")
    if sha256 is not None and (found := sha256_of(path)) != sha256:
        raise WeightsError(f"weights '{name}': {path} has sha256 {found[:16]}…, expected {sha256[:16]}…")
    return path


def _from_hub(spec: str, sha256: str | None, allow_hub: bool) -> Path:
    if not allow_hub:
        raise WeightsError(f"weights '{spec}': a hub is asked only on request. Add --allow-hub, or give a local file")
    parts = spec.removeprefix("hub:").split("/", 2)
    if len(parts) != 3 or not all(parts):
        raise WeightsError(f"weights '{spec}': expected hub:owner/name[@revision]/file")
    owner, named, member = parts
    repo, _, revision = named.partition("@")
    from huggingface_hub import hf_hub_download

    try:
        file = hf_hub_download(f"{owner}/{repo}", member, revision=revision or None, local_files_only=False)
    except Exception as error:  # the hub client raises many kinds; all mean the same to the user
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(f"weights '{spec}': the hub did not give it ({reason}). Give a local file") from error
    return _user_file(spec, Path(file), sha256)


@contextlib.contextmanager
def _lock(name: str) -> Iterator[None]:
    """One process at a time fetches a package; the lock falls with the process. Renames are atomic even without it."""
    folder = cache_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = open(folder / f".{name}.lock", "w")
    except OSError as error:
        raise WeightsError(
            f"{folder}: cannot write the weights cache ({error}). Set DREAMACTOR_CACHE to a writable folder"
        ) from error
    with file:
        try:
            import fcntl
        except ImportError:  # not a POSIX system: two processes may both fetch, the result is the same
            yield
            return
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
