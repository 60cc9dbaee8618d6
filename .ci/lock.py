"""Writes constraints.txt and constraints-dev.txt from pyproject.toml: every package pinned, with the checksums of the
wheels for Linux (x86-64, ARM) and macOS (ARM) and Python 3.11 to 3.13. Torch is left out: its build depends on the
machine. Run it with Python 3.11 and a recent pip:  python .ci/lock.py

rtmlib and the other packages are installed without asking for their dependencies, because rtmlib wants three builds of
OpenCV that overwrite each other; what it really needs is listed in EXTRA.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ("3.11", "3.12", "3.13")
# of rtmlib: onnxruntime, tqdm; of torch: the rest. zarr 3.1.6 is the last for Python 3.11
EXTRA = ("onnxruntime", "tqdm", "sympy", "networkx", "jinja2", "fsspec", "filelock", "typing_extensions", "setuptools")
PINNED_BY_HAND = {"zarr": "zarr==3.1.6", "imageio-ffmpeg": "imageio-ffmpeg==0.8.1"}
WITHOUT_DEPENDENCIES = ("rtmlib", "decord2")
ONLY_ON = {
    "decord": "platform_system == 'Linux' and platform_machine == 'x86_64'",
    "decord2": "platform_system != 'Linux' or platform_machine != 'x86_64'",
}


def linux(machine: str) -> list[str]:
    """Platform tags of wheels for glibc Linux, newest first."""
    tags = [f"manylinux_2_{minor}_{machine}" for minor in (28, 27, 24, 17)] + [f"manylinux2014_{machine}"]
    return tags + (["manylinux2010_x86_64", "manylinux1_x86_64"] if machine == "x86_64" else [])


PLATFORMS = {
    "linux-x86_64": linux("x86_64"),
    "linux-aarch64": linux("aarch64"),
    "macos-arm64": [f"macosx_{major}_0_{kind}" for major in (15, 14, 13, 12, 11) for kind in ("arm64", "universal2")],
}


def pip_report(*arguments: str) -> list[dict]:
    """What pip would install, as the "install" part of its report. errors  RuntimeError with pip's last line"""
    words = [sys.executable, "-m", "pip", "-q", "install", "--dry-run", "--ignore-installed", "--report", "-"]
    done = subprocess.run([*words, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout)["install"]


def normal(name: str) -> str:
    """The one spelling of a package's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement_name(text: str) -> str:
    return normal(re.match(r"[A-Za-z0-9._-]+", text)[0])


def resolve(requirements: list[str]) -> dict[str, str]:
    """name -> version of the requirements and all their dependencies."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(requirements))
        file.flush()
        report = pip_report("-r", file.name)
    return {normal(item["metadata"]["name"]): item["metadata"]["version"] for item in report}


def wheel_hashes(pins: dict[str, str]) -> dict[str, set[str]]:
    """name -> sha256 of its wheels for every platform and Python; a package without a wheel there is left out."""
    found: dict[str, set[str]] = defaultdict(set)
    for platform, tags in PLATFORMS.items():
        for python in PYTHONS:
            wanted = dict(pins)
            options = ["--no-deps", "--only-binary=:all:", "--python-version", python, "--target", "unused"]
            options += [word for tag in tags for word in ("--platform", tag)]
            while True:
                try:
                    report = pip_report(*options, *(f"{name}=={version}" for name, version in wanted.items()))
                    break
                except RuntimeError as error:
                    missing = re.search(r"No matching distribution found for ([\w.-]+)", str(error))
                    if missing is None or requirement_name(missing[1]) not in wanted:
                        raise
                    wanted.pop(requirement_name(missing[1]))
            for item in report:
                digest = item["download_info"]["archive_info"]["hashes"]["sha256"]
                found[normal(item["metadata"]["name"])].add(digest)
            left_out = sorted(set(pins) - set(wanted))
            print(f"{platform} {python}: {len(report)} wheels{', none of ' if left_out else ''}{', '.join(left_out)}")
    return found


def write(path: Path, title: str, pins: dict[str, str], hashes: dict[str, set[str]]) -> None:
    """One entry per package with all its checksums, sorted by name."""
    lines = [f"# {title}", "# Made by .ci/lock.py. Install with: pip install --no-deps --require-hashes -r FILE"]
    for name in sorted(pins):
        marker = f" ; {ONLY_ON[name]}" if name in ONLY_ON else ""
        entry = [f"{name}=={pins[name]}{marker}", *(f"    --hash=sha256:{digest}" for digest in sorted(hashes[name]))]
        lines.append(" \\\n".join(entry))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Resolve, collect the checksums, write both files."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {requirement_name(text): text for text in project["dependencies"]}
    for name in ("torch", *WITHOUT_DEPENDENCIES):
        names.pop(name, None)
    main_requirements = [*(names | PINNED_BY_HAND).values(), *EXTRA]
    pins = resolve([requirement.partition(";")[0] for requirement in main_requirements])
    for name in WITHOUT_DEPENDENCIES:
        pins[name] = pip_report("--no-deps", name)[0]["metadata"]["version"]
    exact = [f"{name}=={version}" for name, version in pins.items() if name not in WITHOUT_DEPENDENCIES]
    dev_pins = resolve([*exact, *project["optional-dependencies"]["dev"]])
    dev_pins = {name: version for name, version in dev_pins.items() if name not in pins}
    hashes = wheel_hashes(pins | dev_pins)
    write(ROOT / "constraints.txt", "Everything dreamactor runs with, but torch.", pins, hashes)
    write(ROOT / "constraints-dev.txt", "What the tests need besides constraints.txt.", dev_pins, hashes)


if __name__ == "__main__":
    main()
