"""What makes a film of a case: a model, or a baseline that costs nothing.

copy       the reference, held still
clip-mean  the mean picture of the true film: it has seen the answer, so it bounds what a blur can win
warp       the reference carried limb by limb by the joints and the head (stages.body.warp); no network
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from stages.benchmark.cases import Case
from stages.core.errors import UsageError

STAGE = "benchmark"
BASELINES = ("copy", "clip-mean", "warp")


@dataclass(frozen=True)
class ModelChoice:
    """A model and how it samples.

    source      "default" (shipped) or a folder with vae, dit and compositor weights, as animate --model takes it
    encoder     face encoder: "default", a file; "" = face.safetensors in the model's folder where it is, else default
    references  taken of each case;  seed  of the noise;  the others are as in animate
    """

    source: str = "default"
    encoder: str = ""
    references: int = 1
    steps: int = 4
    solver: str = "dpm2m"
    cfg_ref: float = 1.0
    cfg_motion: float = 1.0
    carry_expression: bool = True
    seed: int = 0

    def encoder_file(self) -> Path:
        """The weights of the face encoder."""
        from stages.face.encoder import DEFAULT_WEIGHTS

        beside = Path(self.source) / "face.safetensors"
        named = self.encoder or (str(beside) if self.source != "default" and beside.is_file() else "default")
        return DEFAULT_WEIGHTS if named == "default" else Path(named)

    def weights(self) -> dict[str, str]:
        """Part -> sha256 of all weights that take part. errors  WeightsError: no such model or encoder"""
        from stages.core.errors import WeightsError
        from stages.model.files import model_hashes
        from stages.weights.checkpoint import file_sha256

        if not self.encoder_file().is_file():
            raise WeightsError(
                f"{self.encoder_file()}: no such face encoder, expected a file that dreamactor train wrote"
            )
        return {**model_hashes(self.source), "face": file_sha256(self.encoder_file())}

    def label(self) -> str:
        """NAME@DIGEST: other weights or settings are another method, in another folder."""
        settings = {name: value for name, value in asdict(self).items() if name not in ("source", "encoder")}
        decisive = repr((sorted(self.weights().items()), sorted(settings.items())))
        name = self.source if self.source == "default" else Path(self.source).resolve().name
        return f"{name}@{hashlib.sha256(decisive.encode()).hexdigest()[:8]}"


class ModelFilms:
    """A loaded model and face encoder that make films of cases. errors  WeightsError"""

    def __init__(self, choice: ModelChoice, device: str) -> None:
        from stages.face.encoder import load_face_encoder
        from stages.model.animator import Animator
        from stages.model.sampler import SamplerConfig

        self._choice = choice
        self._animator = Animator.load(choice.source, device)
        self._encoder = load_face_encoder(str(choice.encoder_file()), device)
        self._sampler = SamplerConfig(choice.steps, choice.solver, choice.cfg_ref, choice.cfg_motion)

    def film(self, case: Case) -> np.ndarray:
        """uint8 [T, S, S, 3]; the noise depends on the seed and the case's name only."""
        import torch

        from stages.core.rng import torch_generator
        from stages.face.carry import express
        from stages.model.animator import Tracks, segment_spans

        count, frames = self._choice.references, len(case.maps)
        tokens = self._encoder.tokens(case.crops_u8)
        warp_frames, warp_kind, head_shares = case.carried(count)
        if self._choice.carry_expression:
            seen = np.where(case.face_valid[:, None, None], tokens, np.nan)
            carried = warp_frames, warp_kind
            references = case.ref_frames[:count], case.ref_heads[:count], head_shares
            warp_frames, warp_kind = express(self._encoder, *carried, case.head, references, seen)
        tracks = Tracks(
            maps=case.maps,
            face_tokens=tokens,
            face_valid=case.face_valid,
            ref_frames=case.ref_frames[:count],
            ref_maps=case.ref_maps[:count],
            warp_frames=warp_frames,
            warp_kind=warp_kind,
        )
        spans = segment_spans(frames + (-(frames - 1) % 4), self._animator.config.segment_frames)
        noise = [torch_generator(self._choice.seed, STAGE, case.name, f"noise {n}") for n in range(len(spans))]
        latents = torch.cat(list(self._animator.segments(tracks, self._sampler, noise)), 2)
        return np.concatenate(list(self._animator.decode(latents, tracks)))[:frames]


def baseline_film(name: str, case: Case) -> np.ndarray:
    """uint8 [T, S, S, 3] of one of BASELINES. errors  UsageError: unknown"""
    frames = len(case.truth_u8)
    if name == "copy":
        return np.repeat(case.ref_frames[:1], frames, 0)
    if name == "clip-mean":
        return np.repeat(np.rint(case.truth_u8.mean(0, keepdims=True)).astype(np.uint8), frames, 0)
    if name == "warp":
        return case.warp_frames
    raise UsageError(f"baseline: found {name!r}, expected one of {', '.join(BASELINES)}")
