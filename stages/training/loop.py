"""The training loop of the transformer: bounded in time, resumable at every save, log lines at fixed steps.

Rerun = resume: everything that decides the next step (weights, running average, momenta, step, spent seconds) stands in
one safetensors file that is replaced by rename; noise and batches are drawn from (seed, step).
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from stages.core.device import mixed_precision
from stages.face.encoder import FaceEncoderConfig, FaceMotionNet, config_to_dict
from stages.model.config import ModelConfig
from stages.model.dit import DiT
from stages.training.course import Course, Pace, is_point
from stages.training.data import HEAD, PreparedClips, TrainingBatch, group_of
from stages.training.objective import ObjectiveConfig, freeze_for_stage, training_loss
from stages.training.optim import Ema, build_optimisers, set_learning_rate
from stages.weights.checkpoint import load_checkpoint, load_strictly, save_checkpoint


@dataclass(frozen=True)
class Phase:
    """A part of the training: which stage of the paper, which clip lengths, and its share of the time."""

    stage: int
    share: float
    frames: tuple[int, ...]  # 4k+1, or HEAD: single frames cut to the head
    batch: tuple[int, ...]  # clips a step for each clip length
    lr: float = 1e-3


# Most of what there is to learn (copy the person, follow the pose) is learned from single frames at a fraction of the
# cost of clips; stages keep the paper's order.
PHASES: tuple[Phase, ...] = (
    Phase(stage=1, share=0.35, frames=(1,), batch=(24,)),
    Phase(stage=1, share=0.24, frames=(1, 5, 9), batch=(16, 8, 5), lr=0.8e-3),
    Phase(stage=2, share=0.05, frames=(HEAD, 1, 5), batch=(64, 16, 8), lr=1e-3),
    Phase(stage=3, share=0.36, frames=(HEAD, HEAD, 1, 5, 9, 17), batch=(96, 96, 24, 8, 5, 3), lr=0.8e-3),
)


@dataclass
class Progress:
    phase: int = 0
    step: int = 0
    spent_s: float = 0.0  # in this phase
    loss: float = 0.0
    history: list = field(default_factory=list)  # [phase, step, loss] of every log line
    planned: int = 0  # steps of this phase; 0 while seconds decide


class Trainer:
    """State of one run in a folder: `state.safetensors` (resume), `log.jsonl`, after each phase `model.safetensors`.

    log    is called with the values of each line instead of writing them to `log.jsonl`
    start  weights of the transformer to go on from; None starts anew
    objective  what the loss is; None = the default one
    """

    def __init__(
        self, folder: Path, config: ModelConfig, latent_weight: torch.Tensor, face_tensors: dict, seed: int = 0, *,
        phases: Sequence[Phase] = PHASES, device: str = "cpu", log: Callable[[dict], None] | None = None,
        start: dict[str, torch.Tensor] | None = None, objective: ObjectiveConfig | None = None,
    ):  # fmt: skip
        self.folder, self.config, self.seed = Path(folder), config, seed
        self.phases, self.device, self.log = tuple(phases), device, log or self._write_log
        self.latent_weight, self.objective = latent_weight.to(device), objective or ObjectiveConfig()
        torch.manual_seed(seed)
        self.dit, self.face = DiT(config.dit).to(device), FaceMotionNet(FaceEncoderConfig()).to(device)
        self.face.load_state_dict(face_tensors)
        if start is not None:
            load_strictly(self.dit, start, "the weights to start from")
        self.progress = Progress()
        self.optimisers: list = []
        self.ema = Ema(self._both())
        self.state_path = self.folder / "state.safetensors"
        if self.state_path.exists():
            self._resume()
        else:
            self._enter_phase()

    def _both(self) -> torch.nn.Module:
        return torch.nn.ModuleDict({"dit": self.dit, "face": self.face})

    def _enter_phase(self) -> None:
        phase = self.phases[self.progress.phase]
        for parameter in self._both().parameters():
            parameter.grad = None  # what is frozen from here on would count in the norm that gradients are cut to
        freeze_for_stage(self.dit, self.face, phase.stage)
        self.optimisers = build_optimisers(self._both(), phase.lr)

    def run(
        self, clips: PreparedClips, total_s: float, stop: Callable[[], bool], *, save_every_s: float = 120.0,
        courses: Sequence[Course] | None = None, until_stage: int = 3,
    ) -> bool:  # fmt: skip
        """Train until all phases up to `until_stage` are over (True) or `stop()` says so (False).

        total_s  seconds of the whole training, shared out by `Phase.share`; the clock decides every step
        courses  instead of that: the length of each phase. Then a stopped run gives the weights of one that was not
        """
        last_save = last_log = time.monotonic()
        while self.progress.phase < len(self.phases) and self.phases[self.progress.phase].stage <= until_stage:
            phase = self.phases[self.progress.phase]
            budget_s = phase.share * total_s
            done_01 = self.progress.spent_s / budget_s if courses is None else self._course_01(courses)
            if done_01 >= 1.0:
                self._log(budget_s)
                self._finish_phase()
                continue
            started = time.monotonic()
            self._step(clips, phase, done_01)
            now = time.monotonic()
            self.progress.spent_s += now - started
            if is_point(self.progress.step, self.progress.planned):
                self._log(budget_s)
            elif not self.progress.planned and now - last_log > 60:
                last_log = now
                self._log(budget_s)
                if courses is None:
                    clips.refresh()
            if now - last_save > save_every_s or stop():
                last_save = now
                self.save()
                if stop():
                    return False
        return True

    def _course_01(self, courses: Sequence[Course]) -> float:
        progress = self.progress
        pace = Pace(progress.step, progress.spent_s, progress.planned)
        done_01 = courses[progress.phase].progress_01(pace)
        progress.planned = pace.planned
        return done_01

    def _step(self, clips: PreparedClips, phase: Phase, progress_01: float) -> None:
        rng = np.random.default_rng((self.seed, self.progress.phase, self.progress.step))
        generator = torch.Generator().manual_seed(int(rng.integers(1 << 62)))
        which = int(rng.integers(len(phase.frames)))
        references = int(rng.choice([1, 2, 3], p=[0.7, 0.15, 0.15]))
        batch = self._moved(clips.batch(rng, phase.batch[which], phase.frames[which], references))
        # the plateau is long only in the last phase of the last stage; earlier ones are warmed up and barely decayed
        last = self.progress.phase == len(self.phases) - 1
        set_learning_rate(self.optimisers, progress_01, decay_from_01=0.35 if last else 0.7)
        with mixed_precision(self.device):
            loss = training_loss(
                self.dit, self.face, batch, self.latent_weight, phase.stage, self.objective, generator,
                group=group_of(phase.frames[which], phase.batch[which]),
            )  # fmt: skip
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for p in self._both().parameters() if p.grad is not None], 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        self.ema.update(self._both())
        value = float(loss.detach())
        self.progress.loss = value if self.progress.step == 0 else 0.99 * self.progress.loss + 0.01 * value
        self.progress.step += 1

    def _moved(self, batch: TrainingBatch) -> TrainingBatch:
        return type(batch)(**{name: value.to(self.device) for name, value in vars(batch).items()})

    def _log(self, budget_s: float) -> None:
        p = self.progress
        p.history.append([p.phase, p.step, round(p.loss, 5)])
        length = {"of": p.planned} if p.planned else {"of_s": round(budget_s)}
        line = {"phase": p.phase, "stage": self.phases[p.phase].stage, "step": p.step, "loss": round(p.loss, 5),
                "spent_s": round(p.spent_s), **length}  # fmt: skip
        self.log(line)

    def _write_log(self, line: dict) -> None:
        with open(self.folder / "log.jsonl", "a") as file:
            file.write(json.dumps(line) + "\n")

    def _finish_phase(self) -> None:
        self.export(self.folder / "model.safetensors", self.folder / "face.safetensors")
        self.progress.phase += 1
        self.progress.step, self.progress.spent_s, self.progress.planned = 0, 0.0, 0
        if self.progress.phase < len(self.phases):
            self._enter_phase()
        self.save()

    def export(self, dit_path: Path, face_path: Path) -> None:
        """Write the averaged weights as the two checkpoints that `animate` and `encode-face` load."""
        shadow = self.ema.shadow
        part = {
            key: {n.removeprefix(key + "."): v for n, v in shadow.items() if n.startswith(key + ".")}
            for key in ("dit", "face")
        }
        save_checkpoint(dit_path, part["dit"], self.config.to_dict(), bfloat16=True)
        save_checkpoint(face_path, part["face"], config_to_dict(FaceEncoderConfig()))

    def save(self) -> None:
        tensors = {f"net.{n}": v for n, v in self._both().state_dict().items()}
        tensors |= {f"ema.{n}": v for n, v in self.ema.shadow.items()}
        for index, optimiser in enumerate(self.optimisers):
            for number, state in optimiser.state_dict()["state"].items():
                tensors |= {f"opt.{index}.{number}.{k}": torch.as_tensor(v) for k, v in state.items()}
        meta = {"progress": vars(self.progress), "ema_step": self.ema.step, "model": self.config.to_dict()}
        save_checkpoint(self.state_path, tensors, meta)

    def _resume(self) -> None:
        tensors, meta = load_checkpoint(self.state_path)
        self.progress = Progress(**meta["progress"])
        self._both().load_state_dict({n[4:]: v for n, v in tensors.items() if n.startswith("net.")})
        self.ema.shadow = {n[4:]: v.to(self.device) for n, v in tensors.items() if n.startswith("ema.")}
        self.ema.step = meta["ema_step"]
        if self.progress.phase >= len(self.phases):
            return
        self._enter_phase()
        for index, optimiser in enumerate(self.optimisers):
            state: dict = {}
            for name, value in tensors.items():
                if name.startswith(f"opt.{index}."):
                    _, _, number, key = name.split(".", 3)
                    state.setdefault(int(number), {})[key] = value
            optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
