"""The clip browser's data: which films stand side by side, and what each clip scored."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path

from stages.reporting.curves import Series
from stages.reporting.previews import Preview, Store
from stages.reporting.table import Key, Line, Report, Source
from stages.reporting.wording import Digits, heading, protocol_words

_MOST_NUMBERS = 250_000  # frame values in one page; more would make it slow to open
_DIGITS = 5
AllSeries = Mapping[str, Mapping[Key, Series]]


def clip_data(
    report: Report,
    store: Store,
    digits: Mapping[Key, Digits],
    series: AllSeries,
    progress: Callable[[int, int | None, str], None] | None = None,
) -> dict[str, object]:
    """JSON-ready data of the page's script; films are in `films`: id -> data URI.

    series  path of a run -> its values over time
    """
    columns = [column for column in report.columns if column.per_clip]
    firsts = [_first_source(report, line) for line in report.methods]
    places = _places(report, firsts)
    films: dict[str, str] = {}
    clips = []
    for done, (test_set, name) in enumerate(places):
        entries = {
            number: entry
            for number, source in enumerate(firsts)
            if source is not None and source.test_set == test_set and (entry := _entry(source, name)) is not None
        }
        clip = _clip(report, store, firsts, entries, films)
        clip["name"] = name
        clip["values"] = {
            _id(column.key): {
                number: (line.cells[column.key].per_clip or {}).get(name)
                for number, line in enumerate(report.methods)
                if line.test_set == test_set
            }
            for column in columns
        }
        clips.append(clip)
        if progress is not None:
            progress(done + 1, len(places), "previews")
    _add_series(report, clips, firsts, series)
    return {
        "methods": [report.name_of(line) for line in report.methods],
        "columns": [
            {
                "id": _id(column.key), "label": heading(column), "protocol": protocol_words(report, column.protocol),
                "direction": column.direction, "decimals": digits[column.key].decimals,
                "scientific": digits[column.key].scientific,
            }
            for column in columns
        ],
        "clips": clips,
        "films": films,
    }  # fmt: skip


def _id(key: Key) -> str:
    return "/".join(key)


def _first_source(report: Report, line: Line) -> Source | None:
    """The run of the lowest seed that names films."""
    own = [s for s in report.sources if (s.method, s.test_set) == (line.name, line.test_set) and s.clips]
    return min(own, key=lambda source: source.seed, default=None)


def _places(report: Report, firsts: list[Source | None]) -> list[tuple[int, str]]:
    """(test set, clip) of every clip that has films or values."""
    found = {(s.test_set, str(clip["name"])) for s in firsts if s is not None for clip in s.clips}
    for line in report.methods:
        found |= {(line.test_set, name) for cell in line.cells.values() for name in cell.per_clip or ()}
    return sorted(found)


def _entry(source: Source, name: str) -> Mapping[str, object] | None:
    return next((clip for clip in source.clips if clip["name"] == name), None)


def _clip(
    report: Report,
    store: Store,
    firsts: list[Source | None],
    entries: Mapping[int, Mapping[str, object]],
    films: dict[str, str],
) -> dict[str, object]:
    """Tiles of one clip: reference, real, driver where it is another film, then the methods."""
    tiles = []
    if not entries:
        return {"fps": 25.0, "frames": 1, "tiles": []}
    number, first = next(iter(entries.items()))
    fps = _rate(first)

    def path(entry: Mapping[str, object], role: str, source: Source) -> str:
        words = str(entry.get(role) or "")
        return words if not words or words.startswith("frame:") else os.path.join(Path(source.path).parent, words)

    real, driving, reference = (path(first, role, firsts[number]) for role in ("real", "driving", "reference"))
    if reference:
        tiles.append(_tile("Reference", None, store.photo(reference, real, fps), films))
    if real:
        tiles.append(_tile("Real", None, store.film(real, fps, ai=False, what="a real film"), films))
    if driving and driving != real:
        tiles.append(_tile("Driving", None, store.film(driving, fps, ai=False, what="a driver's film"), films))
    for place, entry in entries.items():
        source = firsts[place]
        generated = path(entry, "generated", source)
        name = report.name_of(report.methods[place])
        if not generated:
            continue
        tile = _tile(name, place, store.film(generated, fps, ai=True, what=f"a film of {source.method}"), films)
        if len([s for s in report.sources if (s.method, s.test_set) == (source.method, source.test_set)]) > 1:
            tile["note"] = f"seed {source.seed}"
        tiles.append(tile)
    return {"fps": float(fps), "frames": int(first.get("frames") or 1), "tiles": tiles}


def _rate(entry: Mapping[str, object]) -> Fraction:
    try:
        return Fraction(str(entry.get("fps"))) or Fraction(25)
    except (ValueError, ZeroDivisionError):
        return Fraction(25)


def _tile(title: str, method: int | None, preview: Preview, films: dict[str, str]) -> dict[str, object]:
    film, href = "", preview.href
    if not preview.still and href.startswith("data:"):
        film, href = next((key for key, text in films.items() if text == href), f"film-{len(films)}"), ""
        films[film] = preview.href
    return {
        "title": title, "method": method, "film": film, "href": href, "still": preview.still, "poster": preview.poster,
        "ai": preview.ai, "why": preview.why, "note": "", "sound": preview.sound,
    }  # fmt: skip


def _add_series(report: Report, clips: list[dict], firsts: list[Source | None], series: AllSeries) -> None:
    """`series` of every clip: column -> method -> value per frame, null = not measured; left out where too much."""
    total = 0
    for clip in clips:
        found: dict[str, dict[int, list[float | None]]] = {}
        for number, source in enumerate(firsts):
            for key, entry in series.get(source.path, {}).items() if source is not None else ():
                values = entry.clips.get(str(clip["name"]), {})
                if entry.unit == "frame" and values and _id(key) in clip["values"]:
                    line = [values.get(frame) for frame in range(int(clip["frames"]))]
                    found.setdefault(_id(key), {})[number] = [
                        v if v is None else float(f"{v:.{_DIGITS}g}") for v in line
                    ]
                    total += len(line)
        if total > _MOST_NUMBERS:
            return
        clip["series"] = found
