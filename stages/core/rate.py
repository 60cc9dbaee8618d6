"""Frame rates that a user asks for."""

from fractions import Fraction

from stages.core.errors import UsageError


def asked_rate(text: str) -> Fraction:
    """The pictures a second that --fps says, such as "24" or "30000/1001".

    errors  UsageError: no number from 1 to 240
    """
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"--fps: found {text!r}, expected a number such as 24 or 30000/1001") from None
    if not 1 <= rate <= 240:
        raise UsageError(f"--fps: found {text}, expected 1..240")
    return rate
