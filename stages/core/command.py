"""The command that is running, for the provenance of what it writes. Unset in a library call."""

from __future__ import annotations

from contextvars import ContextVar

running_command: ContextVar[tuple[str, ...] | None] = ContextVar("running_command", default=None)
"""Words of a command line that makes the current item alone, for example ("dreamactor", "encode-face", "a.zarr")."""
