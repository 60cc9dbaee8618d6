"""Measures the relief of stages.body.relief on synthetic people: how far skin stands before or behind the ellipsoid.

python -m stages.training.head_relief      writes stages/body/weights/relief.safetensors
"""

import numpy as np

from stages.body import ellipsoid
from stages.body.relief import COLUMNS, ROWS, directions
from stages.core.geometry import smoothstep
from stages.synthetic.assets import Assets, load_assets
from stages.synthetic.character import BODY_VERTICES
from stages.synthetic.identity import identity
from stages.synthetic.truth import JointReader
from stages.training.face_shape import PEOPLE, people_seeds

_NEAR = 0.07  # chord on the unit ball within which a vertex speaks for a direction
_DOWN, _AHEAD = (-0.62, -0.35), (-0.02, -0.3)  # in radii: from the hairline to the brows; from the ears to the face
_JAW = (1.12, 0.95)  # in radii downwards: from the neck to the chin


def measure_relief(assets: Assets, people: int = PEOPLE) -> np.ndarray:
    """Return float [ROWS, COLUMNS]: length of the skin along each direction of `directions`, where there is a face;
    1, the ellipsoid itself, where hair is. A mean over people of the training split."""
    mean = np.mean([_skin(assets, seed) for seed in people_seeds(people)], 0)  # one mesh: point by point
    stretched = mean / ellipsoid.AXES
    length = np.linalg.norm(stretched, axis=1)
    outer = _outermost(stretched / length[:, None], length)
    at = directions() * outer[..., None] * ellipsoid.AXES
    share = smoothstep(at[..., 1], *_DOWN) * smoothstep(at[..., 2], *_AHEAD) * smoothstep(at[..., 1], *_JAW)
    return 1.0 + share * (outer - 1.0)


def _skin(assets: Assets, seed: int) -> np.ndarray:
    """float [V, 3] of the head's skin at rest, head axes, in head radii."""
    reader = JointReader(identity(assets, seed))
    return reader.in_head(reader.character.rest_dm[:BODY_VERTICES])


def _outermost(unit: np.ndarray, length: np.ndarray) -> np.ndarray:
    """float [ROWS, COLUMNS]: lengths of the vertices near each direction, the outer ones (mouths have an inside)."""
    from scipy.spatial import cKDTree

    head = length < 1.6
    unit, length = unit[head], length[head]
    tree, wanted = cKDTree(unit), directions().reshape(-1, 3)
    out = np.empty(len(wanted))
    for number, near in enumerate(tree.query_ball_point(wanted, _NEAR)):
        near = near if len(near) >= 3 else tree.query(wanted[number], 6)[1]
        found = length[near]
        surface = found > found.max() - 0.08
        weight = np.exp(-np.square(unit[near] - wanted[number]).sum(1) / (2 * (0.35 * _NEAR) ** 2))[surface] + 1e-6
        out[number] = (weight * found[surface]).sum() / weight.sum()
    return out.reshape(ROWS, COLUMNS)


def main() -> None:
    import torch

    from stages.body.relief import RELIEF_FILE
    from stages.weights.checkpoint import save_checkpoint

    RELIEF_FILE.parent.mkdir(exist_ok=True)
    lengths = torch.from_numpy(measure_relief(load_assets("full"))).float()
    save_checkpoint(RELIEF_FILE, {"lengths": lengths}, {"people": PEOPLE})


if __name__ == "__main__":
    main()
