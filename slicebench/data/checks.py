"""Checks that the data types share.

Each turns what a user passed into a clean, read-only array, or raises `DataError`. `where` is the
name by which the user knows the value ("val.embeddings"). The error names it, the first bad row and
what was expected.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from slicebench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


CHUNK = 2**22
"""How many numbers are checked at a time."""


def array_of(
    where: str, value: object, dtype: type[np.generic], ndim: int, n: int | None = None, largest: float | None = None
) -> NDArray[Any]:
    """Return `value` as a read-only, contiguous array of `dtype`.

    It must have `ndim` axes and, if given, `n` rows. Floats may come in any type of number, and must
    be finite in `dtype` and within ±`largest`. Integers must have an integer type. Booleans may also
    be the integers 0 and 1.

    Raises
    ------
    DataError
        naming `where`, the first bad row and what was expected.

    """
    try:
        raw = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise DataError(f"{where} is not a rectangular array: {error}") from error
    if np.ma.is_masked(value):
        raise DataError(f"{where} is a masked array with masked values; fill them or drop their rows")
    if raw.ndim != ndim:
        raise DataError(f"{where} has shape {raw.shape}; expected {ndim} axes")
    if n is not None and raw.shape[0] != n:
        raise DataError(f"{where} has {raw.shape[0]} rows; expected {n}, one for each example")
    return read_only(_converted(where, raw, dtype, largest))


def _converted(where: str, raw: NDArray[Any], dtype: type[np.generic], largest: float | None) -> NDArray[Any]:
    if issubclass(dtype, np.floating):
        return _finite(where, raw, dtype, float(np.finfo(dtype).max) if largest is None else largest)
    if dtype is np.bool_ and raw.dtype.kind in "iu" and np.isin(raw, (0, 1)).all():
        return raw.astype(bool)
    wanted, kinds = ("booleans", "b") if dtype is np.bool_ else ("integers", "iu")
    if raw.dtype.kind not in kinds:
        raise DataError(f"{where} has dtype {raw.dtype}; expected {wanted}")
    return np.ascontiguousarray(raw, dtype=dtype)


def _finite(where: str, raw: NDArray[Any], dtype: type[np.generic], largest: float) -> NDArray[Any]:
    if raw.dtype.kind not in "fiub":
        raise DataError(f"{where} has dtype {raw.dtype}; expected numbers")
    with np.errstate(over="ignore"):
        out = np.ascontiguousarray(raw, dtype=dtype)
    rows = max(1, CHUNK // max(1, out[:1].size))
    parts = (slice(start, start + rows) for start in range(0, len(out), rows))
    if not all(_all_within(out[part], out, largest) for part in parts):
        _raise_not_within(where, raw, out, largest)
    return out


def _all_within(part: NDArray[Any], whole: NDArray[Any], largest: float) -> bool:
    """Check that `part` is within ±`largest`; NaN is not.

    If the array maps a file into memory, the pages that were read are released.
    """
    found = not part.size or (float(part.max()) <= largest and float(part.min()) >= -largest)
    owner: Any = whole
    while isinstance(owner, np.ndarray):
        held = owner.base
        if isinstance(owner, np.memmap) and owner.mode == "r" and isinstance(held, mmap.mmap):
            _give_back(held)
        owner = held
    return found


def _give_back(pages: mmap.mmap) -> None:
    """Release a file's pages that were read.

    They stay in the system's cache, but no longer count as memory of this process.
    """
    if hasattr(pages, "madvise"):
        pages.madvise(mmap.MADV_DONTNEED)


def _raise_not_within(where: str, raw: NDArray[Any], out: NDArray[Any], largest: float) -> NoReturn:
    bad = ~(np.abs(out) <= largest)
    at = tuple(int(i) for i in np.argwhere(bad)[0])
    place = f"row {at[0]}" if len(at) == 1 else f"row {at[0]}, column {at[1]}"
    count = "1 such value" if bad.sum() == 1 else f"{int(bad.sum())} such values"
    limit = f", up to ±{largest:g}" if largest < np.finfo(out.dtype).max else ""
    raise DataError(
        f"{where} is {raw[at]} at {place} ({count}); expected finite numbers within the range of "
        f"{out.dtype.name}{limit}. Drop or impute these rows first."
    )


def ids_of(where: str, value: Sequence[object] | NDArray[Any]) -> NDArray[np.str_]:
    """Return a one-dimensional array of distinct, non-empty strings.

    Integers are turned into their decimal form.
    """
    raw = np.asarray(value)
    if raw.ndim != 1 or raw.size == 0:
        raise DataError(f"{where} has shape {raw.shape}; expected one id per example and at least one example")
    if raw.dtype.kind == "O" and not all(isinstance(v, str | int | np.integer) for v in raw):
        row = next(i for i, v in enumerate(raw) if not isinstance(v, str | int | np.integer))
        raise DataError(f"{where} is {raw[row]!r} at row {row}; expected strings or integers")
    if raw.dtype.kind not in "UOiu":
        raise DataError(f"{where} has dtype {raw.dtype}; expected strings or integers")
    ids = raw.astype(np.str_)
    if len(set(ids.tolist()) - {""}) < len(ids):
        _raise_bad_id(where, ids)
    if len(half := np.flatnonzero(_holds_surrogate(ids))):
        raise DataError(
            f"{where} is {ids[half[0]]!r} at row {half[0]}, which UTF-8 cannot encode; expected valid Unicode"
        )
    return read_only(ids)


def _holds_surrogate(ids: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Mark the strings that contain a lone UTF-16 surrogate, which UTF-8 cannot encode.

    Python puts surrogates into file names that are not UTF-8.
    """
    points = np.ascontiguousarray(ids).view(np.uint32).reshape(len(ids), -1)
    found: NDArray[np.bool_] = np.any((points >= 0xD800) & (points <= 0xDFFF), axis=1)
    return found


def _raise_bad_id(where: str, ids: NDArray[np.str_]) -> None:
    """Raise `DataError` for the first id that is empty or repeated."""
    first_seen: dict[str, int] = {}
    for row, name in enumerate(ids.tolist()):
        if not name:
            raise DataError(f"{where} is empty at row {row}; every example needs an id")
        if first_seen.setdefault(name, row) != row:
            raise DataError(f"{where} has {name!r} at rows {first_seen[name]} and {row}; ids must be distinct")


def labels_of(where: str, value: object, n: int) -> NDArray[np.int64]:
    """Return class numbers 0..C-1, shape (n,)."""
    labels: NDArray[np.int64] = array_of(where, value, np.int64, 1, n)
    if not n:
        raise DataError(f"{where} is empty; expected at least one example")
    if labels.min() < 0:
        row = int(np.argmax(labels < 0))
        raise DataError(f"{where} is {labels[row]} at row {row}; expected class numbers from 0")
    return labels


def probs_of(where: str, value: object, n: int, *, tolerance: float = 1e-3) -> NDArray[np.float32]:
    """Return class probabilities, shape (n, C), every row summing to 1 within `tolerance`."""
    probs: NDArray[np.float32] = array_of(where, value, np.float32, 2, n)
    if probs.shape[1] < 2:
        raise DataError(f"{where} has {probs.shape[1]} columns; expected one per class, two or more")
    off = ((probs < -tolerance) | (probs > 1 + tolerance)).any(axis=1) | (np.abs(probs.sum(axis=1) - 1) > tolerance)
    if off.any():
        row = int(np.argmax(off))
        least, most = float(probs[row].min()), float(probs[row].max())
        if least < -tolerance or most > 1 + tolerance:
            raise DataError(
                f"{where}: row {row} has numbers from {least:.4g} to {most:.4g}; expected probabilities, from 0 "
                "to 1. If they are logits, apply softmax first."
            )
        raise DataError(
            f"{where}: the probabilities of row {row} sum to {probs[row].sum():.4g}; expected 1. If some classes "
            "are left out, add their probabilities; otherwise divide each row by its sum."
        )
    return probs


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return a view of `array` that cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view
