"""The report as one HTML page that needs nothing else: tables, charts, and the films side by side on one clock."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from html import escape
from importlib import resources
from pathlib import Path

from stages.reporting import wording
from stages.reporting.charts import charts
from stages.reporting.clips import clip_data
from stages.reporting.curves import read_series
from stages.reporting.html_tables import differences, published, scores
from stages.reporting.previews import Store
from stages.reporting.table import Report

VERSION = 1
_KEY = '<meta name="dreamactor-key" content="'


def page_key(report: Report, embed_mb: float) -> str:
    """sha256 of everything that decides the page: numbers, frames' hashes, which films are there, our version."""
    from stages.reporting.markdown import render as as_markdown

    total = hashlib.sha256(f"{VERSION}|{embed_mb}|".encode())
    total.update(as_markdown(report).encode())
    for name in ("page.css", "page.js"):
        total.update(_asset(name).encode())
    for source in report.sources:
        folder = Path(source.path).parent
        there = [
            os.path.exists(folder / str(clip[role]))
            for clip in source.clips
            for role in ("generated", "real", "reference", "driving")
            if clip.get(role)
        ]
        total.update(json.dumps([source.generated, source.clips, there], sort_keys=True, default=str).encode())
        table = folder / "clips.csv"
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
) -> tuple[str, list[str]]:
    """(the page's text, a line per film that cannot be shown).

    embed_mb  megabytes of films the page may hold; the others are written into a folder beside `page`
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
        f'<main id="main">{scores(report, digits)}{published(report)}{charts(report, series)}{differences(report)}',
        f"{_browser(report, data)}{_notes(report)}</main>",
        *(f'<script type="text/plain" id="{name}">{text}</script>' for name, text in films.items()),
        f'<script type="application/json" id="data">{_json(data)}</script>',
        f"<script>{script}</script></body></html>",
    ]
    lost = [
        f"clip {clip['name']}: {tile['title']} cannot be shown: {tile['why']}"
        for clip in data["clips"]
        for tile in clip["tiles"]
        if tile["why"]
    ]
    return "\n".join(parts) + "\n", lost


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


def _browser(report: Report, data: Mapping[str, object]) -> str:
    columns = "".join(
        f'<option value="{number}">{escape(entry["label"])}, {escape(entry["protocol"])}</option>'
        for number, entry in enumerate(data["columns"])
    )
    methods = "".join(f'<option value="{n}">{escape(name)}</option>' for n, name in enumerate(data["methods"]))
    return f"""<section id="clips"><h2>Clips</h2>
<p class="soft">All films of a clip run on one clock. Films of methods are AI-made. Previews are small H.264 films; the
scores were measured on the originals. Keys: <kbd>space</kbd> or <kbd>k</kbd> plays,
<kbd>←</kbd> <kbd>→</kbd> go one frame, <kbd>Home</kbd> <kbd>End</kbd> to the ends.</p>
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
<label hidden><span>Sound</span> <select id="sound" aria-label="Sound of"></select></label>
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
