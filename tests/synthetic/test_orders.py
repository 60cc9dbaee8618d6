"""Joints in the orders of SMPL-X and COCO-WholeBody, and the 68 points of the face."""

from dataclasses import replace

import numpy as np
import pytest

from stages.core.geometry import project_px, rotation_angle_deg
from stages.core.skeleton import BODY_INDEX, BODY_JOINTS
from stages.head.track import track_head
from stages.synthetic.character import Pose
from stages.synthetic.clip import Studio
from stages.synthetic.face_points import FACE_COUNT, FacePoints
from stages.synthetic.layers import FACE_LAYOUT, pose_arrays
from stages.synthetic.orders import SMPLX_BONES, SMPLX_JOINTS, wholebody

SEEDS = {"portrait": 600_307, "half": 600_301, "full": 600_302}
# Each point's partner on the other side of the face.
MIRROR = [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, *range(35, 30, -1), 45, 44, 43, 42, 47, 46, 39, 38,
          37, 36, 41, 40, *range(54, 47, -1), 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]  # fmt: skip
UPPER_LIDS, LOWER_LIDS, UPPER_LIP, LOWER_LIP = [37, 38, 43, 44], [40, 41, 46, 47], [61, 62, 63], [65, 66, 67]


@pytest.fixture(scope="module")
def clips(full):
    studio = Studio(full, 128)
    return {framing: studio.clip(seed, frames=4, framing=framing) for framing, seed in SEEDS.items()}


def still(assets, expression):
    """The 68 points of the unshaped base mesh with an expression, f64 [68, 3]."""
    base = assets.base_dm.astype(np.float32).copy()
    for name, weight in expression.items():
        index, delta = assets.arkit[name]
        base[index] += weight * delta
    unmoved = np.tile(np.eye(3, 4, dtype=np.float32), (len(assets.bone_names) + 1, 1, 1))
    return FacePoints(assets).world(Pose(unmoved, np.empty((0, 3)), np.empty((0, 3))), base)


def test_projected_points_hit_their_pixels(clips):
    for framing, clip in clips.items():
        whole_px, whole_m, whole_visible = clip.wholebody()
        assert whole_px.shape == (4, 133, 2) and whole_m.shape == (4, 133, 3) and whole_visible.shape == (4, 133)
        for points_m, points_px in ((whole_m, whole_px), (clip.smplx_m, clip.smplx_px), (clip.face_m, clip.face_px)):
            error = np.abs(project_px(points_m, clip.K_px) - points_px)
            assert error.max() < 0.05, f"{framing}: {error.max():.4f} px (mean {error.mean():.5f}), tolerance 0.05"


def test_wholebody_order():
    """17 body and 6 foot points without our neck and pelvis, 68 of the face, left hand, right hand."""
    number = np.arange(25 + 68 + 42, dtype=float)
    order = wholebody(number[None, :25, None], number[None, 25:93, None], number[None, 93:].reshape(1, 2, 21, 1))[
        0, :, 0
    ]
    assert order.tolist() == [*range(23), *range(25, 93), *range(93, 135)]
    assert BODY_JOINTS[:5] == ("nose", "left_eye", "right_eye", "left_ear", "right_ear")


def test_smplx_joints_have_their_names_and_fixed_bones(full, clips):
    assert len(SMPLX_JOINTS) == 55 and set(SMPLX_BONES.values()) <= set(full.bone_names)
    assert SMPLX_JOINTS[25:28] == ("left_index1", "left_index2", "left_index3")
    at = {name: i for i, name in enumerate(SMPLX_JOINTS)}
    for framing, clip in clips.items():
        rest = clip.rest_smplx_m
        assert rest[at["left_knee"], 0] > 0 > rest[at["right_knee"], 0]
        heights = [rest[at[name], 1] for name in ("head", "neck", "spine3", "spine2", "spine1", "pelvis", "left_knee")]
        assert heights == sorted(heights), f"y grows downwards: {heights}"
        for start, end in (("left_knee", "left_ankle"), ("right_elbow", "right_wrist"), ("neck", "head")):
            lengths = np.linalg.norm(clip.smplx_m[:, at[start]] - clip.smplx_m[:, at[end]], axis=-1)
            wanted = np.linalg.norm(rest[at[start]] - rest[at[end]])
            spread = np.abs(lengths - wanted).max()
            assert spread < (0.02 if start == "neck" else 1e-3), f"{framing} {start}-{end}: {spread * 1e3:.2f} mm"
        wrist = clip.joints_m[:, BODY_INDEX["left_wrist"]] + clip.transl_m
        assert np.abs(clip.smplx_m[:, at["left_wrist"]] - wrist).max() < 1e-5


def test_both_sides_of_the_face_are_alike(full):
    points = still(full, {})
    assert len(points) == FACE_COUNT == 68
    assert np.abs(points - points[MIRROR] * [-1, 1, 1]).max() < 1e-3


def test_expressions_move_the_points_they_should(full):
    rest = still(full, {})
    blink = still(full, {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}) - rest
    assert (blink[UPPER_LIDS, 1] < -0.03).all(), f"upper lids go down by {blink[UPPER_LIDS, 1]} dm"
    assert (np.abs(blink[LOWER_LIDS, 1]) < 0.03).all(), f"lower lids stay: {blink[LOWER_LIDS, 1]} dm"
    jaw = still(full, {"jawOpen": 1.0}) - rest
    assert (jaw[LOWER_LIP, 1] < -0.15).all() and (np.abs(jaw[UPPER_LIP, 1]) < 0.08).all(), jaw[:, 1]


def test_visible_is_what_the_depth_of_the_picture_says(clips):
    """Pixel by pixel from the stored depth: in the picture, and nothing more than a centimetre in front."""
    for framing, clip in clips.items():
        for t, points in enumerate(clip.face_px):
            for n, (x, y) in enumerate(points):
                inside = -0.5 < x < 127.5 and -0.5 < y < 127.5
                surface_m = clip.depth_m[t, round(float(y)), round(float(x))] if inside else np.nan
                seen = inside and (np.isnan(surface_m) or surface_m >= clip.face_m[t, n, 2] - 0.01)
                assert clip.face_visible[t, n] == seen, f"{framing} frame {t} point {n}"


def test_hidden_face_points_are_not_called_seen(studio):
    """The face of a head from behind is hidden by the head."""
    clip = studio.clip(600_006, frames=2, framing="half", style="turn")
    behind = rotation_angle_deg(np.eye(3), clip.R_cam_head) > 120
    assert behind.any(), "these seeds no longer show a head from behind; choose others"
    assert clip.face_visible[behind, 27:].mean() < 0.02
    assert not pose_arrays(clip)["face_valid"][0][behind].any()


def test_head_tracked_from_the_true_points_is_the_true_head(clips):
    """The extractor's own fit on exact points: what is left is its template against another person's face."""
    for framing, clip in clips.items():
        arrays = {name: array for name, (array, _) in pose_arrays(clip).items()}
        seen = arrays["face_valid"]
        assert seen.any(), f"{framing}: this seed no longer shows a face; choose another"
        head = track_head(arrays, clip.K_px, FACE_LAYOUT)
        angle = rotation_angle_deg(clip.R_cam_head, head.R_cam_head)[seen]
        off = np.linalg.norm(head.center_px - clip.head_center_px, axis=1)[seen] / clip.head_radius_px[seen]
        size = (head.radius_px / clip.head_radius_px)[seen]
        assert angle.max() < 9, f"{framing}: {angle.max():.1f} degrees, tolerance 9"
        assert off.max() < 0.2, f"{framing}: {off.max():.3f} radii, tolerance 0.2"
        assert np.abs(size - 1).max() < 0.15, f"{framing}: radius off by {np.abs(size - 1).max():.3f}, tolerance 0.15"
        moved = replace(clip, face_px=clip.face_px + 5, face_visible=clip.face_visible)
        wrong = track_head({n: a for n, (a, _) in pose_arrays(moved).items()}, clip.K_px, FACE_LAYOUT)
        assert not np.allclose(wrong.center_px[seen], head.center_px[seen], atol=1), "the face points are not read"
