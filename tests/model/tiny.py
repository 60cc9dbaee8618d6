"""Tiny networks with random weights everywhere, also where training starts from zeros, and conditions for them."""

import torch

from stages.model.compositor import Compositor
from stages.model.config import PRESETS
from stages.model.dit import Conditions, DiT
from stages.model.vae import CausalVae

TINY = PRESETS["tiny"]


def shaken(network: torch.nn.Module, seed: int = 0, scale: float = 0.1) -> torch.nn.Module:
    """The network in eval mode with noise on every parameter, so that no branch is zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * scale)
    return network.eval()


def tiny_vae(seed: int = 0) -> CausalVae:
    torch.manual_seed(seed)
    vae = CausalVae(TINY.vae)
    vae.start_from_components(torch.randn(2000, 768))
    return shaken(vae, seed, 0.02)


def tiny_dit(seed: int = 0) -> DiT:
    torch.manual_seed(seed)
    return shaken(DiT(TINY.dit), seed)


def tiny_compositor(seed: int = 0) -> Compositor:
    torch.manual_seed(seed)
    return shaken(Compositor(TINY.compositor), seed)


def conditions(batch: int = 2, latents: int = 2, references: int = 1, side: int = 64, seed: int = 0) -> Conditions:
    generator = torch.Generator().manual_seed(seed)
    frames, cells, config = 4 * (latents - 1) + 1, side // 8, TINY.dit

    def noise(*shape):
        return torch.randn(shape, generator=generator)

    return Conditions(
        maps=torch.rand((batch, 6, frames, side, side), generator=generator),
        ref_latents=noise(batch, references, config.latent_channels, cells, cells),
        ref_maps=torch.rand((batch, references, 6, side, side), generator=generator),
        face_tokens=noise(batch, frames, config.face_tokens, config.face_channels),
        face_valid=torch.ones(batch, frames, dtype=torch.bool),
        warp_latents=noise(batch, config.latent_channels, latents, cells, cells),
        warp_state=(torch.rand((batch, 2, frames, side, side), generator=generator) < 0.5).float(),
        keep_refs=torch.ones(batch),
        keep_motion=torch.ones(batch),
    )


def noisy(batch: int = 2, latents: int = 2, side: int = 64, seed: int = 1):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn((batch, TINY.dit.latent_channels, latents, side // 8, side // 8), generator=generator)
    return z, torch.full((batch, latents), 0.4)
