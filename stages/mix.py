"""Makes a new bundle of several drivers: the body of one, the head of another, the face of a third, on one clock.

Reads   `clip` and `pose` of the body's driver, `clip` and `pose` of the head's, `clip` and `face` of the face's.
Writes  OUT: `clip` (the body's), `pose` (the body's, with nose, eyes, ears and face points turned as the head's driver
        turns its head, and that turn as the array R_cam_head) and `face` (the face's motion tokens).
Strengths are not here: render-spheres and animate know the photo, about which the motion is to be made less or more.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from stages.core.errors import InputError, UsageError
from stages.core.records import Plan, Record

STAGE = "mix"
LAYERS = ("clip", "pose", "face")
VERSION = 1
_BEYOND = ("hold", "loop", "cut")


@dataclass(frozen=True)
class Params:
    """Settings of mix.

    output       the new bundle; "" is the body's name with .mixed.zarr
    face         bundle whose face is taken (its layer `face`: encode-face or audio2face); "" = the body's own
    head         bundle whose head is taken; "" = the body's own
    face_offset  second of the face's driver that stands at the beginning; head_offset  the same of the head's
    face_speed   seconds of the face's driver for each of the clip's; head_speed  the same of the head's
    beyond       where a driver has ended: hold its last frame, loop, or cut the whole clip there
    overwrite    replace what was made with other settings
    """

    output: str = ""
    face: str = ""
    head: str = ""
    face_offset: float = 0.0
    head_offset: float = 0.0
    face_speed: float = 1.0
    head_speed: float = 1.0
    beyond: str = "hold"
    overwrite: bool = False


def plan(item: str | os.PathLike[str], params: Params) -> Plan:
    """What `run` would do with the body's bundle.

    errors  UsageError: bad parameter. InputError: not a bundle, a layer missing. ConflictError: made of something else
    """
    _check(item, params)
    out = mixed_path(item, params)
    _, keys, inputs = _identity(item, params)
    inputs = {name: key for layer in inputs.values() for name, key in layer.items()}
    actions = set(_actions(out, keys, params).values())
    action = "skip" if actions == {"skip"} else "replace" if "replace" in actions else "write"
    return Plan(action, keys["pose"], str(out), inputs)


def run(
    item: str | os.PathLike[str], params: Params, progress: Callable[[int, int | None, str], None] | None = None
) -> Record:
    """The Record of the new bundle; data holds frames and how many of them have a head's turn and a face.

    item      bundle of the body's driver
    progress  called with (layers done, layers, "mix")
    errors    those of `plan`; InputError where the head's driver shows no head, or nothing is left after a cut
    """
    from stages.bundle import LayerWriter, make_provenance

    started = time.monotonic()
    todo = plan(item, params)
    if todo.action == "skip":
        return Record(STAGE, todo.output, "skipped", todo.key, time.monotonic() - started)
    drivers, keys, inputs = _identity(item, params)
    frames, places = _clocks(drivers, params)
    out, body = Path(todo.output), drivers["body"]
    missing = [layer for layer, action in _actions(out, keys, params).items() if action != "skip"]
    statuses, counts = [], {"frames": frames}
    for number, layer in enumerate(missing):
        provenance = make_provenance(STAGE, VERSION, _decides(params, layer), inputs[layer], item=item)
        if keys[layer] == body.key("clip"):
            provenance = body.provenance("clip")
        attrs = _attrs(drivers, layer, frames)
        with LayerWriter(
            out, layer, key=keys[layer], attrs=attrs, provenance=provenance, overwrite=params.overwrite
        ) as writer:
            if layer == "clip":
                _write_clip(writer, body, frames)
            elif layer == "pose":
                counts["turned"] = _write_pose(writer, drivers, places["head"], frames)
            else:
                counts["faces"] = int(_write_face(writer, drivers["face"], places["face"]).sum())
            statuses.append(writer.commit())
        if progress is not None:
            progress(number + 1, len(missing), STAGE)
    status = "replaced" if "replaced" in statuses else "written"
    return Record(STAGE, str(out), status, keys["pose"], time.monotonic() - started, data=counts)


def mixed_path(item: str | os.PathLike[str], params: Params) -> Path:
    """The bundle that is made: `params.output`, or the body's name with .mixed.zarr."""
    return Path(params.output) if params.output else Path(item).with_suffix(".mixed.zarr")


def _check(item, params: Params) -> None:
    if params.beyond not in _BEYOND:
        raise UsageError(f"--beyond: found {params.beyond!r}, expected one of {', '.join(_BEYOND)}")
    for name in ("face_speed", "head_speed"):
        if not 0 < getattr(params, name) <= 100:
            raise UsageError(
                f"--{name.replace('_', '-')}: found {getattr(params, name)}, expected more than 0, up to 100"
            )
    taken = [str(path) for path in (item, params.face, params.head) if path]
    if str(mixed_path(item, params)).rstrip("/") in [path.rstrip("/") for path in taken]:
        raise UsageError(f"--output: {mixed_path(item, params)} is one of the drivers, expected another name")


def _identity(item, params: Params):
    """(drivers by part, key by layer, inputs) of what these parameters would make."""
    from stages.bundle import layer_key, open_bundle

    drivers = {part: open_bundle(path) for part, path in
               (("body", item), ("head", params.head or item), ("face", params.face or item))}  # fmt: skip
    drivers["body"].require("clip", "pose")
    drivers["head"].require("clip", "pose")
    drivers["face"].require("clip", "face")
    frames = _clocks(drivers, params)[0]
    clip = {"body_clip": drivers["body"].key("clip")}
    head = {f"head_{layer}": drivers["head"].key(layer) for layer in ("clip", "pose")}
    inputs = {
        "clip": clip,
        "pose": clip | {"body_pose": drivers["body"].key("pose")} | (head if params.head else {}),
        "face": clip | {f"face_{layer}": drivers["face"].key(layer) for layer in ("clip", "face")},
    }
    keys = {
        layer: layer_key(f"{STAGE} {layer}", VERSION, {**_decides(params, layer), "frames": frames}, inputs[layer])
        for layer in LAYERS
    }
    if frames == _length(drivers["body"]):
        keys["clip"] = clip["body_clip"]  # the very same layer
    return drivers, keys, inputs


def _decides(params: Params, layer: str) -> dict[str, object]:
    """The parameters that decide a layer's bytes; drivers count by their layers' keys.

    Each layer has its own, so that with another face the pose, and what is drawn from it, stays.
    """
    part = {"clip": None, "pose": "head", "face": "face"}[layer]
    if part is None:
        return {}
    return {name: getattr(params, name) for name in (f"{part}_offset", f"{part}_speed", "beyond")}


def _actions(out: Path, keys: dict[str, str], params: Params) -> dict[str, str]:
    from stages.bundle import plan_layer

    return {layer: plan_layer(out, layer, keys[layer], overwrite=params.overwrite).action for layer in LAYERS}


def _length(bundle) -> int:
    return int(bundle.array_info("pose", "present")["shape"][0])


def _clocks(drivers, params: Params):
    """(frames of the new clip, places by part on its driver's frames)."""
    import numpy as np

    from stages.mixing.retime import Clock

    frames, fps = _length(drivers["body"]), _rate(drivers["body"])
    lengths = {"head": _length(drivers["head"]), "face": drivers["face"].array_info("face", "valid")["shape"][0]}
    places = {}
    for part, count in lengths.items():
        clock = Clock(getattr(params, f"{part}_offset"), getattr(params, f"{part}_speed"), params.beyond)
        places[part] = clock.places(frames, fps, count, _rate(drivers[part]))
    if params.beyond == "cut":
        nothing = np.flatnonzero(~np.isfinite(places["head"]) | ~np.isfinite(places["face"]))
        frames = int(nothing[0]) if len(nothing) else frames
        if not frames:
            raise InputError(
                f"{drivers['body'].path}: --beyond cut leaves no frame: a driver has nothing at the beginning. Change "
                "--head-offset or --face-offset"
            )
        places = {part: place[:frames] for part, place in places.items()}
    return frames, places


def _rate(bundle) -> float:
    return float(Fraction(bundle.attrs("clip").get("fps") or 25))


def _attrs(drivers, layer: str, frames: int) -> dict:
    """Attributes of a new layer."""
    if layer == "clip":
        return {**drivers["body"].attrs("clip"), "frame_count": frames}
    part = {"pose": "head", "face": "face"}[layer]
    mixed = {name: os.fspath(drivers[name].path) for name in ("body", part)}
    if layer == "pose":
        return {**drivers["body"].attrs("pose"), "mixed": mixed}
    return {"encoder": drivers["face"].attrs("face")["encoder"], "mixed": mixed}


def _write_clip(writer, body, frames: int) -> None:
    import numpy as np

    from stages.mixing.copying import copy_array, cut_media, spec_of

    for name in body.array_names("clip"):
        if name == "media" and frames < _length(body):
            writer.put(name, np.asarray(cut_media(body, frames)), spec_of(body, "clip", name))
        else:
            copy_array(body, "clip", name, writer, frames)


def _write_pose(writer, drivers, places, frames: int) -> int:
    """Write the pose layer; the number of frames whose head is turned by another driver."""
    import numpy as np

    from stages.bundle import ArraySpec
    from stages.head.track import track_head
    from stages.mixing.copying import copy_array, spec_of
    from stages.mixing.heads import turn_head
    from stages.mixing.retime import blend_turns

    body, other = drivers["body"], drivers["head"]
    changed = {}
    if other.path != body.path or not np.array_equal(places, np.arange(frames)):
        pose, theirs = _pose(body, frames), _pose(other)
        R = blend_turns(_track(track_head, other, theirs).R_cam_head, places)
        if not np.isfinite(R).all((1, 2)).any():
            raise InputError(f"{other.path}: no head found in it, expected a video that shows one (--head)")
        changed = turn_head(pose, _track(track_head, body, pose), R)
    for name in body.array_names("pose"):
        if name in changed:
            writer.put(name, changed[name], spec_of(body, "pose", name))
        else:
            copy_array(body, "pose", name, writer, frames)
    if changed and "R_cam_head" not in body.array_names("pose"):
        meaning = "how the head is to be turned, head to camera axes; NaN = as the points say"
        writer.put("R_cam_head", changed["R_cam_head"], ArraySpec("float32", ("T", "row", "col"), meaning=meaning))
    return int(np.isfinite(changed["R_cam_head"]).all((1, 2)).sum()) if changed else 0


def _pose(bundle, frames: int | None = None) -> dict:
    names = ("joints_px", "joints_m", "joint_score", "transl_m", "face_px", "face_score", "face_valid", "present")
    pose = {name: bundle.read("pose", name)[:frames] for name in names}
    if "R_cam_head" in bundle.array_names("pose"):
        pose["R_cam_head"] = bundle.read("pose", "R_cam_head")[:frames]
    return pose | {"K_px": bundle.read("pose", "K_px")}


def _track(track_head, bundle, pose):
    """The HeadTrack of a pose; where it says itself how the head is turned, that."""
    from stages.head.track import turned_as_told

    return turned_as_told(track_head(pose, pose["K_px"], bundle.attrs("pose")["face_layout"]), pose.get("R_cam_head"))


def _write_face(writer, face, places):
    """Write tokens and which frames have them; the place of the crops is that of another film and stays out."""
    import numpy as np

    from stages.mixing.copying import spec_of
    from stages.mixing.retime import blend, nearest

    tokens, valid = face.read("face", "tokens"), face.read("face", "valid")
    tokens = np.where(valid[:, None, None], tokens, np.nan)
    mixed = blend(tokens, places)
    close = np.where(np.isfinite(places)[:, None, None], nearest(tokens, places), np.nan)
    mixed = np.where(np.isfinite(mixed), mixed, close).astype(np.float32)  # one of two neighbours is enough
    there = np.isfinite(mixed).all((1, 2))
    writer.put("tokens", mixed, spec_of(face, "face", "tokens"))
    writer.put("valid", there, spec_of(face, "face", "valid"))
    return there
