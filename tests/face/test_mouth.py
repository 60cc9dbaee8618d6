"""The inside of a mouth that opens: dark, with teeth that belong to the skull and to the jaw."""

import cv2
import numpy as np

from stages.core.arkit import ARKIT_INDEX
from stages.core.carried import DOUBTFUL_FIGURE, SEEN_FIGURE
from stages.face.carry import carry_expression
from stages.face.shape import face_shape

CENTER, RADIUS, SIDE = np.array([100.0, 80.0]), 80.0, 200
SKIN = 150


def opened(skin=SKIN, radius=RADIUS, **units):
    """Picture and kinds of a face of one colour, its mouth shut in the photo, with these ARKit weights."""
    picture, kind = np.full((SIDE, SIDE, 3), skin, np.uint8), np.full((SIDE, SIDE), SEEN_FIGURE, np.uint8)
    after = np.zeros(54)
    for name, weight in units.items():
        after[[ARKIT_INDEX[full] for full in ARKIT_INDEX if full in (name, f"{name}Left", f"{name}Right")]] = weight
    return carry_expression(picture, kind, CENTER, radius, np.eye(3), np.zeros(54), after, face_shape())


def middle(picture) -> np.ndarray:
    """Grey levels [rows] of a mouth, down its middle."""
    return picture[90:190, 98:103].astype(float).mean((1, 2))


def teeth(picture, skin=SKIN) -> np.ndarray:
    """Rows down the middle that are a tooth: in the mouth's shade, but far brighter than its inside."""
    column = middle(picture)
    inside = np.flatnonzero(column < 0.9 * skin)
    return inside[column[inside] > 0.6 * skin]


def test_between_the_rows_of_teeth_it_is_dark():
    made, kind = opened(jawOpen=0.8, mouthUpperUp=0.6, mouthLowerDown=0.6)
    rows = teeth(made)
    assert len(rows) >= 6, rows
    assert middle(made)[rows[0] : rows[-1]].min() < 0.4 * SKIN
    assert np.diff(rows).max() > 3, "two rows, with a mouth between them"
    assert (kind == DOUBTFUL_FIGURE).sum() > 60


def test_upper_teeth_keep_to_the_skull_and_lower_ones_go_with_the_jaw():
    lips = {"mouthUpperUp": 0.6, "mouthLowerDown": 0.6}
    less, more = (teeth(opened(jawOpen=weight, **lips)[0]) for weight in (0.5, 0.8))
    edge_less, edge_more = (rows[: np.argmax(np.diff(rows) > 1) + 1][-1] for rows in (less, more))
    assert abs(edge_less - edge_more) <= 1, "the biting edge of the upper row"
    assert more[-1] - less[-1] > 3, "the lower row"


def test_a_lip_that_rises_shows_more_of_the_upper_row():
    jaw, grin = (len(teeth(opened(jawOpen=0.4, mouthUpperUp=up)[0])) for up in (0.0, 0.8))
    assert grin > jaw


def test_the_darker_a_skin_the_paler_its_teeth():
    level = {}
    for skin in (60, 230):
        made, _ = opened(skin, jawOpen=0.6, mouthUpperUp=0.8)
        level[skin] = np.percentile(middle(made)[30:36], 75)
    assert level[60] > 1.1 * 60 and level[230] < 0.95 * 230, level


def test_a_mouth_that_stays_shut_has_none():
    made, kind = opened(mouthSmile=0.3)
    assert (kind == SEEN_FIGURE).all() and not len(teeth(made))


def test_a_mouth_of_a_few_pixels_is_plainly_dark():
    """A row of less than a pixel would fill it, and it would read as shut."""
    wide = {"jawOpen": 0.8, "mouthUpperUp": 0.6, "mouthLowerDown": 0.6}
    brightest = {}
    for radius in (24.0, 30.0, 36.0):
        made, kind = opened(radius=radius, **wide)
        inside = cv2.erode((kind == DOUBTFUL_FIGURE).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        assert inside.sum() > 10
        brightest[radius] = float(made[inside].astype(float).mean(-1).max())
    assert brightest[24.0] < 0.45 * SKIN < brightest[30.0] < brightest[36.0], brightest
