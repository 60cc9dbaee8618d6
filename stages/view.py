"""Shows what the other stages found: an overlay video, or a PNG of one frame or of a few spread over the clip.

Reads   `clip` and whichever of `pose`, `body`, `head`, `face` are there (or the one asked for).
Writes  NAME_view.mp4 (with the clip's sound) or NAME_view.png beside the bundle, or the file that is named.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stages.core.errors import ConflictError, InputError, UsageError
from stages.core.records import Plan, Record

STAGE = "view"
VERSION = 1
LAYERS = ("pose", "body", "head", "face")
_SHEET_FRAMES = 6
_BLOCK_FRAMES = 16
_SMALL = {
    "pose": (
        "joints_px",
        "joint_valid",
        "hands_px",
        "hand_valid",
        "face_px",
        "face_valid",
        "present",
        "box_px",
        "person_id",
    ),
    "body": (),
    "head": ("R_cam_head", "center_px", "radius_px"),
    "face": ("crop_affine",),
}


@dataclass(frozen=True)
class Params:
    """Settings of view.

    layer      pose, body, head, face, or all that are there
    output     file to write, .mp4 or .png; None = NAME_view.mp4 beside the bundle (.png for a photo or with frame)
    frame      one frame only, as PNG
    max_side   longer side of one panel, px
    overwrite  replace an output that was made with other settings or by something else
    """

    layer: str = "all"
    output: str | None = None
    frame: int | None = None
    max_side: int = 720
    overwrite: bool = False


def plan(item: str | os.PathLike[str], params: Params) -> Plan:
    """What `run` would do with one bundle.

    errors  UsageError: bad parameter. InputError: not a bundle, a layer or frame is missing.
            ConflictError: the output exists and was not made by the same command
    """
    from stages.bundle import layer_key

    bundle, layers, output = _resolve(item, params)
    inputs = {layer: bundle.key(layer) for layer in ("clip", *layers)}
    decides = {"layers": layers, "frame": params.frame, "max_side": params.max_side, "format": output.suffix.lower()}
    key = layer_key(STAGE, VERSION, decides, inputs)
    if not output.exists():
        return Plan("write", key, str(output), inputs)
    if _key_in(output) == key:
        return Plan("skip", key, str(output), inputs)
    if params.overwrite:
        return Plan("replace", key, str(output), inputs)
    raise ConflictError(
        f"{output}: exists and was made with other settings or by something else. --overwrite replaces it"
    )


def run(
    item: str | os.PathLike[str], params: Params, progress: Callable[[int, int | None, str], None] | None = None
) -> Record:
    """The Record of one bundle; its path is the picture or video.

    progress  called with (frames done, frames, "view")
    errors    those of `plan`; InputError for a damaged bundle
    """
    from stages.media import clip_frames, clip_media, write_png, write_video
    from stages.overlay.panels import arrange

    started = time.monotonic()
    todo = plan(item, params)
    if todo.action == "skip":
        return Record(STAGE, todo.output, "skipped", todo.key, time.monotonic() - started)
    bundle, layers, output = _resolve(item, params)
    mark = {"ai_generated": False, "what": f"overlay of {', '.join(layers)}", "key": todo.key}
    with clip_frames(bundle) as reader:
        frames = len(reader)
        if params.frame is not None and not 0 <= params.frame < frames:
            raise InputError(f"{item}: has frames 0 to {frames - 1}, found --frame {params.frame}")
        source = _Source(bundle, layers, reader, params.max_side)
        if output.suffix.lower() == ".png":
            if params.frame is not None or frames == 1:
                write_png(output, arrange(source.panels(params.frame or 0)), text=mark)
            else:
                write_png(output, _sheet(source, reader), text=mark)
        else:
            pictures = source.video(progress)
            if bundle.attrs("clip").get("has_audio"):
                with clip_media(bundle) as sound:
                    write_video(output, pictures, reader.fps, audio_from=sound, metadata=mark)
            else:
                write_video(output, pictures, reader.fps, metadata=mark)
    status = "replaced" if todo.action == "replace" else "written"
    data = {"frames": frames, "layers": list(layers)}
    return Record(STAGE, str(output), status, todo.key, time.monotonic() - started, data=data)


class _Source:
    """The panels of a clip, frame by frame; small arrays are read at once, maps in blocks."""

    def __init__(self, bundle, layers: tuple[str, ...], reader, max_side: int) -> None:
        from stages.body.draw import BODY_COLOURS_U8
        from stages.overlay.panels import Scene

        self.bundle, self.layers, self.reader = bundle, layers, reader
        self.arrays = {layer: {name: bundle.read(layer, name) for name in _SMALL[layer]} for layer in layers}
        for layer, arrays in self.arrays.items():
            for name, values in arrays.items():
                if len(values) != len(reader):
                    raise InputError(
                        f"{bundle.path}: '{layer}/{name}' has {len(values)} frames, the clip has {len(reader)}; "
                        f"make the layer '{layer}' again"
                    )
        canvas = bundle.attrs("body").get("canvas", {}) if bundle.has("body") else {}
        self.scene = Scene(
            layers=layers,
            scale=max_side / max(reader.size),
            bone_colours=BODY_COLOURS_U8,
            driver_affine=canvas.get("driver_affine"),
            reference=self._reference(),
        )

    def _reference(self):
        """The reference on the canvas under its own maps; None when no control map is shown."""
        from stages.overlay.draw import blend_maps

        if "body" not in self.layers:
            return None
        maps = [self.bundle.read(layer, "ref_map")[0] for layer in ("body", "head") if layer in self.layers]
        return blend_maps(self.bundle.read("body", "ref_frame")[0], maps, dim=0.7)

    def panels(self, index: int):
        """Label -> panel of one frame."""
        frames = slice(index, index + 1)
        maps = {
            layer: self.bundle.read(layer, "map", frames=frames)[0]
            for layer in self.layers
            if layer in ("body", "head")
        }
        return self._panels(index, self.reader.frame(index), maps)

    def video(self, progress) -> Iterator:
        """uint8 pictures of all frames in order."""
        from stages.overlay.panels import arrange

        done = 0
        for block in self.reader.blocks(_BLOCK_FRAMES):
            frames = slice(done, done + len(block))
            maps = {k: self.bundle.read(k, "map", frames=frames) for k in self.layers if k in ("body", "head")}
            for offset, image in enumerate(block):
                panels = self._panels(done, image, {layer: values[offset] for layer, values in maps.items()})
                yield arrange(panels)
                done += 1
            if progress is not None:
                progress(done, len(self.reader), "view")

    def _panels(self, index: int, image, maps):
        from stages.face.crop import warp_crop
        from stages.overlay.panels import frame_panels

        frame = {
            layer: {name: values[index] for name, values in arrays.items()} for layer, arrays in self.arrays.items()
        }
        for layer, control in maps.items():
            frame[layer]["map"] = control
        if "face" in frame:
            frame["face"]["crop"] = warp_crop(image, frame["face"]["crop_affine"])
        return frame_panels(image, frame, self.scene)


def _sheet(source: _Source, reader):
    """A contact sheet of frames spread evenly over the clip."""
    import numpy as np

    from stages.media import contact_sheet

    chosen = sorted({int(i) for i in np.linspace(0, len(reader) - 1, min(_SHEET_FRAMES, len(reader))).round()})
    rows = [source.panels(index) for index in chosen]
    return contact_sheet(
        [list(row.values()) for row in rows],
        list(rows[0]),
        row_labels=[f"{index}  {reader.times_s[index]:.2f} s" for index in chosen],
    )


def _resolve(item: str | os.PathLike[str], params: Params):
    """(bundle, layers to show, output path)."""
    from stages.bundle import open_bundle

    if params.layer not in (*LAYERS, "all"):
        raise UsageError(f"--layer: found {params.layer!r}, expected one of {', '.join((*LAYERS, 'all'))}")
    if not 64 <= params.max_side <= 4096:
        raise UsageError(f"--max-side: found {params.max_side}, expected 64 to 4096")
    bundle = open_bundle(item)
    bundle.require("clip")
    if params.layer == "all":
        # a face from another film or from speech has no place in this one's pictures
        layers = tuple(layer for layer in LAYERS if bundle.has(layer) and _shown(bundle, layer))
        if not layers:
            bundle.require("pose")
    else:
        bundle.require(params.layer)
        if not _shown(bundle, params.layer):
            raise InputError(
                f"{item}: layer '{params.layer}' was not read from this clip's pictures, there is nothing to show of it"
            )
        layers = (params.layer,)
    still = params.frame is not None or bundle.attrs("clip").get("frame_count") == 1
    if params.output is not None:
        output = Path(params.output)
    else:
        path = Path(item)
        output = path.with_name(f"{path.name.removesuffix('.zarr')}_view.{'png' if still else 'mp4'}")
    if output.suffix.lower() not in (".mp4", ".png") or (still and output.suffix.lower() == ".mp4"):
        expected = "a .png file for a single frame" if still else "a .mp4 or .png file"
        raise UsageError(f"--output: found {output.name}, expected {expected}")
    return bundle, layers, output


def _shown(bundle, layer: str) -> bool:
    return set(_SMALL[layer]) <= set(bundle.array_names(layer))


def _key_in(output: Path) -> str:
    """The key an earlier run wrote into a picture or video; "" for a file that is not ours."""
    from stages.media import read_mark

    try:
        mark = read_mark(output)
    except InputError:
        return ""
    return str((mark or {}).get("key", ""))
