"""How far a torso reaches behind an arm: as far as where its side is seen, not as far as the arm."""

import numpy as np
import pytest

from stages.body.behind_arms import behind_arms
from stages.body.piece import Part
from stages.body.trunk import Trunk, on_tube

SIZE = 160
CORNERS = np.array([[110, 40, 0], [50, 40, 0], [62, 120, 0], [98, 120, 0.0]])  # shoulders, hips; seen from the front
NAMES = ("head", "left_elbow-left_wrist", "right_shoulder-right_elbow", "torso")
TUBE = Trunk(CORNERS)


def person(slim, forearm=(0.5, 0.7), body_there=True):
    """Labels int8 [H, W] of a torso `slim` half widths wide, its sides hidden at some heights, and what it is of."""
    y, x = (grid.ravel() for grid in np.mgrid[:SIZE, :SIZE])
    height, beside, _ = (of.reshape(SIZE, SIZE) for of in on_tube(TUBE, x, y))
    torso = (height > 0.0) & (height < 1.2) & (np.abs(beside) < slim) & body_there
    arm = (height > forearm[0]) & (height < forearm[1]) & (beside > 0.3) & (beside < 1.8)
    labels = np.where(torso, NAMES.index("torso"), -1)
    return np.where(arm, NAMES.index("left_elbow-left_wrist"), labels).astype(np.int8), torso, arm, height, beside


def found(labels):
    parts = {name: Part("limb", {}, 10.0, 1.0) for name in NAMES} | {"torso": Part("torso", {}, 10.0, 1.0, tube=TUBE)}
    return behind_arms(parts, labels, labels >= 0)


@pytest.mark.parametrize("slim", [0.7, 0.9, 1.1])
def test_a_torso_is_as_wide_behind_an_arm_as_above_and_below(slim):
    labels, torso, arm, _, _ = person(slim)
    behind = found(labels)
    assert (arm & ~torso).sum() > 100 and (arm & torso).sum() > 100
    assert behind.share[arm & torso].mean() > 0.93 and behind.share[arm & ~torso].mean() < 0.07
    assert (behind.share[~arm] == 1.0).all(), "nothing is said of what is seen"
    assert not behind.hidden[~arm].any() and (behind.hidden == (arm & (behind.share > 0))).all()


def test_where_no_side_is_seen_it_is_as_wide_as_people_are():
    labels, _, arm, height, beside = person(0.9, forearm=(-0.2, 1.5), body_there=False)
    behind = found(labels)
    told = arm & (height > 0.2) & (height < 1.2)
    assert behind.share[told & (beside < 0.95)].mean() > 0.97 and behind.share[told & (beside > 1.05)].mean() < 0.03


def test_shoulders_below_an_upper_arm_are_not_cloth_that_it_hides():
    labels, torso, arm, height, _ = person(0.9, forearm=(-0.05, 0.4))
    labels[arm] = NAMES.index("right_shoulder-right_elbow")
    behind = found(labels)
    assert (arm & torso & (height < 0.14)).any() and not behind.hidden[height < 0.14].any()
    assert behind.hidden[arm & torso & (height > 0.17)].all()


def test_a_head_before_the_chest_does_not_make_it_wider():
    labels, torso, arm, height, beside = person(0.8)
    labels[(labels < 0) & (height > 0.2) & (height < 0.45) & (beside > 0)] = NAMES.index("head")
    behind = found(labels)
    assert behind.share[arm & ~torso].mean() < 0.07
