"""LPIPS as a loss: the networks of our own metric (stages.metrics.nets.perceptual), with gradients.

Their weights are the published ones (Zhang et al. 2018, version 0.1), fetched and checked as for `dreamactor score`.
Who trains on one trunk should judge by the other too: a picture can please the trunk it was trained on.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.metrics.nets.perceptual import EPSILON, SCALE, SHIFT, load_perceptual


class PerceptualLoss(nn.Module):
    """Distance of float pictures; its own weights never change.

    net     "alex" or "vgg";  stages  how many of the five stages are compared, from the pixels on
    errors  WeightsError: the weights are not to be had
    """

    def __init__(self, net: str = "alex", stages: int = 5, device: str = "cpu") -> None:
        super().__init__()
        metric = load_perceptual(net, device)
        self._stages = [metric.stages[number] for number in range(stages)]
        self._linear = [getattr(metric, f"linear{number}").view(1, -1, 1, 1) for number in range(stages)]
        self._shift = torch.tensor(SHIFT, device=device).view(1, 3, 1, 1)
        self._scale = torch.tensor(SCALE, device=device).view(1, 3, 1, 1)

    def forward(self, made: Tensor, truth: Tensor) -> Tensor:
        """LPIPS [N] of pictures [N, 3, H, W] in -1..1; no gradient reaches `truth`."""
        a, b = ((x.float() - self._shift) / self._scale for x in (made, truth.detach()))
        total = a.new_zeros(len(a))
        for stage, weight in zip(self._stages, self._linear, strict=True):
            for convolution in stage.convolutions:
                a, b = (
                    F.conv2d(x, convolution.weight, convolution.bias, convolution.stride, convolution.padding).relu()
                    for x in (a, b)
                )
            total = total + ((_unit(a) - _unit(b)).square() * weight).sum(1).mean((1, 2))
            if stage.pool:
                a, b = (F.max_pool2d(x, *stage.pool) for x in (a, b))
        return total


def _unit(features: Tensor) -> Tensor:
    """Features [N, C, h, w] over their length; the small number under the root keeps the gradient of zeros finite."""
    return features / ((features.square().sum(1, keepdim=True) + EPSILON).sqrt() + EPSILON)
