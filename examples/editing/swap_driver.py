"""Swap the driver of a finished bundle's face: another performance's tokens, brought to its length.

    python examples/editing/swap_driver.py clip.zarr other.zarr swapped.zarr
    dreamactor animate swapped.zarr -o swapped.mp4

The drawn controls stay, so nothing but `animate` has to run again. A performance that is too short goes back and forth.
(With another rate, offset, speed or head: dreamactor mix.)
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
import zarr

from stages.bundle import open_bundle, seal_layer

zarr.config.set({"array.write_empty_chunks": True})  # a bundle misses no chunk, also where all is zero or NaN


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="the bundle that is kept but for its face")
    parser.add_argument("other", type=Path, help="the bundle whose face is taken")
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()

    here, other = open_bundle(arguments.source), open_bundle(arguments.other)
    if here.attrs("face")["encoder"]["sha256"] != other.attrs("face")["encoder"]["sha256"]:
        raise SystemExit(f"{arguments.other}: its tokens are of another face encoder than {arguments.source}'s")
    shutil.copytree(arguments.source, arguments.output, ignore=shutil.ignore_patterns("video"))
    frames, theirs = len(here.read("face", "valid")), len(other.read("face", "valid"))
    there_and_back = np.concatenate([np.arange(theirs), np.arange(theirs - 2, 0, -1)])
    index = np.resize(there_and_back, frames)
    for name in ("tokens", "valid"):
        path = arguments.output / "face" / name
        zarr.open_array(path, mode="r+")[:] = other.read("face", name)[index]
    seal_layer(arguments.output, "face", f"face of {arguments.other.name}")
    print(arguments.output)


if __name__ == "__main__":
    main()
