"""Begins a bundle: the clip as every later stage reads it, and the person in it.

Reads   a video or a photo; or a file of SMPL-X parameters or 2D key points (then the picture stays grey).
Writes  `clip` (the normalised film with its sound, or the photo) and `pose` (joints of body, hands and face in pixels
        and metres, scores, validity, camera, person; raw values beside the filtered ones).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any

from stages.core.errors import InputError, UsageError, WeightsError
from stages.core.rate import asked_rate
from stages.core.records import Plan, Record

STAGE = "extract-pose"
LAYERS = ("clip", "pose")
VERSION = 2
BACKENDS = ("mediapipe", "rtmlib", "openpose", "smplx")
MOTION_BACKENDS = ("openpose", "smplx")  # read finished points from a file
_MAX_SIDE = (64, 8192)
_MOTION_FPS = Fraction(25)
_MEDIA_BLOCK = 1 << 22
PIECE_FRAMES = 6000  # of a video whose joints are held in memory; at 30 kB a frame or less

Progress = Callable[[int, int | None, str], None]


@dataclass(frozen=True)
class Params:
    """Settings of extract-pose.

    output     bundle to write; "" is the input's name with .zarr, in the input's folder
    backend    mediapipe (default), rtmlib, or a file of finished points: openpose (also DWPose JSON, npy), smplx (npz)
    person     largest, center, left, right, or the number of a person; of a video longer than PIECE_FRAMES the first
               piece that shows anybody decides
    max_side   larger pictures are scaled down to this, px
    fps        another frame rate, such as 24 or 30000/1001; "" keeps the source's
    start      first second of the video that is used;  duration  seconds from there; 0 = to the end
    smooth     remove jitter from the tracks (the raw ones are kept either way)
    threads    CPU threads of the mediapipe backend; changes no result
    points     file or folder of finished points that belong to the input video (backends openpose and smplx)
    weights    folder with the mediapipe backend's .tflite files; "" fetches them by package name once
    rtm_detector, rtm_pose  ONNX files of the rtmlib backend; "" looks in the caches;  rtm_dims  2 or 3
    smplx_model   the user's SMPLX_*.npz
    device     of the rtmlib backend: cpu, cuda, cuda:N, mps
    overwrite  replace layers made with other settings
    """

    output: str = ""
    backend: str = "mediapipe"
    person: str = "largest"
    max_side: int = 1280
    fps: str = ""
    start: float = 0.0
    duration: float = 0.0
    smooth: bool = True
    threads: int = 2
    points: str = ""
    weights: str = ""
    rtm_detector: str = ""
    rtm_pose: str = ""
    rtm_dims: int = 2
    smplx_model: str = ""
    device: str = "cpu"
    overwrite: bool = False


def output_path(item: str | os.PathLike[str], params: Params) -> Path:
    """Where the bundle goes."""
    return Path(params.output) if params.output else Path(item).with_suffix(".zarr")


def plan(item: str | os.PathLike[str], params: Params) -> Plan:
    """What `run` would do with one input; hashes it, decodes nothing.

    errors  UsageError: bad parameter. InputError: no such file. ConflictError: a layer exists with other settings
    """
    todo, _ = _plan(item, params)
    return todo


def run(item: str | os.PathLike[str], params: Params, progress: Progress | None = None) -> Record:
    """The Record of one input; data holds frames, present, faces, people, and warnings of the decoder.

    progress  called with (frames done, frames or None, what)
    errors    those of `plan`; InputError: cannot be decoded, nobody is in a photo. WeightsError: a network is missing
    """
    started = time.monotonic()
    todo, jobs = _plan(item, params)
    path = output_path(item, params)
    if todo.action == "skip":
        return Record(STAGE, str(path), "skipped", todo.key, time.monotonic() - started)
    with ExitStack() as stack:
        from stages.pose.layer import finish_pieces

        source, tracks, K_px, backend = _measure(stack, item, params, jobs, progress)
        data: dict[str, Any] = {"frames": 0, "present": 0, "faces": 0}
        pieces = _counted_pieces(finish_pieces(tracks, smooth=params.smooth, K_px=K_px), data)
        first = list(islice(pieces, 2))  # nearly always there is but one
        if source.kind == "photo" and not data["present"]:
            raise InputError(f"{item}: no person found in the photo. Take a picture that shows the person")
        statuses = set()
        if jobs["clip"].action != "skip":
            statuses.add(_write_clip(item, params, jobs["clip"], source))
        if jobs["pose"].action != "skip":
            statuses.add(_write_pose(item, params, jobs["pose"], first, pieces))
        for _ in pieces:
            pass
    data["people"] = getattr(backend, "people", {})
    if source.warnings:
        data["warnings"] = list(source.warnings)
    status = "replaced" if "replaced" in statuses else "written"
    return Record(STAGE, str(path), status, todo.key, time.monotonic() - started, data=data)


def _measure(stack: ExitStack, item, params: Params, jobs: dict[str, Plan], progress: Progress | None):
    """(Source, pieces of the raw PoseTrack, K_px or None, backend or None) of the input."""
    from stages.pose.source import grey_source, open_clip, open_source

    fps = _rate(params)
    if params.backend in MOTION_BACKENDS and not params.points:
        track, K_px = _import(item, params, fps or _MOTION_FPS, None, None)
        source = grey_source(stack, len(track), track.size, Fraction(track.fps).limit_denominator(1001))
        return source, [track], K_px, None
    backend = _backend(params)
    if jobs["clip"].action == "skip":
        from stages.bundle import open_bundle

        source = open_clip(stack, open_bundle(jobs["clip"].output))
    else:
        options = {"fps": fps, "max_side": params.max_side, "start_s": params.start, "duration_s": params.duration}
        source = open_source(stack, item, progress=progress, **options)
    if backend is None:
        track, K_px = _import(params.points, params, source.fps, source.size, len(source))
        return source, [track], K_px, None
    frames = _counted(source.reader, progress)
    if hasattr(backend, "pieces"):
        return source, backend.pieces(frames, float(source.fps), most=PIECE_FRAMES), None, backend
    return source, [backend.process(frames, float(source.fps))], None, backend


def _counted_pieces(pieces, data: dict[str, Any]):
    """The pieces, their frames added up in `data`."""
    for track, arrays in pieces:
        data["frames"] += len(track)
        data["present"] += int(track.present.sum())
        data["faces"] += int(track.face_valid.sum())
        yield track, arrays


def _backend(params: Params):
    """What looks at frames; None when the points come from a file. errors  WeightsError, before any decoding"""
    if params.backend == "mediapipe":
        from stages.pose.mediapipe.backend import MediaPipeBackend, MediaPipeParams
        from stages.pose.mediapipe.networks import NETWORKS
        from stages.weights import SOURCES

        own = None
        if params.weights:
            own = {name: os.path.join(params.weights, SOURCES[name].filename) for name in NETWORKS}
        backend = MediaPipeBackend(MediaPipeParams(person=params.person, threads=params.threads, weights=own))
        backend.paths()
        return backend
    if params.backend == "rtmlib":
        from stages.pose.rtmlib_backend import RtmlibBackend, RtmlibParams

        files = {"detector": params.rtm_detector or None, "pose": params.rtm_pose or None}
        return RtmlibBackend(RtmlibParams(dims=params.rtm_dims, person=params.person, device=params.device, **files))
    return None


def _import(path, params: Params, fps: Fraction, size, frames: int | None):
    """(PoseTrack, K_px or None) of a file of points; size and frames are the video's, None without one."""
    if params.backend == "openpose":
        from stages.pose.openpose_import import import_openpose

        return import_openpose(path, float(fps), size, person=params.person, frames=frames), None
    from stages.pose.smplx_import import import_smplx

    options = {"size": size} if size is not None else {}
    rate = float(fps) if size is not None or params.fps else None
    track, K_px = import_smplx(path, params.smplx_model, fps=rate, **options)
    if frames is not None and len(track) != frames:
        raise InputError(f"{path}: {len(track)} frames of motion, the video has {frames}. Give the one it belongs to")
    return track, K_px


def _counted(reader, progress: Progress | None):
    """The frames of a reader; reports how many were taken."""
    for done, frame in enumerate(reader):
        if progress is not None:
            progress(done, len(reader), "pose")
        yield frame
    if progress is not None:
        progress(len(reader), len(reader), "pose")


def _write_clip(item, params: Params, job: Plan, source) -> str:
    """The status of the written layer `clip`."""
    import numpy as np

    from stages.bundle import ArraySpec, LayerWriter, make_provenance

    attrs = {
        "source": {"path": os.fspath(item), "sha256": job.inputs["source"], "kind": source.kind},
        "fps": f"{source.fps.numerator}/{source.fps.denominator}",
        "size": list(source.size),
        "rotation_deg": source.rotation_deg,
        "frame_count": len(source),
        "has_audio": source.has_audio,
        "warnings": list(source.warnings),
    }
    provenance = make_provenance(STAGE, VERSION, _clip_decides(params), job.inputs, item=item)
    options = {"key": job.key, "attrs": attrs, "provenance": provenance, "overwrite": params.overwrite}
    with LayerWriter(job.output, "clip", **options) as writer:
        if source.media is None:
            spec = ArraySpec("uint8", ("T", "H", "W", "rgb"), "u8", meaning="the photo, upright")
            writer.put("frames", source.reader.frame(0)[None], spec)
        else:
            spec = ArraySpec("uint8", ("byte",), meaning="the normalised film as an MP4, with its sound")
            stream = writer.stream("media", (), spec)
            with source.media.open("rb") as file:
                while block := file.read(_MEDIA_BLOCK):
                    stream.append(np.frombuffer(block, np.uint8))
        times = ArraySpec("float64", ("T",), "s", meaning="presentation times in the source")
        writer.put("times_s", np.asarray(source.times_s, np.float64), times)
        return writer.commit()


def _write_pose(item, params: Params, job: Plan, first, rest) -> str:
    """The status of the written layer `pose`; `first` holds one piece, or two when more may come from `rest`."""
    track = first[0][0]
    from stages.bundle import LayerWriter, make_provenance
    from stages.pose.layer import pose_specs

    attrs = {
        "backend": track.backend,
        "weights": {name: dict(about) for name, about in track.weights.items()},
        "face_layout": track.face_layout,
        "person": params.person,
    }
    provenance = make_provenance(STAGE, VERSION, _pose_decides(params), job.inputs, _weights(params), item=item)
    options = {"key": job.key, "attrs": attrs, "provenance": provenance, "overwrite": params.overwrite}
    specs = pose_specs()
    with LayerWriter(job.output, "pose", **options) as writer:
        if len(first) == 1:
            for name, array in first[0][1].items():
                writer.put(name, array, specs[name])
            return writer.commit()
        streams = {
            name: writer.stream(name, array.shape[1:], specs[name])
            for name, array in first[0][1].items()
            if specs[name].axes[0] == "T"
        }
        writer.put("K_px", first[0][1]["K_px"], specs["K_px"])
        for _, arrays in chain(first, rest):
            for name, stream in streams.items():
                stream.append(arrays[name])
        return writer.commit()


def _plan(item: str | os.PathLike[str], params: Params) -> tuple[Plan, dict[str, Plan]]:
    """(the plan of the whole stage, the plan of each layer)."""
    from stages.bundle import layer_key, plan_layer

    _check(params)
    path = output_path(item, params)
    source = {"source": _digest(item, params)}
    clip_key = layer_key(STAGE, VERSION, _clip_decides(params), source)
    inputs = {"clip": clip_key}
    if params.points:
        inputs["points"] = _digest(params.points, params)
    pose_key = layer_key(STAGE, VERSION, _pose_decides(params), inputs, _weights(params))
    jobs = {
        "clip": plan_layer(path, "clip", clip_key, overwrite=params.overwrite, inputs=source),
        "pose": plan_layer(path, "pose", pose_key, overwrite=params.overwrite, inputs=inputs),
    }
    actions = {job.action for job in jobs.values()}
    action = "replace" if "replace" in actions else "write" if "write" in actions else "skip"
    return Plan(action, pose_key, str(path), source | inputs), jobs


def _clip_decides(params: Params) -> dict[str, Any]:
    bare = params.backend in MOTION_BACKENDS and not params.points
    decides = {"max_side": params.max_side, "fps": params.fps, "start": params.start, "duration": params.duration}
    return decides | ({"grey": params.backend} if bare else {})


def _pose_decides(params: Params) -> dict[str, Any]:
    decides = {"backend": params.backend, "person": params.person, "smooth": params.smooth}
    return decides | ({"rtm_dims": params.rtm_dims} if params.backend == "rtmlib" else {})


def _weights(params: Params) -> dict[str, str]:
    """sha256 of every network or model file that takes part. errors  WeightsError: a file of the user's is missing"""
    from stages.weights import SOURCES
    from stages.weights.checkpoint import file_sha256

    if params.backend == "mediapipe":
        from stages.pose.mediapipe.networks import NETWORKS

        return {name: SOURCES[name].sha256 for name in NETWORKS}
    if params.backend == "rtmlib":
        from stages.pose.rtmlib_backend import find_file

        files = {"detector": params.rtm_detector or None, f"pose{params.rtm_dims}d": params.rtm_pose or None}
        return {kind: file_sha256(find_file(kind, given)) for kind, given in files.items()}
    if params.backend == "smplx":
        if not Path(params.smplx_model).is_file():
            raise WeightsError(
                f"--smplx-model: found {params.smplx_model!r}, expected your SMPLX_NEUTRAL.npz or another SMPL-X model"
            )
        return {"smplx": file_sha256(Path(params.smplx_model))}
    return {}


def _digest(item: str | os.PathLike[str], params: Params) -> str:
    """sha256 of a file, or of the names and contents of a folder of JSON files."""
    from stages.bundle.keys import digest_of
    from stages.media.ffmpeg import checked_file
    from stages.weights.checkpoint import file_sha256

    path = Path(item)
    if path.is_dir() and params.backend == "openpose":
        return digest_of({file.name: file_sha256(file) for file in sorted(path.glob("*.json"))})
    return file_sha256(checked_file(item))


def _rate(params: Params) -> Fraction | None:
    """The frame rate asked for, None = the source's. errors  UsageError: no such number"""
    return asked_rate(params.fps) if params.fps else None


def _check(params: Params) -> None:
    if params.backend not in BACKENDS:
        raise UsageError(f"--backend: found {params.backend!r}, expected one of {', '.join(BACKENDS)}")
    if params.person not in ("largest", "center", "left", "right") and not params.person.isdecimal():
        raise UsageError(f"--person: found {params.person!r}, expected largest, center, left, right or a number")
    if not _MAX_SIDE[0] <= params.max_side <= _MAX_SIDE[1]:
        raise UsageError(f"--max-side: found {params.max_side}, expected {_MAX_SIDE[0]}..{_MAX_SIDE[1]}")
    if params.start < 0 or params.duration < 0:
        raise UsageError(f"--start, --duration: found {params.start}, {params.duration}, expected 0 or more")
    if params.threads < 1:
        raise UsageError(f"--threads: found {params.threads}, expected 1 or more")
    if params.points and params.backend not in MOTION_BACKENDS:
        raise UsageError(f"--points: found with --backend {params.backend}, expected {' or '.join(MOTION_BACKENDS)}")
    _rate(params)
