"""What holds for one reference and for several alike: hair, chins, necks and fingers."""

import dataclasses

import numpy as np
import pytest

from stages.body.labels import bent
from stages.body.parts import fingers_in, parts_of, place_in
from stages.body.several import SeveralWarps
from stages.body.warp import ReferenceWarp
from stages.core.carried import DOUBTFUL_FIGURE, SEEN_FIGURE
from stages.core.geometry import rotvec_to_matrix
from stages.core.skeleton import BODY_INDEX
from tests.body.actor import SIZE
from tests.body.test_warp import HEAD_PX, matte_of, one, performance, shifted_right

SHIRT, SKIN = (20, 60, 200), (250, 200, 170)


def by_one(picture, act, frame, rotations, matte=None):
    """A reference of frame 0 carried to another frame: picture and kinds."""
    return ReferenceWarp(picture, one(act, 0), rotations[0], matte).to_pose(act, frame, rotations[frame])


def by_several(picture, act, frame, rotations, matte=None):
    """The same of two equal references."""
    warps = SeveralWarps([picture] * 2, [one(act, 0)] * 2, [rotations[0]] * 2, [matte] * 2)
    return warps.to_pose(act, frame, rotations[frame], warps.choose(act, rotations))


@pytest.fixture(params=[by_one, by_several])
def carried(request):
    return request.param


def pixels():
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(float)
    return x, y


def shoulders_px(act, frame):
    return act.joints_px[frame, [BODY_INDEX["left_shoulder"], BODY_INDEX["right_shoulder"]]].mean(0)


@pytest.mark.parametrize("hair_px", [1.05 * HEAD_PX, 2.2 * HEAD_PX])
def test_what_moves_along_with_a_head_is_what_the_matte_shows(carried, hair_px):
    act = shifted_right(performance(2)[0], 60)
    picture = np.full((*SIZE, 3), 40, np.uint8)
    matte = matte_of(act, hair_px)
    picture[matte > 0.5] = 200
    frame, kind = carried(picture, act, 1, [np.eye(3)] * 2, matte)
    column, row = np.rint(act.head_px[1]).astype(int)
    for reach in (1.2, 1.9):  # above the head: hair or background, by the matte alone
        place = row - int(reach * HEAD_PX), column
        wanted = 200 if reach * HEAD_PX < hair_px else 40
        assert abs(int(frame[place][0]) - wanted) < 8 and (kind[place] >= DOUBTFUL_FIGURE) == (wanted == 200)
    before = np.rint(act.head_px[0]).astype(int)
    assert np.abs(frame[before[1], before[0]].astype(int) - 40).max() < 8, "and leaves background behind"


def test_fingers_before_a_shirt_are_not_printed_on_it(carried):
    """They reach out of the hand's capsule; what they hid gets the shirt's colour when the hand has gone."""
    act, rotation = performance(wave=1.0)
    up, hands, pelvis = 12, act.hands_px.copy(), act.joints_px[0, BODY_INDEX["pelvis"]]
    fingers = np.arange(21) % 4
    spread = np.stack([10.0 * (np.arange(21) // 4 - 2), -6.0 * fingers], -1)
    hands[0, 0] = pelvis - [0.0, 50.0] + spread  # before the belly
    act = dataclasses.replace(act, hands_px=hands)
    picture, (x, y) = np.full((*SIZE, 3), SHIRT, np.uint8), pixels()
    drawn = fingers_in(one(act, 0), 0, x, y)["left_wrist-hand"]
    picture[drawn] = (250, 10, 10)
    assert drawn.sum() > 300
    frame, _ = carried(picture, act, up, rotation)
    torso = (np.abs(x - pelvis[0]) < 25) & (np.abs(y - pelvis[1] + 50) < 40)
    assert (frame[torso][:, 0] < 60).mean() > 0.98


def test_a_bent_head_keeps_its_chin_before_the_collar(carried):
    """What of a face reaches below the sphere is drawn before the torso, in the colours of the face."""
    act, _ = performance(2)
    rotation = rotvec_to_matrix(np.array([0.6, 0.0, 0.0]))  # looking down
    shoulders = shoulders_px(act, 0)
    heads = np.stack([shoulders - [0.0, 1.6 * HEAD_PX], shoulders - [0.0, 0.4 * HEAD_PX]])
    act = dataclasses.replace(act, head_px=heads)
    picture, (x, y) = np.full((*SIZE, 3), SHIRT, np.uint8), pixels()
    face = {frame: parts_of(act, frame, rotation)["head"] for frame in (0, 1)}
    skin = {frame: place_in(part, part, x, y).skin for frame, part in face.items()}
    picture[skin[0]] = SKIN
    chin = skin[1] & (y > heads[1, 1] + 0.8 * HEAD_PX) & (y > shoulders[1] + 2)
    assert chin.sum() > 40
    frame, _ = carried(picture, act, 1, [rotation] * 2)
    assert (frame[chin][:, 0] > 200).mean() > 0.9


def test_a_neck_goes_with_the_head_above_and_with_the_torso_below():
    act, rotation = performance(2)
    neck = parts_of(act, 0, rotation[0])["neck"]
    start, end = neck.points["upper"], neck.points["lower"]
    x, y = (start + np.linspace(0.0, 1.0, 21)[:, None] * (end - start)).T
    above = place_in(neck, neck, x, y)
    below = dataclasses.replace(above, x=x + 10.0, y=y + 4.0, outline=(x + 20.0, y))
    place = bent(below, above, below, neck, x, y)
    assert np.allclose(place.x[:8] - x[:8], 0.0) and np.allclose(place.x[-3:] - x[-3:], 10.0)
    assert np.allclose(place.y[-3:] - y[-3:], 4.0) and np.allclose(place.outline[0][-3:] - x[-3:], 20.0)
    assert (np.diff(place.x - x) >= -1e-9).all() and np.diff(place.x - x).max() < 2.0, "no seam between"


@pytest.mark.parametrize("matted", [False, True])
def test_two_equal_references_are_carried_as_one(matted):
    """Parts, outlines, necks and fingers by the same rules."""
    act, rotation = performance(6, wave=1.0)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    picture = (127 + 120 * np.sin(np.stack([x / 5.0, y / 4.0, (x + y) / 7.0], -1))).astype(np.uint8)
    matte = matte_of(act, 2.0 * HEAD_PX) if matted else None
    single = ReferenceWarp(picture, one(act, 0), rotation[0], matte)
    several = SeveralWarps([picture] * 2, [one(act, 0)] * 2, rotation[[0, 0]], [matte] * 2)
    choice = several.choose(act, rotation)
    for frame in (0, 3):
        one_u8, kind = single.to_pose(act, frame, rotation[frame])
        two_u8, other = several.to_pose(act, frame, rotation[frame], choice)
        both = (kind == SEEN_FIGURE) & (other == SEEN_FIGURE)
        assert (kind != other).mean() < 0.002 and both.sum() > 5000
        away = np.abs(one_u8.astype(int) - two_u8)[both]
        assert away.max() <= 1, (away.max(), away.mean())
