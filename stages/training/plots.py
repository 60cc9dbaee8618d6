"""curves.png: what log.jsonl says, as a person wants to see it. Drawn with Pillow; no plotting library needed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

_SIZE = (520, 300)  # width, height of one panel in px
_MARGIN = (64, 30, 14, 34)  # left, top, right, bottom
_GROUND, _INK, _GRID = (250, 250, 250), (40, 40, 40), (222, 222, 222)
_COLOURS = ((31, 98, 180), (214, 90, 40), (40, 140, 70), (140, 70, 160))
_TITLES = {
    "vae": "VAE", "decoder": "VAE decoder", "face": "face encoder", "dit": "transformer", "compositor": "compositor"
}  # fmt: skip
_NAMES = {
    "loss": "loss",
    "psnr_db": "PSNR dB, unseen",
    "error": "error, unseen",
    "error_of_mean": "error of the mean",
}


@dataclass
class Curve:
    """Points of one quantity: x = steps, y = value."""

    name: str
    x: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)


def panels(lines: list[dict]) -> list[tuple[str, list[Curve]]]:
    """Return (title, curves) of every picture to draw: a panel for the loss of a part and one for what it measures.

    lines  of `stages.training.course.Log.lines`; the transformer's parts dit0, dit1, ... are put one behind the other
    """
    drawn: list[tuple[str, list[Curve]]] = []
    for part in ("vae", "decoder", "face"):
        drawn += _panels_of(part, lines)
    stages: dict[str, Curve] = {}
    start = 0.0
    for part in sorted({line["part"] for line in lines if line["part"].startswith("dit")}):
        mine = [line for line in lines if line["part"] == part and "loss" in line]
        for line in mine:
            curve = stages.setdefault(f"stage {line['stage']}", Curve(f"stage {line['stage']}"))
            curve.x.append(start + line["step"])
            curve.y.append(line["loss"])
        start += max((line["step"] for line in mine), default=0)
    if stages:
        drawn.append((f"{_TITLES['dit']}: loss", list(stages.values())))
    return drawn + _panels_of("compositor", lines)


def _panels_of(part: str, lines: list[dict]) -> list[tuple[str, list[Curve]]]:
    mine, drawn = [line for line in lines if line["part"] == part], []
    for group in (("loss",), ("psnr_db",), ("error", "error_of_mean")):
        curves = [_curve(mine, name) for name in group]
        if any(len(curve.x) for curve in curves):
            drawn.append((f"{_TITLES[part]}: {_NAMES[group[0]]}", [curve for curve in curves if curve.x]))
    return drawn


def draw_curves(lines: list[dict]) -> np.ndarray:
    """Return all panels in one picture, uint8 [H, W, 3]; a note where there is nothing to draw yet."""
    return draw_panels(panels(lines) or [("no line in the log yet", [])])


def draw_panels(todo: Sequence[tuple[str, list[Curve]]]) -> np.ndarray:
    """Return (title, curves) panels in one picture, uint8 [H, W, 3], two in a row."""
    from PIL import Image, ImageDraw, ImageFont

    columns = min(2, len(todo))
    rows = math.ceil(len(todo) / columns)
    image = Image.new("RGB", (columns * _SIZE[0], rows * _SIZE[1]), _GROUND)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=13)
    for index, (title, curves) in enumerate(todo):
        corner = (index % columns * _SIZE[0], index // columns * _SIZE[1])
        _panel(draw, font, corner, title, curves)
    return np.asarray(image)


def _curve(lines: list[dict], name: str) -> Curve:
    seen = [line for line in lines if isinstance(line.get(name), (int, float)) and math.isfinite(line[name])]
    return Curve(_NAMES[name], [line["step"] for line in seen], [line[name] for line in seen])


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers (1, 2 or 5 times a power of ten apart) within low..high, at most `most`."""
    if not high > low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if (high - low) / (power * factor) <= most - 1)
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def _panel(draw, font, corner: tuple[int, int], title: str, curves: list[Curve]) -> None:
    left, top = corner[0] + _MARGIN[0], corner[1] + _MARGIN[1]
    right, bottom = corner[0] + _SIZE[0] - _MARGIN[2], corner[1] + _SIZE[1] - _MARGIN[3]
    draw.text((left, corner[1] + 6), title, fill=_INK, font=font)
    draw.rectangle((left, top, right, bottom), outline=_GRID)
    values = [value for curve in curves for value in curve.y]
    if not values:
        return
    last = max(max(curve.x) for curve in curves) or 1.0
    low, high = min(values), max(values)
    pad = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    low, high = low - pad, high + pad * (1 if len(curves) < 2 else len(curves) + 4)  # room for the names

    def place(x: float, y: float) -> tuple[float, float]:
        return left + (right - left) * x / last, bottom - (bottom - top) * (y - low) / (high - low)

    for value in ticks(low, high):
        _, y = place(0, value)
        draw.line((left, y, right, y), fill=_GRID)
        text = f"{value:.4g}"
        draw.text((left - 6 - draw.textlength(text, font=font), y - 8), text, fill=_INK, font=font)
    for value in ticks(0, last):
        x, _ = place(value, low)
        text = f"{value:g}"
        draw.line((x, bottom, x, bottom + 4), fill=_INK)
        draw.text((x - draw.textlength(text, font=font) / 2, bottom + 6), text, fill=_INK, font=font)
    legend_y = top + 6
    for curve, colour in zip(curves, _COLOURS, strict=False):
        points = [place(x, y) for x, y in zip(curve.x, curve.y, strict=True)]
        if len(points) > 1:
            draw.line(points, fill=colour, width=2, joint="curve")
        for x, y in points if len(points) < 40 else points[-1:]:
            draw.ellipse((x - 2.5, y - 2.5, x + 2.5, y + 2.5), fill=colour)
        if len(curves) > 1:
            width = draw.textlength(curve.name, font=font)
            draw.text((right - 8 - width, legend_y), curve.name, fill=colour, font=font)
            legend_y += 18
