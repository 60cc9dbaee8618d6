"""A loaded animation model: photo and control tracks in, frames out, segment by segment in bounded memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from stages.core.carried import state_planes
from stages.core.device import mixed_precision
from stages.core.errors import InputError
from stages.model.canvas import AveragedSignals, enlarged, shrink_of
from stages.model.compositor import Compositor
from stages.model.config import CompositorConfig, ModelConfig
from stages.model.dit import Conditions, DiT, unpack_keeps
from stages.model.files import model_files
from stages.model.sampler import SamplerConfig, guided_with_keep, sample_segment
from stages.model.tracks import Signals, Tracks
from stages.model.vae import SPACE_STRIDE, TIME_STRIDE, CausalVae, frames_pm1
from stages.weights.checkpoint import load_checkpoint, load_strictly

_DECODER_MEMORY = 6  # latents; the decoder's memory blocks look back fewer than this
_OVERLAP = 1  # latents that two neighbouring segments both make
_ENCODE_CONTEXT = 16  # frames before a segment that the encoder sees, so that a latent of four frames stays one
_DECODE_LATENTS = 4  # latents decoded in one go; 8 with all pictures of their context took 200 MB more


def model_config(source: str) -> ModelConfig:
    """Return the configuration in a model's checkpoints without building the networks."""
    files = model_files(source)
    config = ModelConfig.from_dict(load_checkpoint(files["dit"])[1])
    return replace(config, compositor=CompositorConfig.from_dict(load_checkpoint(files["compositor"])[1]))


class Animator:
    """Networks of one model on one device."""

    def __init__(self, config: ModelConfig, vae: CausalVae, dit: DiT, compositor: Compositor, device: str = "cpu"):
        self.config, self.device = config, device
        self.vae, self.dit = vae.to(device).eval(), dit.to(device).eval()
        self.compositor = compositor.to(device).eval()
        for module in [*self.vae.modules(), *self.compositor.modules()]:
            if isinstance(module, torch.nn.Conv2d):
                module.to(memory_format=torch.channels_last)

    @classmethod
    def load(cls, source: str = "default", device: str = "cpu") -> "Animator":
        """Return the model `source` names (see `model_files`); strict: every tensor must fit."""
        files = model_files(source)
        vae_tensors, _ = load_checkpoint(files["vae"])
        dit_tensors, values = load_checkpoint(files["dit"])
        compositor_tensors, compositor_values = load_checkpoint(files["compositor"])
        config = replace(ModelConfig.from_dict(values), compositor=CompositorConfig.from_dict(compositor_values))
        vae, dit, compositor = CausalVae(config.vae), DiT(config.dit), Compositor(config.compositor)
        load_strictly(vae, vae_tensors, str(files["vae"]))
        load_strictly(dit, dit_tensors, str(files["dit"]))
        load_strictly(compositor, compositor_tensors, str(files["compositor"]))
        return cls(config, vae, dit, compositor, device)

    @torch.no_grad()
    def encode(self, frames_u8: np.ndarray) -> Tensor:
        """Return normalised latents [1, C, t, h, w] of frames uint8 [4k+1, H, W, 3]."""
        with mixed_precision(self.device):
            return self.vae.encode(frames_pm1(frames_u8, self.device).transpose(0, 1)[None])

    def segments(
        self, tracks: Signals, sampler: SamplerConfig, generators: Sequence[torch.Generator], *,
        segment_frames: int | None = None, done: Sequence[Tensor] = (),
    ) -> Iterator[Tensor]:  # fmt: skip
        """Yield the new latents [1, C+K, n, h, w] of each segment in turn; the first latent of every later segment is
        the last one before it (paper section 4.1) and is not yielded again. The channels behind the VAE's C are packed
        keep logits: > 0 where the picture is that of the first reference, still or carried (see `decode`).
        Each segment also makes the first new latent of the next one, from the noise that the next one starts it with;
        the mean of both stands in the clip. Our choice: handed over alone, latents change 1.2 times as much at a joint
        as elsewhere, because nothing in a segment knows what comes behind it. It costs a latent a segment.

        tracks          asked for no more than one segment, the latent behind it and its context at a time; a canvas
                        larger than the model's is averaged (stages.model.canvas)
        generators      one CPU generator a segment (see `segment_spans`), so that a segment can be made again alone
        done            segments that were made before: taken as given; only the last two are looked at, and the last
                        one is made again for the latent behind it
        errors          InputError: canvas or tokens do not fit the model
        """
        self._check(tracks)
        times = self._shrink(tracks)
        tracks = AveragedSignals(tracks, times) if times > 1 else tracks
        spans = segment_spans(filled_length(len(tracks)), segment_frames or self.config.segment_frames)
        channels, finished = self.config.dit.latent_channels, len(done)
        cells = [side // SPACE_STRIDE for side in tracks.size]

        def noise_of(index: int) -> Tensor:
            if index >= len(spans):
                return torch.empty((1, channels, 0, *cells))
            start, stop = spans[index]
            count = (stop - 1 - start) // TIME_STRIDE + (index == 0)
            return torch.randn((1, channels, count, *cells), generator=generators[index])

        if finished >= len(spans):
            return
        references, first = self._references(tracks), max(0, finished - 1)
        last = done[first - 1].to(self.device)[:, :channels, -1:] if first else None
        noise, ahead = noise_of(first), None
        for index in range(first, len(spans)):
            start, stop = spans[index]
            count, behind = noise.shape[2], noise_of(index + 1)
            overlap = behind[:, :, :_OVERLAP]
            part = self._conditions(references, tracks, start, stop + TIME_STRIDE * overlap.shape[2])
            latents = self._sampled(part, torch.cat([noise, overlap], 2).to(self.device), sampler, last)
            if index < finished:
                fresh = done[index].to(self.device)
            else:
                fresh = latents[:, :, :count]
                if ahead is not None:
                    fresh = torch.cat([(fresh[:, :, :_OVERLAP] + ahead) / 2, fresh[:, :, _OVERLAP:]], 2)
                yield fresh
            last, ahead, noise = fresh[:, :channels, -1:], latents[:, :, count:], behind

    def _sampled(self, part: Conditions, noise: Tensor, sampler: SamplerConfig, last: Tensor | None) -> Tensor:
        """Latents and packed keep logits [1, C+K, n, h, w] grown from noise [1, C, n, h, w], which goes on from the
        latent `last` [1, C, 1, h, w]; `part` is of that latent too."""
        kept: list[Tensor] = []

        def predict(z, t):
            with mixed_precision(self.device):
                latents, keep = guided_with_keep(self.dit, z, t, part, sampler)
            kept[:] = [keep]
            return latents

        start = noise if last is None else torch.cat([last, noise], 2)
        latents = torch.cat([sample_segment(predict, start, sampler, first=last), kept[0]], 1)
        return latents[:, :, 0 if last is None else 1 :]

    def decode(self, latents: Tensor, tracks: Signals | None = None) -> Iterator[np.ndarray]:
        """Yield the frames uint8 [n, H, W, 3] of latents [1, C or C+K, t, h, w]; see `decode_parts`."""
        return self.decode_parts(lambda start, stop: latents[:, :, start:stop], latents.shape[2], tracks)

    @torch.no_grad()
    def decode_parts(
        self, read: Callable[[int, int], Tensor], count: int, tracks: Signals | None = None
    ) -> Iterator[np.ndarray]:
        """Yield the frames uint8 [n, H, W, 3] of `count` latents, a few at a time.

        read    (first, behind the last) -> latents [1, C or C+K, n, h, w], asked for one block and its context at once
        tracks  what the latents (with their keep channels) were made from: the compositor mixes in the reference's own
                pixels, still and carried, and the frames are of their canvas. Without: the VAE's pictures alone
        """
        channels, shown = self.config.vae.latent_channels, 0
        times = self._shrink(tracks) if tracks is not None else 1
        for start in range(0, count, _DECODE_LATENTS):
            context = min(start, _DECODER_MEMORY)
            stop = min(start + _DECODE_LATENTS, count)
            latents = read(start - context, stop)
            with mixed_precision(self.device):
                video = self.vae.decode(latents[:, :channels].to(self.device), context)
            frames = video[0].transpose(0, 1).clamp(-1, 1)  # [n, 3, H, W]
            if tracks is not None:
                part = tracks.cut(shown, shown + len(frames))
                frames = self._composed(enlarged(frames, times), latents[:, channels:, context:], part)
                shown += len(frames)
            frames = (frames.clamp(-1, 1).permute(0, 2, 3, 1) + 1.0) * 127.5
            yield frames.round().to(torch.uint8).cpu().numpy()

    def _composed(self, made: Tensor, keep: Tensor, part: Tracks) -> Tensor:
        """Frames float [n, 3, H, W] in about -1..1 of made ones and the tracks of just these frames."""
        still = frames_pm1(part.ref_frames[:1], self.device).expand(len(made), -1, -1, -1)
        carried = frames_pm1(part.warp_frames, self.device)
        logits = unpack_keeps(keep.to(self.device).float(), self.config.dit.keep_detail)[0, :, -len(made) :]
        state = warp_state(part.warp_kind).to(self.device).transpose(0, 1)  # [n, 2, H, W]
        maps = torch.from_numpy(part.maps).to(self.device).permute(0, 3, 1, 2).float() / 255.0
        with mixed_precision(self.device):
            return self.compositor(
                torch.stack([made, still, carried], 1), state, torch.sigmoid(logits).transpose(0, 1), maps
            ).float()

    @property
    def _cell(self) -> int:
        """Side of a token in px."""
        return SPACE_STRIDE * self.config.dit.patch

    def _shrink(self, tracks: Signals) -> int:
        return shrink_of(tracks.size, self.config.size, self._cell)

    def _check(self, tracks: Signals) -> None:
        frames, (height, width) = len(tracks), tracks.size
        cell = self._cell
        if frames < 1 or height % cell or width % cell:
            raise InputError(
                f"canvas {height}x{width}, {frames} frames: expected frames, and sides that are multiples of {cell}"
            )
        expected = (self.config.dit.face_tokens, self.config.dit.face_channels)
        if tracks.token_shape != expected:
            raise InputError(
                f"face tokens {tracks.token_shape} a frame: the model expects {expected}; use its own face encoder"
            )
        if not 1 <= len(tracks.ref_frames) <= self.config.dit.max_references:
            raise InputError(f"{len(tracks.ref_frames)} references: expected 1 to {self.config.dit.max_references}")

    def _references(self, tracks: Signals) -> tuple[Tensor, Tensor]:
        """Latents [1, R, C, h, w] and maps float [1, R, 6, H, W] of the references, the same for every segment."""
        refs = torch.cat([self.encode(frame[None])[:, :, 0] for frame in tracks.ref_frames])[None]
        ref_maps = torch.from_numpy(np.array(tracks.ref_maps)).permute(0, 3, 1, 2)[None].float() / 255.0
        return refs, ref_maps.to(self.device)

    def _conditions(self, references: tuple[Tensor, Tensor], tracks: Signals, start: int, stop: int) -> Conditions:
        """Conditions of frames `start` to before `stop`; behind the end of the clip its last frame stands again."""
        first = max(0, start - _ENCODE_CONTEXT)
        part, fresh = tracks.cut(first, stop), start - first
        length = (stop - start - 1) // TIME_STRIDE + 1
        tokens = np.nan_to_num(part.face_tokens[fresh:]).astype(np.float32)
        one = torch.ones(1, device=self.device)
        return Conditions(
            maps=torch.from_numpy(part.maps[fresh:]).permute(3, 0, 1, 2)[None].to(self.device).float() / 255.0,
            ref_latents=references[0],
            ref_maps=references[1],
            face_tokens=torch.from_numpy(tokens)[None].to(self.device),
            face_valid=torch.from_numpy(part.face_valid[fresh:])[None].to(self.device),
            warp_latents=self.encode(part.warp_frames)[:, :, -length:],
            warp_state=warp_state(part.warp_kind[fresh:]).to(self.device)[None],
            keep_refs=one,
            keep_motion=one,
        )


def warp_state(kind_u8: np.ndarray) -> Tensor:
    """Return float [2, T, H, W] of a carried reference's kind uint8 [T, H, W]: is the figure; was seen."""
    return torch.from_numpy(state_planes(kind_u8)).float()


def filled_length(frames: int) -> int:
    """Return the number of frames of a clip whose end is filled up to 4k+1."""
    return frames + -(frames - 1) % TIME_STRIDE


def segment_spans(total: int, length: int) -> list[tuple[int, int]]:
    """Return (first frame, behind the last frame) of each segment of `total` = 4k+1 frames; neighbours share one frame,
    the one that the handed-over latent ends on. ValueError where `length` is not 4k+1 with k >= 1."""
    if length < TIME_STRIDE + 1 or (length - 1) % TIME_STRIDE:
        raise ValueError(f"segment of {length} frames: expected 5, 9, 13, ... frames")
    spans, start = [], 0
    while not spans or spans[-1][1] < total:
        stop = min(start + length, total)
        spans.append((start, stop))
        start = stop - 1
    return spans
