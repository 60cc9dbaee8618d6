"""From pool clips to prepared clips (stages.training.data): latents by the frozen VAE, maps drawn from truth."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stages.body.draw import draw_skeleton
from stages.core.rng import numpy_rng
from stages.core.skeleton import HANDS
from stages.head.sphere import draw_sphere
from stages.model.vae import CausalVae, frames_pm1
from stages.training.pool import REFERENCE_FRAMES, Pool
from stages.training.warps import carry_references

_FACING = 0.35  # cosine between the face and the camera below which a face crop says nothing


def prepare_clips(
    pool: Pool, vae: CausalVae, folder: str | os.PathLike, *, stop: Callable[[], bool], autocast,
    device: str = "cpu", progress: Callable[[int, int], None] | None = None,
) -> bool:  # fmt: skip
    """Write what is missing of the pool's clips to `folder`; True when all are there.

    autocast  makes the context in which the VAE runs
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    missing = [clip for clip in pool.clips if not (folder / clip.name).is_dir()]
    for done, clip in enumerate(missing, start=len(pool.clips) - len(missing) + 1):
        if stop():
            return False
        with torch.no_grad(), autocast():
            _prepare(pool, clip, vae, folder, device)
        if progress is not None:
            progress(done, len(pool.clips))
    return True


def face_valid(R_cam_head: np.ndarray) -> np.ndarray:
    """bool [N]: the face looks far enough towards the camera to be read. R_cam_head float [N, 3, 3]"""
    return R_cam_head[:, 2, 2] > _FACING


def control_maps(truth: dict[str, np.ndarray], height: int, width: int) -> np.ndarray:
    """uint8 [N, H, W, 6]: skeleton map and sphere map of each frame, every joint drawn (also hidden ones)."""
    maps = []
    for index in range(len(truth["joints_px"])):
        joints = truth["joints_px"][index]
        skeleton = draw_skeleton(
            joints, np.ones(len(joints), bool), truth["hands_px"][index], np.ones(len(HANDS), bool),
            height, width, joints_z_m=truth["joints_z_m"][index],
        )  # fmt: skip
        sphere = draw_sphere(
            truth["head_center_px"][index], truth["head_radius_px"][index], truth["R_cam_head"][index], height, width
        )
        maps.append(np.concatenate([skeleton, sphere], -1))
    return np.stack(maps)


def video_pm1(frames_u8: np.ndarray, device: str = "cpu") -> Tensor:
    """float [1, 3, T, H, W] in -1..1 of uint8 [T, H, W, 3]."""
    return frames_pm1(frames_u8, device).transpose(0, 1)[None]


def _latents(frames_u8: np.ndarray, vae: CausalVae, device: str) -> tuple[np.ndarray, np.ndarray]:
    """float16 latents of each frame alone [N, C, h, w], and of the contiguous ones as a video [t, C, h, w]."""
    video = video_pm1(frames_u8, device)
    photos = vae.encode(video[0].transpose(0, 1)[:, :, None])[:, :, 0]
    whole = vae.encode(video[:, :, : len(frames_u8) - REFERENCE_FRAMES])[0].transpose(0, 1)
    return tuple(x.float().cpu().numpy().astype(np.float16) for x in (photos, whole))


def _prepare(pool: Pool, clip: Path, vae: CausalVae, folder: Path, device: str) -> None:
    frames, truth = pool.frames(clip), pool.truth(clip)
    photos, whole = _latents(frames, vae, device)
    carried = carry_references(frames, truth, numpy_rng(0, "train", "warp", clip.name))
    warps = [_latents(pictures, vae, device) for pictures in carried["frames"]]
    facing = truth["R_cam_head"]
    partial = folder / f".{clip.name}.{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    np.save(partial / "latents.npy", photos)
    np.save(partial / "clip.npy", whole)
    np.save(partial / "warp_frames.npy", carried["frames"])
    np.save(partial / "warp_kind.npy", carried["kind"])
    np.save(partial / "warp_latents.npy", np.stack([photos for photos, _ in warps]))
    np.save(partial / "warp_clip.npy", np.stack([whole for _, whole in warps]))
    np.savez(partial / "warp.npz", refs=carried["refs"])
    np.save(partial / "maps.npy", control_maps(truth, *frames.shape[1:3]))
    np.save(partial / "frames.npy", frames)
    np.save(partial / "faces.npy", pool.faces(clip))
    np.savez(
        partial / "labels.npz",
        expressions=truth["expressions"].astype(np.float32),
        face_valid=face_valid(facing),
        yaw_rad=np.arctan2(-facing[:, 0, 2], facing[:, 2, 2]).astype(np.float32),
    )
    os.rename(partial, folder / clip.name)
