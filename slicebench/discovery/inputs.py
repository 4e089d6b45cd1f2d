"""Read the images, texts and embeddings of a user's examples."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.checks import array_of
from slicebench.data.from_frame import described
from slicebench.errors import ConfigError, DataError, StorageError
from slicebench.files.cache import content_key
from slicebench.files.untrusted import mapped_npy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from slicebench.data.columns import Columns
    from slicebench.data.split import Inputs
    from slicebench.data.user_table import UserTable


SIDE = 224
"""Side, in pixels, to which images are resized if they differ in size or are larger."""


def raw_inputs(table: UserTable, found: Columns, folder: Path | None) -> tuple[Inputs | None, str]:
    """Return images (n, H, W[, 3]) as uint8, or n texts, and their kind: "image", "text" or ""."""
    if found.image is None:
        return (None, "") if found.text is None else (table.texts(found.text), "text")
    if not isinstance(found.image, str):
        images = np.asarray(found.image)
        if images.dtype != np.uint8 or images.ndim not in (3, 4) or len(images) != len(table.frame):
            raise DataError(
                f"image has dtype {images.dtype} and shape {images.shape}; expected uint8, ({len(table.frame)}, H, W) or "
                f"({len(table.frame)}, H, W, 3)"
            )
        return images, "image"
    from slicebench.files.image_arrays import ImageFiles, decoded

    cells = table.column(found.image).tolist()
    where = table.where(found.image)
    if all(isinstance(cell, str) for cell in cells):
        root = (Path(found.image_root) if found.image_root is not None else folder or Path()).expanduser()
        return decoded(ImageFiles(root, cells), side=_side(where, [root / cell for cell in cells])), "image"
    held = ImageCells(where, [_encoded(where, row, cell) for row, cell in enumerate(cells)])
    return decoded(held, side=_side(where, [io.BytesIO(cell) for cell in held.cells])), "image"


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


def _encoded(where: str, row: int, cell: Any) -> bytes:
    """Return the bytes of a cell, which may be a Hugging Face image: {"bytes", "path"}."""
    found = cell.get("bytes") if isinstance(cell, dict) else cell
    if not isinstance(found, bytes):
        raise DataError(
            f"{where} holds {type(found).__name__} at row {row}; expected paths, encoded images (bytes) or {{'bytes': ...}}"
        )
    return found


def _side(where: str, sources: Sequence[Path | io.BytesIO]) -> int | None:
    """Return the side to which images are resized.

    It is None if they have one size, of at most `SIDE`. Only their headers are read.
    """
    from PIL import Image

    sizes = set()
    for row, source in enumerate(sources):
        try:
            with Image.open(source) as image:
                sizes.add(image.size)
        except (OSError, SyntaxError, ValueError) as error:
            raise DataError(f"{where}: row {row} cannot be read as an image: {error}") from error
    return None if len(sizes) == 1 and max(next(iter(sizes))) <= SIDE else SIDE


def embeddings_of(
    table: UserTable,
    found: Columns,
    inputs: Inputs | None,
    kind: str,
    encoder: str | None,
    train: NDArray[np.intp],
    say: Callable[[str], None],
) -> NDArray[np.float32]:
    """Return an embedding of each row, shape (n, d).

    It comes from a column, a file, features (standardised on the rows `train`), or an encoder.

    Raises
    ------
    ConfigError
        if the table has none of these.

    """
    if found.embedding is not None:
        return table.vectors(found.embedding)
    if found.features:
        return described(table.features(found.features), found.features, train)
    if isinstance(found.embeddings, str | Path):
        return vectors_in(Path(found.embeddings).expanduser(), len(table.frame))
    if found.embeddings is not None:
        given: NDArray[np.float32] = array_of("embeddings", found.embeddings, np.float32, 2, len(table.frame))
        return given
    if inputs is None or encoder is None:
        raise ConfigError(
            "the examples have no embeddings: name a column of vectors (embedding), a .npy or .safetensors file "
            "(embeddings), columns that describe them (features), or images or texts (image, text) and an encoder"
            + (
                ""
                if inputs is None
                else f"; the table has {kind}s, so an encoder is enough: see `slicebench list encoders`"
            )
        )
    say(f"encoding {len(inputs):,} {kind}s with {encoder}")
    return encoded(inputs, encoder, train)


def encoded(inputs: Inputs, encoder: str, train: NDArray[np.intp]) -> NDArray[np.float32]:
    """Embed inputs with the named encoder, shape (n, d).

    The encoder is fitted on the rows `train` only.
    """
    from slicebench.data.split import taken
    from slicebench.models.encoders.cached import embed
    from slicebench.models.encoders.encoder import make_encoder

    maker = make_encoder(encoder)
    if maker.needs_model:
        raise ConfigError(
            f"encoder {encoder!r} needs the audited model itself, which a table does not hold; embed with it yourself and give "
            "the vectors (embedding or embeddings)"
        )
    return embed(maker.fit(taken(inputs, train), None), inputs)


def vectors_in(path: Path, n: int) -> NDArray[np.float32]:
    """Read the embeddings of n rows from a file.

    It is a .npy file, or a .safetensors file with one tensor or one called "embeddings".

    Raises
    ------
    ConfigError
        if the name of the file has another ending.
    StorageError
        if the file cannot be read.
    DataError
        if the shape is not (n, d), or a number is not finite.

    """
    if path.suffix not in (".npy", ".safetensors"):
        raise ConfigError(f"embeddings {path}: expected a .npy or .safetensors file")
    try:
        found: Any = mapped_npy(path) if path.suffix == ".npy" else _tensor(path)
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot read the embeddings {path}: {error}") from error
    if getattr(found, "ndim", 0) != 2 or len(found) != n:
        raise DataError(
            f"{path} has shape {getattr(found, 'shape', '?')}; expected ({n}, d), a row for each of the table"
        )
    checked: NDArray[np.float32] = array_of(str(path), found, np.float32, 2, n)
    return checked


def _tensor(path: Path) -> NDArray[Any]:
    from slicebench.files.arrays import map_arrays

    found = map_arrays(path)
    if "embeddings" not in found and len(found) != 1:
        raise ValueError(f"it holds {', '.join(found) or 'nothing'}; expected one array, or one called embeddings")
    return found["embeddings"] if "embeddings" in found else next(iter(found.values()))
