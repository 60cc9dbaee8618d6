"""Freeze the head: from one moment on it no longer turns, while the body goes on.

    python examples/editing/freeze_head.py clip.zarr frozen.zarr --frame 10
    dreamactor render-spheres frozen.zarr --ref hero.png

The face's points and the joints of the head keep the shape they have in that frame and only travel with the neck.
(To lock it on the photo's own turn: dreamactor render-spheres --head-strength 0.)
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
import zarr

from stages.bundle import open_bundle, seal_layer
from stages.core.skeleton import BODY_INDEX

HEAD = [BODY_INDEX[name] for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")]
NECK = BODY_INDEX["neck"]

zarr.config.set({"array.write_empty_chunks": True})  # a bundle misses no chunk, also where all is zero or NaN


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--frame", type=int, default=0, help="the moment from which on the head stays")
    arguments = parser.parse_args()

    bundle, frame = open_bundle(arguments.source), arguments.frame
    shutil.copytree(arguments.source, arguments.output, ignore=shutil.ignore_patterns("body", "head", "video"))
    neck_px = bundle.read("pose", "joints_px")[:, NECK]
    for name in ("joints_px", "joints_m"):
        array = zarr.open_array(arguments.output / "pose" / name, mode="r+")
        values = array[:]
        shape = values[frame, HEAD] - values[frame, NECK]
        values[frame:, HEAD] = values[frame:, NECK, None] + shape
        array[:] = values
    array = zarr.open_array(arguments.output / "pose" / "face_px", mode="r+")
    values = array[:]
    values[frame:] = values[frame]
    values[frame:, :, :2] += (neck_px[frame:] - neck_px[frame])[:, None]
    array[:] = values
    if "R_cam_head" in bundle.array_names("pose"):  # a mixed bundle says the turn itself
        turn = zarr.open_array(arguments.output / "pose" / "R_cam_head", mode="r+")
        turn[frame:] = np.repeat(turn[frame : frame + 1], turn.shape[0] - frame, 0)
    seal_layer(arguments.output, "pose", f"head frozen from frame {frame} on")
    print(arguments.output)


if __name__ == "__main__":
    main()
