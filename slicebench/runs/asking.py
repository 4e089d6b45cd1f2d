"""Ask plugins about themselves, where their code can reach neither this process nor the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar

from slicebench.evaluation.isolation.companion import companion
from slicebench.plugins.allowed import OURS
from slicebench.plugins.registry import METHODS, distribution_of
from slicebench.runs.workers import CellCrashed, CellTimeout, LocalExecutor

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")

PRELOAD = ("slicebench.runs.plan", "slicebench.evaluation.isolation.permissions")
TIMEOUT_S = 30.0
"""Seconds that a plugin may take to be imported and described."""


class Asking:
    """Context in which plugins are asked; the processes that it needs start with the first question.

    The plugins of slicebench itself are trusted, and asked in this process.
    """

    def __init__(self) -> None:
        self._executor: LocalExecutor | None = None

    def __call__(self, method: str, function: Callable[..., R], *args: Any) -> R:
        """Return what `function(*args)` returns, which runs code of the plugin `method`; it must be what JSON has.

        Raises
        ------
        SlicebenchError
            that the function raises.
        ValueError
            if the plugin fails in another way, such as by ending its process.

        """
        if all(distribution_of(entry) == OURS for entry in METHODS.entries() if entry.name == method):
            return function(*args)
        if self._executor is None:
            self._executor = LocalExecutor(1, TIMEOUT_S, preload=PRELOAD, kept=(_ask,))
        try:
            answer: R = self._executor.submit(_ask, method, function, *args).result()
        except (CellTimeout, CellCrashed, EOFError) as error:
            raise ValueError(f"{method!r} did not answer: {error}") from error
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)


def _ask(method: str, function: Callable[..., Any], *args: Any) -> Any:
    """Ask a companion of this process, or call the function here if it can have none."""
    helper = companion()
    return function(*args) if helper is None else helper.answer(method, function, *args)
