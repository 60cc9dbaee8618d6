"""Training of the network that hears mouths: voices with known phoneme times against the visemes of synth.

The truth at every 20 ms is what a synthetic face does that says these phonemes with nothing else on its mind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stages.audio.mel import log_mel
from stages.audio.network import FRAMES_PER_S, UNITS, SpeechFaceNet, SpeechNetConfig, unit_columns
from stages.core.arkit import ARKIT_INDEX
from stages.core.rng import numpy_rng
from stages.synthetic.face_motion import spoken_expression
from stages.synthetic.phonemes import Timeline, viseme_curves
from stages.training.course import Course, Pace
from stages.training.learner import Learner
from stages.training.speech_pool import Programme
from stages.training.speech_sounds import draw_item, other_throat
from stages.weights.checkpoint import load_strictly

_JAW_WEIGHT = 4.0  # the jaw is what one sees first
_SLACK = 0.15  # below this a miss counts squared
_MOTION_WEIGHT = 0.5  # of what changes within 40 ms
_GAP_WEIGHT = 3.0  # of the squared miss of how far lips are apart, which is what one sees, in openings of an `aa`
_VISEME_WEIGHT = 0.1
_UPPER, _LOWER = slice(61, 64), slice(65, 68)  # inner lips among the 68 points
_EDGE = 15  # frames at either end of an item, where the network lacks what was before or comes after


@dataclass(frozen=True)
class SpeechRecipe:
    """A batch is `batch` items of `seconds`; one of `fresh_of` steps sees a new one, the others one of the last 64."""

    steps: int = 3000
    batch: int = 8
    seconds: float = 4.0
    fresh_of: int = 3
    lr: float = 2e-3
    muon_lr: float = 1e-2
    ema_decay: float = 0.998
    decay_from_01: float = 0.6


def true_units(timeline: Timeline, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """(units float32 [T, 12], visemes float32 [T, 15]) of what is said, 50 frames a second; nothing said = at rest."""
    visemes = viseme_curves(np.arange(frames) / FRAMES_PER_S, timeline)
    face = spoken_expression(np.zeros((frames, len(ARKIT_INDEX))), visemes, ARKIT_INDEX)
    units = np.stack([face[:, columns].mean(1) for columns in unit_columns()], -1)
    return units.astype(np.float32), visemes.astype(np.float32)


@lru_cache(maxsize=1)
def gap_of_units() -> Tensor:
    """float32 [12]: how far each unit parts the inner lips of an average head, 1 = as far as an `aa` does."""
    from stages.audio.predict import expressions_of
    from stages.face.shape import face_shape

    down = face_shape().moves[:, :, 1]
    gap = down[:, _LOWER].mean(1) - down[:, _UPPER].mean(1)  # [52]
    units = np.array([gap[columns].sum() for columns in unit_columns()])
    wide = expressions_of(true_units(((0.0, 1.0, "AA"),), FRAMES_PER_S)[0])[FRAMES_PER_S // 2] @ gap
    return torch.from_numpy((units / wide).astype(np.float32))


def draw_batch(
    rng: np.random.Generator, programmes: list[Programme], recipe: SpeechRecipe
) -> tuple[Tensor, Tensor, Tensor]:
    """(mel [B, 2 T, 40], units [B, T, 12], visemes [B, T, 15])"""
    spoken = [p for p in programmes if p.timeline]
    music = [p for p in programmes if not p.timeline]
    items = [draw_item(rng, spoken, music, recipe.seconds) for _ in range(recipe.batch)]
    frames = round(recipe.seconds * FRAMES_PER_S)
    truths = [true_units(timeline, frames) for _, timeline in items]
    mel = np.stack([other_throat(rng, rows) for rows in log_mel(np.stack([sound for sound, _ in items]))])
    units, visemes = (np.stack(column) for column in zip(*truths, strict=True))
    return torch.from_numpy(mel[:, : 2 * frames]), torch.from_numpy(units), torch.from_numpy(visemes)


def batch_number(seed: int, step: int, fresh_of: int) -> int:
    """Which batch a step sees: making sound noisy costs as much as learning from it, so most are seen again."""
    newest = step // fresh_of
    if step % fresh_of == 0:
        return newest
    return int(numpy_rng(seed, "train-speech", f"step {step}", "which batch").integers(max(0, newest - 63), newest + 1))


def speech_loss(units: Tensor, logits: Tensor, true: Tensor, visemes: Tensor) -> Tensor:
    """Misses of units, of their motion and of the gap between the lips, and the cross-entropy of visemes.

    Without the ends of the items. The gap counts squared: where one cannot know, the mean is the best one can say.
    """
    weight = torch.ones(len(UNITS))
    weight[UNITS.index("jawOpen")] = _JAW_WEIGHT
    inner = slice(_EDGE, -_EDGE)
    miss = F.smooth_l1_loss(units, true, reduction="none", beta=_SLACK)[:, inner]
    moved, truly = (x[:, 2:] - x[:, :-2] for x in (units, true))
    motion = F.smooth_l1_loss(moved, truly, reduction="none", beta=_SLACK)[:, inner]
    told = -(visemes * logits.log_softmax(-1)).sum(-1)[:, inner]
    apart = ((units - true) @ gap_of_units())[:, inner].square()
    return (
        (weight * miss).mean() + _MOTION_WEIGHT * (weight * motion).mean()
        + _GAP_WEIGHT * apart.mean() + _VISEME_WEIGHT * told.mean()
    )  # fmt: skip


def train_speech(
    state_path: Path, trained: list[Programme], watched: list[Programme], recipe: SpeechRecipe, course: Course,
    stop: Callable[[], bool], *, seed: int = 0, say: Callable[..., None] | None = None,
    config: SpeechNetConfig | None = None, start: dict[str, Tensor] | None = None,
) -> SpeechFaceNet | None:  # fmt: skip
    """The averaged network, or None where `stop()` ended this run before the course was done.

    start  weights to go on from
    say  called with step, loss and, of the watched programmes, r: correlation of the jaw with the truth
    """
    torch.manual_seed(seed)
    network = SpeechFaceNet(config or SpeechNetConfig())
    if start is not None:
        load_strictly(network, start, "the speech network to start from")
    learner = Learner(
        state_path, network, lr=recipe.lr, muon_lr=recipe.muon_lr, ema_decay=recipe.ema_decay, clip_norm=1.0,
        decay_from_01=recipe.decay_from_01,
    )  # fmt: skip

    @lru_cache(maxsize=64)
    def batch(number: int) -> tuple[Tensor, Tensor, Tensor]:
        return draw_batch(numpy_rng(seed, "train-speech", f"batch {number}", "sounds"), trained, recipe)

    def loss_of(step: int, progress_01: float) -> Tensor:
        mel, units, visemes = batch(batch_number(seed, step, recipe.fresh_of))
        return speech_loss(*network(mel), units, visemes)

    averaged = SpeechFaceNet(network.config).eval()

    def report(pace: Pace) -> None:
        averaged.load_state_dict(learner.ema.shadow)
        say(step=pace.step, of=pace.planned, loss=pace.loss, spent_s=pace.spent_s, r=jaw_correlation(averaged, watched))

    if not learner.learn(loss_of, course, stop, say=report if say else None):
        return None
    averaged.load_state_dict(learner.ema.shadow)
    return averaged


def jaw_correlation(network: SpeechFaceNet, programmes: list[Programme]) -> float:
    """Mean correlation of the jaw with the truth over the programmes in which somebody speaks."""
    from stages.audio.predict import hear

    jaw, found = UNITS.index("jawOpen"), []
    for programme in programmes:
        if programme.timeline:
            said = hear(network, [programme.sound]).units
            truth, _ = true_units(programme.timeline, len(said))
            found.append(float(np.corrcoef(said[:, jaw], truth[:, jaw])[0, 1]))
    return float(np.mean(found))
