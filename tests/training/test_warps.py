"""Training carries photos by the same solid torso as `render-spheres`, though its pool knows no camera."""

import numpy as np
import pytest

from stages.body.parts import parts_of
from stages.body.place import Performance
from stages.core.geometry import project_px, yaw_pitch_roll_to_matrix
from stages.training.warps import truth_performance
from tests.body.actor import K_PX, make_pose


@pytest.mark.parametrize("yaw", [0.0, 0.9, 1.5])
def test_a_turned_torso_is_as_deep_as_with_the_camera_that_saw_it(yaw):
    pose, rotation = make_pose(3, wave=0.0)
    turn = yaw_pitch_roll_to_matrix(np.array([[yaw, 0.0, 0.0]]))[0]
    points = pose["joints_m"].astype(np.float64) @ turn.T + [0.0, -0.1, 4.0]
    joints, everything = project_px(points, K_PX), np.ones((3, 25), bool)
    head_px, radius_px = joints[:, 3:5].mean(1), np.full(3, 0.113 * K_PX[0, 0] / 4.0)
    hands = np.zeros((3, 2, 21, 2))
    truth = {
        "joints_px": joints, "joints_z_m": points[..., 2], "joint_visible": everything, "hands_px": hands,
        "head_center_px": head_px, "head_radius_px": radius_px, "R_cam_head": rotation,
    }  # fmt: skip
    exact = Performance(joints, points, everything, hands, np.zeros((3, 2), bool), head_px, radius_px, K_PX,
                        np.ones(24), -1)  # fmt: skip
    found, _ = truth_performance(truth, slice(None))
    np.testing.assert_allclose(project_px(found.points_m, found.K_px), joints, atol=1e-6)
    ours, theirs = (parts_of(who, 1, rotation[1])["torso"].tube.corners for who in (found, exact))
    np.testing.assert_allclose(ours[:, :2], theirs[:, :2])
    for left, right in ((0, 1), (3, 2)):  # how far it leans is another matter: the pool's camera looks at the head
        deep = ours[left, 2] - ours[right, 2], theirs[left, 2] - theirs[right, 2]
        assert deep[0] == pytest.approx(deep[1], abs=0.05 * np.linalg.norm(theirs[0] - theirs[1]))
