"""Which points of MediaPipe's face mesh stand for the 68 points of iBUG 300-W."""

from __future__ import annotations

import numpy as np

# Groups of the 68 points, by first and last + 1 index.
FACE68_GROUPS: dict[str, tuple[int, int]] = {
    "jaw": (0, 17), "brows": (17, 27), "nose": (27, 36), "eyes": (36, 48), "mouth": (48, 68),
}  # fmt: skip
OUTLINES = (slice(36, 42), slice(42, 48), slice(48, 60))  # closed lines around both eyes and the mouth
NOSE = slice(*FACE68_GROUPS["nose"])
OUTER_EYE_CORNERS = (36, 45)  # their distance is the usual unit of errors (Sagonas et al. 2013)

# Jaw from the person's right ear to the left, brows and eyes from image left to image right; source: the correspondence
# in common use, the mesh vertex nearest to where annotators put the point. The jaw is exact only on a frontal face: the
# 68 points follow the outline that is seen, mesh vertices stay on the skin.
MESH_OF_FACE68: tuple[int, ...] = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
    71, 63, 105, 66, 107, 336, 296, 334, 293, 301,
    168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,
    78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip


def face68_of_mesh(face_px: np.ndarray) -> np.ndarray:
    """The 68 points of iBUG 300-W out of a face mesh.

    face_px  float [..., 468 or 478, D]
    returns  float [..., 68, D]
    """
    return np.asarray(face_px)[..., MESH_OF_FACE68, :]
