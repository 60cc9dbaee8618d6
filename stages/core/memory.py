"""Memory that is free but still held by the C library goes back to the system."""

from __future__ import annotations

import ctypes
from functools import cache


def give_back_free_memory() -> bool:
    """Whether the C library was asked; only glibc can be. Milliseconds; what is in use stays where it is.

    Torch takes and frees buffers of many sizes, and glibc keeps the gaps between them: without this the resident
    memory of a long clip grows by a sixth and never shrinks.
    """
    trim = _malloc_trim()
    return trim is not None and trim(0) >= 0


@cache
def _malloc_trim():
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library; TypeError where there is no name for "this one"
        return None
