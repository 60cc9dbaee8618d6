"""What a report shows, before it is drawn: columns, methods, cells, differences and the notes under the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Key = tuple[str, str]
FLOORS = {
    "codec": "real, own codec round trip",
    "static": "real, first frame repeated",
    "halves": "real, one half against the other",
}


@dataclass(frozen=True)
class Column:
    """One metric of one protocol.

    protocol, name, label, unit, direction  as in stages.metrics.results.Score
    faithful    False: the protocol repeats another code's mistakes and the heading says "bug-compatible"
    per_clip    True: every clip has a value; False: a number of the whole set (FID, FVD, KID)
    signatures  every signature that occurs, in order of appearance; more than one = nothing is ranked in this column
    """

    protocol: str
    name: str
    label: str
    unit: str
    direction: str
    faithful: bool
    per_clip: bool
    signatures: tuple[str, ...]

    @property
    def key(self) -> Key:
        return self.protocol, self.name

    @property
    def mixed(self) -> bool:
        return len(self.signatures) > 1


@dataclass(frozen=True)
class Cell:
    """One number of a table; several seeds are one cell.

    value      mean over seeds; None = not measured, `why` says it
    interval   95%: the mean of the seeds' lower and upper ends (never narrower than one seed's on average)
    n_clips, n_samples, coverage   the least of any seed
    imputed    mean over seeds of the value with missing samples at their worst
    extra      means over seeds, of what all seeds have
    per_clip   clip -> mean over seeds, None = not measured in it. None = number of the whole set
    seeds      seed -> value
    seed_sd    sample standard deviation over seeds, None below two
    signature  number in Column.signatures
    """

    value: float | None
    interval: tuple[float, float] | None = None
    how: str = ""
    n_clips: int = 0
    n_samples: int = 0
    coverage: float = 1.0
    imputed: float | None = None
    extra: Mapping[str, float] = field(default_factory=dict)
    per_clip: Mapping[str, float | None] | None = None
    seeds: Mapping[int, float] = field(default_factory=dict)
    seed_sd: float | None = None
    signature: int = 0
    why: str = ""


@dataclass(frozen=True)
class Line:
    """One row of a table: a method or a floor.

    name      the method's name, or the key of a floor
    test_set  number in Report.test_sets
    cells     Column.key -> Cell
    best      keys of the columns in which the number is bold
    """

    name: str
    test_set: int
    cells: Mapping[Key, Cell]
    best: frozenset[Key] = frozenset()


@dataclass(frozen=True)
class Difference:
    """One method against the baseline in one column.

    mean, low, high  of the clips' differences (method - baseline); ends None = not paired
    p                sign-flip test over clips (numbers of the whole set: of the jackknife error); None: not paired
    win_rate, n      share of clips in which the method is better, ties half, None where no direction is; clips compared
    verdict          "better", "worse", "differs" (no direction is better), "no difference shown" (the interval holds
                     zero) or "no paired interval"
    """

    method: str
    key: Key
    mean: float
    low: float | None
    high: float | None
    p: float | None
    win_rate: float | None
    n: int
    verdict: str


@dataclass(frozen=True)
class Published:
    """A number somebody printed; never ranked.

    method, protocol, metric, source  words of the file
    value, text  the number, and as it was printed
    """

    method: str
    protocol: str
    metric: str
    value: float
    text: str
    source: str


@dataclass(frozen=True)
class Source:
    """A run that took part: where it lies and how it was made."""

    path: str
    method: str
    seed: int
    test_set: int
    generated: str
    command: tuple[str, ...]
    env: Mapping[str, object]
    clips: tuple[Mapping[str, object], ...]


@dataclass(frozen=True)
class Report:
    """Everything the drawing modules need.

    test_sets  one Mapping per test set as in Run.test_set; more than one = nothing is ranked
    protocols  name -> {"title", "faithful", "sha256"}
    baseline   name of the method of `differences`, "" = none
    notes      lines under the table
    """

    title: str
    columns: tuple[Column, ...]
    methods: tuple[Line, ...]
    floors: tuple[Line, ...]
    published: tuple[Published, ...]
    differences: tuple[Difference, ...]
    baseline: str
    test_sets: tuple[Mapping[str, object], ...]
    protocols: Mapping[str, Mapping[str, object]]
    sources: tuple[Source, ...]
    notes: tuple[str, ...] = ()

    @property
    def mixed(self) -> bool:
        return len(self.test_sets) > 1

    def columns_of(self, protocol: str) -> tuple[Column, ...]:
        """The columns of one protocol in order."""
        return tuple(column for column in self.columns if column.protocol == protocol)

    def name_of(self, line: Line) -> str:
        """The method's name, with the letter of its test set where there are several."""
        return f"{line.name} (test set {self.letter(line)})" if self.mixed else line.name

    def floor_name(self, line: Line) -> str:
        """A floor in words."""
        name = FLOORS.get(line.name, line.name)
        return f"{name} (test set {self.letter(line)})" if self.mixed else name

    @staticmethod
    def letter(line: Line) -> str:
        """A, B, ... for a line's test set."""
        return letters(line.test_set)


def letters(number: int) -> str:
    """A..Z, then A1, B1, ...: the label of the n-th test set or signature."""
    turn, place = divmod(number, 26)
    return chr(ord("A") + place) + (str(turn) if turn else "")
