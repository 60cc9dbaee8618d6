"""Pictures of the person from all around and in an A-pose."""

import numpy as np
import pytest

from stages.core.geometry import project_px
from stages.core.skeleton import BODY_INDEX
from stages.synthetic.clip import Studio
from stages.synthetic.seeds import ClipSeeds, split_of

SEED = 600_500


@pytest.fixture(scope="module")
def clip(full):
    return Studio(full, 96).clip(SEED, frames=2, framing="half", views=4, a_pose=True)


def test_views_go_around_the_same_person(clip):
    assert len(clip.views) == 4
    assert all(view.about == clip.about and view.seeds.identity == SEED for view in clip.views)
    assert len({view.seeds.motion for view in clip.views} | {clip.seeds.motion}) == 5
    eyes = [-view.world_to_camera[0, :, :3].T @ view.world_to_camera[0, :, 3] for view in clip.views]
    angles = np.sort(np.degrees([np.arctan2(eye[0], eye[2]) for eye in eyes]) % 360)
    gaps = np.diff(np.append(angles, angles[0] + 360))
    assert gaps.max() < 185 and gaps.min() > 0, f"directions {angles.round()}: expected one in each quarter"


def test_the_truth_of_a_view_is_that_of_its_own_camera(clip):
    for view in (*clip.views, clip.a_pose):
        error = np.abs(project_px(view.joints_m + view.transl_m[:, None], view.K_px) - view.joints_px).max()
        assert error < 0.05, f"{error:.4f} px, tolerance 0.05"
        assert view.flow_px is None and len(view.frames_u8) == 1
        assert (view.mask > 0).mean() > 0.02


def test_the_a_pose_shows_all_of_the_person_from_the_front(clip):
    pose = clip.a_pose
    assert (pose.joints_px > 0).all() and (pose.joints_px < 95).all(), "a joint is outside the picture"
    middle = pose.joints_px[0, BODY_INDEX["pelvis"], 0]
    assert abs(middle - 47.5) < 2 and np.abs(pose.R_cam_head[0] - np.eye(3)).max() < 1e-3
    for side, sign in (("left", 1), ("right", -1)):
        shoulder, wrist = (pose.joints_px[0, BODY_INDEX[f"{side}_{name}"]] for name in ("shoulder", "wrist"))
        assert sign * (wrist[0] - shoulder[0]) > 5 and wrist[1] > shoulder[1], "arms are out and down"
    assert np.abs(pose.expression).max() == 0
    assert len(np.unique(pose.frames_u8[0][pose.mask[0] == 0].reshape(-1, 3), axis=0)) < 200
    rest = np.linalg.norm(pose.joints_m[0] - pose.joints_m[0, 24], axis=-1)
    wanted = np.linalg.norm(clip.rest_joints_m - clip.rest_joints_m[24], axis=-1)
    assert np.abs(rest - wanted).max() < 1e-4, "the A-pose is the rest pose"


def test_asking_for_more_changes_nothing_else(full, clip):
    plain = Studio(full, 96).clip(SEED, frames=2, framing="half")
    for name in ("frames_u8", "joints_px", "flow_px", "depth_m", "mask"):
        assert getattr(plain, name).tobytes() == getattr(clip, name).tobytes(), name


def test_seeds_of_views_stay_in_the_split():
    for seed in (0, 499_999, 500_000, 999_999):
        for number in range(20):
            view = ClipSeeds.of(seed).of_view(number)
            seeds = (view.identity, view.motion, view.camera, view.light, view.background)
            assert {split_of(one) for one in seeds} == {split_of(seed)}
