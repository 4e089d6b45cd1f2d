"""Read the images, texts and embeddings of a user's examples."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.checks import array_of
from slicebench.data.schema.roles import parameter
from slicebench.data.schema.vectors import described, vectors_of
from slicebench.discovery.reading.image_attributes import attributes_of
from slicebench.discovery.reading.images import Images, read_images
from slicebench.errors import ConfigError, DataError, StorageError
from slicebench.files.untrusted import mapped_npy

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from slicebench.data.schema import Schema
    from slicebench.data.schema.roles import Roles
    from slicebench.data.schema.user_table import UserTable
    from slicebench.data.split import Inputs as RawInputs


@dataclass(frozen=True, eq=False, kw_only=True)
class Inputs:
    """Raw images (n, H, W[, 3]) of bytes or n texts, and their `kind`: "image", "text" or "".

    `attributes` are columns of metadata that were measured on them, and `notes` what a user must know.
    """

    inputs: RawInputs | None = None
    kind: str = ""
    attributes: dict[str, NDArray[Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


DEFAULT_ENCODERS = {"image": "pixels-pca", "text": "tfidf"}
"""Encoders where none is named and nothing else describes the examples; they need no weights."""


def read_inputs(schema: Schema, folder: Path | None) -> Inputs:
    """Read the images or texts of a table; paths are relative to `folder`."""
    table, roles = schema.table, schema.roles
    if roles.image is None:
        return Inputs() if roles.text is None else _texts(table, roles.text)
    if not isinstance(roles.image, str):
        images = np.asarray(roles.image)
        if images.dtype != np.uint8 or images.ndim not in (3, 4) or len(images) != len(table.frame):
            raise DataError(
                f"image has dtype {images.dtype} and shape {images.shape}; expected uint8, ({len(table.frame)}, H, W) or "
                f"({len(table.frame)}, H, W, 3)"
            )
        sizes = np.tile([images.shape[2], images.shape[1]], (len(images), 1))
        return _pictures(Images(pixels=images, sizes=sizes), "image", roles)
    column = roles.image
    root = (Path(roles.image_root) if roles.image_root is not None else folder or Path()).expanduser()
    return _pictures(read_images(table.column(column).tolist(), table.where(column), root), column, roles)


def _pictures(images: Images, column: str, roles: Roles) -> Inputs:
    """Return images; what is measured on them is metadata unless other metadata are named."""
    attributes = attributes_of(images, column) if roles.metadata is None else {}
    return Inputs(inputs=images.pixels, kind="image", attributes=attributes, notes=images.notes)


def _texts(table: UserTable, column: str) -> Inputs:
    """Return texts; a missing one is empty, which is said."""
    cells = table.frame[column]
    missing = int(cells.isna().sum())
    notes = (f"Column {column!r} has no text in {missing:,} of {len(cells):,} rows; they count as empty texts.",)
    texts = cells.astype(object).where(cells.notna(), "").astype(str).tolist()
    return Inputs(inputs=texts, kind="text", notes=notes if missing else ())


def embeddings_of(
    schema: Schema, raw: Inputs, encoder: str | None, train: NDArray[np.intp], say: Callable[[str], None]
) -> NDArray[np.float32]:
    """Return an embedding of each row, shape (n, d).

    It comes from columns of vectors or numbers, a file, features (learnt on the rows `train`), or an encoder.

    Raises
    ------
    ConfigError
        if the table has none of these.

    """
    table, roles = schema.table, schema.roles
    if roles.embedding:
        return vectors_of(table, roles.embedding)
    if len(schema.features.columns):
        return described(schema.features, train)
    if isinstance(roles.embeddings, str | Path):
        return vectors_in(Path(roles.embeddings).expanduser(), len(table.frame))
    if roles.embeddings is not None:
        given: NDArray[np.float32] = array_of("embeddings", roles.embeddings, np.float32, 2, len(table.frame))
        return given
    if raw.inputs is None or encoder is None:
        unused = [f"{one.column!r}: {one.why}" for one in schema.unused()]
        others = f" The other columns are not used ({'; '.join(unused[:10])})." if unused else ""
        raise ConfigError(
            f"nothing in the {table.name} says what an example looks like.{others} Name one of these: columns "
            f"that describe it ({parameter('features')}), a column of vectors ({parameter('embedding')}), a .npy "
            f"or .safetensors file of vectors ({parameter('embeddings')}), images ({parameter('image')}) or texts "
            f"({parameter('text')})"
        )
    say(f"encoding {len(raw.inputs):,} {raw.kind}s with {encoder}")
    return encoded(raw.inputs, encoder, train)


def encoded(inputs: RawInputs, encoder: str, train: NDArray[np.intp]) -> NDArray[np.float32]:
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
            f"the vectors ({parameter('embedding')} or {parameter('embeddings')})"
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
        raise ConfigError(f"the embeddings {path} are no .npy or .safetensors file; expected one of these")
    try:
        found: Any = mapped_npy(path) if path.suffix == ".npy" else _tensor(path)
    except (OSError, ValueError) as error:
        raise StorageError(f"the embeddings cannot be used: {error}") from error
    if getattr(found, "ndim", 0) != 2 or len(found) != n:
        raise DataError(
            f"the embeddings {path} have shape {getattr(found, 'shape', '?')}; expected ({n}, d), a vector for "
            "each row of the table"
        )
    checked: NDArray[np.float32] = array_of(str(path), found, np.float32, 2, n)
    return checked


def _tensor(path: Path) -> NDArray[Any]:
    from slicebench.files.arrays import map_arrays

    found = map_arrays(path)
    if "embeddings" not in found and len(found) != 1:
        raise ValueError(f"it holds {', '.join(found) or 'nothing'}; expected one array, or one called embeddings")
    return found["embeddings"] if "embeddings" in found else next(iter(found.values()))
