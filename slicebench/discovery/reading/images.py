"""Read the images in the cells of a table."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.schema.roles import parameter
from slicebench.errors import DataError
from slicebench.files.cache import content_key
from slicebench.files.image_arrays import DEEP, ImageFiles, as_shown, decoded, shown_size
from slicebench.files.locations import read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from PIL import Image


SIDE = 224
"""Side, in pixels, to which images are resized if they differ in size or are larger."""
EXPECTED = "paths, encoded images (bytes), {'bytes': ..., 'path': ...}, PIL images or arrays of uint8"


@dataclass(frozen=True, eq=False, kw_only=True)
class Images:
    """Images as `pixels` (n, H, W, 3) of bytes, their `sizes` (n, 2) in the files, as width and height, and notes."""

    pixels: NDArray[np.uint8]
    sizes: NDArray[np.int64]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ImageCells:
    """Encoded images in the cells of a table; implements `slicebench.files.image_arrays.EncodedImages`."""

    where: str
    cells: Sequence[bytes]

    def __len__(self) -> int:
        return len(self.cells)

    def key(self) -> str:
        """Return a hash of all bytes."""
        return content_key(*(np.frombuffer(cell, dtype=np.uint8) for cell in self.cells))

    def __iter__(self) -> Iterator[tuple[int, str, bytes]]:
        for row, cell in enumerate(self.cells):
            yield row, f"{self.where}, row {row}", cell


def read_images(cells: Sequence[Any], where: str, root: Path) -> Images:
    """Decode the images of a column; paths are relative to `root`, and `where` names the column in messages.

    They are decoded as a viewer shows them (see `image_arrays.as_shown`), and resized to `SIDE` if they differ in size or are
    larger.

    Raises
    ------
    DataError
        naming the row of an image that cannot be read.

    """
    sources = [_source(where, row, cell) for row, cell in enumerate(cells)]
    files = [one for one in sources if isinstance(one, str)]
    if len(files) == len(sources):
        sizes, modes = _headers(where, [root / name for name in files])
        pixels = decoded(ImageFiles(root, files), side=_side(sizes), shown=True)
    else:
        held = [_read(where, row, one, root) for row, one in enumerate(sources)]
        sizes, modes = _headers(where, [io.BytesIO(one) for one in held])
        pixels = decoded(ImageCells(where, held), side=_side(sizes), shown=True)
    return Images(pixels=pixels, sizes=sizes, notes=_of_depth(where, modes + _modes(cells)))


def _source(where: str, row: int, cell: Any) -> str | bytes:
    """Return the path or the encoded image of a cell."""
    if isinstance(cell, dict):  # of Hugging Face
        cell = cell["path"] if cell.get("bytes") is None and cell.get("path") is not None else cell.get("bytes")
    if isinstance(cell, str | Path):
        return str(cell)
    if isinstance(cell, bytes | bytearray | memoryview):
        return bytes(cell)
    if _is_picture(cell):
        return _png(cell)
    if isinstance(cell, np.ndarray) and cell.dtype == np.uint8 and cell.ndim in (2, 3):
        from PIL import Image

        return _png(Image.fromarray(cell))
    raise DataError(f"{where} holds {type(cell).__name__} at row {row}; expected {EXPECTED}")


def _is_picture(cell: Any) -> bool:
    return hasattr(cell, "save") and any(kind.__module__ == "PIL.Image" for kind in type(cell).__mro__)


def _png(image: Image.Image) -> bytes:
    """Encode an image without loss of what is shown; hardly compressed, because it is decoded at once."""
    shown = as_shown(image)
    out = io.BytesIO()
    (shown if shown.mode in ("L", "RGB") else shown.convert("RGB")).save(out, format="PNG", compress_level=1)
    return out.getvalue()


def _read(where: str, row: int, source: str | bytes, root: Path) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        return read_bytes(root / source)
    except OSError as error:
        raise DataError(_unreadable(where, row, root / source, error)) from error


def _unreadable(where: str, row: int, source: object, error: Exception) -> str:
    """Return the message for an image that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return (
            f"{where}: there is no file {str(source)!r} (row {row}); if the paths start from another folder, name it "
            f"({parameter('image_root')})"
        )
    said = "it is in no known format of images" if type(error).__name__ == "UnidentifiedImageError" else str(error)
    return f"{where}: row {row} cannot be read as an image: {said}"


def _headers(where: str, sources: Sequence[Path | io.BytesIO]) -> tuple[NDArray[np.int64], Counter[str]]:
    """Return the sizes (n, 2) of images, as width and height, and how many have each of Pillow's modes; only headers are read."""
    from PIL import Image

    sizes = np.empty((len(sources), 2), dtype=np.int64)
    modes = Counter[str]()
    for row, source in enumerate(sources):
        try:
            with Image.open(source) as image:
                sizes[row] = shown_size(image)
                modes[image.mode] += 1
        except Exception as error:  # each of Pillow's readers has errors of its own; one is that the image is too large
            raise DataError(_unreadable(where, row, source, error)) from error
    return sizes, modes


def _modes(cells: Sequence[Any]) -> Counter[str]:
    """Return the modes of pictures in cells that have more than 8 bits: `_png` has made 8 bits of them."""
    return Counter(cell.mode for cell in cells if _is_picture(cell) and cell.mode in DEEP)


def _side(sizes: NDArray[np.int64]) -> int | None:
    """Return the side to which images are resized: None if they have one size, of at most `SIDE`."""
    return None if (sizes == sizes[0]).all() and sizes[0].max() <= SIDE else SIDE


def _of_depth(where: str, modes: Counter[str]) -> tuple[str, ...]:
    """Return a note if images have more than 8 bits a channel."""
    deep = sum(modes[mode] for mode in DEEP)
    if not deep:
        return ()
    note = (
        f"{where[0].upper()}{where[1:]} has {deep:,} images of 16 or more bits a channel: 16 bits are scaled by their range, "
        "0 to 65,535; other numbers by 0 to 1, 0 to 255 or 0 to 65,535 if they lie in it, and else by the range of the image."
    )
    return (note,)
