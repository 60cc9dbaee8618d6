"""Errors a user meets. Each is one line (where, what was found, what was expected, what to do) and an exit code."""

from __future__ import annotations

import errno


class StageError(Exception):
    """An error with a place, a remedy and an exit code; `str()` is always a single line."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(str(message).split()))


class UsageError(StageError):
    """The command line or a parameter is wrong."""

    exit_code = 2


class InputError(StageError):
    """An input is missing, unreadable or against the schema."""

    exit_code = 3


class ConflictError(StageError):
    """The output exists already and was made with other settings."""

    exit_code = 4


class PartialFailure(StageError):
    """Some items failed, the others are done."""

    exit_code = 5


class WeightsError(StageError):
    """Pretrained weights or an optional package are missing, damaged, or their licence is not accepted."""

    exit_code = 6


class ResourceError(StageError):
    """Memory, disk or a device is exhausted."""

    exit_code = 7


class CheckFailed(StageError):
    """A check that was asked for said no."""

    exit_code = 8


class Checkpointed(StageError):
    """Stopped at a checkpoint on request; the same command goes on from there."""

    exit_code = 75


_DISK_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def is_out_of_resources(error: BaseException) -> bool:
    """True when an exception means that memory or disk ran out (also torch's own out-of-memory error).

    error  any exception; the chain of causes is followed
    source: our choice; torch is recognised by the class name so that it need not be imported
    """
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        if isinstance(current, (MemoryError, ResourceError)):
            return True
        if isinstance(current, OSError) and current.errno in _DISK_ERRNOS | {errno.ENOMEM}:
            return True
        if type(current).__name__ == "OutOfMemoryError":
            return True
        if isinstance(current, RuntimeError) and "can't allocate memory" in str(current):
            return True
        current = current.__cause__ or current.__context__
    return False
