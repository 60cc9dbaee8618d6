"""Small charts as inline SVG: colours come from the page (classes m0..m7, grey), so they follow light and dark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 380
_NAMES = 104  # px of the column of names
_RIGHT = 14
_ROW = 24
_AXIS = 34
COLOURS = 8


@dataclass(frozen=True)
class Dot:
    """One row of a dot plot.

    name    text; number  of the method, decides colour and shape
    value, interval  as in Cell; seeds  further marks
    """

    name: str
    number: int
    value: float
    interval: tuple[float, float] | None
    seeds: tuple[float, ...] = ()


@dataclass(frozen=True)
class Scale:
    """A linear axis: low..high are drawn at left..right px."""

    low: float
    high: float
    left: float
    right: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.left + share * (self.right - self.left)


def dot_plot(dots: Sequence[Dot], marks: Mapping[str, float], caption: str) -> str:
    """Values with intervals, one row each.

    marks    name -> value of floors: a dashed line, or words at the edge where it lies outside
    caption  what a screen reader says
    """
    numbers = [v for dot in dots for v in (dot.value, *(dot.interval or ()), *dot.seeds)]
    scale = _scale(numbers, _NAMES, WIDTH - _RIGHT)
    inside = {name: value for name, value in marks.items() if scale.low <= value <= scale.high}
    outside = {name: value for name, value in marks.items() if name not in inside}
    top, height = 4, len(dots) * _ROW
    parts = [_axis(scale, top, top + height)]
    for name, value in inside.items():
        x = scale(value)
        parts.append(
            f'<g class="floor"><title>{escape(name)}: {value:.4g}</title>'
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{top + height}" stroke-dasharray="3 3"/></g>'
        )
    for row, dot in enumerate(dots):
        parts.append(_dot(dot, scale, top + (row + 0.5) * _ROW))
    bottom = top + height + _AXIS
    for name, value in outside.items():
        side = "← " if value < scale.low else ""
        arrow = " →" if value > scale.high else ""
        parts.append(f'<text class="small" x="{_NAMES}" y="{bottom}">{side}{escape(name)} {value:.4g}{arrow}</text>')
        bottom += 14
    return _svg(parts, bottom, caption)


def _dot(dot: Dot, scale: Scale, y: float) -> str:
    x = scale(dot.value)
    words = f"{dot.name}: {dot.value:.5g}"
    parts = [f'<g class="{colour(dot.number)}"><title>{escape(words)}{_interval_words(dot.interval)}</title>']
    if dot.interval is not None:
        low, high = map(scale, dot.interval)
        parts.append(f'<line class="bar" x1="{low:.1f}" x2="{high:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
    parts += [f'<circle class="seed" cx="{scale(v):.1f}" cy="{y + 6:.1f}" r="1.8"/>' for v in dot.seeds]
    parts.append(f"{shape(dot.number, x, y)}</g>{_name(dot.name, y)}")
    return "".join(parts)


def difference_plot(
    rows: Sequence[tuple[str, int, Mapping[str, float], tuple[float, float, float] | None]], caption: str
) -> str:
    """Differences of clips as a strip per method, their mean and interval above it, and a line at zero.

    rows  (method, number, clip -> difference, (mean, low, high) or None)
    """
    numbers = [
        0.0,
        *(v for _, _, clips, _ in rows for v in clips.values()),
        *(v for *_, ends in rows for v in ends or ()),
    ]
    scale = _scale(numbers, _NAMES, WIDTH - _RIGHT)
    row_height = _ROW + 14
    top, height = 4, len(rows) * row_height
    zero = scale(0.0)
    parts = [_axis(scale, top, top + height, sign=True)]
    parts.append(f'<line class="zero" x1="{zero:.1f}" x2="{zero:.1f}" y1="{top}" y2="{top + height}"/>')
    for row, (name, number, clips, ends) in enumerate(rows):
        y = top + (row + 0.5) * row_height
        parts.append(f'<g class="{colour(number)}">')
        for place, (clip, value) in enumerate(sorted(clips.items())):
            dy = 6 + (place * 7 % 11) * 0.9  # spread without chance, so that the same runs give the same page
            parts.append(
                f'<circle class="clip" data-clip="{escape(clip)}" cx="{scale(value):.1f}" cy="{y + dy:.1f}" r="3">'
                f"<title>{escape(clip)}: {value:+.4g}</title></circle>"
            )
        if ends is not None:
            mean, low, high = ends
            parts.append(
                f'<line class="bar" x1="{scale(low):.1f}" x2="{scale(high):.1f}" y1="{y - 6:.1f}" y2="{y - 6:.1f}"/>'
            )
            parts.append(shape(number, scale(mean), y - 6, f"{name}: {mean:+.4g}{_interval_words((low, high))}"))
        parts.append(f"</g>{_name(name, y)}")
    return _svg(parts, top + height + _AXIS, caption)


def curve_plot(curves: Sequence[tuple[str, int, Sequence[float], Sequence[float]]], x_title: str, caption: str) -> str:
    """Lines over time with the method's mark at the end.

    curves  (method, number, x values, y values)
    """
    top, bottom, left, right = 10, 150, 52, WIDTH - _RIGHT
    xs = [x for _, _, values, _ in curves for x in values]
    across = Scale(min(xs), max(xs) if max(xs) > min(xs) else min(xs) + 1, left, right - 8)
    values = _scale([y for *_, ys in curves for y in ys], bottom, top)
    parts = []
    marks = ticks(values.low, values.high)
    for tick in marks:
        y = values(tick)
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="small end" x="{left - 6}" y="{y + 4:.1f}">{_tick(tick, marks)}</text>')
    for tick in ticks(across.low, across.high):
        parts.append(f'<text class="small middle" x="{across(tick):.1f}" y="{bottom + 16}">{tick:g}</text>')
    parts.append(f'<text class="small middle" x="{(left + right) / 2:.0f}" y="{bottom + 32}">{escape(x_title)}</text>')
    for name, number, x, y in curves:
        points = " ".join(f"{across(a):.1f},{values(b):.1f}" for a, b in zip(x, y, strict=True))
        end = shape(number, across(x[-1]), values(y[-1]))
        parts.append(
            f'<g class="{colour(number)}"><title>{escape(name)}</title>'
            f'<polyline class="curve" points="{points}"/>{end}</g>'
        )
    return _svg(parts, bottom + 40, caption)


def key(number: int) -> str:
    """A method's mark on its own, for legends and table rows; the name stands beside it."""
    return (
        f'<svg class="key {colour(number)}" viewBox="0 0 14 14" width="14" height="14" aria-hidden="true">'
        f"{shape(number, 7, 7)}</svg>"
    )


def colour(number: int) -> str:
    """The class of a method's colour; after eight methods they come back with other shapes."""
    return f"m{number % COLOURS}"


def shape(number: int, x: float, y: float, title: str = "") -> str:
    """Disc, square, diamond, triangle, cross: methods differ without colour, too."""
    kind = (number + number // COLOURS) % 5
    r = 5.0
    inner = f"<title>{escape(title)}</title>" if title else ""
    if kind == 0:
        return f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="{r}">{inner}</circle>'
    outlines = {
        1: ((-1, -1), (1, -1), (1, 1), (-1, 1)),
        2: ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
        3: ((0, -1.2), (1.2, 1), (-1.2, 1)),
        4: ((-1.1, -0.4), (-0.4, -0.4), (-0.4, -1.1), (0.4, -1.1), (0.4, -0.4), (1.1, -0.4), (1.1, 0.4), (0.4, 0.4),
            (0.4, 1.1), (-0.4, 1.1), (-0.4, 0.4), (-1.1, 0.4)),
    }  # fmt: skip
    points = " ".join(f"{x + dx * r * 0.9:.1f},{y + dy * r * 0.9:.1f}" for dx, dy in outlines[kind])
    return f'<polygon class="mark" points="{points}">{inner}</polygon>'


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers within low..high, at most `most`."""
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(span / most))
    found: list[float] = []
    for factor in (1, 2, 5, 10, 20, 50):
        step = power * factor
        found = [step * n for n in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
        if len(found) <= most:
            break
    return found


def _scale(values: Sequence[float], left: float, right: float) -> Scale:
    low, high = min(values), max(values)
    pad = (high - low) * 0.06 or abs(high) * 0.05 or 1.0
    return Scale(low - pad, high + pad, left, right)


def _axis(scale: Scale, top: float, bottom: float, sign: bool = False) -> str:
    parts = []
    marks = ticks(scale.low, scale.high)
    for tick in marks:
        x = scale(tick)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}"/>')
        parts.append(f'<text class="small middle" x="{x:.1f}" y="{bottom + 16}">{_tick(tick, marks, sign)}</text>')
    return "".join(parts)


def _tick(value: float, marks: Sequence[float], sign: bool = False) -> str:
    """The number at a mark of an axis, with as many decimals as the marks' distance asks for."""
    step = marks[1] - marks[0] if len(marks) > 1 else abs(value) or 1.0
    value = 0.0 if abs(value) < step * 1e-6 else value
    plus = "+" if sign and value else ""
    largest = max(map(abs, marks))
    if largest and not 1e-3 <= largest < 1e6:
        return f"{value:{plus}.1e}"
    return f"{value:{plus}.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"


def _name(name: str, y: float) -> str:
    short = name if len(name) <= 15 else f"{name[:14]}…"
    return f'<text x="{_NAMES - 12}" y="{y + 4:.1f}" class="end"><title>{escape(name)}</title>{escape(short)}</text>'


def _interval_words(interval: tuple[float, float] | None) -> str:
    return f" [{interval[0]:.5g}, {interval[1]:.5g}]" if interval is not None else ""


def _svg(parts: Sequence[str], height: float, caption: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(caption)}">'
        f"{''.join(parts)}</svg>"
    )
