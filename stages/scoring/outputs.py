"""The files of a run: scores.json, clips.csv (every value), manifest.json (every frame's hash), set.json (names)."""

from __future__ import annotations

import csv
import json
import math
import os
import platform
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from stages.core.errors import ConflictError, InputError, ResourceError, UsageError
from stages.metrics.protocol import Protocol
from stages.metrics.results import Run, read_run, write_run
from stages.scoring import FRAMES
from stages.scoring.reduce import Measured, frame_values

MANIFEST = "dreamactor.manifest/1"


def is_made(folder: Path, key: str) -> bool:
    """True when the files of a run with this key are there."""
    if not all((folder / name).is_file() for name in ("scores.json", "clips.csv", "manifest.json")):
        return False
    try:
        return read_run(folder).key == key
    except InputError:
        return False


def write_outputs(run: Run, clips: Sequence[Measured], protocols: Sequence[Protocol], folder: Path) -> str:
    """Write the files, scores.json last; "written" or "replaced"."""
    path = folder / "scores.json"
    replaced = path.is_file()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / "clips.csv", _values_text(run, clips, protocols))
        _replace(folder / "manifest.json", _manifest_text(run, clips))
        write_run(run, path)
    except OSError as error:
        raise ResourceError(f"{folder}: cannot be written ({error.strerror})") from None
    return "replaced" if replaced else "written"


def write_set(folder: Path, names: Sequence[str]) -> None:
    """Write set.json, the names of all clips of the run: a merge knows by it when one is still missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / "set.json", json.dumps({"clips": list(names)}, ensure_ascii=False, indent=1) + "\n")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror})") from None


def merge_paths(names: Sequence[str]) -> list[str]:
    """The clip score bundles of bundles, run folders and folders of bundles.

    errors  InputError: a folder without any, a clip of a run that is in none of the folders. UsageError: no names
    """
    paths, wanted = [], set()
    for name in names:
        folder = Path(name)
        if folder.suffix == ".zarr":
            paths.append(name)
            continue
        within = folder / "clips" if (folder / "clips").is_dir() else folder
        found = sorted(str(path) for path in within.glob("*.zarr")) if within.is_dir() else []
        if not found:
            raise InputError(f"{name}: found no measured clips, expected a run's folder or clip bundles made by score")
        if (folder / "set.json").is_file():
            of_run = set(json.loads((folder / "set.json").read_text("utf-8"))["clips"])
            wanted |= of_run
            found = [path for path in found if Path(path).stem in of_run]
        paths += found
    missing = sorted(wanted - {Path(path).stem for path in paths})
    if missing:
        raise InputError(
            f"--merge: {len(missing)} of {len(wanted)} clips are not measured, the first is {missing[0]!r}"
        )
    if not paths:
        raise UsageError("--merge: found no clips, expected bundles or run folders")
    return paths


def check_before(folder: Path, name: str, seed: int, names: Sequence[str], overwrite: bool) -> None:
    """Nothing when the folder is free or holds a run of the same method and clips.

    errors  ConflictError: it holds another run and not `overwrite`
    """
    path = folder / "scores.json"
    if overwrite or not path.is_file():
        return
    try:
        run = read_run(path)
    except InputError as error:
        raise ConflictError(f"{error}. --overwrite replaces it") from None
    there = (run.name, run.seed, [clip["name"] for clip in run.clips])
    if there != (name, seed, list(names)):
        what = "other clips" if there[:2] == (name, seed) else f"method {run.name!r}, seed {run.seed}"
        raise ConflictError(f"{folder}: holds the scores of {what}. --overwrite replaces them, another -o keeps both")


def environment(device: str) -> dict[str, Any]:
    """Versions, device and threads of the process that made the table."""
    import sys
    from importlib import metadata

    from stages.bundle.keys import run_facts

    facts = {key: value for key, value in run_facts().items() if key != "command"}
    for package in ("scipy", "opencv-python-headless", "pillow", "imageio-ffmpeg"):
        try:
            facts["packages"][package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else None
    return {**facts, "machine": platform.machine(), "device": device, "threads": threads}


def _values_text(run: Run, clips: Sequence[Measured], protocols: Sequence[Protocol]) -> str:
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["clip", "frame", "protocol", "metric", "value"])
    scores = {(score.protocol, score.name): score for score in run.scores}
    for protocol in protocols:
        for metric in protocol.metrics:
            score = scores[protocol.name, metric.name]
            if score.value is None:
                continue
            for name, value in (score.per_clip or {}).items():
                writer.writerow([name, "", protocol.name, metric.name, _number(value)])
            for name, values in frame_values(clips, metric).items():
                spec = metric.measure.module.arrays(metric.measure.options)[metric.options.array]
                mark = "" if spec.axes == ("T",) else f"{spec.axes[0]}:"
                for index, value in enumerate(values.tolist()):
                    writer.writerow([name, f"{mark}{index}", protocol.name, metric.name, _number(value)])
    return out.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else repr(float(value))


def _manifest_text(run: Run, clips: Sequence[Measured]) -> str:
    head = {
        "schema": MANIFEST,
        "test_set": dict(run.test_set),
        "generated": dict(run.generated),
        "columns": ["clip", "frame", "real sha256", "generated sha256"],
    }
    lines = []
    for clip in clips:
        roles = clip.bundle.array_names(FRAMES)
        other = next((role for role in ("real", "driving") if role in roles), None)
        generated = clip.bundle.read(FRAMES, "generated")
        real = None if other is None else clip.bundle.read(FRAMES, other)
        for index, row in enumerate(generated):
            text = "" if real is None else real[index].tobytes().hex()
            lines.append(json.dumps([clip.name, index, text, row.tobytes().hex()], ensure_ascii=False))
    opened = json.dumps(head, ensure_ascii=False, indent=1)[:-2]
    return f'{opened},\n "frames": [\n' + ",\n".join(lines) + "\n ]\n}\n"


def _replace(path: Path, text: str) -> None:
    if path.is_file() and path.read_text("utf-8") == text:
        return
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text, "utf-8")
    os.replace(partial, path)
