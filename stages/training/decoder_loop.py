"""The VAE's decoder goes on alone: encoder and the latents' scale stay, so what was learned on the latents stays valid.

Films of people, procedural pictures with natural statistics and parts of a few real photographs. The loss is first the
logarithm of each item's squared error, so that a plain picture and a crowded one count alike, as they do in PSNR; then
a little of structural similarity, LPIPS and how much changes from frame to frame, because what a viewer misses in a
picture of few numbers is not what a squared error misses.
"""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stages.core.rng import numpy_rng, torch_generator
from stages.model.vae import CausalVae
from stages.training import natural, photographs
from stages.training.course import Course, Pace
from stages.training.learner import Learner
from stages.training.perceptual import PerceptualLoss
from stages.training.picture_loss import Perceptual, ssim
from stages.training.pool import Pool
from stages.training.recipe import Bite, DecoderRecipe
from stages.training.vae_loop import batch, psnr_db, watched_video

_RATIO, _FLAT = 0.1, 1e-3  # weight of the logarithm of an item's squared error, and the error at which it levels off
_ABSOLUTE, _EDGES, _CHANGE, _STRUCTURE, _PERCEPTUAL = 0.5, 0.15, 0.3, 0.1, 0.05


def train_decoder(
    state_path: Path, vae: CausalVae, pool: Pool, recipe: DecoderRecipe, course: Course, stop: Callable[[], bool], *,
    seed: int = 0, device: str = "cpu", autocast: Callable[[], object] = nullcontext,
    say: Callable[..., None] | None = None,
) -> CausalVae | None:  # fmt: skip
    """Return `vae` with its decoder's averaged weights, or None where `stop()` ended this run before that.

    say     called with step, loss and the PSNR of clips that are never trained on
    errors  WeightsError: the recipe asks for LPIPS and its network is not to be had
    """
    perceptual = PerceptualLoss(recipe.perceptual, device=device) if recipe.perceptual else None
    vae = vae.to(device).eval()
    for module in vae.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.to(memory_format=torch.channels_last)
    learner = Learner(
        state_path, vae.decoder, lr=recipe.lr, muon_lr=recipe.muon_lr, ema_decay=recipe.ema_decay, clip_norm=1.0,
        warm_up_01=0.05, decay_from_01=0.3,
    )  # fmt: skip

    def loss_of(step: int, progress_01: float) -> Tensor:
        rng = numpy_rng(seed, "train", "decoder", f"batch {step}")
        shares = np.array([bite.share for bite in recipe.bites])
        bite = recipe.bites[rng.choice(len(shares), p=shares / shares.sum())]
        video = mixed(pool, bite, recipe.natural, rng, recipe.photographs)
        noise = torch_generator(seed, "train", "decoder", f"noise {step}")
        cut_px = tuple(rng.integers(0, 4, 2))
        return decoder_loss(vae, video.to(device), recipe.latent_noise, noise, autocast, perceptual, cut_px)

    def report(pace: Pace) -> None:
        own = {name: value.clone() for name, value in vae.decoder.state_dict().items()}
        vae.decoder.load_state_dict(learner.ema.shadow)
        with autocast():
            quality = psnr_db(vae, watched_video(pool, device))
        vae.decoder.load_state_dict(own)
        say(step=pace.step, of=pace.planned, loss=pace.loss, spent_s=pace.spent_s, psnr_db=quality)

    if not learner.learn(loss_of, course, stop, say=report if say else None):
        return None
    vae.decoder.load_state_dict(learner.ema.shadow)
    return vae


def mixed(
    pool: Pool, bite: Bite, natural_share: float, rng: np.random.Generator, photograph_share: float = 0.0
) -> Tensor:
    """float [B, 3, T, S, S] in -1..1: films of people, or (by their shares) of procedural pictures and photographs."""
    video = batch(pool, bite, rng)
    kinds = rng.random(len(video))
    for item in np.flatnonzero(kinds < natural_share + photograph_share):
        source = natural if kinds[item] < natural_share else photographs
        film = source.film(rng, video.shape[2], video.shape[3])
        video[item] = torch.from_numpy(film).permute(3, 0, 1, 2).float() / 127.5 - 1.0
    return video


def decoder_loss(
    vae: CausalVae, video: Tensor, latent_noise: float, generator: torch.Generator, autocast,
    perceptual: Perceptual | None, cut_px: tuple[int, int] = (0, 0),
) -> Tensor:  # fmt: skip
    """The loss of one batch [B, 3, T, S, S]; no gradient reaches the encoder. cut_px as in `picture_loss`."""
    with autocast():
        with torch.no_grad():
            latents = vae.encode(video)
        noise = torch.randn(latents.shape, generator=generator) * latent_noise
        noise = noise * torch.rand((len(video), 1, 1, 1, 1), generator=generator)
        made = vae.decode(latents + noise.to(latents.device))
    made = made.float()
    miss = made - video
    loss = _RATIO * torch.log1p(miss.square().mean((1, 2, 3, 4)) / _FLAT).mean() + _ABSOLUTE * miss.abs().mean()
    loss = loss + _EDGES * (miss.diff(dim=4).abs().mean() + miss.diff(dim=3).abs().mean())
    if video.shape[2] > 1:
        loss = loss + _CHANGE * miss.diff(dim=2).abs().mean()
    frames, truth = (x.transpose(1, 2).flatten(0, 1) for x in (made, video))
    loss = loss + _STRUCTURE * (1.0 - ssim(frames, truth).mean())
    if perceptual is not None:
        top, left = cut_px
        loss = loss + _PERCEPTUAL * perceptual(frames[..., top:, left:], truth[..., top:, left:]).mean()
    return loss
