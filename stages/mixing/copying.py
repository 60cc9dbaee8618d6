"""Arrays of one layer put into another bundle's."""

from __future__ import annotations

import tempfile
from itertools import islice
from pathlib import Path

import numpy as np

from stages.bundle import ArraySpec, Bundle, LayerWriter


def spec_of(bundle: Bundle, layer: str, name: str) -> ArraySpec:
    """The ArraySpec an array was written with."""
    info = bundle.array_info(layer, name)
    extra = {} if info["dtype"].startswith("float") else {"fill": info["fill"]}
    valid_range = None if info["valid_range"] is None else tuple(info["valid_range"])
    return ArraySpec(info["dtype"], tuple(info["axes"]), info["unit"], valid_range, meaning=info["meaning"], **extra)


def copy_array(bundle: Bundle, layer: str, name: str, writer: LayerWriter, frames: int | None = None) -> None:
    """Put an array into the writer's layer, whole and block by block, or its first `frames` where its axis is time."""
    info, spec = bundle.array_info(layer, name), spec_of(bundle, layer, name)
    if not info["shape"]:
        writer.put(name, bundle.read(layer, name), spec)
        return
    in_time = frames is not None and info["axes"][0] == "T"
    length = min(info["shape"][0], frames) if in_time else info["shape"][0]
    row_bytes = np.dtype(info["dtype"]).itemsize * int(np.prod(info["shape"][1:], dtype=np.int64))
    stream = writer.stream(name, info["shape"][1:], spec, length=length)
    for block in bundle.iter_frames(layer, name, max(16, (4 << 20) // max(1, row_bytes))):
        stream.append(block[: length - stream.count])  # the digest is checked after the last block, so all are read


def cut_media(bundle: Bundle, frames: int) -> np.ndarray:
    """Bytes uint8 of the clip's film with its first `frames` pictures and the sound of that time."""
    from stages.media import VideoReader, clip_media, write_video

    with tempfile.TemporaryDirectory(prefix="dreamactor-") as folder, clip_media(bundle) as path:
        short = Path(folder) / "media.mp4"
        with VideoReader(path) as reader:
            sound = path if bundle.attrs("clip").get("has_audio") else None
            write_video(short, islice(iter(reader), frames), reader.fps, audio_from=sound)
        return np.fromfile(short, np.uint8)
