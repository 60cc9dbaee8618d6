"""The reduce: arrays of all clips to the numbers of one run, whoever measured the clips, and where."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stages.bundle import Bundle, open_bundle
from stages.core.errors import InputError
from stages.media.exact import DECODE
from stages.metrics.interface import ClipArrays, Summary
from stages.metrics.protocol import Measure, Metric, Protocol
from stages.metrics.results import Row, Run, Score
from stages.scoring import FRAMES, VERSION
from stages.scoring.clips import lacking
from stages.scoring.floors import HALVES
from stages.scoring.measure import ROLES, measure_key

Summarise = Callable[[Any, Sequence[ClipArrays]], Summary]


@dataclass(frozen=True)
class Measured:
    """One measured clip.

    name    str;  bundle  Bundle;  facts  attributes of its `frames` layer
    """

    name: str
    bundle: Bundle
    facts: Mapping[str, Any]

    def has(self, role: str) -> bool:
        """True when a film or picture of that role took part."""
        return role in self.facts["roots"]


def open_measured(paths: Sequence[str]) -> list[Measured]:
    """The measured clips, sorted by name.

    errors  InputError: not a clip score bundle, doubled names, clips decoded or measured in different ways
    """
    clips: dict[str, Measured] = {}
    for path in paths:
        bundle = open_bundle(path)
        if not bundle.has(FRAMES):
            raise InputError(f"{path}: layer '{FRAMES}' is missing, expected a clip measured by dreamactor score")
        facts = bundle.attrs(FRAMES)
        if facts.get("decode") != DECODE or facts.get("version") != VERSION:
            raise InputError(
                f"{path}: was measured by another version (decode {facts.get('decode')!r}), expected {DECODE!r}. "
                "Measure it again"
            )
        name = facts["name"]
        if name in clips:
            raise InputError(f"clip {name!r} is there twice ({clips[name].bundle.path} and {path}), expected it once")
        clips[name] = Measured(name, bundle, facts)
    result = [clips[name] for name in sorted(clips)]
    for role in ROLES:
        having = [clip.name for clip in result if role in clip.facts["roots"]]
        if having and len(having) < len(result):
            lacks = next(clip.name for clip in result if clip.name not in having)
            raise InputError(
                f"clip {lacks!r} was measured without {role}, clip {having[0]!r} with it; expected one way"
            )
    return result


def score_clips(clips: Sequence[Measured], protocols: Sequence[Protocol]) -> tuple[Score, ...]:
    """Every number of the protocols over the clips. errors  InputError: a clip lacks a measurement the others have"""
    return _each(clips, protocols, lambda metric: metric.module.summarise)


def halves(clips: Sequence[Measured], protocols: Sequence[Protocol]) -> tuple[Score, ...]:
    """Distances between two halves of the real films, for the reductions that are distances of sets."""
    return _each(clips, protocols, lambda metric: getattr(metric.module, "halves_of_real", None))


def _each(
    clips: Sequence[Measured], protocols: Sequence[Protocol], reduction: Callable[[Metric], Summarise | None]
) -> tuple[Score, ...]:
    """The scores in the protocols' order, computed measurement by measurement: one's arrays are in memory at a time."""
    columns = [(protocol, metric) for protocol in protocols for metric in protocol.metrics if reduction(metric)]
    scores: dict[tuple[str, str], Score] = {}
    for layer in dict.fromkeys(metric.measure.layer for _, metric in columns):
        sharing = [(protocol, metric) for protocol, metric in columns if metric.measure.layer == layer]
        arrays, why = _read(clips, sharing[0][1].measure)
        for protocol, metric in sharing:
            scores[protocol.name, metric.name] = _score(protocol, metric, reduction(metric), arrays, why)
    return tuple(scores[protocol.name, metric.name] for protocol, metric in columns)


def _read(clips: Sequence[Measured], measure: Measure) -> tuple[list[ClipArrays], str]:
    """(arrays of each clip, "") or ([], why there are none)."""
    there = {role: clips[0].has(role) for role in ("real", "reference", "driving")}
    if why := lacking(measure, there):
        return [], why
    found, whys = [], {}
    for clip in clips:
        if not clip.bundle.has(measure.layer):
            raise InputError(
                f"{clip.bundle.path}: {measure.kind} is not measured ({measure.signature}). Measure it with the same "
                "--protocol first"
            )
        attrs = clip.bundle.attrs(measure.layer)
        if clip.bundle.key(measure.layer) != measure_key(measure, clip.facts):
            raise InputError(
                f"{clip.bundle.path}: {measure.kind} was measured on other frames, with other networks or by another "
                "version. Measure it again with --overwrite"
            )
        if attrs.get("why"):
            whys[clip.name] = attrs["why"]
            continue
        arrays = {name: clip.bundle.read(measure.layer, name) for name in clip.bundle.array_names(measure.layer)}
        found.append(ClipArrays(clip.name, clip.facts["reference_frame"], arrays))
    if whys and found:
        raise InputError(
            f"{measure.kind}: measured for clip {found[0].name!r}, not for {next(iter(whys))!r} "
            f"({next(iter(whys.values()))}). Run the same command again where the network can be had"
        )
    return found, next(iter(whys.values()), "")


def _score(protocol: Protocol, metric: Metric, reduction: Summarise, arrays: Sequence[ClipArrays], why: str) -> Score:
    summary: Summary | None = None
    if arrays:
        try:
            summary = reduction(metric.options, arrays)
        except InputError as error:
            why = str(error)
    common: dict[str, Any] = {
        "protocol": protocol.name,
        "name": metric.name,
        "label": metric.label,
        "unit": metric.unit,
        "direction": metric.direction,
        "signature": f"decode:{DECODE}|{metric.signature}",
    }
    if summary is None:
        return Score(**common, value=None, coverage=0.0, why=why)
    value = None if math.isnan(summary.value) else float(summary.value)
    per_clip = None
    if summary.per_clip is not None:
        named = zip(arrays, summary.per_clip, strict=True)
        per_clip = {clip.name: None if math.isnan(number) else float(number) for clip, number in named}
    interval = summary.interval
    return Score(
        **common,
        value=value,
        interval=None if interval is None else (float(interval[0]), float(interval[1])),
        method=summary.method,
        n_clips=int(summary.n_clips),
        n_samples=int(summary.n_samples),
        coverage=float(summary.coverage),
        imputed=None if summary.imputed is None else float(summary.imputed),
        extra={name: float(number) for name, number in summary.extra.items()},
        per_clip=per_clip,
        why="" if value is not None else _why_nothing(summary),
    )


def _why_nothing(summary: Summary) -> str:
    return summary.method if summary.method.startswith("needs ") else "nothing could be measured in any clip"


@dataclass(frozen=True)
class RunPlan:
    """What a run is made from.

    clips     measured clips
    floors    kind -> clips of that row, of the same names and real frames; "halves" has none of its own
    name, seed of the method;  folder  of scores.json, which paths are relative to
    """

    clips: Sequence[Measured]
    floors: Mapping[str, Sequence[Measured]]
    protocols: Sequence[Protocol]
    name: str
    seed: int
    folder: str

    def key(self) -> str:
        """Hash of everything that decides scores.json; reads metadata only."""
        from stages.bundle.keys import digest_of

        measures = {m.layer: m for protocol in self.protocols for m in protocol.measures}.values()
        metrics = {p.name: [p.sha256, *(metric.signature for metric in p.metrics)] for p in self.protocols}
        parts = {"": self.clips, **self.floors}
        layers = {kind: [_layer_keys(clip, measures) for clip in clips] for kind, clips in parts.items()}
        entries = [_clip_entry(clip, self.folder) for clip in self.clips]
        return digest_of([VERSION, self.name, self.seed, metrics, layers, entries])


def _layer_keys(clip: Measured, measures: Iterable[Measure]) -> list[list[str]]:
    there = [FRAMES, *(measure.layer for measure in measures if clip.bundle.has(measure.layer))]
    return [[layer, clip.bundle.key(layer), clip.bundle.attrs(layer).get("why", "")] for layer in there]


def make_run(plan: RunPlan, *, env: Mapping[str, Any], command: Sequence[str]) -> Run:
    """The Run over the clips. errors  InputError: clips that do not fit together, or are not measured"""
    clips, rows = plan.clips, []
    for kind, measured in plan.floors.items():
        if kind == "halves":
            rows.append(Row(HALVES, halves(clips, plan.protocols)))
            continue
        _insist_same_set(kind, clips, measured)
        made = " / ".join(sorted({clip.facts["made"] for clip in measured}))
        rows.append(Row(made, score_clips(measured, plan.protocols)))
    return Run(
        name=plan.name,
        seed=plan.seed,
        key=plan.key(),
        test_set={
            "sha256": set_sha256(clips),
            "clips": len(clips),
            "frames": sum(clip.facts["frames"] for clip in clips),
            "decode": DECODE,
        },
        generated={"sha256": _hash_lines([f"{clip.name} {clip.facts['roots']['generated']}" for clip in clips])},
        protocols={p.name: {"title": p.title, "faithful": p.faithful, "sha256": p.sha256} for p in plan.protocols},
        scores=score_clips(clips, plan.protocols),
        floors=tuple(rows),
        clips=tuple(_clip_entry(clip, plan.folder) for clip in clips),
        env=env,
        command=tuple(command),
    )


def set_sha256(clips: Sequence[Measured]) -> str:
    """What a method is given: names, real and driving frames, references. Equal = the same test set."""
    lines = []
    for clip in clips:
        roots = {role: root for role, root in clip.facts["roots"].items() if role != "generated"}
        given = " ".join(f"{role}:{root}" for role, root in sorted(roots.items()))
        lines.append(f"{clip.name} {clip.facts['frames']} {clip.facts['reference_frame']} {given}")
    return _hash_lines(lines)


def _insist_same_set(kind: str, clips: Sequence[Measured], floor: Sequence[Measured]) -> None:
    ours, theirs = ({clip.name: clip.facts["roots"].get("real") for clip in part} for part in (clips, floor))
    if ours != theirs:
        name = next(n for n in sorted(set(ours) | set(theirs)) if ours.get(n) != theirs.get(n))
        raise InputError(
            f"--floors {kind}: clip {name!r} was made from another real film than is scored. Measure it again"
        )


def _clip_entry(clip: Measured, folder: str) -> dict[str, Any]:
    facts = clip.facts
    sources = facts["sources"]
    paths = {role: _relative(sources[role]["path"], folder) if role in sources else "" for role in ROLES}
    if facts["reference_frame"] >= 0:
        paths["reference"] = f"frame:{facts['reference_frame']}"
    return {
        "name": clip.name,
        **paths,
        "frames": facts["frames"],
        "fps": facts["fps"],
        "fps_assumed": facts["fps_assumed"],
        "size": facts["sizes"]["generated"],
        "real_size": facts["sizes"].get("real"),
        "codecs": facts["codecs"],
        "sha256": facts["roots"],
    }


def _relative(path: str, folder: str) -> str:
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return path


def _hash_lines(lines: Sequence[str]) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def frame_values(clips: Sequence[Measured], metric: Metric) -> dict[str, np.ndarray]:
    """Clip name -> the metric's values per frame or window, where its reduction is a mean over such an array."""
    name = getattr(metric.options, "array", None)
    values = {}
    for clip in clips:
        if name is None or not clip.bundle.has(metric.measure.layer):
            continue
        if name in clip.bundle.array_names(metric.measure.layer):
            array = clip.bundle.read(metric.measure.layer, name)
            if array.ndim == 1:
                values[clip.name] = array
    return values
