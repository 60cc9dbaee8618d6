"""The report as one HTML page that needs nothing else: tables, charts, and the films side by side on one clock."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path

from stages.reporting import svg, wording
from stages.reporting.charts import charts
from stages.reporting.clips import clip_data
from stages.reporting.curves import read_series
from stages.reporting.previews import Store
from stages.reporting.table import Column, Key, Line, Report

VERSION = 1
_LETTERS = re.compile(r"[A-Za-z]{3}")
_KEY = '<meta name="dreamactor-key" content="'


def page_key(report: Report, embed_mb: float) -> str:
    """sha256 of everything that decides the page: the numbers, the frames' hashes, the curves' files, our version."""
    from stages.reporting.markdown import render as as_markdown

    total = hashlib.sha256(f"{VERSION}|{embed_mb}|".encode())
    total.update(as_markdown(report).encode())
    for name in ("page.css", "page.js"):
        total.update(_asset(name).encode())
    for source in report.sources:
        total.update(json.dumps([source.generated, source.clips], sort_keys=True, default=str).encode())
        table = Path(source.path).parent / "clips.csv"
        total.update(hashlib.sha256(table.read_bytes()).digest() if table.is_file() else b"none")
    return total.hexdigest()


def key_in(path: Path) -> str:
    """The key of a page that `render` made; "" for any other file."""
    with path.open("rb") as file:
        head = file.read(4096).decode("utf-8", "replace")
    return head.partition(_KEY)[2].partition('"')[0]


def render(
    report: Report,
    page: Path,
    embed_mb: float,
    progress: Callable[[int, int | None, str], None] | None = None,
) -> str:
    """The page's text; films that do not fit into `embed_mb` are written into a folder beside `page`.

    progress  called with (clips done, clips, "previews")
    """
    digits = wording.column_digits(report)
    series = {source.path: read_series(Path(source.path).parent / "clips.csv") for source in report.sources}
    data = clip_data(report, Store(page, int(embed_mb * 1e6)), digits, series, progress)
    films = data.pop("films")
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "img-src data: blob: file: 'self'; media-src data: blob: file: 'self'"
    )
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'{_KEY}{page_key(report, embed_mb)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="generator" content="dreamactor report">',
        f"<title>{escape(report.title)}</title>",
        f"<style>{style}</style></head><body>",
        _head(report),
        f'<main id="main">{_scores(report, digits)}{_published(report)}{charts(report, series)}{_differences(report)}',
        f"{_browser(report, data)}{_notes(report)}</main>",
        *(f'<script type="text/plain" id="{name}">{text}</script>' for name, text in films.items()),
        f'<script type="application/json" id="data">{_json(data)}</script>',
        f"<script>{script}</script></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _asset(name: str) -> str:
    return (resources.files("stages.reporting") / name).read_text("utf-8")


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii") + "'"


def _json(values: object) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _head(report: Report) -> str:
    methods = len({line.name for line in report.methods})
    sets = "; ".join(
        f"{test_set.get('clips', '?')} clips, {test_set.get('frames', '?')} frames, test set "
        f"<code>{escape(str(test_set.get('sha256', ''))[:12])}</code>"
        for test_set in report.test_sets
    )
    warnings = []
    if report.mixed:
        warnings.append("Rows of different test sets do not compare: nothing is ranked, nothing is bold.")
    elif any(column.mixed for column in report.columns):
        warnings.append("Columns measured in several ways are not ranked; the signatures below say how they differ.")
    links = [("scores", "Scores")]
    links += [("published", "Reported elsewhere")] if report.published else []
    links += [("charts", "Charts")]
    links += [("differences", "Differences")] if report.differences else []
    links += [("clips", "Clips"), ("notes", "Notes and signatures")]
    items = "".join(f'<li><a href="#{place}">{words}</a></li>' for place, words in links)
    return (
        '<a class="skip" href="#main">Skip to the scores</a>'
        f'<header><h1>{escape(report.title)}</h1><p class="lead">{methods} method{"s" * (methods != 1)}; {sets}</p>'
        + "".join(f'<p class="warn" role="note">{escape(words)}</p>' for words in warnings)
        + f'</header><nav aria-label="Parts of the page"><ul>{items}</ul></nav>'
    )


def _scores(report: Report, digits: Mapping[Key, wording.Digits]) -> str:
    parts = ['<section id="scores"><h2>Scores</h2>', _legend(report)]
    for protocol, facts in report.protocols.items():
        columns = report.columns_of(protocol)
        bug = "" if facts.get("faithful", True) else f' <span class="bug">{wording.BUG}</span>'
        title = f"{str(facts['title']).strip().rstrip('.')}. " if facts.get("title") else ""
        shown = "" if report.mixed else "; bold where the difference to every other method is shown"
        about = f"{title[:1].upper()}{title[1:]}Below each number its 95% interval{shown}."
        parts.append(f'<h3>{escape(protocol)}{bug}</h3><p class="soft">{escape(about)}</p>')
        parts.append(_table(report, protocol, columns, digits))
    return "".join([*parts, "</section>"])


def _legend(report: Report) -> str:
    items = (
        f'<li data-method="{number}">{svg.key(number)}{escape(report.name_of(line))}</li>'
        for number, line in enumerate(report.methods)
    )
    return f'<ul class="legend" aria-label="Methods">{"".join(items)}</ul>'


def _table(report: Report, protocol: str, columns: Sequence[Column], digits: Mapping[Key, wording.Digits]) -> str:
    floors = wording.floors_with(report, columns)
    methods = "".join(
        _row(line, f"{svg.key(number)}{escape(report.name_of(line))}", columns, digits)
        for number, line in enumerate(report.methods)
    )
    grey = "".join(_row(line, escape(report.floor_name(line)), columns, digits) for line in floors)
    sort = not report.mixed
    head = f'<th scope="col">{"<button type=button>Method</button>" if sort else "Method"}</th>'
    head += "".join(_heading(report, column, sort) for column in columns)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="Scores, {escape(protocol)}">'
        f'<table class="{"sortable" if sort else ""}">'
        f"<thead><tr>{head}</tr></thead><tbody>{methods}</tbody>"
        + (f'<tbody class="floors">{grey}</tbody>' if grey else "")
        + "</table></div>"
    )


def _heading(report: Report, column: Column, sort: bool) -> str:
    words = escape(wording.heading(column))
    inner = f'<button type="button">{words}</button>' if sort and not column.mixed else words
    bug = "" if column.faithful else f' <span class="bug">{wording.BUG}</span>'
    return (
        f'<th scope="col" data-direction="{escape(column.direction)}">{inner}'
        f'<span class="protocol">{escape(column.protocol)}{bug}</span></th>'
    )


def _row(line: Line, name: str, columns: Sequence[Column], digits: Mapping[Key, wording.Digits]) -> str:
    cells = []
    for column in columns:
        cell = line.cells.get(column.key)
        words = wording.words_of(line, column, digits[column.key])
        value = escape(words.value)
        value = f"<strong>{value}</strong>" if words.bold else value
        besides = [words.interval, *words.besides] if cell and cell.value is not None else [words.why]
        small = "".join(f'<span class="beside">{escape(part)}</span>' for part in besides if part)
        raw = "" if cell is None or cell.value is None else repr(cell.value)
        cells.append(f'<td data-value="{raw}">{value}{small}</td>')
    return f'<tr><th scope="row">{name}</th>{"".join(cells)}</tr>'


def _published(report: Report) -> str:
    if not report.published:
        return ""
    heads, rows = wording.published_table(report)
    return (
        f'<section id="published"><h2>{wording.PUBLISHED_TITLE}</h2><p class="soft">Printed by others, '
        "on other films and with other code. Never ranked, and not to be set beside the numbers above.</p>"
        + plain_table("Published numbers", heads, rows)
        + "</section>"
    )


def _differences(report: Report) -> str:
    if not report.differences:
        return ""
    rows = wording.difference_rows(report)
    return (
        f'<section id="differences"><h2>Paired differences to {escape(report.baseline)}</h2>'
        '<p class="soft">Of the same clips; numbers of the whole set by leaving the same groups of clips out of both. '
        "The intervals are per pair, not corrected for how many pairs there are.</p>"
        + plain_table("Paired differences", wording.DIFFERENCE_HEADS, rows)
        + "</section>"
    )


def plain_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of words; the first column is the row's name."""
    kinds = ["words" if any(_LETTERS.search(row[place]) for row in rows) else "" for place in range(len(heads))]
    head = "".join(
        f'<th scope="col" class="{kind}">{escape(word)}</th>' for kind, word in zip(kinds, heads, strict=True)
    )
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(_word(word, kind) for kind, word in zip(kinds[1:], row[1:], strict=True))
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(title)}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _word(word: str, kind: str) -> str:
    verdict = f" {word}" if word in ("better", "worse") else ""
    return f'<td class="{kind}{verdict}">{escape(word)}</td>'


def _browser(report: Report, data: Mapping[str, object]) -> str:
    columns = "".join(
        f'<option value="{number}">{escape(entry["label"])}, {escape(entry["protocol"])}</option>'
        for number, entry in enumerate(data["columns"])
    )
    methods = "".join(f'<option value="{n}">{escape(name)}</option>' for n, name in enumerate(data["methods"]))
    return f"""<section id="clips"><h2>Clips</h2>
<p class="soft">All films of a clip run on one clock. Films of methods are AI-made. Previews are small H.264 films; the
scores were measured on the originals. Keys: <kbd>space</kbd> plays, <kbd>←</kbd> <kbd>→</kbd> go one frame,
<kbd>Home</kbd> <kbd>End</kbd> to the ends.</p>
<noscript><p class="warn">Choosing and playing clips needs JavaScript; tables and charts do not.</p></noscript>
<div class="browser"><div class="choose">
<label>Order by <select id="metric">{columns}</select></label>
<label>of <select id="method">{methods}</select></label>
<label>starting with the <select id="order"><option value="worst">worst</option><option value="best">best</option>
<option value="name">name</option></select></label>
<ol id="clip-list" aria-label="Clips"></ol></div>
<div class="viewer"><h3 id="clip-name" aria-live="polite"></h3>
<div class="tiles" id="tiles"></div><div id="series"></div>
<div class="transport" role="group" aria-label="Playback of all films">
<button type="button" id="play">▶ Play</button>
<button type="button" id="back" aria-label="One frame back">−1</button>
<button type="button" id="forward" aria-label="One frame forward">+1</button>
<input type="range" id="seek" min="0" max="0" value="0" step="1" aria-label="Frame">
<output id="readout"></output><label><span>Speed</span> <select id="speed" aria-label="Speed">
<option value="1">1×</option><option value="0.5">½×</option><option value="0.25">¼×</option></select></label>
<label><input type="checkbox" id="loop" checked> Loop</label></div>
<div class="scroll" role="region" tabindex="0" aria-label="Scores of this clip"><table id="clip-values"></table></div>
</div></div></section>"""


def _notes(report: Report) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in wording.footnotes(report))
    signatures = "".join(
        f"<dt>{escape(name)}</dt><dd><code>{escape(text)}</code></dd>" for name, text in wording.signature_lines(report)
    )
    sets = "".join(
        f"<li>Test set <code>{escape(str(entry.get('sha256', '')))}</code>, decoded as "
        f"<code>{escape(str(entry.get('decode', '')))}</code></li>"
        for entry in report.test_sets
    )
    runs = "".join(
        f"<dt>{escape(source.method)}, seed {source.seed}</dt><dd><code>{escape(' '.join(source.command))}</code><br>"
        f"frames sha256 <code>{escape(source.generated)}</code><br>"
        f"<code>{escape(json.dumps(source.env, sort_keys=True, default=str))}</code></dd>"
        for source in report.sources
    )
    return (
        f'<section id="notes"><h2>Notes</h2><ul>{notes}</ul><details><summary>Signatures: every choice behind every '
        f"number</summary><dl>{signatures}</dl></details><details><summary>Runs and test sets</summary><ul>{sets}</ul>"
        f"<dl>{runs}</dl></details></section>"
    )
