"""The VAE is causal, takes photos as clips of one frame, and may be decoded in pieces."""

import numpy as np
import pytest
import torch

from stages.model.animator import Animator
from stages.model.vae import latent_length
from tests.model.tiny import TINY, tiny_compositor, tiny_dit, tiny_vae


@pytest.fixture(scope="module")
def vae():
    return tiny_vae()


def video(frames: int, side: int = 32, seed: int = 0) -> torch.Tensor:
    return torch.rand((1, 3, frames, side, side), generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("kept", [1, 2, 3])
@torch.no_grad()
def test_later_frames_do_not_change_earlier_latents(vae, kept):
    clip, other = video(17), video(17, seed=1)
    changed = torch.cat([clip[:, :, : 4 * kept - 3], other[:, :, 4 * kept - 3 :]], 2)
    before, after = vae.encode(clip), vae.encode(changed)
    assert torch.equal(before[:, :, :kept], after[:, :, :kept])
    assert (before[:, :, kept] - after[:, :, kept]).abs().max() > 1e-2  # the test would see a change


@pytest.mark.parametrize("kept", [1, 2, 3])
@torch.no_grad()
def test_later_latents_do_not_change_earlier_frames(vae, kept):
    latents = torch.randn((1, 16, 5, 4, 4), generator=torch.Generator().manual_seed(0))
    changed = latents.clone()
    changed[:, :, kept:] += 1.0
    before, after = vae.decode(latents), vae.decode(changed)
    assert before.shape == (1, 3, 17, 32, 32)
    assert torch.equal(before[:, :, : 4 * kept - 3], after[:, :, : 4 * kept - 3])
    assert (before[:, :, 4 * kept - 3] - after[:, :, 4 * kept - 3]).abs().max() > 1e-2


@torch.no_grad()
def test_a_photo_is_a_clip_of_one_frame(vae):
    clip = video(9)
    photo, whole = vae.encode(clip[:, :, :1]), vae.encode(clip)
    assert photo.shape == (1, 16, 1, 4, 4)
    difference = (photo[:, :, 0] - whole[:, :, 0]).abs()
    assert difference.max() < 1e-5, f"max {difference.max()}, mean {difference.mean()}, tolerance 1e-5"


@torch.no_grad()
def test_the_frames_that_are_thrown_away_are_never_drawn(vae):
    latents = torch.randn((2, 16, 3, 4, 4), generator=torch.Generator().manual_seed(0))
    drawn = []
    watch = vae.decoder.head.register_forward_hook(lambda module, given, made: drawn.append(made.shape[1]))
    whole, cut = vae.decoder(latents)[:, :, 3:], vae.decode(latents)
    watch.remove()
    difference = (whole - cut).abs()
    assert drawn == [12, 9] and difference.max() < 1e-5, f"{drawn}, max {difference.max()}, tolerance 1e-5"


@torch.no_grad()
def test_clips_of_a_batch_do_not_see_each_other(vae):
    clips = torch.cat([video(5), video(5, seed=1)])
    together = vae.decode(vae.encode(clips))
    alone = vae.decode(vae.encode(clips[1:]))
    difference = (together[1:] - alone).abs()
    assert difference.max() < 1e-4, f"max {difference.max()}, mean {difference.mean()}, tolerance 1e-4"


@torch.no_grad()
def test_latents_that_are_only_looked_back_at_give_no_pictures(vae):
    latents = torch.randn((1, 16, 5, 2, 2), generator=torch.Generator().manual_seed(0)) * 0.5
    whole, late = vae.decode(latents), vae.decode(latents, 3)
    assert late.shape == (1, 3, 8, 16, 16)
    difference = (late - whole[:, :, -8:]).abs()
    assert difference.max() < 1e-4, f"max {difference.max()}, mean {difference.mean()}, tolerance 1e-4"


@pytest.mark.parametrize("count", [1, 3, 4, 5, 8, 9, 17, 20])
@torch.no_grad()
def test_decoding_in_pieces_equals_decoding_at_once(vae, count, monkeypatch):
    monkeypatch.setattr("stages.core.device.fast_bfloat16", lambda device: False)
    latents = torch.randn((1, 16, count, 2, 2), generator=torch.Generator().manual_seed(count)) * 0.5
    animator = Animator(TINY, vae, tiny_dit(), tiny_compositor())
    pieces = np.concatenate(list(animator.decode(latents)))
    whole = ((vae.decode(latents)[0].permute(1, 2, 3, 0).clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy()
    assert pieces.shape == whole.shape == (4 * count - 3, 16, 16, 3)
    difference = np.abs(pieces.astype(int) - whole)
    assert difference.max() <= 1, f"max {difference.max()}, mean {difference.mean()}, tolerance 1 (rounding)"
    assert difference.mean() < 0.01 and whole.std() > 20


def test_lengths():
    assert [latent_length(n) for n in (1, 5, 17, 73)] == [1, 2, 5, 19]
    for frames in (0, 2, 4, 16):
        with pytest.raises(ValueError, match="4k\\+1"):
            latent_length(frames)


@torch.no_grad()
def test_components_start_reconstructs_what_they_span():
    """Video that lies in 16 components comes back exactly from the linear path alone."""
    from stages.model.vae import CausalVae

    torch.manual_seed(0)
    vae = CausalVae(TINY.vae)
    torch.nn.init.zeros_(vae.encoder.head.weight)
    torch.nn.init.zeros_(vae.decoder.head.weight)
    basis = torch.linalg.qr(torch.randn(768, 16))[0].T
    blocks = (torch.randn(4000, 16) * torch.linspace(3, 1, 16)) @ basis
    vae.start_from_components(blocks)
    photo_block = blocks[:6].view(6, 3, 4, 8, 8)
    clip = torch.cat([photo_block[:, :, :1] * 0, photo_block], 2)  # one black frame, then four that are one block
    latents = vae.encode(clip)
    assert latents[:, :, 1].std() == pytest.approx(1.0, abs=0.4)
    difference = (vae.decode(latents)[:, :, 1:] - photo_block).abs()
    assert difference.max() < 2e-2, f"max {difference.max()}, mean {difference.mean()}, tolerance 0.02"
