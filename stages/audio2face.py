"""Adds the layer `face` from speech: what encode-face would have read off a film of the speaker.

Reads   a bundle: the sound of its `clip`, or a sound file; `pose`, where it is there, for the crops.
        Or a sound file alone: then a bundle is begun. With a photo it gets `clip` and `pose` as well, the photo held
        still for as long as the sound lasts, so that photo and sound are enough for a talking portrait.
Writes  `face`: tokens, valid, crop_affine and the encoder's name as encode-face does; attrs also say `sound` and `fps`.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from stages.core.errors import InputError, UsageError
from stages.core.records import Plan, Record

STAGE = "audio2face"
LAYER = "face"
VERSION = 1
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
    from stages.media.sound import sound_blocks

    with ExitStack() as stack:
        heard = hear(load_speech_face(params.network).network, sound_blocks(_sound_file(job, stack)))
        frames = job.frames or frame_count(heard.samples, job.fps)
        scene = _Scene(job, params, heard, frames)
        statuses = set()
        if job.layers["clip"] and job.layers["clip"].action != "skip":
            statuses.add(_write_clip(job, params, scene, progress))
        if job.layers["pose"] and job.layers["pose"].action != "skip":
            statuses.add(_write_pose(job, params, scene))
        if job.layers["face"].action != "skip":
            statuses.add(_write_face(job, params, scene, progress))
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

    @property
    def plan(self) -> Plan:
        actions = {plan.action for plan in self.layers.values() if plan}
        action = "replace" if "replace" in actions else "write" if "write" in actions else "skip"
        face = self.layers["face"]
        return Plan(action, face.key, str(self.path), face.inputs)


def _job(item: str | os.PathLike[str], params: Params) -> _Job:
    from stages.audio import speech_file
    from stages.face import encoder_file
    from stages.weights.checkpoint import file_sha256

    _check(params)
    weights = {
        "speech": file_sha256(speech_file(params.network)),
        "face_encoder": file_sha256(encoder_file(params.encoder)),
    }
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
    fps = _rate(params)
    inputs = {"audio": _sha256(item)} | ({"ref": _sha256(params.ref)} if params.ref else {})
    layers: dict[str, Plan | None] = {"clip": None, "pose": None}
    timing = {"fps": f"{fps.numerator}/{fps.denominator}"}
    if params.ref:
        clip_key = layer_key(STAGE, VERSION, timing | {"max_side": params.max_side}, inputs)
        layers["clip"] = plan_layer(path, "clip", clip_key, overwrite=params.overwrite, inputs=inputs)
        networks = {name: SOURCES[name].sha256 for name in NETWORKS}
        pose_key = layer_key(STAGE, VERSION, _pose_decides(params), {"clip": clip_key}, networks | weights)
        layers["pose"] = plan_layer(path, "pose", pose_key, overwrite=params.overwrite, inputs={"clip": clip_key})
        inputs = inputs | {"clip": clip_key, "pose": pose_key}
    key = layer_key(STAGE, VERSION, _face_decides(params) | timing, inputs, weights)
    layers["face"] = plan_layer(path, LAYER, key, overwrite=params.overwrite, inputs=inputs)
    return _Job(path, fps, 0, Path(item), str(item), layers, weights)


class _Scene:
    """What was heard, the photo and its pose if there is one, and the face of any frame."""

    def __init__(self, job: _Job, params: Params, heard, frames: int) -> None:
        import numpy as np

        from stages.audio.liveliness import blink_lids, head_turns_deg, voice_01
        from stages.core.rng import numpy_rng
        from stages.face.encoder import load_face_encoder

        self.heard, self.frames, self.fps, self.params = heard, frames, job.fps, params
        self.encoder = load_face_encoder(params.encoder)
        self.picture = self.pose = None
        self.rest = np.zeros(54)
        if params.ref:
            self.picture, self.pose, self.rest = _at_rest(params, self.encoder)
        voice = voice_01(heard.level_db)
        item = str(job.layers["face"].key)
        self.lids = blink_lids(numpy_rng(params.seed, STAGE, item, "blinks"), voice) if params.blinks else None
        self.turns_deg = np.zeros((len(voice), 3))
        if params.head_motion:
            self.turns_deg = params.head_motion * head_turns_deg(numpy_rng(params.seed, STAGE, item, "head"), voice)

    def tokens(self, first: int, count: int):
        """float32 [count, N, C] of the frames from `first` on."""
        import numpy as np

        from stages.audio.predict import at_frames, expressions_of
        from stages.core.arkit import ARKIT_INDEX

        units = at_frames(self.heard.units, first, count, self.fps, self.params.offset)
        spoken = np.clip(expressions_of(units) * self.params.strength, 0.0, 1.0)
        face = np.repeat(self.rest[None], count, axis=0)
        face[:, :52] += (1.0 - face[:, :52]) * spoken
        if self.lids is not None:
            lids = at_frames(self.lids, first, count, self.fps)
            for name in ("eyeBlinkLeft", "eyeBlinkRight"):
                face[:, ARKIT_INDEX[name]] = np.maximum(face[:, ARKIT_INDEX[name]], lids)
        return self.encoder.tokens_of_expressions(face)

    def held_pose(self, first: int, count: int):
        """The photo's pose arrays in the frames from `first` on."""
        from stages.audio.predict import at_frames
        from stages.pose.still import hold_pose

        return hold_pose(self.pose[0], at_frames(self.turns_deg, first, count, self.fps))

    def crops(self, job: _Job):
        """(first, count -> crop_affine float32 [count, 2, 3] as encode-face would cut them, layout of the face)."""
        import numpy as np

        from stages.bundle import open_bundle
        from stages.face.crop import track_crops

        if self.pose is not None and job.layers["pose"]:
            layout = self.pose[1]["face_layout"]

            def of_photo(first: int, count: int):
                held = self.held_pose(first, count)
                return track_crops(held["face_px"], held["face_valid"], layout, float(self.fps))[0]

            return of_photo, layout
        every, layout = np.full((self.frames, 2, 3), np.nan, np.float32), "none"
        if job.path.exists() and open_bundle(job.path).has("pose"):
            bundle = open_bundle(job.path)
            layout, seen = bundle.attrs("pose")["face_layout"], bundle.read("pose", "face_valid")
            if len(seen) != self.frames:
                raise InputError(
                    f"{job.path}: layer 'pose' has {len(seen)} frames, the face {self.frames}; make both for one clip"
                )
            every, _ = track_crops(bundle.read("pose", "face_px"), seen, layout, float(self.fps))
        return lambda first, count: every[first : first + count], layout


def _at_rest(params: Params, encoder):
    """(photo uint8 [H, W, 3] as the clip shows it, its pose arrays and attributes, what its face rests in f64 [54]).

    The upper face stays as in the photo. A mouth that is open or pulled there closes, but for a trace, so that a mouth
    the encoder takes for slightly open is not pressed shut.
    """
    import cv2
    import numpy as np

    from stages.core.arkit import ARKIT_NAMES
    from stages.face.carry import reference_weights
    from stages.head.track import track_head
    from stages.media import read_photo
    from stages.pose.photo import track_photo

    picture = read_photo(params.ref)
    longest = max(picture.shape[:2])
    if longest > params.max_side:
        height, width = (max(2, round(side * params.max_side / longest)) // 2 * 2 for side in picture.shape[:2])
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    picture = np.ascontiguousarray(picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2])
    pose, attrs = track_photo(picture)
    if not pose["present"].all() or not pose["face_valid"].all():
        raise InputError(f"{params.ref}: found no face in the photo, expected the speaker's face, turned to the camera")
    head = track_head(pose, pose["K_px"], attrs["face_layout"])
    rest = reference_weights(encoder, picture, head.center_px[0], head.radius_px[0], head.R_cam_head[0])
    rest = np.nan_to_num(np.asarray(rest, np.float64))
    rest[:52] = np.clip(rest[:52], 0.0, 1.0)
    for at, name in enumerate(ARKIT_NAMES):
        if name.startswith(("mouthSmile", "mouthFrown", "mouthDimple")):
            rest[at] *= 0.6
        elif name.startswith(("jaw", "mouth", "tongue")):
            rest[at] = min(rest[at], 0.12)
    return picture, (pose, attrs), rest


def _sound_file(job: _Job, stack: ExitStack) -> Path:
    if job.sound is not None:
        return job.sound
    from stages.bundle import open_bundle
    from stages.media import clip_media

    return stack.enter_context(clip_media(open_bundle(job.path)))


def _write_clip(job: _Job, params: Params, scene: _Scene, progress: Progress | None) -> str:
    """The status of the layer `clip`: the photo held still, with the sound."""
    import numpy as np

    from stages.bundle import ArraySpec, LayerWriter, make_provenance
    from stages.media import write_video

    plan_ = job.layers["clip"]

    def pictures():
        for frame in range(scene.frames):
            if progress is not None and frame % 64 == 0:
                progress(frame, scene.frames, "clip")
            yield scene.picture

    height, width = scene.picture.shape[:2]
    attrs = {
        "source": {"path": job.item, "sha256": plan_.inputs["audio"], "kind": "portrait"},
        "fps": f"{job.fps.numerator}/{job.fps.denominator}",
        "size": [height, width],
        "rotation_deg": 0,
        "frame_count": scene.frames,
        "has_audio": True,
        "warnings": [],
    }
    decides = {"fps": attrs["fps"], "max_side": params.max_side}
    provenance = make_provenance(STAGE, VERSION, decides, plan_.inputs, item=job.item)
    options = {"key": plan_.key, "attrs": attrs, "provenance": provenance, "overwrite": params.overwrite}
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="dreamactor-"))
        writer = stack.enter_context(LayerWriter(job.path, "clip", **options))
        media = Path(folder) / "media.mp4"
        write_video(media, pictures(), job.fps, audio_from=job.sound)
        spec = ArraySpec("uint8", ("byte",), meaning="the held photo as an MP4, with the sound")
        stream = writer.stream("media", (), spec)
        with media.open("rb") as file:
            while block := file.read(1 << 22):
                stream.append(np.frombuffer(block, np.uint8))
        times = ArraySpec("float64", ("T",), "s", meaning="presentation times in the source")
        writer.put("times_s", np.arange(scene.frames) / float(job.fps), times)
        return writer.commit()


def _write_pose(job: _Job, params: Params, scene: _Scene) -> str:
    """The status of the layer `pose`: that of the photo in every frame, its head turned."""
    from stages.bundle import LayerWriter, make_provenance
    from stages.pose.layer import pose_specs

    plan_, (arrays, found) = job.layers["pose"], scene.pose
    attrs = {
        "backend": found["backend"],
        "weights": {name: dict(about) for name, about in found["weights"].items()},
        "face_layout": found["face_layout"],
        "person": "largest",
    }
    provenance = make_provenance(STAGE, VERSION, _pose_decides(params), plan_.inputs, job.weights, item=job.item)
    options = {"key": plan_.key, "attrs": attrs, "provenance": provenance, "overwrite": params.overwrite}
    specs = pose_specs()
    with LayerWriter(job.path, "pose", **options) as writer:
        streams = {}
        for name, array in arrays.items():
            if name == "K_px":
                writer.put(name, array, specs[name])
            else:
                streams[name] = writer.stream(name, array.shape[1:], specs[name], length=scene.frames)
        for first in range(0, scene.frames, _BLOCK):
            count = min(_BLOCK, scene.frames - first)
            held = scene.held_pose(first, count)
            for name, stream in streams.items():
                stream.append(held[name])
        return writer.commit()


def _write_face(job: _Job, params: Params, scene: _Scene, progress: Progress | None) -> str:
    """The status of the layer `face`."""
    import numpy as np

    from stages.bundle import LayerWriter, make_provenance
    from stages.face.crop import CROP_PX
    from stages.face.layer import face_specs

    plan_ = job.layers["face"]
    crops, layout = scene.crops(job)
    attrs = {
        "encoder": {"name": scene.encoder.name, "sha256": scene.encoder.sha256},
        "face_layout": layout,
        "upright": False,
        "crop_px": CROP_PX,
        "fps": f"{job.fps.numerator}/{job.fps.denominator}",
        "sound": {"path": str(job.sound or job.path), "seconds": round(scene.heard.seconds, 4)},
    }
    decides = _face_decides(params)
    provenance = make_provenance(STAGE, VERSION, decides, plan_.inputs, job.weights, item=job.item)
    options = {"key": plan_.key, "attrs": attrs, "provenance": provenance, "overwrite": params.overwrite}
    specs = face_specs()
    with LayerWriter(job.path, LAYER, **options) as writer:
        shape = scene.tokens(0, 1).shape[1:]
        tokens = writer.stream("tokens", shape, specs["tokens"], length=scene.frames)
        affine = writer.stream("crop_affine", (2, 3), specs["crop_affine"], length=scene.frames)
        for first in range(0, scene.frames, _BLOCK):
            count = min(_BLOCK, scene.frames - first)
            tokens.append(scene.tokens(first, count))
            affine.append(crops(first, count))
            if progress is not None:
                progress(first + count, scene.frames, "face")
        writer.put("valid", np.ones(scene.frames, bool), specs["valid"])
        return writer.commit()


def _warnings(job: _Job, heard) -> list[str]:
    """One line each about what a person would want to know of the sound."""
    out = []
    if not len(heard.level_db) or float(heard.level_db.max()) < _SILENT_DB:
        out.append("the sound is silent: the mouth stays closed")
    shown_s = job.frames / job.fps if job.frames else None
    if shown_s is not None and abs(heard.seconds - float(shown_s)) > max(0.1, 2 / float(job.fps)):
        out.append(f"the sound lasts {heard.seconds:.2f} s, the clip {float(shown_s):.2f} s: cut, or silent at the end")
    return out


def _face_decides(params: Params) -> dict[str, Any]:
    names = ("strength", "offset", "blinks", "seed")
    return {name: getattr(params, name) for name in names}


def _pose_decides(params: Params) -> dict[str, Any]:
    return {"head_motion": params.head_motion, "seed": params.seed}


def _sha256(path: str | os.PathLike[str]) -> str:
    """sha256 of a file the user named. errors  InputError"""
    from stages.media.ffmpeg import checked_file
    from stages.weights.checkpoint import file_sha256

    return file_sha256(checked_file(path))


def _rate(params: Params) -> Fraction:
    """The frame rate asked for. errors  UsageError: no such number"""
    try:
        rate = Fraction(params.fps or _FPS)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"--fps: found {params.fps!r}, expected a number such as 24 or 30000/1001") from None
    if not 1 <= rate <= 240:
        raise UsageError(f"--fps: found {params.fps}, expected 1..240")
    return rate


def _check(params: Params) -> None:
    if not 0 <= params.strength <= 3:
        raise UsageError(f"--strength: found {params.strength}, expected 0 to 3")
    if not abs(params.offset) <= 10:
        raise UsageError(f"--offset: found {params.offset}, expected -10 to 10 seconds")
    if not 0 <= params.head_motion <= 5:
        raise UsageError(f"--head-motion: found {params.head_motion}, expected 0 to 5")
    if not _MAX_SIDE[0] <= params.max_side <= _MAX_SIDE[1]:
        raise UsageError(f"--max-side: found {params.max_side}, expected {_MAX_SIDE[0]}..{_MAX_SIDE[1]}")
