"""From noise to latents: solvers, classifier-free guidance for references and for motion, and chained segments."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from stages.model.config import SOLVERS
from stages.model.dit import Conditions, DiT


@dataclass(frozen=True)
class SamplerConfig:
    steps: int = 4
    solver: str = "dpm2m"  # or "euler"
    cfg_ref: float = 1.0  # 1 = no guidance and no second pass
    cfg_motion: float = 1.0

    def __post_init__(self):
        if self.solver not in SOLVERS:
            raise ValueError(f"solver {self.solver!r}: expected one of {SOLVERS}")
        if self.steps < 1:
            raise ValueError(f"steps {self.steps}: expected 1 or more")


def guided(dit: DiT, z: Tensor, t: Tensor, given: Conditions, config: SamplerConfig) -> Tensor:
    """Return the predicted clean latents under both guidances (paper section 4.1 uses 2.5 and 2.5).

    x = x(0,0) + s_ref [x(ref,0) - x(0,0)] + s_motion [x(ref,motion) - x(ref,0)]; terms that cancel are not computed.
    """
    return guided_with_keep(dit, z, t, given, config)[0]


def guided_with_keep(dit: DiT, z: Tensor, t: Tensor, given: Conditions, config: SamplerConfig) -> tuple[Tensor, Tensor]:
    """Return what `guided` does, and the packed keep logits of the pass with all conditions."""
    full, keep = dit.predict(z, t, given)
    if config.cfg_ref == config.cfg_motion == 1.0:
        return full, keep
    no_motion = replace(given, keep_motion=torch.zeros_like(given.keep_motion))
    refs_only = dit(z, t, no_motion)
    if config.cfg_ref == 1.0:
        return refs_only + config.cfg_motion * (full - refs_only), keep
    nothing = dit(z, t, replace(no_motion, keep_refs=torch.zeros_like(given.keep_refs)))
    return nothing + config.cfg_ref * (refs_only - nothing) + config.cfg_motion * (full - refs_only), keep


def time_grid(steps: int) -> list[float]:
    """Return the steps + 1 flow times from 0 (noise) to 1 (data), denser near the noise (our choice: t^1.5)."""
    return [(index / steps) ** 1.5 for index in range(steps + 1)]


@torch.no_grad()
def sample_segment(
    predict: Callable[[Tensor, Tensor], Tensor], noise: Tensor, config: SamplerConfig, *, first: Tensor | None = None
) -> Tensor:
    """Return clean latents [B, C, t, h, w] grown from noise of that shape.

    predict  (z, t [B, t]) -> predicted clean latents
    first    float [B, C, 1, h, w] | None: the last latent of the segment before, held clean as the first of this one
    Solvers: `euler` on the velocity; `dpm2m` = DPM-Solver++(2M) (Lu et al. 2022) in data prediction for alpha = t,
    sigma = 1 - t, whose first and last step are Euler steps because the log-ratio is infinite at both ends.
    """
    z, grid, before = noise.clone(), time_grid(config.steps), None

    def log_ratio(t: float) -> float:
        return math.log(t / (1.0 - t))

    for index, (now, then) in enumerate(zip(grid, grid[1:], strict=False)):
        t = torch.full((z.shape[0], z.shape[2]), now, device=z.device)
        if first is not None:
            z[:, :, :1], t[:, 0] = first, 1.0
        x = predict(z, t)
        direction = x
        if config.solver == "dpm2m" and before is not None and index >= 2 and then < 1.0:
            ratio = (log_ratio(now) - log_ratio(grid[index - 1])) / (log_ratio(then) - log_ratio(now))
            direction = x + (x - before) / (2.0 * ratio)
        scale = (1.0 - then) / (1.0 - now)
        z = scale * z + (1.0 - scale) * direction  # equals z + (then - now) * velocity for direction = x
        before = x
    if first is not None:
        z[:, :, :1] = first
    return z
