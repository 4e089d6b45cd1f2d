"""A trained model: predictions, penultimate features, and one file on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from slicebench.data.checks import labels_of
from slicebench.errors import ConfigError, DataError, StorageError
from slicebench.files.atomic import write_atomically
from slicebench.files.cache import content_key
from slicebench.files.untrusted import plain_file
from slicebench.models.training.examples import batches, read_through
from slicebench.models.training.networks import Network, build, threads_of
from slicebench.models.training.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from slicebench.data.split import Inputs


THRESHOLDS = np.arange(1, 100) / 100  # the paper's grid


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedModel:
    """A trained model.

    Parameters
    ----------
    recipe : Recipe
        The recipe of the training, with the loss, exponent and seed that were used.
    shape : (p,) or (channels, height, width)
        Shape of one example.
    n_classes : int
    network : Network
    seconds : float
        Wall time of its training, also if it was loaded from a file.
    threshold : float, optional
        Lowest probability of class 1 for which `classify` returns 1; `with_threshold` sets it for
        binary models.

    """

    recipe: Recipe
    shape: tuple[int, ...]
    n_classes: int
    network: Network
    seconds: float
    threshold: float | None = None

    def predict(self, inputs: Inputs) -> NDArray[np.float32]:
        """Return class probabilities, shape (n, C), each row summing to 1.

        Raises
        ------
        DataError
            if the inputs are not of the kind and shape that the model was trained on.

        """
        logits = self._apply(self.network, inputs, self.network.head.out_features)
        if self.recipe.loss == "bce":
            logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
        probs: NDArray[np.float32] = torch.softmax(logits, dim=1).numpy()
        return probs

    def latent(self, inputs: Inputs) -> NDArray[np.float32]:
        """Return penultimate features, shape (n, h).

        Raises the same errors as `predict`.
        """
        features: NDArray[np.float32] = self._apply(self.network.latent, inputs, self.network.head.in_features).numpy()
        return features

    def classify(self, inputs: Inputs) -> NDArray[np.int64]:
        """Return predicted classes, shape (n,).

        The predicted class is the most probable one, or follows from the threshold if there is one.
        """
        probs = self.predict(inputs)
        classes: NDArray[np.int64] = probs.argmax(axis=1).astype(np.int64)
        return classes if self.threshold is None else (probs[:, 1] >= self.threshold).astype(np.int64)

    def with_threshold(self, inputs: Inputs, labels: NDArray[np.int64]) -> Self:
        """Return the same model with the threshold that maximises F1 of class 1 on `inputs`.

        The grid is .01, .02 ... .99; of equal thresholds the lowest is taken.

        Raises
        ------
        ConfigError
            for a model of more than two classes.
        DataError
            if `labels`, shape (n,), hold anything but 0 and 1 or no 1 at all.

        """
        if self.n_classes != 2:
            raise ConfigError(f"a threshold needs a model of two classes; this one has {self.n_classes}")
        y = labels_of("labels", labels, len(inputs))
        if y.max() != 1:
            raise DataError(f"labels reach {y.max()}; F1 needs classes 0 and 1, with at least one example of class 1")
        above = self.predict(inputs)[:, 1, None] >= THRESHOLDS
        hits, positives = (above & (y == 1)[:, None]).sum(axis=0), above.sum(axis=0)
        f1 = 2 * hits / (positives + (y == 1).sum())
        return replace(self, threshold=float(THRESHOLDS[f1.argmax()]))

    def save(self, path: Path) -> None:
        """Write weights (safetensors) and description (JSON in the header) to the file `path`, atomically."""
        about = {"recipe": self.recipe.model_dump(), "shape": self.shape, "n_classes": self.n_classes}
        about |= {"seconds": self.seconds, "threshold": self.threshold}
        tensors = {name: value.contiguous().cpu() for name, value in self.network.state_dict().items()}
        metadata = {"slicebench": json.dumps(about), "sha256": _digest(about, tensors)}
        write_atomically(path, lambda p: save_file(tensors, p, metadata=metadata))

    @classmethod
    def load(cls, path: Path, device: str = "cpu") -> Self:
        """Read a model that `save` wrote.

        Raises
        ------
        StorageError
            if the file is missing, truncated or not such a model.

        """
        try:
            with safe_open(plain_file(path), framework="pt") as file:
                metadata = file.metadata()
                about = json.loads(metadata["slicebench"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - a file, not a mapping
            _check(metadata.get("sha256"), about, tensors)
            recipe, shape = Recipe(**about.pop("recipe")), tuple(about.pop("shape"))
            network = build(recipe, shape, n_outputs(recipe, about["n_classes"]))
            network.load_state_dict(tensors)
        except (SafetensorError, OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
            raise StorageError(
                f"{path} is not a readable model: {error}. Delete it; it will be trained again."
            ) from error
        return cls(recipe=recipe, shape=shape, network=network.to(device).eval(), **about)

    def _apply(self, function: Callable[[Tensor], Tensor], inputs: Inputs, width: int) -> Tensor:
        self.network.eval()
        device = self.network.head.weight.device
        read = read_through(self.recipe.features, inputs)
        with torch.inference_mode(), threads_of(self.recipe.arch):
            parts = [function(x.to(device)).cpu() for x in batches(read, self.shape)]
        return torch.cat(parts) if parts else torch.empty(0, width)


def _check(said: str | None, about: dict[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Raise `ValueError` if the digest of a model differs; files of older versions have no digest."""
    if said not in (None, _digest(about, tensors)):
        raise ValueError("its checksum differs from that of the saved model")


def _digest(about: dict[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """Compute the SHA-256 of a model's description and weights."""
    weights = [value.contiguous().view(-1).numpy() for _, value in sorted(tensors.items())]
    return content_key(json.loads(json.dumps(about)), sorted(tensors), *weights)


def n_outputs(recipe: Recipe, n_classes: int) -> int:
    """Return the number of logits: one for binary cross-entropy, otherwise one per class."""
    return 1 if recipe.loss == "bce" else n_classes
