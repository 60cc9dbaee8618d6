"""Measures the average head of stages.face.carry on synthetic people: where face points are, how expressions move them.

python -m stages.training.face_shape      writes stages/face/weights/shape.safetensors
"""

import numpy as np

from stages.core.rng import numpy_rng
from stages.synthetic.assets import Assets, load_assets
from stages.synthetic.identity import identity
from stages.synthetic.seeds import clip_seed
from stages.synthetic.truth import JointReader

PEOPLE = 24
_AMOUNT = 0.7  # of an expression, when its move is measured


def measure_face_shape(assets: Assets, people: int = PEOPLE) -> tuple[np.ndarray, np.ndarray]:
    """Return neutral float [68, 3] and moves float [52, 68, 3]: means over people of the training split, head axes,
    in head radii."""
    neutral, moves = zip(*(_of_person(assets, seed) for seed in people_seeds(people)), strict=True)
    return np.mean(neutral, 0), np.mean(moves, 0)


def people_seeds(people: int = PEOPLE) -> list[int]:
    """Seeds of the training people that averages are measured on."""
    drawn = numpy_rng(0, "train", "face shape", "people").integers(0, 100_000, people)
    return [clip_seed("train", int(seed)) for seed in drawn]


def _of_person(assets: Assets, seed: int) -> tuple[np.ndarray, np.ndarray]:
    person = identity(assets, seed)
    reader = JointReader(person)

    def points(name: str = "") -> np.ndarray:
        pose = person.pose({}, {name: _AMOUNT} if name else {}, np.zeros(3))
        seen = reader.read(pose, np.eye(4))
        return (seen.face_m - seen.head_center_m) @ seen.R_cam_head / reader.head_radius_m

    neutral = points()
    return neutral, np.stack([(points(name) - neutral) / _AMOUNT for name in assets.arkit_names])


def main() -> None:
    import torch

    from stages.face.shape import SHAPE_FILE
    from stages.weights.checkpoint import save_checkpoint

    neutral, moves = (torch.from_numpy(array).float() for array in measure_face_shape(load_assets("full")))
    save_checkpoint(SHAPE_FILE, {"neutral": neutral, "moves": moves}, {"people": PEOPLE})


if __name__ == "__main__":
    main()
