"""What a face encoder reads on a face, as a loss: the same expression must be read on the picture made as on the truth.

Errors of pixels are least when a mouth that is not quite known is left half open; who reads a face sees nothing said.
The encoder is the one the whole system is steered by (stages.face.encoder), frozen; who trains on it judges by another
(tests/bench/bench_control.py tracks faces with a network that had no part in it). The same idea as the expression loss
of Danecek et al. 2022.
"""

import torch
from torch import Tensor, nn

from stages.face.encoder import SUPERVISED, FaceMotionNet
from stages.training.picture_loss import squares_cut_out


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
        faces = squares_cut_out(both, face_px[there].repeat(2, 1), self._network.config.inner_side)
        code = self._network.code_of(self._network.features((faces + 1.0) / 2.0))
        mine, theirs = code[:, :SUPERVISED].chunk(2)
        return (mine - theirs.detach()).abs().sum(1)
