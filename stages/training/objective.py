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
    time_mean: float = -0.8  # logit-normal flow times, shifted to the noise (toy study: up to -1.2 helps)
    time_std: float = 1.0
    pure_noise: float = (
        0.5  # share of items at time 0: later the noisy picture shows the face, and signals are not read
    )
    first_given: float = 0.3  # share of clips whose first latent is given clean: segment hand-over
    drop_refs: float = 0.08  # for classifier-free guidance, references and motion each on their own
    drop_motion: float = 0.08
    drop_face: float = 0.1  # Face Attn must also live without a face
    drop_skeleton: float = 0.05  # either map alone, of video and references: a tracker may find only the other
    drop_sphere: float = 0.05
    figure_weight: float = 1.0  # extra weight of latent cells near the person
    head_weight: float = 3.0  # on top, by the share of a cell that the head sphere covers
    face_weight: float = 8.0  # on top of that, by the share that its front covers: mouth, nose, eyes
    within_weight: float = 1.0  # of the error of what changes within a clip: person and light count once, motion twice
    keep_weight: float = 0.2  # of the loss on "this square is the reference's", still and carried
    exact_face: float = 0.85  # of stage 3: items whose tokens say the true expression; small crops would say little
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
    for name, parameter in face_net.named_parameters():  # what tokens mean is fixed, and which directions become code
        parameter.requires_grad_(stage == 2 and "head_" not in name)


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


def face_cells(maps_01: Tensor) -> Tensor:
    """Return float [B, 1, t, h, w]: the share of each latent cell that the front of the head sphere covers.

    The sphere's colour is its normal in head axes (stages.head.sphere): 45 degrees about a little below straight on.
    """
    _, down, away = (maps_01[:, 3:] * 2.0 - 1.0).unbind(1)
    front = (0.25 * down - 0.97 * away > 0.7) & (maps_01[:, 3:].amax(1) > 0.05)
    return F.avg_pool2d(_by_latent(front[:, None].float()), SPACE_STRIDE)[:, None]


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


def exact_tokens(face_net: nn.Module, code: Tensor, batch: TrainingBatch) -> Tensor:
    """Return tokens [B, T, N, c] of the true expressions; the rest of the code [B, T, 64] is the encoder's own."""
    supervised = batch.expressions.shape[-1]
    true = torch.cat([batch.expressions.to(code.dtype), code[..., supervised:]], -1)
    return face_net.tokens_of(true).detach()


def _within_clip(gap: Tensor, group: int) -> Tensor:
    """Return the part [B, C, t, h, w] of an error that differs between the frames of one clip."""
    if group == 1:
        return gap - gap.mean(2, keepdim=True)
    grouped = gap.unflatten(0, (-1, group))
    return (grouped - grouped.mean(1, keepdim=True)).flatten(0, 1) * (group / (group - 1)) ** 0.5


def training_loss(
    dit: DiT, face_net: nn.Module, batch: TrainingBatch, channel_weight: Tensor, stage: int,
    config: ObjectiveConfig, generator: torch.Generator, group: int = 1,
) -> Tensor:  # fmt: skip
    """Return the mean weighted squared error of the predicted clean latents or their velocity (and a stage's own term).

    channel_weight  float [1, C, 1, 1, 1]   how much a latent channel moves the picture (stages.model.vae), mean 1
    group           so many items in a row are single frames of one clip with one reference: they get one noise and time
    """
    size, _, frames = batch.data.shape[:3]
    device = batch.data.device  # noise is drawn on the CPU, so that every device gets the same
    takes = size // group
    t = sample_times(
        takes, frames, generator, mean=config.time_mean, std=config.time_std, first_given=config.first_given
    )
    noisy = (torch.rand(takes, generator=generator) < config.pure_noise)[:, None] & (t < 1.0)
    t = t.masked_fill(noisy, 0.0).repeat_interleave(group, 0).to(device)
    noise = torch.randn((takes, *batch.data.shape[1:]), generator=generator)
    z = interpolate(batch.data, noise.repeat_interleave(group, 0).to(device), t)

    def keep(share: float) -> Tensor:
        kept = (torch.rand(takes, generator=generator) >= share).float()
        return kept.repeat_interleave(group, 0).to(device)

    use_face = keep(config.drop_face) if stage > 1 else torch.zeros(size, device=device)
    face_valid = batch.face_valid & (use_face > 0.5)[:, None]
    with torch.set_grad_enabled(stage == 2):
        tokens, code = face_tokens(face_net, batch.faces)
    if stage == 3:
        tokens = torch.where(
            keep(1.0 - config.exact_face)[:, None, None, None] > 0.5, exact_tokens(face_net, code, batch), tokens
        )
    shown = without_maps(batch, keep(config.drop_skeleton), keep(config.drop_sphere))
    given = conditions(shown, tokens, keep(config.drop_refs), keep(config.drop_motion), face_valid)
    predicted, keep_logit = dit.predict(z, t, given)
    gap = predicted - batch.data
    if config.loss_on == "velocity":
        gap = velocity(predicted, z, t) - velocity(batch.data, z, t)
    error = gap**2 * channel_weight
    drawn = batch.weighing_maps
    figure = 1.0 + config.figure_weight * figure_cells(drawn) + config.head_weight * head_cells(drawn)
    figure = figure + config.face_weight * face_cells(drawn)
    weight = (t < 1.0).float()[:, None, :, None, None] * figure
    total = weight.expand_as(error).sum().clamp(min=1.0)
    loss = (error * weight).sum() / total
    if size > takes or frames > 1:
        within = _within_clip(gap, group) ** 2 * channel_weight
        loss = loss + config.within_weight * (within * weight).sum() / total
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
