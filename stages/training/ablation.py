"""The ablations that the paper only drew: what is taken away or done otherwise, by name.

An ablation changes what the network is shown, what its last layer stands for or the order of the stages, never the
loop: batches, seeds and the number of steps stay those of the base. Measured by tests/bench/bench_ablations.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from stages.model.config import ModelConfig
from stages.model.dit import Conditions
from stages.training.data import PreparedClips
from stages.training.loop import Phase
from stages.training.objective import ObjectiveConfig

MARKED_MAPS = "marked.npy"  # of a prepared clip: its maps with the face points drawn over the sphere
_FACES = ("tokens", "none", "landmarks")


@dataclass(frozen=True)
class Ablation:
    """One way to train.

    says     what a table calls it
    sphere   False: the sphere map is black, of the video and of the references
    face     tokens; none; landmarks: no tokens, and the face points are drawn over the sphere map
    staged   False: everything is trained from the first step on (stage 3), with the same clip lengths
    predicts data; velocity: the last layer gives the velocity and the loss is on it, as in the paper
    """

    name: str
    says: str
    sphere: bool = True
    face: str = "tokens"
    staged: bool = True
    predicts: str = "data"

    def __post_init__(self) -> None:
        if self.face not in _FACES:
            raise ValueError(f"face {self.face!r}: expected one of {_FACES}")

    def phases(self, phases: Sequence[Phase]) -> tuple[Phase, ...]:
        """The phases of the base as this ablation goes through them, with the same clips a step and the same steps.

        Stage 2 trains nothing but what reads face tokens, so without tokens its steps go to the whole network.
        """
        moved = {1: 1, 2: 2 if self.face == "tokens" else 3, 3: 3} if self.staged else {1: 3, 2: 3, 3: 3}
        return tuple(replace(phase, stage=moved[phase.stage]) for phase in phases)

    def model(self, config: ModelConfig) -> ModelConfig:
        """The model of the base as this ablation builds it; the same number of weights."""
        return replace(config, dit=replace(config.dit, predicts=self.predicts))

    def objective(self, config: ObjectiveConfig) -> ObjectiveConfig:
        """The loss of the base as this ablation takes it: what is withheld is dropped from every item.

        What weighs the loss (figure and head cells) stays as in the base, and so do noise and times of every step.
        """
        return replace(
            config,
            loss_on=self.predicts,
            drop_sphere=config.drop_sphere if self.sphere else 1.0,
            drop_face=config.drop_face if self.face == "tokens" else 1.0,
        )

    def clips(self, folder: str) -> PreparedClips:
        """The prepared clips below a folder as this ablation reads them. errors  InputError as PreparedClips"""
        return PreparedClips(folder, MARKED_MAPS if self.face == "landmarks" else "maps.npy")

    def shown(self, given: Conditions) -> Conditions:
        """Conditions of the sampler without what this ablation has withheld in training."""
        if not self.sphere:
            maps, ref_maps = given.maps.clone(), given.ref_maps.clone()
            maps[:, 3:], ref_maps[:, :, 3:] = 0, 0
            given = replace(given, maps=maps, ref_maps=ref_maps)
        if self.face != "tokens":
            given = replace(given, face_valid=torch.zeros_like(given.face_valid))
        return given


BASE = Ablation("base", "base")
ABLATIONS: dict[str, Ablation] = {
    made.name: made
    for made in (
        Ablation("no-face", "no face tokens", face="none"),
        Ablation("no-sphere", "no sphere", sphere=False),
        Ablation("velocity", "velocity instead of x-prediction", predicts="velocity"),
        Ablation("at-once", "all at once instead of three stages", staged=False),
        Ablation("landmarks", "landmark drawing instead of tokens", face="landmarks"),
    )
}
