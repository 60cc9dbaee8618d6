"""Picks the pictures of a person that show most of that person: references for animate --refs.

Reads   `clip` and `pose` of one or more bundles; with --into also the `refs` of the bundle that is added to; with
        --like a photo of the person who is meant.
Writes  `refs`: the frames whose heads turn farthest to either side and the one in the middle (the paper's rule), then
        those that show poses and sizes not yet shown; of a full figure also a half-body crop; each complete with
        joints, head, camera, the clip it comes from, why it was picked and how like the person it is.
Into the bundle itself where there is only one, into a bundle of its own with --output, and with --into into an atlas
that grows from clip to clip.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.core.errors import InputError, UsageError
from stages.core.records import Plan, Record

STAGE = "pick-refs"
LAYER = "refs"
VERSION = 3
_MOST_IN_ATLAS = 48


@dataclass(frozen=True)
class Params:
    """Settings of pick-refs.

    output     a bundle to write; "" = the input itself, where there is one
    into       a bundle of picks of the same person to add to (made if it is not there)
    count      pictures at most, besides the half-body crop; of each run
    like       a photo of the person who is meant; "" = whom most frames show, or who is in --into
    yaw_most   degrees; heads turned further are left out
    half_body  also pick a half-body crop of a full figure
    overwrite  replace picks made with other settings
    """

    output: str = ""
    into: str = ""
    count: int = 3
    like: str = ""
    yaw_most: float = 100.0
    half_body: bool = True
    overwrite: bool = False


def plan(items: str | os.PathLike[str] | Sequence[str], params: Params) -> Plan:
    """What `run` would do with one bundle or several; "skip" also where an atlas has seen all of them.

    errors  UsageError: bad parameter, several bundles and nowhere to write. InputError: a layer or photo is missing.
            ConflictError: there are other picks and not `overwrite`
    """
    from stages.bundle import open_bundle, plan_layer

    items = _items(items)
    _check(items, params)
    key, inputs = _identity(items, params)
    target = params.into or params.output or items[0]
    if params.into and Path(target).is_dir():
        bundle = open_bundle(target)
        if not bundle.has(LAYER):
            raise InputError(f"{target}: layer '{LAYER}' is missing, expected a bundle that pick-refs --into made")
        seen = set(bundle.attrs(LAYER)["seen"])
        fresh = [name for name, value in inputs.items() if name.startswith("clip_") and value not in seen]
        return Plan("replace" if fresh else "skip", key, str(target), inputs)
    todo = plan_layer(target, LAYER, key, overwrite=params.overwrite, inputs=inputs)
    return Plan(todo.action, key, str(target), inputs)


def run(
    items: str | os.PathLike[str] | Sequence[str],
    params: Params,
    progress: Callable[[int, int | None, str], None] | None = None,
) -> Record:
    """The Record of all bundles together; data holds the picks (why, clip, frame, yaw), the frames looked at and how
    many of them were the person's.

    progress  called with (clips looked at, clips, "pick-refs")
    errors    those of `plan`; InputError: no head is large enough, nobody's face can be read, the clips to add show
              somebody else. WeightsError: a network is not to be had
    """
    started = time.monotonic()
    items = _items(items)
    todo = plan(items, params)
    if todo.action == "skip":
        return Record(STAGE, todo.output, "skipped", todo.key, time.monotonic() - started)
    from stages.bundle import make_provenance, open_bundle
    from stages.references import likeness
    from stages.references.harvest import harvest
    from stages.references.layer import read_picks, write_picks

    there = read_picks(open_bundle(params.into)) if params.into and Path(params.into).is_dir() else []
    seen = set(open_bundle(params.into).attrs(LAYER)["seen"]) if there else set()
    bundles = [open_bundle(item) for item in items]
    fresh = [bundle for bundle in bundles if bundle.key("pose") not in seen]
    wanted = _wanted(params, there)
    room = max(0, _MOST_IN_ATLAS - len(there))
    picks, found = harvest(
        fresh, min(params.count, room), yaw_most=params.yaw_most, wanted=wanted,
        taken=[pick.subject for pick in there], half_body=params.half_body,
        progress=None if progress is None else lambda done, total: progress(done, total, STAGE),
    )  # fmt: skip
    attrs = {
        "likeness": f"{likeness.NAME}: cosine of faces less differing colours; same person from {likeness.SAME}",
        "weights": likeness.weights(),
        "seen": sorted(seen | {bundle.key("pose") for bundle in fresh}),
    }
    provenance = make_provenance(STAGE, VERSION, _decides(params), todo.inputs, likeness.weights(), item=items[0])
    overwrite = params.overwrite or bool(params.into)
    status = write_picks(
        todo.output, [*there, *picks], key=todo.key, attrs=attrs, provenance=provenance, overwrite=overwrite
    )
    rows = [{"why": p.why, "clip": p.source, "frame": p.frame, "yaw_deg": round(p.subject.yaw_deg, 1)} for p in picks]
    data = {"picks": rows, "pictures": len(there) + len(picks), **found}
    return Record(STAGE, todo.output, status, todo.key, time.monotonic() - started, data=data)


def _items(items) -> tuple[str, ...]:
    return (os.fspath(items),) if isinstance(items, (str, os.PathLike)) else tuple(items)


def _check(items: tuple[str, ...], params: Params) -> None:
    if not 1 <= params.count <= _MOST_IN_ATLAS:
        raise UsageError(f"--count: found {params.count}, expected 1 to {_MOST_IN_ATLAS}")
    if not 5 <= params.yaw_most <= 180:
        raise UsageError(f"--yaw-most: found {params.yaw_most:g}, expected 5 to 180 degrees")
    if params.output and params.into:
        raise UsageError("--output and --into: found both, expected one")
    if len(items) > 1 and not (params.output or params.into):
        raise UsageError(f"inputs: found {len(items)} bundles, expected --output or --into to say where picks go")


def _identity(items: tuple[str, ...], params: Params):
    """(key, inputs) of the layer these parameters would make."""
    from stages.bundle import layer_key, open_bundle
    from stages.references.digests import picture_digest

    inputs = {}
    for number, item in enumerate(items):
        bundle = open_bundle(item)
        bundle.require("clip", "pose")
        inputs[f"clip_{number}"] = bundle.key("pose")
    if params.like:
        inputs["like"] = picture_digest(params.like)
    if params.into and Path(params.into).is_dir():
        bundle = open_bundle(params.into)
        inputs |= {"into": bundle.key(LAYER)} if bundle.has(LAYER) else {}
    return layer_key(STAGE, VERSION, _decides(params), inputs), inputs


def _decides(params: Params) -> dict[str, object]:
    """The parameters that decide the bytes."""
    return {name: getattr(params, name) for name in ("count", "yaw_most", "half_body")}


def _wanted(params: Params, there):
    """Who to look for: the person of the photo, else of the atlas, as seen most from the front; None for anybody."""
    import numpy as np

    from stages.references.likeness import Looker
    from stages.references.subject import subject_of_photo

    if params.like:
        photo = subject_of_photo(params.like)
        look = Looker().look(photo.picture_u8, photo.person)
        if not np.isfinite(look.face[0]):
            raise InputError(f"{params.like}: the face cannot be read. Take a photo that shows it to the camera")
        return look
    looker = Looker()
    looks = [looker.look(pick.subject.picture_u8, pick.subject.person) for pick in there]
    turned = [abs(pick.subject.yaw_deg) for pick in there]
    known = [at for at, look in enumerate(looks) if np.isfinite(look.face[0])]
    return looks[min(known, key=lambda at: turned[at])] if known else None
