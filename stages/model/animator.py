"""A loaded animation model: photo and control tracks in, frames out, segment by segment in bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from stages.core.carried import state_planes
from stages.core.errors import InputError
from stages.model.compositor import Compositor
from stages.model.config import CompositorConfig, ModelConfig
from stages.model.dit import Conditions, DiT, unpack_keeps
from stages.model.files import model_files
from stages.model.sampler import SamplerConfig, guided_with_keep, sample_segment
from stages.model.vae import SPACE_STRIDE, TIME_STRIDE, CausalVae, frames_pm1
from stages.weights.checkpoint import load_checkpoint, load_strictly

_DECODER_MEMORY = 6  # latents; the decoder's memory blocks look back fewer than this
_ENCODE_CONTEXT = 16  # frames before a segment that the encoder sees, so that a latent of four frames stays one
_DECODE_LATENTS = 8  # latents decoded in one go


@dataclass(frozen=True)
class Tracks:
    """Control signals of T frames and R references on one canvas.

    maps         uint8 [T, H, W, 6]      skeleton map, then sphere map
    face_tokens  float32 [T, N, C]       NaN allowed where not valid
    face_valid   bool [T]
    ref_frames   uint8 [R, H, W, 3]
    ref_maps     uint8 [R, H, W, 6]
    warp_frames  uint8 [T, H, W, 3]      the first reference carried to every frame's pose (stages.body.warp)
    warp_kind    uint8 [T, H, W]         what its pixels are
    """

    maps: np.ndarray
    face_tokens: np.ndarray
    face_valid: np.ndarray
    ref_frames: np.ndarray
    ref_maps: np.ndarray
    warp_frames: np.ndarray
    warp_kind: np.ndarray


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

    def _autocast(self):
        kind = "cuda" if self.device.startswith("cuda") else "cpu"
        return torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda" or fast_bfloat16())

    @torch.no_grad()
    def encode(self, frames_u8: np.ndarray) -> Tensor:
        """Return normalised latents [1, C, t, h, w] of frames uint8 [4k+1, H, W, 3]."""
        with self._autocast():
            return self.vae.encode(frames_pm1(frames_u8, self.device).transpose(0, 1)[None])

    def segments(
        self, tracks: Tracks, sampler: SamplerConfig, generators: list[torch.Generator], *,
        segment_frames: int | None = None, done: list[Tensor] | None = None,
    ) -> Iterator[Tensor]:  # fmt: skip
        """Yield the new latents [1, C+K, n, h, w] of each segment in turn; the first latent of every later segment is
        the last one before it (paper section 4.1) and is not yielded again. The channels behind the VAE's C are packed
        keep logits: > 0 where the picture is that of the first reference, still or carried (see `decode`).

        generators      one CPU generator a segment (see `segment_spans`), so that a segment can be made again alone
        done            segments that were made before: taken as given, not made again
        errors          InputError: canvas or tokens do not fit the model
        """
        self._check(tracks)
        length = segment_frames or self.config.segment_frames
        given, done = self._prepare(tracks), list(done or [])
        total = given.maps.shape[2]
        last = None
        for index, (start, stop) in enumerate(segment_spans(total, length)):
            if index < len(done):
                latents = done[index].to(self.device)
            else:
                part = self._window(given, tracks, start, stop)
                shape = (
                    1,
                    self.config.dit.latent_channels,
                    (stop - start - 1) // TIME_STRIDE + 1,
                    *part.ref_latents.shape[-2:],
                )
                noise = torch.randn(shape, generator=generators[index]).to(self.device)

                kept: list[Tensor] = []

                def predict(z, t, part=part, kept=kept):
                    with self._autocast():
                        latents, keep = guided_with_keep(self.dit, z, t, part, sampler)
                    kept[:] = [keep]
                    return latents

                latents = sample_segment(predict, noise, sampler, first=last)
                latents = torch.cat([latents, kept[0]], 1)[:, :, 0 if last is None else 1 :]
                yield latents
            last = latents[:, : self.config.dit.latent_channels, -1:]

    @torch.no_grad()
    def decode(self, latents: Tensor, tracks: Tracks | None = None) -> Iterator[np.ndarray]:
        """Yield the frames uint8 [n, H, W, 3] of latents [1, C or C+K, t, h, w], a few latents at a time.

        tracks  what the latents (with their keep channels) were made from: the compositor mixes in the reference's own
                pixels, still and carried. Without: the VAE's pictures alone
        """
        channels, count, shown = self.config.vae.latent_channels, latents.shape[2], 0
        for start in range(0, count, _DECODE_LATENTS):
            context = min(start, _DECODER_MEMORY)
            stop = min(start + _DECODE_LATENTS, count)
            with self._autocast():
                video = self.vae.decode(latents[:, :channels, start - context : stop].to(self.device))
            fresh = video[:, :, -TIME_STRIDE * (stop - start) :] if start else video
            frames = fresh[0].transpose(0, 1).clamp(-1, 1)  # [n, 3, H, W]
            if tracks is not None:
                frames = self._composed(frames, latents[:, channels:, start:stop], tracks, shown)
                shown += len(frames)
            frames = (frames.clamp(-1, 1).permute(0, 2, 3, 1) + 1.0) * 127.5
            yield frames.round().to(torch.uint8).cpu().numpy()

    def _composed(self, made: Tensor, keep: Tensor, tracks: Tracks, first: int) -> Tensor:
        """Frames float [n, 3, H, W] in about -1..1 of made ones, the first of which is frame `first` of the tracks."""
        index = np.minimum(first + np.arange(len(made)), len(tracks.warp_frames) - 1)
        still = frames_pm1(tracks.ref_frames[:1], self.device).expand(len(made), -1, -1, -1)
        carried = frames_pm1(tracks.warp_frames[index], self.device)
        logits = unpack_keeps(keep.to(self.device).float(), self.config.dit.keep_detail)[0, :, -len(made) :]
        state = warp_state(tracks.warp_kind[index]).to(self.device).transpose(0, 1)  # [n, 2, H, W]
        maps = torch.from_numpy(tracks.maps[index]).to(self.device).permute(0, 3, 1, 2).float() / 255.0
        with self._autocast():
            return self.compositor(
                torch.stack([made, still, carried], 1), state, torch.sigmoid(logits).transpose(0, 1), maps
            ).float()

    def _check(self, tracks: Tracks) -> None:
        frames, height, width, _ = tracks.maps.shape
        cell = SPACE_STRIDE * self.config.dit.patch
        if frames < 1 or height % cell or width % cell:
            raise InputError(
                f"canvas {height}x{width}, {frames} frames: expected frames, and sides that are multiples of {cell}"
            )
        expected = (frames, self.config.dit.face_tokens, self.config.dit.face_channels)
        if tracks.face_tokens.shape != expected:
            raise InputError(
                f"face tokens {tracks.face_tokens.shape}: the model expects {expected}; use its own face encoder"
            )
        if not 1 <= len(tracks.ref_frames) <= self.config.dit.max_references:
            raise InputError(f"{len(tracks.ref_frames)} references: expected 1 to {self.config.dit.max_references}")

    def _prepare(self, tracks: Tracks) -> Conditions:
        """Return conditions of the whole clip, its end filled up to 4k+1 frames by its last frame."""
        missing = -(len(tracks.maps) - 1) % TIME_STRIDE

        def fill(array: np.ndarray) -> Tensor:
            return torch.from_numpy(np.concatenate([array, np.repeat(array[-1:], missing, 0)]))

        refs = torch.cat([self.encode(frame[None])[:, :, 0] for frame in tracks.ref_frames])[None]  # [1, R, C, h, w]
        ref_maps = torch.from_numpy(tracks.ref_maps).permute(0, 3, 1, 2)[None].float() / 255.0
        one = torch.ones(1, device=self.device)
        return Conditions(
            maps=fill(tracks.maps).permute(3, 0, 1, 2)[None],  # uint8 until a segment needs it
            ref_latents=refs,
            ref_maps=ref_maps.to(self.device),
            face_tokens=fill(np.nan_to_num(tracks.face_tokens).astype(np.float32))[None],
            face_valid=fill(tracks.face_valid)[None],
            warp_latents=refs.new_zeros(0),  # a segment's own, see `_window`
            warp_state=refs.new_zeros(0),
            keep_refs=one,
            keep_motion=one,
        )

    def _window(self, given: Conditions, tracks: Tracks, start: int, stop: int) -> Conditions:
        index = np.minimum(np.arange(max(0, start - _ENCODE_CONTEXT), stop), len(tracks.warp_frames) - 1)
        length = (stop - start - 1) // TIME_STRIDE + 1
        carried = self.encode(tracks.warp_frames[index])[:, :, -length:]
        state = warp_state(tracks.warp_kind[index[-(stop - start) :]]).to(self.device)[None]
        return Conditions(
            maps=given.maps[:, :, start:stop].to(self.device).float() / 255.0,
            ref_latents=given.ref_latents,
            ref_maps=given.ref_maps,
            face_tokens=given.face_tokens[:, start:stop].to(self.device),
            face_valid=given.face_valid[:, start:stop].to(self.device),
            warp_latents=carried,
            warp_state=state,
            keep_refs=given.keep_refs,
            keep_motion=given.keep_motion,
        )


def warp_state(kind_u8: np.ndarray) -> Tensor:
    """Return float [2, T, H, W] of a carried reference's kind uint8 [T, H, W]: is the figure; was seen."""
    return torch.from_numpy(state_planes(kind_u8)).float()


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


def fast_bfloat16() -> bool:
    """True where this CPU multiplies bfloat16 in hardware; elsewhere float32 is faster."""
    flags = torch.backends.cpu.get_cpu_capability()
    return "AVX512" in flags and bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
