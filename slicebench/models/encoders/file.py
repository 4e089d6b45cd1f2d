"""Embeddings from a file, joined by id."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.data.checks import array_of, ids_of
from slicebench.errors import DataError, StorageError
from slicebench.files.fingerprints import Source
from slicebench.files.untrusted import plain_file, read_npz, read_parquet
from slicebench.models.encoders.encoder import Encoder
from slicebench.models.weights import first_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from slicebench.data.split import Inputs


EXPECTED = (
    "expected .safetensors (embeddings (n, d); metadata ids: a JSON list), .npz (ids, embeddings) or .parquet (columns id, "
    "embedding); for captions also text_embeddings (m, d) and texts, except in Parquet"
)


class FileEncoder(Encoder):
    """Look up embeddings in a file, by the id of an example or the text of a caption.

    The argument is the file's path: "file:/data/clip.safetensors". Formats:

    - safetensors with `embeddings` (n, d) and, in the metadata, `ids` as a JSON list
    - npz with arrays `ids` and `embeddings`
    - Parquet with the columns `id` and `embedding` (a list)

    The first two may also hold `text_embeddings` (m, d) and `texts`, in the same space. The order
    of rows does not matter, and rows that are not needed are ignored.

    Raises
    ------
    StorageError
        for a file that cannot be read.
    DataError
        for ids or captions that are missing, ids that occur twice, and values that are not finite.

    """

    argument_help: ClassVar[str] = "PATH"

    def sources(self) -> tuple[Source, ...]:
        """Return the file of embeddings."""
        return (Source.at(self.argument or ""),)

    def encode(self, inputs: Inputs, ids: NDArray[np.str_] | None = None) -> NDArray[np.float32]:  # noqa: ARG002
        """Return the rows of the file for `ids`, shape (n, d)."""
        if ids is None:
            raise DataError("encoder 'file' looks up embeddings by id, but no ids were given")
        return self._looked_up("ids", ids.tolist(), self._contents["ids"], self._contents["embeddings"])

    def reads_captions(self) -> bool:
        """Return True if the file has embeddings of texts."""
        return "text_embeddings" in self._contents

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the rows of the file for `texts`, shape (m, d)."""
        if not self.reads_captions():
            raise DataError(f"{self.argument} has no text_embeddings, so it cannot embed captions; {EXPECTED}")
        return self._looked_up("texts", texts, self._contents["texts"], self._contents["text_embeddings"])

    def _looked_up(
        self, what: str, wanted: Sequence[str], known: NDArray[np.str_], rows: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        at = {key: row for row, key in enumerate(known.tolist())}
        missing = [key for key in wanted if key not in at]
        if missing:
            raise DataError(
                f"{self.argument} lacks {len(missing)} of {len(wanted)} {what}, first {', '.join(map(repr, missing[:3]))}; "
                f"it has {len(at)}, first {', '.join(map(repr, known[:3].tolist()))}"
            )
        found: NDArray[np.float32] = rows[[at[key] for key in wanted]]
        return found

    @cached_property
    def _contents(self) -> Mapping[str, NDArray[Any]]:
        """Arrays `ids`, `embeddings` and, where there are any, `texts`, `text_embeddings`, checked."""
        path = Path(self.argument or "")
        raw = _read(path)
        if not {"ids", "embeddings"} <= raw.keys():
            raise StorageError(f"{path} holds {', '.join(sorted(raw)) or 'nothing'}; {EXPECTED}")
        out: dict[str, NDArray[Any]] = {}
        for names, values in (("ids", "embeddings"), ("texts", "text_embeddings")):
            if values in raw and names in raw:
                out[names] = ids_of(f"{path}: {names}", raw[names])
                out[values] = array_of(f"{path}: {values}", raw[values], np.float32, 2, len(out[names]))
        return out


def _read(path: Path) -> dict[str, Any]:
    """Read the contents of the file by name, unchecked."""
    readers = {".safetensors": _read_safetensors, ".npz": _read_npz, ".parquet": _read_parquet}
    if path.suffix not in readers:
        raise StorageError(f"cannot read {path}: unknown ending {path.suffix!r}; {EXPECTED}")
    try:
        return readers[path.suffix](path)
    except Exception as error:  # each format's library has errors of its own
        raise StorageError(f"cannot read {path}: {type(error).__name__}: {first_line(error)}; {EXPECTED}") from error


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import safe_open

    with safe_open(plain_file(path), framework="np") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - a file, not a mapping
        lists = {name: json.loads(text) for name, text in (file.metadata() or {}).items() if name in ("ids", "texts")}
    return arrays | lists


def _read_npz(path: Path) -> dict[str, Any]:
    return dict(read_npz(path))


def _read_parquet(path: Path) -> dict[str, Any]:
    table = read_parquet(path, ["id", "embedding"])
    return {"ids": table["id"].tolist(), "embeddings": np.stack(table["embedding"].tolist())}
