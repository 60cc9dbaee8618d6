"""Training of the VAE: from principal components to a good picture, then the scale of its latents is fixed.

L1 + 2 x squared error + 0.3 x picture gradients + 0.2 x change over time, no adversary and no perceptual network (our
choice: on a CPU the linear start and a plain loss reach most of what there is). Latents get a little noise, so that the
decoder forgives the transformer.
"""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from stages.core.rng import numpy_rng, torch_generator
from stages.model.config import VaeConfig
from stages.model.vae import SPACE_STRIDE, TIME_STRIDE, CausalVae
from stages.training.course import Course, Pace
from stages.training.learner import Learner
from stages.training.pool import REFERENCE_FRAMES, Pool
from stages.training.recipe import Bite, VaeRecipe

_BLOCKS = 40_000  # of video, for the components
_SHOWN = 48  # clips that the latents' scale is measured on
_PROBE = 0.3  # how much one channel is shaken to see how far it moves the picture
Autocast = Callable[[], object]


def train_vae(
    state_path: Path, pool: Pool, config: VaeConfig, recipe: VaeRecipe, course: Course, stop: Callable[[], bool], *,
    seed: int = 0, device: str = "cpu", autocast: Autocast = nullcontext, say: Callable[..., None] | None = None,
) -> CausalVae | None:  # fmt: skip
    """Return the averaged, calibrated network, or None where `stop()` ended this run before the course was done.

    say  called with step, loss and the PSNR of clips that are never trained on
    """
    torch.manual_seed(seed)
    vae = CausalVae(config).to(device)
    _channels_last(vae)
    learner = Learner(
        state_path, vae, lr=recipe.lr, muon_lr=recipe.muon_lr, ema_decay=recipe.ema_decay, clip_norm=1.0,
        warm_up_01=0.03, decay_from_01=0.3, start=lambda: _start(vae, pool, seed),
    )  # fmt: skip

    def loss_of(step: int, progress_01: float) -> Tensor:
        rng = numpy_rng(seed, "train", "vae", f"batch {step}")
        last = progress_01 >= recipe.last_from_01
        shares = [bite.share for bite in recipe.bites]
        bite = recipe.last_bite if last else recipe.bites[rng.choice(len(shares), p=np.divide(shares, sum(shares)))]
        video = batch(pool, bite, rng).to(device)
        noise = torch_generator(seed, "train", "vae", f"noise {step}")
        with autocast():
            return reconstruction_loss(vae, video, recipe.latent_noise, noise)

    averaged = CausalVae(config).to(device).eval()
    _channels_last(averaged)

    def report(pace: Pace) -> None:
        averaged.load_state_dict(learner.ema.shadow)
        with autocast():
            quality = psnr_db(averaged, watched_video(pool, device))
        say(step=pace.step, of=pace.planned, loss=pace.loss, spent_s=pace.spent_s, psnr_db=quality)

    if not learner.learn(loss_of, course, stop, say=report if say else None):
        return None
    averaged.load_state_dict(learner.ema.shadow)
    calibrate(averaged, shown_video(pool, device), seed)
    return averaged


def batch(pool: Pool, bite: Bite, rng: np.random.Generator) -> Tensor:
    """float [B, 3, T, S, S] in -1..1: random clips, cut, slowed or hurried, mirrored, reversed, recoloured."""
    items = []
    for _ in range(bite.batch):
        clip = pool.draw(rng)
        video = _moment(pool.frames(clip), bite.frames, rng)
        side = video.shape[1]
        cut = bite.side or side
        y, x = rng.integers(0, (side - cut) // 4 + 1, 2) * 4
        video = np.asarray(video[:, y : y + cut, x : x + cut]).astype(np.float32) / 127.5 - 1.0
        if rng.random() < 0.5:
            video = video[:, :, ::-1]
        if rng.random() < 0.3:
            video = video[..., rng.permutation(3)]
        if rng.random() < 0.3:
            shift = rng.normal(0, 0.15, 3).astype(np.float32)
            video = np.clip(video * np.float32(rng.uniform(0.6, 1.3)) + shift, -1, 1)
        items.append(video)
    return torch.from_numpy(np.ascontiguousarray(np.stack(items).transpose(0, 4, 1, 2, 3)))


def reconstruction_loss(vae: CausalVae, video: Tensor, latent_noise: float, generator: torch.Generator) -> Tensor:
    """The loss of one batch [B, 3, T, S, S]; each item gets its own share of `latent_noise`."""
    latents = vae.encode(video)
    noise = torch.randn(latents.shape, generator=generator) * latent_noise
    noise = noise * torch.rand((len(video), 1, 1, 1, 1), generator=generator)
    miss = vae.decode(latents + noise.to(latents.device)).float() - video
    across, down = miss.diff(dim=4), miss.diff(dim=3)
    loss = miss.abs().mean() + 2.0 * miss.square().mean() + 0.3 * (across.abs().mean() + down.abs().mean())
    return loss + 0.2 * miss.diff(dim=2).abs().mean() if video.shape[2] > 1 else loss


@torch.no_grad()
def psnr_db(vae: CausalVae, video: Tensor) -> float:
    """Mean peak signal-to-noise ratio of the frames that come back; video [B, 3, T, H, W] in -1..1."""
    values = []
    for clip in video.split(4):
        back = vae.decode(vae.encode(clip)).float().clamp(-1, 1)
        values.append(-10 * torch.log10((back - clip).square().mean((1, 3, 4)).clamp(min=1e-10) / 4))
    return float(torch.cat(values).mean())


@torch.no_grad()
def calibrate(vae: CausalVae, video: Tensor, seed: int = 0) -> None:
    """Bring every latent channel to unit variance on `video` [B, 3, T, H, W] without changing any picture, and set
    `latent_weight`: how far a channel moves the picture, kept between 0.3 and 4 times the mean (our choice)."""
    latents = torch.cat([vae.encode(clip) for clip in video.split(8)])
    scale = latents.std((0, 2, 3, 4), keepdim=True).clamp(min=1e-3)
    vae.latent_std.mul_(scale)
    vae.decoder.stem.weight.mul_(scale.view(1, -1, 1, 1))
    vae.decoder.linear.weight.mul_(scale.view(-1, 1, 1, 1, 1))
    latents = (latents / scale)[:8]
    plain = vae.decode(latents)
    generator = torch_generator(seed, "train", "vae", "channel weights")
    moved = []
    for channel in range(latents.shape[1]):
        shaken = latents.clone()
        noise = torch.randn(shaken[:, channel].shape, generator=generator).to(shaken.device)
        shaken[:, channel] += _PROBE * noise
        moved.append(((vae.decode(shaken) - plain).square().mean() / _PROBE**2).sqrt())
    weight = torch.stack(moved)
    weight = (weight / weight.mean()).clamp(0.3, 4.0)
    vae.latent_weight.copy_((weight / weight.mean()).view(1, -1, 1, 1, 1))


def watched_video(pool: Pool, device: str = "cpu") -> Tensor:
    """The contiguous frames of the watched clips, float [B, 3, T, H, W]."""
    return _whole(pool, pool.watched, device)


def shown_video(pool: Pool, device: str = "cpu") -> Tensor:
    """The contiguous frames of the first training clips."""
    return _whole(pool, pool.trained[:_SHOWN], device)


def _whole(pool: Pool, clips: list[Path], device: str) -> Tensor:
    frames = np.stack([pool.frames(clip)[:-REFERENCE_FRAMES] for clip in clips])
    return torch.from_numpy(frames).to(device).permute(0, 4, 1, 2, 3).float() / 127.5 - 1.0


def _moment(frames: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` frames: any one, or contiguous ones, sometimes every second one, sometimes backwards."""
    contiguous = len(frames) - REFERENCE_FRAMES
    if count == 1:
        return frames[rng.integers(len(frames))][None]
    step = 2 if 2 * count - 1 <= contiguous and rng.random() < 0.4 else 1
    span = (count - 1) * step + 1
    first = rng.integers(contiguous - span + 1)
    moment = frames[first : first + span : step]
    return moment[::-1] if rng.random() < 0.5 else moment


def _start(vae: CausalVae, pool: Pool, seed: int) -> None:
    """The principal components of blocks of whole training frames."""
    rng = numpy_rng(seed, "train", "vae", "components")
    frames = min(9, len(pool.frames(pool.trained[0])) - REFERENCE_FRAMES)
    video = batch(pool, Bite(0, frames, 64), rng)
    video = torch.cat([video[:, :, :1].expand(-1, -1, TIME_STRIDE - 1, -1, -1), video], 2)
    blocks = video.unfold(2, TIME_STRIDE, TIME_STRIDE).unfold(3, SPACE_STRIDE, SPACE_STRIDE)
    blocks = blocks.unfold(4, SPACE_STRIDE, SPACE_STRIDE).permute(0, 2, 3, 4, 1, 5, 6, 7).flatten(0, 3).flatten(1)
    chosen = torch.from_numpy(rng.permutation(len(blocks))[:_BLOCKS])
    vae.start_from_components(blocks[chosen].to(vae.latent_std.device))


def _channels_last(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.channels_last)
