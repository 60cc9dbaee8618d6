"""Whether the metrics of this machine give the numbers they must: known answers, before days of computing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stages.core.errors import CheckFailed, StageError, WeightsError
from stages.scoring.known_answers import Fixture, fixtures
from stages.scoring.one_pass import assert_exact

VERDICTS = ("ok", "off", "missing")
_NEAR = 0.02  # a relative deviation below this smells of reduced precision, not of other weights


@dataclass(frozen=True)
class Check:
    """What became of one question.

    name       of the fixture;  expected, tolerance  as there
    found      float; None = no number (its network is missing, or an error)
    deviation  |found - expected|; None as `found`
    verdict    one of VERDICTS
    cause      "" or the likely cause, one line
    """

    name: str
    expected: float
    tolerance: float
    found: float | None
    deviation: float | None
    verdict: str
    cause: str = ""


def examine(device: str, questions: Sequence[Fixture] | None = None) -> Iterator[Check]:
    """The Check of every question, in turn, under the settings `score` works with.

    device  torch device ("cpu", "cuda", ...)
    """
    assert_exact(device)
    for fixture in fixtures() if questions is None else questions:
        yield _examine(fixture, device)


def _examine(fixture: Fixture, device: str) -> Check:
    try:
        found = float(fixture.find(device))
    except WeightsError as error:
        return Check(fixture.name, fixture.expected, fixture.tolerance, None, None, "missing", str(error))
    except StageError as error:
        return Check(fixture.name, fixture.expected, fixture.tolerance, None, None, "off", str(error))
    deviation = abs(found - fixture.expected)
    good = deviation <= fixture.tolerance  # NaN is not
    cause = "" if good else _cause(fixture, found, deviation)
    return Check(fixture.name, fixture.expected, fixture.tolerance, found, deviation, "ok" if good else "off", cause)


def _cause(fixture: Fixture, found: float, deviation: float) -> str:
    for value, cause in fixture.mistakes:
        if abs(found - value) <= max(fixture.tolerance, 1e-4 * abs(value)):
            return cause
    if fixture.networks and math.isfinite(found) and deviation <= _NEAR * abs(fixture.expected):
        return "reduced precision (TF32, half or bfloat16)"
    return fixture.otherwise


def table(checks: Sequence[Check]) -> list[str]:
    """Lines for people: name, expected, found, deviation, verdict and cause."""
    width = max([len(check.name) for check in checks] + [4])
    lines = [f"{'test':{width}}  {'expected':>12}  {'found':>12}  {'off by':>8}  verdict"]
    for check in checks:
        found = "-" if check.found is None else f"{check.found:.7g}"
        deviation = "-" if check.deviation is None else f"{check.deviation:.1e}"
        cause = f": {check.cause}" if check.cause else ""
        row = f"{check.name:{width}}  {check.expected:>12.7g}  {found:>12}  {deviation:>8}  {check.verdict}{cause}"
        lines.append(row)
    return lines


def raise_for(checks: Sequence[Check]) -> None:
    """Nothing when all is well. errors  CheckFailed: a number is off. WeightsError: else, a network is missing"""
    off = [check for check in checks if check.verdict == "off"]
    missing = [check for check in checks if check.verdict == "missing"]
    if off:
        first = f"{off[0].name}: {off[0].cause}"
        raise CheckFailed(f"score doctor: {len(off)} of {len(checks)} numbers are off ({first})")
    if missing:
        raise WeightsError(
            f"score doctor: {len(missing)} of {len(checks)} tests lack their network ({missing[0].cause})"
        )
