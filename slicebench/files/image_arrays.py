"""Decode encoded images once, as a stream, into one array on disk that is mapped into memory.

Training reads every image once per epoch, in random order. Decoding 200,000 JPEGs each time would
take longer than the training. So images are decoded, resized and written to the cache once. Adapters
get a read-only memory map, of which only the pages in use take memory.
"""

from __future__ import annotations

import io
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from slicebench.errors import StorageError
from slicebench.files.atomic import write_atomically
from slicebench.files.cache import cache_dir, content_key
from slicebench.files.locations import read_bytes
from slicebench.files.log import Patience
from slicebench.files.untrusted import mapped_npy, plain_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image


CHUNK = 512
"""Number of images that are decoded in memory at a time."""


class EncodedImages(Protocol):
    """Images that are still encoded, as files contain them."""

    def __len__(self) -> int:
        """Count the images."""
        ...

    def key(self) -> str:
        """Return a short key that identifies these images.

        Different files give a different key.
        """
        ...

    def __iter__(self) -> Iterator[tuple[int, str, bytes]]:
        """Yield position, name for error messages and encoded bytes of each image, in any order."""
        ...


@dataclass(frozen=True)
class ImageFiles:
    """Files `names`, relative to `folder`, in that order."""

    folder: Path
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.names)

    def key(self) -> str:
        """Compute a key from the files' names, sizes and modification times.

        Raises
        ------
        StorageError
            if a file is missing.

        """
        stats = []
        for row, name in enumerate(self.names):
            try:
                stat = (self.folder / name).stat()
            except OSError as error:
                raise StorageError(
                    f"cannot read {self.folder / name} (image {row} of {len(self)}): {error.strerror or error}; "
                    "fetch the images again"
                ) from error
            stats.append((name, stat.st_size, stat.st_mtime_ns))
        return content_key(str(self.folder.resolve()), stats)

    def __iter__(self) -> Iterator[tuple[int, str, bytes]]:
        for row, name in enumerate(self.names):
            path = self.folder / name
            try:
                data = read_bytes(path)
            except OSError as error:
                raise StorageError(f"cannot read {path}: {error.strerror or error}") from error
            yield row, str(path), data


@dataclass(frozen=True, eq=False)
class ParquetImages:
    """Images in a column of Parquet files, as Hugging Face writes them.

    `rows` are numbered over all `paths`, in that order. A cell is the encoded image or
    {"bytes": the encoded image}.
    """

    paths: Sequence[Path]
    column: str
    rows: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.rows)

    def key(self) -> str:
        """Compute a key from the files, the column and the rows.

        Files count by name, size and modification time.
        """
        try:
            stats = [(str(p.resolve()), p.stat().st_size, p.stat().st_mtime_ns) for p in map(plain_file, self.paths)]
        except OSError as error:
            raise StorageError(f"cannot read the images: {error}; fetch them again") from error
        return content_key(stats, self.column, np.asarray(self.rows, dtype=np.int64))

    def __iter__(self) -> Iterator[tuple[int, str, bytes]]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        wanted: dict[int, list[int]] = {}
        for position, row in enumerate(np.asarray(self.rows).tolist()):
            wanted.setdefault(row, []).append(position)
        first = 0
        for path in self.paths:
            try:
                for batch in pq.ParquetFile(plain_file(path)).iter_batches(batch_size=CHUNK, columns=[self.column]):
                    for offset in range(len(batch)):
                        if (row := first + offset) in wanted:
                            cell = batch.column(0)[offset].as_py()
                            data = cell["bytes"] if isinstance(cell, dict) else cell
                            yield from ((position, f"{path} row {row}", data) for position in wanted[row])
                    first += len(batch)
            except (OSError, pa.ArrowException, KeyError, IndexError, TypeError, MemoryError) as error:
                raise StorageError(f"cannot read {path}: {error}; fetch it again") from error


SHOWN = "shown 1"
"""Part of the key of images that are decoded as they are shown; to be raised when `as_shown` changes."""
DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")
"""Pillow's modes of more than 8 bits a channel."""


def decoded(
    images: EncodedImages, *, side: int | None = None, mode: Literal["RGB", "L"] = "RGB", shown: bool = False
) -> NDArray[np.uint8]:
    """Decode images to bytes, mapped read-only from the cache.

    The shape is (n, side, side, 3), or (n, side, side) for mode "L".

    Parameters
    ----------
    images : EncodedImages
        At least one.
    side : int, optional
        The shorter edge is resized to `side` pixels, antialiased, and the middle square is cut out.
        None keeps the images unchanged; they must then all have the same size.
    mode : "RGB" or "L"
        Colour or grey.
    shown : bool
        Decode images as `as_shown` does; the datasets of the benchmark do not. Ordinary images of 8
        bits are the same either way.

    Raises
    ------
    StorageError
        naming the file or row of an image that is missing or cannot be decoded, or whose size differs.

    """
    key = content_key(images.key(), side, mode, *([SHOWN] if shown else []))
    return mapped(key, len(images), "decoding images", lambda: _decoded(images, side, mode, shown=shown))


def mapped(
    key: str, n: int, what: str, make: Callable[[], Iterator[tuple[Sequence[int], str, NDArray[np.uint8]]]]
) -> NDArray[np.uint8]:
    """Return an array of n images, mapped read-only from the cache.

    If the cache does not have it, `make` creates it chunk by chunk.

    Parameters
    ----------
    key : str
        Key of the content. If the cache has an array under this key, `make` is not called.
    n : int
        At least one.
    what : str
        Description of the work for progress lines and errors: "decoding images".
    make : callable
        Yields chunks: positions, the name of the first image for errors, and images (b, ...) of one
        size.

    Raises
    ------
    StorageError
        if there are no images, they differ in size, or some positions are missing.

    """
    if not n:
        raise StorageError(f"{what}: there are no images; expected at least one")
    path = cache_dir() / "images" / f"{key}.npy"
    if path.exists():
        try:
            return mapped_npy(path)
        except StorageError as error:
            logging.getLogger("slicebench").warning("the cached images are damaged and will be made again: %s", error)
    write_atomically(path, lambda temporary: _fill(temporary, n, what, make()))
    return mapped_npy(path)


def _fill(path: Path, n: int, what: str, chunks: Iterator[tuple[Sequence[int], str, NDArray[np.uint8]]]) -> None:
    """Write the chunks into a .npy file, one by one."""
    out: Any = None
    patience, done = Patience(what, n), 0
    for positions, name, array in chunks:
        if out is None:
            out = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(n, *array.shape[1:]))
        if array.shape[1:] != out.shape[1:]:
            raise StorageError(
                f"{name} has shape {array.shape[1:]}, other images have {out.shape[1:]}; set a side to resize them"
            )
        out[np.asarray(positions)] = array
        done += len(positions)
        patience.done(done)
    if done != n:
        raise StorageError(f"{what}: {n - done} of {n} images are missing from the files")
    out.flush()


def _decoded(
    images: EncodedImages, side: int | None, mode: str, *, shown: bool
) -> Iterator[tuple[Sequence[int], str, NDArray[np.uint8]]]:
    """Yield chunks for `mapped`, decoded on all cores: Pillow releases the interpreter lock."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for chunk in _chunks(images):
            arrays = list(threads.map(lambda item: _decode(item[1], item[2], side, mode, shown=shown), chunk))
            for (_, name, _), array in zip(chunk, arrays, strict=True):
                if array.shape != arrays[0].shape:
                    raise StorageError(
                        f"{name} has shape {array.shape}, but {chunk[0][1]} has {arrays[0].shape}; "
                        "set a side to resize them"
                    )
            yield [position for position, _, _ in chunk], chunk[0][1], np.stack(arrays)


def _chunks(images: EncodedImages) -> Iterator[list[tuple[int, str, bytes]]]:
    chunk = []
    for item in images:
        chunk.append(item)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _decode(name: str, data: bytes, side: int | None, mode: str, *, shown: bool) -> NDArray[np.uint8]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            if side is not None:
                image.draft(mode, (2 * side, 2 * side))  # decodes a JPEG at no more than twice the size
            found = as_shown(image) if shown else image
            return np.asarray(_square(found.convert(mode), side), dtype=np.uint8)
    except Exception as error:  # each of Pillow's decoders has errors of its own; one is that the image is too large
        raise StorageError(f"{name} cannot be decoded as an image: {error}; fetch it again") from error


def as_shown(image: Image.Image) -> Image.Image:
    """Return an image as a viewer shows it, of 8 bits a channel.

    - It is turned upright as EXIF says.
    - Transparent parts are white.
    - 16 bits are scaled by their type's range: 65,535 becomes 255. Other numbers are scaled by the first range that they lie
      in: 0 to 1 for fractions, 0 to 255, 0 to 65,535 for whole numbers, and else their own minimum and maximum.
    """
    from PIL import Image, ImageOps

    if _orientation(image) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode in DEEP:
        return Image.fromarray(_eight_bits(np.asarray(image)))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image


def shown_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height of an image as `as_shown` returns it; only its header is read."""
    width, height = image.size
    sideways = _orientation(image) >= 5 and image.format != "TIFF"  # Pillow turns a TIFF itself
    return (height, width) if sideways else (width, height)


def _orientation(image: Image.Image) -> int:
    """Return EXIF's number of the orientation, 1 for upright; damaged EXIF counts as none."""
    import struct

    from PIL import ExifTags, Image

    try:
        found = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)  # that of a PNG would decode the image
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, struct.error):
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _eight_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        return (values >> 8).astype(np.uint8)
    numbers = values.astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    tops = (1, 255) if values.dtype.kind == "f" else (255, 65535)
    top = next((top for top in tops if low >= 0 and high <= top), None)
    if top is not None:
        low, high = 0.0, float(top)
    scaled = np.clip(np.nan_to_num(numbers, nan=low, posinf=high, neginf=low) - low, 0, high - low)
    return np.rint(scaled / max(high - low, np.finfo(np.float64).tiny) * 255).astype(np.uint8)


def _square(image: Image.Image, side: int | None) -> Image.Image:
    """Return the middle square of `image`, resized to `side`."""
    if side is None:
        return image
    from PIL import Image, ImageOps

    return ImageOps.fit(image, (side, side), Image.Resampling.BILINEAR)
