"""Convolutions of trained networks: batch norm folded in, relu fused, float32 and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from stages.core.errors import WeightsError

FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}
# Convolution and relu in one pass of oneDNN. The ordinary convolution takes another code for 1x1 kernels when torch has
# one thread, so its numbers depend on the number of threads; this one is also 3 to 4 times faster for those kernels.
_reordered = getattr(torch.ops.mkldnn, "_reorder_convolution_weight", None)  # None: a torch without oneDNN
_fused = getattr(torch.ops.mkldnn, "_convolution_pointwise", None)


class ConvRelu(nn.Module):
    """Convolution with bias, then relu, of [1, C, ...] float32 in channels-last memory.

    kernel, stride, padding   one number per axis
    relu                      False for logits
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: tuple[int, ...],
        stride: tuple[int, ...] | None = None,
        padding: tuple[int, ...] | None = None,
        relu: bool = True,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, *kernel), requires_grad=False)
        self.bias = nn.Parameter(torch.empty(out_channels), requires_grad=False)
        self.stride = stride or (1,) * len(kernel)
        self.padding = padding or (0,) * len(kernel)
        self.relu = relu
        self._packed: tuple[tuple[int, ...], torch.Tensor] | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.device.type == "cpu" and _fused is not None:
            ones = (1,) * len(self.stride)
            last = "relu" if self.relu else "none"
            return _fused(x, self._weight_for(x), self.bias, self.padding, self.stride, ones, 1, last, [], "")
        convolve = nn.functional.conv3d if x.ndim == 5 else nn.functional.conv2d
        y = convolve(x, self.weight, self.bias, self.stride, self.padding)
        return y.relu_() if self.relu else y

    def _weight_for(self, x: torch.Tensor) -> torch.Tensor:
        """The weight; for pictures of the first size that came, in the order that oneDNN wants, which saves time.

        Kept for one size only: VGG's strips would keep it many times over. Not for clips: there it changes the last
        digits, and which size came first must not matter.
        """
        if x.ndim == 5:
            return self.weight
        if self._packed is None:
            shape, ones = tuple(x.shape), (1,) * len(self.stride)
            self._packed = shape, _reordered(self.weight.contiguous(), self.padding, self.stride, ones, 1, shape)
        shape, packed = self._packed
        return packed if shape == tuple(x.shape) else self.weight


def load_convolutions(net: nn.Module, tensors: Mapping[str, np.ndarray], where: str, epsilon: float = 1e-3) -> None:
    """Give the convolutions of `net`, in the order they were made, the weights `conv.NN` of a registered network.

    tensors  `conv.NN.weight` with `.bias`, or with `.beta .mean .var` of a batch norm, which is folded in float64
    errors   WeightsError: another number of convolutions, or other shapes
    """
    convolutions = [module for module in net.modules() if isinstance(module, ConvRelu)]
    if f"conv.{len(convolutions) - 1:02d}.weight" not in tensors or f"conv.{len(convolutions):02d}.weight" in tensors:
        raise WeightsError(f"{where}: found another number of convolutions, expected {len(convolutions)}")
    for number, module in enumerate(convolutions):
        stem = f"conv.{number:02d}"
        weight = tensors[f"{stem}.weight"].astype(np.float64)
        if f"{stem}.bias" in tensors:
            bias = tensors[f"{stem}.bias"]
        else:
            scale = 1.0 / np.sqrt(tensors[f"{stem}.var"].astype(np.float64) + epsilon)
            bias = tensors[f"{stem}.beta"] - tensors[f"{stem}.mean"] * scale
            weight *= scale.reshape(-1, *[1] * (weight.ndim - 1))
        set_weights(module, weight, bias, f"{where}: {stem}")


def set_weights(module: ConvRelu, weight: np.ndarray, bias: np.ndarray, where: str) -> None:
    """Put float32 weights into one convolution; WeightsError where the shapes differ."""
    if weight.shape != tuple(module.weight.shape):
        raise WeightsError(f"{where}: found weights {weight.shape}, expected {tuple(module.weight.shape)}")
    values = torch.from_numpy(np.ascontiguousarray(weight, np.float32))
    module.weight.data = values.contiguous(memory_format=FORMATS[values.ndim])
    module.bias.data = torch.from_numpy(np.ascontiguousarray(bias, np.float32))


def exact(device: str) -> torch.device:
    """The torch device, after switching off what would change numbers on a GPU.

    TF32 changes the third digit; a choice of algorithm by trial changes the last one from run to run.
    """
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    return torch.device(device)
