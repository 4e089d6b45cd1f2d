"""Draw contact sheets: rows of small images with labels, as one PNG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from slicebench.errors import DataError, StorageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


TILE = 64
"""Approximate side in pixels to which smaller images are enlarged, by a whole factor."""
MARK = (213, 94, 0)  # vermillion of Okabe and Ito (2008), which is distinct for any colour vision
INK = (40, 40, 40)
MARGIN, GAP, FRAME = 14, 12, 3
LABEL_WIDTH, LABEL_SIZE = 150, 14
TEXT_WIDTH, TEXT_SIZE, TEXT_LINES = 84, 11, 7


class SheetRow(NamedTuple):
    """One row of a contact sheet.

    Parameters
    ----------
    label : str
        Text at the left, wrapped.
    images : (k, H, W) or (k, H, W, 3) uint8
    marks : (k,) bool, optional
        Images with a frame, e.g. planted members.
    texts : k strings, optional
        Short text below each image.

    """

    label: str
    images: NDArray[np.uint8]
    marks: NDArray[np.bool_] | None = None
    texts: Sequence[str] | None = None


def are_images(inputs: Any) -> bool:
    """Check whether an array can be the images of a `SheetRow`, by its type and number of dimensions."""
    return isinstance(inputs, np.ndarray) and inputs.dtype == np.uint8 and inputs.ndim in (3, 4)


def contact_sheet(
    rows: Sequence[SheetRow | tuple[str, NDArray[np.uint8], NDArray[np.bool_] | None]],
    path: Path,
    *,
    scale: int | None = None,
) -> None:
    """Write a PNG with one labelled row of images per entry of `rows`; marked images have frames.

    `scale` enlarges every image by a whole factor (nearest neighbour). By default, each row is
    enlarged to about 64 px, and larger images keep their size. Texts use Pillow's own font, so that
    equal rows give equal bytes on one Pillow version. Accents that the font lacks are dropped, and
    other such characters become "?".

    Raises
    ------
    DataError
        without rows, for images of another kind or shape, and unless there is one mark or text per
        image.
    StorageError
        if the file cannot be written.

    """
    from PIL import Image, ImageDraw

    strips = [_strip(SheetRow(*row), scale) for row in rows]
    if not strips:
        raise DataError("a contact sheet needs at least one row; got none")
    indent = MARGIN + max(strip.label_width for strip in strips) + GAP
    width = indent + max(strip.width for strip in strips) + MARGIN
    height = sum(strip.height for strip in strips) + GAP * (len(strips) - 1) + 2 * MARGIN
    sheet = Image.new("RGB", (width, height), "white")
    pen, top = ImageDraw.Draw(sheet), MARGIN
    for strip in strips:
        strip.put(sheet, pen, indent, top)
        top += strip.height + GAP
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(path, format="PNG")
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise StorageError(f"cannot write {path}: {error}") from error


class _Strip(NamedTuple):
    """A row ready to be drawn: wrapped texts, enlarged images, and its size in pixels."""

    label: list[str]
    tiles: list[NDArray[np.uint8]]
    marks: NDArray[np.bool_]
    texts: list[list[str]]
    step: int
    label_width: int
    width: int
    height: int

    def put(self, sheet: Any, pen: Any, indent: int, top: int) -> None:
        """Draw the label and, from `indent` on, frames, images and texts; the upper edge is at `top`."""
        from PIL import Image

        tall = self.tiles[0].shape[0] + 2 * FRAME if self.tiles else 0
        _write(pen, self.label, (MARGIN, top + max(0, (tall - _height(self.label, LABEL_SIZE)) // 2)), LABEL_SIZE)
        for i, (tile, text) in enumerate(zip(self.tiles, self.texts, strict=True)):
            left = indent + i * self.step
            h, w = tile.shape[:2]
            if self.marks[i]:
                pen.rectangle((left, top, left + w + 2 * FRAME - 1, top + h + 2 * FRAME - 1), fill=MARK)
            sheet.paste(Image.fromarray(tile), (left + FRAME, top + FRAME))
            _write(pen, text, (left + FRAME, top + h + 2 * FRAME + 2), TEXT_SIZE)


def _strip(row: SheetRow, scale: int | None) -> _Strip:
    images = _images_of(row)
    k, h, w = images.shape[:3]
    factor = scale if scale is not None else max(1, round(TILE / max(h, w)))
    if factor < 1:
        raise DataError(f"scale is {factor}; expected a whole number of 1 or more")
    tiles = list(np.repeat(np.repeat(images, factor, axis=1), factor, axis=2))
    marks = np.zeros(k, dtype=bool) if row.marks is None else np.asarray(row.marks)
    texts = [""] * k if row.texts is None else list(row.texts)
    for name, values in (("marks", marks), ("texts", texts)):
        if len(values) != k:
            raise DataError(f"row {row.label!r} has {len(values)} {name} for {k} images; expected one per image")
    room = max(w * factor, TEXT_WIDTH if any(texts) else 0)
    wrapped = [_wrap(text, room, TEXT_SIZE, TEXT_LINES) for text in texts]
    step = room + 2 * FRAME + GAP // 2
    framed = h * factor + 2 * FRAME if k else 0
    label = _wrap(row.label, LABEL_WIDTH, LABEL_SIZE, max(4, framed // _line(LABEL_SIZE)))
    below = max((_height(text, TEXT_SIZE) + 2 for text in wrapped if text), default=0)
    tall = max(framed + below, _height(label, LABEL_SIZE))
    label_width = max((int(_font(LABEL_SIZE).getlength(line)) + 1 for line in label), default=0)
    return _Strip(label, tiles, marks, wrapped, step, label_width, max(0, k * step - GAP // 2), tall)


def _images_of(row: SheetRow) -> NDArray[np.uint8]:
    """Return the images of a row, shape (k, H, W, 3)."""
    images = np.asarray(row.images)
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3):
        raise DataError(
            f"row {row.label!r} has images of dtype {images.dtype} and shape {images.shape}; "
            "expected uint8 of shape (k, H, W) or (k, H, W, 3)"
        )
    if 0 in images.shape[1:]:
        raise DataError(f"row {row.label!r} has images of shape {images.shape[1:]}; expected at least one pixel")
    return images if images.ndim == 4 else np.repeat(images[..., None], 3, axis=3)


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size=size)


def _line(size: int) -> int:
    """Return the height of a line of text."""
    return round(size * 1.25)


def _height(lines: list[str], size: int) -> int:
    return len(lines) * _line(size)


def _write(pen: Any, lines: list[str], at: tuple[int, int], size: int) -> None:
    for i, line in enumerate(lines):
        pen.text((at[0], at[1] + i * _line(size)), line, fill=INK, font=_font(size), anchor="la")


def _wrap(text: str, width: int, size: int, most: int) -> list[str]:
    """Break text into lines of at most `width` pixels, between words where possible.

    A text of more than `most` lines is cut and ends in an ellipsis.
    """
    font = _font(size)
    lines: list[str] = []
    for word in _printable(
        text[: width * (most + 1)], font
    ).split():  # the rest is not visible: a character has at least a pixel
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
            continue
        while font.getlength(word) > width:
            fits = next(
                n for n in range(min(len(word) - 1, width), 0, -1) if n == 1 or font.getlength(word[:n]) <= width
            )
            lines.append(word[:fits])
            word = word[fits:]  # noqa: PLW2901 - the rest of a word too long for a line
        lines.append(word)
    if len(lines) <= most:
        return lines
    last = lines[most - 1]
    while last and font.getlength(f"{last}…") > width:
        last = last[:-1]
    return [*lines[: most - 1], f"{last}…"]


def _printable(text: str, font: Any) -> str:
    """Return text without accents that the font lacks, and "?" for other such characters."""
    from unicodedata import combining, normalize

    nothing = bytes(font.getmask("\U0010ffff"))  # the glyph of a character that no font has

    def known(text: str) -> bool:
        return all(c.isspace() or bytes(font.getmask(c)) != nothing for c in text)

    out = []
    for c in normalize("NFC", text):
        bare = "".join(part for part in normalize("NFKD", c) if not combining(part))
        out.append(c if known(c) else bare if bare and known(bare) else "?")
    return "".join(out)
