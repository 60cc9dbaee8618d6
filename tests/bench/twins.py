"""Other people in the clothes, hair, hats and glasses of given ones: the hardest strangers for pick-refs.

    python tests/bench/twins.py TURNS TWINS

For every clip NAME.zarr of TURNS (as `synth --style turn-around --frames 33` makes them) TWINS/NAME_cross.zarr is
made: the same motion, camera, light, background, clothes and hair, worn by somebody of the same sex and origin with a
face, body, skin, eyes and brows of their own.
"""

import argparse
from pathlib import Path

LENT = ("hair-colour", "style", "hair", "outfit", "hat", "glasses")
FRAMES, FPS = 33, 24.0


def dressed_as(assets, seed: int, wearer: int):
    """The person of a seed with hair and clothes drawn as of another."""
    from stages.synthetic import identity as module

    own = module.numpy_rng
    module.numpy_rng = lambda at, *names: own(wearer if names[-1] in LENT else at, *names)
    try:
        return module.identity(assets, seed)
    finally:
        module.numpy_rng = own


def alike(wearer: int, seed: int) -> int:
    """The first seed from `seed` on whose person has the sex and the main origin of the wearer."""
    from stages.core.rng import numpy_rng
    from stages.synthetic.shape import draw_phenotype

    def kind(at):
        person = draw_phenotype(numpy_rng(at, "synthetic", "identity", "phenotype"))
        return person.male, person.main_origin

    return next(at for at in range(seed, seed + 1000) if kind(at) == kind(wearer))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("turns", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    from stages.bundle import open_bundle
    from stages.synth import Params, run
    from stages.synthetic import clip
    from stages.synthetic.seeds import clip_seed, parse_bundle_name

    arguments.out.mkdir(parents=True, exist_ok=True)
    for path in sorted(arguments.turns.glob("*.zarr")):
        split, number, cross = parse_bundle_name(path.name)
        if cross:
            continue
        wearer, framing = clip_seed(split, number), open_bundle(path).attrs("truth")["framing"]
        clip.identity = lambda assets, seed, wearer=wearer: dressed_as(assets, alike(wearer, seed), wearer)
        params = Params(
            split=split, seed=number, frames=FRAMES, fps=FPS, framing=framing, style="turn-around", references=0,
            assets="full", cross_identity=True,
        )  # fmt: skip
        print(run(arguments.out / f"{path.stem}_cross.zarr", params).path, flush=True)


if __name__ == "__main__":
    main()
