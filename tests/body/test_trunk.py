"""A torso turns as a body does: neither drawn out nor pressed together, and its front goes where it looks."""

import numpy as np
import pytest

from stages.body.trunk import Trunk, on_tube, outline_px, turned

SHOULDERS = 60.0  # px between the shoulder joints
FACING_US = np.array([[30, 0, 0], [-30, 0, 0], [-17, 72, 0], [17, 72, 0.0]]) + [100, 50, 0]


def turned_by(degrees, lean_deg=0.0, hips=True):
    """The torso turned about its upright, towards its own right for positive angles, and leant towards us."""
    yaw, lean = np.radians([degrees, lean_deg])
    upright = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    forward = np.array([[1, 0, 0], [0, np.cos(lean), -np.sin(lean)], [0, np.sin(lean), np.cos(lean)]])
    middle = FACING_US[:2].mean(0)
    corners = (FACING_US - middle) @ (forward @ upright).T + middle
    if not hips:
        corners[2:] = np.nan
    return Trunk(corners)


def row(offsets, height_px=80.0):
    return 100.0 + np.asarray(offsets, float), np.full(len(offsets), height_px)


@pytest.mark.parametrize("degrees", [0, 25, 70, 90, 140, 180])
@pytest.mark.parametrize("lean_deg", [0, 30])
@pytest.mark.parametrize("hips", [True, False])
def test_in_its_own_pose_every_place_is_itself(degrees, lean_deg, hips):
    trunk = turned_by(degrees, lean_deg, hips)
    x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(40, 160, 31), np.linspace(30, 140, 23)))
    for found in turned(trunk, trunk, x, y)[:2]:
        assert np.abs(found - np.stack([x, y], -1)).max() < 0.2
    assert np.abs(turned(trunk, trunk, x, y)[0] - np.stack([x, y], -1)).max() < 1e-2, "colours"


@pytest.mark.parametrize("degrees", [-50, -20, 20, 50])
def test_the_breastbone_goes_where_the_chest_looks(degrees):
    x, y = row(np.linspace(-40, 40, 161))
    colour, _, sees = turned(turned_by(degrees), turned_by(0), x, y)
    at = np.abs(np.where(sees, colour[:, 0], np.inf) - 100.0).argmin()
    deep = -(x[at] - 100.0) / np.sin(np.radians(degrees))  # how far before the line it lies, px
    assert 0.3 * SHOULDERS < deep < 0.5 * SHOULDERS


def test_from_the_side_a_torso_is_as_deep_as_people_are():
    """Half of 0.6 to 0.8 of its width; moved flat it was a line. What was seen beside it stays beside it."""
    x, y = row(np.linspace(-60, 60, 241))
    _, outline, _ = turned(turned_by(90), turned_by(0), x, y)
    on_it = x[np.abs(outline[:, 0] - 100.0) < 25.0]
    assert 0.5 * SHOULDERS < np.ptp(on_it) < 0.8 * SHOULDERS
    assert (np.diff(outline[:, 0]) > 0).all()


def test_from_the_front_a_torso_seen_from_the_side_is_not_stretched():
    """Its colours lie within what the side view shows, all the way to the shoulders."""
    x, y = row(np.linspace(-28, 28, 57))
    colour, _, sees = turned(turned_by(0), turned_by(90), x, y)
    assert (np.abs(colour[:, 0] - 100.0) < 0.5 * SHOULDERS).all()
    assert sees[x < 85].all() ^ sees[x > 115].all(), "one half is seen, the other is its mirror image"
    assert np.abs(np.diff(colour[:, 0])).max() < 8.0, "no seam"


def test_a_back_is_not_seen_and_takes_its_colours_from_the_front():
    x, y = row(np.linspace(-25, 25, 51))
    colour, _, sees = turned(turned_by(180), turned_by(0), x, y)
    assert not sees.any()
    assert (np.abs(colour[:, 0] - 100.0) < 0.55 * SHOULDERS).all() and np.isfinite(colour).all()


def test_a_place_is_never_unknown():
    """Shoulders behind each other, a torso that points at us, one without hips: finite places for all."""
    x, y = row(np.linspace(-60, 60, 31))
    for trunk in (turned_by(90, hips=False), turned_by(0, 89.9), Trunk(np.zeros((4, 3)))):
        for found in turned(trunk, turned_by(30), x, y)[:2] + turned(turned_by(30), trunk, x, y)[:2]:
            assert np.isfinite(found).all()
        assert np.isfinite(outline_px(trunk, 0.5)).all()


def test_shoulders_rise_to_the_neck():
    trunk = turned_by(0)
    outline, top = outline_px(trunk, 0.5), trunk.corners[:2, 1].mean()
    nape, shoulders = outline[outline[:, 1] < top - 0.05 * SHOULDERS], outline[np.abs(outline[:, 1] - top) < 1.0]
    assert len(nape) == 2 and len(shoulders) == 2
    assert np.ptp(nape[:, 0]) < 0.7 * np.ptp(shoulders[:, 0])


@pytest.mark.parametrize("degrees", [-40, 0, 30])
def test_heights_and_sides_are_those_of_the_tube(degrees):
    """Its outline lies at -1 and 1, its shoulders at 0 and its hips at 1."""
    trunk = turned_by(degrees)
    sides = outline_px(trunk, 1.0)[1:6], outline_px(trunk, 1.0)[7:12]
    for points in sides:
        height, beside, half_width = on_tube(trunk, *points.T)
        assert np.allclose(np.abs(beside), 1.0, atol=0.05) and (np.diff(height) > 0).all() and (half_width > 10).all()
        assert (np.sign(beside) == np.sign(beside[0])).all()
    middle, _, _ = on_tube(trunk, *np.array([trunk.corners[:2].mean(0), trunk.corners[2:].mean(0)])[:, :2].T)
    assert np.allclose(middle, [0.0, 1.0], atol=0.15)
