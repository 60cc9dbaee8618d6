"""A photo narrower than its canvas: the wall goes on beside it, the person does not."""

import numpy as np

from stages.body.framing import Window, cut, outside_px
from stages.body.surroundings import surrounded
from tests.body.test_regrow import bricks

WINDOW = Window(1.0, (32.0, 0.0), 128, 128)


def scene():
    """(canvas, unseen, matte) of a wall of 64 px on a canvas of 128, somebody green before it who touches
    its right edge in the lower half."""
    picture = bricks(128, 64)
    matte = np.zeros((128, 128), np.float32)
    matte[64:, 60:96] = 1.0
    picture[64:, 28:] = (0, 255, 0)
    return cut(picture, WINDOW), outside_px(WINDOW, 128, 64) > 0, matte


def test_what_lies_beyond_is_what_the_picture_does_not_cover():
    _, unseen, _ = scene()
    assert unseen[:, :32].all() and unseen[:, 96:].all() and not unseen[:, 32:96].any()
    assert not (outside_px(Window(2.0, (-8.0, 0.0), 64, 64), 128, 128) > 0).any()


def test_the_wall_goes_on_and_nobody_is_copied():
    canvas, unseen, matte = scene()
    made = surrounded(canvas, unseen, matte)
    assert np.array_equal(made[~unseen], canvas[~unseen])
    wall = made[:80, :28].astype(int)
    assert np.abs(np.diff(wall, axis=0)).mean() > 3 * np.abs(np.diff(canvas[:80, :28].astype(int), axis=0)).mean()
    green = (made[..., 1] > 150) & (made[..., 0] < 100)
    assert not green[:, :32].any() and not green[:, 98:].any()


def test_below_a_body_the_blur_stays():
    picture = bricks(100, 128)[:64]  # no floor
    matte = np.zeros((128, 128), np.float32)
    matte[30:64, 50:80] = 1.0
    picture[30:, 50:80] = (0, 255, 0)
    window = Window(1.0, (0.0, 0.0), 128, 128)
    canvas, unseen = cut(picture, window), outside_px(window, 64, 128) > 0
    made = surrounded(canvas, unseen, matte)
    assert made[66:72, 60:70, 1].mean() > 120, "still green"
    assert np.abs(made[66:80, 60:70].astype(int) - canvas[66:80, 60:70]).mean() < 60
    assert np.abs(made[64:72, :40].astype(int) - bricks(100, 128)[64:72, :40]).mean() < 40, "beside it the wall goes on"


def test_a_photo_that_fills_the_canvas_is_left_alone():
    picture = bricks(128, 128)
    assert surrounded(picture, np.zeros((128, 128), bool), np.ones((128, 128), np.float32)) is picture
