"""Which convention made a published number: every protocol's and variant's number of given films, nearest first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from stages.core.errors import CheckFailed, InputError, UsageError, WeightsError
from stages.metrics.interface import ClipArrays
from stages.metrics.protocol import SHIPPED, Measure, Metric, load_protocol
from stages.scoring.clips import Clip, check_clip, open_clip
from stages.scoring.known_conventions import GRID
from stages.scoring.one_pass import Progress, assert_exact, one_pass
from stages.scoring.pairs import Pair
from stages.scoring.trial import make_measure, make_metric

_SILENT = ("jackknife", "extrapolate", "draws")  # options that decide no number, only what stands beside it


@dataclass(frozen=True)
class Published:
    """A number of a table.

    word   its metric, key of GRID;  text  as it was printed
    value  float;  slack  half a unit of the last printed digit
    """

    word: str
    text: str
    value: float
    slack: float


@dataclass(frozen=True)
class Candidate:
    """What one convention gives.

    word, published  of the number it is compared with
    convention       names of the protocols' columns and variants that give it, "; " between them
    found            float; None = could not be measured, then `why` says it
    deviation        |found - published|; None as `found`
    matches          True: within the printed precision
    n_clips, n_samples, signature   as in a score
    """

    word: str
    published: float
    convention: str
    found: float | None
    deviation: float | None
    matches: bool
    n_clips: int
    n_samples: int
    signature: str
    why: str = ""


def parse_published(text: str) -> tuple[Published, ...]:
    """The numbers of "fvd=1183,psnr=29.7". errors  UsageError: not so, an unknown or doubled word"""
    numbers: dict[str, Published] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        word, _, number = (piece.strip() for piece in part.partition("="))
        if word not in GRID or word in numbers:
            raise UsageError(f"--published: found {part!r}, expected each once: {', '.join(GRID)}, as in fvd=1183")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise UsageError(f"--published: {word} is {number!r}, expected a number as it was printed") from None
        numbers[word] = Published(word, number, value, _slack(number))
    if not numbers:
        raise UsageError('--published: found no number, expected one like "fvd=1183,psnr=29.7"')
    return tuple(numbers.values())


def _slack(text: str) -> float:
    """Half a unit of the last printed digit: 0.005 of "0.21", 0.5 of "1183", 5e-7 of "3.78e-4"."""
    mantissa, _, exponent = text.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    return 0.5 * 10.0 ** (int(exponent or 0) - decimals)


def conventions(words: Sequence[str], same_sizes: bool) -> dict[str, tuple[str, Metric]]:
    """Signature -> (names, Metric) of everything that goes by the words, each way of computing once.

    same_sizes  True: leave out the ways to bring generated frames to the real size
    """
    found: dict[str, tuple[str, Metric]] = {}

    def add(name: str, metric: Metric) -> None:
        names, first = found.get(metric.signature, ("", metric))
        found[metric.signature] = (f"{names}; {name}" if names else name, first)

    for protocol in map(load_protocol, SHIPPED):
        for metric in protocol.metrics:
            if metric.name.partition("_")[0] in words:
                add(f"{protocol.name}: {metric.label}", metric)
    for word in words:
        for kind, options, reduce, settings in GRID[word]:
            if same_sizes:
                options = {name: values[:1] if name == "align" else values for name, values in options.items()}
            for chosen in _combinations(options):
                measure = make_measure(kind, **chosen)
                for setting in _combinations(settings):
                    metric = make_metric(measure, reduce, **setting)
                    add(_describe(kind, chosen | setting), metric)
    return found


def _combinations(table: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(table, values, strict=True)) for values in product(*table.values())]


def _describe(kind: str, chosen: Mapping[str, Any]) -> str:
    told = {name: value for name, value in chosen.items() if value is not False and name not in _SILENT}
    words = [name if value is True else f"{name}={value}" for name, value in told.items()]
    return f"{kind} {' '.join(words)}"


def audit(
    pairs: Sequence[Pair], published: Sequence[Published], device: str, progress: Progress | None = None
) -> list[Candidate]:
    """Every convention's number beside the published one it goes by, nearest first for each word.

    errors  InputError: unreadable or unlike films, no real ones
    """
    clips = [open_clip(pair, None) for pair in pairs]
    for clip in clips:
        if clip.real is None:
            raise InputError(f"clip {clip.pair.name}: found no real film, expected one (--real)")
    tried = {
        number.word: conventions([number.word], all(c.real.size == c.generated.size for c in clips))
        for number in published
    }
    measures = {m.measure.layer: m.measure for table in tried.values() for _, m in table.values()}
    absent = _absent(measures, clips)
    wanted = [measure for layer, measure in measures.items() if layer not in absent]
    assert_exact(device)
    kept: dict[str, list[ClipArrays]] = {measure.layer: [] for measure in wanted}
    for clip in clips:
        for layer, arrays in _measure(clip, wanted, device, progress).items():
            kept[layer].append(arrays)
    candidates = []
    for number in published:
        rows = [_candidate(number, names, m, kept, absent) for names, m in tried[number.word].values()]
        candidates += sorted(rows, key=_distance)
    return candidates


def _distance(candidate: Candidate) -> tuple[bool, float, bool]:
    """Matches first, then nearest first; of conventions that differ by rounding alone the protocols' first."""
    deviation = math.inf if candidate.deviation is None else candidate.deviation
    relative = deviation / max(abs(candidate.published), 1e-12)
    return not candidate.matches, float(f"{relative:.5f}"), not _protocols(candidate)


def _protocols(candidate: Candidate) -> list[str]:
    """The protocols' columns among a convention's names."""
    return [name for name in candidate.convention.split("; ") if ": " in name]


def _absent(measures: Mapping[str, Measure], clips: Sequence[Clip]) -> dict[str, str]:
    """Layer -> why it cannot be measured here: its network is missing, or a clip does not have what it takes."""
    from stages.weights import resolve

    absent = {}
    for layer, measure in measures.items():
        try:
            for name in measure.module.weights(measure.options):
                resolve(name)
            for clip in clips:
                if clip.lacks(measure):
                    raise InputError(f"clip {clip.pair.name}: {measure.kind} {clip.lacks(measure)}")
                check_clip(clip, [measure])
        except (WeightsError, InputError) as error:
            absent[layer] = str(error)
    return absent


def _measure(clip: Clip, measures: Sequence[Measure], device: str, progress: Progress | None) -> dict[str, ClipArrays]:
    """Layer -> the arrays of one clip; one pass over its frames."""
    context = clip.context(device)
    collectors = {measure.layer: measure.module.collector(measure.options, context) for measure in measures}
    one_pass(clip, collectors, progress)
    return {
        layer: ClipArrays(clip.pair.name, clip.reference_frame, collector.finish())
        for layer, collector in collectors.items()
    }


def _candidate(
    number: Published, names: str, metric: Metric, kept: Mapping[str, list[ClipArrays]], absent: Mapping[str, str]
) -> Candidate:
    layer = metric.measure.layer
    if layer in absent:
        return Candidate(number.word, number.value, names, None, None, False, 0, 0, metric.signature, absent[layer])
    summary = metric.module.summarise(metric.options, kept[layer])
    if not math.isfinite(summary.value):
        why = "gives no number for these films"
        return Candidate(number.word, number.value, names, None, None, False, 0, 0, metric.signature, why)
    deviation = abs(summary.value - number.value)
    matches = deviation <= number.slack * (1 + 1e-9)
    counts = summary.n_clips, summary.n_samples
    return Candidate(number.word, number.value, names, summary.value, deviation, matches, *counts, metric.signature)


def table(candidates: Sequence[Candidate], rows: int = 8) -> list[str]:
    """Lines for people: for each word all numbers that match, and the nearest others up to `rows`; conventions that
    give one and the same number share a line, named by the protocols among them, else by the first."""
    lines = []
    for word in dict.fromkeys(candidate.word for candidate in candidates):
        of_word = [candidate for candidate in candidates if candidate.word == word]
        matching = sum(candidate.matches for candidate in of_word)
        lines.append(f"{word} = {of_word[0].published:g}: {matching} of {len(of_word)} conventions give it")
        groups: dict[str, list[Candidate]] = {}
        for candidate in of_word:
            same = candidate.why if candidate.found is None else f"{candidate.found:.12g}"
            groups.setdefault(same, []).append(candidate)
        shown = [group for number, group in enumerate(groups.values()) if group[0].matches or number < rows]
        lines += [_line(group) for group in shown]
    return lines


def _line(group: Sequence[Candidate]) -> str:
    first = group[0]
    named = [name for candidate in group for name in _protocols(candidate)] or [first.convention]
    others = sum(1 for candidate in group if not _protocols(candidate)) - (named == [first.convention])
    more = f" (and {others} variants)" if others > 0 else ""
    why = f": {first.why}" if first.why else ""
    found = "-" if first.found is None else f"{first.found:.6g}"
    return f"  {'*' if first.matches else ' '} {found:>10}  {'; '.join(named)}{more}{why}"


def raise_for(candidates: Sequence[Candidate]) -> None:
    """Nothing when every number was found again. errors  CheckFailed: a published number that no convention gives"""
    words = dict.fromkeys(candidate.word for candidate in candidates)
    lost = [word for word in words if not any(c.matches for c in candidates if c.word == word)]
    if lost:
        first = next(c for c in candidates if c.word == lost[0])
        nothing = f"nothing could be measured ({first.why})"
        nearest = nothing if first.found is None else f"the nearest is {first.found:.6g}"
        raise CheckFailed(f"score audit: no convention gives {lost[0]} = {first.published:g}, {nearest}")
