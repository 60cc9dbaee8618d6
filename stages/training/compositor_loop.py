"""Training of the compositor on rehearsals.

Absolute and squared error, picture gradients, structural similarity, and how much detail there is around each place:
without that last term (our choice) it is cheaper to mix two sharp pictures that disagree than to choose.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stages.core.carried import state_planes
from stages.core.errors import InputError
from stages.core.rng import numpy_rng
from stages.model.compositor import Compositor
from stages.model.config import CompositorConfig
from stages.model.vae import frames_pm1
from stages.training.course import Course, Pace
from stages.training.learner import Learner
from stages.training.recipe import CompositorRecipe
from stages.weights.checkpoint import load_strictly

_WATCHED = 8  # rehearsals that are never trained on


@dataclass
class Pictures:
    """One batch. made, still, carried, truth uint8 [N, H, W, 3]; kind uint8 [N, H, W]; keep uint8 [N, 2, h, w]."""

    made: np.ndarray
    still: np.ndarray
    carried: np.ndarray
    truth: np.ndarray
    kind: np.ndarray
    keep: np.ndarray

    def tensors(self, device: str) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
        """Return the arguments of `Compositor.forward`, and the truth float [N, 3, H, W] in -1..1."""
        pictures = torch.stack([frames_pm1(part, device) for part in (self.made, self.still, self.carried)], 1)
        state = torch.from_numpy(state_planes(self.kind)).to(device).float().transpose(0, 1)
        keep = torch.from_numpy(self.keep).to(device).float() / 255.0
        return (pictures, state, keep), frames_pm1(self.truth, device)


class Rehearsals:
    """Rehearsals and the prepared clips they are of.

    errors  InputError: fewer than two rehearsals
    """

    def __init__(self, folder: str | Path, prepared: str | Path) -> None:
        self.folder, self.prepared = Path(folder), Path(prepared)
        found = sorted(path for path in self.folder.iterdir() if not path.name.startswith("."))
        if len(found) < 2:
            raise InputError(f"{folder}: {len(found)} rehearsals, expected at least 2")
        watched = min(_WATCHED, len(found) // 2)
        self.watched, self.trained = found[:watched], found[watched:]
        self._sizes = [np.load(path / "made.npy", mmap_mode="r").shape[1:3] for path in self.trained]

    def batch(self, rng: np.random.Generator, size: int, frames_a_clip: int = 4) -> Pictures:
        """Return `size` random frames, some of each of a few clips of one picture size, mirrored at random."""
        parts, first = [], int(rng.integers(len(self.trained)))
        alike = np.array([number for number, found in enumerate(self._sizes) if found == self._sizes[first]])
        for number in [first, *rng.choice(alike, max(0, size // frames_a_clip - 1))]:
            part = self.frames(self.trained[number], rng, min(size, frames_a_clip))
            if rng.random() < 0.5:
                part = [np.flip(array, -1 if index >= 4 else -2) for index, array in enumerate(part)]
            parts.append(part)
        return Pictures(*(np.ascontiguousarray(np.concatenate(column)) for column in zip(*parts, strict=True)))

    def frames(self, rehearsal: Path, rng: np.random.Generator, count: int) -> list[np.ndarray]:
        """Return `count` random frames of one rehearsal in the order of `Pictures`."""
        name, _, which = rehearsal.name.rpartition("-")
        clip = self.prepared / name
        made = np.load(rehearsal / "made.npy", mmap_mode="r")
        chosen = np.sort(rng.choice(len(made), min(count, len(made)), replace=False))
        pictures = np.load(clip / "frames.npy", mmap_mode="r")
        ref = int(np.load(clip / "warp.npz")["refs"][int(which)])
        carried = np.load(clip / "warp_frames.npy", mmap_mode="r")[int(which)]
        kind = np.load(clip / "warp_kind.npy", mmap_mode="r")[int(which)]
        keep = np.load(rehearsal / "keep.npy", mmap_mode="r")
        still = np.repeat(pictures[ref][None], len(chosen), 0)
        return [
            np.asarray(x) for x in (made[chosen], still, carried[chosen], pictures[chosen], kind[chosen], keep[chosen])
        ]


def train_compositor(
    state_path: Path, rehearsals: Rehearsals, config: CompositorConfig, recipe: CompositorRecipe, course: Course,
    stop: Callable[[], bool], *, seed: int = 0, device: str = "cpu", autocast=nullcontext,
    say: Callable[..., None] | None = None, start: dict[str, Tensor] | None = None,
) -> Compositor | None:  # fmt: skip
    """Return the averaged network, or None where `stop()` ended this run before the course was done.

    say    called with step, loss and the PSNR of rehearsals that are never trained on
    start  weights to go on from; None starts anew
    """
    torch.manual_seed(seed)
    network = Compositor(config).to(device, memory_format=torch.channels_last)
    learner = Learner(
        state_path, network, lr=recipe.lr, muon_lr=recipe.muon_lr, ema_decay=recipe.ema_decay, clip_norm=1.0,
        decay_from_01=0.4, start=None if start is None else lambda: load_strictly(network, start, "the start"),
    )  # fmt: skip

    def loss_of(step: int, progress_01: float) -> Tensor:
        given, truth = rehearsals.batch(numpy_rng(seed, "train", "compositor", f"batch {step}"), recipe.batch).tensors(
            device
        )
        with autocast():
            made = network(*given)
        return picture_loss(made.float(), truth, given[1])

    averaged = Compositor(config).to(device, memory_format=torch.channels_last).eval()

    def report(pace: Pace) -> None:
        averaged.load_state_dict(learner.ema.shadow)
        with torch.no_grad(), autocast():
            quality = watched_psnr_db(averaged, rehearsals, device)
        say(step=pace.step, of=pace.planned, loss=pace.loss, spent_s=pace.spent_s, psnr_db=quality)

    if not learner.learn(loss_of, course, stop, say=report if say else None):
        return None
    averaged.load_state_dict(learner.ema.shadow)
    return averaged


def picture_loss(made: Tensor, truth: Tensor, state_01: Tensor) -> Tensor:
    """The loss of frames [N, 3, H, W] in -1..1; errors on the figure (state_01 [N, 2, H, W]) count twice."""
    miss = made - truth
    weight = 1.0 + F.max_pool2d(state_01[:, :1], 9, 1, 4)
    weight = weight / weight.mean()
    across, down = miss.diff(dim=3).abs(), miss.diff(dim=2).abs()
    loss = (weight * miss.abs()).mean() + 2.0 * (weight * miss.square()).mean()
    loss = loss + 0.4 * ((weight[..., 1:] * across).mean() + (weight[..., 1:, :] * down).mean())
    detail = (_detail(made) - _detail(truth)).abs()
    return loss + 0.4 * (1.0 - ssim(made, truth).mean()) + 1.0 * (weight[..., 4:-3, 4:-3] * detail).mean()


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


def watched_psnr_db(network: Compositor, rehearsals: Rehearsals, device: str) -> float:
    """Mean peak signal-to-noise ratio of every watched frame."""
    values = []
    for rehearsal in rehearsals.watched:
        given, truth = Pictures(*rehearsals.frames(rehearsal, np.random.default_rng(0), 1000)).tensors(device)
        made = network(*given).float().clamp(-1, 1)
        values.append(-10 * torch.log10((made - truth).square().mean((1, 2, 3)).clamp(min=1e-10) / 4))
    return float(torch.cat(values).mean())
