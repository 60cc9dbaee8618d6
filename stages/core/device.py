"""Which device computes, with how many threads, and in which precision."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from stages.core.errors import ResourceError, UsageError


def pick_device(name: str = "auto") -> str:
    """The name of a torch device that exists here: "cpu", "cuda:0", "cuda:1", "mps".

    name    "auto" (cuda, else mps, else cpu), "cpu", "cuda", "cuda:N" or "mps"
    errors  UsageError for another word, ResourceError for a device this machine has not
    """
    if name == "cpu":
        return "cpu"
    if not re.fullmatch(r"auto|mps|cuda(:\d+)?", name):
        raise UsageError(f"--device: found {name!r}, expected auto, cpu, cuda, cuda:N or mps")
    import torch

    cuda_count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    has_mps = torch.backends.mps.is_available()
    if name == "auto":
        return "cuda:0" if cuda_count else "mps" if has_mps else "cpu"
    if name == "mps":
        if not has_mps:
            raise ResourceError("--device mps: found no Metal device, expected one. Use --device auto or cpu")
        return "mps"
    index = int(name.partition(":")[2] or 0)
    if index >= cuda_count:
        raise ResourceError(
            f"--device {name}: found {cuda_count} CUDA device(s), expected {index + 1} or more. Use --device auto"
        )
    return f"cuda:{index}"


def set_threads(count: int | None = None) -> int:
    """The number of threads torch uses from now on.

    count   None: OMP_NUM_THREADS when set, else the cores this process may run on
    errors  UsageError when count is not positive
    """
    import torch

    if count is None:
        from_environment = os.environ.get("OMP_NUM_THREADS", "")
        if from_environment.isdigit() and int(from_environment) > 0:
            count = int(from_environment)
        else:
            count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if count < 1:
        raise UsageError(f"--threads: found {count}, expected 1 or more")
    torch.set_num_threads(count)
    return count


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch with one thread meanwhile: sums of matrix products then do not depend on the number of threads, and nobody
    else's core is taken."""
    import torch

    threads = torch.get_num_threads()
    if threads == 1:  # also in a worker, whose setting would become that of threads still to come
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def mixed_precision(device: str):
    """The context in which torch multiplies in bfloat16, if the device is fast at that; otherwise it does nothing.

    device  as `pick_device` names it
    """
    import torch

    kind = device.partition(":")[0]
    return torch.autocast(kind if kind == "cuda" else "cpu", torch.bfloat16, enabled=fast_bfloat16(device))


@cache
def fast_bfloat16(device: str = "cpu") -> bool:
    """True where the device multiplies bfloat16 in hardware. Elsewhere float32 is faster: on a CPU of 2021 a product of
    bfloat16 matrices takes 20 to 30 times as long."""
    import torch

    kind = device.partition(":")[0]
    if kind == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8
    if kind != "cpu" or "AVX512" not in torch.backends.cpu.get_cpu_capability():
        return False
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
