"""Cache embeddings on disk, in half precision, by the content of weights and inputs."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.captions.embedded import Captions
from slicebench.errors import DataError, StorageError
from slicebench.files.atomic import write_atomically
from slicebench.files.cache import cache_dir, content_key
from slicebench.models.devices import device

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from slicebench.data.captions import CaptionSet
    from slicebench.data.split import Inputs
    from slicebench.models.encoders.encoder import Encoder

    Embeddings = NDArray[np.float32]


CHUNK = 1024
"""Inputs hashed at a time, so that lazily loaded inputs are never all in memory."""


def embed(encoder: Encoder, inputs: Inputs, ids: NDArray[np.str_] | None = None) -> Embeddings:
    """Return embeddings of `inputs`, shape (n, d), from the cache if they are there.

    Embeddings of an encoder with a fingerprint are always rounded to half precision, so that
    results do not depend on the cache.
    """
    return _cached(encoder, "inputs", lambda: _hash(inputs), lambda: encoder.encode(inputs, ids), len(inputs))


def embed_texts(encoder: Encoder, texts: Sequence[str]) -> Embeddings:
    """Return embeddings of captions, shape (m, d), cached and rounded like those of inputs."""
    return _cached(encoder, "texts", lambda: _hash(texts), lambda: encoder.encode_texts(texts), len(texts))


def embed_captions(encoder: Encoder, captions: CaptionSet | Captions) -> Captions:
    """Embed the candidates and references of `captions` with an encoder that reads text."""
    return Captions(
        texts=captions.texts,
        embeddings=embed_texts(encoder, captions.texts),
        candidates=captions.candidates,
        reference_texts=captions.reference_texts,
        references=embed_texts(encoder, captions.reference_texts),
    )


def _cached(
    encoder: Encoder, kind: str, content: Callable[[], str], make: Callable[[], Embeddings], n: int
) -> Embeddings:
    weights = encoder.fingerprint()
    if weights is None:
        return make()
    key = hashlib.sha256(f"{kind} {weights} {device()} {content()}".encode()).hexdigest()[
        :32
    ]  # a GPU rounds differently
    path = cache_dir() / "embeddings" / f"{key}.safetensors"
    found = _read(path, n)
    if found is None:
        with np.errstate(over="ignore"):
            found = make().astype(np.float16)
        if not np.isfinite(found).all():
            raise DataError(
                f"encoder {type(encoder).__name__} returns embeddings that are not finite in half precision"
            )
        try:
            _write(path, found)
        except StorageError as error:  # a full or read-only cache costs time, not the embeddings
            logging.getLogger("slicebench").warning("cannot cache embeddings: %s", error)
    return found.astype(np.float32)


def _read(path: Path, n: int) -> NDArray[np.float16] | None:
    """Read cached embeddings; return None if there are none or the file is damaged.

    A damaged file is logged.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="np") as file:
            found: NDArray[np.float16] = file.get_tensor("embeddings")
            said = (file.metadata() or {}).get("sha256")
        _check(said, found)
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        logging.getLogger("slicebench").warning(
            "cached embeddings %s are damaged (%s); computing them again", path, error
        )
        return None
    return found if len(found) == n else None


def _check(said: str | None, found: NDArray[np.float16]) -> None:
    """Raise `ValueError` if the digest of embeddings differs; files of older versions have no digest."""
    if said not in (None, content_key(found)):
        raise ValueError("their checksum differs from that of the saved ones")


def _write(path: Path, embeddings: NDArray[np.float16]) -> None:
    from safetensors.numpy import save_file

    write_atomically(
        path, lambda temporary: save_file({"embeddings": embeddings}, temporary, {"sha256": content_key(embeddings)})
    )


def _hash(inputs: Inputs | Sequence[str]) -> str:
    """Compute the SHA-256 of inputs, chunk by chunk.

    Arrays count by dtype, shape and bytes, texts by their UTF-8.
    """
    digest = hashlib.sha256(f"{len(inputs)}".encode())
    for start in range(0, len(inputs), CHUNK):
        part: Any = inputs[start : start + CHUNK]
        if isinstance(part[0], str):
            for text in part:
                raw = text.encode()
                digest.update(f"{len(raw)} ".encode() + raw)
        else:
            array = np.ascontiguousarray(part)
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(array.data)
    return digest.hexdigest()
