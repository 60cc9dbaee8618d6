"""Rehearsals: what the trained transformer makes of training clips, for the compositor to learn from.

A rehearsal is a folder named as its prepared clip and the number of its carried reference (0000012-1) with
  made.npy   uint8 [T, H, W, 3]        the VAE's pictures of the sampled latents
  keep.npy   uint8 [T, 2, h, w]        keep probabilities x 255: still, carried
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from stages.core.rng import numpy_rng, torch_generator
from stages.model.dit import DiT, unpack_keeps
from stages.model.sampler import SamplerConfig, sample_segment
from stages.model.vae import CausalVae
from stages.training.data import PreparedClips, TrainingBatch
from stages.training.objective import conditions, face_tokens
from stages.training.warps import WARPS


def rehearse(
    clips: PreparedClips, dit: DiT, face_net: torch.nn.Module, vae: CausalVae, folder: str | os.PathLike, count: int, *,
    stop: Callable[[], bool], autocast, sampler: SamplerConfig | None = None, seed: int = 0, device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> bool:  # fmt: skip
    """Write what is missing of the first `count` rehearsals to `folder`; True when all are there.

    Clips come in a shuffled order, every carried reference of one clip before any clip comes twice.
    """
    folder, sampler = Path(folder), sampler or SamplerConfig()
    folder.mkdir(parents=True, exist_ok=True)
    order = numpy_rng(seed, "train", "rehearse", "order").permutation(len(clips.clips))
    turns = [(clips.clips[number], which) for which in range(WARPS) for number in order][:count]
    missing = [(clip, which) for clip, which in turns if not (folder / f"{clip.name}-{which}").is_dir()]
    for done, (clip, which) in enumerate(missing, start=len(turns) - len(missing) + 1):
        if stop():
            return False
        name = f"{clip.name}-{which}"
        rng = numpy_rng(seed, "train", "rehearse", name)
        batch = clips.whole(clip, which, rng, int(rng.choice([1, 2, 3], p=[0.7, 0.15, 0.15])))
        noise = torch.randn(batch.data.shape, generator=torch_generator(seed, "train", "rehearse", name))
        batch = TrainingBatch(**{key: value.to(device) for key, value in vars(batch).items()})
        with torch.no_grad(), autocast():
            made, keep = _sampled(batch, noise.to(device), dit, face_net, vae, sampler)
        _write(folder, name, made, keep)
        if progress is not None:
            progress(done, len(turns))
    return True


def _sampled(batch: TrainingBatch, noise, dit: DiT, face_net, vae: CausalVae, sampler: SamplerConfig):
    tokens, _ = face_tokens(face_net, batch.faces)
    one = torch.ones(1, device=noise.device)
    given = conditions(batch, tokens, one, one, batch.face_valid)
    kept = []

    def predict(z, t):
        latents, keep = dit.predict(z, t, given)
        kept[:] = [keep]
        return latents

    latents = sample_segment(predict, noise, sampler)
    frames = vae.decode(latents)[0].permute(1, 2, 3, 0).clamp(-1, 1)  # [T, H, W, 3]
    keep = unpack_keeps(kept[0].float(), dit.config.keep_detail)[0, :, -len(frames) :].transpose(0, 1)
    return ((frames + 1) * 127.5).round().to(torch.uint8), (torch.sigmoid(keep) * 255).to(torch.uint8)


def _write(folder: Path, name: str, made, keep) -> None:
    partial = folder / f".{name}.{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    np.save(partial / "made.npy", made.cpu().numpy())
    np.save(partial / "keep.npy", keep.cpu().numpy())
    os.rename(partial, folder / name)
