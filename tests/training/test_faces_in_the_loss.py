"""Groups of frames, heads cut out, faces that count more, and tokens that say the true expression."""

import numpy as np
import pytest
import torch

from stages.face.encoder import FaceEncoderConfig, FaceMotionNet
from stages.head.sphere import draw_sphere
from stages.model.config import PRESETS
from stages.model.dit import DiT
from stages.training.data import GROUP, HEAD, HEAD_CELLS, PreparedClips, group_of
from stages.training.objective import ObjectiveConfig, exact_tokens, face_cells, head_cells, training_loss

WEIGHT = torch.ones(1, 16, 1, 1, 1)
PLAIN = {"figure_weight": 0, "head_weight": 0, "face_weight": 0, "keep_weight": 0, "drop_refs": 1.0, "first_given": 0}


def untrained():
    torch.manual_seed(0)
    return DiT(PRESETS["tiny"].dit), FaceMotionNet(FaceEncoderConfig())  # predicts zero where references are dropped


def loss_of(batch, group=1, **options) -> float:
    config = ObjectiveConfig(**{**PLAIN, **options})
    with torch.no_grad():
        return training_loss(*untrained(), batch, WEIGHT, 1, config, torch.Generator().manual_seed(0), group).item()


def test_single_frames_come_in_groups_of_one_clip(prepared):
    batch = PreparedClips(prepared).batch(np.random.default_rng(3), 2 * GROUP, 1, 2)
    assert group_of(1, 2 * GROUP) == group_of(HEAD, GROUP) == GROUP and group_of(1, 6) == group_of(5, 8) == 1
    for start in (0, GROUP):
        refs = batch.ref_latents[start : start + GROUP]
        assert (refs == refs[:1]).all()
        frames = batch.data[start : start + GROUP].flatten(1)
        assert len({tuple(frame.tolist()) for frame in frames}) > 1
    assert not (batch.data[:GROUP] == batch.data[GROUP:]).all()


def test_heads_are_cut_alike_from_all_that_shows_them(prepared):
    clips = PreparedClips(prepared)
    batch = clips.batch(np.random.default_rng(3), GROUP, HEAD, 1)
    side = HEAD_CELLS * 8
    assert batch.data.shape[-2:] == batch.ref_latents.shape[-2:] == batch.warp_latents.shape[-2:] == (8, 8)
    assert batch.maps.shape[-2:] == batch.ref_maps.shape[-2:] == batch.warp_state.shape[-2:] == (side, side)
    assert batch.same.shape[-2:] == batch.same_warp.shape[-2:] == (side // 2, side // 2)
    assert batch.maps[:, 3:].amax() > 0.1  # a head is there


def test_the_front_of_the_sphere_is_the_face():
    def cells(yaw_deg):
        yaw = np.radians(yaw_deg)
        turned = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
        sphere = draw_sphere(np.array([64.0, 64.0]), 40.0, turned, 128, 128)
        maps = torch.zeros(1, 6, 1, 128, 128)
        maps[0, 3:, 0] = torch.from_numpy(sphere).permute(2, 0, 1).float() / 255
        return face_cells(maps)[0, 0, 0], head_cells(maps)[0, 0, 0]

    front, head = cells(0)
    assert (front <= head + 1e-6).all() and 0.2 < front.sum() / head.sum() < 0.7
    middle = (front * torch.arange(16.0)[None] + 0).sum() / front.sum()
    assert middle == pytest.approx(7.5, abs=0.2)
    assert abs((cells(60)[0] * torch.arange(16.0)[None]).sum() / cells(60)[0].sum() - 7.5) > 1.5
    assert cells(180)[0].sum() == 0  # from behind there is none


def test_errors_in_the_face_count_more(prepared):
    batch = PreparedClips(prepared).batch(np.random.default_rng(1), 2, 1, 1)
    maps = torch.zeros_like(batch.maps)
    maps[:, 3:, :, 16:24, 16:24] = torch.tensor([0.5, 0.5, 0.0])[None, :, None, None, None]  # straight on, cell (2, 2)
    value = torch.zeros_like(batch.data)
    value[..., 2, 2] = 1.0
    made = type(batch)(**{**vars(batch), "maps": maps, "data": value})
    assert loss_of(made) == pytest.approx(1 / 64, rel=1e-3)
    assert loss_of(made, face_weight=8.0) == pytest.approx(9 / 72, rel=1e-3)


def test_what_changes_within_a_clip_counts_again(prepared):
    """The network predicts zero: the error is the data. What all frames of a group share is no change."""
    batch = PreparedClips(prepared).batch(np.random.default_rng(1), 2 * GROUP, 1, 1)
    shared = torch.randn(2, 16, 1, 8, 8).repeat_interleave(GROUP, 0)
    still = type(batch)(**{**vars(batch), "data": shared})
    assert loss_of(still, GROUP, within_weight=5.0) == pytest.approx(loss_of(still, GROUP, within_weight=0.0), rel=1e-5)
    own = torch.randn(2 * GROUP, 16, 1, 8, 8)
    moving = type(batch)(**{**vars(batch), "data": own})
    plain = loss_of(moving, GROUP, within_weight=0.0)
    assert loss_of(moving, GROUP, within_weight=1.0) == pytest.approx(2 * plain, rel=0.05)  # unbiased, as independent


def test_a_group_shares_noise_and_time(prepared):
    seen = []

    class Watching(DiT):
        def predict(self, noisy, t_01, given):
            seen.append((noisy, t_01))
            return super().predict(noisy, t_01, given)

    batch = PreparedClips(prepared).batch(np.random.default_rng(1), 8 * GROUP, 1, 1)
    batch = type(batch)(**{**vars(batch), "data": torch.zeros_like(batch.data)})
    config = ObjectiveConfig(**PLAIN)
    with torch.no_grad():
        training_loss(Watching(PRESETS["tiny"].dit), untrained()[1], batch, WEIGHT, 3, config,
                      torch.Generator().manual_seed(0), GROUP)  # fmt: skip
    noisy, times = (x.unflatten(0, (-1, GROUP)) for x in seen[0])
    assert (noisy == noisy[:, :1]).all() and (times == times[:, :1]).all()
    assert 0.1 < (times[:, 0] == 0).float().mean() < 0.9  # half of them are pure noise


def test_exact_tokens_are_those_of_the_true_expressions(prepared):
    batch = PreparedClips(prepared).batch(np.random.default_rng(1), GROUP, 1, 1)
    _, face = untrained()
    code = torch.randn(GROUP, 1, 64)
    tokens = exact_tokens(face, code, batch)
    assert tokens.shape == (GROUP, 1, 4, 32) and not tokens.requires_grad
    other = code.clone()
    other[..., :54] += 1.0  # what the encoder read of the expression does not count
    assert torch.equal(exact_tokens(face, other, batch), tokens)
    wider = type(batch)(**{**vars(batch), "expressions": batch.expressions + 1.0})
    assert not torch.allclose(exact_tokens(face, code, wider), tokens)
