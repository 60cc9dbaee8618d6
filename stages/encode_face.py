"""Adds the layer `face`: stable crops of the driver's face and the motion tokens an encoder reads from them.

Reads   `clip` (the frames) and `pose` (face landmarks).
Writes  `face`: tokens float32 [T, N, C] (NaN where no face is seen), valid bool [T], crop_affine float32 [T, 2, 3]
        and, with keep_crops, crops uint8 [T, 224, 224, 3]; attrs encoder {name, sha256}.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stages.core.errors import InputError, UsageError
from stages.core.records import Plan, Record

STAGE = "encode-face"
LAYER = "face"
VERSION = 1
_BLOCK_FRAMES = 8


@dataclass(frozen=True)
class Params:
    """Settings of encode-face.

    encoder     "default" (shipped) or the path of an encoder's safetensors file
    keep_crops  also store the crops, about 40 kB a frame
    upright     turn the head's roll out of the crop (the shipped encoder was trained without)
    device      where the encoder runs: auto, cpu, cuda, cuda:N, mps
    batch       crops encoded at once; decides speed and memory only
    overwrite   replace a layer made with other settings
    """

    encoder: str = "default"
    keep_crops: bool = False
    upright: bool = False
    device: str = "auto"
    batch: int = 32
    overwrite: bool = False


def plan(item: str | os.PathLike[str], params: Params) -> Plan:
    """What `run` would do with one bundle.

    errors  UsageError: bad parameter. InputError: not a bundle, or a layer is missing. WeightsError: no such encoder.
            ConflictError: the layer exists with other settings and not `overwrite`
    """
    from stages.bundle import plan_layer

    if params.batch < 1:
        raise UsageError(f"--batch: found {params.batch}, expected 1 or more")
    _, key, inputs, _ = _identity(item, params)
    return plan_layer(item, LAYER, key, overwrite=params.overwrite, inputs=inputs)


def run(
    item: str | os.PathLike[str], params: Params, progress: Callable[[int, int | None, str], None] | None = None
) -> Record:
    """The Record of one bundle; data holds frames, faces and the encoder's name.

    item      path of a bundle with the layers clip and pose
    progress  called with (frames done, frames, "face")
    errors    those of `plan`; InputError when clip and pose do not fit together
    """
    started = time.monotonic()
    todo = plan(item, params)
    if todo.action == "skip":
        return Record(STAGE, str(item), "skipped", todo.key, time.monotonic() - started)
    import numpy as np

    from stages.bundle import LayerWriter, make_provenance
    from stages.core.device import pick_device
    from stages.face.crop import CROP_PX, track_crops
    from stages.face.encoder import load_face_encoder
    from stages.face.layer import face_specs
    from stages.media import clip_frames

    bundle, key, inputs, weights = _identity(item, params)
    pose = bundle.attrs("pose")
    with clip_frames(bundle) as reader:
        face_valid = bundle.read("pose", "face_valid")
        frames = len(face_valid)
        if len(reader) != frames:
            raise InputError(
                f"{item}: layer 'pose' has {frames} frames, 'clip' has {len(reader)}; make both by one extract-pose"
            )
        affine, valid = track_crops(
            bundle.read("pose", "face_px"), face_valid, pose["face_layout"], float(reader.fps), upright=params.upright
        )
        encoder = load_face_encoder(params.encoder, device=pick_device(params.device))
        attrs = {
            "encoder": {"name": encoder.name, "sha256": encoder.sha256},
            "face_layout": pose["face_layout"],
            "upright": params.upright,
            "crop_px": CROP_PX,
        }
        provenance = make_provenance(STAGE, VERSION, _decides(params), inputs, weights, item=item)
        with LayerWriter(
            item, LAYER, key=key, attrs=attrs, provenance=provenance, overwrite=params.overwrite
        ) as writer:
            specs = face_specs()
            crops = None
            if params.keep_crops:
                crops = writer.stream("crops", (CROP_PX, CROP_PX, 3), specs["crops"], length=frames)
            tokens = _encode(reader, affine, valid, encoder, params.batch, crops, progress)
            writer.put("tokens", tokens, specs["tokens"])
            writer.put("valid", valid, specs["valid"])
            writer.put("crop_affine", np.asarray(affine, np.float32), specs["crop_affine"])
            status = writer.commit()
    data = {"frames": frames, "faces": int(valid.sum()), "encoder": encoder.name}
    return Record(STAGE, str(item), status, key, time.monotonic() - started, data=data)


def _encode(reader, affine, valid, encoder, batch: int, crops, progress):
    """tokens float32 [T, N, C], NaN where valid is False; frames are streamed, at most `batch` crops are held."""
    import numpy as np

    from stages.face.crop import CROP_PX, warp_crop

    pending: list[np.ndarray] = []
    places: list[int] = []
    found: dict[int, np.ndarray] = {}

    def flush() -> None:
        if pending:
            found.update(zip(places, np.asarray(encoder.tokens(np.stack(pending)), np.float32), strict=True))
            pending.clear()
            places.clear()

    for start, block in zip(range(0, len(valid), _BLOCK_FRAMES), reader.blocks(_BLOCK_FRAMES), strict=True):
        images = [warp_crop(frame, affine[start + offset]) for offset, frame in enumerate(block)]
        if crops is not None:
            crops.append(np.stack(images))
        for offset, image in enumerate(images):
            if valid[start + offset]:
                pending.append(image)
                places.append(start + offset)
            if len(pending) == batch:
                flush()
        if progress is not None:
            progress(start + len(block), len(valid), "face")
    flush()
    # The shape of one token set is the encoder's own; a clip without any face still gets an array of that shape.
    example = next(iter(found.values()), None)
    if example is None:
        example = encoder.tokens(np.zeros((1, CROP_PX, CROP_PX, 3), np.uint8))[0]
    tokens = np.full((len(valid), *example.shape), np.nan, np.float32)
    for place, value in found.items():
        tokens[place] = value
    return tokens


def _identity(item: str | os.PathLike[str], params: Params):
    """(bundle, key, inputs, weights) of the layer these parameters would make."""
    from stages.bundle import layer_key, open_bundle
    from stages.face import encoder_file
    from stages.weights.checkpoint import file_sha256

    bundle = open_bundle(item)
    bundle.require("clip", "pose")
    inputs = {"clip": bundle.key("clip"), "pose": bundle.key("pose")}
    weights = {"face_encoder": file_sha256(Path(encoder_file(params.encoder)))}
    return bundle, layer_key(STAGE, VERSION, _decides(params), inputs, weights), inputs, weights


def _decides(params: Params) -> dict[str, object]:
    """The parameters that decide the bytes; device and batch do not, the encoder counts by its content."""
    return {"keep_crops": params.keep_crops, "upright": params.upright}
