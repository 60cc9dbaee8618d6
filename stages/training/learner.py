"""One network on its way through one phase: step, average, save, go on after a stop as if there had been none.

Everything that decides the next step (weights, running average, momenta, number of the step) stands in one safetensors
file that is replaced by rename; whoever computes a loss draws its randomness from (seed, step).
"""

import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from stages.training.course import Course, Pace, is_point
from stages.training.optim import Ema, build_optimisers, set_learning_rate
from stages.weights.checkpoint import load_checkpoint, load_strictly, save_checkpoint

LossOf = Callable[[int, float], Tensor]  # (step, share of the phase that is done) -> loss
Say = Callable[[Pace], None]


class Learner:
    """Weights, momenta and average of one network, resumed from `state_path` where it exists.

    clip_norm, warm_up_01, decay_from_01   of the gradients and the learning rate
    start   prepares a network that has not learned yet
    """

    def __init__(
        self, state_path: Path, network: nn.Module, *, lr: float, muon_lr: float, ema_decay: float,
        clip_norm: float = float("inf"), warm_up_01: float = 0.02, decay_from_01: float = 0.6,
        start: Callable[[], None] | None = None,
    ) -> None:  # fmt: skip
        self.state_path, self.network, self.pace = Path(state_path), network, Pace()
        self.clip_norm, self.schedule = clip_norm, {"warm_up_01": warm_up_01, "decay_from_01": decay_from_01}
        fresh = not self.state_path.exists()
        if fresh and start is not None:
            start()
        self.optimisers = build_optimisers(network, lr, muon_lr=muon_lr)
        self.ema = Ema(network, ema_decay)
        if not fresh:
            self._resume()

    def learn(
        self, loss_of: LossOf, course: Course, stop: Callable[[], bool], *, say: Say | None = None,
        save_every_s: float = 120.0, say_every_s: float = 60.0,
    ) -> bool:  # fmt: skip
        """Step until the course is done (True) or `stop()` says so (False); saved either way.

        say  is called at fixed steps once the length is known, before that every `say_every_s`, and at the end
        """
        last_save = last_said = time.monotonic()
        while (progress_01 := course.progress_01(self.pace)) < 1.0:
            if stop():
                self.save()
                return False
            started = time.monotonic()
            self._step(loss_of, progress_01)
            now = time.monotonic()
            self.pace.spent_s += now - started
            due = is_point(self.pace.step, self.pace.planned) if self.pace.planned else now - last_said > say_every_s
            if say is not None and due:
                last_said = now
                say(self.pace)
            if now - last_save > save_every_s:
                last_save = now
                self.save()
        self.save()
        if say is not None:
            say(self.pace)
        return True

    def _step(self, loss_of: LossOf, progress_01: float) -> None:
        set_learning_rate(self.optimisers, progress_01, **self.schedule)
        loss = loss_of(self.pace.step, progress_01)
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.clip_norm)
        for optimiser in self.optimisers:
            optimiser.step()
        self.ema.update(self.network)
        value = float(loss.detach())
        if value != value:
            raise FloatingPointError(f"{self.state_path}: the loss of step {self.pace.step} is not a number")
        self.pace.loss = value if self.pace.step == 0 else 0.98 * self.pace.loss + 0.02 * value
        self.pace.step += 1

    def save(self) -> None:
        """Replace the state file."""
        tensors = {f"net.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"ema.{name}": value for name, value in self.ema.shadow.items()}
        for index, optimiser in enumerate(self.optimisers):
            for number, state in optimiser.state_dict()["state"].items():
                tensors |= {f"opt.{index}.{number}.{key}": torch.as_tensor(value) for key, value in state.items()}
        save_checkpoint(self.state_path, tensors, {"pace": vars(self.pace), "ema_step": self.ema.step})

    def _resume(self) -> None:
        tensors, meta = load_checkpoint(self.state_path)
        self.pace, self.ema.step = Pace(**meta["pace"]), meta["ema_step"]
        parts: dict[str, dict[str, Tensor]] = {"net": {}, "ema": {}, "opt": {}}
        for name, value in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = value
        load_strictly(self.network, parts["net"], str(self.state_path))
        self.ema.shadow = {name: value.to(self.ema.shadow[name].device) for name, value in parts["ema"].items()}
        for index, optimiser in enumerate(self.optimisers):
            state: dict[int, dict[str, Tensor]] = {}
            for name, value in parts["opt"].items():
                of, number, key = name.split(".", 2)
                if int(of) == index:
                    state.setdefault(int(number), {})[key] = value
            optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
