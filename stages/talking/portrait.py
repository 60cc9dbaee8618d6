"""The layers `clip` and `pose` of a photo that is held for as long as somebody speaks."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from stages.bundle import ArraySpec, LayerWriter
from stages.media import write_video
from stages.pose.layer import pose_specs
from stages.talking.performance import Performance

BLOCK = 1024  # frames written at once
_MEDIA_BLOCK = 1 << 22
Progress = Callable[[int, int | None, str], None]


def write_held_clip(
    path: Path, performance: Performance, frames: int, sound: Path, source: dict[str, Any], options: dict[str, Any],
    progress: Progress | None = None,
) -> str:  # fmt: skip
    """The status of the layer `clip`: the photo as a film with the sound.

    source   what the attribute of that name says;  options  key, provenance and overwrite of the LayerWriter
    """
    picture, fps = performance.sitter.picture, performance.fps

    def pictures():
        for frame in range(frames):
            if progress is not None and frame % 64 == 0:
                progress(frame, frames, "clip")
            yield picture

    attrs = {
        "source": source,
        "fps": f"{fps.numerator}/{fps.denominator}",
        "size": list(picture.shape[:2]),
        "rotation_deg": 0,
        "frame_count": frames,
        "has_audio": True,
        "warnings": [],
    }
    with ExitStack() as stack:
        media = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dreamactor-"))) / "media.mp4"
        write_video(media, pictures(), fps, audio_from=os.fspath(sound))
        writer = stack.enter_context(LayerWriter(path, "clip", attrs=attrs, **options))
        spec = ArraySpec("uint8", ("byte",), meaning="the held photo as an MP4, with the sound")
        stream = writer.stream("media", (), spec)
        with media.open("rb") as file:
            while block := file.read(_MEDIA_BLOCK):
                stream.append(np.frombuffer(block, np.uint8))
        times = ArraySpec("float64", ("T",), "s", meaning="presentation times in the source")
        writer.put("times_s", np.arange(frames) / float(fps), times)
        return writer.commit()


def write_held_pose(path: Path, performance: Performance, frames: int, options: dict[str, Any]) -> str:
    """The status of the layer `pose`: that of the photo in every frame, its head turned as the performance says."""
    sitter, specs = performance.sitter, pose_specs()
    attrs = {
        "backend": sitter.attrs["backend"],
        "weights": {name: dict(about) for name, about in sitter.attrs["weights"].items()},
        "face_layout": sitter.attrs["face_layout"],
        "person": "largest",
    }
    with LayerWriter(path, "pose", attrs=attrs, **options) as writer:
        streams = {}
        for name, array in sitter.pose.items():
            if name == "K_px":
                writer.put(name, array, specs[name])
            else:
                streams[name] = writer.stream(name, array.shape[1:], specs[name], length=frames)
        for first in range(0, frames, BLOCK):
            held = performance.held_pose(first, min(BLOCK, frames - first))
            for name, stream in streams.items():
                stream.append(held[name])
        return writer.commit()
