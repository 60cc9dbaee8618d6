"""The map: one clip through all measurements that are still missing, in one pass over its frames."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from stages.bundle import ArraySpec, LayerWriter, layer_key, make_provenance, open_bundle, plan_layer
from stages.core.errors import ConflictError, InputError, WeightsError
from stages.media.exact import DECODE
from stages.metrics.protocol import Measure
from stages.scoring import FRAMES, STAGE, VERSION
from stages.scoring.clips import Clip, check_clip, clip_facts, lacking, open_clip, picture_sha256
from stages.scoring.floors import floor_clip
from stages.scoring.one_pass import Progress, assert_exact, one_pass
from stages.scoring.pairs import Pair, frame_of
from stages.scoring.real_side import check_frames, known_arrays
from stages.scoring.source import digest, stamp

ROLES = ("generated", "real", "driving", "reference")


@dataclass(frozen=True)
class Task:
    """What is to be done for one clip.

    pair       the clip;  bundle  where its arrays go;  floor  "" or the kind of row made from the real film
    fps        of pictures and arrays; None = not given
    device     torch device
    overwrite  replace what was measured on other films or with other settings
    absent     layer -> why, measurements whose network cannot be had
    real_from  bundle measured before on the same real film, whose numbers of it are taken over; "" = none
    """

    pair: Pair
    bundle: str
    floor: str = ""
    fps: Fraction | None = None
    device: str = "cpu"
    overwrite: bool = False
    absent: Mapping[str, str] = field(default_factory=dict)
    real_from: str = ""


def missing_layers(task: Task, measures: Sequence[Measure]) -> list[str]:
    """Layers that have to be written, `frames` first; [] = all is there. Reads metadata and, where the times of the
    source files have changed, the files.

    errors  ConflictError: the bundle was made of other films or settings and not `overwrite`. InputError: damaged
    """
    if not os.path.exists(task.bundle):
        return [FRAMES, *(measure.layer for measure in measures)]
    key, _ = _frames_key(task)
    if _plan(task, FRAMES, key) != "skip":
        return [FRAMES, *(measure.layer for measure in measures)]
    attrs = open_bundle(task.bundle).attrs(FRAMES)
    there = {role: role in attrs["roots"] for role in ("real", "reference", "driving")}
    return [measure.layer for measure in measures if _is_missing(task, measure, attrs, there)]


def _is_missing(task: Task, measure: Measure, attrs: Mapping[str, Any], there: dict[str, bool]) -> bool:
    if lacking(measure, there):
        return False
    if _plan(task, measure.layer, measure_key(measure, attrs)) != "skip":
        return True
    why = open_bundle(task.bundle).attrs(measure.layer).get("why", "")
    return bool(why) and measure.layer not in task.absent  # it could not be measured then, it can now


def prepare(task: Task, measures: Sequence[Measure]) -> Clip:
    """The opened clip, checked against the measurements. errors  InputError"""
    if not task.floor:
        clip = open_clip(task.pair, task.fps)
    elif not task.pair.real:
        raise InputError(f"clip {task.pair.name}: floors are made from the real film, found none. Give --real")
    else:  # the film a floor is made from stands for what a method would have made, with its sound
        clip = floor_clip(open_clip(replace(task.pair, generated=task.pair.real), task.fps), task.floor)
    check_clip(clip, [measure for measure in measures if measure.layer not in task.absent])
    return clip


def measure_clip(task: Task, measures: Sequence[Measure], progress: Progress | None = None) -> tuple[str, float]:
    """("written", "replaced" or "skipped", seconds) after measuring what is missing.

    progress  called with (frames done, frames, name)
    errors    those of `missing_layers` and `prepare`; InputError: the film cannot be decoded to its end
    """
    started = time.monotonic()
    missing = missing_layers(task, measures)
    if not missing:
        return "skipped", time.monotonic() - started
    clip = prepare(task, measures)
    wanted = [m for m in measures if m.layer in missing and m.layer not in task.absent and not clip.lacks(m)]
    assert_exact(task.device)
    key, sources = _frames_key(task)
    context = clip.context(task.device)
    known = {m.layer: known_arrays(task.real_from, m, sources, weights_of(m)) for m in wanted}
    collectors = {m.layer: m.module.collector(m.options, replace(context, known=known[m.layer])) for m in wanted}
    hashes = one_pass(clip, collectors, progress)
    roots = {role: _root(values) for role, values in hashes.items()}
    if any(known.values()):
        check_frames(task.real_from, roots["real"])
    if context.reference_u8 is not None:
        roots["reference"] = picture_sha256(context.reference_u8)
    attrs = {**clip_facts(clip), "decode": DECODE, "version": VERSION, "roots": roots, "sources": sources}
    statuses = {_write_frames(task, key, attrs, hashes)}
    for measure in measures:
        if measure.layer in missing and not clip.lacks(measure):
            arrays = collectors[measure.layer].finish() if measure.layer in collectors else None
            statuses.add(_write_measure(task, measure, attrs, arrays))
    status = "replaced" if "replaced" in statuses else "written"
    return status, time.monotonic() - started


def measure_key(measure: Measure, attrs: Mapping[str, Any]) -> str:
    """The key of a measurement: its choices, the frames and files it was made of, its networks."""
    files = {f"{role}_file": source["sha256"] for role, source in attrs["sources"].items()}
    frames = {f"{role}_frames": root for role, root in attrs["roots"].items()}
    return layer_key(STAGE, VERSION, _measure_params(measure, attrs), files | frames, weights_of(measure))


def weights_of(measure: Measure) -> dict[str, str]:
    """Registered network name -> sha256."""
    from stages.weights import describe

    return {name: describe(name)["sha256"] for name in measure.module.weights(measure.options)}


def _root(hashes: np.ndarray) -> str:
    return hashlib.sha256(hashes.tobytes()).hexdigest()


def _frames_key(task: Task) -> tuple[str, dict[str, Any]]:
    """(key, role -> {path, sha256, stamp}) of the `frames` layer."""
    sources = _identify(task)
    return layer_key(STAGE, VERSION, _frames_params(task), {r: s["sha256"] for r, s in sources.items()}), sources


def _frames_params(task: Task) -> dict[str, Any]:
    return {
        "decode": DECODE,
        "fps": task.fps,
        "reference_frame": frame_of(task.pair.reference),
        "floor": task.floor,
    }


def _identify(task: Task) -> dict[str, Any]:
    """Role -> {path, sha256, stamp}; a file whose size and time are as they were is not read again."""
    known: dict[str, Any] = {}
    if (Path(task.bundle) / FRAMES).is_dir():
        try:
            known = open_bundle(task.bundle).attrs(FRAMES)["sources"]
        except (InputError, KeyError, TypeError):
            known = {}  # damaged: planning the layer says so
    sources = {}
    for role in ROLES:
        path = getattr(task.pair, role)
        if not path or frame_of(path) >= 0 or (task.floor and role == "generated"):
            continue
        path, now = os.path.abspath(path), stamp(path)
        before = known.get(role, {})
        same = before.get("path") == path and before.get("stamp") == now
        sources[role] = {"path": path, "sha256": before["sha256"] if same else digest(path), "stamp": now}
    return sources


def _plan(task: Task, layer: str, key: str) -> str:
    try:
        return plan_layer(task.bundle, layer, key, overwrite=task.overwrite).action
    except ConflictError:
        what = "other films, or another rate or reference" if layer == FRAMES else "other networks"
        raise ConflictError(
            f"{task.bundle}: was measured on {what}. --overwrite measures again, another -o keeps both"
        ) from None


def _write_frames(task: Task, key: str, attrs: dict[str, Any], hashes: Mapping[str, np.ndarray]) -> str:
    if os.path.exists(task.bundle) and _plan(task, FRAMES, key) == "skip":
        before = open_bundle(task.bundle).attrs(FRAMES)["roots"]
        if before != attrs["roots"]:
            raise InputError(
                f"{task.bundle}: the same files decode to other frames than before (another ffmpeg?). Use another -o, "
                "or --overwrite measures all again with this one"
            )
        return "skipped"
    inputs = {role: source["sha256"] for role, source in attrs["sources"].items()}
    provenance = make_provenance(STAGE, VERSION, _frames_params(task), inputs, item=task.pair.name)
    with LayerWriter(
        task.bundle, FRAMES, key=key, attrs=attrs, provenance=provenance, overwrite=task.overwrite
    ) as writer:
        for role, values in hashes.items():
            meaning = f"sha256 of the RGB bytes of each {role} frame"
            writer.put(role, values, ArraySpec("uint8", ("T", "byte"), meaning=meaning))
        return writer.commit()


def _write_measure(task: Task, measure: Measure, attrs: Mapping[str, Any], arrays: Mapping[str, Any] | None) -> str:
    """Write one measurement; arrays None = its network cannot be had, then the layer says why."""
    key = measure_key(measure, attrs)
    inputs = {f"{role}_frames": root for role, root in attrs["roots"].items()}
    facts = {"measure": measure.signature, "decode": DECODE, "version": VERSION, "weights": weights_of(measure)}
    if arrays is None:
        facts["why"] = task.absent[measure.layer]
    provenance = make_provenance(
        STAGE, VERSION, _measure_params(measure, attrs), inputs, facts["weights"], item=task.pair.name
    )
    specs = measure.module.arrays(measure.options)
    overwrite = task.overwrite or _only_says_why(task.bundle, measure.layer)
    with LayerWriter(
        task.bundle, measure.layer, key=key, attrs=facts, provenance=provenance, overwrite=overwrite
    ) as writer:
        for name, array in (arrays or {}).items():
            if np.asarray(array).dtype != np.dtype(specs[name].dtype):
                raise TypeError(f"{measure.kind}/{name}: {np.asarray(array).dtype}, expected {specs[name].dtype}")
            writer.put(name, array, specs[name])
        return writer.commit()


def _measure_params(measure: Measure, attrs: Mapping[str, Any]) -> dict[str, Any]:
    return {"measure": measure.signature, "fps": attrs["fps"], "reference_frame": attrs["reference_frame"]}


def _only_says_why(path: str, layer: str) -> bool:
    bundle = open_bundle(path)
    return bundle.has(layer) and bool(bundle.attrs(layer).get("why"))


def absent_networks(measures: Sequence[Measure]) -> dict[str, str]:
    """Layer -> why of optional measurements whose network cannot be had; fetches what can be fetched.

    errors  WeightsError: a network that is not optional cannot be had
    """
    from stages.weights import resolve

    absent = {}
    for measure in measures:
        for name in measure.module.weights(measure.options):
            try:
                resolve(name)
            except WeightsError as error:
                if not getattr(measure.module, "OPTIONAL", False):
                    raise
                absent[measure.layer] = str(error)
    return absent
