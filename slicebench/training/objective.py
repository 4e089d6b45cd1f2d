"""The hook for methods that train by a rule of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor


class Objective(Protocol):
    """What networks that are trained side by side minimise together; see `ModelTrainer.fit_together`."""

    def describe(self) -> Mapping[str, Any]:
        """JSON values that determine the objective; a part of the cache key."""
        ...

    def start(self, labels: Tensor, n_classes: int) -> None:
        """Begin a run on the train `labels`, (n,) int64, forgetting any earlier one."""
        ...

    def __call__(self, rows: Tensor, logits: list[Tensor]) -> Tensor:
        """Scalar to minimise on the batch of examples `rows`, (b,), given each network's logits, (b, C)."""
        ...
