"""Face lines stand where the points are and leave the rest of the sphere alone."""

import numpy as np

from stages.head.face_drawing import LINES, carry_face, draw_face_lines
from stages.head.sphere import draw_sphere


def sphere(side=128):
    return draw_sphere(np.array([64.0, 60.0]), 40.0, np.eye(3), side, side)


def points():
    """Every line on a row of its own, so that none covers another."""
    face = np.zeros((68, 2))
    for number, (first, end, _) in enumerate(LINES):
        face[first:end, 0] = np.linspace(50, 78, end - first)
        face[first:end, 1] = 40 + 4 * number
    return face


def test_white_on_every_point_and_nowhere_else():
    face, plain = points(), sphere()
    drawn = draw_face_lines(plain, face)
    x, y = np.round(face).astype(int).T
    lit = drawn[y, x].min(-1)
    assert lit.min() >= 130 and np.median(lit) >= 210, lit  # the last pixel of a line is covered in part
    away = np.ones((128, 128), bool)
    for first, *_ in LINES:
        away[int(face[first, 1]) - 1 : int(face[first, 1]) + 2, 48:81] = False
    assert np.array_equal(drawn[away], plain[away])
    assert np.array_equal(plain, sphere())  # the input is not drawn on


def test_a_line_that_is_not_known_is_left_out():
    face, plain = points(), sphere()
    whole = draw_face_lines(plain, face)
    face[50] = np.nan  # outer lip
    face[3] = 1e9  # contour
    drawn = draw_face_lines(plain, face)
    changed = np.flatnonzero((drawn != whole).any((1, 2)))
    assert set(changed) <= {39, 40, 41, 67, 68, 69} and {40, 68} <= set(changed)
    assert np.array_equal(drawn[68], plain[68])


def test_points_go_to_the_other_head_with_its_size():
    rng = np.random.default_rng(0)
    face, head, radius = rng.normal(60, 9, (4, 68, 2)), rng.normal(60, 3, (4, 2)), np.full(4, 20.0)
    there = head + [11.0, -5.0]
    moved = carry_face(face, head, radius, there, 0.5 * radius)
    assert np.allclose(moved - there[:, None], 0.5 * (face - head[:, None]))
    assert np.allclose(carry_face(face, head, radius, head, radius), face)
