"""Several references carried as one: each part from the one that shows it best, steadily, in the first one's light."""

import dataclasses

import numpy as np
import pytest

from stages.body.alike import like_first
from stages.body.several import SeveralWarps, carry_several
from stages.core.carried import SEEN_FIGURE
from stages.core.geometry import yaw_pitch_roll_to_matrix
from stages.core.skeleton import BODY_INDEX
from tests.body.test_warp import noise_picture, one, performance

HEAD_PX = 20.0


def turned(yaw_deg):
    return yaw_pitch_roll_to_matrix(np.radians(np.stack([yaw_deg, 0.0 * yaw_deg, 0.0 * yaw_deg], -1)))


def painted(act, colour, *, head=True):
    """A grey picture whose head, or all of whose figure, has one colour."""
    y, x = np.mgrid[:480, :480]
    picture = np.full((480, 480, 3), 90, np.uint8)
    place = act.head_px[0]
    picture[np.hypot(x - place[0], y - place[1]) < 1.1 * HEAD_PX] = colour
    if not head:
        picture[act.joints_px[0, BODY_INDEX["neck"], 1].astype(int) + 12 :, 150:330] = colour
    return picture


@pytest.fixture(scope="module")
def sweep():
    """A head that turns from -80 to 80 degrees, and a reference from either end and from the front."""
    act, _ = performance(41, wave=0.0)
    yaw = np.linspace(-80, 80, 41)
    stills = [one(act, 0)] * 3
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]
    pictures = [painted(act, colour) for colour in colours]
    return act, turned(yaw), SeveralWarps(pictures, stills, turned(np.array([0.0, -80.0, 80.0]))), colours


def test_the_head_comes_from_the_nearest_side_and_changes_hands_once_each_way(sweep):
    act, rotations, warps, colours = sweep
    choice = warps.choose(act, rotations)
    best = choice.head(41, 3).argmax(1)
    assert best[0] == 1 and best[20] == 0 and best[40] == 2
    assert np.count_nonzero(np.diff(best)) == 2
    assert np.allclose(choice.head(41, 3).sum(1), 1.0)
    for frame, reference in ((0, 1), (20, 0), (40, 2)):
        picture, kind = warps.to_pose(act, frame, rotations[frame], choice)
        column, row = np.rint(act.head_px[frame]).astype(int)
        assert np.abs(picture[row, column].astype(int) - colours[reference]).max() < 25
        assert kind[row, column] == SEEN_FIGURE


def test_a_trembling_head_between_two_references_does_not_flicker(sweep):
    act, _, warps, _ = sweep
    rotations = turned(-42.0 + 4.0 * (-1.0) ** np.arange(41))
    best = warps.choose(act, rotations).head(41, 3).argmax(1)
    assert np.count_nonzero(np.diff(best)) == 0


def test_a_limb_that_the_first_hides_comes_from_one_that_shows_it():
    act, rotation = performance(3)
    still = one(act, 0)
    armless = still.drawn.copy()
    armless[:, [BODY_INDEX["left_elbow"], BODY_INDEX["left_wrist"]]] = False
    stills = [dataclasses.replace(still, drawn=armless), still]
    warps = SeveralWarps([noise_picture(0), noise_picture(1)], stills, rotation[[0, 0]])
    choice = warps.choose(act, rotation)
    arm = "left_shoulder-left_elbow"
    assert (choice.shares[arm].argmax(1) == 1).all() and (choice.shares["torso"].argmax(1) == 0).all()
    only_head = SeveralWarps([noise_picture(0), noise_picture(1)], stills, rotation[[0, 0]], head_only=[False, True])
    lent = only_head.choose(act, rotation).shares[arm]
    assert (lent[:, 0] == 1).all(), "nothing but the head of a person in other clothes: the first lends its other arm"


def test_background_is_that_of_the_first_photo():
    act, rotation = performance(2, wave=0.0)
    pictures = [painted(act, (200, 30, 30)), np.full((480, 480, 3), 250, np.uint8)]
    warps = SeveralWarps(pictures, [one(act, 0)] * 2, rotation[[0, 0]])
    for picture, kind in carry_several(warps, act, rotation, warps.choose(act, rotation)):
        far = np.zeros(kind.shape, bool)
        far[:, :40] = far[:, -40:] = True
        assert (picture[far] == 90).all()
        assert picture.dtype == np.uint8 and kind.max() <= 3


def test_light_is_matched_gently_and_other_clothes_are_noticed():
    act, rotation = performance(2, wave=0.0)
    first = painted(act, (150, 110, 90), head=False)
    dim = np.rint(first * 0.85).astype(np.uint8)
    dressed = first.copy()
    dressed[act.joints_px[0, BODY_INDEX["neck"], 1].astype(int) + 12 :, 150:330] = (20, 30, 120)
    warps = SeveralWarps([first, dim, dressed], [one(act, 0)] * 3, rotation[[0, 0, 0]])
    gains, clothes = like_first(warps)
    assert np.allclose(gains[0], 1.0) and np.allclose(gains[1], 0.85**-0.8, atol=0.03)
    assert clothes[1] < 4 < 20 < clothes[2]
    assert (np.abs(np.log(gains)) <= 0.26).all()
