"""The network that hears a mouth: log-mel spectra in, weights of mouth and jaw 50 times a second out.

Convolutions over time only, so that what it says depends on REACH_PAST before and REACH_AHEAD after a moment and on
nothing else: a stream can be cut anywhere. The delay is what lips need anyway: they begin before the sound.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.audio import speech_file
from stages.audio.mel import BANDS
from stages.core.arkit import ARKIT_INDEX
from stages.weights.checkpoint import file_sha256, load_checkpoint, load_strictly

FRAMES_PER_S = 50
STRIDE = 2  # mel rows a frame
# what the network says; a name without a side is of both sides
UNITS = ("jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthRollLower", "mouthRollUpper", "tongueOut",
         "mouthPress", "mouthUpperUp", "mouthLowerDown", "mouthStretch", "mouthSmile")  # fmt: skip
VISEMES = 15  # what it also learns to tell, of which nothing is used later


@dataclass(frozen=True)
class SpeechNetConfig:
    """ahead, back: dilations of blocks that look to both sides, and of those that only look back."""

    name: str = "default"
    width: int = 80
    ahead: tuple[int, ...] = (1, 2, 4)
    back: tuple[int, ...] = (1, 2, 4, 8, 16)

    @property
    def reach_ahead(self) -> int:
        """Frames after a moment that take part in what is said of it."""
        return sum(self.ahead) + 1

    @property
    def reach_past(self) -> int:
        """Frames before it."""
        return sum(self.ahead) + 2 * sum(self.back) + 2


class _Block(nn.Module):
    def __init__(self, width: int, dilation: int, looks_ahead: bool):
        super().__init__()
        self.pads = (dilation, dilation) if looks_ahead else (2 * dilation, 0)
        self.norm = nn.LayerNorm(width)
        self.spread = nn.Conv1d(width, width, 3, dilation=dilation)
        self.mix = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, D, T] -> [B, D, T]"""
        y = self.norm(x.transpose(1, 2)).transpose(1, 2)
        return x + self.mix(F.silu(self.spread(F.pad(y, self.pads))))


class SpeechFaceNet(nn.Module):
    def __init__(self, config: SpeechNetConfig):
        super().__init__()
        self.config = config
        self.stem = nn.Conv1d(BANDS, config.width, 5, STRIDE)
        blocks = [_Block(config.width, d, True) for d in config.ahead] + [
            _Block(config.width, d, False) for d in config.back
        ]
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(config.width)
        self.head_units = nn.Linear(config.width, len(UNITS))
        self.head_visemes = nn.Linear(config.width, VISEMES)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """mel [B, 2 T, 40] -> units [B, T, 12] in 0..1, logits of visemes [B, T, 15]; frame t is at 20 t ms"""
        x = F.silu(self.stem(F.pad(mel.transpose(1, 2), (2, 1))))  # [B, D, T]
        x = self.norm(self.blocks(x).transpose(1, 2))  # [B, T, D]
        return torch.sigmoid(self.head_units(x)), self.head_visemes(x)


def unit_columns() -> list[list[int]]:
    """For each of UNITS the indices among the 52 ARKit weights that it is."""
    return [
        [ARKIT_INDEX[name]] if name in ARKIT_INDEX else [ARKIT_INDEX[name + side] for side in ("Left", "Right")]
        for name in UNITS
    ]


@dataclass(frozen=True)
class SpeechFace:
    """A loaded network with its name and the sha256 of its file."""

    network: SpeechFaceNet
    name: str
    sha256: str


def load_speech_face(source: str = "default") -> SpeechFace:
    """The network named `default` (shipped) or stored at a path. errors  WeightsError where it cannot be loaded"""
    path = speech_file(source)
    tensors, values = load_checkpoint(path)
    values.pop("measured", None)
    config = SpeechNetConfig(**{**values, "ahead": tuple(values["ahead"]), "back": tuple(values["back"])})
    network = SpeechFaceNet(config)
    load_strictly(network, tensors, str(path))
    return SpeechFace(network.eval(), config.name, file_sha256(path))


def config_to_dict(config: SpeechNetConfig) -> dict:
    return asdict(config)
