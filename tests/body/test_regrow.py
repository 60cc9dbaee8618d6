"""Made-up background: textures and lines go on, what was seen stays, and odd holes do no harm."""

import numpy as np
import pytest

from stages.body.plate import Plate
from stages.body.regrow import regrown
from stages.body.smooth import fill


def bricks(height: int, width: int) -> np.ndarray:
    """A wall uint8 [H, W, 3] above a floor, with joints every 12 and 24 px."""
    y, x = np.mgrid[:height, :width]
    joint = (y % 12 < 2) | ((x + 12 * (y // 12 % 2)) % 24 < 2)
    wall = np.where(joint[..., None], [200, 195, 190], [150, 70, 50])
    return np.where(y[..., None] < 0.7 * height, wall, [90, 80, 60]).astype(np.uint8)


def hole_in(height: int, width: int) -> np.ndarray:
    hole = np.zeros((height, width), bool)
    hole[height // 4 :, 2 * width // 5 : 3 * width // 5] = True
    return hole


def off(made, truth, where) -> float:
    return float(np.abs(made.astype(int) - truth)[where].mean())


@pytest.mark.parametrize("size", [(192, 192), (128, 96), (256, 256)])
def test_a_wall_goes_on_behind_the_person(size):
    truth, hole = bricks(*size), hole_in(*size)
    given = np.where(hole[..., None], 255, truth).astype(np.uint8)
    made = regrown(given, hole)
    assert made.dtype == np.uint8 and np.array_equal(made[~hole], truth[~hole])
    assert off(made, truth, hole) < 0.5 * off(fill(given, hole), truth, hole)
    down = np.abs(np.diff(made[hole.any(1)].astype(int)[:, size[1] // 2], axis=0)).mean()
    assert down > 0.3 * np.abs(np.diff(truth[hole.any(1)].astype(int)[:, size[1] // 2], axis=0)).mean()


def test_what_is_in_the_hole_does_not_matter():
    truth, hole = bricks(128, 128), hole_in(128, 128)
    first, second = truth.copy(), truth.copy()
    first[hole], second[hole] = 255, np.random.default_rng(0).integers(0, 256, (hole.sum(), 3))
    assert np.array_equal(regrown(first, hole), regrown(second, hole))


def test_a_ramp_is_met_at_the_rim():
    """No move fits a ramp; what differs at the rim is spread over the hole, so that no edge is left there."""
    x = np.linspace(40, 220, 128)
    truth = np.repeat(np.repeat(x[None, :, None], 128, 0), 3, 2).astype(np.uint8)
    hole = np.zeros((128, 128), bool)
    hole[40:90, 50:80] = True
    made = regrown(truth, hole)
    assert off(made, truth, hole) < 12
    steps = np.abs(np.diff(made.astype(int), axis=1))[40:90]
    assert steps[:, [49, 79]].max() < 15, "44 where the moved pieces are not made to fit"


def test_what_stands_beside_the_hole_is_not_scattered_in_it():
    """A lit wall with a black post near a person who hides much of it: the wall goes on, without pieces of the post."""
    y, x = np.mgrid[:192, :192]
    truth = np.repeat((120 + 0.3 * np.hypot(x - 60, y - 80) + 3 * np.sin(y / 9))[..., None], 3, 2)
    truth[(y > 40) & (x // 5 == 9)] = 20
    truth = (truth + np.random.default_rng(0).normal(0, 2, truth.shape)).clip(0, 255).astype(np.uint8)
    hole = np.zeros((192, 192), bool)
    hole[20:170, 60:140] = hole[60:, 50:150] = True
    made = regrown(truth, hole)
    assert (made[hole].mean(-1) < 80).mean() < 0.002, "0.13 where only the rim is looked at"


@pytest.mark.parametrize("kind", ["none", "all", "row", "most"])
def test_odd_holes(kind):
    picture, hole = bricks(64, 48), np.zeros((64, 48), bool)
    hole[{"none": slice(0, 0), "all": slice(None), "row": slice(63, 64), "most": slice(3, None)}[kind]] = True
    made = regrown(picture, hole)
    assert made.shape == picture.shape and np.array_equal(made[~hole], picture[~hole])


def test_a_plate_goes_on_beyond_the_picture_and_says_what_nobody_saw():
    truth = bricks(144, 192)
    hidden = np.zeros(truth.shape[:2], bool)
    hidden[60:, 70:100] = True
    plate = Plate(truth, hidden)
    picture, unseen = plate.at()
    assert np.array_equal(unseen, hidden) and np.array_equal(picture[~hidden], truth[~hidden])
    moved, unseen = plate.at(np.array([[1.0, 0.0, -24.0], [0.0, 1.0, 0.0]]))  # 24 px more to the left come into view
    assert unseen[:, :24].all() and np.array_equal(unseen[:, 24:], hidden[:, :-24])
    assert np.abs(moved[:, 24:][~hidden[:, :-24]] - truth[:, :-24][~hidden[:, :-24]]).max() < 1
    assert off(moved[:90, :24], truth[:90, 24:48], slice(None)) < 45, "a wall with bricks, not one colour"
    assert moved[:90, :24].std(1).mean() > 10
