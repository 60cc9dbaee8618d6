"""SyncNet (Chung and Zisserman 2016), v2: five frames of a mouth and 0.2 s of sound as vectors that can be near."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from stages.core.errors import WeightsError
from stages.metrics.nets.layers import exact
from stages.metrics.nets.threads import each
from stages.weights import resolve
from stages.weights.unpickle import read_arrays

FRAMES, SIDE, COEFFICIENTS, STEPS, FEATURES = 5, 224, 13, 20, 1024
_EPSILON = 1e-6  # torch.nn.functional.pairwise_distance adds it to every difference, so the original's numbers hold it


class SyncNet(nn.Module):
    """Both halves; names as in the original weights file."""

    def __init__(self) -> None:
        super().__init__()
        self.netcnnaud = nn.Sequential(
            *_block(1, 64, (3, 3), padding=(1, 1)), nn.MaxPool2d((1, 1)),
            *_block(64, 192, (3, 3), padding=(1, 1)), nn.MaxPool2d((3, 3), (1, 2)),
            *_block(192, 384, (3, 3), padding=(1, 1)),
            *_block(384, 256, (3, 3), padding=(1, 1)),
            *_block(256, 256, (3, 3), padding=(1, 1)), nn.MaxPool2d((3, 3), (2, 2)),
            *_block(256, 512, (5, 4)),
        )  # fmt: skip
        self.netfcaud = _head()
        self.netfclip = _head()
        self.netcnnlip = nn.Sequential(
            *_block(3, 96, (5, 7, 7), (1, 2, 2)), nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_block(96, 256, (1, 5, 5), (1, 2, 2), (0, 1, 1)), nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            *_block(256, 256, (1, 3, 3), padding=(0, 1, 1)),
            *_block(256, 256, (1, 3, 3), padding=(0, 1, 1)),
            *_block(256, 256, (1, 3, 3), padding=(0, 1, 1)), nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_block(256, 512, (1, 6, 6)),
        )  # fmt: skip

    def see(self, mouths: torch.Tensor) -> torch.Tensor:
        """float32 [B, 1024] of mouths float32 [B, 3, 5, 224, 224], BGR in 0..255."""
        return self.netfclip(self.netcnnlip(mouths).flatten(1))  # [B, 1024]

    def hear(self, cepstra: torch.Tensor) -> torch.Tensor:
        """float32 [B, 1024] of cepstra float32 [B, 1, 13, 20]."""
        return self.netfcaud(self.netcnnaud(cepstra).flatten(1))  # [B, 1024]


class LipReader:
    """SyncNet with the user's weights, each window on one core: its numbers depend on nothing beside it.

    errors  WeightsError: the file is not at hand, or is another network's
    """

    def __init__(self, device: str = "cpu") -> None:
        self._device = exact(device)
        self._net = load_syncnet().to(self._device)

    def see(self, mouth_u8: np.ndarray) -> np.ndarray:
        """float32 [1024] of uint8 [5, 224, 224, 3] RGB."""
        bgr = np.ascontiguousarray(mouth_u8[..., ::-1].transpose(3, 0, 1, 2), np.float32)  # [3, 5, 224, 224]
        return self._vectors(self._net.see, [bgr])[0]

    def hear(self, cepstra: Sequence[np.ndarray]) -> np.ndarray:
        """float32 [N, 1024] of N windows float [20, 13]."""
        return np.stack(self._vectors(self._net.hear, [np.ascontiguousarray(w.T[None], np.float32) for w in cepstra]))

    def _vectors(self, half: Callable, inputs: list[np.ndarray]) -> list[np.ndarray]:
        def vector(values: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                out = half(torch.from_numpy(values)[None].to(self._device))[0]
            assert out.dtype == torch.float32
            return out.cpu().numpy()

        return each(vector, inputs, device=str(self._device))


def load_syncnet() -> SyncNet:
    """SyncNet in evaluation mode. errors  WeightsError"""
    path = resolve("syncnet_v2")
    arrays = {name.removeprefix("state_dict."): array for name, array in read_arrays(path).items()}
    net = SyncNet()
    wanted = net.state_dict()
    for name in wanted:
        if name.endswith("num_batches_tracked"):  # torch before 0.4.1 did not keep it; nothing reads it here
            arrays.setdefault(name, np.zeros((), np.int64))
    wrong = sorted(set(wanted) ^ set(arrays)) or [n for n in wanted if tuple(wanted[n].shape) != arrays[n].shape]
    if wrong:
        raise WeightsError(f"{path}: {wrong[0]} is missing, unknown or of another shape, expected SyncNet v2. Not used")
    net.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})
    return net.float().eval().requires_grad_(False)


def sync_distances(lips: np.ndarray, sounds: np.ndarray, shift: int) -> np.ndarray:
    """float64 [N, 2 shift + 1]: distance of each mouth from the sounds `shift` frames before to `shift` after it.

    lips, sounds  float [N, D], NaN rows = not measured. Sound before the first and after the last window is zero, as in
                  the original, so the outer shifts of a short clip are measured against nothing
    """
    lips = np.asarray(lips, np.float64)
    padded = np.pad(np.asarray(sounds, np.float64), ((shift, shift), (0, 0)))
    columns = [np.linalg.norm(lips - padded[k : k + len(lips)] + _EPSILON, axis=1) for k in range(2 * shift + 1)]
    return np.stack(columns, axis=1) if len(lips) else np.zeros((0, 2 * shift + 1))


def _block(
    inputs: int, outputs: int, kernel: tuple, stride: tuple | None = None, padding: tuple | None = None
) -> tuple:
    """Convolution, batch norm, relu."""
    flat = len(kernel) == 2
    convolution, norm = (nn.Conv2d, nn.BatchNorm2d) if flat else (nn.Conv3d, nn.BatchNorm3d)
    stride, padding = stride or (1,) * len(kernel), padding or (0,) * len(kernel)
    return convolution(inputs, outputs, kernel, stride, padding), norm(outputs), nn.ReLU()


def _head() -> nn.Sequential:
    return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, FEATURES))
