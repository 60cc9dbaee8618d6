"""Measures the tube of stages.body.trunk on synthetic people: how wide and how deep a torso is from shoulders to hips.

python -m stages.training.trunk_shape      prints the table that stands in stages/body/trunk.py
"""

import sys

import numpy as np

from stages.body.trunk import HEIGHT
from stages.synthetic.assets import Assets, load_assets
from stages.synthetic.identity import identity
from stages.synthetic.torso import Torso
from stages.synthetic.truth import BODY_BONES
from stages.training.face_shape import PEOPLE, people_seeds

# Around the skin, in distances of the shoulder joints. `Torso` takes the widest within an eleventh of its height up and
# down; a plain section of the mesh is 0.01 to 0.05 less, so cloth in truth has that much more room.
_CLOTH = 0.03
_STEP = 0.005  # of the table: people differ by far more


def measure_trunk(assets: Assets, people: int = PEOPLE) -> np.ndarray:
    """Return float [3, heights]: half width, half depth, how far the middle lies before the line from the shoulders to
    the hips, in distances of the shoulder joints. Means over people of the training split, dressed."""
    skin = np.mean([_of_person(assets, seed) for seed in people_seeds(people)], 0)
    return skin + np.array([[_CLOTH], [_CLOTH], [0.0]])


def by_height(torso: Torso, shoulders: np.ndarray, hips: np.ndarray) -> np.ndarray:
    """Return float [3, heights] of one person's skin, as `measure_trunk`.

    shoulders, hips  float [2, 3] joints at rest, left and right, in the axes of the torso: y up, z ahead
    """
    size = np.linalg.norm(shoulders[0] - shoulders[1])
    top, bottom = shoulders.mean(0), hips.mean(0)
    line = top + HEIGHT[:, None] * (bottom - top)
    half_width, half_depth, middle = (
        np.interp(line[:, 1], torso.height, of) for of in (torso.half_width, torso.half_depth, torso.middle)
    )
    return np.stack([half_width, half_depth, middle - line[:, 2]]) / size


def table(shape: np.ndarray) -> str:
    """The lines of stages/body/trunk.py that say a shape float [3, heights]."""
    steps = np.round(shape / _STEP) * _STEP
    rows = zip(("HALF_WIDTH", "HALF_DEPTH", "AHEAD"), steps, strict=True)
    return "".join(f"{name} = np.array([{', '.join(f'{value:.3g}' for value in row)}])\n" for name, row in rows)


def _of_person(assets: Assets, seed: int) -> np.ndarray:
    person = identity(assets, seed)
    shoulders, hips = (
        np.stack([person.joint(f"{BODY_BONES[name]}.{side}") for side in "LR"]) for name in ("shoulder", "hip")
    )
    return by_height(Torso(person), shoulders, hips)


def main() -> None:
    sys.stdout.write(table(measure_trunk(load_assets("full"))))


if __name__ == "__main__":
    main()
