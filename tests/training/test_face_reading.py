"""What a face encoder reads, as a loss: nothing on the truth, more the more an expression differs; it has slopes."""

import numpy as np
import pytest
import torch

from stages.core.arkit import ARKIT_INDEX
from stages.face.encoder import load_face_encoder
from stages.training.compositor_loop import _faces_within
from stages.training.face_reading import FaceReading


@pytest.fixture(scope="module")
def faces():
    """One synthetic face at rest and with jaws more and more open: float [3, 3, 128, 128] in -1..1, and its square."""
    from stages.synthetic.assets import load_assets
    from stages.synthetic.clip import Studio

    clip = Studio(load_assets(), 128).clip(500_023, frames=17, references=1)
    order = np.argsort(clip.expression[:, ARKIT_INDEX["jawOpen"]])
    chosen = order[[0, len(order) // 2, -1]]
    head, radius = clip.head_center_px[chosen], clip.head_radius_px[chosen]
    ahead = np.einsum("nij,j->ni", clip.R_cam_head[chosen], [0.0, 0.15, -0.4])[:, :2]
    squares = np.concatenate([head + radius[:, None] * ahead, 1.15 * radius[:, None]], 1)
    pictures = torch.from_numpy(clip.frames_u8[chosen]).permute(0, 3, 1, 2).float() / 127.5 - 1.0
    return pictures, torch.from_numpy(squares).float()


@pytest.fixture(scope="module")
def reading():
    return FaceReading(load_face_encoder("default").network)


def test_it_reads_what_the_encoder_reads_of_such_crops(faces, reading):
    from stages.face.crop import crop_affine, warp_crop

    pictures, squares = faces
    encoder = load_face_encoder("default")
    crops = [
        warp_crop(((picture.permute(1, 2, 0) + 1) * 127.5).round().byte().numpy(), crop_affine(at[:2], at[2]))
        for picture, at in zip(pictures, squares.numpy(), strict=True)
    ]
    codes = encoder.expressions(np.stack(crops))
    got = reading(pictures[[0, 1]], pictures[[2, 2]], squares[[2, 2]])
    same_place = [
        warp_crop(((pictures[n].permute(1, 2, 0) + 1) * 127.5).round().byte().numpy(), crop_affine(at[:2], at[2]))
        for n, at in ((0, squares[2].numpy()), (1, squares[2].numpy()))
    ]
    wanted = np.abs(encoder.expressions(np.stack(same_place)) - codes[2]).sum(1)
    assert got.numpy() == pytest.approx(wanted, rel=0.25, abs=0.05)


def test_the_truth_costs_nothing_and_who_has_no_face_is_left_out(faces, reading):
    pictures, squares = faces
    none = squares.clone()
    none[1] = float("nan")
    assert reading(pictures, pictures, none).tolist() == pytest.approx([0.0, 0.0], abs=1e-6)
    assert reading(pictures, pictures, torch.full_like(squares, float("nan"))).shape == (0,)


def test_its_slope_leads_to_what_is_read_on_the_truth(faces, reading):
    pictures, squares = faces
    made = pictures[:1].clone().requires_grad_()
    before = reading(made, pictures[2:], squares[:1]).sum()
    (slope,) = torch.autograd.grad(before, made)
    assert slope.isfinite().all() and slope.abs().max() > 0
    after = reading(made.detach() - 0.01 * slope / slope.abs().max(), pictures[2:], squares[:1]).sum()
    assert after < before
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in reading.parameters())


def test_squares_that_hardly_lie_on_the_picture_are_no_faces():
    squares = np.float32([[31.5, 31.5, 10], [0, 31.5, 10], [-2, 31.5, 10], [-30, 31.5, 10], [np.nan] * 3])
    assert np.isfinite(_faces_within(squares, 64)).all(1).tolist() == [True, False, False, False, False]
    assert np.isfinite(_faces_within(squares + np.float32([4, 0, 0]), 64)).all(1).tolist()[:3] == [True, True, True]
