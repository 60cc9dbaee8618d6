"""Makes the video: the person of the reference photo doing what the control layers say.

Reads   `clip` (rate, sound), `body` and `head` (maps, reference), `face` (motion tokens).
Writes  `video` (latents, settings, seeds), and beside the bundle NAME.mp4 with the driver's sound and NAME.png, a
        contact sheet of reference, driver, controls and result. Both files carry a machine-readable mark as AI-made.
A finished segment is kept until the clip is done, so that running the same command again goes on where it stopped.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from stages.core.errors import InputError, UsageError
from stages.core.records import Plan, Record

STAGE = "animate"
LAYER = "video"
VERSION = 3
_SHEET_ROWS = 6
_DECIDING = ("seed", "steps", "solver", "cfg_ref", "cfg_motion", "segment", "carry_expression")


@dataclass(frozen=True)
class Params:
    """Settings of animate.

    ref         the reference photo; must be the one render-spheres placed on the canvas. "" takes that one
    output      path of the MP4; "" is the bundle's name with .mp4, in the bundle's folder
    audio       sound file or film whose sound the MP4 gets instead of the clip's
    model       "default" (shipped) or a folder with vae.safetensors and dit.safetensors
    seed        of the noise
    steps       solver steps a segment; solver: euler or dpm2m
    cfg_ref     classifier-free guidance for the reference; 1 = none, and no extra pass
    cfg_motion  the same for the motion signals
    segment     frames made in one go, 4k+1; 0 = what the model was trained on
    carry_expression  move the carried photo's face to the driver's expression before the model sees it
    sheet       also write the contact sheet
    device      auto, cpu, cuda, cuda:N, mps
    threads     CPU threads; 0 = as many as the machine has
    overwrite   replace a video made with other settings
    """

    ref: str = ""
    output: str = ""
    audio: str = ""
    model: str = "default"
    seed: int = 0
    steps: int = 4
    solver: str = "dpm2m"
    cfg_ref: float = 1.0
    cfg_motion: float = 1.0
    segment: int = 0
    carry_expression: bool = True
    sheet: bool = True
    device: str = "auto"
    threads: int = 0
    overwrite: bool = False


def plan(item: str | os.PathLike[str], params: Params) -> Plan:
    """What `run` would do with one bundle.

    errors  UsageError: bad parameter. InputError: not a bundle, a layer missing, made for another reference photo or
            with another face encoder. WeightsError: no such model. ConflictError: made with other settings
    """
    from stages.bundle import plan_layer
    from stages.core.errors import ConflictError

    _check(params)
    _, key, inputs, _ = _identity(item, params)
    todo = plan_layer(item, LAYER, key, overwrite=params.overwrite, inputs=inputs)
    video = video_path(item, params)
    action = todo.action
    if action == "skip" and not all(path.is_file() for path in _files(video, params)):
        action = "replace"  # the layer is there, a file beside it is not: make both again
    elif action == "write" and video.exists() and not params.overwrite and _key_in(video) != key:
        raise ConflictError(f"{video}: exists and is not of this bundle's layer '{LAYER}'. --overwrite replaces it")
    return Plan(action, key, str(video), inputs)


def run(
    item: str | os.PathLike[str], params: Params, progress: Callable[[int, int | None, str], None] | None = None
) -> Record:
    """The Record of one bundle: path is the MP4; data holds frames, segments, seconds of sampling and the sheet.

    progress  called with (segments done, segments, "animate")
    errors    those of `plan`; ResourceError when the disk is full
    """
    started = time.monotonic()
    todo = plan(item, params)
    if todo.action == "skip":
        return Record(STAGE, todo.output, "skipped", todo.key, time.monotonic() - started)
    from stages.bundle import LayerWriter, make_provenance
    from stages.core.device import pick_device, set_threads
    from stages.face.encoder import load_face_encoder
    from stages.model.animator import Animator

    set_threads(params.threads or None)
    bundle, key, inputs, weights = _identity(item, params)
    animator = Animator.load(params.model, pick_device(params.device))
    tracks = _tracks(bundle)
    if params.carry_expression:
        tracks = _with_expression(bundle, tracks, load_face_encoder(str(encoder_file(params.model)), animator.device))
    latents, segments, sampling_s = _sample(item, key, animator, tracks, params, progress)
    frames = len(tracks.maps)
    video = Path(todo.output)
    sheet_frames = _write_video(bundle, animator, latents, tracks, video, params, key)
    if params.sheet:
        _write_sheet(bundle, tracks, sheet_frames, video.with_suffix(".png"), params, key)
    provenance = make_provenance(STAGE, VERSION, _decides(params), inputs, weights, item=item)
    attrs = {
        "settings": _decides(params),
        "model": {"name": animator.config.name, "sha256": weights},
        "segments": segments,
        "frames": frames,
        "file": video.name,
        "ai_generated": True,
    }
    with LayerWriter(
        item, LAYER, key=key, attrs=attrs, provenance=provenance, overwrite=params.overwrite or todo.action == "replace"
    ) as writer:
        from stages.bundle import ArraySpec

        spec = ArraySpec("float32", ("C", "t", "h", "w"), meaning="normalised latents of the whole clip")
        channels = animator.config.dit.latent_channels
        writer.put("latents", latents[0, :channels].float().cpu().numpy(), spec)
        spec = ArraySpec("float32", ("K", "t", "h", "w"), meaning="> 0 where the picture is the reference's (packed)")
        writer.put("keep", latents[0, channels:].float().cpu().numpy(), spec)
        status = writer.commit()
    shutil.rmtree(_partial(item, key), ignore_errors=True)
    data = {"frames": frames, "segments": segments, "sampling_s": round(sampling_s, 2), "bundle": str(item)}
    if params.sheet:
        data["sheet"] = str(video.with_suffix(".png"))
    return Record(STAGE, str(video), status, key, time.monotonic() - started, data=data)


def video_path(item: str | os.PathLike[str], params: Params) -> Path:
    """The MP4 that belongs to a bundle: `params.output`, or the bundle's name with .mp4."""
    return Path(params.output) if params.output else Path(item).with_suffix(".mp4")


def _key_in(video: Path) -> str:
    """The key an earlier, perhaps killed run wrote into the file; "" for a file that is not ours."""
    from stages.media import read_mark

    try:
        mark = read_mark(video)
    except InputError:
        return ""
    return str((mark or {}).get("key", ""))


def _files(video: Path, params: Params) -> list[Path]:
    return [video, *([video.with_suffix(".png")] if params.sheet else [])]


def _check(params: Params) -> None:
    from stages.model.config import SOLVERS

    if params.solver not in SOLVERS:
        raise UsageError(f"--solver: found {params.solver!r}, expected one of {', '.join(SOLVERS)}")
    if not 1 <= params.steps <= 1000:
        raise UsageError(f"--steps: found {params.steps}, expected 1 to 1000")
    if params.segment and (params.segment < 5 or params.segment % 4 != 1):
        raise UsageError(f"--segment: found {params.segment}, expected 5, 9, 13, ... frames (4k+1)")
    if min(params.cfg_ref, params.cfg_motion) < 0:
        raise UsageError(f"--cfg-ref, --cfg-motion: found {params.cfg_ref}, {params.cfg_motion}, expected 0 or more")
    if params.output and Path(params.output).suffix.lower() != ".mp4":
        raise UsageError(f"--output: found {params.output!r}, expected a name that ends in .mp4")


def _identity(item: str | os.PathLike[str], params: Params):
    """(bundle, key, inputs, weights) of the layer these parameters would make."""
    from stages.bundle import layer_key, open_bundle
    from stages.model.files import model_hashes
    from stages.weights.checkpoint import file_sha256

    bundle = open_bundle(item)
    bundle.require("clip", "body", "head", "face")
    if params.ref:
        placed = bundle.attrs("body").get("ref")
        if not Path(params.ref).is_file():
            raise InputError(f"{params.ref}: no such photo; expected the picture given to render-spheres --ref")
        if placed is None or placed["sha256"] != file_sha256(params.ref):
            raise InputError(
                f"{item}: the controls were drawn for {placed['path'] if placed else 'the driver itself'}, not for "
                f"{params.ref}. Make them again with: dreamactor render-spheres {item} --ref {params.ref} --overwrite"
            )
    inputs = {layer: bundle.key(layer) for layer in ("clip", "body", "head", "face")}
    if params.audio:
        from stages.media.sound import probe_sound

        probe_sound(params.audio)
        inputs["audio"] = file_sha256(params.audio)
    weights = {**model_hashes(params.model), "face": file_sha256(encoder_file(params.model))}
    encoder, wanted = bundle.attrs("face")["encoder"], encoder_file(params.model)
    if params.carry_expression and encoder["sha256"] != weights["face"]:
        raise InputError(
            f"{item}: the face tokens are of encoder {encoder['name']} {encoder['sha256'][:8]}, the model goes with "
            f"{weights['face'][:8]}. Run: dreamactor encode-face {item} --encoder {wanted} --overwrite, or animate "
            "with --no-carry-expression"
        )
    return bundle, layer_key(STAGE, VERSION, _decides(params), inputs, weights), inputs, weights


def _decides(params: Params) -> dict[str, object]:
    """The parameters that decide the bytes."""
    return {name: getattr(params, name) for name in _DECIDING}


def _tracks(bundle):
    """The control signals of the whole clip as the model wants them."""
    import numpy as np

    from stages.model.animator import Tracks

    body, head = bundle.read("body", "map"), bundle.read("head", "map")
    tokens, valid = bundle.read("face", "tokens"), bundle.read("face", "valid")
    if not len(body) == len(head) == len(tokens):
        raise InputError(
            f"{bundle.path}: layers body, head and face have {len(body)}, {len(head)} and {len(tokens)} frames; "
            "make them again from one run of extract-pose"
        )
    ref_maps = np.concatenate([bundle.read("body", "ref_map"), bundle.read("head", "ref_map")], -1)
    if not {"warp", "warp_kind"} <= set(bundle.array_names("body")):
        raise InputError(
            f"{bundle.path}: layer body has no carried photo (array warp): an earlier version drew it. Make it again "
            f"with: dreamactor render-spheres {bundle.path} --overwrite and the --ref of before"
        )
    warp, kind = bundle.read("body", "warp"), bundle.read("body", "warp_kind")
    return Tracks(
        np.concatenate([body, head], -1), tokens, valid, bundle.read("body", "ref_frame"), ref_maps, warp, kind
    )


def encoder_file(model: str) -> Path:
    """The face encoder that a model was trained with: face.safetensors in its folder, else the shipped one."""
    from stages.face import encoder_file as shipped_or_named

    beside = Path(model) / "face.safetensors"
    return Path(shipped_or_named(str(beside) if beside.is_file() else "default"))


def _with_expression(bundle, tracks, encoder):
    """The tracks with the carried photo's face moved to the driver's expression."""
    from dataclasses import replace

    from stages.face.carry import express

    head, ref_head = (
        [bundle.read("head", who + name) for name in ("center_px", "radius_px", "R_cam_head")] for who in ("", "ref_")
    )
    carried = tracks.warp_frames, tracks.warp_kind
    warp, kind = express(encoder, *carried, head, tracks.ref_frames[0], ref_head, tracks.face_tokens)
    return replace(tracks, warp_frames=warp, warp_kind=kind)


def _partial(item: str | os.PathLike[str], key: str) -> Path:
    """The folder beside the bundle that holds finished segments of one unfinished clip."""
    path = Path(item)
    return path.with_name(f".{path.name}.segments.{key[:16]}")


def _sample(item, key: str, animator, tracks, params: Params, progress):
    """(latents [1, C, t, h, w] of the whole clip, number of segments, seconds of sampling); resumes."""
    import torch

    from stages.core.rng import torch_generator
    from stages.model.animator import segment_spans
    from stages.model.sampler import SamplerConfig
    from stages.weights.checkpoint import load_checkpoint, save_checkpoint

    sampler = SamplerConfig(params.steps, params.solver, params.cfg_ref, params.cfg_motion)
    frames = len(tracks.maps)
    spans = segment_spans(frames + (-(frames - 1) % 4), params.segment or animator.config.segment_frames)
    generators = [torch_generator(params.seed, STAGE, key, f"noise {index}") for index in range(len(spans))]
    folder = _partial(item, key)
    done = []
    for index in range(len(spans)):
        file = folder / f"{index:05d}.safetensors"
        if not file.is_file():
            break
        done.append(load_checkpoint(file)[0]["latents"])
    started = time.monotonic()
    fresh = animator.segments(tracks, sampler, generators, segment_frames=params.segment or None, done=list(done))
    if progress is not None:
        progress(len(done), len(spans), STAGE)
    for latents in fresh:
        save_checkpoint(folder / f"{len(done):05d}.safetensors", {"latents": latents}, {"key": key})
        done.append(latents.cpu())
        if progress is not None:
            progress(len(done), len(spans), STAGE)
    return torch.cat([part.cpu() for part in done], 2), len(spans), time.monotonic() - started


def _write_video(bundle, animator, latents, tracks, video: Path, params: Params, key: str):
    """Decode, write the MP4 with the driver's sound, and give back the few frames the sheet shows: {index: picture}."""
    from stages.media import write_video

    clip, frames = bundle.attrs("clip"), len(tracks.maps)
    wanted = set(_sheet_indices(frames))
    kept = {}

    def pictures():
        index = 0
        for block in animator.decode(latents, tracks):
            for frame in block:
                if index in wanted:
                    kept[index] = frame
                if index < frames:
                    yield frame
                index += 1

    sound = bundle.read("clip", "media") if clip.get("has_audio") and "media" in bundle.array_names("clip") else None
    sound = Path(params.audio) if params.audio else sound
    rate = Fraction(clip["fps"]) if clip.get("fps") else Fraction(25)
    write_video(video, pictures(), rate, audio_from=sound, metadata=_mark(animator.config.name, params, key))
    return kept


def _sheet_indices(frames: int) -> list[int]:
    rows = min(_SHEET_ROWS, frames)
    return sorted({round(row * (frames - 1) / max(1, rows - 1)) for row in range(rows)})


def _mark(model: str, params: Params, key: str) -> dict:
    from stages.media import ai_mark

    return ai_mark(stage=STAGE, model=model, seed=params.seed, key=key)


def _write_sheet(bundle, tracks, results: dict, path: Path, params: Params, key: str) -> None:
    """Write the contact sheet: reference | driver | skeleton and sphere | result, a row a moment."""
    import numpy as np

    from stages.media import clip_frames, contact_sheet, write_png

    height = max(256, tracks.maps.shape[1])
    rows = []
    with clip_frames(bundle) as reader:
        for index in sorted(results):
            controls = np.maximum(tracks.maps[index, ..., :3], tracks.maps[index, ..., 3:])
            rows.append([tracks.ref_frames[0], reader.frame(index), controls, results[index]])
    labels = ["reference", "driver", "skeleton + sphere", "result (AI-made)"]
    names = [f"frame {index}" for index in sorted(results)]
    sheet = contact_sheet(rows, labels, row_labels=names, cell_height_px=height)
    write_png(path, sheet, text=_mark(params.model, params, key))
