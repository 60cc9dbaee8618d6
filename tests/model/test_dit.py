"""The transformer: patches, rotary positions, masks, and that no item of a batch sees another."""

from dataclasses import replace

import pytest
import torch

from stages.model.dit import DiT, pack_state, patchify, unpatchify
from stages.model.layers import apply_rope, attention, rope_angles
from tests.model.tiny import TINY, conditions, noisy, tiny_dit


@pytest.fixture(scope="module")
def dit():
    return tiny_dit()


def assert_close(found: torch.Tensor, wanted: torch.Tensor, tolerance: float) -> None:
    difference = (found - wanted).abs()
    assert difference.max() <= tolerance, f"max {difference.max()}, mean {difference.mean()}, tolerance {tolerance}"


@pytest.mark.parametrize(("patch", "time", "height", "width"), [(1, 1, 2, 3), (2, 3, 8, 4), (2, 1, 16, 16)])
def test_patches_round_trip(patch, time, height, width):
    latents = torch.randn(2, 5, time, height, width)
    tokens = patchify(latents, patch)
    assert tokens.shape == (2, time * height * width // patch**2, 5 * patch**2)
    assert torch.equal(unpatchify(tokens, patch, time, height, width), latents)


def test_tokens_go_frame_by_frame_and_row_by_row():
    latents = torch.arange(2 * 4 * 4).reshape(1, 1, 2, 4, 4).float()
    assert patchify(latents, 2)[0, :, 0].tolist() == [0, 2, 8, 10, 16, 18, 24, 26]


@pytest.mark.parametrize("shift", [(1.0, 0.0, 0.0), (0.0, 3.0, 0.0), (-4.0, 2.0, 5.0)])
def test_rotary_scores_depend_on_differences_only(shift):
    torch.manual_seed(0)
    q, k = torch.randn(1, 2, 6, 16), torch.randn(1, 2, 6, 16)
    positions = torch.randint(-8, 8, (6, 3)).float()

    def scores(moved):
        angles = rope_angles(moved, 16)
        return apply_rope(q, angles) @ apply_rope(k, angles).transpose(-1, -2)

    assert_close(scores(positions + torch.tensor(shift)), scores(positions), 1e-4)
    assert (scores(positions) - scores(positions * 2)).abs().max() > 1e-2


def test_rotary_keeps_length():
    q = torch.randn(1, 1, 9, 12)
    angles = rope_angles(torch.randn(9, 3) * 5, 12)
    assert_close(apply_rope(q, angles).norm(dim=-1), q.norm(dim=-1), 1e-5)


@pytest.mark.parametrize("masked", [False, True])
def test_both_attention_kernels_agree(masked):
    torch.manual_seed(0)
    q, k, v = torch.randn(2, 2, 5, 8), torch.randn(2, 2, 7, 8), torch.randn(2, 2, 7, 8)
    mask = (torch.rand(2, 1, 1, 7) > 0.4) if masked else None
    if mask is not None:
        mask[..., -1] = True
    explicit = attention(q, k, v, mask)
    with torch.no_grad():
        fused = attention(q, k, v, mask)
    assert_close(explicit, fused, 1e-5)


@torch.no_grad()
def test_an_untrained_network_is_undecided_between_nothing_and_the_references_still_and_carried():
    (z, t), given = noisy(), conditions(2, 2, 2)
    half = 0.5 * given.ref_latents[:, 0, :, None].expand_as(z)
    share = torch.sigmoid(torch.tensor(-2.0))
    predicted, keep_logit = DiT(TINY.dit).predict(z, t, given)
    assert_close(predicted, half + share * (given.warp_latents - half), 1e-5)
    assert keep_logit.shape == (2, 128, 2, 8, 8) and keep_logit.abs().max() == 0
    assert DiT(TINY.dit)(z, t, replace(given, keep_refs=torch.zeros(2))).abs().max() == 0
    assert_close(DiT(TINY.dit)(z, t, replace(given, keep_motion=torch.zeros(2))), half, 1e-5)  # carried by the motion


@torch.no_grad()
def test_an_open_gate_copies_the_first_reference(dit):
    import copy

    (z, t), given = noisy(), conditions(2, 2, 2)
    copying = copy.deepcopy(dit)
    copying.head_gate.bias.fill_(1e4)
    copying.head_gate_warp.bias.fill_(-1e4)
    torch.testing.assert_close(copying(z, t, given), given.ref_latents[:, 0, :, None].expand_as(z))
    copying.head_gate_warp.bias.fill_(1e4)
    torch.testing.assert_close(copying(z, t, given), given.warp_latents)


def test_the_state_of_carried_pixels_lies_on_the_latent_grid_with_its_frames_in_order():
    state = torch.zeros(1, 2, 9, 16, 16)
    state[0, 1, 6, 8:12, 4:8] = 1.0  # "seen" in frame 6: the second of the second latent of four, lower row, left cell
    packed = pack_state(state)
    assert packed.shape == (1, 32, 3, 2, 2) and packed.sum() == 1.0
    ((_, channel, latent, row, column),) = packed.nonzero().tolist()
    assert (channel, latent, row, column) == (8 * 1 + 4 * 1 + 1, 2, 1, 0)
    photo = pack_state(torch.ones(1, 2, 1, 16, 16))
    assert photo.shape == (1, 32, 1, 2, 2) and photo.min() == 1.0  # the first frame stands for four


@torch.no_grad()
def test_items_of_a_batch_do_not_see_each_other(dit):
    given, (z, t) = conditions(3), noisy(3)
    together = dit(z, t, given)
    order = torch.tensor([2, 0, 1])
    shuffled = type(given)(**{name: value[order] for name, value in vars(given).items()})
    assert_close(dit(z[order], t[order], shuffled), together[order], 1e-5)
    alone = type(given)(**{name: value[1:2] for name, value in vars(given).items()})
    assert_close(dit(z[1:2], t[1:2], alone), together[1:2], 1e-5)


@torch.no_grad()
def test_tokens_of_invalid_frames_never_change_the_output(dit):
    given, (z, t) = conditions(2, 3), noisy(2, 3)
    valid = torch.ones(2, 9, dtype=torch.bool)
    valid[0], valid[1, 4:] = False, False
    masked = replace(given, face_valid=valid)
    other = replace(masked, face_tokens=torch.where(valid[..., None, None], given.face_tokens, 1e3))
    assert torch.equal(dit(z, t, masked), dit(z, t, other))
    seen = dit(z, t, replace(given, face_tokens=other.face_tokens))
    assert (seen - dit(z, t, given)).abs().max() > 1e-3


@torch.no_grad()
def test_face_tokens_reach_only_their_own_time(dit):
    """Face Attn itself is local in time: seen in a network whose other time mixing is silenced."""
    import copy

    local = copy.deepcopy(dit)
    for block in local.blocks:
        block.out.weight.zero_()
    given, (z, t) = conditions(1, 3), noisy(1, 3)
    tokens = given.face_tokens.clone()
    tokens[:, 5:] += 1.0  # the source frames of the last latent frame
    change = (local(z, t, replace(given, face_tokens=tokens)) - local(z, t, given)).abs().amax((0, 1, 3, 4))
    assert change[:2].max() == 0 and change[2] > 1e-4


@torch.no_grad()
def test_dropped_conditions_do_not_count(dit):
    given, other, (z, t) = conditions(2), conditions(2, seed=5), noisy()
    no_refs = replace(given, keep_refs=torch.zeros(2))
    assert torch.equal(dit(z, t, no_refs), dit(z, t, replace(no_refs, ref_latents=other.ref_latents)))
    assert (dit(z, t, given) - dit(z, t, replace(given, ref_latents=other.ref_latents))).abs().max() > 1e-3
    still = replace(given, keep_motion=torch.zeros(2))
    moved = replace(still, maps=other.maps, face_tokens=other.face_tokens)
    assert torch.equal(dit(z, t, still), dit(z, t, moved))
    assert (dit(z, t, given) - dit(z, t, replace(given, maps=other.maps))).abs().max() > 1e-3


@pytest.mark.parametrize("references", [1, 3])
@torch.no_grad()
def test_every_reference_counts(dit, references):
    given, (z, t) = conditions(1, 1, references), noisy(1, 1)
    before = dit(z, t, given)
    assert before.shape == z.shape and before.dtype == torch.float32
    for index in range(references):
        refs = given.ref_latents.clone()
        refs[:, index] += 1.0
        assert (dit(z, t, replace(given, ref_latents=refs)) - before).abs().max() > 1e-4, index
