"""Frames side by side on threads, each computed by one core: the numbers do not depend on how many cores there are.

A convolution split over cores may add in another order (seen on 64x64 pictures: the ninth digit). With one core per
frame nothing is split, and the cores are used better, too.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import torch


def each(function: Callable[..., Any], *rows: Iterable[Any], device: str = "cpu") -> list[Any]:
    """[function(*items) for items in zip(*rows)], on as many threads as torch may use; on a GPU one after the other."""
    items = list(zip(*rows, strict=True))
    cores = torch.get_num_threads()
    if torch.device(device).type != "cpu" or cores == 1:
        return [function(*item) for item in items]
    return list(_pool(cores, os.getpid()).map(lambda item: function(*item), items))


@lru_cache(maxsize=1)
def _pool(cores: int, process: int) -> ThreadPoolExecutor:
    """Threads of this process: those of a parent are not there after a fork."""
    started = threading.Barrier(cores + 1)

    def start() -> None:
        torch.set_num_threads(1)
        started.wait()

    pool = ThreadPoolExecutor(cores, "frames", initializer=start)
    for _ in range(cores):
        pool.submit(int)
    started.wait()
    torch.set_num_threads(cores)  # a worker's setting is also the default of threads still to come
    return pool
