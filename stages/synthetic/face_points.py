"""The 68 face points of the iBUG layout as points of the base mesh, so that they move with skin and expression.

How they were found: 14 people without expression were drawn at yaw -28, 0 and 28 degrees; the face mesh network of
the default pose backend gave its 478 points; for each of the usual 68 of them the point of the skin under it was taken,
as a place on the neutral base mesh, robustly averaged over pictures and over both sides of the face. Four groups are
chosen by shape instead: the brows lie on the upper third of the twelve drawn brows (the network puts them up to a
centimetre above); the eyelids are the rim of the opening at its ends and thirds; the lips' points are held to the lip
they belong to (by how far jawOpen moves it); the contour (0..16) is the template of stages/head/template.py moved onto
the mesh, so it is a fixed line along the jaw and not the silhouette of the picture.
"""

import numpy as np

from stages.synthetic import kernels
from stages.synthetic.assets import Assets
from stages.synthetic.character import Pose

# Three base vertices and their weights, for the contour, brows, nose, eyes and mouth of the layout; right side first.
_TABLE = (
    (5239, 871, 271, 0.53, 0.38, 0.09), (5411, 859, 867, 0.57, 0.31, 0.12), (5097, 868, 5098, 0.54, 0.29, 0.17),
    (912, 895, 5241, 0.43, 0.37, 0.20), (894, 5240, 895, 0.91, 0.09, 0.00), (892, 893, 742, 0.58, 0.36, 0.06),
    (922, 891, 920, 0.69, 0.24, 0.07), (727, 726, 746, 0.78, 0.19, 0.03), (747, 780, 726, 0.94, 0.06, 0.00),
    (7449, 7448, 7466, 0.78, 0.19, 0.03), (7624, 7593, 7622, 0.69, 0.24, 0.07), (7594, 7595, 7462, 0.58, 0.36, 0.06),
    (7596, 11849, 7597, 0.91, 0.09, 0.00), (7614, 7597, 11850, 0.43, 0.37, 0.20),
    (11712, 7573, 11713, 0.54, 0.29, 0.17), (12010, 7564, 7572, 0.57, 0.31, 0.12),
    (11848, 7576, 7040, 0.53, 0.38, 0.09), (212, 255, 254, 0.35, 0.33, 0.32), (206, 207, 225, 0.64, 0.35, 0.01),
    (176, 177, 204, 0.83, 0.16, 0.01), (174, 180, 177, 0.61, 0.29, 0.10), (166, 181, 209, 0.56, 0.37, 0.07),
    (6943, 6957, 6984, 0.56, 0.37, 0.07), (6950, 6956, 6953, 0.61, 0.29, 0.10), (6952, 6953, 6979, 0.83, 0.16, 0.01),
    (6981, 6982, 6999, 0.64, 0.35, 0.01), (6987, 7024, 7023, 0.35, 0.33, 0.32), (136, 132, 126, 0.50, 0.50, 0.00),
    (131, 135, 125, 0.96, 0.04, 0.00), (201, 291, 200, 0.83, 0.17, 0.00), (294, 5134, 899, 0.65, 0.35, 0.00),
    (334, 333, 286, 0.81, 0.18, 0.01), (314, 359, 285, 0.72, 0.25, 0.03), (317, 312, 311, 0.94, 0.06, 0.00),
    (7077, 7120, 7054, 0.72, 0.25, 0.03), (7096, 7095, 7055, 0.81, 0.18, 0.01), (1062, 1063, 6780, 0.47, 0.39, 0.14),
    (0, 6, 4848, 0.63, 0.25, 0.12), (1073, 1099, 1056, 0.48, 0.32, 0.20), (1077, 1078, 6769, 0.59, 0.36, 0.05),
    (1070, 1069, 6772, 0.83, 0.09, 0.08), (6776, 1068, 1067, 0.47, 0.31, 0.22), (7769, 7770, 13365, 0.59, 0.36, 0.05),
    (7765, 7791, 7748, 0.48, 0.32, 0.20), (6784, 6790, 11466, 0.63, 0.25, 0.12), (7754, 7755, 13376, 0.47, 0.39, 0.14),
    (13372, 7760, 7759, 0.47, 0.31, 0.22), (7762, 7761, 13368, 0.83, 0.09, 0.08), (402, 403, 423, 0.65, 0.35, 0.00),
    (5351, 447, 5354, 0.54, 0.25, 0.21), (457, 460, 450, 0.76, 0.24, 0.00), (466, 455, 463, 0.74, 0.26, 0.00),
    (7216, 7219, 7210, 0.76, 0.24, 0.00), (11953, 7207, 11956, 0.54, 0.25, 0.21), (7162, 7163, 7183, 0.65, 0.35, 0.00),
    (7235, 7233, 7239, 0.76, 0.20, 0.04), (7241, 7235, 7245, 0.60, 0.20, 0.20), (492, 496, 490, 0.75, 0.25, 0.00),
    (486, 480, 490, 0.60, 0.20, 0.20), (480, 478, 484, 0.76, 0.20, 0.04), (430, 499, 416, 0.64, 0.21, 0.15),
    (472, 462, 471, 0.86, 0.08, 0.06), (474, 468, 473, 0.81, 0.19, 0.00), (7228, 7221, 7227, 0.86, 0.08, 0.06),
    (7190, 7248, 7176, 0.64, 0.21, 0.15), (7243, 7260, 7259, 0.66, 0.28, 0.06), (494, 513, 488, 0.80, 0.20, 0.00),
    (488, 512, 511, 0.66, 0.28, 0.06),
)  # fmt: skip
FACE_COUNT = len(_TABLE)
INNER = slice(17, 68)  # without the contour


class FacePoints:
    """Places of the 68 points on one person's posed mesh. The vertex numbers are those of the hm08 base mesh."""

    def __init__(self, assets: Assets) -> None:
        table = np.array(_TABLE)
        self._ids = table[:, :3].astype(np.int64).ravel()
        self._share = table[:, 3:, None]
        self._bone, self._bone_weight = kernels.largest_weights(assets.weight[self._ids])

    def world(self, pose: Pose, base_dm: np.ndarray) -> np.ndarray:
        """f64 [68, 3] world decimetres. base_dm: f32 [V, 3] the base mesh at rest, with its expression."""
        corners = np.empty((len(self._ids), 3), np.float32)
        kernels.skin(base_dm[self._ids], self._bone, self._bone_weight, pose.transform, corners)
        return (corners.reshape(-1, 3, 3) * self._share).sum(1)
