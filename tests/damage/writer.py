"""Writing processes for tests that kill them, forked from one that has imported everything: each costs little."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

import numpy as np

from stages.bundle import ArraySpec, LayerWriter, layer_key, make_provenance, plan_layer
from stages.core.errors import ConflictError

_FORK = multiprocessing.get_context("forkserver")
_FORK.set_forkserver_preload(["numpy", "zarr", "stages.bundle.writer", "stages.bundle.meta"])


class Writer:
    """A process that has imported everything and waits for `go` to write a layer of noise.

    pause_s       sleeps that long after each of its six blocks; -1: waits for a second `go` before it commits
    without_swap  as on a file system that cannot swap two directories, and killed between the two renames
    """

    def __init__(self, path, seed: int, overwrite=False, pause_s: float = 0.0, without_swap=False) -> None:
        self._pipe, theirs = _FORK.Pipe()
        arguments = (str(path), seed, overwrite, pause_s, without_swap, theirs)
        self.process = _FORK.Process(target=_write, args=arguments, daemon=True)
        self.process.start()
        theirs.close()
        assert self._told() == "ready"

    def go(self) -> None:
        """Let it write, or commit."""
        self._pipe.send("go")

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.ended()

    def finish(self) -> str:
        """Its status, once it has ended; "" when it ended without one."""
        try:
            told = self._told()
        except EOFError:
            told = ""
        self.ended()
        return told

    def ended(self) -> int:
        """Its exit code, once it has ended."""
        self.process.join(100)
        assert self.process.exitcode is not None, "still there after 100 s"
        return self.process.exitcode

    def _told(self) -> str:
        assert self._pipe.poll(100), "nothing heard for 100 s"
        return self._pipe.recv()


def blocks(seed: int):
    """The six blocks of a layer: frames uint8 [8, 80, 80, 3] and points f32 [8, 25, 2]."""
    rng = np.random.default_rng(seed)
    for _ in range(6):
        yield rng.integers(0, 255, (8, 80, 80, 3), dtype=np.uint8), rng.uniform(0, 80, (8, 25, 2)).astype(np.float32)


def _write(path: str, seed: int, overwrite: bool, pause_s: float, without_swap: bool, pipe) -> None:
    if without_swap:
        _die_between_two_renames()
    pipe.send("ready")
    pipe.recv()
    params = {"seed": seed}
    key = layer_key("damage", 1, params, {})
    try:
        if plan_layer(path, "pose", key, overwrite=overwrite).action == "skip":
            pipe.send("skipped")
            return
        provenance = make_provenance("damage", 1, params, {})
        with LayerWriter(path, "pose", key=key, attrs=params, provenance=provenance, overwrite=overwrite) as writer:
            stream = writer.stream("frames", (80, 80, 3), ArraySpec("u8", ("T", "H", "W", "rgb")))
            small = writer.stream("points", (25, 2), ArraySpec("f32", ("T", "J", "xy"), "px"), chunk=(8,))
            for frames, points in blocks(seed):
                stream.append(frames)
                small.append(points)
                time.sleep(max(0, pause_s))
            if pause_s < 0:
                pipe.recv()
            pipe.send(writer.commit())
    except ConflictError:
        pipe.send("conflict")


def _die_between_two_renames() -> None:
    from stages.bundle import commit

    real = os.rename

    def rename(source, target):
        real(source, target)
        if str(target).endswith(".old"):
            os.kill(os.getpid(), signal.SIGKILL)

    commit._exchange = lambda a, b: False
    os.rename = rename
