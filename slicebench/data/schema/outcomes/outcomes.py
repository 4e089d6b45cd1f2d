"""Truth and predictions of a table's rows, as numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    Classes = Sequence[str | int]
    Floats = NDArray[np.float64]


@dataclass(eq=False, kw_only=True)
class Outcomes:
    """Truth and predictions of n examples, as `from_arrays` takes them; None for what is not known.

    `classes` are as the columns hold them (whole numbers where they are that) and `class_names` the same as text, by class
    number. `errors` (n,) are prediction minus truth in a regression. `sets` are the true labels of each row where it has several:
    rules may name them, except one that is looked at alone. `order` has the column of probabilities of each class,
    `positive` the class of a binary score, and `logits` says whether they were logits. `notes` are sentences on what was matched
    or assumed.
    """

    task: str
    classes: Classes = ()
    class_names: tuple[str, ...] = ()
    labels: NDArray[np.int64] | None = None
    predictions: NDArray[np.int64] | None = None
    probs: NDArray[np.float32] | None = None
    losses: Floats | None = None
    correct: NDArray[np.bool_] | None = None
    errors: Floats | None = None
    sets: list[set[str]] | None = None
    order: tuple[int, ...] = ()
    positive: int | None = None
    logits: bool | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def predicted(self) -> NDArray[np.int64] | None:
        """Predicted class of each example: as given, else the most probable one."""
        if self.predictions is not None or self.probs is None:
            return self.predictions
        most: NDArray[np.int64] = self.probs.argmax(axis=1)
        return most

    def arrays(self) -> dict[str, Any]:
        """Return what `from_arrays` takes of them."""
        return {name: getattr(self, name) for name in ("labels", "predictions", "probs", "losses", "correct")}
