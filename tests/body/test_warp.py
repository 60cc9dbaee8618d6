"""The reference's pixels, carried: exact where geometry can know, marked where it cannot."""

import dataclasses

import numpy as np
import pytest

from stages.body import ellipsoid
from stages.body.parts import distance_px, parts_of
from stages.body.person import make_person
from stages.body.place import own_performance
from stages.body.smooth import fill
from stages.body.warp import ReferenceWarp, warp_reference
from stages.core.carried import DOUBTFUL_FIGURE, HIDDEN_BACKGROUND, SEEN_BACKGROUND, SEEN_FIGURE
from stages.core.geometry import rotvec_to_matrix
from stages.core.skeleton import BODY_INDEX
from tests.body.actor import FPS, K_PX, SIZE, make_pose

HEAD_PX = 20.0


def performance(frames=24, **options):
    pose, rotation = make_pose(frames, **options)
    middle = pose["joints_px"][:, [BODY_INDEX["left_ear"], BODY_INDEX["right_ear"]]].mean(1)
    head = {"R_cam_head": rotation, "center_px": middle, "radius_px": np.full(frames, HEAD_PX), "radius_m": 0.1}
    return own_performance(make_person(pose, K_PX, FPS, head)), rotation


def one(act, frame):
    """The Performance of a single frame."""
    per_frame = ("joints_px", "points_m", "drawn", "hands_px", "hands_drawn", "head_px", "head_radius_px")
    return dataclasses.replace(act, **{name: getattr(act, name)[frame : frame + 1] for name in per_frame})


def noise_picture(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), np.uint8)


def test_in_its_own_pose_the_reference_stays_as_it_is():
    act, rotation = performance()
    picture = noise_picture()
    carried, kind = ReferenceWarp(picture, one(act, 3), rotation[3]).to_pose(act, 3, rotation[3])
    seen = (kind == SEEN_FIGURE) | (kind == SEEN_BACKGROUND)
    assert np.abs(carried[seen].astype(int) - picture[seen]).max() <= 1, "rounding only"
    assert (kind == SEEN_FIGURE).sum() > 5000 and (kind == SEEN_BACKGROUND).mean() > 0.5
    assert (kind == DOUBTFUL_FIGURE).sum() < 0.1 * (kind == SEEN_FIGURE).sum()
    assert (kind == HIDDEN_BACKGROUND).any()


def test_a_raised_arm_takes_its_paint_along_and_leaves_background_behind():
    act, rotation = performance(wave=1.0)
    up, down = 12, 0  # the middle of the wave, and its start
    elbow, wrist = BODY_INDEX["left_elbow"], BODY_INDEX["left_wrist"]
    picture = np.full((*SIZE, 3), 90, np.uint8)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    for share in np.linspace(0.15, 0.85, 40):  # a red forearm
        at = (1 - share) * act.joints_px[down, elbow] + share * act.joints_px[down, wrist]
        picture[(x - at[0]) ** 2 + (y - at[1]) ** 2 < 16] = (250, 10, 10)
    carried, kind = ReferenceWarp(picture, one(act, down), rotation[down]).to_pose(act, up, rotation[up])
    middle = 0.5 * (act.joints_px[up, elbow] + act.joints_px[up, wrist])
    column, row = np.rint(middle).astype(int)
    assert np.linalg.norm(middle - 0.5 * (act.joints_px[down, elbow] + act.joints_px[down, wrist])) > 60
    assert carried[row, column].tolist() == [250, 10, 10] and kind[row, column] == SEEN_FIGURE
    column, row = np.rint(0.5 * (act.joints_px[down, elbow] + act.joints_px[down, wrist])).astype(int)
    assert carried[row, column].tolist() == [90, 90, 90] and kind[row, column] == HIDDEN_BACKGROUND


def painted_head(middle, rotation):
    """A head whose paint says where on it one looks, uint8 [H, W, 3], and bool [H, W] well inside its outline."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    points, miss2 = ellipsoid.surface(np.stack([x - middle[0], y - middle[1]], -1) / HEAD_PX, rotation)
    return np.where(miss2[..., None] < 1, 127 + 120 * points, 0).astype(np.uint8), miss2 < 0.8


@pytest.mark.parametrize("turn", [(0.0, 0.5, 0.0), (0.3, 0.0, 0.0), (0.0, -0.4, 0.2)])
def test_a_head_turns_as_an_ellipsoid(turn):
    """A texture fixed to the head, carried to a new rotation, must be what the camera then sees of it."""
    act, _ = performance(2)
    still_rotation, rotation = np.eye(3), rotvec_to_matrix(np.array(turn))
    picture, _ = painted_head(act.head_px[0], still_rotation)
    carried, kind = ReferenceWarp(picture, one(act, 0), still_rotation).to_pose(act, 1, rotation)
    expected, inside = painted_head(act.head_px[1], rotation)
    away = np.abs(carried.astype(int) - expected).max(-1)
    seen = inside & (kind == SEEN_FIGURE)
    assert seen.sum() > 0.75 * inside.sum() and np.median(away[seen]) < 4, np.median(away[seen])
    assert np.abs(picture.astype(int) - expected).max(-1)[seen].mean() > 3 * away[seen].mean()


def test_what_turned_away_is_marked():
    act, rotation = performance(2)
    still = one(act, 0)
    turned = dataclasses.replace(act, joints_px=act.joints_px.copy())
    for first, second in (("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")):
        pair = [BODY_INDEX[first], BODY_INDEX[second]]
        turned.joints_px[1, pair] = act.joints_px[1, pair[::-1]]
    away = rotvec_to_matrix(np.array([0.0, np.pi, 0.0]))
    _, kind = ReferenceWarp(noise_picture(), still, rotation[0]).to_pose(turned, 1, away)
    column, row = np.rint(act.head_px[1]).astype(int)
    assert kind[row, column] == DOUBTFUL_FIGURE
    spine = act.joints_px[1, [BODY_INDEX["neck"], BODY_INDEX["pelvis"]]].mean(0)
    column, row = np.rint(spine).astype(int)
    assert kind[row, column] == DOUBTFUL_FIGURE


def test_a_frame_without_anybody_keeps_the_picture():
    act, rotation = performance(3)
    drawn, hands, head = act.drawn.copy(), act.hands_drawn.copy(), act.head_px.copy()
    drawn[1], hands[1], head[1] = False, False, np.nan
    empty = dataclasses.replace(act, drawn=drawn, hands_drawn=hands, head_px=head)
    picture = noise_picture()
    carried, kind = ReferenceWarp(picture, one(act, 0), rotation[0]).to_pose(empty, 1, np.full((3, 3), np.nan))
    assert np.array_equal(carried, picture) and set(np.unique(kind)) == {SEEN_BACKGROUND, DOUBTFUL_FIGURE}


def test_a_body_whose_head_is_lost_for_a_frame_is_carried_all_the_same():
    act, rotation = performance(3)
    head, radius = act.head_px.copy(), act.head_radius_px.copy()
    head[1], radius[1] = np.nan, np.nan
    lost = dataclasses.replace(act, head_px=head, head_radius_px=radius)
    _, kind = ReferenceWarp(noise_picture(), one(act, 0), rotation[0]).to_pose(lost, 1, np.full((3, 3), np.nan))
    assert (kind == SEEN_FIGURE).sum() > 5000


def test_a_whole_clip_is_carried_frame_by_frame():
    act, rotation = performance(4)
    frames = list(warp_reference(noise_picture(), one(act, 0), rotation[0], act, rotation))
    assert len(frames) == 4
    assert all(picture.shape == (*SIZE, 3) and kind.shape == SIZE and kind.max() <= 3 for picture, kind in frames)
    alone = ReferenceWarp(noise_picture(), one(act, 0), rotation[0]).to_pose(act, 2, rotation[2])
    assert all(np.array_equal(a, b) for a, b in zip(frames[2], alone, strict=True))


def test_holes_are_filled_from_around_them_and_nothing_else_changes():
    y, x = np.mgrid[:64, :96]
    picture = np.where((x < 48)[..., None], (20, 60, 100), (180, 160, 140)).astype(np.uint8)
    hole = (abs(x - 48) < 14) & (abs(y - 30) < 15)
    filled = fill(np.where(hole[..., None], 255, picture).astype(np.uint8), hole)
    assert np.array_equal(filled[~hole], picture[~hole])
    left, right = filled[hole & (x < 40)], filled[hole & (x > 56)]
    assert (left.max(0) <= (180, 160, 140)).all() and (right.min(0) >= (20, 60, 100)).all(), "between its surroundings"
    assert left[:, 0].mean() < 80 < 120 < right[:, 0].mean()
    assert (fill(picture, np.ones_like(hole)) >= 0).all(), "nothing to fill from: no error"


def shifted_right(act, by_px):
    """Two frames of frame 0, the second moved to the right."""
    two = {name: np.repeat(getattr(act, name)[:1], 2, 0) for name in ("joints_px", "hands_px", "head_px")}
    for array in two.values():
        array[1, ..., 0] += by_px
    return dataclasses.replace(
        act, **two, **{n: np.repeat(getattr(act, n)[:1], 2, 0) for n in ("points_m", "drawn", "hands_drawn")},
        head_radius_px=np.repeat(act.head_radius_px[:1], 2),
    )  # fmt: skip


def matte_of(act, hair_px):
    """A figure of capsules around every bone of frame 0, and hair up to `hair_px` from the middle of the head."""
    plain = ReferenceWarp(noise_picture(), one(act, 0), np.eye(3))
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    away = np.hypot(x - act.head_px[0, 0], y - act.head_px[0, 1])
    body = (plain.to_pose(act, 0, np.eye(3))[1] >= DOUBTFUL_FIGURE) & (y > act.head_px[0, 1] + 2 * HEAD_PX)
    return (body | ((away < hair_px) & (y < act.head_px[0, 1] + HEAD_PX))).astype(np.float32)


def test_a_matte_of_somebody_else_is_not_believed():
    act, rotation = performance(2)
    elsewhere = np.zeros(SIZE, np.float32)
    elsewhere[:, :40] = 1.0
    plain = ReferenceWarp(noise_picture(), one(act, 0), rotation[0])
    other = ReferenceWarp(noise_picture(), one(act, 0), rotation[0], elsewhere)
    assert not plain.matted and not other.matted
    pairs = zip(plain.to_pose(act, 1, rotation[1]), other.to_pose(act, 1, rotation[1]), strict=True)
    assert all(np.array_equal(*pair) for pair in pairs)


def test_the_side_of_a_head_that_turned_away_is_the_other_half_of_the_face():
    act, _ = performance(2)
    left, right = rotvec_to_matrix(np.array([0.0, 1.2, 0.0])), rotvec_to_matrix(np.array([0.0, -1.2, 0.0]))
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    around = np.hypot(x - act.head_px[0, 0], y - act.head_px[0, 1]) < 1.3 * HEAD_PX
    picture = np.full((*SIZE, 3), 40, np.uint8)
    picture[around] = 120
    cheek = np.array([0.6, 0.0, -0.8])  # of the head; its mirror image lies on the other cheek
    for turn, side in ((left, 1.0), (right, -1.0)):
        seen = turn @ (cheek * (side, 1, 1))
        if seen[2] < 0:
            at = act.head_px[0] + HEAD_PX * seen[:2]
            break
    picture[np.hypot(x - at[0], y - at[1]) < 4] = 250
    away = turn.T  # turned as far to the other side: that cheek is behind now, the other one before us
    carried, kind = ReferenceWarp(picture, one(act, 0), turn).to_pose(act, 1, away)
    other = away @ (cheek * (-side, 1, 1))
    column, row = np.rint(act.head_px[1] + HEAD_PX * other[:2]).astype(int)
    assert carried[row, column, 0] > 220 and kind[row, column] == DOUBTFUL_FIGURE


def test_thighs_go_on_below_the_picture_where_no_knee_is_drawn():
    act, rotation = performance(2)
    knees = [BODY_INDEX["left_knee"], BODY_INDEX["right_knee"]]
    cut_off = dataclasses.replace(act, drawn=act.drawn.copy())
    cut_off.drawn[:, knees] = False
    whole, below = (parts_of(who, 0, rotation[0]) for who in (act, cut_off))
    for side in ("left", "right"):
        thigh = below[f"{side}_hip-{side}_knee"]
        direction = thigh.points["lower"] - thigh.points["upper"]
        assert direction[1] > 2 * HEAD_PX and abs(direction[0]) < 0.2 * direction[1]
        assert thigh.reach_px == whole[f"{side}_hip-{side}_knee"].reach_px
        assert f"{side}_knee-{side}_ankle" not in below
    cut_off.drawn[:, BODY_INDEX["left_hip"]] = False
    assert "right_hip-right_knee" not in parts_of(cut_off, 0, rotation[0])


def test_a_chest_that_the_neck_leaves_is_the_photos():
    """Where the neck's pixels lie on the torso they are the torso's as well: a head that moves aside bares no blur."""
    act, rotation = performance()
    act = one(act, 0)
    aside = dataclasses.replace(act, head_px=act.head_px + (40, 0))
    picture = noise_picture()
    carried, kind = ReferenceWarp(picture, act, rotation[0]).to_pose(aside, 0, rotation[0])
    shoulders = act.joints_px[0, [BODY_INDEX["left_shoulder"], BODY_INDEX["right_shoulder"]]].mean(0)
    column, row = np.rint(shoulders).astype(int)
    chest = slice(row - 8, row + 3), slice(column - 14, column + 1)
    same = np.abs(carried[chest].astype(int) - picture[chest]).max(-1) <= 2
    assert (same & (kind[chest] == SEEN_FIGURE)).mean() > 0.9


def test_a_body_cut_off_by_the_photo_goes_on_below_it_without_a_gap():
    """Moved up, what lay below the photo shows: the columns of the trousers go on to the edge, between the thighs
    too, and beside them is background."""
    act, rotation = performance(place_m=(0.0, 1.1, 4.0), wave=0.0)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    pelvis = act.joints_px[0, BODY_INDEX["pelvis"]]
    knees = act.joints_px[0, [BODY_INDEX["left_knee"], BODY_INDEX["right_knee"]]]
    assert pelvis[1] < SIZE[0] - 10 and (knees[:, 1] > SIZE[0]).all(), "the photo ends between hips and knees"
    matte = np.where((np.abs(x - pelvis[0]) < 34) & (y > pelvis[1] - 130), 1.0, 0.0)
    picture = np.where(matte[..., None] > 0.5, [40, 60, 90], [200, 200, 200]).astype(np.uint8)
    up = 25.0
    moved = dataclasses.replace(one(act, 0), joints_px=one(act, 0).joints_px - [0.0, up])
    moved = dataclasses.replace(moved, head_px=moved.head_px - [0.0, up], hands_px=moved.hands_px - [0.0, up])
    carried, kind = ReferenceWarp(picture, one(act, 0), rotation[0], matte).to_pose(moved, 0, rotation[0])
    below = (y > SIZE[0] - up + 2) & (np.abs(x - pelvis[0]) < 26)
    assert (kind[below] >= DOUBTFUL_FIGURE).all() and np.abs(carried[below].astype(int) - [40, 60, 90]).max() < 30
    beside = (y > SIZE[0] - up + 2) & (np.abs(x - pelvis[0]) > 60)
    assert (kind[beside] < DOUBTFUL_FIGURE).all()


def test_no_end_of_an_upper_arm_stands_out_of_an_elbow_that_bends():
    """The photo shows a straight arm, so below the elbow is the person too; bent, it is the wall again."""
    act, rotation = performance(wave=0.0)
    shoulder, elbow, wrist = (BODY_INDEX[f"left_{name}"] for name in ("shoulder", "elbow", "wrist"))
    straight = one(act, 0)
    bent = straight.joints_px.copy()
    bent[0, wrist] = bent[0, elbow] + [12.0, -50.0]
    bent = dataclasses.replace(straight, joints_px=bent, hands_drawn=np.zeros_like(straight.hands_drawn))
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(float)
    here = parts_of(straight, 0, rotation[0])
    arm = here["left_shoulder-left_elbow"], here["left_elbow-left_wrist"]
    matte = np.max([distance_px(part, x, y) < 1.5 * part.reach_px for part in arm], 0)
    matte |= distance_px(here["torso"], x, y) == 0
    picture = np.where(matte[..., None], [200, 40, 40], [90, 90, 90]).astype(np.uint8)
    _, kind = ReferenceWarp(picture, straight, rotation[0], matte * 1.0).to_pose(bent, 0, rotation[0])
    there = parts_of(bent, 0, rotation[0])
    end, fore = there["left_shoulder-left_elbow"], there["left_elbow-left_wrist"]
    beyond = distance_px(end, x, y) / end.reach_px
    beyond = (beyond > 1.02) & (beyond < 1.13) & (y > bent.joints_px[0, elbow, 1] + 0.7 * end.reach_px)
    beyond &= distance_px(fore, x, y) > 1.16 * fore.reach_px
    assert beyond.sum() > 8 and (kind[beyond] < DOUBTFUL_FIGURE).mean() > 0.5, "0 of them with its whole reach"
