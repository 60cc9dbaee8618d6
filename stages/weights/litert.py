"""The network files run by LiteRT on the CPU (XNNPACK)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stages.core.errors import WeightsError


class Net:
    """One network with one picture in and a few tensors out. Not for use by two threads at once."""

    def __init__(self, path: Path, threads: int) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise WeightsError(
                "ai-edge-litert is not installed; the mediapipe networks need it. pip install ai-edge-litert"
            ) from error
        with _quiet_stderr():
            try:
                self._interpreter = Interpreter(str(path), num_threads=threads)
                self._interpreter.allocate_tensors()
            except (ValueError, RuntimeError) as error:
                raise WeightsError(f"{path}: LiteRT cannot run it ({error}). Delete it and run again") from error
        (entry,) = self._interpreter.get_input_details()
        self._input = entry["index"]
        self.side_px = int(entry["shape"][1])
        self._outputs = [entry["index"] for entry in self._interpreter.get_output_details()]

    def __call__(self, crop_u8: np.ndarray, low: float = 0.0, high: float = 1.0) -> None:
        """Run on one crop, uint8 [side, side, 3], scaled to low..high; read the outputs with `output`."""
        tensor = self._interpreter.tensor(self._input)()[0]
        np.multiply(crop_u8, np.float32((high - low) / 255.0), out=tensor)
        if low:
            tensor += np.float32(low)
        del tensor
        self._interpreter.invoke()

    def output(self, number: int) -> np.ndarray:
        """A copy of output `number` without the batch axis, float32."""
        return self._interpreter.get_tensor(self._outputs[number])[0]

    def peek(self, number: int, index: tuple) -> np.ndarray:
        """Some elements of output `number` (numpy index behind the batch axis), without a copy of the whole."""
        return self._interpreter.tensor(self._outputs[number])()[0][index].copy()


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """LiteRT's constructor greets on the C-level stderr, which would break the progress line; errors still raise."""
    saved = os.dup(2)
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)
