"""What a photo does not show of a person: limbs lent by their twins or in one colour, canvas beyond the photo, jaws."""

import dataclasses

import numpy as np
import pytest

from stages.body.lent import mirrored, other_side
from stages.body.parts import UPPER_ARMS, parts_of, place_in
from stages.body.piece import Part
from stages.body.regrow import grown
from stages.body.several import SeveralWarps
from stages.body.smooth import fill, gone_on
from stages.body.source import Source
from stages.body.warp import ReferenceWarp
from stages.core.carried import DOUBTFUL_FIGURE
from stages.core.geometry import rotvec_to_matrix
from stages.core.skeleton import BODY_INDEX
from tests.body.actor import SIZE
from tests.body.test_warp import HEAD_PX, one, performance

WALL, SHIRT, SLEEVE, SKIN = (90, 90, 90), (20, 60, 200), (30, 160, 40), (250, 200, 170)
RIGHT_ARM = ("right_elbow", "right_wrist")
LEFT_ARM = ("left_elbow", "left_wrist")


def line(picture, start, end, colour, radius):
    """Paints a capsule."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    for share in np.linspace(0.0, 1.0, 60):
        at = (1 - share) * start + share * end
        picture[(x - at[0]) ** 2 + (y - at[1]) ** 2 < radius**2] = colour


def dressed(act):
    """A picture of frame 0: shirt, green sleeves, skin."""
    picture = np.full((*SIZE, 3), WALL, np.uint8)
    at = {name: act.joints_px[0, index] for name, index in BODY_INDEX.items()}
    middle, hips = 0.5 * (at["left_shoulder"] + at["right_shoulder"]), 0.5 * (at["left_hip"] + at["right_hip"])
    line(picture, middle, hips, SHIRT, 1.1 * HEAD_PX)
    for side in ("left", "right"):
        line(picture, at[f"{side}_shoulder"], at[f"{side}_elbow"], SLEEVE, 0.5 * HEAD_PX)
        line(picture, at[f"{side}_elbow"], at[f"{side}_wrist"], SKIN, 0.4 * HEAD_PX)
    line(picture, act.head_px[0], act.head_px[0], SKIN, 1.1 * HEAD_PX)
    return picture


def without(act, *names):
    """The same, these joints and the hands not drawn."""
    drawn = act.drawn.copy()
    drawn[:, [BODY_INDEX[name] for name in names]] = False
    return dataclasses.replace(act, drawn=drawn, hands_drawn=np.zeros_like(act.hands_drawn))


def by_one(picture, still, rotation, known=None, act=None):
    """A picture carried to its own moment, all of whose joints are drawn, or to `act`: picture and kinds."""
    act = one(performance(wave=0.0)[0], 0) if act is None else act
    return ReferenceWarp(picture, still, rotation, None, known).to_pose(act, 0, rotation)


def by_several(picture, still, rotation, known=None, act=None):
    """The same of two equal references."""
    act = one(performance(wave=0.0)[0], 0) if act is None else act
    warps = SeveralWarps([picture] * 2, [still] * 2, [rotation] * 2, known=None if known is None else [known] * 2)
    return warps.to_pose(act, 0, rotation, warps.choose(act, [rotation]))


@pytest.fixture(params=[by_one, by_several])
def carried_by(request):
    return request.param


def at_middle(act, frame, ends):
    """Row and column of the middle of a bone."""
    column, row = np.rint(0.5 * (act.joints_px[frame, BODY_INDEX[ends[0]]] + act.joints_px[frame, BODY_INDEX[ends[1]]]))
    return int(row), int(column)


def test_an_arm_that_the_photo_does_not_show_looks_like_the_other_one(carried_by):
    act, rotation = performance(wave=0.0)
    still = without(one(act, 0), *RIGHT_ARM)
    picture = dressed(act)
    line(picture, *(act.joints_px[0, BODY_INDEX[name]] for name in RIGHT_ARM), WALL, 0.6 * HEAD_PX)
    carried, kind = carried_by(picture, still, rotation[0])
    place = at_middle(act, 0, RIGHT_ARM)
    assert np.abs(carried[place].astype(int) - SKIN).max() < 12
    assert kind[place] == DOUBTFUL_FIGURE, "a guess, and says so"


def test_arms_and_hands_beyond_the_photo_take_the_shirts_and_the_faces_colour(carried_by):
    act, rotation = performance(wave=0.0)
    still = without(one(act, 0), *RIGHT_ARM, *LEFT_ARM)
    carried, kind = carried_by(dressed(act), still, rotation[0])
    row, column = at_middle(act, 0, LEFT_ARM)
    assert np.abs(carried[row, column].astype(int) - SHIRT).max() < 12 and kind[row, column] == DOUBTFUL_FIGURE
    hand = np.rint(act.hands_px[0, 0, 12]).astype(int)
    assert np.abs(carried[hand[1], hand[0]].astype(int) - SKIN).max() < 12


def test_a_guessed_arm_is_behind_what_the_photo_shows():
    act, rotation = performance(wave=0.0)
    nearer = act.points_m.copy()
    nearer[:, [BODY_INDEX[name] for name in ("left_elbow", "left_wrist")], 2] -= 0.5  # before the torso
    aside = act.joints_px.copy()
    hip = BODY_INDEX["left_hip"]
    aside[:, BODY_INDEX["left_elbow"]] = aside[:, BODY_INDEX["left_wrist"]] = 0.5 * (aside[:, hip] + aside[:, hip + 1])
    before = dataclasses.replace(act, points_m=nearer, joints_px=aside, hands_drawn=np.zeros_like(act.hands_drawn))
    picture, still = dressed(act), without(one(act, 0), *RIGHT_ARM, *LEFT_ARM)
    carried, _ = ReferenceWarp(picture, still, rotation[0]).to_pose(before, 0, rotation[0])
    same = without(act, *RIGHT_ARM, *LEFT_ARM)
    plain, _ = ReferenceWarp(picture, still, rotation[0]).to_pose(same, 0, rotation[0])
    row, column = at_middle(act, 0, ("left_shoulder", "right_hip"))
    assert (carried[row, column] == plain[row, column]).all()


def test_canvas_that_is_made_up_beside_the_photo_is_nobodys_colour(carried_by):
    act, rotation = performance(wave=0.0)
    picture, known = dressed(act), np.ones(SIZE, bool)
    border = int(act.joints_px[0, BODY_INDEX["left_shoulder"], 0] - 0.6 * HEAD_PX)  # cuts the torso
    picture[:, border:], known[:, border:] = (255, 255, 0), False
    row, column = at_middle(act, 0, ("left_shoulder", "left_hip"))
    believed, _ = carried_by(picture, one(act, 0), rotation[0])
    told, kind = carried_by(picture, one(act, 0), rotation[0], known)
    place = row, max(column - 4, border + 2)
    assert (believed[place] == (255, 255, 0)).all(), "without the mask it is taken for the photo"
    assert np.abs(told[place].astype(int) - SHIRT).max() < 12 and kind[place] == DOUBTFUL_FIGURE


def test_a_jaw_that_comes_to_sight_is_skin_and_not_hair():
    act, _ = performance(wave=0.0)
    frontal, turned = np.eye(3), rotvec_to_matrix(np.array([0.0, 0.6, 0.0]))
    head, there = (parts_of(act, 0, rotation)["head"] for rotation in (frontal, turned))
    x, y = np.meshgrid(np.arange(SIZE[1], dtype=float), np.arange(SIZE[0], dtype=float))
    place = place_in(there, head, x.ravel(), y.ravel())
    middle, came = act.head_px[0], place.inside & ~place.sees
    below = (y.ravel() - middle[1]) / HEAD_PX
    low = came & (below > 0.25) & (below < 0.8)
    assert low.sum() > 5, "a jaw comes to sight"
    assert (place.y[low] > middle[1]).all(), "its colour is a jaw's, from below the eyes"
    high = came & (below < -0.4)
    assert not high.any() or (place.y[high] < middle[1]).all(), "hair's is hair's"


def test_mirrored_twice_is_where_it_was():
    limb = Part("limb", {"upper": np.array([3.0, 4.0]), "lower": np.array([30.0, 90.0])}, 8.0, 1.0)
    x, y = np.array([1.0, 20.0, 44.0]), np.array([5.0, 60.0, 10.0])
    over = mirrored(limb, x, y)
    assert np.abs(np.array(over) - (x, y)).max() > 3.0
    assert np.allclose(mirrored(limb, *over), (x, y))
    ends = np.array(list(limb.points.values())).T
    assert np.allclose(mirrored(limb, *ends), ends), "its bone stays"


def test_twins_are_named_right():
    assert other_side(UPPER_ARMS[0]) == UPPER_ARMS[1] and other_side(UPPER_ARMS[1]) == UPPER_ARMS[0]
    assert other_side("torso") == "torso" and other_side("right_wrist-hand") == "left_wrist-hand"


def test_a_raised_chin_leaves_no_dark_arc_on_the_throat(carried_by):
    act, still = one(performance(wave=0.0)[0], 0), one(performance(wave=0.0)[0], 0)
    picture = np.full((*SIZE, 3), SKIN, np.uint8)
    source = Source(picture, still, np.eye(3))
    edge = grown(source.labels == source.number_of("head"), 1) & (source.labels == source.number_of("neck"))
    assert edge.sum() > 10
    picture[edge] = 0
    own, _ = ReferenceWarp(picture, still, np.eye(3)).to_pose(act, 0, np.eye(3))
    assert (own[edge].max(1) < 60).mean() > 0.6, "where the chin has not moved its edge is what the photo shows"
    raised = dataclasses.replace(act, head_px=act.head_px - [0.0, 0.5 * HEAD_PX])
    carried, _ = carried_by(picture, still, np.eye(3), act=raised)
    assert (carried.max(2) < 120).sum() < 0.4 * edge.sum(), "but little of it stays where it was"


def test_what_a_chin_hides_is_the_throats_colour_and_not_the_collars():
    still = one(performance(wave=0.0)[0], 0)
    picture = np.full((*SIZE, 3), SHIRT, np.uint8)
    source = Source(picture, still, np.eye(3))
    throat, chin = (source.labels == source.number_of(name) for name in ("neck", "head"))
    picture[throat | chin] = SKIN
    layer = Source(picture, still, np.eye(3)).layer_u8("neck")
    hidden = chin & grown(throat, 4)
    assert np.abs(layer[hidden].astype(int) - SKIN).max() < 12


def test_a_shirt_goes_on_as_its_rim_and_not_as_what_is_printed_on_it():
    picture, own = np.full((80, 120, 3), 200, np.uint8), np.zeros((80, 120), bool)
    own[20:60, 30:90] = True
    picture[own] = (10, 10, 12)
    picture[30:50, 45:75] = (255, 255, 255)  # the print
    gone = gone_on(picture, own)
    assert (gone[own] == picture[own]).all()
    assert np.abs(gone[~own].astype(int) - (10, 10, 12)).max() < 3
    assert np.abs(fill(picture, ~own)[40, 2].astype(int) - (10, 10, 12)).max() > 20, "as smooth filling does"


def test_beyond_the_picture_cloth_goes_on_as_in_a_mirror():
    act, rotation = performance(wave=0.0)
    still = one(act, 0)
    low = dataclasses.replace(still, joints_px=still.joints_px + [0.0, 300.0], head_px=still.head_px + [0.0, 300.0])
    picture = np.full((*SIZE, 3), SHIRT, np.uint8)
    picture[-1] = SLEEVE  # a hem, or whatever the border happens to cut
    carried, _ = ReferenceWarp(picture, low, rotation[0]).to_pose(still, 0, rotation[0])
    torso = slice(
        int(still.joints_px[0, BODY_INDEX["neck"], 1]) + 20, int(still.joints_px[0, BODY_INDEX["left_hip"], 1])
    )
    column = int(still.joints_px[0, BODY_INDEX["neck"], 0])
    green = (np.abs(carried[torso, column].astype(int) - SLEEVE).max(1) < 30).sum()
    assert green <= 3, "one line, not all the rest of the body"
