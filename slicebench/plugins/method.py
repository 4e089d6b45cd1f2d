"""Contract of slice-discovery methods.

To add a method:

1. Write one file with one subclass of `SliceMethod`. Its constructor stores keyword parameters and nothing else.
2. List in `requires` what it needs, in the words of `REQUIREMENTS`.
3. `fit(data)` learns from `data.train` and `data.val` and returns self; learnt state ends in an underscore.
4. `score(split)` returns `SliceScores`: one hardness per example, higher = harder. Flags and slices are optional.
5. Register it: `[project.entry-points."slicebench.methods"]`, `name = "module:Class"`. Import heavy libraries inside the
   functions that use them: `slicebench list` imports every plugin.
6. `slicebench check-method name` runs the contract checks (`slicebench.testing.check_method`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from slicebench.data.checks import array_of
from slicebench.errors import ConfigError, DataError, MethodError, safe_text
from slicebench.plugins.parameters import Parameterised

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from slicebench.data.captions.embedded import Captions
    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split
    from slicebench.data.trainer import TrainedModel


REQUIREMENTS = {
    "embeddings": "embeddings",
    "losses": "losses",
    "labels": "class labels",
    "probs": "class probabilities",
    "correct": "whether the model is right",
    "inputs": "raw inputs",
    "metadata": "metadata columns",
    "pool": "a pool split",
    "captions": "candidate captions",
    "trainer": "a trainer",
    "truth": "the planted truth, which the evaluator gives to the registered method 'oracle' alone",
}
"""Words of `SliceMethod.requires`, and what each means."""


UNKNOWN_VERSION = "unknown"
"""Version of a method that cannot tell its own."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SliceScores:
    """Scores of n examples by one method.

    Parameters
    ----------
    hardness : (n,) float64
        Higher = harder; only the order counts, and ties are fine.
    flagged : (n,) bool, optional
        The method's own decision for each example.
    membership : (n, k) float32 in [0, 1], optional
        Soft membership in k slices, the most suspicious first; k may be 0.
    names : k strings, optional
        Control characters are replaced, and long names cut; see `slicebench.errors.safe_text`.

    Raises
    ------
    DataError
        naming the field, the first offending row and what was expected.

    """

    hardness: NDArray[np.float64]
    flagged: NDArray[np.bool_] | None = None
    membership: NDArray[np.float32] | None = None
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "hardness", array_of("hardness", self.hardness, np.float64, 1))
        n = len(self.hardness)
        if self.flagged is not None:
            object.__setattr__(self, "flagged", array_of("flagged", self.flagged, np.bool_, 1, n))
        if self.membership is not None:
            membership: NDArray[np.float32] = array_of("membership", self.membership, np.float32, 2, n)
            if membership.size and (membership.min() < 0 or membership.max() > 1 + 1e-6):
                raise DataError(
                    f"membership has values from {membership.min():.4g} to {membership.max():.4g}; expected 0 to 1"
                )
            object.__setattr__(self, "membership", membership)
        k = 0 if self.membership is None else self.membership.shape[1]
        if self.names is not None and len(self.names) != k:
            raise DataError(f"names has {len(self.names)} entries for {k} slices; expected one for each slice")
        if self.names is not None:
            object.__setattr__(self, "names", tuple(map(_name, self.names)))


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise DataError(f"names has an entry of type {type(name).__name__}; expected strings")
    return safe_text(name)


class SliceMethod(Parameterised):
    """Base class of slice-discovery methods; see the module docstring for how to add one."""

    requires: ClassVar[frozenset[str]] = frozenset({"embeddings"})
    version: ClassVar[str] = "1"

    def supports(self, data: AuditData) -> str | None:
        """Return why the method cannot run on `data`, or None if it can.

        A cell that cannot run is skipped, not failed.
        """
        missing = sorted(word for word in self.requires - {"truth"} if not offered(word, data))
        return "needs " + " and ".join(REQUIREMENTS[word] for word in missing) if missing else None

    def fit(self, data: AuditData) -> Self:
        """Learn from the train and val splits."""
        raise NotImplementedError(f"{type(self).__name__} has no fit")

    def score(self, split: Split) -> SliceScores:
        """Score every example of `split`, with flags and slices if the method has them."""
        raise NotImplementedError(f"{type(self).__name__} has no score")

    def directions(self, data: AuditData) -> NDArray[np.float64]:
        """Return each class's direction of increasing hardness in embedding space, shape (C, d).

        A class without a direction gets 0. By default the direction is the covariance of the val
        embeddings with the rank of the method's hardness, which exists for every method. A task
        without classes counts as one class.
        """
        from slicebench.plugins.directions import hardness_directions

        return hardness_directions(data, self.score(data.val).hardness)

    def caption_hardness(self, data: AuditData) -> NDArray[np.float64]:
        """Return how hard the examples are that each caption describes, per class, shape (C, m).

        Only the order counts. By default it is the cosine between the class's direction and the
        caption's difference from the class's reference. It is called only for data with captions.
        Captions that are not candidates of a class are ignored for that class.
        """
        from slicebench.plugins.directions import caption_cosines

        return caption_cosines(self.directions(data), candidates_of(data))

    def strength(self) -> NDArray[np.float64] | None:
        """Return the evidence per class, shape (C,), that a failure mode exists.

        None if the method does not measure it; NaN for a class that it could not examine.
        """
        return None

    def notes(self) -> tuple[str, ...]:
        """Return what a reader of the result must know about this fit, one sentence per note.

        The notes are stored in the record.
        """
        return ()

    def repair(self, data: AuditData, seed: int) -> TrainedModel:
        """Train a better model by the method's own rule, with `seed`.

        JTT's second stage is an example. Most methods have no such rule.
        """
        raise NotImplementedError(f"{type(self).__name__} has no repair")

    def _fitted(self, attribute: str) -> Any:
        """Return a learnt attribute, or raise a `MethodError` that says to call fit first."""
        try:
            return getattr(self, attribute)
        except AttributeError:
            raise MethodError(f"{type(self).__name__} is not fitted; call fit(data) first") from None


def refuse_truth(name: str, method: SliceMethod) -> None:
    """Raise `ConfigError` for a method that needs the planted truth, on data without a plant."""
    if "truth" in method.requires:
        raise ConfigError(f"{name} needs the planted truth, which your own data do not have; choose another method")


def candidates_of(data: AuditData) -> Captions:
    """Return the candidate captions of `data`; raise `DataError` if there are none."""
    if data.captions is None:
        raise DataError(
            "there are no candidate captions; the problem needs an encoder that reads text, such as 'nano-clip'"
        )
    return data.captions


def version_of(method: SliceMethod) -> str:
    """Return the version of a method, made safe; raise `MethodError` if it is not a text."""
    version: object = method.version
    if not isinstance(version, str):
        raise MethodError(f"version is of type {type(version).__name__}; expected a text")
    return safe_text(version)


def offered(word: str, data: AuditData) -> bool:
    """Check whether `data` has what `word`, a key of `REQUIREMENTS`, stands for."""
    if word not in REQUIREMENTS:
        raise MethodError(f"unknown requirement {word!r}; expected one of {', '.join(sorted(REQUIREMENTS))}")
    holder = data if word in ("pool", "captions", "trainer") else data.val
    return getattr(holder, word) is not None
