"""The training loop of the transformer: bounded in time, resumable at every save, one log line a minute.

Rerun = resume: everything that decides the next step (weights, running average, momenta, step, spent seconds) stands in
one safetensors file that is replaced by rename; noise and batches are drawn from (seed, step).
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from stages.face.encoder import FaceEncoderConfig, FaceMotionNet, config_to_dict
from stages.model.config import ModelConfig
from stages.model.dit import DiT
from stages.training.data import PreparedClips
from stages.training.objective import ObjectiveConfig, freeze_for_stage, training_loss
from stages.training.optim import Ema, build_optimisers, set_learning_rate
from stages.weights.checkpoint import load_checkpoint, save_checkpoint


@dataclass(frozen=True)
class Phase:
    """A part of the training: which stage of the paper, which clip lengths, and its share of the time."""

    stage: int
    share: float
    frames: tuple[int, ...]
    batch: tuple[int, ...]  # clips a step for each clip length
    lr: float = 1e-3


# Most of what there is to learn (copy the person, follow the pose) is learned from single frames at a fraction of the
# cost of clips; stages keep the paper's order.
PHASES: tuple[Phase, ...] = (
    Phase(stage=1, share=0.35, frames=(1,), batch=(24,)),
    Phase(stage=1, share=0.15, frames=(1, 5, 9), batch=(16, 8, 5), lr=0.8e-3),
    Phase(stage=2, share=0.10, frames=(1, 5), batch=(16, 8), lr=1e-3),
    Phase(stage=3, share=0.40, frames=(1, 5, 9, 17), batch=(16, 8, 5, 3), lr=0.7e-3),
)


@dataclass
class Progress:
    phase: int = 0
    step: int = 0
    spent_s: float = 0.0  # in this phase
    loss: float = 0.0
    history: list = field(default_factory=list)  # [phase, step, loss] once a minute


class Trainer:
    """State of one run in a folder: `state.safetensors` (resume), `log.jsonl`, after each phase `model.safetensors`."""

    def __init__(
        self, folder: Path, config: ModelConfig, latent_weight: torch.Tensor, face_tensors: dict, seed: int = 0
    ):
        self.folder, self.config, self.seed, self.latent_weight = Path(folder), config, seed, latent_weight
        torch.manual_seed(seed)
        self.dit, self.face = DiT(config.dit), FaceMotionNet(FaceEncoderConfig())
        self.face.load_state_dict(face_tensors)
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
        phase = PHASES[self.progress.phase]
        freeze_for_stage(self.dit, self.face, phase.stage)
        self.optimisers = build_optimisers(self._both(), phase.lr)

    def run(
        self, clips: PreparedClips, total_s: float, stop: Callable[[], bool], *, save_every_s: float = 120.0
    ) -> bool:
        """Train until all phases have had their share of `total_s` seconds (True) or `stop()` says so (False)."""
        objective = ObjectiveConfig()
        last_save = last_log = time.monotonic()
        while self.progress.phase < len(PHASES):
            phase = PHASES[self.progress.phase]
            budget_s = phase.share * total_s
            if self.progress.spent_s >= budget_s:
                self._finish_phase()
                continue
            started = time.monotonic()
            self._step(clips, phase, objective, self.progress.spent_s / budget_s)
            now = time.monotonic()
            self.progress.spent_s += now - started
            if now - last_log > 60:
                last_log = now
                self._log(budget_s)
                clips.refresh()
            if now - last_save > save_every_s or stop():
                last_save = now
                self.save()
                if stop():
                    return False
        return True

    def _step(self, clips: PreparedClips, phase: Phase, objective: ObjectiveConfig, progress_01: float) -> None:
        rng = np.random.default_rng((self.seed, self.progress.phase, self.progress.step))
        generator = torch.Generator().manual_seed(int(rng.integers(1 << 62)))
        which = int(rng.integers(len(phase.frames)))
        references = int(rng.choice([1, 2, 3], p=[0.7, 0.15, 0.15]))
        batch = clips.batch(rng, phase.batch[which], phase.frames[which], references)
        # the plateau is long only in the last phase of the last stage; earlier ones are warmed up and barely decayed
        last = self.progress.phase == len(PHASES) - 1
        set_learning_rate(self.optimisers, progress_01, decay_from_01=0.35 if last else 0.7)
        with torch.autocast("cpu", torch.bfloat16):
            loss = training_loss(self.dit, self.face, batch, self.latent_weight, phase.stage, objective, generator)
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

    def _log(self, budget_s: float) -> None:
        p = self.progress
        p.history.append([p.phase, p.step, round(p.loss, 5)])
        line = {"phase": p.phase, "stage": PHASES[p.phase].stage, "step": p.step, "loss": round(p.loss, 5),
                "spent_s": round(p.spent_s), "of_s": round(budget_s)}  # fmt: skip
        with open(self.folder / "log.jsonl", "a") as file:
            file.write(json.dumps(line) + "\n")

    def _finish_phase(self) -> None:
        self.export(self.folder / "model.safetensors", self.folder / "face.safetensors")
        self.progress.phase += 1
        self.progress.step, self.progress.spent_s = 0, 0.0
        if self.progress.phase < len(PHASES):
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
        self.ema.shadow = {n[4:]: v for n, v in tensors.items() if n.startswith("ema.")}
        self.ema.step = meta["ema_step"]
        if self.progress.phase >= len(PHASES):
            return
        self._enter_phase()
        for index, optimiser in enumerate(self.optimisers):
            state: dict = {}
            for name, value in tensors.items():
                if name.startswith(f"opt.{index}."):
                    _, _, number, key = name.split(".", 3)
                    state.setdefault(int(number), {})[key] = value
            optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
