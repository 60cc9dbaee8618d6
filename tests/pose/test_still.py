"""A held pose: untouched without turns, turned by just as much as asked for, and only at the head."""

import numpy as np
import pytest

from stages.core.headpose import HEAD_POINTS_M
from stages.core.skeleton import BODY_INDEX, BODY_JOINTS
from stages.pose.layer import RAW_OF, finish_track
from stages.pose.still import hold_pose
from stages.pose.track import empty_arrays


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    made = empty_arrays(1)
    made["joints_m"][0] = rng.normal(0, 0.3, (len(BODY_JOINTS), 3))
    for name, place in HEAD_POINTS_M.items():
        made["joints_m"][0, BODY_INDEX[name]] = np.array(place) + [0.0, -0.6, 0.0]
    made["joints_px"][0] = 500 * made["joints_m"][0, :, :2] + 300
    made["face_px"][0] = rng.normal(0, 40, (478, 3)) + [300, 10, 0]
    made["face_valid"][:] = made["present"][:] = True
    made |= {raw: made[name].copy() for name, raw in RAW_OF.items()}
    made["K_px"], made["transl_m"] = np.eye(3), np.zeros((1, 3), np.float32)
    return made


def test_no_turn_changes_nothing(arrays):
    held = hold_pose(arrays, np.zeros((3, 3)))
    assert set(held) == set(arrays)
    for name, array in held.items():
        if name != "K_px":
            assert len(array) == 3 and np.array_equal(array[2], arrays[name][0], equal_nan=True), name


@pytest.mark.parametrize("axis, degrees", [(0, 5.0), (1, -4.0), (2, 3.0)])
def test_a_head_turns_by_what_is_asked_for_and_the_body_stays(arrays, axis, degrees):
    from stages.core.geometry import euler_yaw_pitch_roll_rad
    from stages.core.headpose import kabsch

    turns = np.zeros((2, 3))
    turns[1, axis] = degrees
    held = hold_pose(arrays, turns)
    before, after = (held["face_px"][at].astype(float) for at in (0, 1))
    rotation = kabsch(before, after[None])[0][0]
    yaw, pitch, roll = np.rad2deg(euler_yaw_pitch_roll_rad(rotation))
    found = np.array([-pitch, yaw, roll])
    assert np.abs(found - turns[1]).max() < 0.05, found
    head = [BODY_INDEX[name] for name in HEAD_POINTS_M]
    body = [at for at in range(len(BODY_JOINTS)) if at not in head]
    assert np.array_equal(held["joints_px"][1, body], held["joints_px"][0, body])
    nose, ear = BODY_INDEX["nose"], BODY_INDEX["left_ear"]
    lengths = np.linalg.norm(held["joints_m"][:, nose] - held["joints_m"][:, ear], axis=-1)
    assert abs(lengths[1] - lengths[0]) < 1e-4


def test_a_photo_of_the_layer_keeps_its_arrays(arrays):
    from stages.pose.track import PoseTrack

    names = [name for name in arrays if name not in ("K_px", "transl_m", *RAW_OF.values())]
    track = PoseTrack(**{name: arrays[name] for name in names}, size=(600, 600), fps=1.0)
    finished = finish_track(track, smooth=False)
    assert set(hold_pose(finished, np.ones((4, 3)))) == set(finished)
