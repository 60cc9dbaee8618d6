"""Optimisers and schedule: Muon for the matrices, AdamW for everything else.

Muon (orthogonalised momentum) was worth 1 dB over AdamW at equal steps in our toy study; the Newton-Schulz constants
are the published ones of K. Jordan.
"""

import torch
from torch import Tensor, nn

from stages.core.device import fast_bfloat16

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrix: Tensor, steps: int = 5) -> Tensor:
    """Return the matrix [M, N] with its singular values pushed towards 1 (in bfloat16 where that is fast)."""
    a, b, c = _NEWTON_SCHULZ
    x = matrix.bfloat16() if fast_bfloat16(matrix.device.type) else matrix.float()
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if tall else x).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """SGD with Nesterov momentum whose update of each weight, seen as a matrix [out, rest], is orthogonalised.

    Fused projections (rows a multiple 2 or 3 of the columns, as in qkv) are orthogonalised part by part.
    """

    def __init__(self, params, lr: float = 0.02, momentum: float = 0.95):
        super().__init__(list(params), {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(weight)
                velocity = state["momentum"].mul_(group["momentum"]).add_(weight.grad)
                update = (weight.grad + group["momentum"] * velocity).flatten(1)
                rows, columns = update.shape
                parts = rows // columns if weight.ndim == 2 and rows in (2 * columns, 3 * columns) else 1
                pieces = [orthogonalise(p) * max(1.0, p.shape[0] / p.shape[1]) ** 0.5 for p in update.chunk(parts)]
                weight.add_(torch.cat(pieces).view_as(weight), alpha=-group["lr"])


def build_optimisers(network: nn.Module, lr: float, *, muon_lr: float | None = None) -> list[torch.optim.Optimizer]:
    """Return [Muon over matrices and convolutions inside the network, AdamW over the rest] of the trainable parameters.

    First and last layers (names with `linear`, `stem`, `head`, `embed`) go to AdamW, as is usual for Muon.
    """
    matrices, rest = [], []
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        outer = any(word in name for word in ("linear", "stem", "head", "embed"))
        (matrices if parameter.ndim >= 2 and not outer and min(parameter.shape[:2]) >= 16 else rest).append(parameter)
    optimisers: list[torch.optim.Optimizer] = []
    if matrices:
        optimisers.append(Muon(matrices, lr=20.0 * lr if muon_lr is None else muon_lr))
    if rest:
        optimisers.append(torch.optim.AdamW(rest, lr=lr, betas=(0.9, 0.95), weight_decay=0.0))
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["peak_lr"] = group["lr"]
    return optimisers


def set_learning_rate(optimisers, progress_01: float, *, warm_up_01: float = 0.02, decay_from_01: float = 0.6) -> float:
    """Set warm-up, plateau and linear decay to 2% for a run at `progress_01`; return the factor applied."""
    factor = min(1.0, (progress_01 + 1e-3) / warm_up_01)
    if progress_01 > decay_from_01:
        factor = max(0.02, (1.0 - progress_01) / (1.0 - decay_from_01))
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = group["peak_lr"] * factor
    return factor


class Ema:
    """Running average of a network's parameters: decay grows from 0 to `decay` over the first steps."""

    def __init__(self, network: nn.Module, decay: float = 0.995):
        self.decay, self.step = decay, 0
        self.shadow = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        self.step += 1
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                self.shadow[name].lerp_(value, 1.0 - decay)
            else:
                self.shadow[name].copy_(value)
