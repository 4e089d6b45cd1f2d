"""Text classifiers as base models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.errors import StorageError
from slicebench.files.log import Patience
from slicebench.models.encoders.batches import ROWS
from slicebench.models.text.loading import LocalModel, texts_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.split import Inputs


class TextClassifier(LocalModel):
    """Sequence-classification model that gives class probabilities of texts.

    Class c is the model's label c. Needs `pip install 'slicebench[text]'`; nothing is downloaded,
    and no code in the folder is run.

    Parameters
    ----------
    folder : str
        Contains config.json, model.safetensors and the tokenizer's files, as `save_pretrained`
        writes them.
    n_classes : int

    Raises
    ------
    ConfigError
        if transformers is not installed.
    StorageError
        if the folder is missing or cannot be read, or the model has another number of labels.

    """

    auto = "AutoModelForSequenceClassification"

    def __init__(self, folder: str, n_classes: int) -> None:
        super().__init__(folder)
        self.n_classes = n_classes

    def predict(self, inputs: Inputs) -> NDArray[np.float32]:
        """Return class probabilities of n texts, shape (n, C).

        Each text is truncated at the model's length. Raises `DataError` if the inputs are not
        texts.
        """
        import torch

        tokenizer, _ = self._loaded
        texts = texts_of("inputs", inputs)
        parts, patience = [], Patience(f"reading texts with {self.folder}", len(texts))
        for start in range(0, len(texts), ROWS):
            encoded = tokenizer(
                texts[start : start + ROWS],
                truncation=True,
                max_length=self._limit(),
                padding=True,
                return_tensors="pt",
            )
            with torch.inference_mode():
                parts.append(self._forward(dict(encoded)).logits.float().softmax(dim=1).cpu().numpy())
            patience.done(start + len(parts[-1]))
        probs: NDArray[np.float32] = np.concatenate(parts)
        return probs

    def _check(self, tokenizer: Any, model: Any) -> None:  # noqa: ARG002
        if model.config.num_labels != self.n_classes:
            raise StorageError(
                f"the model in {self.folder} has {model.config.num_labels} labels; expected {self.n_classes}, one per class. "
                "Give a model that was trained for this task."
            )
