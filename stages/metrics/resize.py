"""Resizing of frames by exactly the code another tool would use; each way has its name."""

from __future__ import annotations

import numpy as np

from stages.core.errors import UsageError


def resize_u8(frames_u8: np.ndarray, size: tuple[int, int], how: str) -> np.ndarray:
    """uint8 [n, H, W, 3] at `size` (H, W).

    how     "lanczos" (Pillow, antialiased), "cv2-bilinear" (OpenCV INTER_LINEAR, no antialiasing),
            "torch-bilinear" (align_corners False, no antialiasing, rounded)
    errors  UsageError: another `how`
    """
    if how == "lanczos":
        from PIL import Image

        pictures = [Image.fromarray(frame).resize(size[::-1], Image.Resampling.LANCZOS) for frame in frames_u8]
        return np.stack([np.asarray(picture) for picture in pictures])
    if how == "cv2-bilinear":
        import cv2

        return np.stack([cv2.resize(frame, size[::-1], interpolation=cv2.INTER_LINEAR) for frame in frames_u8])
    if how == "torch-bilinear":
        import torch

        tensor = torch.from_numpy(np.ascontiguousarray(frames_u8)).permute(0, 3, 1, 2).float()
        small = torch.nn.functional.interpolate(tensor, size=size, mode="bilinear", align_corners=False)
        return small.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    raise UsageError(f"resize: found {how!r}, expected lanczos, cv2-bilinear or torch-bilinear")
