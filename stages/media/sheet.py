"""Contact sheets: pictures side by side with tidy labels, so that a person can judge a result at a glance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stages.core.errors import UsageError

_GROUND_U8 = (250, 250, 250)
_EMPTY_U8 = (232, 232, 232)
_INK_U8 = (40, 40, 40)


def contact_sheet(
    rows: Sequence[Sequence[np.ndarray | None]],
    labels: Sequence[str] = (),
    *,
    row_labels: Sequence[str] = (),
    title: str = "",
    cell_height_px: int | None = None,
    gap_px: int = 8,
) -> np.ndarray:
    """The sheet as uint8 [H, W, 3].

    rows            lists of uint8 [h, w, 3] pictures; None leaves a grey cell; short rows are filled with those
    labels          one a column, above it; row_labels one a row, left of it; title above all
    cell_height_px  all pictures are scaled to this height; None = the tallest picture, at most 384 px
    errors          UsageError when there is no picture, or more labels than columns or rows
    """
    pictures = [image for row in rows for image in row if image is not None]
    columns = max((len(row) for row in rows), default=0)
    if not pictures:
        raise UsageError("contact sheet: found no pictures, expected at least one")
    if len(labels) > columns or len(row_labels) > len(rows):
        raise UsageError(
            f"contact sheet: found {len(labels)} column and {len(row_labels)} row labels, "
            f"expected at most {columns} and {len(rows)}"
        )
    height = cell_height_px or min(384, max(image.shape[0] for image in pictures))
    cells = [[None if image is None else _to_height(image, height) for image in row] for row in rows]
    cells = [row + [None] * (columns - len(row)) for row in cells]
    widths = [
        max((row[column].shape[1] for row in cells if row[column] is not None), default=height)
        for column in range(columns)
    ]
    font_px = int(np.clip(height / 12, 12, 26))
    line_px = font_px + 10
    left = gap_px
    if row_labels:
        left += max(text_width_px(text, font_px) for text in row_labels) + 2 * gap_px
    top = gap_px + (line_px + 6 if title else 0) + (line_px if labels else 0)
    sheet = np.empty((top + len(cells) * (height + gap_px), left + sum(widths) + gap_px * columns, 3), np.uint8)
    sheet[:] = _GROUND_U8
    for row, line in enumerate(cells):
        y = top + row * (height + gap_px)
        for column, image in enumerate(line):
            x = left + sum(widths[:column]) + gap_px * column
            sheet[y : y + height, x : x + widths[column]] = _EMPTY_U8
            if image is not None:
                inset = x + (widths[column] - image.shape[1]) // 2
                sheet[y : y + height, inset : inset + image.shape[1]] = image
    texts = [(title, gap_px, gap_px, font_px + 4, None)] if title else []
    for column, text in enumerate(labels):
        x = left + sum(widths[:column]) + gap_px * column
        texts.append((text, x, top - line_px + 2, font_px, widths[column]))
    for row, text in enumerate(row_labels):
        texts.append((text, gap_px, top + row * (height + gap_px) + height // 2 - font_px // 2, font_px, None))
    return _with_texts(sheet, texts)


def _to_height(image_u8: np.ndarray, height: int) -> np.ndarray:
    from PIL import Image

    if image_u8.shape[0] == height:
        return image_u8
    width = max(1, round(image_u8.shape[1] * height / image_u8.shape[0]))
    small = image_u8.shape[0] * 2 <= height  # tiny pictures stay crisp
    method = Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(image_u8).resize((width, height), method))


def _font(size_px: int):
    from PIL import ImageFont

    return ImageFont.load_default(size_px)


def text_width_px(text: str, size_px: int) -> int:
    """Width of one line of text in the default font, px."""
    return int(np.ceil(_font(size_px).getlength(text)))


def shortened(text: str, size_px: int, width_px: int) -> str:
    """The text, cut with "..." so that it is at most width_px wide."""
    if text_width_px(text, size_px) <= width_px:
        return text
    while text and text_width_px(text + "...", size_px) > width_px:
        text = text[:-1]
    return text + "..." if text else ""


def _with_texts(sheet: np.ndarray, texts: list[tuple[str, int, int, int, int | None]]) -> np.ndarray:
    """The sheet with (text, x, y, size, largest width) lines written on it."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(sheet)
    draw = ImageDraw.Draw(image)
    for text, x, y, size_px, width_px in texts:
        shown = text if width_px is None else shortened(text, size_px, width_px)
        draw.text((x, y), shown, font=_font(size_px), fill=_INK_U8)
    return np.asarray(image)


def write_label(image_u8: np.ndarray, text: str, *, size_px: int = 14, corner: str = "top left") -> np.ndarray:
    """A copy of the picture with one line of white text on a dark strip in a corner.

    corner  "top left", "bottom left", "top right" or "bottom right"
    """
    from PIL import Image, ImageDraw

    image = Image.fromarray(image_u8)
    draw = ImageDraw.Draw(image, "RGBA")
    text = shortened(text, size_px, max(1, image.width - 16))
    width, height = text_width_px(text, size_px) + 12, size_px + 8
    x = image.width - width if "right" in corner else 0
    y = image.height - height if "bottom" in corner else 0
    draw.rectangle((x, y, x + width - 1, y + height - 1), fill=(0, 0, 0, 150))
    draw.text((x + 6, y + 2), text, font=_font(size_px), fill=(255, 255, 255, 255))
    return np.asarray(image)
