"""What a composed film is judged by while the compositor learns.

Absolute and squared error, picture gradients, structural similarity, and how much detail there is around each place:
without that last term (our choice) it is cheaper to mix two sharp pictures that disagree than to choose. The same pair
of terms over time: a film must change where and as much as the true one does, neither flicker nor freeze. LPIPS of
whole frames and of heads cut out, because a viewer looks at the face first and a full figure's is ten pixels wide; and
what a face encoder reads on faces.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_HEAD_PX = 64  # side of a head that is cut out
_HEAD_SIDE = 1.4  # side of the cut over the sphere's diameter


@dataclass(frozen=True)
class LossWeights:
    """How much each term counts; `head` is what a pixel near the head counts on top (1 elsewhere, 2 on the figure)."""

    structure: float = 0.8
    detail: float = 1.0
    head: float = 2.0
    features: float = 6.0  # on top, of what mouth and eyes are: a few pixels that say what a face does; our choice
    change: float = 0.1  # error of what changes between neighbouring frames; more of it freezes the film
    stir: float = 1.0  # error of how much changes
    perceptual: float = 0.6  # high, so that to choose between sharp pictures pays more than to mix them; our choice
    perceptual_head: float = 0.4
    reading: float = 0.5  # of what a face encoder reads otherwise than on the truth


Perceptual = Callable[[Tensor, Tensor], Tensor]
Reading = Callable[[Tensor, Tensor, Tensor], Tensor]


def picture_loss(
    made: Tensor, truth: Tensor, state_01: Tensor, maps_01: Tensor, *, frames: int = 1,
    weights: LossWeights | None = None, perceptual: Perceptual | None = None, cut_px: tuple[int, int] = (0, 0),
    features_01: Tensor | None = None, times: int = 1, reading: Reading | None = None, face_px: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The loss of frames [N, 3, H, W] in -1..1.

    state_01    [N, 2, H, W]    errors on the figure count twice
    maps_01     [N, 6, H, W]    the sphere map says where the head is
    frames      N is made of films of so many neighbouring frames; 1 = no two belong together
    perceptual  distance [N] of two batches of pictures; None leaves both of its terms out
    cut_px      rows and columns cut off before it looks: its first layer strides, and a fixed grid would show
    features_01 [N, 1, H, W]    mouth and eyes count more; None = unknown
    times       how many times the side that the VAE sees: heads are cut out as much larger
    reading     distance [M] of the faces of two batches that stand at face_px [N, 3] (stages.training.face_reading)
    """
    weights = weights or LossWeights()
    miss = made - truth
    head = head_mask(maps_01)
    weight = 1.0 + F.max_pool2d(state_01[:, :1], 9, 1, 4) + weights.head * F.max_pool2d(head, 9, 1, 4)
    weight = weight if features_01 is None else weight + weights.features * features_01
    weight = weight / weight.mean()
    across, down = miss.diff(dim=3).abs(), miss.diff(dim=2).abs()
    loss = (weight * miss.abs()).mean() + 2.0 * (weight * miss.square()).mean()
    loss = loss + 0.4 * ((weight[..., 1:] * across).mean() + (weight[..., 1:, :] * down).mean())
    inner = weight[..., 4:-3, 4:-3]
    loss = loss + weights.detail * (inner * (_detail(made) - _detail(truth)).abs()).mean()
    loss = loss + weights.structure * (1.0 - ssim(made, truth).mean())
    if frames > 1:
        loss = loss + _over_time(made, truth, weight, frames, weights)
    if reading is not None:
        read = reading(made, truth, face_px)
        loss = loss + weights.reading * read.sum() / len(made)  # a batch with one face does not learn for it alone
    if perceptual is not None:
        top, left = cut_px
        loss = loss + weights.perceptual * perceptual(made[..., top:, left:], truth[..., top:, left:]).mean()
        cut = heads_cut_out(torch.cat([made, truth], 1), head, _HEAD_PX * times)
        if len(cut):
            share = len(cut) / len(made)  # so that a batch with one head does not learn for it alone
            loss = loss + weights.perceptual_head * share * perceptual(cut[:, :3], cut[:, 3:]).mean()
    return loss


def _over_time(made: Tensor, truth: Tensor, weight: Tensor, frames: int, weights: LossWeights) -> Tensor:
    films, true_films = (x.unflatten(0, (-1, frames)).diff(dim=1).flatten(0, 1) for x in (made, truth))
    pairs = weight.unflatten(0, (-1, frames))[:, 1:].flatten(0, 1)
    stir = [F.avg_pool2d(x.abs().mean(1, keepdim=True), 7, 1) for x in (films, true_films)]
    change = (pairs * (films - true_films).abs()).mean()
    return weights.change * change + weights.stir * (pairs[..., 3:-3, 3:-3] * (stir[0] - stir[1]).abs()).mean()


def head_mask(maps_01: Tensor) -> Tensor:
    """float [N, 1, H, W], 1 on the head's sphere, of skeleton and sphere maps [N, 6, H, W]; black is no sphere."""
    return (maps_01[:, 3:].amax(1, keepdim=True) > 0).float()


def heads_cut_out(pictures: Tensor, head: Tensor, side_px: int = _HEAD_PX) -> Tensor:
    """Squares [M, C, side, side] about the heads of pictures [N, C, H, W]; M <= N, for those without a head give none.

    head  float [N, 1, H, W] as of `head_mask`
    """
    height, width = head.shape[-2:]
    there = head.flatten(1).amax(1) > 0
    pictures, head = pictures[there], head[there, 0]
    if not len(pictures):
        return pictures.new_zeros(0, pictures.shape[1], side_px, side_px)
    middles, reach = [], []
    for line, length in ((head.amax(1), width), (head.amax(2), height)):  # columns, then rows that the sphere touches
        at = torch.arange(length, device=head.device, dtype=head.dtype).expand(len(line), -1)
        low = torch.where(line > 0, at, torch.full_like(at, float(length))).amin(1)
        high = torch.where(line > 0, at, torch.full_like(at, -1.0)).amax(1) + 1.0
        middles.append((low + high - 1.0) / 2.0)
        reach.append(high - low)
    half = _HEAD_SIDE * torch.stack(reach).amax(0) / 2.0
    return squares_cut_out(pictures, torch.stack([*middles, half], 1), side_px)


def squares_cut_out(pictures: Tensor, square_px: Tensor, side_px: int) -> Tensor:
    """Squares [N, C, side, side] of pictures [N, C, H, W]; square_px float [N, 3]: middle x, y and half a side, px."""
    size = pictures.new_tensor([pictures.shape[-1], pictures.shape[-2]])
    scale, middle = 2.0 * square_px[:, 2:] / size, (2.0 * square_px[:, :2] + 1.0) / size - 1.0
    affine = torch.cat([torch.diag_embed(scale), middle[:, :, None]], 2)
    grid = F.affine_grid(affine, [len(pictures), 1, side_px, side_px], align_corners=False)
    return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def _detail(pictures: Tensor) -> Tensor:
    """Mean absolute gradient in 7x7 windows, [N, 1, H-7, W-7]."""
    across, down = pictures.diff(dim=3).abs()[..., 1:, :], pictures.diff(dim=2).abs()[..., 1:]
    return F.avg_pool2d((across + down).mean(1, keepdim=True), 7, 1)


def ssim(made: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity [N, 3, H-6, W-6] of pictures in -1..1, 7x7 box window (Wang et al. 2004, range 2)."""

    def mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 7, 1)

    first, second = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    mu_a, mu_b = mean(made), mean(truth)
    var_a, var_b = mean(made * made) - mu_a**2, mean(truth * truth) - mu_b**2
    both = mean(made * truth) - mu_a * mu_b
    return (2 * mu_a * mu_b + first) * (2 * both + second) / ((mu_a**2 + mu_b**2 + first) * (var_a + var_b + second))
