"""Train models with the base model's recipe on the train split.

Each model is trained once and then read from the cache.
"""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from slicebench.data.checks import array_of, labels_of
from slicebench.errors import ConfigError, DataError, SlicebenchWarning, StorageError
from slicebench.files.cache import cache_dir, content_key, in_cache, share

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from slicebench.data.split import Inputs
    from slicebench.models.training.fitted import FittedModel
    from slicebench.models.training.objective import Objective
    from slicebench.models.training.recipe import Recipe


VERSION = 1  # raise it when the same recipe and data no longer give the same model


class ModelTrainer:
    """Trainer of models with one recipe on one train split.

    It implements the protocol `slicebench.data.trainer.Trainer`.

    Parameters
    ----------
    recipe : Recipe
        The base model's recipe.
    inputs : Inputs
        uint8 images (n, H, W) or (n, H, W, channels), or vectors (n, p); they are normalised by
        their mean and deviation. If the recipe names an encoder in `features`, anything that the
        encoder reads.
    labels : (n,) int64
    n_classes : int
    cache : Path, optional
        Folder of trained models, one file per content key: recipe, data, options, device and version of torch.

    Attributes
    ----------
    seconds : float
        Wall time of the training of all models returned so far. A model from the cache counts with
        the time that its training took.
    seconds_saved : float
        Part of `seconds` that the cache saved.

    Raises
    ------
    DataError
        if labels and inputs do not fit together.

    Notes
    -----
    On a CPU the same call gives the same bits (for a ResNet: with the same number of threads). The global
    random state does not change. A GPU is used if there is one.

    """

    def __init__(
        self, recipe: Recipe, inputs: Inputs, labels: NDArray[np.int64], n_classes: int, cache: Path | None = None
    ) -> None:
        if len(inputs) < 2:
            raise DataError(f"train.inputs has {len(inputs)} examples; expected two or more to train on")
        self.recipe = recipe
        self.inputs = inputs
        self.labels = labels_of("train.labels", labels, len(inputs))
        self.n_classes = n_classes
        self.cache = cache
        self.seconds = 0.0
        self.seconds_saved = 0.0
        if self.labels.max() >= n_classes:
            raise DataError(f"train.labels reaches {self.labels.max()}; expected classes 0..{n_classes - 1}")

    @property
    def epochs(self) -> int:
        """Length of the base model's training, in epochs."""
        return self.recipe.epochs

    def fit(
        self,
        *,
        loss: str | None = None,
        q: float | None = None,
        weights: NDArray[np.floating[Any]] | None = None,
        stop_epoch: int | None = None,
        seed: int | None = None,
        snapshots: Sequence[int] = (),
    ) -> FittedModel:
        """Train a model from scratch; options that are not given are those of the base model.

        Parameters
        ----------
        loss : str
            "ce", "gce" or "bce".
        q : float
            Exponent of "gce".
        weights : (n,) non-negative
            Factor of each example's loss. Factors are divided by their mean over the train split,
            so that only ratios count and weights of 1 change nothing. The batch's loss is the mean
            over its examples.
        stop_epoch : int
            End the run after that many epochs of the unchanged schedule; the model is then the same
            as in the whole run at that epoch.
        seed : int
            Seed of the initialisation and of the order of examples.
        snapshots : sequence of int
            Also cache the model after each of these epochs, for a later `stop_epoch`. Nothing is
            cached without a cache, or if the whole run comes from it.

        Raises
        ------
        ConfigError
            for options that cannot be used.
        TrainingError
            if the run diverges.

        """
        recipe = self.recipe.but(loss=loss, q=q, seed=seed)
        if recipe.loss == "bce" and self.n_classes != 2:
            raise ConfigError(f"loss 'bce' needs two classes; the data have {self.n_classes}")
        epochs = self.epochs if stop_epoch is None else stop_epoch
        for k in (epochs, *snapshots):
            if not 1 <= k <= self.epochs:
                raise ConfigError(f"epoch {k} is outside the recipe's 1..{self.epochs}")
        factors = None if weights is None else self._factors(weights)
        keys = {
            k: self._key(recipe, "fit", "unweighted" if factors is None else factors, k) for k in (*snapshots, epochs)
        }

        def keep(epoch: int, models: tuple[FittedModel, ...]) -> None:
            if self.cache is not None and epoch in snapshots:
                self._keep(keys[epoch], models[0])

        def train() -> tuple[FittedModel, ...]:
            from slicebench.models.training import run

            return run.train(recipe, *self._data, run.Supervised(recipe, factors), epochs=epochs, keep=keep)

        return self._cached([keys[epochs]], train)[0]

    def fit_together(
        self, objective: Objective, *, models: int = 2, seed: int | None = None
    ) -> tuple[FittedModel, ...]:
        """Train `models` networks side by side on a common objective, with the recipe's schedule.

        They have one logit per class and start from consecutive seeds. Each gets an equal share of
        the seconds. Raises the same errors as `fit`.
        """
        recipe = self.recipe.but(loss="ce", seed=seed)
        keys = [self._key(recipe, "together", dict(objective.describe()), models, i) for i in range(models)]

        def train() -> tuple[FittedModel, ...]:
            from slicebench.models.training import run

            return run.train(recipe, *self._data, objective, epochs=self.epochs, models=models)

        return self._cached(keys, train)

    def _cached(self, keys: Sequence[str], train: Callable[[], tuple[FittedModel, ...]]) -> tuple[FittedModel, ...]:
        models = self._found(keys)
        if models is not None:
            self.seconds_saved += sum(model.seconds for model in models)
        else:
            models = train()
            if self.cache is not None:
                for key, model in zip(keys, models, strict=True):
                    self._keep(key, model)
        self.seconds += sum(model.seconds for model in models)
        return models

    def _found(self, keys: Sequence[str]) -> tuple[FittedModel, ...] | None:
        """Return the models in the cache, or None unless all are there and readable."""
        from slicebench.models.devices import device
        from slicebench.models.training.fitted import FittedModel

        if self.cache is None or not all(in_cache(self._path(key)) for key in keys):
            return None
        try:
            return tuple(FittedModel.load(self._path(key), device()) for key in keys)
        except StorageError as error:
            warnings.warn(f"training again: {error}", SlicebenchWarning, stacklevel=4)
            return None

    @cached_property
    def _data(self) -> tuple[NDArray[Any], NDArray[np.int64], int]:
        from slicebench.models.training.examples import array_from, read_through

        return array_from(read_through(self.recipe.features, self.inputs)), self.labels, self.n_classes

    @cached_property
    def _data_key(self) -> str:
        return content_key(*self._data)

    def _key(self, recipe: Recipe, *options: object) -> str:
        import torch

        from slicebench.models.devices import device

        # The exponent has no effect on other losses; in the key, a new value would train the same model again.
        about = recipe.model_dump(exclude=set() if recipe.loss == "gce" else {"q"}, exclude_none=True)
        return content_key(VERSION, torch.__version__, device(), self._data_key, about, *options)

    def _keep(self, key: str, model: FittedModel) -> None:
        try:
            model.save(self._path(key))
        except StorageError as error:  # a full or read-only cache costs time, not the model
            warnings.warn(f"cannot cache a trained model: {error}", SlicebenchWarning, stacklevel=5)
        else:
            share(self._path(key))

    def _path(self, key: str) -> Path:
        assert self.cache is not None
        return self.cache / f"{key}.safetensors"

    def _factors(self, weights: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        w: NDArray[np.float64] = array_of("weights", weights, np.float64, 1, len(self.labels))
        if w.min() < 0 or w.max() == 0:
            raise DataError(
                f"weights range from {w.min():.4g} to {w.max():.4g}; expected none below 0 and at least one above 0"
            )
        factors: NDArray[np.float32] = (w / w.mean()).astype(np.float32)
        return factors


def trainer_of(recipe: Recipe, inputs: Inputs, labels: NDArray[np.int64], n_classes: int) -> ModelTrainer:
    """Return a trainer that keeps its models in the cache folder, which all processes share."""
    return ModelTrainer(recipe, inputs, labels, n_classes, cache=cache_dir() / "models")
