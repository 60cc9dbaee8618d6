"""Heads that turn: what the photo sees at a slant or not at all, how wide they are, and the neck they stand on."""

import dataclasses

import numpy as np
import pytest

from stages.body import ellipsoid
from stages.body.head import head_surface, skin_at
from stages.body.labels import bent, labels_behind
from stages.body.parts import parts_of, place_in
from stages.body.piece import Part
from stages.body.several import SeveralWarps
from stages.body.smooth import mirrored_on, sampled
from stages.body.source import Source
from stages.body.throat import past_edge
from stages.body.warp import ReferenceWarp
from stages.core.carried import DOUBTFUL_FIGURE
from stages.core.geometry import rotvec_to_matrix
from tests.body.actor import SIZE
from tests.body.test_warp import HEAD_PX, matte_of, one, performance, shifted_right

WALL, SKIN = (90, 90, 90), (250, 200, 170)


def turned(yaw_rad):
    return rotvec_to_matrix(np.array([0.0, yaw_rad, 0.0]))


def pixels():
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(float)
    return x, y


def by_one(picture, act, rotations, matte=None):
    """A reference of frame 0 carried to frame 1: picture and kinds."""
    return ReferenceWarp(picture, one(act, 0), rotations[0], matte).to_pose(act, 1, rotations[1])


def by_several(picture, act, rotations, matte=None):
    """The same of two equal references."""
    warps = SeveralWarps([picture] * 2, [one(act, 0)] * 2, [rotations[0]] * 2, [matte] * 2)
    return warps.to_pose(act, 1, rotations[1], warps.choose(act, rotations))


@pytest.fixture(params=[by_one, by_several])
def carried(request):
    return request.param


@pytest.mark.parametrize("yaw", [0.0, 0.9, 2.2])
def test_the_skin_asked_for_alone_is_that_of_the_whole_answer(yaw):
    act, _ = performance(2)
    seen, other = (parts_of(act, 0, turned(angle))["head"] for angle in (yaw, 0.4))
    skin = skin_at(seen, *pixels())
    assert np.array_equal(skin, place_in(seen, other, *pixels()).skin)
    assert skin.any() == (yaw < 1.5), "the back of a head shows no face"


def test_a_half_of_the_face_that_is_not_seen_is_as_bright_as_where_both_halves_meet(carried):
    """Lit from one side: what is guessed from the lit half does not shine in the dark one."""
    act, _ = performance(2)
    for yaw in (0.7, -0.7):
        head = parts_of(act, 0, turned(yaw))["head"]
        point, inside, *_ = head_surface(head, head, *pixels())
        better = float(np.sign(-head.rotation[2, 0]))  # the side of the face that is turned to the camera
        lit = point[..., 0] * better > 0.0
        picture = np.full((*SIZE, 3), WALL, np.uint8)
        picture[inside & lit], picture[inside & ~lit] = 220, 170
        frame, kind = carried(picture, act, [turned(yaw), turned(-yaw)])
        there = parts_of(act, 1, turned(-yaw))["head"]
        shown, inside, *_ = head_surface(there, there, *pixels())
        cheek = inside & (shown[..., 0] * better < -0.45) & (np.abs(shown[..., 1]) < 0.4) & (shown[..., 2] < -0.3)
        assert cheek.sum() > 100 and (kind[cheek] == DOUBTFUL_FIGURE).mean() > 0.8
        assert abs(np.median(frame[cheek]) - 170) < 12


def test_a_face_narrower_than_the_ellipsoid_stays_so_when_it_turns_a_little(carried):
    act = shifted_right(performance(2)[0], 60)
    x, y = pixels()

    def face(frame, less_px=0.0):
        right, down = (x, y) - act.head_px[frame][:, None, None]
        return (np.abs(right) < 0.58 * HEAD_PX - less_px) & (np.abs(down) < 0.9 * HEAD_PX - less_px)

    torso = matte_of(act, 0.1) * (y > act.head_px[0, 1] + 0.9 * HEAD_PX)
    matte = np.maximum(torso, face(0)).astype(np.float32)
    picture = np.full((*SIZE, 3), WALL, np.uint8)
    picture[matte > 0.5] = SKIN
    frame, kind = carried(picture, act, [turned(0.0), turned(0.15)], matte)
    level = np.abs(y - act.head_px[1, 1]) < 0.5 * HEAD_PX
    assert (kind[face(1, 3.0) & level] >= DOUBTFUL_FIGURE).mean() > 0.98
    beside = level & ~face(1, -2.0) & (np.abs(x - act.head_px[1, 0]) < HEAD_PX)
    assert beside.sum() > 100 and (kind[beside] >= DOUBTFUL_FIGURE).mean() < 0.15
    assert np.abs(frame[beside].astype(int) - WALL).max(-1).mean() < 20


def test_the_sides_of_a_neck_go_over_into_the_shoulders_without_a_seam():
    act, rotation = performance(2)
    neck = parts_of(act, 0, rotation[0])["neck"]
    bone = neck.points["lower"] - neck.points["upper"]
    start, aside = neck.points["upper"] + 0.2 * bone, np.array([bone[1], -bone[0]]) / np.linalg.norm(bone)
    reach = np.linspace(0.0, 3.0, 61)
    x, y = (start + reach[:, None] * neck.reach_px * aside).T
    above = place_in(neck, neck, x, y)
    below = dataclasses.replace(above, x=x + 10.0)
    moved = bent(below, above, below, neck, x, y).x - x
    assert np.allclose(moved[reach < 0.95], 0.0, atol=1e-6) and np.allclose(moved[reach > 2.25], 10.0)
    assert (np.diff(moved) >= -1e-6).all() and np.diff(moved).max() < 1.0


def test_the_edge_of_the_jaw_is_left_by_the_shortest_way_and_hair_on_shoulders_stays():
    head = Part("head", {"middle": np.array([60.0, 20.0])}, 100.0, 0.0)  # whose jaw colours 3 px below it
    edge, neck = np.zeros((80, 120), bool), np.zeros((80, 120), bool)
    edge[30:33], neck[30:60, 40:80] = True, True
    way = past_edge(edge, neck, head)
    assert way[31, 60].tolist() == [0.0, 5.0] and way[29, 60].tolist() == [0.0, 7.0], "3 px beyond the edge"
    assert not way[:29].any() and not way[34:].any() and not way[31, :20].any()


def test_behind_a_soft_edge_is_the_part_behind_it_and_not_the_wall():
    parts = {"near": Part("limb", {}, 1.0, 1.0), "far": Part("limb", {}, 1.0, 2.0)}
    away = np.zeros((2, 1, 4), np.float32)
    cover = np.array([[[1.0, 0.5, 0.5, 0.0]], [[1.0, 1.0, 0.0, 1.0]]], np.float32)
    labels = np.array([[0, 0, 0, 1]], np.int8)
    assert labels_behind(labels, away, parts, list(parts), cover).tolist() == [[-1, 1, -1, -1]]


def test_a_mirror_stands_at_the_edge_of_what_is_known():
    picture = np.repeat(np.arange(12, dtype=np.uint8)[None, :, None], 3, 2) * np.ones((5, 1, 1), np.uint8)
    own = np.zeros((5, 12), bool)
    own[:, 2:6] = True
    assert mirrored_on(picture, own)[2, :, 0].tolist() == [4, 3, 2, 3, 4, 5, 4, 3, 2, 5, 5, 5]
    assert mirrored_on(picture, ~own & own) is picture


def test_points_that_are_turned_away_are_folded_back():
    rotation = turned(0.3)
    around = np.linspace(-np.pi, np.pi, 181)
    points = 1.1 * np.stack([np.sin(around), np.zeros_like(around), -np.cos(around)], -1)
    folded = ellipsoid.folded(points, rotation, 0.2, 0.5, 0.5)
    ray = rotation[2] / ellipsoid.AXES
    facing, after = (-(at @ ray) / np.linalg.norm(ray) / 1.1 for at in (points, folded))
    assert np.allclose(np.linalg.norm(folded, axis=1), 1.1)
    assert (folded[facing >= 0.2] == points[facing >= 0.2]).all()
    assert np.allclose(after[facing < 0.2], np.minimum(0.2 + 0.5 * (0.2 - facing[facing < 0.2]), 0.5))


def test_no_places_show_nothing():
    nowhere = np.zeros(0)
    assert sampled(np.zeros((4, 5, 3), np.float32), nowhere, nowhere).shape == (0, 3)
    act, rotation = performance(2)
    source = Source(np.full((*SIZE, 3), WALL, np.uint8), one(act, 0), rotation[0])
    head = parts_of(act, 1, rotation[1])["head"]
    assert source.colours("head", place_in(head, source.parts["head"], nowhere, nowhere)).shape == (0, 3)


@pytest.mark.parametrize("pitch_rad", [0.0, 0.12, -0.12])
def test_a_jaw_is_not_there_twice_where_its_surface_ends(pitch_rad):
    """Down from the lips over the chin: the places in the photo go on as they are, from the surface to beside it."""
    act, _ = performance()
    still = parts_of(act, 0, np.eye(3))["head"]
    head = parts_of(act, 0, rotvec_to_matrix(np.array([pitch_rad, 0.0, 0.0])))["head"]
    middle = still.points["middle"]
    y = middle[1] + HEAD_PX * np.arange(0.5, 1.15, 0.01)
    for aside in (0.0, 0.25):
        place = place_in(head, still, np.full(len(y), middle[0] + aside * HEAD_PX), y)
        assert place.skin[0] and not place.skin[-1]
        end = int(np.argmin(place.skin))
        step = (place.y[end] - place.y[end - 1]) / HEAD_PX
        assert -0.005 < step < 0.04, f"a step of {step:.3f} radii where a pixel's is 0.010"
