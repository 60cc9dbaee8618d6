"""The camera: what a framing promises is in the picture at every moment, and the depth range holds the person."""

import numpy as np
import pytest

from stages.synthetic.body_motion import STYLE_CHOICES, Motion
from stages.synthetic.camera import FRAMINGS, MOVES, NEAREST_HAND, draw_camera, place_camera, still_camera
from stages.synthetic.identity import identity

BODY = ["head", "jaw", "wrist.L", "wrist.R", "finger3-3.L", "finger3-3.R", "foot.L", "foot.R", "toe1-2.L", "toe1-2.R"]
HALF = ["head", "jaw", "upperarm01.L", "upperarm01.R", "upperleg01.L", "upperleg01.R"]
PROMISED = {"full": BODY, "half": HALF, "portrait": ["head", "jaw", "eye.L", "eye.R"]}
ENDS = ("head", "jaw", "finger", "toe")


@pytest.fixture(scope="module")
def people(anny):
    return [identity(anny, seed) for seed in (3, 600_100)]


def placed(people, seed, framing, style):
    draw, person = draw_camera(np.random.default_rng(seed), framing), people[seed % 2]
    forward = draw.distance_dm(person) * NEAREST_HAND if framing == "portrait" else np.inf
    motion = Motion(person, np.random.default_rng(seed + 1000), 4.0, style, framing=framing, max_forward_dm=forward)
    return draw, motion, place_camera(draw, person, motion, 4.0)


def seen(motion, camera, names):
    """Places in the picture, -1..1 [T, N, 2], and distances along the view [T, N], while the clip lasts."""
    points = motion.joints_dm([(name, name.startswith(ENDS)) for name in names], every=5)
    times = motion.plan.time_s[::5]
    slope, rows, depths = np.tan(np.radians(camera.fov_deg) / 2), [], []
    for moment, place in zip(times, points, strict=True):
        if 0 <= moment <= 4:
            view = camera.view(float(moment))
            at = place @ view.world_to_view[:3, :3].T + view.world_to_view[:3, 3]
            rows.append(at[:, :2] / -at[:, 2:] / slope)
            depths.append(-at[:, 2])
    return np.array(rows), np.array(depths)


@pytest.mark.parametrize("framing", FRAMINGS)
def test_what_the_framing_promises_is_in_the_picture(people, framing):
    sizes, moves = [], set()
    for seed, style in enumerate(sorted(set(STYLE_CHOICES[framing])) * (2 if framing == "portrait" else 1)):
        for number in (seed, seed + 50):
            draw, motion, camera = placed(people, number, framing, style)
            moves.add(draw.move)
            places, _ = seen(motion, camera, PROMISED[framing])
            assert np.abs(places).max() < 1, f"{style} {number} {draw.move}: {np.abs(places).max():.3f}"
            _, depths = seen(motion, camera, BODY)
            assert depths.min() > camera.near_dm + 0.5 and depths.max() < camera.far_dm - 0.5, (style, number)
            sizes.append(np.ptp(places[..., 1], axis=1).mean() / 2)
    if framing == "full":
        assert np.median(sizes) > 0.6, f"people are small: {np.median(sizes):.2f} of the picture"
    assert len(moves) > 2 and moves <= set(MOVES)


def test_hands_do_not_block_the_view_of_portraits(people):
    for seed in range(12):
        _, motion, camera = placed(people, seed, "portrait", ("talk", "wave", "think")[seed % 3])
        _, depth = seen(motion, camera, ["finger3-3.L", "finger3-3.R"])
        _, head = seen(motion, camera, ["head"])
        assert (depth.min(1) > 0.35 * head[:, 0]).all()


def test_views_depend_on_the_time_alone_and_moves_are_gentle(people):
    for seed in range(12):
        draw, _, camera = placed(people, seed, "half", "talk")
        late = camera.view(2.0).world_to_view
        views = [camera.view(t).world_to_view for t in np.linspace(0, 4, 97)]
        assert np.array_equal(camera.view(2.0).world_to_view, late)
        steps = [np.degrees(np.arccos(np.clip((np.trace(b[:3, :3] @ a[:3, :3].T) - 1) / 2, -1, 1)))
                 for a, b in zip(views[:-1], views[1:], strict=True)]  # fmt: skip
        assert max(steps) < 1.5, f"{draw.move}: {max(steps):.2f} degrees in a frame"
        if draw.move == "still" and not draw.follows:
            assert not camera.moves


def test_rolled_pictures_are_rotations(people):
    for seed in range(6):
        _, _, camera = placed(people, seed, "portrait", "talk")
        rotation = camera.view(1.0).world_to_view[:3, :3]
        assert np.allclose(rotation @ rotation.T, np.eye(3)) and np.linalg.det(rotation) > 0


def test_a_still_camera_stands_still():
    camera = still_camera(20.0, np.array([0.0, 1.0, 0.0]), np.array([0.0, 1.0, 30.0]))
    assert not camera.moves and np.array_equal(camera.view(0.0).world_to_view, camera.view(9.0).world_to_view)
    assert camera.eye_dm == pytest.approx([0, 1, 30]) and camera.near_dm == 18 and camera.far_dm == 44


def test_cameras_see_people_from_many_sides():
    draws = [draw_camera(np.random.default_rng(seed), "mix") for seed in range(400)]
    azimuth = np.array([draw.azimuth_deg for draw in draws])
    assert (np.abs(azimuth) > 30).mean() > 0.12 and np.abs(azimuth).max() <= 60
    assert {draw.move for draw in draws} == set(MOVES)
    assert np.ptp([draw.fov_deg for draw in draws]) > 22 and np.std([draw.roll_deg for draw in draws]) > 0.8
