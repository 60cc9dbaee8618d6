"""Exaggerate a smile: expressions are a linear part of the face's tokens, so one of them can be made stronger alone.

    python examples/editing/exaggerate_smile.py clip.zarr smile.zarr --times 2
    dreamactor animate smile.zarr -o smile.mp4

--names takes any of the 52 ARKit names (jawOpen, browInnerUp ...). All at once: dreamactor animate --face-strength.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
import zarr

from stages.bundle import open_bundle, seal_layer
from stages.core.arkit import ARKIT_NAMES
from stages.face.encoder import load_face_encoder

zarr.config.set({"array.write_empty_chunks": True})  # a bundle misses no chunk, also where all is zero or NaN


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--names", default="mouthSmileLeft,mouthSmileRight", help="expressions, with commas between")
    parser.add_argument("--times", type=float, default=2.0)
    parser.add_argument("--encoder", default="default", help="the face encoder the tokens are of")
    arguments = parser.parse_args()

    bundle, encoder = open_bundle(arguments.source), load_face_encoder(arguments.encoder)
    if bundle.attrs("face")["encoder"]["sha256"] != encoder.sha256:
        raise SystemExit(f"{arguments.source}: its tokens are of another face encoder; name it with --encoder")
    shutil.copytree(arguments.source, arguments.output, ignore=shutil.ignore_patterns("video"))
    array = zarr.open_array(arguments.output / "face" / "tokens", mode="r+")
    tokens = array[:]
    expressions = encoder.expressions_of(tokens)
    columns = [ARKIT_NAMES.index(name) for name in arguments.names.split(",")]
    rest = np.nanpercentile(expressions[:, columns], 10, axis=0)  # the calm face of this driver
    expressions[:, columns] = rest + arguments.times * (expressions[:, columns] - rest)
    array[:] = encoder.with_expressions(tokens, expressions)
    seal_layer(arguments.output, "face", f"{arguments.names} {arguments.times:g} times")
    print(arguments.output)


if __name__ == "__main__":
    main()
