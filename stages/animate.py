"""Makes the video: the person of the reference photo doing what the control layers say.

Reads   `clip` (rate, sound), `body` and `head` (maps, reference), `face` (motion tokens).
Writes  `video` (latents, settings, seeds), and beside the bundle NAME.mp4 with the driver's sound and NAME.png, a
        contact sheet of reference, driver, controls and result. Both files carry a machine-readable mark as AI-made.
A finished segment is kept until the clip is done, so that running the same command again goes on where it stopped.
Memory does not grow with the clip: signals are read, and pictures made and written, a few frames at a time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stages.core.errors import InputError, UsageError
from stages.core.records import Plan, Record

STAGE = "animate"
LAYER = "video"
VERSION = 11
_MOST_STRENGTH = 3.0
_MOST_PSEUDO = 3
_DECIDING = ("seed", "steps", "solver", "cfg_ref", "cfg_motion", "segment", "carry_expression", "face_strength")


@dataclass(frozen=True)
class Params:
    """Settings of animate.

    ref         the reference photo; must be the one render-spheres placed on the canvas. "" takes that one
    refs        further pictures of the same person: photos, folders of photos, bundles with picks (pick-refs)
    pseudo_refs so many further pictures made by the model itself from the photo (0 = none), kept beside the bundle
    output      path of the MP4; "" is the bundle's name with .mp4, in the bundle's folder
    audio       sound file or film whose sound the MP4 gets instead of the clip's
    model       "default" (shipped) or a folder with vae.safetensors and dit.safetensors
    seed        of the noise
    steps       solver steps a segment; solver: euler or dpm2m
    cfg_ref     classifier-free guidance for the reference; 1 = none, and no extra pass
    cfg_motion  the same for the motion signals
    segment     frames made in one go, 4k+1; 0 = what the model was trained on
    carry_expression  move the carried photo's face to the driver's expression before the model sees it
    face_strength  how far the expression goes from the photo's, times the driver's: 0 = locked, 1 = as the driver
    sheet       also write the contact sheet
    device      auto, cpu, cuda, cuda:N, mps
    threads     CPU threads; 0 = as many as the machine has
    overwrite   replace a video made with other settings
    """

    ref: str = ""
    refs: tuple[str, ...] = ()
    pseudo_refs: int = 0
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
    face_strength: float = 1.0
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
    from stages.animation.film import write_film, write_sheet
    from stages.animation.sampling import sample
    from stages.animation.signals import BundleSignals
    from stages.bundle import LayerWriter, make_provenance, open_bundle
    from stages.core.device import pick_device, set_threads
    from stages.face.encoder import load_face_encoder
    from stages.media import ai_mark
    from stages.model.animator import Animator
    from stages.model.sampler import SamplerConfig

    set_threads(params.threads or None)
    bundle, key, inputs, weights = _identity(item, params)
    animator = Animator.load(params.model, pick_device(params.device))
    reads_faces = params.carry_expression or params.face_strength != 1

    def load_encoder():
        return load_face_encoder(str(encoder_file(params.model)), animator.device)

    encoder = load_encoder() if reads_faces else None
    layer = _carry_references(bundle, params, animator, load_encoder)
    signals = BundleSignals(
        open_bundle(item), encoder, carry=params.carry_expression, face_strength=params.face_strength, layer=layer
    )
    store, sampling_s = sample(
        animator,
        signals,
        SamplerConfig(params.steps, params.solver, params.cfg_ref, params.cfg_motion),
        _partial(item, key),
        key=key,
        seed=params.seed,
        stage=STAGE,
        segment_frames=params.segment,
        progress=progress,
    )
    video = Path(todo.output)
    mark = ai_mark(stage=STAGE, model=animator.config.name, seed=params.seed, key=key)
    pictures = write_film(bundle, animator, store, signals, video, mark, params.audio)
    if params.sheet:
        write_sheet(bundle, signals, pictures, video.with_suffix(".png"), mark)
    attrs = {
        "settings": _decides(params),
        "model": {"name": animator.config.name, "sha256": weights},
        "segments": len(store),
        "frames": len(signals),
        "file": video.name,
        "ai_generated": True,
    }
    provenance = make_provenance(STAGE, VERSION, _decides(params), inputs, weights, item=item)
    with LayerWriter(
        item, LAYER, key=key, attrs=attrs, provenance=provenance, overwrite=params.overwrite or todo.action == "replace"
    ) as writer:
        _write_latents(writer, store, animator.config.dit.latent_channels)
        status = writer.commit()
    store.remove()
    data = {"frames": len(signals), "segments": len(store), "sampling_s": round(sampling_s, 2), "bundle": str(item)}
    if params.sheet:
        data["sheet"] = str(video.with_suffix(".png"))
    return Record(STAGE, str(video), status, key, time.monotonic() - started, data=data)


def _write_latents(writer, store, channels: int) -> None:
    """The arrays of the layer, a segment at a time."""
    from stages.bundle import ArraySpec

    _, depth, _, height, width = store[0].shape
    specs = {
        "latents": ("C", channels, "normalised latents of the whole clip"),
        "keep": ("K", depth - channels, "> 0 where the picture is the reference's (packed)"),
    }
    streams = {
        name: writer.stream(
            name, (count, height, width), ArraySpec("float32", ("t", axis, "h", "w"), meaning=meaning),
            length=store.latents,
        )
        for name, (axis, count, meaning) in specs.items()
    }  # fmt: skip
    for index in range(len(store)):
        part = store[index][0].float().cpu().numpy().swapaxes(0, 1)
        streams["latents"].append(part[:, :channels])
        streams["keep"].append(part[:, channels:])


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
    if not 0 <= params.pseudo_refs <= _MOST_PSEUDO:
        raise UsageError(f"--pseudo-refs: found {params.pseudo_refs}, expected 0 to {_MOST_PSEUDO}")
    if params.segment and (params.segment < 5 or params.segment % 4 != 1):
        raise UsageError(f"--segment: found {params.segment}, expected 5, 9, 13, ... frames (4k+1)")
    if min(params.cfg_ref, params.cfg_motion) < 0:
        raise UsageError(f"--cfg-ref, --cfg-motion: found {params.cfg_ref}, {params.cfg_motion}, expected 0 or more")
    if not 0 <= params.face_strength <= _MOST_STRENGTH:
        raise UsageError(
            f"--face-strength: found {params.face_strength}, expected 0 (as in the photo) to {_MOST_STRENGTH:g}"
        )
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
    inputs |= _reference_inputs(bundle, params)
    if params.audio:
        from stages.media.sound import probe_sound

        probe_sound(params.audio)
        inputs["audio"] = file_sha256(params.audio)
    weights = {**model_hashes(params.model), "face": file_sha256(encoder_file(params.model))}
    encoder, wanted = bundle.attrs("face")["encoder"], encoder_file(params.model)
    if (params.carry_expression or params.face_strength != 1) and encoder["sha256"] != weights["face"]:
        read = bundle.attrs("face").get("mixed", {}).get("face", item)
        raise InputError(
            f"{item}: the face tokens are of encoder {encoder['name']} {encoder['sha256'][:8]}, the model goes with "
            f"{weights['face'][:8]}. Run: dreamactor encode-face {read} --encoder {wanted} --overwrite, or animate "
            "with --no-carry-expression"
        )
    return bundle, layer_key(STAGE, VERSION, _decides(params), inputs, weights), inputs, weights


def _decides(params: Params) -> dict[str, object]:
    """The parameters that decide the bytes."""
    decides = {name: getattr(params, name) for name in _DECIDING}
    return decides | ({"pseudo_refs": params.pseudo_refs} if params.pseudo_refs else {})


def _reference_inputs(bundle, params: Params) -> dict[str, str]:
    """Name -> digest of all further references."""
    inputs: dict[str, str] = {}
    if params.refs:
        from stages.references.digests import reference_inputs

        inputs |= reference_inputs(params.refs)
    if params.pseudo_refs:
        from stages.references.turnaround import turnaround_inputs

        inputs |= {f"turn_{name}": digest for name, digest in turnaround_inputs(bundle, params).items()}
    return inputs


def _carry_references(bundle, params: Params, animator, load_encoder) -> str:
    """The layer with references and carried photo: body, or carried, which is made here for further references."""
    if not (params.refs or params.pseudo_refs):
        return "body"
    from stages.references.carried import LAYER as CARRIED
    from stages.references.carried import write_carried
    from stages.references.turnaround import ensure_turnaround

    made = (ensure_turnaround(bundle, params, animator, load_encoder()),) if params.pseudo_refs else ()
    write_carried(bundle, (*params.refs, *made), animator.config.dit.max_references)
    return CARRIED


def encoder_file(model: str) -> Path:
    """The face encoder that a model was trained with: face.safetensors in its folder, else the shipped one."""
    from stages.face import encoder_file as shipped_or_named

    beside = Path(model) / "face.safetensors"
    return Path(shipped_or_named(str(beside) if beside.is_file() else "default"))


def _partial(item: str | os.PathLike[str], key: str) -> Path:
    """The folder beside the bundle that holds finished segments of one unfinished clip."""
    path = Path(item)
    return path.with_name(f".{path.name}.segments.{key[:16]}")
