"""The 68 points out of the face mesh, against the head templates of both layouts."""

import numpy as np

from stages.core.face68 import FACE68_GROUPS, MESH_OF_FACE68, face68_of_mesh
from stages.head.template import face_template


def test_the_68_points_lie_where_the_68_point_template_has_them():
    index, points, _ = face_template("mediapipe478")
    index68, points68, _ = face_template("ibug68")
    mesh = np.full((478, 3), np.nan)
    mesh[index] = points
    found = face68_of_mesh(mesh)[index68]
    both = np.isfinite(found).all(1)
    assert both.sum() >= 10
    np.testing.assert_allclose(found[both], points68[both], atol=1e-9)


def test_groups_cover_every_point_once_and_no_mesh_point_stands_for_two():
    assert [i for first, end in FACE68_GROUPS.values() for i in range(first, end)] == list(range(68))
    assert len(set(MESH_OF_FACE68)) == 68 and face68_of_mesh(np.zeros((5, 478, 2))).shape == (5, 68, 2)
