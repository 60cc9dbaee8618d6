"""The causal 3D VAE: video to latents 4 times shorter and 8 times smaller, and back.

Every latent frame sees only itself and the past, so the first frame of a clip is a latent of its own, a photo is a
clip of one frame, and a clip of 4k+1 frames has k+1 latents (paper section 3.1: a causal 3D VAE; the layers are our
choice: convolutions over single frames, mixed with the previous frame at the small scale, as fast CPUs like it).
Beside the deep path runs a linear one (one projection of each 4x8x8 block), which starts as the principal components
of the training pictures: without it a CPU needs an hour to reach what it gives at once.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.model.config import VaeConfig

TIME_STRIDE = 4
SPACE_STRIDE = 8


def latent_length(frames: int) -> int:
    """Return the number of latent frames of a clip of 4k+1 frames; ValueError for other lengths."""
    if frames < 1 or (frames - 1) % TIME_STRIDE:
        raise ValueError(f"{frames} frames: a clip for the VAE has 4k+1 frames (1, 5, 9, ...)")
    return (frames - 1) // TIME_STRIDE + 1


def frames_pm1(frames_u8: np.ndarray, device: str = "cpu") -> Tensor:
    """Return float [n, 3, H, W] in -1..1 of frames uint8 [n, H, W, 3]."""
    frames = torch.from_numpy(np.array(frames_u8)).to(device)  # a copy: mapped files are read-only
    return frames.permute(0, 3, 1, 2).float() / 127.5 - 1.0


def _activate(x: Tensor) -> Tensor:
    """SiLU of x [B, T, C, h, w], its mean square over channels at 1 (without it the decoder's deep path died)."""
    return F.silu(x * torch.rsqrt(x.square().mean(2, keepdim=True) + 1e-4))


class FrameConv(nn.Conv2d):
    """3x3 convolution over single frames: [B, T, C, h, w] -> [B, T, C', h, w]."""

    def __init__(self, channels_in: int, channels_out: int, *, stride: int = 1, gain: float = 1.0):
        super().__init__(channels_in, channels_out, 3, stride, 1)
        nn.init.kaiming_normal_(self.weight, nonlinearity="linear")
        with torch.no_grad():
            self.weight.mul_(gain)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        batch, time = x.shape[:2]
        return super().forward(x.flatten(0, 1)).unflatten(0, (batch, time))


class ResidualBlock(nn.Module):
    """Two convolutions beside the identity; with `memory` the first also sees the frame before (zeros at the start)."""

    def __init__(self, channels: int, *, memory: bool = False):
        super().__init__()
        self.memory = memory
        self.first = FrameConv(channels * (2 if memory else 1), channels)
        self.second = FrameConv(channels, channels, gain=0.1)

    def forward(self, x: Tensor) -> Tensor:
        h = _activate(x)
        if self.memory:
            past = torch.cat([torch.zeros_like(h[:, :1]), h[:, :-1]], 1)
            h = torch.cat([h, past], 2)  # [B, T, 2C, h, w]
        return x + self.second(_activate(self.first(h)))


class FoldTime(nn.Module):
    """Halve the frame rate: two neighbouring frames become one. [B, 2T, C, h, w] -> [B, T, C', h, w]."""

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        self.mix = nn.Conv2d(2 * channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        batch, time, channels, height, width = x.shape
        pairs = x.reshape(batch * time // 2, 2 * channels, height, width)
        return self.mix(pairs).unflatten(0, (batch, time // 2))


class UnfoldTime(nn.Module):
    """Double the frame rate: [B, T, C, h, w] -> [B, 2T, C', h, w]."""

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        self.mix = nn.Conv2d(channels_in, 2 * channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        batch, time, _, height, width = x.shape
        pairs = self.mix(x.flatten(0, 1))  # [B*T, 2C', h, w]
        return pairs.reshape(batch, time * 2, -1, height, width)


def _shuffle(x: Tensor, factor: int) -> Tensor:
    return F.pixel_shuffle(x.flatten(0, 1), factor).unflatten(0, x.shape[:2])


class Encoder(nn.Module):
    def __init__(self, config: VaeConfig):
        super().__init__()
        quarter, eighth = config.encoder_widths
        self.stem = FrameConv(3 * 16, quarter)
        self.at_quarter = nn.Sequential(*(ResidualBlock(quarter) for _ in range(config.encoder_depth)))
        self.down = FrameConv(quarter, eighth, stride=2)
        self.fold = nn.Sequential(
            FoldTime(eighth, eighth), ResidualBlock(eighth, memory=True),
            FoldTime(eighth, eighth), ResidualBlock(eighth, memory=True), ResidualBlock(eighth, memory=True),
        )  # fmt: skip
        self.head = FrameConv(eighth, config.latent_channels, gain=0.1)
        self.linear = nn.Conv3d(3, config.latent_channels, (4, 8, 8), (4, 8, 8))

    def forward(self, video: Tensor) -> Tensor:
        """video [B, 3, 4k+1, H, W] -> latents [B, C, k+1, H/8, W/8]; the first frame stands for four"""
        x = F.pixel_unshuffle(video.transpose(1, 2).flatten(0, 1), 4).unflatten(0, (video.shape[0], video.shape[2]))
        x = self.down(self.at_quarter(self.stem(x)))  # [B, T, C, H/8, W/8]
        x = torch.cat([x[:, :1].expand(-1, TIME_STRIDE - 1, -1, -1, -1), x], 1)
        x = self.head(_activate(self.fold(x)))  # [B, (T+3)/4, c, h, w]
        first = video[:, :, :1].expand(-1, -1, TIME_STRIDE - 1, -1, -1)
        return x.transpose(1, 2) + self.linear(torch.cat([first, video], 2))


class Decoder(nn.Module):
    def __init__(self, config: VaeConfig):
        super().__init__()
        eighth, quarter, half = config.decoder_widths
        self.stem = FrameConv(config.latent_channels, eighth)
        self.unfold = nn.Sequential(
            ResidualBlock(eighth, memory=True), ResidualBlock(eighth, memory=True), UnfoldTime(eighth, quarter),
            ResidualBlock(quarter, memory=True), UnfoldTime(quarter, quarter),
        )  # fmt: skip
        self.up_quarter = FrameConv(quarter, 4 * quarter)
        self.at_quarter = nn.Sequential(*(ResidualBlock(quarter) for _ in range(config.decoder_depth)))
        self.up_half = FrameConv(quarter, 4 * half)
        self.at_half = ResidualBlock(half)
        self.head = FrameConv(half, 12, gain=0.1)
        self.linear = nn.ConvTranspose3d(config.latent_channels, 3, (4, 8, 8), (4, 8, 8))

    def forward(self, latents: Tensor, skip: int = 0) -> Tensor:
        """latents [B, C, k+1, h, w] -> video [B, 3, 4(k+1) - skip, 8h, 8w], its first `skip` frames never drawn"""
        x = self.unfold(self.stem(latents.transpose(1, 2)))[:, skip:]  # [B, T, C, h, w]
        x = self.at_quarter(_shuffle(self.up_quarter(_activate(x)), 2))  # [B, T, C, 2h, 2w]
        x = self.at_half(_shuffle(self.up_half(_activate(x)), 2))  # [B, T, C, 4h, 4w]
        x = _shuffle(self.head(_activate(x)), 2)  # [B, T, 3, 8h, 8w]
        return x.transpose(1, 2) + self.linear(latents)[:, :, skip:]


class CausalVae(nn.Module):
    """Encoder, decoder and the statistics that bring every latent channel to about unit variance.

    Latents are (z - mean) / std of what the encoder gives; the statistics are set once, when the linear path is.
    """

    def __init__(self, config: VaeConfig):
        super().__init__()
        self.config = config
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        shape = (1, config.latent_channels, 1, 1, 1)
        self.register_buffer("latent_mean", torch.zeros(shape))
        self.register_buffer("latent_std", torch.ones(shape))
        self.register_buffer("latent_weight", torch.ones(shape))  # how much a channel moves the picture; mean 1

    def encode(self, video_pm1: Tensor) -> Tensor:
        """Return normalised latents [B, C, k+1, H/8, W/8] of a video [B, 3, 4k+1, H, W] in -1..1; sides 8n."""
        latent_length(video_pm1.shape[2])
        return (self.encoder(video_pm1).float() - self.latent_mean) / self.latent_std

    def decode(self, latents: Tensor, context: int = 0) -> Tensor:
        """Return the video [B, 3, 4k+1, H, W], about -1..1 and not clipped, of normalised latents [B, C, k+1, h, w].

        context  so many latents at the beginning are only looked back at: [B, 3, 4(k+1-context), H, W] where > 0
        """
        return self.decoder(latents, TIME_STRIDE * context if context else TIME_STRIDE - 1).float()

    @torch.no_grad()
    def start_from_components(self, blocks: Tensor) -> None:
        """Set the linear path and the statistics to the principal components of blocks [N, 3*4*8*8] of video."""
        mean = blocks.mean(0)
        centred = blocks - mean
        vectors, variances, _ = torch.linalg.svd(centred.T @ centred / len(blocks))
        count = self.config.latent_channels
        components, std = vectors[:, :count].T, variances[:count].sqrt().clamp(min=1e-3)
        self.encoder.linear.weight.copy_(components.view(count, 3, 4, 8, 8))
        self.encoder.linear.bias.copy_(-(components @ mean))
        self.latent_std.copy_(std.view(1, -1, 1, 1, 1))
        self.decoder.linear.weight.copy_((components * std[:, None]).view(count, 3, 4, 8, 8))
        self.decoder.linear.bias.copy_(mean.view(3, -1).mean(1))
