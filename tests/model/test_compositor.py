"""The compositor mixes three pictures; untrained it already prefers the photo where the transformer is sure of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from stages.core.errors import WeightsError
from stages.face.shape import face_shape
from stages.head.sphere import draw_sphere
from stages.model.animator import Animator, warp_state
from stages.model.compositor import Compositor, add_new_parts, shifted
from stages.weights.checkpoint import load_strictly
from tests.model.test_animator import generators, tracks
from tests.model.tiny import TINY, shaken, tiny_compositor, tiny_dit, tiny_vae


def inputs(count=2, side=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    pictures = torch.rand((count, 3, 3, side, side), generator=generator) * 2 - 1
    state = (torch.rand((count, 2, side, side), generator=generator) < 0.5).float()
    keep = torch.rand((count, 2, side // 2, side // 2), generator=generator)
    return pictures, state, keep, torch.rand((count, 6, side, side), generator=generator)


@torch.no_grad()
@pytest.mark.parametrize(("keep", "source"), [((0.0, 0.0), 0), ((1.0, 0.0), 1), ((0.0, 1.0), 2)])
def test_untrained_it_follows_the_keep_maps(keep, source):
    pictures, state, keep_01, maps = inputs()
    keep_01[:, 0], keep_01[:, 1] = keep
    out = Compositor(TINY.compositor)(pictures, state, keep_01, maps)
    away = [(out - pictures[:, index]).abs().mean().item() for index in range(3)]
    assert int(np.argmin(away)) == source and away[source] < 0.3 * sorted(away)[1]


@torch.no_grad()
def test_three_equal_pictures_stay_what_they_are():
    pictures, state, keep, maps = inputs()
    pictures = pictures[:, :1].expand(-1, 3, -1, -1, -1)
    torch.testing.assert_close(Compositor(TINY.compositor)(pictures, state, keep, maps), pictures[:, 0])


@torch.no_grad()
def test_frames_do_not_see_each_other():
    network, given = tiny_compositor(), inputs(3)
    together = network(*given)
    alone = network(*(x[1:2] for x in given))
    torch.testing.assert_close(together[1:2], alone, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_a_picture_is_shifted_by_whole_and_half_pixels():
    picture = torch.rand((2, 3, 16, 24), generator=torch.Generator().manual_seed(0))
    field = torch.zeros(2, 2, 8, 12)
    torch.testing.assert_close(shifted(picture, field), picture, atol=1e-5, rtol=0)
    field[0, 0], field[1, 1] = 3.0, -0.5  # the first takes from the right, the second from half a pixel above
    moved = shifted(picture, field)
    torch.testing.assert_close(moved[0, ..., :-3], picture[0, ..., 3:], atol=1e-5, rtol=0)
    torch.testing.assert_close(moved[0, ..., -3:], picture[0, ..., -1:].expand(-1, -1, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(moved[1, :, 1:], (picture[1, :, 1:] + picture[1, :, :-1]) / 2, atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_compositor_without_maps_and_shift_goes_on_as_one_with_them():
    old = shaken(Compositor(replace(TINY.compositor, maps=False, shift_px=0.0)))
    new = Compositor(TINY.compositor)
    load_strictly(new, add_new_parts(new, old.state_dict()), "the old one")
    given = inputs()
    torch.testing.assert_close(new(*given), old(*given), atol=1e-5, rtol=1e-5)
    broken = {name: value for name, value in old.state_dict().items() if name != "stem.bias"}
    with pytest.raises(WeightsError, match=r"stem\.bias"):
        load_strictly(new, add_new_parts(new, broken), "a broken one")


def test_it_moves_a_photo_that_lies_two_pixels_beside_the_truth():
    """Told to keep the carried photo, with nothing but its shift to learn, it finds the shift."""
    torch.manual_seed(0)
    network = Compositor(replace(TINY.compositor, shift_px=4.0))
    rough = torch.rand(1, 3, 6, 6)
    truth = F.interpolate(rough, size=(36, 36), mode="bicubic").clamp(0, 1) * 2 - 1
    carried, truth = truth[..., 2:34, 0:32], truth[..., 2:34, 2:34]
    pictures = torch.stack([torch.zeros_like(truth), torch.zeros_like(truth), carried], 1)
    keep = torch.cat([torch.full((1, 1, 16, 16), 1e-3), torch.ones(1, 1, 16, 16)], 1)
    given = pictures, torch.ones(1, 2, 32, 32), keep, torch.zeros(1, 6, 32, 32)
    optimiser = torch.optim.Adam(network.head_shift.parameters(), 0.05)
    before = (network(*given) - truth).abs().mean().item()
    for _ in range(25):
        optimiser.zero_grad()
        (network(*given) - truth).abs().mean().backward()
        optimiser.step()
    after = (network(*given) - truth).abs()[..., 4:-4].mean().item()
    assert after < 0.5 * before, (before, after)


def test_every_input_matters_and_learns():
    network, given = tiny_compositor(), inputs()
    given[3][:, 3:, :, :16] = 0.0  # what lies on a head's sphere is not moved
    given = [x.requires_grad_() for x in given]
    network(*given).square().mean().backward()
    assert all(x.grad.abs().sum() > 0 for x in given)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_the_kind_of_a_carried_pixel_becomes_two_planes():
    state = warp_state(np.array([[[0, 1], [2, 3]]], np.uint8))
    assert state.tolist() == [[[[0.0, 0.0], [1.0, 1.0]]], [[[0.0, 1.0], [0.0, 1.0]]]]


@torch.no_grad()
def test_decoding_in_pieces_composes_each_frame_with_its_own_carried_picture(monkeypatch):
    """Untrained and told to keep the carried picture everywhere, the film is the carried pictures, in order."""
    monkeypatch.setattr("stages.core.device.fast_bfloat16", lambda device: False)
    animator = Animator(TINY, tiny_vae(), tiny_dit(), Compositor(TINY.compositor))
    given, count = tracks(38), 11  # 41 frames: more than one piece, and padded at the end
    latents = torch.zeros(1, 16 + 128, count, 8, 8)
    latents[:, 16:80], latents[:, 80:] = -20.0, 20.0
    film = np.concatenate(list(animator.decode(latents, given)))
    assert len(film) == 41
    off = np.abs(film[:38].astype(int) - given.warp_frames).mean((1, 2, 3))
    others = np.abs(film[:37].astype(int) - given.warp_frames[1:]).mean((1, 2, 3))
    assert off.max() < 12 < others.min(), (off.max(), others.min())


@torch.no_grad()
def test_the_second_segment_sees_its_own_carried_frames():
    """Changing carried frames beyond what the first segment looks at changes the second and leaves the first alone."""
    animator = Animator(TINY, tiny_vae(), tiny_dit(), tiny_compositor())
    from stages.model.sampler import SamplerConfig

    first, second = tracks(17), tracks(17)
    second.warp_frames[13:] = 255 - second.warp_frames[13:]  # the first looks one latent, 4 frames, beyond its 9
    a, b = (list(animator.segments(given, SamplerConfig(2), generators(2))) for given in (first, second))
    assert torch.equal(a[0], b[0]) and not torch.equal(a[1], b[1])


def test_heads_are_not_moved():
    """With shifts of 4 px told to every pixel, what lies on the sphere stays and the rest of the photo moves."""
    torch.manual_seed(0)
    network = Compositor(replace(TINY.compositor, shift_px=4.0))
    with torch.no_grad():
        network.head.bias.view(-1, 4)[2] += 30.0  # the carried photo alone
        network.head_shift.bias += 10.0
    pictures, state, keep = torch.rand(1, 3, 3, 32, 32), torch.ones(1, 2, 32, 32), torch.ones(1, 2, 16, 16)
    maps = torch.zeros(1, 6, 32, 32)
    maps[:, 4, 8:16, 10:20] = 0.5
    with torch.no_grad():
        out = network(pictures, state, keep, maps)
    carried = pictures[:, 2]
    torch.testing.assert_close(out[..., 9:15, 11:19], carried[..., 9:15, 11:19], atol=1e-3, rtol=0)
    torch.testing.assert_close(out[..., 20:26, 2:26], carried[..., 24:30, 6:30], atol=1e-3, rtol=0)


@torch.no_grad()
def test_a_head_that_the_reference_saw_is_the_carried_photo():
    """Told that everything is made, a head is still the photo's where that shows it, and made where it does not."""
    network = tiny_compositor()
    pictures, state, keep = torch.rand(1, 3, 3, 32, 32), torch.ones(1, 2, 32, 32), torch.zeros(1, 2, 16, 16)
    network.head.weight.zero_()
    network.head.bias.zero_()
    maps = torch.zeros(1, 6, 32, 32)
    maps[:, 4, 8:24] = 0.5
    state[:, 1, :, 16:] = 0.0  # not seen there
    keep[:, 1] = 0.3
    state[:, 0, :6] = 0.0  # background there
    out = network(pictures, state, keep, maps)
    made, carried = pictures[:, 0], pictures[:, 2]
    near = [(out[..., rows, columns] - x[..., rows, columns]).abs().mean().item() for rows, columns in (
        (slice(10, 22), slice(2, 14)), (slice(10, 22), slice(18, 30)), (slice(0, 6), slice(2, 14)),
    ) for x in (made, carried)]  # fmt: skip
    assert near[1] < 0.02 < near[0], "seen head"
    assert near[2] == pytest.approx(near[4], rel=0.3) and near[3] > 0.05, "hidden head, as elsewhere"


@torch.no_grad()
def test_clothes_that_the_reference_saw_lean_to_the_carried_photo():
    """Where both would count alike, nine tenths are the photo's on what it saw of the person, and half elsewhere."""
    network = tiny_compositor()
    network.head.weight.zero_()
    network.head.bias.zero_()
    pictures = torch.zeros(1, 3, 3, 32, 32)
    pictures[:, 2] = 1.0
    state, keep = torch.ones(1, 2, 32, 32), torch.zeros(1, 2, 16, 16)
    keep[:, 1] = 0.35  # what is made counts that much as well
    state[:, 1, :16], state[:, 0, :, 16:] = 0.0, 0.0  # not seen above, no person at the right
    share = network(pictures, state, keep, torch.zeros(1, 6, 32, 32))[0, 0]
    assert share[20:30, 2:14].min() > 0.9
    for rows, columns in ((slice(2, 14), slice(2, 14)), (slice(20, 30), slice(18, 30))):
        assert share[rows, columns].mean().item() == pytest.approx(0.5, abs=0.02)


def rotated(pitch_deg, yaw_deg):
    """R_cam_head of a head that is bent and turned."""
    (a, c), (b, d) = ((np.cos(angle), np.sin(angle)) for angle in np.deg2rad([pitch_deg, yaw_deg]))
    return np.array([[1, 0, 0], [0, a, -c], [0, c, a]]) @ np.array([[b, 0, d], [0, 1, 0], [-d, 0, b]])


@torch.no_grad()
@pytest.mark.parametrize(("pitch", "yaw"), [(0.0, 0.0), (-25.0, 0.0), (15.0, 40.0), (10.0, -40.0)])
@pytest.mark.parametrize("radius", [14.0, 40.0])
def test_a_mouth_painted_open_is_not_shut_by_what_is_made_bug(pitch, yaw, radius):
    """Films of turned heads had their mouths shut: the carried photo's, painted open, counts as not seen."""
    network = Compositor(replace(TINY.compositor, shift_px=4.0))
    network.head_shift.bias += 10.0
    rotation, middle, side = rotated(pitch, yaw), np.array([62.0, 58.0]), 128
    sphere = draw_sphere(middle, radius, rotation, side, side)
    maps = torch.zeros(1, 6, side, side)
    maps[:, 3:] = torch.from_numpy(sphere).permute(2, 0, 1) / 255.0
    torch.manual_seed(0)
    pictures, keep = torch.rand(1, 3, 3, side, side), torch.full((1, 2, side // 2, side // 2), 0.1)
    state = torch.ones(1, 2, side, side)
    state[:, 1] = 0.0  # the figure, not seen
    out, points = network(pictures, state, keep, maps), face_shape().neutral @ rotation.T

    def away(picture, head_points):
        x, y = np.rint(middle[:, None] + radius * head_points[:, :2].T).astype(int)
        return (out - pictures[:, picture])[0][:, y, x].abs().mean().item()

    inner_lips, eyes = points[60:68], points[36:48]
    assert away(2, inner_lips) < 0.02 < 0.2 < away(0, inner_lips)
    assert away(0, eyes) < away(2, eyes), "not seen and no mouth: made"
    state[:, 1] = 1.0
    out, chin = network(pictures, state, keep, maps), points[7:10]
    assert away(2, chin) < 0.02, "a jaw is head beyond the sphere too, and is not moved"
