"""Splice two clips: the first so many frames of one, then another, with joints and face blended over the cut.

    python examples/editing/splice_clips.py first.zarr second.zarr spliced.zarr --at 40 --blend 6
    dreamactor render-spheres spliced.zarr --ref hero.png

Both need one rate and one picture size. The last `blend` frames of the first clip glide into the first of the second.
"""

import argparse
import shutil
import tempfile
from itertools import chain, islice
from pathlib import Path

import numpy as np
import zarr

from stages.bundle import open_bundle, seal_layer

zarr.config.set({"array.write_empty_chunks": True})  # a bundle misses no chunk, also where all is zero or NaN


def joined(first, second, at, blend):
    """[at + len(second) - blend, ...]: between both over `blend` frames; numbers glide, marks change in the middle."""
    length = at + len(second) - blend
    out = np.concatenate([first[:at], second[blend:]])[:length]
    share = (np.arange(blend) + 0.5) / max(blend, 1)
    before, after = first[at - blend : at], second[:blend]
    if first.dtype.kind == "f":
        share = share.reshape(-1, *[1] * (first.ndim - 1))
        mixed = (1 - share) * before + share * after
        # where only one of both is known, that one
        out[at - blend : at] = np.where(np.isfinite(mixed), mixed, np.where(np.isfinite(before), before, after))
    else:
        out[at - blend : at] = np.where((share < 0.5).reshape(-1, *[1] * (first.ndim - 1)), before, after)
    return out


def film(clips, at, blend, folder):
    """Bytes of both films behind each other."""
    from stages.media import VideoReader, clip_media, write_video

    with clip_media(clips[0]) as one, clip_media(clips[1]) as two, VideoReader(one) as a, VideoReader(two) as b:
        write_video(folder / "media.mp4", chain(islice(iter(a), at), islice(iter(b), blend, None)), a.fps)
    return np.fromfile(folder / "media.mp4", np.uint8)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--at", type=int, default=0, help="frames of the first clip; 0 = all of them")
    parser.add_argument("--blend", type=int, default=6)
    arguments = parser.parse_args()

    clips = [open_bundle(path) for path in (arguments.first, arguments.second)]
    for name in ("fps", "size"):
        if clips[0].attrs("clip").get(name) != clips[1].attrs("clip").get(name):
            raise SystemExit(f"{arguments.second}: its {name} is not that of {arguments.first}")
    at = arguments.at or len(clips[0].read("pose", "present"))
    blend = min(arguments.blend, at, len(clips[1].read("pose", "present")) - 1)
    drawn = shutil.ignore_patterns("body", "head", "video", "truth")
    shutil.copytree(arguments.first, arguments.output, ignore=drawn)
    for layer in [name for name in ("clip", "pose", "face") if all(clip.has(name) for clip in clips)]:
        for name in clips[0].array_names(layer):
            axes = clips[0].array_info(layer, name)["axes"]
            path = arguments.output / layer / name
            if name == "media":
                with tempfile.TemporaryDirectory() as folder:
                    values = film(clips, at, blend, Path(folder))
            elif name == "times_s":
                step = np.median(np.diff(clips[0].read(layer, name)))
                values = step * np.arange(at + len(clips[1].read(layer, name)) - blend)
            elif axes and axes[0] == "T":
                values = joined(clips[0].read(layer, name), clips[1].read(layer, name), at, blend)
            else:
                continue  # the camera stays the first clip's
            zarr.open_array(path, mode="r+").resize((len(values), *values.shape[1:]))
            zarr.open_array(path, mode="r+")[:] = values  # no chunk may be missing
        seal_layer(arguments.output, layer, f"{arguments.first.name}, from frame {at} on {arguments.second.name}")
    print(arguments.output)


if __name__ == "__main__":
    main()
