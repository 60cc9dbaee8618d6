"""`--require "lpips<0.25"`: numbers a run must reach."""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass

from stages.core.errors import CheckFailed, UsageError
from stages.metrics.protocol import Protocol
from stages.metrics.results import Score

_TESTS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}
_FORM = re.compile(r"\s*(?:([^:<>=\s]+):)?([^:<>=\s]+)\s*(<=|>=|<|>)\s*(\S+)\s*")


@dataclass(frozen=True)
class Requirement:
    """One demand: text as given, protocol, metric, comparison and limit."""

    text: str
    protocol: str
    metric: str
    comparison: str
    limit: float


def parse_requirements(texts: Sequence[str], protocols: Sequence[Protocol]) -> tuple[Requirement, ...]:
    """The requirements, each of one number that the protocols give.

    errors  UsageError: another form, a number no protocol or several protocols give
    """
    result = []
    for text in texts:
        match = _FORM.fullmatch(text)
        try:
            limit = float(match[4]) if match else float("nan")
        except ValueError:
            limit = float("nan")
        if match is None or limit != limit:
            raise UsageError(f'--require: found {text!r}, expected a form like "lpips<0.25" or "disco-2024:psnr>=20"')
        having = [p for p in protocols if match[1] in (None, p.name) and match[2] in {m.name for m in p.metrics}]
        if not having:
            names = ", ".join(f"{p.name}:{m.name}" for p in protocols for m in p.metrics)
            raise UsageError(f"--require: found {text!r}, expected one of {names}")
        if len(having) > 1:
            raise UsageError(
                f"--require: {match[2]!r} is in {' and '.join(p.name for p in having)}; write {having[0].name}:{text}"
            )
        result.append(Requirement(text, having[0].name, match[2], match[3], limit))
    return tuple(result)


def check_requirements(requirements: Sequence[Requirement], scores: Sequence[Score]) -> None:
    """Nothing when all hold. errors  CheckFailed that names every number that does not, or is not measured"""
    numbers = {(score.protocol, score.name): score for score in scores}
    failed = []
    for wish in requirements:
        score = numbers[wish.protocol, wish.metric]
        if score.value is None:
            failed.append(f"{wish.text}: not measured ({score.why})")
        elif not _TESTS[wish.comparison](score.value, wish.limit):
            failed.append(f"{wish.text}: found {score.value:.6g} ({wish.protocol})")
    if failed:
        raise CheckFailed(f"--require {'; --require '.join(failed)}")
