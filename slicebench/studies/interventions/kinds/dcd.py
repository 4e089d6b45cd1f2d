"""Data-Centric Debugging: add the pool images that resemble the model's errors to train."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slicebench.errors import ConfigError, did_you_mean
from slicebench.evaluation.hardest import per_class
from slicebench.studies.interventions.contract import Added, Intervention, Treatment
from slicebench.studies.interventions.kinds.filter import added_from
from slicebench.studies.interventions.kinds.retrieval import retrieve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from slicebench.data.problem import AuditData
    from slicebench.data.split import Split
    from slicebench.studies.interventions.contract import Audit

    Rows = NDArray[np.intp]


SELECTIONS = ("nearest", "random", "complete")


class DCD(Intervention):
    """Intervention that adds the pool images most similar to the errors on val, the debug-train set, to train.

    Each error is the seed of a search. In Algorithm 1 of the paper, the closest pair of a seed and a
    pool image of its (weak) label is taken again and again, each pool image once, until every seed has
    its images. First, `n_val` images per seed are put aside: the de-val set, on which choices could be
    validated. The accuracy on it is recorded as "deval". Then `n` per seed are found in the rest.
    Pool images that may be copies of test images are removed before
    (`slicebench.studies.interventions.kinds.retrieval.leak_free`).

    Parameters
    ----------
    selection : "nearest", "random" or "complete"
        "random" takes as many images of each label as "nearest", at random. "complete" takes the whole
        pool, and gives each class the same weight in the loss.
    n, n_val : int
        Pool images per seed. The paper has 1,031 seeds with 46 each.
    same_label : bool
        False searches the whole pool, as in the paper's ablation; images then keep their own weak labels.
    encoder : str, optional
        The encoder whose embeddings are searched, for example "own-latent" or "open_clip:..."; by
        default, that of the problem.
    models : int
        With 2 or more, a seed is a val example that this many base models, from consecutive seeds, all
        get wrong. The accuracy on such test examples is recorded as "heldout_all".

    References
    ----------
    Singla, Chegini, Moayeri, Feizi, "Data-Centric Debugging: mitigating model failures via targeted data collection", 2022.

    >>> DCD(n=46).get_params()["selection"]
    'nearest'

    """

    guided: ClassVar[bool] = False
    guards_leaks: ClassVar[bool] = True
    requires: ClassVar[frozenset[str]] = frozenset({"pool"})
    reference: ClassVar[Mapping[str, Any]] = {"selection": "random"}

    def __init__(
        self,
        *,
        selection: str = "nearest",
        n: int = 10,
        n_val: int = 2,
        same_label: bool = True,
        encoder: str | None = None,
        models: int = 1,
    ) -> None:
        self.selection = selection
        self.n = n
        self.n_val = n_val
        self.same_label = same_label
        self.encoder = encoder
        self.models = models

    def check(self) -> None:
        """Raise `ConfigError` naming the parameter that cannot be used."""
        if self.selection not in SELECTIONS:
            raise ConfigError(
                f"dcd: selection is {self.selection!r}; {did_you_mean(str(self.selection), list(SELECTIONS))}"
            )
        for name, least in (("n", 1), ("n_val", 0), ("models", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"dcd: {name} is {getattr(self, name)}; expected {least} or more")
        if self.encoder is not None:
            from slicebench.models.encoders.encoder import make_encoder

            make_encoder(self.encoder)

    def treat(self, audit: Audit, seed: int) -> Treatment:
        """Find the debug-train set, or its substitute by `selection`."""
        pool, labels = audit.pool, _labels(audit.pool)
        aside, debug, measures = audit.once("search", lambda: self._found(audit))
        if not measures:
            note = "the model makes no errors on val, so there is nothing to debug"
            return Treatment(chosen=pool.ids[:0], notes=(note,))
        rest = np.setdiff1d(np.arange(pool.n), aside)
        if self.selection == "complete":
            debug = rest
        elif self.selection == "random":
            debug = _drawn(rest, labels, per_class(labels[debug], audit.n_classes), np.random.default_rng(seed))
        weights, added = None, added_from(pool, debug)
        if self.selection == "complete":
            weights, added = _equal_classes(_labels(audit.data.train), added, audit.n_classes)
        return Treatment(chosen=pool.ids[debug], weights=weights, added=added, aside=pool.ids[aside], measures=measures)

    def subsets(self, audit: Audit, test: Split) -> dict[str, NDArray[np.bool_]]:
        """Return the test examples that all models get wrong; nothing for a single model."""
        return {} if self.models == 1 else {"heldout_all": self._missed_by_all(audit, test)}

    def _missed_by_all(self, audit: Audit, split: Split) -> NDArray[np.bool_]:
        """Mark the examples that the base model and `models` - 1 others all get wrong, shape (n,).

        The others are trained from the seeds that follow.
        """
        trainer = audit.data.trainer
        assert split.correct is not None
        assert split.inputs is not None
        assert trainer is not None
        missed = ~split.correct
        for i in range(1, self.models):
            other = trainer.fit(seed=trainer.recipe.seed + i)  # type: ignore[attr-defined]
            missed &= other.predict(split.inputs).argmax(axis=1) != split.labels
        return missed

    def _found(self, audit: Audit) -> tuple[Rows, Rows, dict[str, float]]:
        """Return the pool rows put aside, those of the debug-train set, and measures of the search.

        All are empty if there are no errors.
        """
        seeds = np.flatnonzero(self._missed_by_all(audit, audit.data.val))
        if not len(seeds):
            return seeds, seeds, {}
        start = perf_counter()
        pool, (of_val, of_pool) = audit.pool, self._embedded(audit.data)
        own, labels = _labels(audit.data.val)[seeds], _labels(pool)
        if not self.same_label:
            own, labels = np.zeros_like(own), np.zeros_like(labels)

        def search(taken: Rows, n: int) -> Rows:
            if not n:
                return taken[:0]
            left = labels.copy()
            left[taken] = -1  # no seed has that label
            return np.sort(retrieve(of_val[seeds], of_pool, n, seed_labels=own, pool_labels=left).rows)

        aside = search(np.empty(0, dtype=np.intp), self.n_val)
        debug = search(aside, self.n)
        d = of_pool.shape[1]
        megabytes = of_pool.dtype.itemsize * d * (pool.n + len(seeds)) / 1e6
        spent = {"seeds": float(len(seeds)), "retrieval_s": perf_counter() - start}
        return aside, debug, {"dimensions": float(d), "megabytes": megabytes} | spent

    def _embedded(self, data: AuditData) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Embed val and pool in the space that is searched."""
        assert data.pool is not None
        if self.encoder is None:
            return data.val.embeddings, data.pool.embeddings
        from slicebench.models.encoders.cached import embed
        from slicebench.models.encoders.encoder import make_encoder

        assert data.trainer is not None
        assert data.train.inputs is not None
        embedder = make_encoder(self.encoder).fit(data.train.inputs, data.trainer.fit())
        parts = [(split.inputs, split.ids) for split in (data.val, data.pool) if split.inputs is not None]
        of_val, of_pool = (embed(embedder, inputs, ids) for inputs, ids in parts)
        return of_val, of_pool


def _labels(split: Split) -> NDArray[np.int64]:
    assert split.labels is not None, "`supports` has seen to it"
    return split.labels


def _drawn(rows: Rows, labels: NDArray[np.int64], counts: NDArray[np.int64], rng: np.random.Generator) -> Rows:
    """Draw `counts[c]` of `rows` of each label c at random."""
    own = [rng.permutation(rows[labels[rows] == c])[:count] for c, count in enumerate(counts.tolist())]
    return np.sort(np.concatenate(own))


def _equal_classes(train: NDArray[np.int64], added: Added, n_classes: int) -> tuple[NDArray[np.float64], Added]:
    """Return factors of train, and the added examples with factors: every class weighs the same in the loss."""
    share = 1 / np.maximum(per_class(np.concatenate([train, added.labels]), n_classes), 1)
    return share[train], Added(inputs=added.inputs, labels=added.labels, weights=share[added.labels])
