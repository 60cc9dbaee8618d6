"""Training of the face motion encoder: expressions and gaze from crops that are made hard to read, and at the end
(stages.training.face_readout) of these what does not say who makes them.

Crops are moved, turned, blurred, recoloured and made noisy, because on real pictures none of that is under control;
each expression counts by how much it varies, so that rare small ones are learned too.
"""

from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from stages.core.errors import InputError
from stages.core.rng import numpy_rng
from stages.face.encoder import SUPERVISED, FaceEncoderConfig, FaceMotionNet
from stages.training.course import Course, Pace
from stages.training.drawn import face_valid
from stages.training.face_augment import augment
from stages.training.face_objective import (
    CROPS_OF_ONE,
    expression_loss,
    expression_weights,
    fix_tokens,
    mirrored_labels,
    mirrored_points,
    points_loss,
)
from stages.training.face_people import CROP_PX
from stages.training.face_readout import read_out, reopen
from stages.training.learner import Learner
from stages.training.pool import Pool
from stages.training.recipe import FaceRecipe
from stages.weights.checkpoint import load_strictly

_WATCHED_FACES = 512
_CLOSE_UP_SHARE = 0.75  # of a batch, where there are close-ups
_LEAST_SEEN = 0.5  # share of the face that must not be covered


class Faces:
    """All crops of a list of clips that can be read: not of full-body clips (too small), facing the camera, seen.

    people  the indices of each clip's crops; a clip shows one person
    errors  InputError where there is none
    """

    def __init__(self, clips: list[Path]) -> None:
        self.where, self.people, labels, points = [], [], [], []
        for clip in clips:
            truth = Pool.truth(clip)
            if str(truth["framing"]) == "full":
                continue
            readable = face_valid(truth["R_cam_head"])
            if "seen_01" in truth:
                readable = readable & (truth["seen_01"] >= _LEAST_SEEN)
            usable = np.flatnonzero(readable)
            if not len(usable):
                continue
            self.people.append(len(self.where) + np.arange(len(usable)))
            self.where += [(clip, int(frame)) for frame in usable]
            labels.append(truth["expressions"][usable])
            points.append(_points(truth)[usable])
        if not self.where:
            raise InputError(f"faces: no readable one in {len(clips)} clips. Render more with --clips")
        self.labels = np.concatenate(labels).astype(np.float32)
        self.points = np.concatenate(points).astype(np.float32)
        self._crops_of = cache(Pool.faces)  # opening a file costs as much as a crop's share of a step

    def draw(self, rng: np.random.Generator, people: int) -> np.ndarray:
        """Indices [people * CROPS_OF_ONE] of random crops, block by block of one person."""
        chosen = (self.people[rng.integers(len(self.people))] for _ in range(people))
        return np.concatenate([rng.choice(crops, CROPS_OF_ONE, replace=len(crops) < CROPS_OF_ONE) for crops in chosen])

    def take(self, chosen: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Crops uint8 [B, 128, 128, 3], smaller ones with each pixel repeated, labels float [B, 54], and face points
        float [B, 68, 2] in -1..1 across the crop, NaN where they were not kept."""
        crops = [_enlarged(self._crops_of(clip)[frame]) for clip, frame in (self.where[index] for index in chosen)]
        known = torch.from_numpy(self.labels[chosen]), torch.from_numpy(self.points[chosen])
        return torch.from_numpy(np.stack(crops)), *known


def train_face(
    state_path: Path, pool: Pool, recipe: FaceRecipe, course: Course, stop: Callable[[], bool], *,
    close_ups: Pool | None = None, start: dict[str, Tensor] | None = None, seed: int = 0, device: str = "cpu",
    autocast=nullcontext, say: Callable[..., None] | None = None,
) -> FaceMotionNet | None:  # fmt: skip
    """Return the averaged network, or None where `stop()` ended this run before the course was done.

    close_ups  pool of stages.training.face_people; most crops are then of it
    start      weights to go on from; the format of their tokens stays, the rest goes on
    say        called with step, loss, and on people never trained on the mean error and that of always saying the mean
    """
    torch.manual_seed(seed)
    network = FaceMotionNet(FaceEncoderConfig()).to(device)
    if start is not None:
        load_strictly(network, start, "the face encoder to start from")
        reopen(network)
    network.head_tokens.requires_grad_(False)  # the format of the tokens
    faces = [Faces(pool.trained)] + ([Faces(close_ups.trained)] if close_ups else [])
    labels = np.concatenate([part.labels for part in faces])
    if start is None:
        fix_tokens(network.head_tokens, labels)
    weights = expression_weights(labels, network.head_tokens).to(device)
    guided = _Guided(network).to(device)
    learner = Learner(state_path, guided, lr=recipe.lr, muon_lr=recipe.muon_lr, ema_decay=recipe.ema_decay)

    def loss_of(step: int, _progress_01: float) -> Tensor:
        rng = numpy_rng(seed, "train", "face", f"batch {step}")
        people = recipe.batch // CROPS_OF_ONE
        near = round(_CLOSE_UP_SHARE * people) if close_ups else 0
        counts = (people - near, near)[: len(faces)]
        taken = [part.take(part.draw(rng, count)) for part, count in zip(faces, counts, strict=True) if count]
        crops, wanted, points = mirrored_people(*(torch.cat(column) for column in zip(*taken, strict=True)), rng)
        crops, slips = augment(crops, numpy_rng(seed, "train", "face", f"augment {step}"))
        with autocast():
            features = network.features(crops.to(device))
            code, found = network.code_of(features), guided.linear_points(features).unflatten(1, (-1, 2))
        loss = expression_loss(code.float(), wanted.to(device), weights)
        return loss + recipe.points * points_loss(found.float(), slipped(points, slips).to(device))

    averaged = FaceMotionNet(FaceEncoderConfig()).to(device).eval()

    def report(pace: Pace) -> None:
        averaged.load_state_dict(_without_guide(learner.ema.shadow))
        told = watched_error(averaged, (close_ups or pool).watched, labels.mean(0), device)
        say(step=pace.step, of=pace.planned, loss=pace.loss, spent_s=pace.spent_s, **told)

    if not learner.learn(loss_of, course, stop, say=report if say else None):
        return None
    averaged.load_state_dict(_without_guide(learner.ema.shadow))
    read_out(averaged, faces[-1], recipe, seed)
    return averaged


def _points(truth: dict[str, np.ndarray]) -> np.ndarray:
    """Face points [N, 68, 2] in -1..1 across the crop; NaN for takes, whose points are those of the whole picture."""
    if str(truth["framing"]) != "close-up" or "face_px" not in truth:
        return np.full((len(truth["expressions"]), 68, 2), np.nan)
    return (truth["face_px"] + 0.5) / (CROP_PX / 2) - 1.0


def _enlarged(crop_u8: np.ndarray) -> np.ndarray:
    """The crop [S, S, 3] at the side of close-ups, as the network itself would enlarge it."""
    times = CROP_PX // len(crop_u8)
    return crop_u8.repeat(times, 0).repeat(times, 1) if times > 1 else crop_u8


class _Guided(nn.Module):
    """The network and, while it learns, a layer that must find the face points in its features.

    An expression is hardly ever made and says little about where to look; points are in every crop. Without them the
    features read jaw and lids alone for thousands of steps.
    """

    def __init__(self, network: FaceMotionNet) -> None:
        super().__init__()
        self.network = network
        self.linear_points = nn.Linear(network.neck[0].in_features, 68 * 2)


def _without_guide(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {n.removeprefix("network."): tensor for n, tensor in state.items() if n.startswith("network.")}


def slipped(points: Tensor, slips: Tensor) -> Tensor:
    """Points [B, 68, 2] in -1..1 across crops whose pixels went as slips [B, 2, 3] say (in px of CROP_PX)."""
    half = CROP_PX / 2
    moved = torch.einsum("bij,bnj->bni", slips[..., :2], (points + 1.0) * half - 0.5) + slips[:, None, :, 2]
    return (moved + 0.5) / half - 1.0


def mirrored_people(
    crops_u8: Tensor, labels: Tensor, points: Tensor, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Crops uint8 [B, S, S, 3], labels [B, 54] and face points [B, 68, 2], half of the people, drawn at random, seen in
    a mirror.

    B  blocks of CROPS_OF_ONE crops of a person; who is in a mirror is another person, so blocks stay whole
    """
    turned = torch.from_numpy(np.repeat(rng.random(len(crops_u8) // CROPS_OF_ONE) < 0.5, CROPS_OF_ONE))
    crops_u8 = torch.where(turned[:, None, None, None], crops_u8.flip(2), crops_u8)
    points = torch.where(turned[:, None, None], mirrored_points(points), points)
    return crops_u8, torch.where(turned[:, None], mirrored_labels(labels), labels), points


@torch.no_grad()
def watched_error(network: FaceMotionNet, clips: list[Path], mean_label: np.ndarray, device: str) -> dict[str, float]:
    """{"error", "error_of_mean"}: mean absolute error of expressions on watched clips, and that of always saying the
    training mean; {} where a small pool has no readable face among its few watched clips."""
    try:
        faces = Faces(clips)
    except InputError:
        return {}
    count = min(_WATCHED_FACES, len(faces.where))
    crops, labels, _ = faces.take(np.linspace(0, len(faces.where) - 1, count).astype(int))
    codes = [network(part.permute(0, 3, 1, 2).to(device).float() / 255.0)[1].cpu() for part in crops.split(64)]
    miss = (torch.cat(codes)[:, :SUPERVISED].float() - labels).abs().mean()
    return {"error": float(miss), "error_of_mean": float((torch.from_numpy(mean_label) - labels).abs().mean())}
