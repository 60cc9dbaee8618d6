"""The face that stands on a head's ellipsoid: where it is, what it hides, and that a turned nose turns."""

import numpy as np
import pytest

from stages.body import ellipsoid, relief
from stages.face.shape import face_shape

FACING = np.diag([1.0, 1.0, 1.0])


def turned(yaw_deg):
    """R_cam_head of a head turned to the right of the picture for positive angles."""
    cos, sin = np.cos(np.radians(yaw_deg)), np.sin(np.radians(yaw_deg))
    return np.array([[cos, 0.0, -sin], [0.0, 1.0, 0.0], [sin, 0.0, cos]])


def test_the_face_points_of_the_average_head_lie_on_it():
    """The 68 points come from the same people by another way (vertices chosen by name)."""
    points = face_shape().neutral / ellipsoid.AXES
    inner_lips = np.arange(60, 68)
    chosen = np.setdiff1d(np.arange(68), inner_lips)
    away = np.linalg.norm(points, axis=1) - relief.length_towards(points)
    assert np.abs(away[chosen]).mean() < 0.02 and np.abs(away[chosen]).max() < 0.1
    flat = np.linalg.norm(points, axis=1)[chosen] - 1.0
    assert np.abs(flat).mean() > 0.06, "the ellipsoid alone is far from them"


def test_hair_stays_the_ellipsoid_and_both_halves_are_alike():
    behind = np.array([[0.0, -1.0, 0.0], [0.0, -0.2, 1.0], [1.0, -0.7, 0.2], [0.0, -0.9, -0.3]])
    assert relief.length_towards(behind) == pytest.approx(np.ones(4))
    towards = relief.directions().reshape(-1, 3)
    mirrored = towards * [-1.0, 1.0, 1.0]
    assert np.abs(relief.length_towards(towards) - relief.length_towards(mirrored)).max() < 0.05


@pytest.mark.parametrize("yaw_deg", [0, -30, 60, 90, 180])
def test_what_a_ray_meets_lies_on_the_ray_and_on_the_surface(yaw_deg):
    y, x = np.mgrid[-1.3:1.3:40j, -1.2:1.2:40j]
    plane, rotation = np.stack([x, y], -1), turned(yaw_deg)
    point, inside, miss2 = relief.surface(plane, rotation)
    assert 0.3 < inside.mean() < 0.7 and not inside[miss2 > 1.3**2].any()
    assert np.abs(ellipsoid.seen_at(point[inside], rotation) - plane[inside]).max() < 1e-6
    away = np.linalg.norm(point[inside], axis=1) - relief.length_towards(point[inside])
    assert np.abs(away).max() < 0.03
    assert (ellipsoid.towards(point[inside], rotation) > -0.5).all(), "the near side"


def test_a_profile_shows_the_nose_before_the_ellipsoid_and_hides_the_far_eye():
    nose, far_eye, near_eye = face_shape().neutral[[30, 36, 45]] / ellipsoid.AXES
    profile = turned(80)
    profile = profile if ellipsoid.towards(near_eye, profile) > ellipsoid.towards(far_eye, profile) else turned(-80)
    place = ellipsoid.seen_at(nose[None], profile)
    _, inside, _ = relief.surface(place * 0.97, profile)
    assert inside.all() and ellipsoid.surface(place * 0.97, profile)[1] > 1.0
    assert relief.shown(np.stack([near_eye, nose]), profile).all()
    assert not relief.shown(far_eye[None], profile).any()
    assert relief.shown(np.stack([far_eye, near_eye, nose]), FACING).all()


def test_the_outline_hides_nothing_from_the_side_it_is_seen_from():
    """A point is never hidden by the surface it lies on, not even where that is seen edgewise."""
    y, x = np.mgrid[-1.3:1.3:60j, -1.2:1.2:60j]
    for yaw_deg in (0, 40, 80):
        point, inside, _ = relief.surface(np.stack([x, y], -1), turned(yaw_deg))
        assert relief.shown(point[inside], turned(yaw_deg)).mean() > 0.995


def test_a_profile_has_no_face_to_give_beside_a_head_that_looks_at_us():
    profile, nose = turned(80), face_shape().neutral[30] / ellipsoid.AXES
    at_nose = ellipsoid.seen_at(nose[None], profile) * 0.98
    beside, on_head = np.array([False]), np.array([True])
    assert relief.free_beside(at_nose, beside, FACING, profile).all()
    assert not relief.free_beside(at_nose, on_head, FACING, profile).any()
    assert not relief.free_beside(at_nose, beside, turned(70), profile).any(), "hardly another view: noses differ"
    crown = np.array([[0.0, -1.0]])
    assert not relief.free_beside(crown, beside, FACING, profile).any(), "hair may stand out"


@pytest.mark.parametrize("yaw_deg", [60, 90, 150])
def test_what_is_beside_a_head_does_not_depend_on_what_else_is_asked(yaw_deg):
    """Places on the head itself are not looked up; leaving them out changes no other."""
    there, here = turned(yaw_deg), FACING
    plane = np.stack(np.meshgrid(np.linspace(-1.5, 1.5, 61), np.linspace(-1.5, 1.5, 61)), -1)
    _, inside, miss2 = relief.surface(plane, there)
    outside = ellipsoid.beside(plane, miss2, there, here)
    free = relief.free_beside(outside, inside, there, here)
    alone = relief.free_beside(outside[~inside], inside[~inside], there, here)
    assert np.array_equal(free[~inside], alone) and free.any() and not free[inside].any()
