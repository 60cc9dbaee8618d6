"""An arm before a shirt is the arm's to its rim, and the shirt's colours stay the shirt's."""

import dataclasses

import numpy as np

from stages.body.parts import distance_px, fingers_of, parts_of
from stages.body.source import Source
from stages.body.warp import ReferenceWarp
from stages.core.skeleton import BODY_INDEX
from tests.body.actor import SIZE
from tests.body.test_warp import one, performance

SHIRT, SKIN = (20, 60, 200), (250, 170, 140)
UP, BEFORE = 12, 0


def with_forearm_before_the_belly():
    """A Performance whose left forearm lies across the shirt in frame BEFORE and is raised in frame UP."""
    act, rotation = performance(wave=1.0)
    elbow, wrist, pelvis = (BODY_INDEX[name] for name in ("left_elbow", "left_wrist", "pelvis"))
    joints, points, hands = act.joints_px.copy(), act.points_m.copy(), act.hands_drawn.copy()
    joints[BEFORE, elbow] = joints[BEFORE, pelvis] + [28.0, -35.0]
    joints[BEFORE, wrist] = joints[BEFORE, pelvis] + [-18.0, -50.0]
    points[BEFORE, [elbow, wrist], 2] -= 0.2
    hands[:] = False
    return dataclasses.replace(act, joints_px=joints, points_m=points, hands_drawn=hands), rotation


def pictured(act, rotation, radii):
    """A picture of a shirt with a bare forearm so many radii wide, and bool [H, W] the middle of the shirt,
    beside the elbow: a rim there may be the upper arm's, which leaves the shirt alone."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(float)
    arm = parts_of(act, BEFORE, rotation[BEFORE])["left_elbow-left_wrist"]
    picture = np.full((*SIZE, 3), SHIRT, np.uint8)
    picture[distance_px(arm, x, y) < radii * arm.reach_px] = SKIN
    pelvis = act.joints_px[BEFORE, BODY_INDEX["pelvis"]]
    return picture, (np.abs(x - pelvis[0]) < 25) & (np.abs(y - pelvis[1] + 45) < 30) & (x < pelvis[0] + 13)


def test_a_forearm_wider_than_its_capsule_leaves_no_rim_on_the_shirt():
    act, rotation = with_forearm_before_the_belly()
    picture, shirt = pictured(act, rotation, 1.35)
    carried, _ = ReferenceWarp(picture, one(act, BEFORE), rotation[BEFORE], np.ones(SIZE)).to_pose(
        act, UP, rotation[UP]
    )
    assert (np.abs(carried[shirt].astype(int) - SHIRT).max(-1) < 25).mean() > 0.97


def test_a_forearm_wider_than_its_capsule_keeps_its_width_before_the_shirt():
    act, rotation = with_forearm_before_the_belly()
    picture, shirt = pictured(act, rotation, 1.35)
    moved = act.joints_px.copy()
    moved[UP] = moved[BEFORE]
    moved[UP, [BODY_INDEX["left_elbow"], BODY_INDEX["left_wrist"]]] += [0.0, 30.0]
    act = dataclasses.replace(act, joints_px=moved, points_m=np.repeat(act.points_m[BEFORE][None], len(moved), 0))
    carried, _ = ReferenceWarp(picture, one(act, BEFORE), rotation[BEFORE], np.ones(SIZE)).to_pose(
        act, UP, rotation[BEFORE]
    )
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(float)
    there = parts_of(act, UP, rotation[BEFORE])["left_elbow-left_wrist"]
    wide = shirt & (distance_px(there, x, y) < 1.25 * there.reach_px)
    assert wide.sum() > 300
    assert (np.abs(carried[wide].astype(int) - SKIN).max(-1) < 25).mean() > 0.95


def test_a_shirt_of_the_arms_colour_stays_a_shirt():
    """What has the colours of both is nobody's rim: the shirt keeps its pixels."""
    act, rotation = with_forearm_before_the_belly()
    stripes = np.where((np.arange(SIZE[0]) // 6 % 2 == 0)[:, None, None], SHIRT, SKIN).astype(np.uint8)
    picture = np.broadcast_to(stripes, (*SIZE, 3))
    warp = ReferenceWarp(picture, one(act, BEFORE), rotation[BEFORE])
    plain = ReferenceWarp(np.full_like(picture, 90), one(act, BEFORE), rotation[BEFORE])
    carried, kind = warp.to_pose(act, UP, rotation[UP])
    assert np.array_equal(kind, plain.to_pose(act, UP, rotation[UP])[1])


def with_hand_before_the_belly():
    """The same with the hand at the end of the forearm, pointing away from it, and where its fingers are."""
    act, rotation = with_forearm_before_the_belly()
    wrist, elbow = (act.joints_px[BEFORE, BODY_INDEX[name]] for name in ("left_wrist", "left_elbow"))
    ahead = (wrist - elbow) / np.linalg.norm(wrist - elbow)
    aside = np.array([-ahead[1], ahead[0]])
    points = [wrist] + [
        wrist + reach * ahead + (finger - 2) * 2.5 * aside for finger in range(5) for reach in (3, 5, 7, 9)
    ]
    hands, drawn = act.hands_px.copy(), act.hands_drawn.copy()
    hands[BEFORE, 0], drawn[BEFORE, 0] = points, True
    act = dataclasses.replace(act, hands_px=hands, hands_drawn=drawn)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(float)
    return act, rotation, fingers_of(parts_of(act, BEFORE, rotation[BEFORE])["left_wrist-hand"], x, y)


def hand_of(picture, act, rotation):
    source = Source(picture, one(act, BEFORE), rotation[BEFORE], np.ones(SIZE))
    return source.labels == source.number_of("left_wrist-hand"), source


def test_a_hand_does_not_take_the_shirt_along():
    act, rotation, fingers = with_hand_before_the_belly()
    picture = np.full((*SIZE, 3), SHIRT, np.uint8)
    mitten, source = hand_of(picture, act, rotation)  # nothing to tell them apart by
    picture[fingers] = SKIN
    hand, _ = hand_of(picture, act, rotation)
    cuff = distance_px(source.parts["left_elbow-left_wrist"], source.x, source.y)
    cuff = cuff < 1.3 * source.parts["left_elbow-left_wrist"].reach_px
    assert (mitten & ~fingers & ~cuff).sum() > 30
    assert (hand & ~fingers & ~cuff).sum() < 0.1 * (mitten & ~fingers & ~cuff).sum()
    assert (hand & fingers).sum() > 0.98 * (mitten & fingers).sum()


def test_a_hand_carried_away_shows_no_shirt_around_it():
    act, rotation, fingers = with_hand_before_the_belly()
    picture = np.full((*SIZE, 3), SHIRT, np.uint8)
    picture[fingers] = SKIN
    moved = {name: getattr(act, name).copy() for name in ("joints_px", "hands_px", "hands_drawn", "points_m")}
    for array in moved.values():
        array[UP] = array[BEFORE]
    side = np.array([-110.0, 0.0])  # beside the body, before the wall
    moved["joints_px"][UP, [BODY_INDEX["left_elbow"], BODY_INDEX["left_wrist"]]] += side
    moved["hands_px"][UP, 0] += side
    act = dataclasses.replace(act, **moved)
    carried, kind = ReferenceWarp(picture, one(act, BEFORE), rotation[BEFORE], np.ones(SIZE)).to_pose(
        act, UP, rotation[BEFORE]
    )
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(float)
    parts = parts_of(act, UP, rotation[BEFORE])
    there, arm = parts["left_wrist-hand"], parts["left_elbow-left_wrist"]
    around = (distance_px(there, x, y) < 1.1 * there.reach_px) & ~fingers_of(there, x, y)
    around &= distance_px(arm, x, y) > 1.3 * arm.reach_px
    assert around.sum() > 30
    assert (kind[around] < 2).mean() > 0.8, "what is there is the wall"
