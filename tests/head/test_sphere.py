"""The sphere map identifies the rotation, the centre and the radius of the head (closed form: draw, then recover)."""

import numpy as np
import pytest

from stages.core.geometry import rotation_angle_deg, rotvec_to_matrix
from stages.head.sphere import draw_sphere, recover_rotation, recover_sphere


def random_rotations(count, seed=0):
    quaternion = np.random.default_rng(seed).normal(size=(count, 4))
    quaternion /= np.linalg.norm(quaternion, axis=1, keepdims=True)
    angle = 2 * np.arccos(np.clip(quaternion[:, 0], -1, 1))
    axis = quaternion[:, 1:] / np.linalg.norm(quaternion[:, 1:], axis=1, keepdims=True)
    return rotvec_to_matrix(axis * angle[:, None])


@pytest.mark.parametrize("radius_px", [8.0, 9.7, 14.2, 30.0, 77.3])
def test_rotation_centre_and_radius_come_back_from_the_pixels(radius_px):
    rng = np.random.default_rng(1)
    angles, centres, radii = [], [], []
    for R_cam_head in random_rotations(40):
        center_px = np.array([100.0, 90.0]) + rng.uniform(-1, 1, 2)
        center, radius, recovered = recover_sphere(draw_sphere(center_px, radius_px, R_cam_head, 180, 200))
        angles.append(rotation_angle_deg(recovered, R_cam_head))
        centres.append(np.abs(center - center_px).max())
        radii.append(abs(radius - radius_px) / radius_px)
    assert max(angles) < 2.0, f"rotation: max {max(angles):.3f}, mean {np.mean(angles):.3f}, tolerance 2 degrees"
    assert max(centres) < 0.2, f"centre: max {max(centres):.3f}, mean {np.mean(centres):.3f}, tolerance 0.2 px"
    assert max(radii) < 0.02, f"radius: max {max(radii):.4f}, mean {np.mean(radii):.4f}, tolerance 2 %"


def test_rotation_comes_back_when_the_border_cuts_the_sphere():
    angles = [
        rotation_angle_deg(recover_rotation(draw_sphere([3.0, 60.0], 20.0, R, 64, 64)), R) for R in random_rotations(30)
    ]
    assert max(angles) < 2.0, f"max {max(angles):.3f}, mean {np.mean(angles):.3f}, tolerance 2 degrees"


def test_an_empty_map_gives_nan():
    empty = draw_sphere([np.nan, np.nan], 10.0, np.eye(3), 32, 32)
    assert empty.dtype == np.uint8 and not empty.any()
    assert np.isnan(recover_rotation(empty)).all()


def test_a_frontal_head_has_the_nose_in_the_middle():
    """The middle of the sphere of a head facing the camera shows the front of the head, -z: (128, 128, 0)."""
    image = draw_sphere([32.0, 32.0], 20.0, np.eye(3), 65, 65)
    assert np.abs(image[32, 32].astype(int) - [128, 128, 0]).max() <= 1
    assert image[32, 50, 0] > 200 and image[32, 14, 0] < 60  # red grows towards the person's left = image right
