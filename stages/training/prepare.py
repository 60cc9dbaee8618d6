"""From pool clips to prepared clips (stages.training.data): what stages.training.drawn draws, and its latents."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stages.core.device import one_thread
from stages.model.vae import CausalVae, frames_pm1
from stages.training.drawn import EXTRAS, draw_clip
from stages.training.pool import REFERENCE_FRAMES, Pool
from stages.training.variety import Variety
from stages.training.workers import shared_out


def prepare_clips(
    pool: Pool, vae: CausalVae, folder: str | os.PathLike, *, stop: Callable[[], bool], autocast,
    device: str = "cpu", progress: Callable[[int, int], None] | None = None, variety: Variety | None = None,
    workers: int = 1,
) -> bool:  # fmt: skip
    """Write what is missing of the pool's clips to `folder`; True when all are there.

    autocast  makes the context in which the VAE runs;  variety  other than the usual
    workers   processes that carry and draw while this one encodes, on one thread, so as not to be in their way; 1: this
              one does it all. The same files either way
    errors    ResourceError: a worker was killed
    """
    variety = variety or Variety()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    work = [(pool, clip, folder, variety) for clip in pool.clips if not (folder / clip.name).is_dir()]
    done = len(pool.clips) - len(work)
    for partial in shared_out(draw_clip, work, workers, stop):
        with torch.no_grad(), autocast(), one_thread():
            _encode(partial, vae, device)
        os.rename(partial, folder / _name_of(partial))
        done += 1
        if progress is not None:
            progress(done, len(pool.clips))
    return done == len(pool.clips)


def _name_of(partial: Path) -> str:
    """NAME of `.NAME.PID`."""
    return partial.name[1:].rpartition(".")[0]


def video_pm1(frames_u8: np.ndarray, device: str = "cpu") -> Tensor:
    """float [1, 3, T, H, W] in -1..1 of uint8 [T, H, W, 3]."""
    return frames_pm1(frames_u8, device).transpose(0, 1)[None]


def _photo_latents(frames_u8: np.ndarray, vae: CausalVae, device: str) -> np.ndarray:
    """float16 [N, C, h, w]: each frame alone."""
    pictures = video_pm1(frames_u8, device)[0].transpose(0, 1)
    return _half(vae.encode(pictures[:, :, None])[:, :, 0])


def _video_latents(frames_u8: np.ndarray, vae: CausalVae, device: str) -> np.ndarray:
    """float16 [t, C, h, w]: the contiguous frames as one video."""
    return _half(vae.encode(video_pm1(frames_u8[: len(frames_u8) - REFERENCE_FRAMES], device))[0].transpose(0, 1))


def _half(latents: Tensor) -> np.ndarray:
    return latents.float().cpu().numpy().astype(np.float16)


def _encode(partial: Path, vae: CausalVae, device: str) -> None:
    """Add the latents to what `draw_clip` drew."""
    frames, carried = np.load(partial / "frames.npy"), np.load(partial / "warp_frames.npy")
    np.save(partial / "latents.npy", _photo_latents(frames, vae, device))
    np.save(partial / "clip.npy", _video_latents(frames, vae, device))
    np.save(partial / "warp_latents.npy", np.stack([_photo_latents(x, vae, device) for x in carried]))
    np.save(partial / "warp_clip.npy", np.stack([_video_latents(x, vae, device) for x in carried]))
    if (partial / EXTRAS).is_file():
        np.save(partial / "extra_latents.npy", _photo_latents(np.load(partial / EXTRAS), vae, device))
        (partial / EXTRAS).unlink()
