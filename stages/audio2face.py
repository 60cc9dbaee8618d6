"""Adds the layer `face` from speech: what encode-face would have read off a film of the speaker.

Reads   a bundle: the sound of its `clip`, or a sound file; `pose`, where it is there, for the crops.
        Or a sound file alone: then a bundle is begun. With a photo it gets `clip` and `pose` as well, the photo held
        still for as long as the sound lasts, so that photo and sound are enough for a talking portrait.
Writes  `face`: tokens, valid, crop_affine and the encoder's name as encode-face does; attrs also say `sound`,
        `fps` and `voice_gate` (which network said where nobody speaks; null = none).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from stages.core.errors import InputError, UsageError
from stages.core.rate import asked_rate
from stages.core.records import Plan, Record

STAGE = "audio2face"
LAYER = "face"
VERSION = 3
_FPS = "25"
_MAX_SIDE = (64, 8192)
_BLOCK = 1024  # frames written at once
_SILENT_DB = -65.0

Progress = Callable[[int, int | None, str], None]


@dataclass(frozen=True)
class Params:
    """Settings of audio2face.

    output     bundle to begin for a sound file; "" is its name with .zarr, in its folder
    audio      sound file or film to hear instead of the bundle's own sound
    ref        photo of the speaker. For a sound file: also makes the layers clip and pose from it
    fps        pictures a second of a bundle that is begun; "" = 25. A bundle that is there keeps its own
    max_side   of the held photo in the clip, px
    strength   of the mouth's movements; 1 = as heard
    offset     seconds by which the face comes later than it is heard (negative: sooner)
    voice_gate  the mouth rests where a voice detector hears nobody: in music, for example
    blinks     lids close now and then
    head_motion  how much the head moves along, 1 = as people do; only with a sound file and --ref
    seed       of blinks and head motion
    network    "default" (shipped) or a safetensors file made by train-speech
    encoder    "default" (shipped) or the face encoder whose tokens are to be written
    overwrite  replace a layer made with other settings
    """

    output: str = ""
    audio: str = ""
    ref: str = ""
    fps: str = ""
    max_side: int = 768
    strength: float = 1.0
    offset: float = 0.0
    voice_gate: bool = True
    blinks: bool = True
    head_motion: float = 0.0
    seed: int = 0
    network: str = "default"
    encoder: str = "default"
    overwrite: bool = False


def plan(item: str | os.PathLike[str], params: Params) -> Plan:
    """What `run` would do with one bundle or sound file; nothing is decoded.

    errors  UsageError: bad parameter. InputError: no sound in it, no such photo, not a bundle. WeightsError: no such
            network. ConflictError: a layer exists with other settings
    """
    return _job(item, params).plan


def run(item: str | os.PathLike[str], params: Params, progress: Progress | None = None) -> Record:
    """The Record of one bundle; data holds frames, seconds of sound, and warnings (silence, sound that was cut).

    progress  called with (frames done, frames or None, what)
    errors    those of `plan`; InputError: the sound cannot be decoded, the photo shows nobody
    """
    started = time.monotonic()
    job = _job(item, params)
    if job.plan.action == "skip":
        return Record(STAGE, str(job.path), "skipped", job.plan.key, time.monotonic() - started)
    from stages.audio.network import load_speech_face
    from stages.audio.predict import frame_count, hear
    from stages.audio.voice import load_voice_net
    from stages.face.encoder import load_face_encoder
    from stages.media.sound import sound_blocks
    from stages.talking.performance import Manner, Performance
    from stages.talking.portrait import write_held_clip, write_held_pose
    from stages.talking.sitter import sit

    with ExitStack() as stack:
        gate = load_voice_net() if params.voice_gate else None
        heard = hear(load_speech_face(params.network).network, sound_blocks(_sound_file(job, stack)), gate)
        frames = job.frames or frame_count(heard.samples, job.fps)
        encoder = load_face_encoder(params.encoder)
        sitter = sit(params.ref, params.max_side, encoder) if params.ref else None
        manner = Manner(params.strength, params.offset, params.blinks, params.head_motion, params.seed)
        performance = Performance(heard, job.fps, manner, encoder, sitter, job.plan.key)
        statuses = set()
        if job.to_write("clip"):
            source = {"path": job.item, "sha256": job.layers["clip"].inputs["audio"], "kind": "portrait"}
            options = _options(job, "clip", _clip_decides(job.fps, params), params)
            statuses.add(write_held_clip(job.path, performance, frames, job.sound, source, options, progress))
        if job.to_write("pose"):
            options = _options(job, "pose", _pose_decides(params), params)
            statuses.add(write_held_pose(job.path, performance, frames, options))
        if job.to_write("face"):
            statuses.add(_write_face(job, params, performance, frames, progress))
    data: dict[str, Any] = {"frames": frames, "seconds": round(heard.seconds, 3), "warnings": _warnings(job, heard)}
    status = "replaced" if "replaced" in statuses else "written"
    return Record(STAGE, str(job.path), status, job.plan.key, time.monotonic() - started, data=data)


@dataclass(frozen=True)
class _Job:
    """path of the bundle, fps, frames (0 = as the sound says), layers: Plan or None each, and what goes into them.

    sound  the file to hear; None = the clip's own;  start_s  of the bundle's clip in that file's time
    """

    path: Path
    fps: Fraction
    frames: int
    sound: Path | None
    item: str
    layers: dict[str, Plan | None]
    weights: dict[str, str]

    def to_write(self, layer: str) -> bool:
        """Whether this run has to make the layer."""
        return self.layers[layer] is not None and self.layers[layer].action != "skip"

    @property
    def plan(self) -> Plan:
        actions = {plan.action for plan in self.layers.values() if plan}
        action = "replace" if "replace" in actions else "write" if "write" in actions else "skip"
        face = self.layers["face"]
        return Plan(action, face.key, str(self.path), face.inputs)


def _job(item: str | os.PathLike[str], params: Params) -> _Job:
    from stages.audio import VOICE_NET, speech_file
    from stages.face import encoder_file
    from stages.weights import SOURCES
    from stages.weights.checkpoint import file_sha256

    _check(params)
    weights = {
        "speech": file_sha256(speech_file(params.network)),
        "face_encoder": file_sha256(encoder_file(params.encoder)),
    }
    if params.voice_gate:
        weights[VOICE_NET] = SOURCES[VOICE_NET].identity
    if Path(item).is_dir():
        return _job_of_bundle(item, params, weights)
    return _job_of_sound(item, params, weights)


def _job_of_bundle(item, params: Params, weights: dict[str, str]) -> _Job:
    from stages.bundle import layer_key, open_bundle, plan_layer
    from stages.media.sound import probe_sound

    for name in ("output", "fps", "head_motion"):
        if getattr(params, name):
            raise UsageError(f"--{name.replace('_', '-')}: found with a bundle, expected it with a sound file only")
    bundle = open_bundle(item)
    bundle.require("clip")
    clip = bundle.attrs("clip")
    inputs = {"clip": bundle.key("clip")}
    if bundle.has("pose"):
        inputs["pose"] = bundle.key("pose")
    if params.audio:
        probe_sound(params.audio)
        inputs["audio"] = _sha256(params.audio)
    elif not (clip.get("has_audio") and "media" in bundle.array_names("clip")):
        raise InputError(f"{item}: its clip has no sound. Give one with --audio FILE")
    if params.ref:
        inputs["ref"] = _sha256(params.ref)
    key = layer_key(STAGE, VERSION, _face_decides(params), inputs, weights)
    layers = {
        "clip": None,
        "pose": None,
        "face": plan_layer(item, LAYER, key, overwrite=params.overwrite, inputs=inputs),
    }
    sound = Path(params.audio) if params.audio else None
    return _Job(Path(item), Fraction(clip["fps"]), int(clip["frame_count"]), sound, str(item), layers, weights)


def _job_of_sound(item, params: Params, weights: dict[str, str]) -> _Job:
    from stages.bundle import layer_key, plan_layer
    from stages.media.sound import probe_sound
    from stages.pose.mediapipe.networks import NETWORKS
    from stages.weights import SOURCES

    if params.audio:
        raise UsageError("--audio: found with a sound file, expected it with a bundle only")
    if params.head_motion and not params.ref:
        raise UsageError("--head-motion: found without --ref, expected a photo whose head is to move")
    probe_sound(item)
    path = Path(params.output) if params.output else Path(item).with_suffix(".zarr")
    fps = asked_rate(params.fps or _FPS)
    inputs = {"audio": _sha256(item)} | ({"ref": _sha256(params.ref)} if params.ref else {})
    layers: dict[str, Plan | None] = {"clip": None, "pose": None}
    if params.ref:
        clip_key = layer_key(STAGE, VERSION, _clip_decides(fps, params), inputs)
        layers["clip"] = plan_layer(path, "clip", clip_key, overwrite=params.overwrite, inputs=inputs)
        networks = {name: SOURCES[name].sha256 for name in NETWORKS}
        pose_key = layer_key(STAGE, VERSION, _pose_decides(params), {"clip": clip_key}, networks | weights)
        layers["pose"] = plan_layer(path, "pose", pose_key, overwrite=params.overwrite, inputs={"clip": clip_key})
        inputs = inputs | {"clip": clip_key, "pose": pose_key}
    key = layer_key(STAGE, VERSION, _face_decides(params) | {"fps": _text(fps)}, inputs, weights)
    layers["face"] = plan_layer(path, LAYER, key, overwrite=params.overwrite, inputs=inputs)
    return _Job(path, fps, 0, Path(item), str(item), layers, weights)


def _sound_file(job: _Job, stack: ExitStack) -> Path:
    if job.sound is not None:
        return job.sound
    from stages.bundle import open_bundle
    from stages.media import clip_media

    return stack.enter_context(clip_media(open_bundle(job.path)))


def _options(job: _Job, layer: str, decides: dict[str, Any], params: Params) -> dict[str, Any]:
    """key, provenance and overwrite of a layer's writer."""
    from stages.bundle import make_provenance

    todo = job.layers[layer]
    provenance = make_provenance(STAGE, VERSION, decides, todo.inputs, job.weights, item=job.item)
    return {"key": todo.key, "provenance": provenance, "overwrite": params.overwrite}


def _write_face(job: _Job, params: Params, performance, frames: int, progress: Progress | None) -> str:
    """The status of the layer `face`."""
    import numpy as np

    from stages.audio import VOICE_NET
    from stages.bundle import LayerWriter
    from stages.face.crop import CROP_PX
    from stages.face.layer import face_specs
    from stages.weights import describe

    crops, layout = _crops(job, performance, frames)
    attrs = {
        "encoder": {"name": performance.encoder.name, "sha256": performance.encoder.sha256},
        "face_layout": layout,
        "upright": False,
        "crop_px": CROP_PX,
        "fps": _text(job.fps),
        "sound": {"path": str(job.sound or job.path), "seconds": round(performance.heard.seconds, 4)},
        "voice_gate": describe(VOICE_NET) if params.voice_gate else None,
    }
    options, specs = _options(job, LAYER, _face_decides(params), params), face_specs()
    with LayerWriter(job.path, LAYER, attrs=attrs, **options) as writer:
        tokens = writer.stream("tokens", performance.tokens(0, 1).shape[1:], specs["tokens"], length=frames)
        affine = writer.stream("crop_affine", (2, 3), specs["crop_affine"], length=frames)
        for first in range(0, frames, _BLOCK):
            count = min(_BLOCK, frames - first)
            tokens.append(performance.tokens(first, count))
            affine.append(crops(first, count))
            if progress is not None:
                progress(first + count, frames, "face")
        writer.put("valid", np.ones(frames, bool), specs["valid"])
        return writer.commit()


def _crops(job: _Job, performance, frames: int):
    """(first, count -> crop_affine float32 [count, 2, 3] as encode-face would cut them, layout of the face)."""
    import numpy as np

    from stages.bundle import open_bundle
    from stages.face.crop import track_crops

    if job.layers["pose"]:
        return performance.held_crops, performance.sitter.attrs["face_layout"]
    if not job.path.exists() or not open_bundle(job.path).has("pose"):
        return lambda first, count: np.full((count, 2, 3), np.nan, np.float32), "none"
    bundle = open_bundle(job.path)
    layout, seen = bundle.attrs("pose")["face_layout"], bundle.read("pose", "face_valid")
    if len(seen) != frames:
        raise InputError(f"{job.path}: layer 'pose' has {len(seen)} frames, the face {frames}; make both for one clip")
    affine, _ = track_crops(bundle.read("pose", "face_px"), seen, layout, float(job.fps))
    return lambda first, count: affine[first : first + count], layout


def _warnings(job: _Job, heard) -> list[str]:
    """One line each about what a person would want to know of the sound."""
    out = []
    if not len(heard.level_db) or float(heard.level_db.max()) < _SILENT_DB:
        out.append("the sound is silent: the mouth stays closed")
    elif heard.gate is not None and not heard.gate.any():
        out.append("nobody is heard speaking: the mouth stays closed. --no-voice-gate lets it follow any sound")
    shown_s = job.frames / job.fps if job.frames else None
    if shown_s is not None and abs(heard.seconds - float(shown_s)) > max(0.1, 2 / float(job.fps)):
        out.append(f"the sound lasts {heard.seconds:.2f} s, the clip {float(shown_s):.2f} s: cut, or silent at the end")
    return out


def _face_decides(params: Params) -> dict[str, Any]:
    names = ("strength", "offset", "voice_gate", "blinks", "seed")
    return {name: getattr(params, name) for name in names}


def _clip_decides(fps: Fraction, params: Params) -> dict[str, Any]:
    return {"fps": _text(fps), "max_side": params.max_side}


def _text(fps: Fraction) -> str:
    return f"{fps.numerator}/{fps.denominator}"


def _pose_decides(params: Params) -> dict[str, Any]:
    return {"head_motion": params.head_motion, "seed": params.seed}


def _sha256(path: str | os.PathLike[str]) -> str:
    """sha256 of a file the user named. errors  InputError"""
    from stages.media.ffmpeg import checked_file
    from stages.weights.checkpoint import file_sha256

    return file_sha256(checked_file(path))


def _check(params: Params) -> None:
    if not 0 <= params.strength <= 3:
        raise UsageError(f"--strength: found {params.strength}, expected 0 to 3")
    if not abs(params.offset) <= 10:
        raise UsageError(f"--offset: found {params.offset}, expected -10 to 10 seconds")
    if not 0 <= params.head_motion <= 5:
        raise UsageError(f"--head-motion: found {params.head_motion}, expected 0 to 5")
    if not _MAX_SIDE[0] <= params.max_side <= _MAX_SIDE[1]:
        raise UsageError(f"--max-side: found {params.max_side}, expected {_MAX_SIDE[0]}..{_MAX_SIDE[1]}")
