"""Ways a run is ended from outside. BaseExceptions, so that no stage takes them for an error of its own."""

from __future__ import annotations


class Terminated(BaseException):
    """SIGTERM arrived; context managers clean up on the way out, then the exit code is 143."""


class ClosedPipe(BaseException):
    """Whoever read our stdout has gone; the exit code is 141."""
