"""The half of preparing that needs none of our networks: cutting, hiding, carrying, drawing; in worker processes."""

import os
import shutil
from pathlib import Path

import numpy as np

from stages.body.draw import draw_skeleton
from stages.body.framing import cut
from stages.core.carried import averaged_kind
from stages.core.pictures import averaged
from stages.core.rng import numpy_rng
from stages.face.carry import READABLE
from stages.head.sphere import draw_sphere
from stages.training.pool import REFERENCE_FRAMES, Pool, scaled
from stages.training.variety import (
    Variety,
    choose_window,
    drawn_flags,
    fine_window,
    half_body_window,
    hide_joints,
    reframed,
    view_window,
    views_of,
)
from stages.training.warps import carry_references

EXTRAS = "extra_frames.npy"  # pictures whose latents alone are kept


def face_valid(R_cam_head: np.ndarray) -> np.ndarray:
    """bool [N]: the face looks far enough towards the camera to be read. R_cam_head float [N, 3, 3]"""
    return R_cam_head[:, 2, 2] > READABLE


def control_maps(truth: dict[str, np.ndarray], height: int, width: int) -> np.ndarray:
    """uint8 [N, H, W, 6]: skeleton map and sphere map of each frame, without the joints that were hidden from them."""
    maps, (drawn, hands_drawn) = [], drawn_flags(truth)
    for index, joints in enumerate(truth["joints_px"]):
        skeleton = draw_skeleton(
            joints, drawn[index], truth["hands_px"][index], hands_drawn[index],
            height, width, joints_z_m=truth["joints_z_m"][index],
        )  # fmt: skip
        sphere = draw_sphere(
            truth["head_center_px"][index], truth["head_radius_px"][index], truth["R_cam_head"][index], height, width
        )
        maps.append(np.concatenate([skeleton, sphere], -1))
    return np.stack(maps)


def draw_clip(work: tuple[Pool, Path, Path, Variety]) -> Path:
    """The hidden folder, beside where the clip will be, with all of a prepared clip but latents.

    work  pool, clip, folder of the prepared clips and Variety; EXTRAS are the further references' pictures
    """
    pool, clip, folder, variety = work
    frames, fine, truth = pool.frames(clip), pool.fine(clip), pool.truth(clip)
    rng, side = numpy_rng(0, "train", "variety", clip.name), frames.shape[1]
    times = 1 if fine is None else fine.shape[1] // side
    window = choose_window(truth, side, rng, variety)
    truth = hide_joints(truth, rng, variety)
    if window is not None:
        frames, truth = reframed(frames, truth, window)
        fine = None if fine is None else np.stack([cut(picture, fine_window(window, times)) for picture in fine])
    canvas_size = frames.shape[1:3]
    large, large_truth = (frames, truth) if fine is None else (fine, scaled(truth, times))
    carried = carry_references(large, large_truth, numpy_rng(0, "train", "warp", clip.name))
    carried_small = averaged(carried["frames"], times), averaged_kind(carried["kind"], times)
    extras, extra_maps = _extras(pool, clip, frames, truth, side, canvas_size, variety)
    facing = truth["R_cam_head"]
    partial = folder / f".{clip.name}.{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    np.save(partial / "warp_frames.npy", carried_small[0])
    np.save(partial / "warp_kind.npy", carried_small[1])
    if times > 1:
        count = len(large) - REFERENCE_FRAMES
        np.save(partial / "fine_frames.npy", large)
        np.save(partial / "fine_warp_frames.npy", carried["frames"][:, :count])
        np.save(partial / "fine_warp_kind.npy", carried["kind"][:, :count])
        about = {name: x[:count] if np.ndim(x) and len(x) == len(large) else x for name, x in large_truth.items()}
        np.savez_compressed(partial / "fine_maps.npz", maps=control_maps(about, *large.shape[1:3]))
    np.savez(partial / "warp.npz", refs=carried["refs"])
    np.save(partial / "maps.npy", control_maps(truth, *canvas_size))
    if len(extras):
        np.save(partial / EXTRAS, extras)
        np.save(partial / "extra_maps.npy", extra_maps)
    np.save(partial / "frames.npy", frames)
    np.save(partial / "faces.npy", pool.faces(clip))
    np.savez(
        partial / "labels.npz",
        expressions=truth["expressions"].astype(np.float32),
        face_valid=face_valid(facing),
        yaw_rad=np.arctan2(-facing[:, 0, 2], facing[:, 2, 2]).astype(np.float32),
        **({"face_px": truth["face_px"].astype(np.float32)} if "face_px" in truth else {}),
    )
    return partial


def _extras(pool: Pool, clip: Path, frames, truth, picture_size: int, canvas_size, variety: Variety):
    """Further references uint8 [K, H, W, 3] and their maps uint8 [K, H, W, 6]: views by other cameras, and of a
    full-body clip the upper body at the last of its other moments."""
    pictures, maps = [], []

    def add(source_u8, about, window) -> None:
        if window is not None:
            picture, moved = reframed(source_u8, about, window)
            pictures.append(picture)
            maps.append(control_maps(moved, *canvas_size))

    views, about = pool.views(clip), views_of(truth)
    for index in range(0 if views is None else len(views)):
        one = {name: array[index : index + 1] for name, array in about.items()}
        add(views[index : index + 1], one, view_window(about, index, picture_size, canvas_size))
    if variety.half_body and str(truth["framing"]) == "full":
        one = {name: array[-1:] for name, array in truth.items() if np.ndim(array) and len(array) == len(frames)}
        add(frames[-1:], one, half_body_window(truth, len(frames) - 1, canvas_size))
    height, width = canvas_size
    return (
        np.concatenate(pictures) if pictures else np.zeros((0, height, width, 3), np.uint8),
        np.concatenate(maps) if maps else np.zeros((0, height, width, 6), np.uint8),
    )
