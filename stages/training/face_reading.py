"""What a face encoder reads on a face, as a loss: the same expression must be read on the picture made as on the truth.

Errors of pixels are least when a mouth that is not quite known is left half open; who reads a face sees nothing said.
The encoder is the one the whole system is steered by (stages.face.encoder), frozen; who trains on it judges by another
(tests/bench/bench_control.py tracks faces with a network that had no part in it). The same idea as the expression loss
of Danecek et al. 2022.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.face.encoder import SUPERVISED, FaceMotionNet


class FaceReading(nn.Module):
    """Difference of what `network` reads on two batches of faces; its weights never change."""

    def __init__(self, network: FaceMotionNet) -> None:
        super().__init__()
        self._network = network.eval().requires_grad_(False)

    def forward(self, made: Tensor, truth: Tensor, face_px: Tensor) -> Tensor:
        """Sum over expressions and gaze of the absolute difference, [M], of pictures [N, 3, H, W] in -1..1.

        face_px  float [N, 3] middle x, y and half a side of the face's square, px; NaN = none, of which there are N - M
        """
        there = face_px.isfinite().all(1)
        both = torch.cat([made[there], truth[there].detach()])
        if not len(both):
            return made.new_zeros(0)
        code = self._network.code_of(self._network.features(self._cut(both, face_px[there].repeat(2, 1))))
        mine, theirs = code[:, :SUPERVISED].chunk(2)
        return (mine - theirs.detach()).abs().sum(1)

    def _cut(self, pictures: Tensor, face_px: Tensor) -> Tensor:
        """Squares about faces, 0..1, as large as the network folds them."""
        height, width = pictures.shape[-2:]
        size = pictures.new_tensor([width, height])
        scale, middle = 2.0 * face_px[:, 2:] / size, (2.0 * face_px[:, :2] + 1.0) / size - 1.0
        affine = torch.cat([torch.diag_embed(scale), middle[:, :, None]], 2)
        side = self._network.config.inner_side
        grid = F.affine_grid(affine, [len(pictures), 3, side, side], align_corners=False)
        return (F.grid_sample(pictures, grid, padding_mode="border", align_corners=False) + 1.0) / 2.0
