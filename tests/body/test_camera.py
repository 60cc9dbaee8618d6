"""The camera is found from the background: known moves, film noise, people who walk, a flash, large pictures."""

import cv2
import numpy as np
import pytest

from stages.body.camera import STILL, after_step, camera_moves, inverse, on_canvas, view_of
from stages.body.plate import Plate

SIDE = 128


@pytest.fixture(autouse=True)
def nobody(monkeypatch):
    """No person is in these pictures; a network that looks for one in random textures may find anything."""
    monkeypatch.setattr("stages.body.camera.figure_matte", lambda picture: np.zeros(picture.shape[:2], np.float32))


def place(side=SIDE, seed=0):
    """A picture of a place, three times as large as the film, uint8 [3 side, 3 side, 3]."""
    rng = np.random.default_rng(seed)
    grains = [rng.uniform(0, 255, (n, n, 3)).astype(np.float32) for n in (12, 30, 70)]
    layers = [cv2.resize(grain, (3 * side, 3 * side), interpolation=cv2.INTER_CUBIC) for grain in grains]
    return np.clip(np.mean(layers, 0) * 1.4 - 40, 0, 255).astype(np.uint8)


def camera(shift=(0.0, 0.0), turn_deg=0.0, zoom=1.0, side=SIDE):
    """px of a frame to px of the place, float64 [2, 3]: about the middle of both."""
    turn = zoom * cv2.getRotationMatrix2D((0.0, 0.0), turn_deg, 1.0)[:, :2]
    middle = 0.5 * (side - 1.0)
    return np.hstack([turn, (np.array(shift) + 1.5 * side - 0.5 - turn @ [middle, middle])[:, None]])


def shot(scene, at, side=SIDE, noise=0.0, seed=0):
    picture = cv2.warpAffine(scene, at, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    grain = np.random.default_rng(seed).normal(0, noise, picture.shape) if noise else 0.0
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def off_px(found, cameras, anchor, side=SIDE):
    """Largest error of the moves at the corners of every frame, px of the film."""
    corners = np.array([[0, 0, 1], [side - 1, 0, 1], [0, side - 1, 1], [side - 1, side - 1, 1.0]])
    true = [after_step(inverse(anchor), at) for at in cameras]
    return max(np.linalg.norm((move - real) @ corners.T, axis=0).max() for move, real in zip(found, true, strict=True))


def film(frames=12, side=SIDE):
    return [camera((1.3 * t, 3 * np.sin(t)), 0.4 * t, 1.0 + 0.006 * t, side) for t in range(frames)]


@pytest.mark.parametrize("side", [SIDE, 300])
def test_a_pan_with_roll_and_zoom_is_found_to_a_third_of_a_pixel(side):
    scene, cameras = place(side), film(side=side)
    views = [view_of(shot(scene, at, side, noise=3.0, seed=t)) for t, at in enumerate(cameras)]
    found = camera_moves(views, view_of(shot(scene, cameras[4], side)))
    assert off_px(found, cameras, cameras[4], side) < 0.33 * side / SIDE


def test_a_camera_that_stands_still_is_still_to_the_bit_through_noise_and_somebody_who_walks():
    scene = place()
    frames = [shot(scene, camera(), noise=4.0, seed=t) for t in range(10)]
    for t, frame in enumerate(frames):
        cv2.circle(frame, (20 + 9 * t, 70), 14, (200, 30, 40), -1)
    assert np.array_equal(camera_moves(map(view_of, frames), view_of(frames[3])), np.tile(STILL, (10, 1, 1)))


def test_what_moves_otherwise_does_not_pull_the_background_along():
    scene, cameras = place(), film()
    frames = [shot(scene, at) for at in cameras]
    for t, frame in enumerate(frames):
        cv2.rectangle(frame, (100 - 7 * t, 30), (130 - 7 * t, 110), (250, 240, 30), -1)
    assert off_px(camera_moves(map(view_of, frames), view_of(frames[0])), cameras, cameras[0]) < 0.5


def test_a_frame_that_shows_nothing_does_not_lose_those_behind_it():
    scene, cameras = place(), film()
    frames = [shot(scene, at) for at in cameras]
    frames[5] = np.full_like(frames[5], 250)  # a flash
    found = camera_moves(map(view_of, frames), view_of(frames[0]))
    others = [t for t in range(12) if t != 5]
    assert off_px(found[others], [cameras[t] for t in others], cameras[0]) < 0.33
    assert np.isfinite(found).all()


def test_frames_too_far_from_the_anchor_are_reached_from_frame_to_frame():
    scene = place()
    cameras = [camera((5.0 * t, 0.0)) for t in range(22)]  # 105 px: the last share nothing with the first
    found = camera_moves((view_of(shot(scene, at)) for at in cameras), view_of(shot(scene, cameras[0])))
    assert off_px(found, cameras, cameras[0]) < 3.0


def test_another_place_says_nothing():
    frames = [shot(place(seed=1), camera((0.5 * t, 0))) for t in range(6)]
    assert np.array_equal(camera_moves(map(view_of, frames), view_of(shot(place(seed=2), camera()))), [STILL] * 6)
    assert camera_moves([], view_of(frames[0])).shape == (0, 2, 3)


def test_moves_on_a_canvas_are_those_of_the_film_seen_from_there():
    affine = np.array([[0.5, 0.0, 7.0], [0.0, 0.5, -3.0]])
    move, point = camera((4.0, 2.0), 5.0, 1.1), np.array([33.0, 81.0])
    to = lambda matrix, at: matrix[:, :2] @ at + matrix[:, 2]  # noqa: E731
    assert np.allclose(to(on_canvas(move[None], affine)[0], to(affine, point)), to(affine, to(move, point)))
    assert on_canvas(np.zeros((0, 2, 3)), affine).shape == (0, 2, 3)


def test_the_plate_goes_with_the_camera_and_says_what_it_does_not_know():
    picture = shot(place(), camera())
    hidden = np.zeros((SIDE, SIDE), bool)
    hidden[40:60, 50:70] = True
    plate = Plate(picture, hidden)
    move = np.array([[1.0, 0.0, 10.0], [0.0, 1.0, 0.0]])  # pixel x shows what stood at x + 10
    moved, unseen = plate.at(move)
    assert np.array_equal(moved[:30, : SIDE - 10], picture[:30, 10:]) and not unseen[:30, : SIDE - 10].any()
    assert unseen[:, SIDE - 10 :].all() and unseen[50, 40:60].all() and not unseen[50, 61:117].any()
    for still in (None, STILL):
        stood, unseen = plate.at(still)
        assert np.array_equal(stood[~hidden], picture[~hidden]) and np.array_equal(unseen, hidden)
