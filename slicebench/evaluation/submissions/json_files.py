"""Read submissions from a JSON document."""

from __future__ import annotations

import json
from typing import Any

from slicebench.errors import DataError, StorageError, did_you_mean
from slicebench.evaluation.submissions.contents import Members, Submission, check_version, shown, twice

MARK = "slicebench_submission"
FIELDS = (MARK, "method", "slices", "scores")


def submissions_of_json(said: Any, where: str, default: str) -> list[Submission]:
    """Read the submissions of a JSON document, as `parsed` returns it.

    The document is {slice: [ids]}, or an object with the key slicebench_submission, or a list of
    such objects. `default` is the method's name in a submission that names none.

    Raises
    ------
    DataError
        that names `where` and the invalid key or id.

    """
    if isinstance(said, list):
        if not said:
            raise DataError(f"{where} is an empty list; expected submissions")
        found = [_submission(one, f"{where}, entry {i}", default) for i, one in enumerate(said)]
        if again := twice([one.method for one in found]):
            raise DataError(f"{where} names the method {shown(again)} more than once; expected each method once")
        return found
    return [_submission(said, where, default)]


def are_records(said: Any) -> bool:
    """Return True for the rows of a table: a list of objects without a version that hold no lists."""
    return (
        isinstance(said, list)
        and len(said) > 0
        and all(isinstance(row, dict) and row and MARK not in row for row in said)
        and not any(isinstance(value, list | dict) for row in said for value in row.values())
    )


def parsed(content: bytes, where: str) -> Any:
    """Parse a document.

    Raises
    ------
    StorageError
        if it is not JSON.
    DataError
        for NaN, which is not JSON, and for keys that occur twice, which would lose data.

    """

    def refuse(name: str) -> Any:
        raise DataError(f"{where} holds {name}, which is not JSON; expected finite numbers")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            raise DataError(f"{where} has the key {shown(twice([key for key, _ in pairs]))} more than once")
        return made

    try:
        return json.loads(content, parse_constant=refuse, object_pairs_hook=once)
    except DataError:
        raise
    except UnicodeDecodeError as error:
        raise StorageError(f"cannot read {where}: it is not UTF-8 ({error.reason} at byte {error.start})") from error
    except RecursionError as error:
        raise StorageError(f"cannot read {where}: it is nested too deeply; expected {{slice: [ids]}}") from error
    except ValueError as error:
        raise StorageError(f"cannot read {where} as JSON: {error}") from error


def _submission(said: Any, where: str, default: str) -> Submission:
    if not isinstance(said, dict):
        raise DataError(
            f"{where} is a JSON {type(said).__name__}; expected an object: {{slice: [ids]}}, or one with {MARK!r}"
        )
    if MARK not in said:
        return Submission(where=where, method=default, slices=_slices(said, where))
    check_version(where, said[MARK])
    for key in said:
        if key not in FIELDS:
            raise DataError(f"{where} has the unknown key {shown([key])}; {did_you_mean(key[:100], list(FIELDS))}")
    method = said.get("method", default)
    if not isinstance(method, str):
        raise DataError(f"{where}: method is {shown([method])}; expected a name")
    scores = said.get("scores")
    return Submission(
        where=where,
        method=method,
        scores=None if scores is None else _scores(scores, where),
        slices=_slices({} if (slices := said.get("slices")) is None else slices, where),
    )


def _slices(said: Any, where: str) -> dict[str, Members]:
    if not isinstance(said, dict):
        raise DataError(f"{where}: slices is a JSON {type(said).__name__}; expected {{name: [ids]}}")
    for name, ids in said.items():
        if not isinstance(ids, list):
            hint = f"; a document with other keys needs {MARK!r}: 1" if name in FIELDS else ""
            raise DataError(f"{where}: {shown([name])} is a JSON {type(ids).__name__}; expected a list of ids{hint}")
    return {
        name: Members(tuple(_id(key, f"{where}: slice {shown([name])}") for key in ids)) for name, ids in said.items()
    }


def _id(key: Any, where: str) -> str:
    if isinstance(key, bool) or not isinstance(key, str | int) or key == "":
        raise DataError(f"{where} holds {shown([key])}; expected ids, which are strings or integers")
    return str(key)


def _scores(said: Any, where: str) -> dict[str, float]:
    if not isinstance(said, dict):
        raise DataError(f"{where}: scores is a JSON {type(said).__name__}; expected {{id: number}}")
    if not said:
        raise DataError(f"{where}: scores is empty; expected a number for each test example, or no scores at all")
    scores = {}
    for key, value in said.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise DataError(f"{where}: the score of {shown([key])} is {shown([value])}; expected a number")
        try:
            scores[key] = float(value)
        except OverflowError:
            raise DataError(
                f"{where}: the score of {shown([key])} is too large for double precision; expected a smaller number"
            ) from None
    return scores
