"""The carried photo takes on the driver's expression: points go where the shape says, nothing else moves."""

import cv2
import numpy as np
import pytest

from stages.core.carried import DOUBTFUL_FIGURE, SEEN_FIGURE
from stages.core.geometry import rotvec_to_matrix
from stages.face.carry import carry_expression, carry_expressions, reference_weights
from stages.face.encoder import load_face_encoder
from stages.face.shape import face_shape

JAW_OPEN, BLINK_LEFT = 24, 8  # of the 52 ARKit weights in alphabetical order
CENTER, RADIUS, SIDE = np.array([60.0, 64.0]), 40.0, 128
LOWER_LIP, UPPER_LIP, CHIN, NOSE = 57, 51, 8, 30


def weights(**values) -> np.ndarray:
    made = np.zeros(54)
    for index, value in values.values():
        made[index] = value
    return made


def dotted(points) -> np.ndarray:
    """A grey picture with a white blob at points [n, 2] of a head."""
    y, x = np.mgrid[:SIDE, :SIDE]
    picture = np.full((SIDE, SIDE, 3), 60, np.uint8)
    for place in np.atleast_2d(points) * RADIUS + CENTER:
        picture[np.hypot(x - place[0], y - place[1]) < 2.0] = 255
    return picture


def blob(picture) -> np.ndarray:
    """Middle [2] (x, y) of what is bright."""
    bright = np.clip(picture[..., 1].astype(float) - 90, 0, None)
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.array([(bright * x).sum(), (bright * y).sum()]) / bright.sum()


def moved(picture, before, after, rotation=None):
    kind = np.full((SIDE, SIDE), SEEN_FIGURE, np.uint8)
    rotation = np.eye(3) if rotation is None else rotation
    return carry_expression(picture, kind, CENTER, RADIUS, rotation, before, after, face_shape())


def test_the_shape_is_a_head_whose_jaw_opens_downwards():
    shape = face_shape()
    assert shape.neutral.shape == (68, 3) and shape.moves.shape == (52, 68, 3)
    assert shape.neutral[NOSE, 2] < -0.8  # towards the camera
    assert shape.neutral[CHIN, 1] > shape.neutral[LOWER_LIP, 1] > shape.neutral[NOSE, 1]
    assert shape.moves[JAW_OPEN, LOWER_LIP, 1] > 0.2 > abs(shape.moves[JAW_OPEN, NOSE]).max()
    np.testing.assert_array_equal(shape.points(np.full(54, 7.0)), shape.points(np.ones(54)))  # limited to 0..1


def test_the_same_expression_moves_nothing():
    picture = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    same = weights(jaw=(JAW_OPEN, 0.4), blink=(BLINK_LEFT, 0.2))
    made, kind = moved(picture, same, same)
    assert np.abs(made.astype(int) - picture).max() <= 1
    assert (kind == SEEN_FIGURE).all()


@pytest.mark.parametrize("yaw_rad", [0.0, 0.4])
@pytest.mark.parametrize("point", [LOWER_LIP, CHIN])
def test_points_go_where_the_shape_says(point, yaw_rad):
    shape, rotation = face_shape(), rotvec_to_matrix(np.array([0.0, yaw_rad, 0.0]))
    before, after = weights(), weights(jaw=(JAW_OPEN, 0.6))
    start, goal = (shape.points(w)[point] @ rotation.T for w in (before, after))
    made, _ = moved(dotted(start[:2]), before, after, rotation)
    wanted, found = goal[:2] * RADIUS + CENTER, blob(made)
    still = np.linalg.norm((goal - start)[:2]) * RADIUS
    assert still > 3 and np.linalg.norm(found - wanted) < 0.25 * still, (found, wanted)


def test_what_is_not_the_face_stays():
    picture = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    made, _ = moved(picture, weights(), weights(jaw=(JAW_OPEN, 1.0)))
    y, x = np.mgrid[:SIDE, :SIDE]
    far = np.hypot(x - CENTER[0], y - CENTER[1]) > 1.35 * RADIUS
    assert np.abs(made[far].astype(int) - picture[far]).max() <= 1
    assert np.abs(made[~far].astype(int) - picture[~far]).mean() > 5


def test_an_opened_mouth_is_dark_inside_and_doubtful():
    picture = np.full((SIDE, SIDE, 3), 180, np.uint8)
    made, kind = moved(picture, weights(), weights(jaw=(JAW_OPEN, 0.7)))
    doubtful = kind == DOUBTFUL_FIGURE
    assert 20 < doubtful.sum() < 600
    assert made[doubtful].mean() < 90 < made[~doubtful].mean()
    closed, kind = moved(picture, weights(jaw=(JAW_OPEN, 0.7)), weights())
    assert closed.min() > 90 and (closed < 175).any(-1).sum() < 60  # a line where the lips meet, no more
    assert (kind == SEEN_FIGURE).all()


@pytest.mark.parametrize("broken", ["center", "radius", "rotation", "before", "after", "small", "behind"])
def test_an_unknown_head_or_expression_leaves_the_photo(broken):
    values = {"center": CENTER, "radius": RADIUS, "rotation": np.eye(3), "before": weights(),
              "after": weights(jaw=(JAW_OPEN, 1.0))}  # fmt: skip
    special = {"small": ("radius", 7.0), "behind": ("rotation", np.diag([-1.0, 1.0, -1.0]))}
    name, value = special.get(broken, (broken, np.full(np.shape(values.get(broken)), np.nan)))
    values[name] = value
    picture = np.random.default_rng(2).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    kind = np.full((SIDE, SIDE), SEEN_FIGURE, np.uint8)
    made, same = carry_expression(
        picture, kind, values["center"], values["radius"], values["rotation"], values["before"], values["after"],
        face_shape(),
    )  # fmt: skip
    np.testing.assert_array_equal(made, picture)
    np.testing.assert_array_equal(same, kind)


def test_a_clip_is_its_frames_and_its_jaws_count_more():
    pictures = np.random.default_rng(3).integers(0, 256, (3, SIDE, SIDE, 3), dtype=np.uint8)
    kinds = np.full((3, SIDE, SIDE), SEEN_FIGURE, np.uint8)
    after = np.stack([weights(), weights(jaw=(JAW_OPEN, 0.5)), np.full(54, np.nan)])
    heads = np.tile(CENTER, (3, 1)), np.full(3, RADIUS), np.tile(np.eye(3), (3, 1, 1))
    made, found = carry_expressions(pictures, kinds, *heads, weights(), after)
    assert made.shape == pictures.shape and found.shape == kinds.shape
    np.testing.assert_array_equal(made[2], pictures[2])
    louder = weights(jaw=(JAW_OPEN, 1.4 * 0.5))
    np.testing.assert_array_equal(made[1], moved(pictures[1], weights(), louder)[0])


def test_tokens_say_the_expressions_exactly():
    encoder = load_face_encoder()
    crops = np.random.default_rng(4).integers(0, 256, (3, 224, 224, 3), dtype=np.uint8)
    tokens = encoder.tokens(crops)
    np.testing.assert_allclose(encoder.expressions_of(tokens), encoder.expressions(crops), atol=1e-4)
    tokens[1] = np.nan
    found = encoder.expressions_of(tokens)
    assert np.isnan(found[1]).all() and np.isfinite(found[[0, 2]]).all()


def test_a_face_turned_away_is_not_read():
    encoder, picture = load_face_encoder(), np.full((SIDE, SIDE, 3), 90, np.uint8)
    read = reference_weights(encoder, picture, CENTER, RADIUS, np.eye(3))
    assert read.shape == (54,) and np.isfinite(read).all()
    for rotation in (rotvec_to_matrix(np.array([0.0, 1.4, 0.0])), np.full((3, 3), np.nan)):
        assert np.isnan(reference_weights(encoder, picture, CENTER, RADIUS, rotation)).all()


@pytest.mark.slow
def test_the_shipped_shape_is_what_the_people_say():
    from stages.core.errors import WeightsError
    from stages.synthetic.assets import load_assets
    from stages.training.face_shape import measure_face_shape

    try:
        assets = load_assets("full")
    except WeightsError as error:
        pytest.skip(f"assets cannot be had here: {error}")
    neutral, moves = measure_face_shape(assets)
    np.testing.assert_allclose(neutral, face_shape().neutral, atol=1e-5)
    np.testing.assert_allclose(moves, face_shape().moves, atol=1e-5)


def with_holes(outline, face_weights) -> np.ndarray:
    """A skin-coloured picture whose parts `outline` of the 68 points are dark, for a face with these weights."""
    picture = np.full((SIDE, SIDE, 3), 200, np.uint8)
    points = face_shape().points(face_weights)[:, :2] * RADIUS + CENTER
    for part in outline:
        cv2.fillPoly(picture, [np.round(points[part] * 16).astype(np.int32)], (20, 20, 20), cv2.LINE_AA, shift=4)
    return picture


@pytest.mark.parametrize("turn", [(0.0, 0.0, 0.0), (0.0, 0.35, 0.0)])
def test_lids_that_meet_close_the_eye(turn):
    """Fully closed lids cross in the shape's own terms; the eye must all the same get smaller the further they come."""
    rotation, shape = rotvec_to_matrix(np.array(turn)), face_shape()
    eyes = (shape.points(np.zeros(54)) @ rotation.T)[36:48, :2] * RADIUS + CENTER
    picture = np.full((SIDE, SIDE, 3), 200, np.uint8)
    for eye in (eyes[:6], eyes[6:]):
        cv2.fillPoly(picture, [np.round(eye * 16).astype(np.int32)], (20, 20, 20), cv2.LINE_AA, shift=4)
    dark = []
    for amount in (0.0, 0.4, 1.0):
        after = weights(left=(BLINK_LEFT, amount), right=(BLINK_LEFT + 1, amount))
        made, _ = moved(picture, np.zeros(54), after, rotation)
        dark.append(int((made[..., 1] < 90).sum()))  # the line between the lids is lighter
    assert dark[0] > 25 and dark[2] < 0.2 * dark[0] and dark[2] < dark[1] < 0.9 * dark[0]


def test_lips_that_meet_close_the_mouth():
    before = weights(jaw=(JAW_OPEN, 0.5))
    picture = with_holes([slice(60, 68)], before)
    open_still, _ = moved(picture, before, before)
    closed, _ = moved(picture, before, np.zeros(54))
    hole, left = (int((made[..., 1] < 90).sum()) for made in (open_still, closed))
    assert hole > 40 and left < 0.2 * hole
