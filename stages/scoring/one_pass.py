"""One pass over the frames of a clip: decoded once, hashed, and given to every measurement in blocks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from stages.core.errors import InputError
from stages.metrics.interface import Block
from stages.scoring.clips import Clip

_BLOCK_BYTES = 48 << 20
_MOST_FRAMES = 16

Progress = Callable[[int, int | None, str], None]


def assert_exact(device: str) -> None:
    """Full float32 from here on, TF32 switched off, or an error; does not import torch for nothing.

    errors  InputError: the process runs with another default type
    """
    import sys

    torch = sys.modules.get("torch")
    if torch is None and not device.startswith("cuda"):
        return
    import torch

    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    if torch.get_default_dtype() != torch.float32 or torch.is_autocast_enabled():
        raise InputError(f"torch: default type {torch.get_default_dtype()} or autocast, expected plain float32")


def block_frames(clip: Clip) -> int:
    """Frames to hold at a time: some 48 MB of pictures, at least one, at most 16."""
    size = sum(film.size[0] * film.size[1] * 3 for film in clip.films().values())
    return int(min(_MOST_FRAMES, max(1, _BLOCK_BYTES // size)))


def one_pass(clip: Clip, collectors: Mapping[str, Any], progress: Progress | None) -> dict[str, np.ndarray]:
    """Give every block to every collector; role -> uint8 [T, 32], the sha256 of each frame."""
    films, first = clip.films(), 0
    hashes: dict[str, list[bytes]] = {role: [] for role in films}
    for blocks in _read_ahead([film.blocks(block_frames(clip)) for film in films.values()]):
        pictures = {role: block for role, (block, _) in zip(films, blocks, strict=True)}
        for role, (_, digests) in zip(films, blocks, strict=True):
            hashes[role] += digests
        block = Block(first, pictures["generated"], pictures.get("real"), pictures.get("driving"))
        for collector in collectors.values():
            collector.add(block)
        first += len(block)
        if progress is not None:
            progress(first, clip.frames, clip.pair.name)
    return {role: np.frombuffer(b"".join(values), np.uint8).reshape(-1, 32) for role, values in hashes.items()}


def _read_ahead(streams: list[Iterator[np.ndarray]]) -> Iterator[list[tuple[np.ndarray, list[bytes]]]]:
    """(block, sha256 of its frames) of each stream; the next blocks are decoded while these are measured."""

    def step(stream: Iterator[np.ndarray]) -> tuple[np.ndarray, list[bytes]] | None:
        block = next(stream, None)
        if block is None:
            return None
        return block, [hashlib.sha256(np.ascontiguousarray(frame)).digest() for frame in block]

    with ThreadPoolExecutor(len(streams), "decode") as pool:
        try:
            waiting = [pool.submit(step, stream) for stream in streams]
            while True:
                blocks = [future.result() for future in waiting]
                if all(block is None for block in blocks):
                    return
                assert all(block is not None for block in blocks), "films of one length end together"
                waiting = [pool.submit(step, stream) for stream in streams]
                yield blocks
        finally:
            pool.shutdown(cancel_futures=True)  # no decoder is closed while it works
            for stream in streams:
                stream.close()
