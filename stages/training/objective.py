"""The flow-matching loss of one batch, with what each of the three stages feeds and what it freezes."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.model.config import PREDICTIONS
from stages.model.dit import Conditions, DiT, unpack_keeps
from stages.model.flow import interpolate, sample_times, velocity
from stages.model.vae import SPACE_STRIDE, TIME_STRIDE
from stages.training.data import TrainingBatch

# Paper, section 4.1: 1 skeleton and sphere only; 2 face encoder and Face Attn only, the rest frozen; 3 everything.
STAGES = (1, 2, 3)


@dataclass(frozen=True)
class ObjectiveConfig:
    time_mean: float = -0.6  # logit-normal flow times, shifted to the noise (toy study: up to -1.2 helps)
    time_std: float = 1.0
    first_given: float = 0.3  # share of clips whose first latent is given clean: segment hand-over
    drop_refs: float = 0.08  # for classifier-free guidance, references and motion each on their own
    drop_motion: float = 0.08
    drop_face: float = 0.1  # Face Attn must also live without a face
    drop_skeleton: float = 0.05  # either map alone, of video and references: a tracker may find only the other
    drop_sphere: float = 0.05
    figure_weight: float = 1.0  # extra weight of latent cells near the person
    head_weight: float = 3.0  # on top, by the share of a cell that the head sphere covers
    keep_weight: float = 0.2  # of the loss on "this square is the reference's", still and carried
    expression_weight: float = 0.05  # stage 2 and 3: the face encoder stays an expression encoder
    loss_on: str = "data"  # or "velocity": the paper's, which weighs late times by 1 / (1 - t)^2

    def __post_init__(self):
        if self.loss_on not in PREDICTIONS:
            raise ValueError(f"loss on {self.loss_on!r}: expected one of {PREDICTIONS}")


def freeze_for_stage(dit: DiT, face_net: nn.Module, stage: int) -> None:
    """Set requires_grad as the stage wants it; ValueError for a stage that does not exist."""
    if stage not in STAGES:
        raise ValueError(f"stage {stage}: the training has stages {STAGES}")
    for name, parameter in dit.named_parameters():
        is_face = "face_" in name
        parameter.requires_grad_({1: not is_face, 2: is_face, 3: True}[stage])
    for parameter in face_net.parameters():
        parameter.requires_grad_(stage == 2)  # stage 3 keeps the encoder: its tokens are a published format


def conditions(batch: TrainingBatch, tokens: Tensor, keep_refs: Tensor, keep_motion: Tensor, face_valid: Tensor):
    return Conditions(
        batch.maps, batch.ref_latents, batch.ref_maps, tokens, face_valid, batch.warp_latents, batch.warp_state,
        keep_refs, keep_motion,
    )  # fmt: skip


def figure_cells(maps_01: Tensor) -> Tensor:
    """Return float [B, 1, t, h, w]: 1 on latent cells within one cell of anything drawn, 0 elsewhere."""
    cells = F.max_pool2d(_by_latent(maps_01), SPACE_STRIDE)  # [B, t, h, w]
    return F.max_pool2d(cells, 5, 1, 2)[:, None]


def head_cells(maps_01: Tensor) -> Tensor:
    """Return float [B, 1, t, h, w]: the share of each latent cell that the head sphere covers in any of its frames."""
    return F.avg_pool2d(_by_latent(maps_01[:, 3:]), SPACE_STRIDE)[:, None]


def _by_latent(maps_01: Tensor) -> Tensor:
    """Return float [B, t, H, W]: 1 where anything is drawn in any of the frames of a latent, 0 elsewhere."""
    drawn = (maps_01.amax(1) > 0.05).float()  # [B, T, H, W]
    if drawn.shape[1] == 1:
        return drawn
    return torch.cat([drawn[:, :1], F.max_pool3d(drawn[:, None, 1:], (TIME_STRIDE, 1, 1))[:, 0]], 1)


def without_maps(batch: TrainingBatch, keep_skeleton: Tensor, keep_sphere: Tensor) -> TrainingBatch:
    """Return the batch with the skeleton or sphere maps of some items black; both float [B], 1 keeps them."""
    keep = torch.stack([keep_skeleton] * 3 + [keep_sphere] * 3, 1)  # [B, 6]
    return replace(
        batch, maps=batch.maps * keep[:, :, None, None, None], ref_maps=batch.ref_maps * keep[:, None, :, None, None]
    )


def face_tokens(face_net: nn.Module, faces_u8: Tensor) -> tuple[Tensor, Tensor]:
    """Return tokens [B, T, N, c] and motion codes [B, T, 64] of crops uint8 [B, T, S, S, 3]."""
    batch, time = faces_u8.shape[:2]
    tokens, code = face_net(faces_u8.flatten(0, 1).permute(0, 3, 1, 2).float() / 255.0)
    return tokens.unflatten(0, (batch, time)), code.unflatten(0, (batch, time))


def training_loss(
    dit: DiT, face_net: nn.Module, batch: TrainingBatch, channel_weight: Tensor, stage: int,
    config: ObjectiveConfig, generator: torch.Generator,
) -> Tensor:  # fmt: skip
    """Return the mean weighted squared error of the predicted clean latents or their velocity (and a stage's own term).

    channel_weight  float [1, C, 1, 1, 1]   how much a latent channel moves the picture (stages.model.vae), mean 1
    """
    size, _, frames = batch.data.shape[:3]
    device = batch.data.device  # noise is drawn on the CPU, so that every device gets the same
    t = sample_times(
        size, frames, generator, mean=config.time_mean, std=config.time_std, first_given=config.first_given
    ).to(device)
    z = interpolate(batch.data, torch.randn(batch.data.shape, generator=generator).to(device), t)

    def keep(share: float) -> Tensor:
        return (torch.rand(size, generator=generator) >= share).float().to(device)

    use_face = keep(config.drop_face) if stage > 1 else torch.zeros(size, device=device)
    face_valid = batch.face_valid & (use_face > 0.5)[:, None]
    with torch.set_grad_enabled(stage == 2):
        tokens, code = face_tokens(face_net, batch.faces)
    shown = without_maps(batch, keep(config.drop_skeleton), keep(config.drop_sphere))
    given = conditions(shown, tokens, keep(config.drop_refs), keep(config.drop_motion), face_valid)
    predicted, keep_logit = dit.predict(z, t, given)
    gap = predicted - batch.data
    if config.loss_on == "velocity":
        gap = velocity(predicted, z, t) - velocity(batch.data, z, t)
    error = gap**2 * channel_weight
    figure = 1.0 + config.figure_weight * figure_cells(batch.maps) + config.head_weight * head_cells(batch.maps)
    weight = (t < 1.0).float()[:, None, :, None, None] * figure
    loss = (error * weight).sum() / weight.expand_as(error).sum().clamp(min=1.0)
    keep_logit = unpack_keeps(keep_logit, dit.config.keep_detail)[:, :, TIME_STRIDE - 1 :]
    same = torch.stack([batch.same, batch.same_warp], 1).float()
    sure = F.binary_cross_entropy_with_logits(keep_logit, same, reduction="none").mean((2, 3, 4))
    kept, carried = sure.unbind(1)
    sure = kept * given.keep_refs + carried * given.keep_refs * given.keep_motion
    loss = loss + config.keep_weight * sure.mean()
    if stage == 2:
        supervised = batch.expressions.shape[-1]
        miss = ((code[..., :supervised].float() - batch.expressions) ** 2).mean(-1)
        loss = loss + config.expression_weight * (miss * batch.face_valid).sum() / batch.face_valid.sum().clamp(min=1)
    return loss
