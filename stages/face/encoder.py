"""The face motion encoder: a crop of a face in, a few motion tokens without identity out.

The paper takes PD-FGC, which is not open; ours is trained by us (`stages.training.face_loop`). Tokens are a linear
function of a motion code of 64 numbers: 54 say the 52 ARKit expression weights and the gaze, 10 are free. Identity is
kept out by a narrow way: a few directions of what the network sees, and no more, become code.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.weights.checkpoint import file_sha256, load_checkpoint, load_strictly

CROP_SIDE = 224  # what goes in, as in the paper
EXPRESSIONS = 52  # ARKit weights in alphabetical order of their names
SUPERVISED = EXPRESSIONS + 2  # and gaze yaw, pitch in units of 30 degrees
_GRID = 64  # cells a side that the convolutions see
OPEN = 2.0  # of the gates before they have learned
DEFAULT_WEIGHTS = Path(__file__).parent / "weights" / "default.safetensors"


@dataclass(frozen=True)
class FaceEncoderConfig:
    name: str = "default"
    inner_side: int = 128  # crops are averaged to this side first; a multiple of 64, folded to 64 cells before all else
    widths: tuple[int, ...] = (32, 64, 96, 128)
    blocks: tuple[int, ...] = (2, 3, 3, 2)  # residual blocks at each width
    neck: int = 192
    code: int = 64
    tokens: int = 4
    token_channels: int = 32


class Residual(nn.Module):
    """Two convolutions beside the identity, nothing at first."""

    def __init__(self, width: int):
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, width, 3, 1, 1)]
        nn.init.zeros_(layers[-1].weight)
        self.inner = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


class FaceMotionNet(nn.Module):
    """Most expressions are not made at any one moment: a gate beside each says whether, so that 0 is said plainly."""

    def __init__(self, config: FaceEncoderConfig):
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        self.fold = config.inner_side // _GRID
        channels = 3 * self.fold**2
        for width, blocks in zip(config.widths, config.blocks, strict=True):
            for source, stride in ((channels, 2), (width, 1)):
                layers += [nn.Conv2d(source, width, 3, stride, 1), nn.GroupNorm(8, width), nn.SiLU()]
            layers += [Residual(width) for _ in range(blocks)]
            channels = width
        self.convolutions = nn.Sequential(*layers)
        cells = (_GRID // 2 ** len(config.widths)) ** 2
        self.neck = nn.Sequential(nn.Linear(channels * cells, config.neck), nn.LayerNorm(config.neck), nn.SiLU())
        self.head_code = nn.Linear(config.neck, config.code)
        self.head_gate = nn.Linear(config.neck, EXPRESSIONS)
        nn.init.constant_(self.head_gate.bias, OPEN)
        self.head_tokens = nn.Linear(config.code, config.tokens * config.token_channels)

    def forward(self, crops_01: Tensor) -> tuple[Tensor, Tensor]:
        """crops float [B, 3, S, S] in 0..1 -> tokens [B, N, C], motion code [B, 64] (its first 54 are supervised)"""
        code = self.code_of(self.features(crops_01))
        return self.tokens_of(code), code

    def features(self, crops_01: Tensor) -> Tensor:
        """What the convolutions see of crops float [B, 3, S, S], float [B, F]: where things are, whoever it is."""
        x = F.adaptive_avg_pool2d(crops_01, self.config.inner_side)
        return self.convolutions(F.pixel_unshuffle((x - 0.5) * 4.0, self.fold)).flatten(1)

    def code_of(self, features: Tensor) -> Tensor:
        """Motion code [B, 64] of features [B, F]."""
        x = self.neck(features)
        gate = F.pad(torch.sigmoid(self.head_gate(x)), (0, self.config.code - EXPRESSIONS), value=1.0)
        return self.head_code(x) * gate

    def tokens_of(self, code: Tensor) -> Tensor:
        """Motion tokens [..., N, C] of motion codes [..., 64]."""
        return self.head_tokens(code).unflatten(-1, (self.config.tokens, -1))


class FaceEncoder:
    """A loaded encoder: `name`, `sha256` of its file, and `tokens`."""

    def __init__(self, network: FaceMotionNet, name: str, sha256: str, device: str):
        self.network, self.name, self.sha256, self.device = network.to(device).eval(), name, sha256, device

    @torch.no_grad()
    def tokens(self, crops_u8: np.ndarray) -> np.ndarray:
        """Return motion tokens float32 [n, N, C] of crops uint8 [n, 224, 224, 3] RGB."""
        return self._run(crops_u8)[0]

    @torch.no_grad()
    def expressions(self, crops_u8: np.ndarray) -> np.ndarray:
        """Return float32 [n, 54]: 52 ARKit weights (about 0..1, unclipped); gaze yaw, pitch in units of 30 degrees."""
        return self._run(crops_u8)[1][:, :SUPERVISED]

    def expressions_of(self, tokens: np.ndarray) -> np.ndarray:
        """Return float32 [n, 54] as `expressions` of motion tokens float [n, N, C]; NaN stays NaN.

        Tokens are a linear function of the code with more numbers than it has, so they say it exactly.
        """
        layer = self.network.head_tokens
        back = torch.linalg.pinv(layer.weight.detach().double()).cpu().numpy()
        flat = np.asarray(tokens, np.float64).reshape(len(tokens), -1) - layer.bias.detach().double().cpu().numpy()
        return (flat @ back.T)[:, :SUPERVISED].astype(np.float32)

    def with_expressions(self, tokens: np.ndarray, expressions: np.ndarray) -> np.ndarray:
        """Return motion tokens float32 [n, N, C] that say the weights float [n, 54] and all else that `tokens` say.

        Exact, because tokens are a linear function of the code; NaN in either stays NaN.
        """
        weight = self.network.head_tokens.weight.detach().double().cpu().numpy()[:, :SUPERVISED]
        change = np.asarray(expressions, np.float64) - self.expressions_of(tokens)
        shift = (change @ weight.T).reshape(np.shape(tokens))
        return (np.asarray(tokens, np.float64) + shift).astype(np.float32)

    @torch.no_grad()
    def tokens_of_expressions(self, expressions: np.ndarray) -> np.ndarray:
        """Return motion tokens float32 [n, N, C] that say float [n, 54] as `expressions`.

        Free codes that are the same for every crop are that here too; others are 0.
        """
        code = torch.zeros(len(expressions), self.network.config.code, device=self.device)
        head = self.network.head_code
        constant = (head.weight[SUPERVISED:] == 0).all(1)
        code[:, SUPERVISED:] = torch.where(constant, head.bias[SUPERVISED:], 0.0)
        code[:, :SUPERVISED] = torch.from_numpy(np.asarray(expressions, np.float32)).to(self.device)
        return self.network.tokens_of(code).float().cpu().numpy()

    def _run(self, crops_u8: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if crops_u8.ndim != 4 or crops_u8.shape[-1] != 3 or crops_u8.dtype != np.uint8:
            raise ValueError(f"face crops are uint8 [n, side, side, 3], found {crops_u8.dtype} {crops_u8.shape}")
        batch = torch.from_numpy(np.ascontiguousarray(crops_u8)).to(self.device)
        tokens, code = self.network(batch.permute(0, 3, 1, 2).float() / 255.0)
        return tokens.float().cpu().numpy(), code.float().cpu().numpy()


def load_face_encoder(source: str = "default", device: str = "cpu") -> FaceEncoder:
    """Return the encoder named `default` (shipped) or stored at a path; WeightsError where it cannot be loaded."""
    path = DEFAULT_WEIGHTS if source == "default" else Path(source)
    tensors, values = load_checkpoint(path)
    values.pop("measured", None)  # what tests/bench/bench_face_encoder.py said of these weights, kept beside them
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    config = FaceEncoderConfig(**{**values, **lists})
    network = FaceMotionNet(config)
    load_strictly(network, tensors, str(path))
    return FaceEncoder(network, config.name, file_sha256(path), device)


def config_to_dict(config: FaceEncoderConfig) -> dict:
    return asdict(config)
